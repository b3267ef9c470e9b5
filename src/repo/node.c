#include "repo/node.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/b64.h"
#include "base/goname.h"
#include "base/json.h"
#include "base/utf8.h"

/* Go's FileMode bits (restic-format 8.4). */
#define GO_DIR     0x80000000u
#define GO_SYMLINK 0x08000000u
#define GO_DEVICE  0x04000000u
#define GO_FIFO    0x02000000u
#define GO_SOCKET  0x01000000u
#define GO_SETUID  0x00800000u
#define GO_SETGID  0x00400000u
#define GO_CHAR    0x00200000u
#define GO_STICKY  0x00100000u

const char *
node_type_name(enum node_type t)
{
	static const char *const name[] = {
		[NODE_FILE] = "file", [NODE_DIR] = "dir",
		[NODE_SYMLINK] = "symlink", [NODE_DEV] = "dev",
		[NODE_CHARDEV] = "chardev", [NODE_FIFO] = "fifo",
		[NODE_SOCKET] = "socket", [NODE_OTHER] = "irregular",
	};

	return (name[t]);
}

uint64_t
node_mode(mode_t m)
{
	uint64_t go = m & 0777;

	switch (m & S_IFMT) {
	case S_IFDIR: go |= GO_DIR; break;
	case S_IFLNK: go |= GO_SYMLINK; break;
	case S_IFBLK: go |= GO_DEVICE; break;
	case S_IFCHR: go |= GO_DEVICE | GO_CHAR; break;
	case S_IFIFO: go |= GO_FIFO; break;
	case S_IFSOCK: go |= GO_SOCKET; break;
	default: break;
	}
	if (m & S_ISUID)
		go |= GO_SETUID;
	if (m & S_ISGID)
		go |= GO_SETGID;
	if (m & S_ISVTX)
		go |= GO_STICKY;
	return (go);
}

mode_t
node_st_mode(uint64_t go)
{
	mode_t m = go & 0777;

	if (go & GO_SETUID)
		m |= S_ISUID;
	if (go & GO_SETGID)
		m |= S_ISGID;
	if (go & GO_STICKY)
		m |= S_ISVTX;
	return (m);
}

bool
node_name_ok(const struct node *n)
{

	return (n->name_len > 0 && strcmp(n->name, ".") != 0 &&
	    strcmp(n->name, "..") != 0 &&
	    memchr(n->name, '/', n->name_len) == NULL &&
	    memchr(n->name, '\0', n->name_len) == NULL);
}

/* Millions of nodes are written: no format strings on this way. */

static int
put_name(struct buf *b, const struct node *n, struct err *e)
{
	char quoted[GONAME_MAX(NODE_NAME_MAX)];
	size_t len;
	int rc;

	len = goname_quote(quoted, (const uint8_t *)n->name, n->name_len);
	if ((rc = buf_str(b, "{\"name\":", e)) != 0)
		return (rc);
	return (json_quote(b, quoted, len, e));
}

/* ${key} is a literal: ,"key": */
static int
put_number(struct buf *b, const char *key, uint64_t v, struct err *e)
{
	int rc;

	return ((rc = buf_str(b, key, e)) != 0 ? rc : buf_u64(b, v, e));
}

static int
put_text(struct buf *b, const char *key, const char *s, size_t len,
    struct err *e)
{
	int rc;

	if ((rc = buf_str(b, key, e)) != 0)
		return (rc);
	return (json_quote(b, s, len, e));
}

static int
put_time(struct buf *b, const char *key, const struct when *w, struct err *e)
{
	char text[WHEN_TEXT];
	int rc;

	if ((rc = buf_str(b, key, e)) != 0 ||
	    (rc = buf_str(b, when_format(w, text), e)) != 0)
		return (rc);
	return (buf_str(b, "\"", e));
}

static int
put_target(struct buf *b, const struct node *n, struct err *e)
{
	uint8_t *to;
	int rc;

	if (n->target_len == 0)
		return (0);
	rc = put_text(b, ",\"linktarget\":", n->target, n->target_len, e);
	if (rc != 0 || utf8_valid((const uint8_t *)n->target, n->target_len))
		return (rc);
	if ((rc = buf_str(b, ",\"linktarget_raw\":\"", e)) != 0 ||
	    (rc = buf_room(b, B64_LEN(n->target_len), &to, e)) != 0)
		return (rc);
	b->len += b64_encode((char *)to, (const uint8_t *)n->target,
	    n->target_len);
	return (buf_str(b, "\"", e));
}

int
node_put_head(struct buf *b, const struct node *n, struct err *e)
{
	int rc;

	if ((rc = put_name(b, n, e)) != 0 ||
	    (rc = buf_str(b, ",\"type\":\"", e)) != 0 ||
	    (rc = buf_str(b, node_type_name(n->type), e)) != 0 ||
	    (rc = buf_str(b, "\"", e)) != 0)
		return (rc);
	if (n->mode != 0 && (rc = put_number(b, ",\"mode\":", n->mode, e)) != 0)
		return (rc);
	if ((rc = put_time(b, ",\"mtime\":\"", &n->mtime, e)) != 0 ||
	    (rc = put_time(b, ",\"atime\":\"", &n->atime, e)) != 0 ||
	    (rc = put_time(b, ",\"ctime\":\"", &n->ctime, e)) != 0 ||
	    (rc = put_number(b, ",\"uid\":", n->uid, e)) != 0 ||
	    (rc = put_number(b, ",\"gid\":", n->gid, e)) != 0)
		return (rc);
	if (n->user[0] != '\0' && (rc = put_text(b, ",\"user\":", n->user,
	    strlen(n->user), e)) != 0)
		return (rc);
	if (n->group[0] != '\0' && (rc = put_text(b, ",\"group\":", n->group,
	    strlen(n->group), e)) != 0)
		return (rc);
	if (n->inode != 0 && (rc = put_number(b, ",\"inode\":", n->inode, e)) != 0)
		return (rc);
	if (n->device_id != 0 &&
	    (rc = put_number(b, ",\"device_id\":", n->device_id, e)) != 0)
		return (rc);
	if (n->size != 0 && (rc = put_number(b, ",\"size\":", n->size, e)) != 0)
		return (rc);
	if (n->links != 0 && (rc = put_number(b, ",\"links\":", n->links, e)) != 0)
		return (rc);
	return (put_target(b, n, e));
}

int
node_put_xattr(struct buf *b, bool first, const char *name, const void *value,
    size_t len, struct err *e)
{
	uint8_t *to;
	int rc;

	rc = buf_str(b, first ? ",\"extended_attributes\":[" : ",", e);
	if (rc != 0 || (rc = buf_str(b, "{\"name\":", e)) != 0 ||
	    (rc = json_text(b, name, e)) != 0 ||
	    (rc = buf_str(b, ",\"value\":\"", e)) != 0 ||
	    (rc = buf_room(b, B64_LEN(len) + 2, &to, e)) != 0)
		return (rc);
	b->len += b64_encode((char *)to, value, len);
	return (buf_str(b, "\"}", e));
}

int
node_put_xattrs_end(struct buf *b, struct err *e)
{

	return (buf_str(b, "]", e));
}

int
node_put_tail(struct buf *b, const struct node *n, struct err *e)
{
	int rc;

	if (n->device != 0 &&
	    (rc = put_number(b, ",\"device\":", n->device, e)) != 0)
		return (rc);
	return (buf_str(b, ",\"content\":", e));
}

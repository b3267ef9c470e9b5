#include "archive/tar.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/utf8.h"

/* The header on disk: text fields, numbers in octal. */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char sum[8];
	char type;
	char linkname[100];
	char magic[6];       /* "ustar", NUL */
	char version[2];     /* "00" */
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	char prefix[155];    /* what stands before the name and a slash */
	char zero[12];
};

_Static_assert(sizeof(struct ustar) == TAR_BLOCK_LEN, "a block is a header");

enum {
	ACL_TEXT_MAX = 512 * 1024,
	GNU_MAX = 4094,      /* of a name in an entry of type L or K: BusyBox
				takes an archive with longer ones for broken */
};

#define OCTAL_MAX(field) ((1ull << 3 * (sizeof(field) - 1)) - 1)

void
tar_open(struct tar *t, archive_out *out, void *cookie)
{

	memset(t, 0, sizeof(*t));
	t->out = out;
	t->cookie = cookie;
	t->pax.max = TAR_HEADER_MAX;
	t->acl.max = ACL_TEXT_MAX;
}

void
tar_close(struct tar *t)
{

	buf_free(&t->pax);
	buf_free(&t->acl);
}

/* ---- records of the extended header ---- */

static unsigned
digits(size_t n)
{
	unsigned d = 1;

	for (; n >= 10; n /= 10)
		d++;
	return (d);
}

/* "LENGTH KEY=VALUE\n": the length counts its own digits. All or nothing. */
static int
record(struct tar *t, const char *key, const void *value, size_t len,
    struct err *e)
{
	size_t rest = strlen(key) + len + 3, all = rest + digits(rest);
	size_t before = t->pax.len;
	int rc;

	if (digits(all) > digits(rest))
		all++;
	if ((rc = buf_printf(&t->pax, e, "%zu %s=", all, key)) == 0 &&
	    (rc = buf_add(&t->pax, value, len, e)) == 0 &&
	    (rc = buf_add(&t->pax, "\n", 1, e)) == 0)
		return (0);
	t->pax.len = before;
	return (rc);
}

static int
number_record(struct tar *t, const char *key, uint64_t v, struct err *e)
{
	char text[24];
	int n;

	n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	return (record(t, key, text, (size_t)n, e));
}

/* Seconds with as much of a fraction as there is; -0.5 is half before 1970. */
static int
time_record(struct tar *t, const char *key, const struct when *w,
    struct err *e)
{
	uint64_t s = (uint64_t)w->sec;
	uint32_t ns = (uint32_t)w->nsec;
	bool minus = w->sec < 0;
	char text[40];
	int n;

	if (minus) {
		s = -s;
		if (ns > 0) {
			s--;
			ns = 1000000000 - ns;
		}
	}
	n = snprintf(text, sizeof(text), "%s%llu.%09u", minus ? "-" : "",
	    (unsigned long long)s, ns);
	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	return (record(t, key, text, (size_t)n, e));
}

/* ---- access lists ---- */

/* The kernel's form: a version, then entries of tag, permissions and id. */
enum {
	ACL_VERSION = 2,
	ACL_HEAD = 4,
	ACL_ENTRY = 8,
};

static const char *
acl_tag(unsigned tag, bool *ret_has_id)
{

	*ret_has_id = tag == 2 || tag == 8;
	switch (tag) {
	case 0x01: case 0x02: return ("user");
	case 0x04: case 0x08: return ("group");
	case 0x10: return ("mask");
	case 0x20: return ("other");
	default: return (NULL);
	}
}

/* As text into t->acl: 1; 0 when it is not an access list; or ERR_*. */
static int
acl_text(struct tar *t, const uint8_t *p, size_t len, struct err *e)
{
	const char *tag;
	char id[16];
	bool has_id;
	int rc;

	buf_reset(&t->acl);
	if (len < ACL_HEAD || (len - ACL_HEAD) % ACL_ENTRY != 0 ||
	    load_le32(p) != ACL_VERSION)
		return (0);
	for (p += ACL_HEAD, len -= ACL_HEAD; len > 0; p += ACL_ENTRY,
	    len -= ACL_ENTRY) {
		if ((tag = acl_tag(p[0] | p[1] << 8u, &has_id)) == NULL)
			return (0);
		id[0] = '\0';
		if (has_id)
			(void)snprintf(id, sizeof(id), "%u",
			    load_le32(p + 4));
		rc = buf_printf(&t->acl, e, "%s:%s:%c%c%c\n", tag, id,
		    p[2] & 4 ? 'r' : '-', p[2] & 2 ? 'w' : '-',
		    p[2] & 1 ? 'x' : '-');
		if (rc != 0)
			return (rc);
	}
	return (1);
}

static const char *
acl_key(const char *name)
{

	if (strcmp(name, "system.posix_acl_access") == 0)
		return ("SCHILY.acl.access");
	if (strcmp(name, "system.posix_acl_default") == 0)
		return ("SCHILY.acl.default");
	return (NULL);
}

int
tar_xattr(struct tar *t, const char *name, const void *value, size_t len,
    struct err *e)
{
	char key[16 + 3 * 256] = "SCHILY.xattr.", *to = key + strlen(key);
	const char *acl = acl_key(name);
	int rc;

	if (acl != NULL) {
		if ((rc = acl_text(t, value, len, e)) < 0)
			return (rc);
		if (rc > 0)
			return (record(t, acl, t->acl.p, t->acl.len, e));
	}
	for (; *name != '\0'; name++) {
		if (to > key + sizeof(key) - 4)
			return (err_set(e, ERR_LIMIT, "the name of an extended "
			    "attribute is too long"));
		if (*name == '=' || *name == '%')
			to += sprintf(to, "%%%02X", (unsigned)*name);
		else
			*to++ = *name;
	}
	*to = '\0';
	return (record(t, key, value, len, e));
}

/* ---- fields ---- */

/* Octal with a NUL behind it; what does not fit in base 256, big-endian. */
static void
put_number(char *field, size_t len, uint64_t v)
{
	size_t i;

	if (v >> 3 * (len - 1) != 0) {
		for (i = len - 1; i > 0; i--, v >>= 8)
			field[i] = (char)(v & 0xff);
		field[0] = (char)0x80;
		return;
	}
	field[len - 1] = '\0';
	for (i = len - 1; i-- > 0; v >>= 3)
		field[i] = (char)('0' + (v & 7));
}

#define PUT_NUMBER(field, v) put_number(field, sizeof(field), v)

/* The sum of all bytes, with blanks in the sum's own place. */
static void
put_sum(struct ustar *h)
{
	const uint8_t *p = (const uint8_t *)h;
	unsigned sum = 0, i;

	memset(h->sum, ' ', sizeof(h->sum));
	for (i = 0; i < sizeof(*h); i++)
		sum += p[i];
	put_number(h->sum, sizeof(h->sum) - 1, sum);
}

static void
start_header(struct ustar *h, char type)
{

	memset(h, 0, sizeof(*h));
	h->type = type;
	memcpy(h->magic, "ustar", sizeof(h->magic));
	memcpy(h->version, "00", sizeof(h->version));
}

static bool
is_ascii(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return (false);
	return (true);
}

/*
 * Put the name into name, or into prefix and name where a slash is at the right
 * place. False when it does not fit: then its beginning is there.
 */
static bool
put_name(struct ustar *h, const char *s, size_t len)
{
	size_t at;

	if (len <= sizeof(h->name)) {
		memcpy(h->name, s, len);
		return (true);
	}
	for (at = sizeof(h->prefix); at > 0; at--) {
		if (at + 1 >= len || s[at] != '/')
			continue;
		if (len - at - 1 > sizeof(h->name))
			break;
		memcpy(h->prefix, s, at);
		memcpy(h->name, s + at + 1, len - at - 1);
		return (true);
	}
	memcpy(h->name, s, sizeof(h->name));
	return (false);
}

static bool
put_text(char *field, size_t max, const char *s, size_t len)
{

	memcpy(field, s, len < max ? len : max);
	return (len <= max);
}

/* ---- an entry's headers ---- */

/* The entry as it will be written. */
struct shape {
	struct ustar h;
	const char *name;
	size_t name_len;
	bool long_name, long_target; /* get an entry of type L, K */
	bool binary;         /* a name among the records is to stay raw */
};

/*
 * May a reader change this name while it recodes it? libarchive composes what a
 * letter and a mark behind it are together: then two names could become one.
 * These blocks hold all second halves of such pairs (and some other letters).
 */
static bool
composes(const char *s, size_t len)
{
	static const uint32_t block[][2] = {
		{ 0x300, 0x36f }, { 0x653, 0x655 }, { 0x900, 0xdff },
		{ 0x102e, 0x102e }, { 0x1160, 0x11ff }, { 0x1b00, 0x1b7f },
		{ 0x3099, 0x309a }, { 0x11000, 0x16fff },
	};
	const uint8_t *p = (const uint8_t *)s;
	uint32_t rune;
	size_t i;
	int n;

	for (; len > 0; p += n, len -= (size_t)n) {
		if ((n = utf8_decode(p, len, &rune)) == 0)
			return (true);
		for (i = 0; i < sizeof(block) / sizeof(block[0]); i++)
			if (rune >= block[i][0] && rune <= block[i][1])
				return (true);
	}
	return (false);
}

/*
 * A name into the extended header, if it must be there. ${fits} says that its
 * field has all of it, ${held} that this or an entry of type L or K has: bytes
 * that nobody may recode are left to these, since not all readers know of
 * hdrcharset.
 */
static int
name_record(struct tar *t, struct shape *s, const char *key, const char *text,
    size_t len, bool fits, bool held, struct err *e)
{
	bool raw;

	if (fits && is_ascii(text, len))
		return (0);
	raw = composes(text, len);
	if (raw && held)
		return (0);
	s->binary = s->binary || raw;
	return (record(t, key, text, len, e));
}

/* Names of owners: fields that end with a NUL. */
static int
shape_owner(struct tar *t, struct shape *s, const char *key, char *field,
    size_t max, const char *text, struct err *e)
{
	size_t len;
	bool fits;

	if (text == NULL)
		return (0);
	len = strlen(text);
	fits = put_text(field, max - 1, text, len);
	return (name_record(t, s, key, text, len, fits, fits, e));
}

static int
shape_names(struct tar *t, const struct tar_entry *x, struct shape *s,
    struct err *e)
{
	bool fits;
	int rc;

	fits = put_name(&s->h, s->name, s->name_len);
	s->long_name = !fits && s->name_len <= GNU_MAX;
	rc = name_record(t, s, "path", s->name, s->name_len, fits,
	    fits || s->long_name, e);
	if (rc == 0 && (x->kind == TAR_LINK || x->kind == TAR_SYMLINK)) {
		fits = put_text(s->h.linkname, sizeof(s->h.linkname),
		    x->target, x->target_len);
		s->long_target = !fits && x->target_len <= GNU_MAX;
		rc = name_record(t, s, "linkpath", x->target, x->target_len,
		    fits, fits || s->long_target, e);
	}
	if (rc == 0)
		rc = shape_owner(t, s, "uname", s->h.uname,
		    sizeof(s->h.uname), x->user, e);
	if (rc == 0)
		rc = shape_owner(t, s, "gname", s->h.gname,
		    sizeof(s->h.gname), x->group, e);
	return (rc);
}

static int
shape_number(struct tar *t, const char *key, char *field, size_t len,
    uint64_t v, struct err *e)
{

	put_number(field, len, v);
	return (v >> 3 * (len - 1) != 0 ? number_record(t, key, v, e) : 0);
}

static int
shape_times(struct tar *t, const struct tar_entry *x, struct shape *s,
    struct err *e)
{
	const uint64_t max = OCTAL_MAX(s->h.mtime);
	uint64_t sec = x->mtime.sec < 0 ? 0 : (uint64_t)x->mtime.sec;
	int rc = 0;

	PUT_NUMBER(s->h.mtime, sec < max ? sec : max);
	if (x->mtime.nsec != 0 || x->mtime.sec < 0 || sec > max)
		rc = time_record(t, "mtime", &x->mtime, e);
	if (rc == 0 && x->atime != NULL)
		rc = time_record(t, "atime", x->atime, e);
	if (rc == 0 && x->ctime != NULL)
		rc = time_record(t, "ctime", x->ctime, e);
	return (rc);
}

static int
shape_entry(struct tar *t, const struct tar_entry *x, struct shape *s,
    struct err *e)
{
	uint64_t size = x->kind == TAR_FILE ? x->size : 0;
	int rc;

	start_header(&s->h, (char)x->kind);
	PUT_NUMBER(s->h.mode, x->mode & 07777);
	if (x->kind == TAR_CHARDEV || x->kind == TAR_BLOCKDEV) {
		PUT_NUMBER(s->h.devmajor, x->dev_major);
		PUT_NUMBER(s->h.devminor, x->dev_minor);
	}
	if ((rc = shape_names(t, x, s, e)) != 0 ||
	    (rc = shape_number(t, "uid", s->h.uid, sizeof(s->h.uid), x->uid,
	    e)) != 0 ||
	    (rc = shape_number(t, "gid", s->h.gid, sizeof(s->h.gid), x->gid,
	    e)) != 0 ||
	    (rc = shape_number(t, "size", s->h.size, sizeof(s->h.size), size,
	    e)) != 0 ||
	    (rc = shape_times(t, x, s, e)) != 0)
		return (rc);
	if (s->binary)
		rc = record(t, "hdrcharset", "BINARY", 6, e);
	put_sum(&s->h);
	return (rc);
}

/* ---- writing ---- */

static int
put_zeros(struct tar *t, unsigned n, struct err *e)
{
	static const uint8_t zeros[TAR_BLOCK_LEN];

	return (n > 0 ? t->out(t->cookie, zeros, n, e) : 0);
}

static unsigned
padding(uint64_t len)
{

	return ((unsigned)(-len % TAR_BLOCK_LEN));
}

/* An entry that says more of the next one: a header, then ${p} and ${nul}. */
static int
put_extra(struct tar *t, char type, const char *name, const void *p,
    size_t len, unsigned nul, struct err *e)
{
	struct ustar h;
	int rc;

	start_header(&h, type);
	(void)put_name(&h, name, strlen(name));
	PUT_NUMBER(h.mode, 0644);
	PUT_NUMBER(h.uid, 0);
	PUT_NUMBER(h.gid, 0);
	PUT_NUMBER(h.size, len + nul);
	PUT_NUMBER(h.mtime, 0);
	put_sum(&h);
	if ((rc = t->out(t->cookie, &h, sizeof(h), e)) != 0 ||
	    (rc = t->out(t->cookie, p, len, e)) != 0)
		return (rc);
	return (put_zeros(t, nul + padding(len + nul), e));
}

static int
put_headers(struct tar *t, const struct tar_entry *x, const struct shape *s,
    struct err *e)
{
	static const char gnu[] = "././@LongLink";
	int rc = 0;

	if (t->pax.len > 0)
		rc = put_extra(t, 'x', "././@PaxHeader", t->pax.p, t->pax.len,
		    0, e);
	if (rc == 0 && s->long_target)
		rc = put_extra(t, 'K', gnu, x->target, x->target_len, 1, e);
	if (rc == 0 && s->long_name)
		rc = put_extra(t, 'L', gnu, s->name, s->name_len, 1, e);
	return (rc != 0 ? rc : t->out(t->cookie, &s->h, sizeof(s->h), e));
}

/* A folder's name ends with a slash. */
static int
slash_name(const struct tar_entry *x, struct buf *b, struct shape *s,
    struct err *e)
{
	int rc;

	s->name = x->name;
	s->name_len = x->name_len;
	if (x->kind != TAR_DIR || x->name_len == 0 ||
	    x->name[x->name_len - 1] == '/')
		return (0);
	if ((rc = buf_add(b, x->name, x->name_len, e)) != 0 ||
	    (rc = buf_add(b, "/", 1, e)) != 0)
		return (rc);
	s->name = (const char *)b->p;
	s->name_len = b->len;
	return (0);
}

int
tar_begin(struct tar *t, const struct tar_entry *x, struct err *e)
{
	struct shape s = { .binary = false };
	struct buf slashed = BUF_INIT(TAR_HEADER_MAX);
	int rc;

	if (t->left > 0 || t->pad > 0)
		return (err_set(e, ERR_FAIL, "the entry before has not "
		    "ended"));
	if ((rc = slash_name(x, &slashed, &s, e)) == 0 &&
	    (rc = shape_entry(t, x, &s, e)) == 0 &&
	    (rc = put_headers(t, x, &s, e)) == 0 && x->kind == TAR_FILE) {
		t->left = x->size;
		t->pad = padding(x->size);
	}
	buf_reset(&t->pax);
	buf_free(&slashed);
	return (rc);
}

int
tar_write(struct tar *t, const void *p, size_t len, struct err *e)
{

	if (len > t->left)
		return (err_set(e, ERR_FAIL, "more bytes than the entry has"));
	t->left -= len;
	return (t->out(t->cookie, p, len, e));
}

int
tar_end(struct tar *t, struct err *e)
{
	unsigned pad = t->pad;

	if (t->left > 0)
		return (err_set(e, ERR_FAIL, "bytes of the entry are "
		    "missing"));
	t->pad = 0;
	return (put_zeros(t, pad, e));
}

int
tar_finish(struct tar *t, struct err *e)
{
	int rc;

	if (t->left > 0 || t->pad > 0)
		return (err_set(e, ERR_FAIL, "the last entry has not ended"));
	if ((rc = put_zeros(t, TAR_BLOCK_LEN, e)) != 0)
		return (rc);
	return (put_zeros(t, TAR_BLOCK_LEN, e));
}

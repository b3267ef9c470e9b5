#include "archive/zip.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/id.h"
#include "base/utf8.h"

enum {
	CENTRAL_WINDOW = 65536,
	NAME_MAX_LEN = 65535,
	BLOCK = 65535,       /* bytes of a stored deflate block */
	BLOCK_HEAD = 5,
	EXTRA_MAX = 4 + 24 + 4 + 5 + 4 + 11,
	HEADER_MAX = 46 + EXTRA_MAX,

	FLAG_DESCRIPTOR = 1 << 3,
	FLAG_UTF8 = 1 << 11,
	METHOD_STORED = 0,
	METHOD_DEFLATE = 8,
	UNIX = 3 << 8,       /* "made by", in front of the version */
	MSDOS_DIR = 0x10,
};

#define NARROW_MAX 0xffffffffu /* in a 32-bit field: see the extra field */

/* ---- CRC-32, eight bytes at a time ---- */

static void
crc_begin(uint32_t t[8][256])
{
	uint32_t i, c;
	int k;

	for (i = 0; i < 256; i++) {
		for (c = i, k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
		t[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			t[k][i] = t[k - 1][i] >> 8 ^
			    t[0][t[k - 1][i] & 0xff];
}

static uint32_t
crc_run(const uint32_t t[8][256], uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t lo, hi, c = ~crc;

	for (; len >= 8; p += 8, len -= 8) {
		lo = load_le32(p) ^ c;
		hi = load_le32(p + 4);
		c = t[7][lo & 0xff] ^ t[6][lo >> 8 & 0xff] ^
		    t[5][lo >> 16 & 0xff] ^ t[4][lo >> 24] ^
		    t[3][hi & 0xff] ^ t[2][hi >> 8 & 0xff] ^
		    t[1][hi >> 16 & 0xff] ^ t[0][hi >> 24];
	}
	for (; len > 0; p++, len--)
		c = c >> 8 ^ t[0][(c ^ *p) & 0xff];
	return (~c);
}

/* ---- little-endian text in the making ---- */

struct cursor {
	uint8_t *p;
	size_t len;
};

static void
put16(struct cursor *c, uint32_t v)
{

	c->p[c->len++] = (uint8_t)v;
	c->p[c->len++] = (uint8_t)(v >> 8);
}

static void
put32(struct cursor *c, uint32_t v)
{

	store_le32(c->p + c->len, v);
	c->len += 4;
}

static void
put64(struct cursor *c, uint64_t v)
{

	store_le64(c->p + c->len, v);
	c->len += 8;
}

static uint32_t
narrow(uint64_t v)
{

	return (v < NARROW_MAX ? (uint32_t)v : NARROW_MAX);
}

static int
send(struct zip *z, const void *p, size_t len, struct err *e)
{

	z->at += len;
	return (len > 0 ? z->out(z->cookie, p, len, e) : 0);
}

/* ---- headers ---- */

static unsigned
version(const struct zip_head *h)
{

	return (h->wide || h->at >= NARROW_MAX ? 45 : 20);
}

/* From the flags to the date: the same in both headers. */
static void
put_common(struct cursor *c, const struct zip_head *h)
{

	put16(c, version(h));
	put16(c, h->flags);
	put16(c, h->method);
	put16(c, h->time);
	put16(c, h->date);
}

static void
put_extras(struct cursor *c, const struct zip_head *h)
{

	if (h->has_mtime) {
		put16(c, 0x5455);
		put16(c, 5);
		c->p[c->len++] = 1;
		put32(c, (uint32_t)h->mtime);
	}
	put16(c, 0x7875);
	put16(c, 11);
	c->p[c->len++] = 1;
	c->p[c->len++] = 4;
	put32(c, h->uid);
	c->p[c->len++] = 4;
	put32(c, h->gid);
}

/* The header before the bytes, up to the name; the extras go into ${x}. */
static void
local_header(const struct zip_head *h, size_t name_len, struct cursor *c,
    struct cursor *x)
{

	if (h->wide) {	/* says how wide the descriptor is */
		put16(x, 1);
		put16(x, 16);
		put64(x, 0);
		put64(x, 0);
	}
	put_extras(x, h);
	put32(c, 0x04034b50);
	put_common(c, h);
	put32(c, h->described ? 0 : h->crc);
	put32(c, h->wide ? NARROW_MAX : h->described ? 0 :
	    (uint32_t)h->packed);
	put32(c, h->wide ? NARROW_MAX : h->described ? 0 : (uint32_t)h->size);
	put16(c, (uint32_t)name_len);
	put16(c, (uint32_t)x->len);
}

/* What the central directory has of an entry, without the name. */
static void
central_header(const struct zip_head *h, size_t name_len, struct cursor *c,
    struct cursor *x)
{
	bool far = h->at >= NARROW_MAX;

	if (h->wide || far) {
		put16(x, 1);
		put16(x, (h->wide ? 16 : 0) + (far ? 8 : 0));
		if (h->wide) {
			put64(x, h->size);
			put64(x, h->packed);
		}
		if (far)
			put64(x, h->at);
	}
	put_extras(x, h);
	put32(c, 0x02014b50);
	put16(c, UNIX | version(h));
	put_common(c, h);
	put32(c, h->crc);
	put32(c, h->wide ? NARROW_MAX : (uint32_t)h->packed);
	put32(c, h->wide ? NARROW_MAX : (uint32_t)h->size);
	put16(c, (uint32_t)name_len);
	put16(c, (uint32_t)x->len);
	put16(c, 0);	/* no comment */
	put16(c, 0);	/* on the one disk */
	put16(c, 0);
	put32(c, h->mode << 16 | (h->dir ? MSDOS_DIR : 0));
	put32(c, narrow(h->at));
}

/* ---- an entry ---- */

/* DOS knows the years 1980 to 2107, in steps of two seconds. */
static void
dos_time(const struct when *w, struct zip_head *h)
{
	struct tm tm;
	int year;

	when_fields(w, &tm);
	year = tm.tm_year + 1900;
	if (year < 1980) {
		h->date = 1 << 5 | 1;
		h->time = 0;
		return;
	}
	if (year > 2107) {
		h->date = 127 << 9 | 12 << 5 | 31;
		h->time = 23 << 11 | 59 << 5 | 29;
		return;
	}
	h->date = (uint16_t)((year - 1980) << 9 | (tm.tm_mon + 1) << 5 |
	    tm.tm_mday);
	h->time = (uint16_t)(tm.tm_hour << 11 | tm.tm_min << 5 |
	    tm.tm_sec / 2);
}

static mode_t
type_bits(enum zip_kind kind)
{

	return (kind == ZIP_DIR ? S_IFDIR : kind == ZIP_SYMLINK ? S_IFLNK :
	    S_IFREG);
}

/* Of ${size} bytes in stored blocks. */
static uint64_t
wrapped(uint64_t size)
{

	return (size + (size + BLOCK - 1) / BLOCK * BLOCK_HEAD);
}

static void
fill_head(struct zip *z, const struct zip_entry *x)
{
	struct zip_head *h = &z->head;

	memset(h, 0, sizeof(*h));
	h->dir = x->kind == ZIP_DIR;
	h->mode = (uint32_t)type_bits(x->kind) | (x->mode & 07777);
	h->at = z->at;
	h->uid = x->uid;
	h->gid = x->gid;
	h->has_mtime = x->mtime.sec == (int32_t)x->mtime.sec;
	h->mtime = (int32_t)x->mtime.sec;
	dos_time(&x->mtime, h);
	h->method = METHOD_STORED;
	if (utf8_valid((const uint8_t *)x->name, x->name_len))
		h->flags |= FLAG_UTF8;
	if (x->kind == ZIP_SYMLINK) {
		h->size = h->packed = x->target_len;
		h->crc = crc_run(z->crc_table, 0, x->target, x->target_len);
	} else if (x->kind == ZIP_FILE && x->size > 0) {
		h->size = x->size;
		h->packed = wrapped(x->size);
		h->described = true;
		h->flags |= FLAG_DESCRIPTOR;
		h->method = METHOD_DEFLATE;
		h->wide = h->packed >= NARROW_MAX;
	}
}

/* Note it in the central directory; the CRC may be filled in later. */
static int
note_entry(struct zip *z, const struct zip_entry *x, bool slash,
    struct err *e)
{
	uint8_t head[HEADER_MAX], extra[EXTRA_MAX];
	struct cursor c = { head, 0 }, xs = { extra, 0 };
	int rc;

	z->central_at = spill_top(&z->central);
	central_header(&z->head, x->name_len + slash, &c, &xs);
	if ((rc = spill_push(&z->central, head, c.len, e)) != 0 ||
	    (rc = spill_push(&z->central, x->name, x->name_len, e)) != 0 ||
	    (slash && (rc = spill_push(&z->central, "/", 1, e)) != 0) ||
	    (rc = spill_push(&z->central, extra, xs.len, e)) != 0) {
		spill_cut(&z->central, z->central_at);
		return (rc);
	}
	z->entries++;
	return (0);
}

static int
send_local(struct zip *z, const struct zip_entry *x, bool slash,
    struct err *e)
{
	uint8_t head[HEADER_MAX], extra[EXTRA_MAX];
	struct cursor c = { head, 0 }, xs = { extra, 0 };
	int rc;

	local_header(&z->head, x->name_len + slash, &c, &xs);
	if ((rc = send(z, head, c.len, e)) != 0 ||
	    (rc = send(z, x->name, x->name_len, e)) != 0 ||
	    (slash && (rc = send(z, "/", 1, e)) != 0) ||
	    (rc = send(z, extra, xs.len, e)) != 0)
		return (rc);
	return (x->kind == ZIP_SYMLINK ? send(z, x->target, x->target_len,
	    e) : 0);
}

int
zip_open(struct zip *z, archive_out *out, void *cookie, const char *dir,
    struct err *e)
{

	memset(z, 0, sizeof(*z));
	z->out = out;
	z->cookie = cookie;
	crc_begin(z->crc_table);
	return (spill_open(&z->central, dir, CENTRAL_WINDOW, e));
}

void
zip_close(struct zip *z)
{

	spill_close(&z->central);
}

int
zip_begin(struct zip *z, const struct zip_entry *x, struct err *e)
{
	bool slash = x->kind == ZIP_DIR && (x->name_len == 0 ||
	    x->name[x->name_len - 1] != '/');
	int rc;

	if (z->left > 0 || z->head.described)
		return (err_set(e, ERR_FAIL, "the entry before has not "
		    "ended"));
	if (x->name_len + slash > NAME_MAX_LEN)
		return (err_set(e, ERR_LIMIT, "its name is too long for a "
		    "ZIP"));
	fill_head(z, x);
	if ((rc = note_entry(z, x, slash, e)) != 0 ||
	    (rc = send_local(z, x, slash, e)) != 0) {
		z->head.described = false;
		return (rc);
	}
	z->left = z->head.described ? x->size : 0;
	z->block_left = 0;
	return (0);
}

static int
begin_block(struct zip *z, struct err *e)
{
	uint32_t n = z->left < BLOCK ? (uint32_t)z->left : BLOCK;
	uint8_t head[BLOCK_HEAD];
	struct cursor c = { head, 0 };

	head[c.len++] = z->left == n;	/* the last one? */
	put16(&c, n);
	put16(&c, ~n);
	z->block_left = n;
	return (send(z, head, c.len, e));
}

int
zip_write(struct zip *z, const void *bytes, size_t len, struct err *e)
{
	const uint8_t *p = bytes;
	size_t n;
	int rc;

	if (len > z->left)
		return (err_set(e, ERR_FAIL, "more bytes than the entry has"));
	z->head.crc = crc_run(z->crc_table, z->head.crc, p, len);
	for (; len > 0; p += n, len -= n) {
		if (z->block_left == 0 && (rc = begin_block(z, e)) != 0)
			return (rc);
		n = len < z->block_left ? len : z->block_left;
		z->block_left -= (uint32_t)n;
		z->left -= n;
		if ((rc = send(z, p, n, e)) != 0)
			return (rc);
	}
	return (0);
}

int
zip_end(struct zip *z, struct err *e)
{
	const struct zip_head *h = &z->head;
	uint8_t tail[24], crc[4];
	struct cursor c = { tail, 0 };
	int rc;

	if (z->left > 0)
		return (err_set(e, ERR_FAIL, "bytes of the entry are "
		    "missing"));
	if (!h->described)
		return (0);
	put32(&c, 0x08074b50);
	put32(&c, h->crc);
	if (h->wide) {
		put64(&c, h->packed);
		put64(&c, h->size);
	} else {
		put32(&c, (uint32_t)h->packed);
		put32(&c, (uint32_t)h->size);
	}
	store_le32(crc, h->crc);
	z->head.described = false;
	if ((rc = send(z, tail, c.len, e)) != 0)
		return (rc);
	return (spill_patch(&z->central, z->central_at + 16, crc, sizeof(crc),
	    e));
}

/* ---- the end ---- */

static int
send_central(struct zip *z, struct err *e)
{
	uint64_t at, top = spill_top(&z->central);
	uint8_t part[4096];
	size_t n;
	int rc;

	for (at = 0; at < top; at += n) {
		n = top - at < sizeof(part) ? (size_t)(top - at) : sizeof(part);
		if ((rc = spill_read(&z->central, at, part, n, e)) != 0 ||
		    (rc = send(z, part, n, e)) != 0)
			return (rc);
	}
	return (0);
}

static void
put_end64(const struct zip *z, struct cursor *c, uint64_t start)
{

	put32(c, 0x06064b50);
	put64(c, 44);	/* bytes behind this number */
	put16(c, UNIX | 45);
	put16(c, 45);
	put32(c, 0);
	put32(c, 0);
	put64(c, z->entries);
	put64(c, z->entries);
	put64(c, z->at - start);
	put64(c, start);
	put32(c, 0x07064b50);	/* and where that record is */
	put32(c, 0);
	put64(c, z->at);
	put32(c, 1);
}

int
zip_finish(struct zip *z, struct err *e)
{
	uint64_t start = z->at;
	uint8_t tail[56 + 20 + 22];
	struct cursor c = { tail, 0 };
	uint16_t n = z->entries < 0xffff ? (uint16_t)z->entries : 0xffff;
	int rc;

	if (z->left > 0 || z->head.described)
		return (err_set(e, ERR_FAIL, "the last entry has not ended"));
	if ((rc = send_central(z, e)) != 0)
		return (rc);
	if (z->entries >= 0xffff || z->at >= NARROW_MAX)
		put_end64(z, &c, start);
	put32(&c, 0x06054b50);
	put16(&c, 0);
	put16(&c, 0);
	put16(&c, n);
	put16(&c, n);
	put32(&c, narrow(z->at - start));
	put32(&c, narrow(start));
	put16(&c, 0);
	return (send(z, tail, c.len, e));
}

#include "repo/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "repo/sealed.h"

enum {
	LIST_WINDOW = 16384,
	HEADER_WINDOW = 65536,
	COMPRESSED = 2,      /* added to the type byte: type 0, 1 or 2, 3 */
};

/* ---- lists of entries ---- */

size_t
pack_entry_encode(const struct pack_entry *x, uint8_t ret[PACK_ENTRY_MAX])
{
	uint8_t *p = ret;

	*p++ = (uint8_t)((x->type == BLOB_TREE ? 1 : 0) +
	    (x->plain != 0 ? COMPRESSED : 0));
	store_le32(p, x->length);
	p += 4;
	if (x->plain != 0) {
		store_le32(p, x->plain);
		p += 4;
	}
	memcpy(p, x->id.b, ID_LEN);
	return ((size_t)(p - ret) + ID_LEN);
}

/* Decode the entry at ${p} of ${len} bytes; 0 when it is cut or unknown. */
static size_t
entry_decode(const uint8_t *p, size_t len, struct pack_entry *ret)
{
	size_t need;

	if (len == 0 || p[0] > 3)
		return (0);
	need = p[0] >= COMPRESSED ? 41 : 37;
	if (len < need)
		return (0);
	ret->type = p[0] & 1 ? BLOB_TREE : BLOB_DATA;
	ret->length = load_le32(p + 1);
	ret->plain = p[0] >= COMPRESSED ? load_le32(p + 5) : 0;
	memcpy(ret->id.b, p + need - ID_LEN, ID_LEN);
	return (need);
}

int
pack_list_next(struct pack_list *l, uint64_t *at, struct pack_entry *ret,
    struct err *e)
{
	uint64_t left = spill_top(&l->bytes) - *at;
	uint8_t p[PACK_ENTRY_MAX];
	size_t n = left < sizeof(p) ? (size_t)left : sizeof(p);
	int rc;

	if (n == 0)
		return (0);
	if ((rc = spill_read(&l->bytes, *at, p, n, e)) != 0)
		return (rc);
	if ((n = entry_decode(p, n, ret)) == 0)
		return (err_set(e, ERR_FAIL, "a list of blobs is damaged"));
	*at += n;
	return (1);
}

/* ---- reading headers ---- */

static int
damaged(const struct id *id, const char *how, struct err *e)
{
	char hex[ID_HEX + 1];

	return (err_set(e, ERR_CORRUPT, "pack %s is damaged: %s",
	    id_hex(id, hex), how));
}

/* The last bytes of a pack: the length of its header. */
struct tail {
	uint8_t b[4];
	size_t len;
};

static int
into_tail(void *cookie, const void *p, size_t len, struct err *e)
{
	struct tail *s = cookie;

	if (len > sizeof(s->b) - s->len)
		return (err_set(e, ERR_FAIL, "a store sent too much"));
	memcpy(s->b + s->len, p, len);
	s->len += len;
	return (0);
}

/* Name the entries of an opened header; ${*ret} is the sum of their lengths. */
static int
walk_header(struct sealed *s, const struct id *id, uint64_t body,
    pack_each *fn, void *cookie, struct err *e)
{
	uint8_t part[4096];
	struct pack_entry x;
	uint64_t offset = 0;
	size_t have = 0, at, n, got;
	int rc;

	for (;;) {
		rc = sealed_next(s, part + have, sizeof(part) - have, &got, e);
		if (rc != 0)
			return (rc);
		have += got;
		for (at = 0; (n = entry_decode(part + at, have - at, &x)) != 0;
		    at += n) {
			if (x.length < SEAL_OVERHEAD ||
			    x.length > body - offset)
				return (damaged(id, "its header names blobs "
				    "beyond its end", e));
			if ((rc = fn(cookie, &x, (uint32_t)offset, e)) != 0)
				return (rc);
			offset += x.length;
		}
		if (got == 0)
			break;
		memmove(part, part + at, have - at);
		have -= at;
	}
	if (have != 0)
		return (damaged(id, "its header has an unknown entry", e));
	if (offset != body)
		return (damaged(id, "there are bytes that its header does not "
		    "name", e));
	return (0);
}

int
pack_header(struct repo *r, const struct id *id, uint64_t size, pack_each *fn,
    void *cookie, struct err *e)
{
	struct tail tail = { { 0 }, 0 };
	char name[STORE_NAME_MAX];
	struct sealed s = { 0 };
	uint32_t len;
	int rc;

	if (size < 4 + SEAL_OVERHEAD || size > UINT32_MAX)
		return (damaged(id, size == 0 ? "it is empty" :
		    "it has an impossible size", e));
	repo_name(REPO_PACK, id, name);
	rc = store_get(r->store, name, size - 4, 4, into_tail, &tail, e);
	if (rc != 0)
		return (rc);
	len = load_le32(tail.b);
	if (len < SEAL_OVERHEAD || len > PACK_HEADER_MAX || len > size - 4)
		return (damaged(id, "its last bytes are not the length of a "
		    "header", e));
	rc = sealed_fetch(&s, r, name, size - 4 - len, len, HEADER_WINDOW,
	    NULL, e);
	if (rc == ERR_CORRUPT)
		rc = damaged(id, "the seal of its header does not hold", e);
	if (rc == 0)
		rc = walk_header(&s, id, size - 4 - len, fn, cookie, e);
	sealed_close(&s);
	return (rc);
}

/* ---- writing ---- */

void
pack_done_free(struct pack_done *d)
{

	put_free(d->put);
	d->put = NULL;
	spill_close(&d->list.bytes);
}

int
packer_open(struct packer *pk, struct repo *r, bool dry, struct err *e)
{

	memset(pk, 0, sizeof(*pk));
	pk->r = r;
	pk->dry = dry;
	if ((pk->buf = malloc(PACKER_BUFFER)) == NULL)
		return (err_nomem(e));
	return (0);
}

void
packer_close(struct packer *pk)
{

	put_free(pk->put);
	pk->put = NULL;
	spill_close(&pk->list.bytes);
	free(pk->buf);
	pk->buf = NULL;
}

static int
packer_flush(struct packer *pk, struct err *e)
{
	int rc = 0;

	sha256_update(&pk->sha, pk->buf, pk->len);
	if (pk->put != NULL)
		rc = put_write(pk->put, pk->buf, pk->len, e);
	pk->size += pk->len;
	pk->len = 0;
	return (rc);
}

/* Begin a pack. */
static int
packer_start(struct packer *pk, struct err *e)
{
	int rc;

	rc = spill_open(&pk->list.bytes, pk->r->state->scratch, LIST_WINDOW,
	    e);
	if (rc != 0)
		return (rc);
	pk->list.n = 0;
	pk->size = 0;
	pk->len = 0;
	sha256_begin(&pk->sha);
	if (pk->dry)
		return (0);
	return (store_create(pk->r->store, "data", &pk->put, e));
}

/* Copy bytes that are already sealed, or are no secret, into the buffer. */
static int
packer_append(struct packer *pk, const void *p, size_t len, struct err *e)
{
	int rc;

	if (len > PACKER_BUFFER - pk->len && (rc = packer_flush(pk, e)) != 0)
		return (rc);
	memcpy(pk->buf + pk->len, p, len);
	pk->len += len;
	return (0);
}

/* A blob begins here. */
static int
begin_blob(struct packer *pk, bool revocable, struct err *e)
{
	int rc;

	if (pk->list.bytes.win == NULL && (rc = packer_start(pk, e)) != 0)
		return (rc);
	if (revocable && (rc = packer_flush(pk, e)) != 0)
		return (rc);
	pk->blob_at = packer_size(pk);
	pk->blob_sha = pk->sha;
	return (0);
}

int
packer_begin(struct packer *pk, bool revocable, struct err *e)
{
	uint8_t iv[SEAL_IV];
	int rc;

	if ((rc = begin_blob(pk, revocable, e)) != 0 ||
	    (rc = rand_bytes(iv, sizeof(iv), e)) != 0)
		return (rc);
	seal_begin(&pk->seal, &pk->r->key, iv);
	return (packer_append(pk, iv, sizeof(iv), e));
}

int
packer_room(struct packer *pk, uint8_t **ret, size_t *ret_len, struct err *e)
{
	int rc;

	if (PACKER_BUFFER - pk->len < PACKER_BUFFER / 2 &&
	    (rc = packer_flush(pk, e)) != 0)
		return (rc);
	*ret = pk->buf + pk->len;
	*ret_len = PACKER_BUFFER - pk->len;
	return (0);
}

void
packer_commit(struct packer *pk, size_t len)
{

	seal_update(&pk->seal, pk->buf + pk->len, len);
	pk->len += len;
}

int
packer_plain(struct packer *pk, const uint8_t *p, size_t len, struct err *e)
{
	uint8_t *room;
	size_t n;
	int rc;

	for (; len > 0; p += n, len -= n) {
		if ((rc = packer_room(pk, &room, &n, e)) != 0)
			return (rc);
		if (n > len)
			n = len;
		memcpy(room, p, n);
		packer_commit(pk, n);
	}
	return (0);
}

int
packer_squeeze(struct packer *pk, struct zstd_pack *z, const uint8_t *p,
    size_t len, bool end, struct err *e)
{
	struct span in = { (uint8_t *)(uintptr_t)p, len, 0 }, out;
	uint8_t *room;
	size_t room_len;
	int rc, done;

	do {
		if ((rc = packer_room(pk, &room, &room_len, e)) != 0)
			return (rc);
		out = (struct span){ room, room_len, 0 };
		if ((done = zstd_pack_run(z, &in, &out, end, e)) < 0)
			return (done);
		packer_commit(pk, out.at);
	} while (!done);
	return (0);
}

static int
list_blob(struct packer *pk, const struct pack_entry *x, struct err *e)
{
	uint8_t entry[PACK_ENTRY_MAX];

	pk->list.n++;
	return (spill_push(&pk->list.bytes, entry,
	    pack_entry_encode(x, entry), e));
}

int
packer_end(struct packer *pk, struct pack_entry *x, struct err *e)
{
	uint8_t tag[SEAL_TAG];
	int rc;

	seal_end(&pk->seal, tag);
	if ((rc = packer_append(pk, tag, sizeof(tag), e)) != 0)
		return (rc);
	x->length = (uint32_t)(packer_size(pk) - pk->blob_at);
	return (list_blob(pk, x, e));
}

int
packer_copy_begin(struct packer *pk, bool revocable, struct err *e)
{

	return (begin_blob(pk, revocable, e));
}

int
packer_copy(struct packer *pk, const void *bytes, size_t len, struct err *e)
{
	const uint8_t *p = bytes;
	size_t n;
	int rc;

	for (; len > 0; p += n, len -= n) {
		n = len < PACKER_BUFFER / 2 ? len : PACKER_BUFFER / 2;
		if ((rc = packer_append(pk, p, n, e)) != 0)
			return (rc);
	}
	return (0);
}

int
packer_copy_end(struct packer *pk, const struct pack_entry *x, struct err *e)
{

	if (packer_size(pk) - pk->blob_at != x->length)
		return (err_set(e, ERR_FAIL, "a blob was copied in part"));
	return (list_blob(pk, x, e));
}

int
packer_revoke(struct packer *pk, struct err *e)
{
	int rc = 0;

	if (pk->put != NULL && pk->size > pk->blob_at)
		rc = put_cut(pk->put, pk->blob_at, e);
	pk->size = pk->blob_at;
	pk->len = 0;
	pk->sha = pk->blob_sha;
	return (rc);
}

/* Seal the list of blobs behind the blobs. */
static int
write_header(struct packer *pk, struct err *e)
{
	uint64_t at, end = spill_top(&pk->list.bytes), n;
	uint8_t iv[SEAL_IV], tag[SEAL_TAG], len[4], *p;
	size_t room;
	int rc;

	if ((rc = rand_bytes(iv, sizeof(iv), e)) != 0)
		return (rc);
	seal_begin(&pk->seal, &pk->r->key, iv);
	if ((rc = packer_append(pk, iv, sizeof(iv), e)) != 0)
		return (rc);
	for (at = 0; at < end; at += n) {
		if ((rc = packer_room(pk, &p, &room, e)) != 0)
			return (rc);
		n = end - at < room ? end - at : room;
		rc = spill_read(&pk->list.bytes, at, p, (size_t)n, e);
		if (rc != 0)
			return (rc);
		packer_commit(pk, (size_t)n);
	}
	seal_end(&pk->seal, tag);
	store_le32(len, (uint32_t)end + SEAL_OVERHEAD);
	if ((rc = packer_append(pk, tag, sizeof(tag), e)) != 0 ||
	    (rc = packer_append(pk, len, sizeof(len), e)) != 0)
		return (rc);
	return (packer_flush(pk, e));
}

int
packer_finish(struct packer *pk, struct pack_done *ret, struct err *e)
{
	int rc;

	if ((rc = write_header(pk, e)) != 0)
		return (rc);
	sha256_end(&pk->sha, &ret->id);
	ret->size = pk->size;
	ret->put = pk->put;
	ret->list = pk->list;
	pk->put = NULL;
	memset(&pk->list, 0, sizeof(pk->list));
	pk->size = 0;
	return (0);
}

#include "repo/doc.h"

#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

/* Documents compress by their hex digits alone: a small window does. */
enum { DOC_LEVEL = 1, DOC_WINDOW_LOG = 15 };

#define DOC_MAX ((size_t)CONFIG_DOC_KIB * 1024)
#define COMPRESSED 0x02 /* the first byte of a compressed document */

static int
bad(const char *name, const char *how, struct err *e)
{

	return (err_set(e, ERR_CORRUPT, "%s is damaged: %s", name, how));
}

/* ---- whole documents ---- */

static int
into_buf(void *cookie, const void *p, size_t len, struct err *e)
{

	return (buf_add(cookie, p, len, e));
}

/* Unpack ${len} bytes at ${p} behind the marker byte. */
static int
unpack_small(const char *name, uint8_t *p, size_t len, struct buf *ret,
    struct err *e)
{
	struct span in = { p, len, 0 }, out;
	struct zstd_unpack *z;
	uint8_t *room;
	int rc, done = 0;

	if ((rc = zstd_unpack_new(&z, (size_t)CONFIG_ZSTD_WINDOW_KIB * 1024,
	    e)) != 0)
		return (rc);
	zstd_unpack_begin(z);
	while (!done) {
		if ((rc = buf_room(ret, 4096, &room, e)) != 0)
			goto out;
		out = (struct span){ room, ret->cap - ret->len, 0 };
		if ((done = zstd_unpack_run(z, &in, &out, e)) < 0) {
			rc = done;
			goto out;
		}
		ret->len += out.at;
	}
	if (!zstd_unpack_whole(z))
		rc = err_set(e, ERR_CORRUPT, "the compressed text is cut");

out:
	zstd_unpack_free(z);
	if (rc == ERR_CORRUPT || rc == ERR_LIMIT)
		(void)err_note(e, "%s", name);
	return (rc);
}

static int
open_small(struct repo *r, const char *name, struct buf *sealed,
    struct buf *ret, struct err *e)
{
	uint8_t *text = sealed->p + SEAL_IV;
	size_t len;

	if (!unseal_whole(&r->key, sealed->p, sealed->len))
		return (bad(name, "its seal does not hold", e));
	len = sealed->len - SEAL_OVERHEAD;
	if (len == 0)
		return (bad(name, "it is empty", e));
	if (text[0] == '{' || text[0] == '[')
		return (buf_add(ret, text, len, e));
	if (text[0] != COMPRESSED)
		return (bad(name, "it is of an unknown encoding", e));
	return (unpack_small(name, text + 1, len - 1, ret, e));
}

int
doc_load(struct repo *r, const char *name, const struct id *id,
    struct buf *ret, struct err *e)
{
	struct buf sealed = BUF_INIT(DOC_MAX);
	struct id got;
	int rc;

	buf_reset(ret);
	rc = store_get(r->store, name, 0, UINT64_MAX, into_buf, &sealed, e);
	if (rc != 0) {
		if (rc == ERR_LIMIT)
			(void)err_note(e, "%s", name);
		goto out;
	}
	if (id != NULL) {
		sha256(sealed.p, sealed.len, &got);
		if (!id_eq(&got, id)) {
			rc = bad(name, sealed.len == 0 ? "it is empty" :
			    "its bytes do not hash to its name", e);
			goto out;
		}
	}
	rc = open_small(r, name, &sealed, ret, e);

out:
	buf_free(&sealed);
	return (rc);
}

int
doc_seal(struct repo *r, const void *p, size_t len, struct buf *ret,
    struct id *ret_id, struct err *e)
{
	uint8_t iv[SEAL_IV], *to;
	int rc;

	buf_reset(ret);
	if ((rc = rand_bytes(iv, sizeof(iv), e)) != 0 ||
	    (rc = buf_room(ret, len + SEAL_OVERHEAD, &to, e)) != 0)
		return (rc);
	seal_whole(&r->key, iv, p, len, to);
	ret->len = len + SEAL_OVERHEAD;
	sha256(ret->p, ret->len, ret_id);
	return (0);
}

int
doc_store(struct repo *r, enum repo_kind kind, const struct id *id,
    const struct buf *sealed, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct put *put;
	int rc;

	if ((rc = store_create(r->store, repo_folder(kind), &put, e)) != 0)
		return (rc);
	if ((rc = put_write(put, sealed->p, sealed->len, e)) == 0)
		rc = put_publish(put, repo_name(kind, id, name), 0, e);
	put_free(put);
	return (rc);
}

/* ---- reading streams ---- */

/* Open the next piece of it. */
static int
open_part(struct doc_reader *d, struct err *e)
{
	size_t n;
	int rc;

	rc = sealed_next(&d->sealed, d->part, sizeof(d->part), &n, e);
	d->in = (struct span){ d->part, n, 0 };
	return (rc);
}

/* Which encoding? Look at the first byte and be ready to give the text. */
static int
open_text(struct doc_reader *d, const char *name, struct err *e)
{
	int rc;

	if ((rc = open_part(d, e)) != 0)
		return (rc);
	if (d->in.len == 0)
		return (bad(name, "it is empty", e));
	if (d->part[0] == '{' || d->part[0] == '[')
		return (0);
	if (d->part[0] != COMPRESSED)
		return (bad(name, "it is of an unknown encoding", e));
	d->in.at = 1;
	rc = zstd_unpack_new(&d->z, (size_t)CONFIG_ZSTD_WINDOW_KIB * 1024, e);
	if (rc == 0)
		zstd_unpack_begin(d->z);
	return (rc);
}

int
doc_open(struct doc_reader *d, struct repo *r, enum repo_kind kind,
    const struct id *id, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct id got;
	int rc;

	d->z = NULL;
	repo_name(kind, id, name);
	rc = sealed_fetch(&d->sealed, r, name, 0, UINT64_MAX,
	    (size_t)CONFIG_SPILL_KIB * 1024, &got, e);
	if (rc != 0)
		return (rc);
	if (!id_eq(&got, id))
		return (bad(name, "its bytes do not hash to its name", e));
	return (open_text(d, name, e));
}

int
doc_fill(void *cookie, uint8_t *p, size_t cap, size_t *ret, struct err *e)
{
	struct doc_reader *d = cookie;
	struct span out = { p, cap, 0 };
	size_t n;
	int rc;

	for (;;) {
		if (d->z != NULL) {
			rc = zstd_unpack_run(d->z, &d->in, &out, e);
			if (rc < 0)
				return (rc);
		} else {
			n = d->in.len - d->in.at;
			if (n > cap)
				n = cap;
			memcpy(p, d->in.p + d->in.at, n);
			d->in.at += n;
			out.at = n;
		}
		if (out.at > 0)
			break;
		if ((rc = open_part(d, e)) != 0)
			return (rc);
		if (d->in.len == 0) {
			if (d->z != NULL && !zstd_unpack_whole(d->z))
				return (err_set(e, ERR_CORRUPT,
				    "the compressed text is cut"));
			break;
		}
	}
	*ret = out.at;
	return (0);
}

void
doc_close(struct doc_reader *d)
{

	sealed_close(&d->sealed);
	zstd_unpack_free(d->z);
	d->z = NULL;
}

/* ---- writing streams ---- */

/* Seal, hash and write what waits. */
static int
writer_flush(struct doc_writer *w, struct err *e)
{
	int rc;

	seal_update(&w->seal, w->out, w->len);
	sha256_update(&w->sha, w->out, w->len);
	rc = put_write(w->put, w->out, w->len, e);
	w->len = 0;
	return (rc);
}

int
doc_begin(struct doc_writer *w, struct repo *r, enum repo_kind kind,
    struct err *e)
{
	uint8_t iv[SEAL_IV];
	int rc;

	memset(w, 0, sizeof(*w));
	w->r = r;
	w->kind = kind;
	if ((rc = rand_bytes(iv, sizeof(iv), e)) != 0 ||
	    (rc = store_create(r->store, repo_folder(kind), &w->put, e)) != 0)
		return (rc);
	sha256_begin(&w->sha);
	sha256_update(&w->sha, iv, sizeof(iv));
	seal_begin(&w->seal, &r->key, iv);
	if ((rc = put_write(w->put, iv, sizeof(iv), e)) != 0)
		return (rc);
	if (r->version == 1)
		return (0);
	rc = zstd_pack_new(&w->z, DOC_LEVEL, DOC_WINDOW_LOG, e);
	if (rc != 0)
		return (rc);
	zstd_pack_begin(w->z, UINT64_MAX);
	w->out[w->len++] = COMPRESSED;
	return (0);
}

/* Push ${in} through the compressor; with ${end} finish the frame. */
static int
writer_pack(struct doc_writer *w, struct span *in, bool end, struct err *e)
{
	struct span out;
	int done, rc;

	do {
		out = (struct span){ w->out, sizeof(w->out), w->len };
		if ((done = zstd_pack_run(w->z, in, &out, end, e)) < 0)
			return (done);
		w->len = out.at;
		if (w->len == sizeof(w->out) &&
		    (rc = writer_flush(w, e)) != 0)
			return (rc);
	} while (!done);
	return (0);
}

int
doc_write(struct doc_writer *w, const void *p, size_t len, struct err *e)
{
	struct span in = { (uint8_t *)(uintptr_t)p, len, 0 };
	size_t n;
	int rc;

	if (w->z != NULL)
		return (writer_pack(w, &in, false, e));
	for (; in.at < len; in.at += n) {
		n = sizeof(w->out) - w->len;
		if (n > len - in.at)
			n = len - in.at;
		memcpy(w->out + w->len, in.p + in.at, n);
		w->len += n;
		if (w->len == sizeof(w->out) &&
		    (rc = writer_flush(w, e)) != 0)
			return (rc);
	}
	return (0);
}

int
doc_end(struct doc_writer *w, struct id *ret, struct err *e)
{
	struct span nothing = { NULL, 0, 0 };
	char name[STORE_NAME_MAX];
	uint8_t tag[SEAL_TAG];
	int rc;

	if (w->z != NULL && (rc = writer_pack(w, &nothing, true, e)) != 0)
		return (rc);
	if ((rc = writer_flush(w, e)) != 0)
		return (rc);
	seal_end(&w->seal, tag);
	sha256_update(&w->sha, tag, sizeof(tag));
	if ((rc = put_write(w->put, tag, sizeof(tag), e)) != 0)
		return (rc);
	sha256_end(&w->sha, ret);
	return (put_publish(w->put, repo_name(w->kind, ret, name), 0, e));
}

void
doc_free(struct doc_writer *w)
{

	put_free(w->put);
	w->put = NULL;
	zstd_pack_free(w->z);
	w->z = NULL;
}

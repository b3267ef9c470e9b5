#include "repo/blob.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "repo/sealed.h"

enum {
	OUT = 65536,
	LARGE_WINDOW = 65536, /* of a blob that goes through a scratch file */
};

int
blob_reader_open(struct blob_reader *br, struct repo *r, struct err *e)
{
	int rc;

	br->r = r;
	br->z = NULL;
	if ((br->out = malloc(OUT)) == NULL)
		return (err_nomem(e));
	rc = zstd_unpack_new(&br->z, (size_t)CONFIG_ZSTD_WINDOW_KIB * 1024, e);
	if (rc != 0)
		blob_reader_close(br);
	return (rc);
}

void
blob_reader_close(struct blob_reader *br)
{

	zstd_unpack_free(br->z);
	br->z = NULL;
	free(br->out);
	br->out = NULL;
}

/* ---- the fetched bytes, wherever they are held ---- */

/* Ciphertext in slabs or, when it is too large, on a spill stack. */
struct held {
	struct blob_reader *br;
	bool in_slabs;
	struct chunk chunk;  /* the whole envelope */
	struct chunk_walk fill;
	uint8_t *room;       /* of the slab being filled */
	size_t room_len;
	struct seal seal;
	struct sealed sealed;
};

static int
into_slabs(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct held *h = cookie;
	const uint8_t *p = bytes;
	size_t n;

	while (len > 0) {
		if (h->room_len == 0 &&
		    !chunk_next(&h->fill, &h->room, &h->room_len))
			return (err_set(e, ERR_FAIL, "a store sent too much"));
		n = len < h->room_len ? len : h->room_len;
		memcpy(h->room, p, n);
		h->room += n;
		h->room_len -= n;
		p += n;
		len -= n;
	}
	return (0);
}

/* The envelope's ciphertext, in the slabs: behind the IV, before the tag. */
static struct chunk
body_of(const struct held *h)
{
	struct chunk c = h->chunk;

	c.off += SEAL_IV;	/* slabs are filled from 0: no overflow */
	c.len -= SEAL_OVERHEAD;
	return (c);
}

/* Copy the last 16 bytes of the envelope, which may lie across two slabs. */
static void
copy_tag(const struct held *h, uint8_t tag[SEAL_TAG])
{
	struct chunk_walk w = chunk_walk(&h->br->r->pool, &h->chunk);
	uint32_t at = 0, from = h->chunk.len - SEAL_TAG, i;
	uint8_t *p;
	size_t n;

	while (chunk_next(&w, &p, &n)) {
		for (i = from > at ? from - at : 0; i < n; i++)
			tag[at + i - from] = p[i];
		at += (uint32_t)n;
	}
}

/* Check the tag of what lies in the slabs, then decrypt it there. */
static int
unseal_slabs(struct held *h, struct err *e)
{
	struct repo *r = h->br->r;
	uint8_t tag[SEAL_TAG], *p;
	struct chunk_walk w;
	struct chunk body;
	size_t n;

	unseal_begin(&h->seal, &r->key, slab_data(&r->pool, h->chunk.slab));
	body = body_of(h);
	for (w = chunk_walk(&r->pool, &body); chunk_next(&w, &p, &n);)
		unseal_mac(&h->seal, p, n);
	copy_tag(h, tag);
	if (!unseal_check(&h->seal, tag))
		return (err_set(e, ERR_CORRUPT, "its seal does not hold"));
	for (w = chunk_walk(&r->pool, &body); chunk_next(&w, &p, &n);)
		unseal_run(&h->seal, p, n);
	return (0);
}

/* Fetch ${len} bytes, check the tag, and be ready to give the inner bytes. */
static int
hold(struct held *h, struct blob_reader *br, const char *name,
    uint32_t offset, uint32_t len, struct err *e)
{
	struct repo *r = br->r;
	int rc;

	memset(h, 0, sizeof(*h));
	h->br = br;
	h->in_slabs = len <= slab_pool_max(&r->pool);
	if (!h->in_slabs) {
		rc = sealed_fetch(&h->sealed, r, name, offset, len,
		    LARGE_WINDOW, NULL, e);
		return (rc == ERR_CORRUPT ? err_set(e, ERR_CORRUPT,
		    "its seal does not hold") : rc);
	}
	if ((rc = slab_get_chunk(&r->pool, len, &h->chunk, e)) != 0)
		return (rc);
	h->fill = chunk_walk(&r->pool, &h->chunk);
	rc = store_get(r->store, name, offset, len, into_slabs, h, e);
	return (rc != 0 ? rc : unseal_slabs(h, e));
}

static void
let_go(struct held *h)
{

	if (h->in_slabs)
		chunk_free(&h->br->r->pool, &h->chunk);
	else
		sealed_close(&h->sealed);
}

/* Sends the inner bytes (decrypted, maybe compressed) in pieces. */
static int
each_piece(struct held *h, store_sink *fn, void *cookie, struct err *e)
{
	struct chunk body;
	struct chunk_walk w;
	uint8_t part[16384], *p;
	size_t n;
	int rc;

	if (!h->in_slabs) {
		for (;;) {
			rc = sealed_next(&h->sealed, part, sizeof(part), &n,
			    e);
			if (rc != 0 || n == 0 ||
			    (rc = fn(cookie, part, n, e)) != 0)
				return (rc);
		}
	}
	body = body_of(h);
	for (w = chunk_walk(&h->br->r->pool, &body); chunk_next(&w, &p, &n);)
		if ((rc = fn(cookie, p, n, e)) != 0)
			return (rc);
	return (0);
}

/* ---- from inner bytes to plain bytes ---- */

struct opening {
	struct blob_reader *br;
	store_sink *fn;
	void *cookie;
	struct sha256 sha;
	uint64_t plain;      /* bytes so far */
	uint64_t max;        /* and how many there must be */
	int scratch;         /* where compressed bytes are gathered, or -1 */
	uint64_t gathered;
};

static int
plain_piece(void *cookie, const void *p, size_t len, struct err *e)
{
	struct opening *o = cookie;

	if (len > o->max - o->plain)
		return (err_set(e, ERR_CORRUPT, "it is longer than the index "
		    "says"));
	o->plain += len;
	sha256_update(&o->sha, p, len);
	return (o->fn(o->cookie, p, len, e));
}

static int
packed_piece(void *cookie, const void *p, size_t len, struct err *e)
{
	struct opening *o = cookie;
	struct span in = { (uint8_t *)(uintptr_t)p, len, 0 }, out;
	int done, rc;

	do {
		out = (struct span){ o->br->out, OUT, 0 };
		done = zstd_unpack_run(o->br->z, &in, &out, e);
		if (done < 0)
			return (done);
		if (out.at > 0 &&
		    (rc = plain_piece(o, out.p, out.at, e)) != 0)
			return (rc);
	} while (!done);
	return (0);
}

static int
gather_piece(void *cookie, const void *p, size_t len, struct err *e)
{
	struct opening *o = cookie;
	int rc;

	rc = file_pwrite(o->scratch, p, len, o->gathered, "a scratch file", e);
	o->gathered += len;
	return (rc);
}

/* A scratch file for all that the blob should be, mapped to be written. */
static int
map_plain(struct opening *o, int fd, void **ret, struct err *e)
{
	int rc;

	*ret = MAP_FAILED;
	rc = file_reserve(fd, o->max, "a scratch file", e);
	if (rc == ERR_SPACE)	/* it is this blob that asks for so much */
		return (err_set(e, ERR_LIMIT, "its zstd window is too large "
		    "for memory, and the state folder has no room for it"));
	if (rc != 0)
		return (rc);
	*ret = mmap(NULL, (size_t)o->max, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	return (*ret != MAP_FAILED ? 0 : err_set(e, ERR_LIMIT, "its zstd "
	    "window is too large for memory, and it for a map"));
}

/* It must be able to become what the index says, before room is made for that. */
static int
can_be(const struct opening *o, const void *in, struct err *e)
{
	uint64_t most;
	int rc;

	if ((rc = zstd_unpack_most(in, (size_t)o->gathered, &most, e)) != 0 ||
	    most >= o->max)
		return (rc);
	return (err_set(e, ERR_CORRUPT, "it is shorter than the index says"));
}

/*
 * Another writer's frame, whose window is larger than this build keeps in
 * memory: unpack from a mapped scratch file into another one.
 */
static int
unpack_mapped(struct held *h, struct opening *o, struct err *e)
{
	const char *dir = o->br->r->state->scratch;
	void *in = MAP_FAILED, *out = MAP_FAILED;
	size_t got = 0;
	int fd = -1, rc;

	if ((rc = file_scratch(dir, &o->scratch, e)) != 0)
		return (rc);
	if ((rc = each_piece(h, gather_piece, o, e)) != 0 ||
	    (rc = file_scratch(dir, &fd, e)) != 0)
		goto done;
	in = mmap(NULL, (size_t)o->gathered, PROT_READ, MAP_SHARED,
	    o->scratch, 0);
	if (in == MAP_FAILED) {
		rc = err_sys(e, "cannot map a scratch file");
		goto done;
	}
	if ((rc = can_be(o, in, e)) != 0 ||
	    (rc = map_plain(o, fd, &out, e)) != 0)
		goto done;
	rc = zstd_unpack_once(out, (size_t)o->max, in, (size_t)o->gathered,
	    &got, e);
	if (rc == 0)
		rc = plain_piece(o, out, got, e);

done:
	if (in != MAP_FAILED)
		(void)munmap(in, (size_t)o->gathered);
	if (out != MAP_FAILED)
		(void)munmap(out, (size_t)o->max);
	if (fd != -1)
		(void)close(fd);
	(void)close(o->scratch);
	return (rc);
}

static int
open_held(struct held *h, struct opening *o, bool packed, struct err *e)
{
	int rc;

	if (!packed)
		return (each_piece(h, plain_piece, o, e));
	zstd_unpack_begin(o->br->z);
	rc = each_piece(h, packed_piece, o, e);
	if (rc == ERR_LIMIT && o->plain == 0 && h->in_slabs)
		return (unpack_mapped(h, o, e));
	if (rc == 0 && !zstd_unpack_whole(o->br->z))
		rc = err_set(e, ERR_CORRUPT, "its compressed text is cut");
	return (rc);
}

/* From held ciphertext that is proven to the plain bytes, and their hash. */
static int
open_blob(struct held *h, const struct pack_entry *x, store_sink *fn,
    void *cookie, struct err *e)
{
	struct opening o = { .br = h->br, .fn = fn, .cookie = cookie };
	struct id got;
	int rc;

	o.max = x->plain != 0 ? x->plain : x->length - SEAL_OVERHEAD;
	sha256_begin(&o.sha);
	if ((rc = open_held(h, &o, x->plain != 0, e)) != 0)
		return (rc);
	sha256_end(&o.sha, &got);
	if (!id_eq(&got, &x->id))
		return (err_set(e, ERR_CORRUPT,
		    "its bytes do not hash to its id"));
	/* Right bytes, but what follows in the file was placed by the lie. */
	if (o.plain < o.max)
		return (err_set(e, ERR_CORRUPT,
		    "it is shorter than the index says"));
	return (0);
}

static int
too_short(const struct pack_entry *x, struct err *e)
{

	if (x->length >= SEAL_OVERHEAD)
		return (0);
	return (err_set(e, ERR_CORRUPT, "it is shorter than any"));
}

static int
blame(int rc, const struct pack_entry *x, const char *name, uint32_t offset,
    struct err *e)
{
	char hex[ID_HEX + 1];

	if (rc == ERR_CORRUPT || rc == ERR_LIMIT)
		(void)err_note(e, "blob %.16s in %s at %u",
		    id_hex(&x->id, hex), name, offset);
	return (rc);
}

int
blob_read_from(struct blob_reader *br, const char *name, uint32_t offset,
    const struct pack_entry *x, store_sink *fn, void *cookie, struct err *e)
{
	struct held h;
	int rc;

	if ((rc = too_short(x, e)) == 0) {
		if ((rc = hold(&h, br, name, offset, x->length, e)) == 0)
			rc = open_blob(&h, x, fn, cookie, e);
		let_go(&h);
	}
	return (blame(rc, x, name, offset, e));
}

int
blob_open(struct blob_reader *br, const struct chunk *c,
    const struct pack_entry *x, const char *name, uint32_t offset,
    store_sink *fn, void *cookie, struct err *e)
{
	struct held h = { .br = br, .in_slabs = true, .chunk = *c };
	int rc;

	if ((rc = too_short(x, e)) == 0 && (rc = unseal_slabs(&h, e)) == 0)
		rc = open_blob(&h, x, fn, cookie, e);
	return (blame(rc, x, name, offset, e));
}

/* A blob that may be had from several places. */
struct wanted {
	struct blob_reader *br;
	const struct id *id;
	const struct where *first; /* where it was looked for before */
	store_sink *fn;
	void *cookie;
	bool sent;           /* a byte: then it is too late for another place */
};

static int
pass_on(void *cookie, const void *p, size_t len, struct err *e)
{
	struct wanted *w = cookie;

	w->sent = true;
	return (w->fn(w->cookie, p, len, e));
}

static int
read_place(struct wanted *w, const struct where *at, struct err *e)
{
	struct pack_entry x = { *w->id, at->type, at->length, at->plain };
	char name[STORE_NAME_MAX];
	struct pack_info pack;
	int rc;

	if ((rc = blobmap_pack(w->br->r->map, at->pack, &pack, e)) != 0)
		return (rc);
	repo_name(REPO_PACK, &pack.id, name);
	rc = blob_read_from(w->br, name, at->offset, &x, pass_on, w, e);
	if (rc == ERR_ABSENT)
		rc = err_set(e, ERR_CORRUPT, "%s is missing", name);
	return (rc);
}

/* Damage, and nobody has seen a byte yet? */
static bool
can_go_on(const struct wanted *w, int rc)
{

	return ((rc == ERR_CORRUPT || rc == ERR_LIMIT) && !w->sent);
}

/* 1: it was read here; 0: look on; or ERR_*. */
static int
other_place(void *cookie, const struct where *at, struct err *e)
{
	struct wanted *w = cookie;
	int rc;

	if ((at->pack == w->first->pack && at->offset == w->first->offset) ||
	    where_plain(at) != where_plain(w->first))
		return (0);
	if ((rc = read_place(w, at, e)) == 0)
		return (1);
	return (can_go_on(w, rc) ? 0 : rc);
}

int
blob_read_at(struct blob_reader *br, const struct id *id,
    const struct where *at, store_sink *fn, void *cookie, struct err *e)
{
	struct wanted w = { br, id, at, fn, cookie, false };
	struct err why = ERR_INIT;
	int rc, other;

	rc = read_place(&w, at, e);
	if (!can_go_on(&w, rc))
		return (rc);
	other = blobmap_places(br->r->map, at->type, id, other_place, &w,
	    &why);
	if (other < 0)
		*e = why;
	if (other <= 0)
		return (other < 0 ? other : rc);
	log_warn("%s; it is read from another place", e->text);
	return (0);
}

int
blob_unknown(const char *what, const struct id *id, struct err *e)
{
	char hex[ID_HEX + 1];

	(void)err_set(e, ERR_ABSENT, "no index file names the %s %s", what,
	    id_hex(id, hex));
	(void)err_hint(e, "'garner repair index' looks into packs that no index "
	    "file names");
	return (ERR_ABSENT);
}

int
blob_read(struct blob_reader *br, enum blob_type type, const struct id *id,
    store_sink *fn, void *cookie, struct err *e)
{
	struct where at;
	int rc;

	rc = blobmap_find(br->r->map, type, id, true, &at, NULL, e);
	if (rc < 0)
		return (rc);
	if (rc == 0)
		return (blob_unknown(type == BLOB_TREE ? "tree blob" :
		    "data blob", id, e));
	return (blob_read_at(br, id, &at, fn, cookie, e));
}

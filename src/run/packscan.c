#include "run/packscan.h"

#include <string.h>

#include "crypto/sha256.h"

enum { LIST_WINDOW = 16384 };

struct scan {
	struct blob_reader *br;
	struct repo *r;
	const struct id *id;
	char name[STORE_NAME_MAX];
	struct pack_list list; /* the header's entries */
	uint64_t list_at;
	uint64_t sum;        /* over them, as in the index */
	bool mixed_up;       /* told that the index says otherwise */
	packscan_defect *fn;
	void *cookie;
	struct packscan_stats *stats;
	struct sha256 sha;   /* of the file */

	/* the blob whose bytes come in now */
	struct pack_entry x;
	bool have;           /* there is one; else we are in the header */
	uint32_t offset;     /* where it begins */
	uint32_t got;        /* bytes of it so far */
	bool in_slabs;
	struct chunk chunk;
	struct chunk_walk walk;
	uint8_t *room;
	size_t room_len;
};

static void
defect(struct scan *s, const char *how)
{
	struct err why = ERR_INIT;

	(void)err_set(&why, ERR_CORRUPT, "%s is damaged: %s", s->name, how);
	s->fn(s->cookie, &why);
}

/* ---- the header ---- */

static int
note_entry(void *cookie, const struct pack_entry *x, uint32_t offset,
    struct err *e)
{
	struct record r = { x->id, { 0, offset, x->length, x->plain,
	    x->type } };
	uint8_t entry[PACK_ENTRY_MAX];
	struct scan *s = cookie;

	s->sum += pack_sum(&r);
	s->list.n++;
	return (spill_push(&s->list.bytes, entry, pack_entry_encode(x, entry),
	    e));
}

/* Read the header; 1 it is whole, 0 it is not (told), or ERR_*. */
static int
read_header(struct scan *s, uint64_t size, const struct pack_info *expect,
    struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	rc = pack_header(s->r, s->id, size, note_entry, s, &why);
	if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	}
	if (rc != 0) {
		s->fn(s->cookie, &why);
		return (0);
	}
	if (expect != NULL && (s->list.n != expect->blobs ||
	    s->sum != expect->sum))
		defect(s, "its header and the index do not name the same "
		    "blobs");
	return (1);
}

/* ---- the blobs ---- */

static int
drop_bytes(void *cookie, const void *p, size_t len, struct err *e)
{

	(void)cookie;
	(void)p;
	(void)len;
	(void)e;
	return (0);
}

/* The next entry of the header becomes the present blob. */
static int
next_blob(struct scan *s, struct err *e)
{
	uint32_t end = s->offset + (s->have ? s->x.length : 0);
	int rc;

	rc = pack_list_next(&s->list, &s->list_at, &s->x, e);
	if (rc < 0)
		return (rc);
	s->have = rc > 0;
	s->offset = end;
	s->got = 0;
	s->in_slabs = false;
	if (!s->have || s->x.length > slab_pool_max(&s->r->pool))
		return (0);
	rc = slab_get_chunk(&s->r->pool, s->x.length, &s->chunk, e);
	if (rc != 0)
		return (rc);
	s->in_slabs = true;
	s->walk = chunk_walk(&s->r->pool, &s->chunk);
	s->room_len = 0;
	return (0);
}

/* All its bytes are here. */
static int
prove_blob(struct scan *s, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	if (s->in_slabs) {
		rc = blob_open(s->br, &s->chunk, &s->x, s->name, s->offset,
		    drop_bytes, NULL, &why);
		chunk_free(&s->r->pool, &s->chunk);
		s->in_slabs = false;
	} else {	/* too large to be held: once more, through a file */
		rc = blob_read_from(s->br, s->name, s->offset, &s->x,
		    drop_bytes, NULL, &why);
	}
	s->stats->blobs++;
	if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	}
	if (rc != 0)
		s->fn(s->cookie, &why);
	return (0);
}

static void
keep_bytes(struct scan *s, const uint8_t *p, size_t len)
{
	size_t n;

	while (len > 0) {
		if (s->room_len == 0 &&
		    !chunk_next(&s->walk, &s->room, &s->room_len))
			return;
		n = len < s->room_len ? len : s->room_len;
		memcpy(s->room, p, n);
		s->room += n;
		s->room_len -= n;
		p += n;
		len -= n;
	}
}

/* The file's bytes, in order. */
static int
take(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct scan *s = cookie;
	const uint8_t *p = bytes;
	uint32_t n;
	int rc;

	sha256_update(&s->sha, p, len);
	s->stats->bytes += len;
	while (len > 0 && s->have) {
		n = s->x.length - s->got;
		if (n > len)
			n = (uint32_t)len;
		if (s->in_slabs)
			keep_bytes(s, p, n);
		s->got += n;
		p += n;
		len -= n;
		if (s->got == s->x.length && ((rc = prove_blob(s, e)) != 0 ||
		    (rc = next_blob(s, e)) != 0))
			return (rc);
	}
	return (repo_stopped(s->r, e));
}

static int
read_file(struct scan *s, struct err *e)
{
	struct err why = ERR_INIT;
	struct id got;
	int rc;

	sha256_begin(&s->sha);
	if ((rc = next_blob(s, e)) != 0)
		return (rc);
	rc = store_get(s->r->store, s->name, 0, UINT64_MAX, take, s, &why);
	if (s->in_slabs)
		chunk_free(&s->r->pool, &s->chunk);
	if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	}
	if (rc != 0) {
		s->fn(s->cookie, &why);
		return (0);
	}
	sha256_end(&s->sha, &got);
	if (!id_eq(&got, s->id))
		defect(s, "its bytes do not hash to its name");
	return (0);
}

int
packscan(struct blob_reader *br, const struct id *id, uint64_t size,
    const struct pack_info *expect, packscan_defect *fn, void *cookie,
    struct packscan_stats *stats, struct err *e)
{
	struct scan s = { .br = br, .r = br->r, .id = id, .fn = fn,
	    .cookie = cookie, .stats = stats };
	int rc;

	repo_name(REPO_PACK, id, s.name);
	rc = spill_open(&s.list.bytes, br->r->state->scratch, LIST_WINDOW, e);
	if (rc != 0)
		return (rc);
	rc = read_header(&s, size, expect, e);
	if (rc == 0) {	/* without its list: the hash of the file at least */
		spill_cut(&s.list.bytes, 0);
		s.list.n = 0;
	}
	if (rc >= 0)
		rc = read_file(&s, e);
	spill_close(&s.list.bytes);
	return (rc);
}

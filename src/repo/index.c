#include "repo/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/thread.h"
#include "repo/doc.h"
#include "repo/lock.h"

enum {
	WINDOW = 32768,
	STRING_MAX = 1024,
	PACKS_WINDOW = 65536,
	PACK_HEAD = ID_LEN + 4, /* id, u32 blobs */
	OFFSET_LEN = 4,
};

/* ---- reading ---- */

/* One index file being read. */
struct parsing {
	struct repo *r;
	const struct index_events *ev;
	void *cookie;
	struct json_reader json;
	uint8_t window[WINDOW];
	char string[STRING_MAX];
};

static int
bad_at(const struct json_token *t, const char *how, struct err *e)
{

	return (err_set(e, ERR_CORRUPT, "line %u, column %u: %s", t->line,
	    t->column, how));
}

static int
read_id(struct parsing *p, struct id *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(&p->json, JSON_STRING, &t, e)) != 0)
		return (rc);
	if (!id_parse(ret, t.text, t.len))
		return (bad_at(&t, "not an id of 64 hex digits", e));
	return (0);
}

static int
read_u32(struct parsing *p, uint32_t *ret, struct err *e)
{
	struct json_token t;
	uint64_t v;
	int rc;

	if ((rc = json_expect(&p->json, JSON_NUMBER, &t, e)) != 0)
		return (rc);
	if (!json_u64(&t, &v) || v > UINT32_MAX)
		return (bad_at(&t, "not a whole number below 2^32", e));
	*ret = (uint32_t)v;
	return (0);
}

static int
read_type(struct parsing *p, enum blob_type *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(&p->json, JSON_STRING, &t, e)) != 0)
		return (rc);
	if (json_is(&t, "data"))
		*ret = BLOB_DATA;
	else if (json_is(&t, "tree"))
		*ret = BLOB_TREE;
	else
		return (bad_at(&t, "a blob is neither data nor tree", e));
	return (0);
}

enum { SEEN_ID = 1, SEEN_TYPE = 2, SEEN_OFFSET = 4, SEEN_LENGTH = 8 };

/* One blob; its opening brace is read. */
static int
read_blob(struct parsing *p, struct err *e)
{
	struct pack_entry x = { .type = BLOB_DATA };
	struct json_token t;
	uint32_t offset = 0;
	unsigned seen = 0;
	int rc;

	for (;;) {
		if ((rc = json_next(&p->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			break;
		if (json_is(&t, "id")) {
			rc = read_id(p, &x.id, e);
			seen |= SEEN_ID;
		} else if (json_is(&t, "type")) {
			rc = read_type(p, &x.type, e);
			seen |= SEEN_TYPE;
		} else if (json_is(&t, "offset")) {
			rc = read_u32(p, &offset, e);
			seen |= SEEN_OFFSET;
		} else if (json_is(&t, "length")) {
			rc = read_u32(p, &x.length, e);
			seen |= SEEN_LENGTH;
		} else if (json_is(&t, "uncompressed_length")) {
			rc = read_u32(p, &x.plain, e);
		} else {
			rc = json_skip(&p->json, e);
		}
		if (rc != 0)
			return (rc);
	}
	if (seen != (SEEN_ID | SEEN_TYPE | SEEN_OFFSET | SEEN_LENGTH))
		return (bad_at(&t, "a blob without id, type, offset or length",
		    e));
	if (x.length < SEAL_OVERHEAD || offset > UINT32_MAX - x.length)
		return (bad_at(&t, "a blob with an impossible place", e));
	if (x.plain != 0 && p->r->version == 1)
		return (bad_at(&t, "a compressed blob in a repository of "
		    "version 1", e));
	return (p->ev->blob(p->cookie, &x, offset, e));
}

/* The list of a pack's blobs; ${*ret} counts them. */
static int
read_blobs(struct parsing *p, uint64_t *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_next(&p->json, &t, e)) != 0)
		return (rc);
	if (t.kind == JSON_NULL)
		return (0);
	if (t.kind != JSON_ARRAY)
		return (bad_at(&t, "expected a list of blobs", e));
	for (;;) {
		if ((rc = json_next(&p->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_ARRAY_END)
			return (0);
		if (t.kind != JSON_OBJECT)
			return (bad_at(&t, "expected a blob", e));
		if (++*ret == 1 &&
		    (rc = p->ev->pack_begin(p->cookie, e)) != 0)
			return (rc);
		if ((rc = read_blob(p, e)) != 0)
			return (rc);
	}
}

/* One pack; its opening brace is read. */
static int
read_pack(struct parsing *p, struct err *e)
{
	struct json_token t;
	bool named = false;
	uint64_t n = 0;
	struct id id;
	int rc;

	for (;;) {
		if ((rc = json_next(&p->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			break;
		if (json_is(&t, "id")) {
			rc = read_id(p, &id, e);
			named = true;
		} else if (json_is(&t, "blobs")) {
			rc = read_blobs(p, &n, e);
		} else {
			rc = json_skip(&p->json, e);
		}
		if (rc != 0)
			return (rc);
	}
	if (n == 0)
		return (0);
	if (!named)
		return (bad_at(&t, "a pack without an id", e));
	return (p->ev->pack_end(p->cookie, &id, e));
}

static int
read_packs(struct parsing *p, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_next(&p->json, &t, e)) != 0)
		return (rc);
	if (t.kind == JSON_NULL)
		return (0);
	if (t.kind != JSON_ARRAY)
		return (bad_at(&t, "expected a list of packs", e));
	for (;;) {
		if ((rc = json_next(&p->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_ARRAY_END)
			return (0);
		if (t.kind != JSON_OBJECT)
			return (bad_at(&t, "expected a pack", e));
		if ((rc = read_pack(p, e)) != 0)
			return (rc);
	}
}

static int
read_document(struct parsing *p, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(&p->json, JSON_OBJECT, &t, e)) != 0)
		return (rc);
	for (;;) {
		if ((rc = json_next(&p->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			break;
		rc = json_is(&t, "packs") ? read_packs(p, e) :
		    json_skip(&p->json, e);
		if (rc != 0)
			return (rc);
	}
	return (json_expect(&p->json, JSON_END, &t, e));
}

int
index_parse(struct repo *r, const struct id *id,
    const struct index_events *ev, void *cookie, struct err *e)
{
	char hex[ID_HEX + 1];
	struct doc_reader *d;
	struct parsing *p;
	int rc;

	d = calloc(1, sizeof(*d));
	p = calloc(1, sizeof(*p));
	if (d == NULL || p == NULL) {
		rc = err_nomem(e);
		goto out;
	}
	p->r = r;
	p->ev = ev;
	p->cookie = cookie;
	if ((rc = doc_open(d, r, REPO_INDEX, id, e)) == 0) {
		json_begin(&p->json, p->window, WINDOW, p->string, STRING_MAX,
		    doc_fill, d);
		rc = read_document(p, e);
		if (rc == ERR_CORRUPT)
			(void)err_note(e, "index/%s is damaged",
			    id_hex(id, hex));
	}
	doc_close(d);

out:
	free(d);
	free(p);
	return (rc);
}

/* ---- loading the map ---- */

static int
map_pack_begin(void *cookie, struct err *e)
{
	struct repo *r = cookie;

	return (blobmap_pack_begin(r->map, e));
}

static int
map_blob(void *cookie, const struct pack_entry *x, uint32_t offset,
    struct err *e)
{
	struct repo *r = cookie;
	struct record rec = { x->id, { 0, offset, x->length, x->plain,
	    x->type } };

	return (blobmap_blob(r->map, &rec, e));
}

static int
map_pack_end(void *cookie, const struct id *id, struct err *e)
{
	struct repo *r = cookie;
	int rc;

	blobmap_pack_id(r->map, id);
	if ((rc = blobmap_pack_end(r->map, e)) != 0)
		return (rc);
	return (repo_stopped(r, e));
}

static const struct index_events map_events = {
	.pack_begin = map_pack_begin,
	.blob = map_blob,
	.pack_end = map_pack_end,
};

static int
offer(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct repo *r = cookie;

	(void)size;
	return (blobmap_offer(r->map, id, e));
}

/* What to do about an index file that is damaged. */
enum damage { DAMAGE_ENDS, DAMAGE_ADOPTS, DAMAGE_SKIPS };

/* Load what the map lacks; ${*ret_bad} counts the files that are damaged. */
static int
load_missing(struct repo *r, enum damage damage, unsigned *ret_bad,
    struct err *e)
{
	struct id id;
	int rc;

	*ret_bad = 0;
	while ((rc = blobmap_missing(r->map, &id, e)) > 0) {
		rc = index_parse(r, &id, &map_events, r, e);
		if (rc == 0)
			continue;
		if (rc != ERR_CORRUPT || damage == DAMAGE_ENDS) {
			if (rc == ERR_CORRUPT)
				(void)err_hint(e, "'garner repair index' makes "
				    "it again from the packs; nothing is lost");
			return (rc);
		}
		repo_damaged(r, e, damage == DAMAGE_ADOPTS ?
		    "reading the packs it may have named instead" :
		    "it is passed over");
		if ((rc = blobmap_skip(r->map, e)) != 0)
			return (rc);
		++*ret_bad;
	}
	return (rc);
}

/* ---- packs without an index ---- */

/* Sort records: id, then 0 "the map has it" or 1 and its size "it is stored". */
enum { STORED_LEN = ID_LEN + 1 + 8 };

static int
note_stored(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	uint8_t rec[STORED_LEN];

	memcpy(rec, id->b, ID_LEN);
	rec[ID_LEN] = 1;
	store_le64(rec + ID_LEN + 1, size);
	return (sorter_add(cookie, rec, sizeof(rec), e));
}

static int
adopt(struct repo *r, const struct id *id, uint64_t size, struct err *e)
{
	int rc;

	if ((rc = blobmap_pack_begin(r->map, e)) != 0)
		return (rc);
	rc = pack_header(r, id, size, map_blob, r, e);
	if (rc == ERR_CORRUPT) {
		log_warn("%s", e->text);
		rc = 0;	/* what was named of it cannot hurt: blobs are proven */
	}
	return (rc != 0 ? rc : map_pack_end(r, id, e));
}

/* Give the map the packs that no index file names, from their headers. */
static int
adopt_unnamed(struct repo *r, struct err *e)
{
	struct sorter *s;
	const uint8_t *rec;
	const void *p;
	struct id held = { { 0 } }, id;
	bool any = false;
	size_t len;
	int rc;

	rc = sorter_new(&s, r->state->scratch,
	    (size_t)CONFIG_SORT_KIB * 1024, sort_bytes, e);
	if (rc != 0)
		return (rc);
	if ((rc = blobmap_loaded_packs(r->map, s, e)) != 0 ||
	    (rc = repo_list(r, REPO_PACK, note_stored, s, e)) != 0)
		goto out;
	while ((rc = sorter_next(s, &p, &len, e)) > 0) {
		rec = p;
		memcpy(id.b, rec, ID_LEN);
		if (rec[ID_LEN] == 0) {
			held = id;
			any = true;
			continue;
		}
		if (any && id_eq(&held, &id))
			continue;
		rc = adopt(r, &id, load_le64(rec + ID_LEN + 1), e);
		if (rc != 0)
			goto out;
	}

out:
	sorter_free(s);
	return (rc);
}

static int
load_index(struct repo *r, enum damage damage, bool anew, struct err *e)
{
	static const struct blobmap_budget budget = {
		.sort = (size_t)CONFIG_SORT_KIB * 1024,
		.fences = (size_t)CONFIG_INDEX_CACHE_KIB * 1024,
		.claims = CONFIG_PENDING_BLOBS,
	};
	uint64_t missing;
	int rc;

	rc = blobmap_open(&r->map, r->state, &r->id, &budget, e);
	if (rc != 0)
		return (rc);
	if (anew)
		blobmap_forget(r->map);
	if ((rc = repo_list(r, REPO_INDEX, offer, r, e)) != 0 ||
	    (rc = blobmap_settle(r->map, &missing, e)) != 0 ||
	    (rc = load_missing(r, damage, &r->bad_indexes, e)) != 0 ||
	    (r->bad_indexes > 0 && damage == DAMAGE_ADOPTS &&
	    (rc = adopt_unnamed(r, e)) != 0) ||
	    (rc = blobmap_commit(r->map, e)) != 0) {
		blobmap_close(r->map);
		r->map = NULL;
	}
	return (rc);
}

int
repo_load_index(struct repo *r, bool for_writing, struct err *e)
{

	return (r->map != NULL ? 0 : load_index(r, for_writing ? DAMAGE_ENDS :
	    DAMAGE_ADOPTS, false, e));
}

int
repo_reload_index(struct repo *r, struct err *e)
{

	return (load_index(r, DAMAGE_ADOPTS, true, e));
}

int
repo_load_index_files(struct repo *r, struct err *e)
{

	return (load_index(r, DAMAGE_SKIPS, false, e));
}

/* ---- writing ---- */

/*
 * The packs wait on a spill stack: id, u32 blobs, and for each blob u32 offset and
 * an entry as in a pack's header.
 */

int
index_writer_open(struct index_writer *w, struct repo *r, struct err *e)
{

	memset(w, 0, sizeof(*w));
	w->r = r;
	return (spill_open(&w->packs, r->state->scratch, PACKS_WINDOW, e));
}

void
index_writer_close(struct index_writer *w)
{

	spill_close(&w->packs);
}

int
index_writer_begin(struct index_writer *w, struct err *e)
{
	uint8_t head[PACK_HEAD] = { 0 };

	if (w->blobs == 0)
		w->since = monotonic_s();
	w->pack_at = spill_top(&w->packs);
	w->pack_blobs = 0;
	return (spill_push(&w->packs, head, PACK_HEAD, e));
}

int
index_writer_blob(struct index_writer *w, const struct pack_entry *x,
    uint32_t offset, struct err *e)
{
	uint8_t rec[OFFSET_LEN + PACK_ENTRY_MAX];
	size_t len;

	store_le32(rec, offset);
	len = OFFSET_LEN + pack_entry_encode(x, rec + OFFSET_LEN);
	w->pack_blobs++;
	return (spill_push(&w->packs, rec, len, e));
}

void
index_writer_drop(struct index_writer *w)
{

	spill_cut(&w->packs, w->pack_at);
}

int
index_writer_end(struct index_writer *w, const struct id *id, struct err *e)
{
	uint8_t head[PACK_HEAD];

	if (w->pack_blobs == 0) {
		index_writer_drop(w);
		return (0);
	}
	memcpy(head, id->b, ID_LEN);
	store_le32(head + ID_LEN, w->pack_blobs);
	w->blobs += w->pack_blobs;
	return (spill_patch(&w->packs, w->pack_at, head, PACK_HEAD, e));
}

struct index_mark
index_writer_mark(const struct index_writer *w)
{

	return ((struct index_mark){ spill_top(&w->packs), w->blobs });
}

void
index_writer_back(struct index_writer *w, const struct index_mark *m)
{

	spill_cut(&w->packs, m->at);
	w->blobs = m->blobs;
}

int
index_writer_add(struct index_writer *w, const struct id *id,
    struct pack_list *list, struct err *e)
{
	struct pack_entry x;
	uint32_t offset = 0;
	uint64_t at = 0;
	int rc;

	if ((rc = index_writer_begin(w, e)) != 0)
		return (rc);
	while ((rc = pack_list_next(list, &at, &x, e)) > 0 &&
	    (rc = index_writer_blob(w, &x, offset, e)) == 0)
		offset += x.length;
	if (rc != 0 || (rc = index_writer_end(w, id, e)) != 0) {
		index_writer_drop(w);	/* the others can be written still */
		return (rc);
	}
	if (w->blobs >= INDEX_BLOBS_MAX ||
	    monotonic_s() - w->since >= INDEX_AGE_S)
		return (index_writer_flush(w, e));
	return (0);
}

/* One blob's JSON. */
static int
write_blob(struct doc_writer *d, const struct pack_entry *x, uint32_t offset,
    bool first, struct err *e)
{
	char text[256], hex[ID_HEX + 1], plain[48] = "";
	int n;

	if (x->plain != 0)
		(void)snprintf(plain, sizeof(plain),
		    ",\"uncompressed_length\":%u", x->plain);
	n = snprintf(text, sizeof(text), "%s{\"id\":\"%s\",\"type\":\"%s\","
	    "\"offset\":%u,\"length\":%u%s}", first ? "" : ",",
	    id_hex(&x->id, hex), x->type == BLOB_TREE ? "tree" : "data",
	    offset, x->length, plain);
	return (doc_write(d, text, (size_t)n, e));
}

/* One pack's JSON, from position ${*at} on, which is moved behind it. */
static int
write_pack(struct index_writer *w, struct doc_writer *d, uint64_t *at,
    bool first, uint32_t *ret_blobs, struct err *e)
{
	struct pack_list list = { .bytes = w->packs }; /* a view */
	struct pack_entry x;
	uint8_t head[PACK_HEAD];
	char text[128], hex[ID_HEX + 1];
	uint32_t i;
	struct id id;
	int rc, len;

	if ((rc = spill_read(&w->packs, *at, head, PACK_HEAD, e)) != 0)
		return (rc);
	memcpy(id.b, head, ID_LEN);
	*ret_blobs = load_le32(head + ID_LEN);
	len = snprintf(text, sizeof(text), "%s{\"id\":\"%s\",\"blobs\":[",
	    first ? "" : ",", id_hex(&id, hex));
	*at += PACK_HEAD;
	if ((rc = doc_write(d, text, (size_t)len, e)) != 0)
		return (rc);
	for (i = 0; i < *ret_blobs; i++) {
		rc = spill_read(&w->packs, *at, head, OFFSET_LEN, e);
		if (rc != 0)
			return (rc);
		*at += OFFSET_LEN;
		if ((rc = pack_list_next(&list, at, &x, e)) < 0 ||
		    (rc = write_blob(d, &x, load_le32(head), i == 0, e)) != 0)
			return (rc);
	}
	return (doc_write(d, "]}", 2, e));
}

/* One file, of the packs from position ${*at} on, which is moved behind them. */
static int
write_file(struct index_writer *w, struct doc_writer *d, uint64_t *at,
    struct err *e)
{
	uint64_t end = spill_top(&w->packs), blobs = 0;
	uint32_t n;
	struct id id;
	int rc;

	/* Without a lock a prune may have taken the packs that it would name. */
	if ((rc = repo_lock_lost(w->r->lock, e)) != 0)
		return (rc);
	if ((rc = doc_begin(d, w->r, REPO_INDEX, e)) != 0 ||
	    (rc = doc_write(d, "{\"packs\":[", 10, e)) != 0)
		return (rc);
	for (; *at < end && blobs < INDEX_BLOBS_MAX; blobs += n) {
		rc = write_pack(w, d, at, blobs == 0, &n, e);
		if (rc != 0)
			return (rc);
	}
	if ((rc = doc_write(d, "]}\n", 3, e)) != 0 ||
	    (rc = doc_end(d, &id, e)) != 0)
		return (rc);
	w->blobs -= blobs;
	w->files++;
	return (w->wrote != NULL ? w->wrote(w->cookie, &id, e) : 0);
}

/* What stands behind position ${at} goes on waiting, at the bottom. */
static int
keep_rest(struct index_writer *w, uint64_t at, struct err *e)
{
	uint64_t end = spill_top(&w->packs), n;
	uint8_t part[4096];
	struct spill rest;
	int rc;

	if (at == end) {
		spill_cut(&w->packs, 0);
		return (0);
	}
	rc = spill_open(&rest, w->r->state->scratch, PACKS_WINDOW, e);
	for (; rc == 0 && at < end; at += n) {
		n = end - at < sizeof(part) ? end - at : sizeof(part);
		rc = spill_read(&w->packs, at, part, (size_t)n, e);
		if (rc == 0)
			rc = spill_push(&rest, part, (size_t)n, e);
	}
	if (rc != 0) {
		spill_close(&rest);
		return (rc);
	}
	spill_close(&w->packs);
	w->packs = rest;
	return (0);
}

/* Write files as long as ${least} blobs wait. */
static int
write_files(struct index_writer *w, uint64_t least, struct err *e)
{
	struct doc_writer *d;
	uint64_t at = 0;
	int rc = 0;

	if (w->blobs < least)
		return (0);
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (err_nomem(e));
	while (rc == 0 && w->blobs >= least) {
		rc = write_file(w, d, &at, e);
		doc_free(d);
	}
	free(d);
	return (rc != 0 ? rc : keep_rest(w, at, e));
}

int
index_writer_full(struct index_writer *w, struct err *e)
{

	return (write_files(w, INDEX_BLOBS_MAX, e));
}

int
index_writer_flush(struct index_writer *w, struct err *e)
{

	return (write_files(w, 1, e));
}

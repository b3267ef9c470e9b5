#include "state/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sum.h"

enum {
	PAGE = 4096,
	PER_PAGE = 85,
	TRAILER = PER_PAGE * RECORD_LEN, /* u64 checksum, u32 records */
	BLOOM = 64,          /* bytes of a block: one cache line, one read */
	BLOOM_SUM = 60,      /* where its checksum is; bits before it */
	BLOOM_BITS = BLOOM_SUM * 8,
	BLOOM_KEYS = 48,     /* for a block: 10 bits each */
	BLOOM_PROBES = 6,
	BUFFER = 8 * PAGE,
	NEAR = 3,            /* pages beside a guess that are tried in turn */
};

static const uint8_t magic[16] = "garner run 1\n";
static const char what[] = "the blob map";

/* ---- records ---- */

void
record_encode(const struct record *r, uint8_t p[RECORD_LEN])
{

	memcpy(p, r->id.b, ID_LEN);
	store_le32(p + 32, r->where.pack |
	    (r->where.type == BLOB_TREE ? 0x80000000u : 0));
	store_le32(p + 36, r->where.offset);
	store_le32(p + 40, r->where.length);
	store_le32(p + 44, r->where.plain);
}

void
record_decode(const uint8_t p[RECORD_LEN], struct record *ret)
{
	uint32_t pack = load_le32(p + 32);

	memcpy(ret->id.b, p, ID_LEN);
	ret->where.pack = pack & 0x7fffffffu;
	ret->where.type = pack >> 31 ? BLOB_TREE : BLOB_DATA;
	ret->where.offset = load_le32(p + 36);
	ret->where.length = load_le32(p + 40);
	ret->where.plain = load_le32(p + 44);
}

int
record_cmp(const void *x, size_t x_len, const void *y, size_t y_len)
{
	const uint8_t *a = x, *b = y;
	int c = memcmp(a, b, ID_LEN);

	(void)x_len;
	(void)y_len;
	return (c != 0 ? c : (a[35] >> 7) - (b[35] >> 7));
}

/* ---- layout ---- */

static uint64_t
pages_of(uint64_t n)
{

	return ((n + PER_PAGE - 1) / PER_PAGE);
}

static uint64_t
blooms_of(uint64_t n)
{

	return ((n + BLOOM_KEYS - 1) / BLOOM_KEYS);
}

static uint64_t
bloom_off(uint64_t pages)
{

	return ((1 + pages) * PAGE);
}

static uint64_t
fence_off(uint64_t pages, uint64_t blooms)
{

	return (bloom_off(pages) + blooms * BLOOM);
}

static uint64_t
bloom_block(const uint8_t *id, uint64_t blooms)
{

	/* In the order of the ids; 32 bits of them are plenty. */
	return ((load_be64(id) >> 32) * blooms >> 32);
}

/* ---- writing ---- */

/* A stretch of the file that is written in order. */
struct stretch {
	uint64_t off;
	size_t len;
	uint8_t p[BUFFER];
};

struct run_writer {
	int fd;
	uint64_t n, added;
	uint64_t pages, blooms;
	uint64_t fence_sum;
	unsigned in_page;
	uint64_t page_no;
	uint64_t block_no;   /* the Bloom block being filled */
	uint8_t block[BLOOM];
	struct stretch page, bloom, fence;
};

int
run_writer_new(struct run_writer **ret, int fd, uint64_t n, struct err *e)
{
	struct run_writer *w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (err_nomem(e));
	w->fd = fd;
	w->n = n;
	w->pages = pages_of(n);
	w->blooms = blooms_of(n);
	w->page.off = PAGE;
	w->bloom.off = bloom_off(w->pages);
	w->fence.off = fence_off(w->pages, w->blooms);
	*ret = w;
	return (0);
}

void
run_writer_free(struct run_writer *w)
{

	free(w);
}

static int
stretch_flush(struct run_writer *w, struct stretch *s, struct err *e)
{
	int rc;

	rc = file_pwrite(w->fd, s->p, s->len, s->off, what, e);
	s->off += s->len;
	s->len = 0;
	return (rc);
}

static int
stretch_add(struct run_writer *w, struct stretch *s, const void *p, size_t len,
    struct err *e)
{
	int rc;

	if (len > BUFFER - s->len && (rc = stretch_flush(w, s, e)) != 0)
		return (rc);
	memcpy(s->p + s->len, p, len);
	s->len += len;
	return (0);
}

static int
page_end(struct run_writer *w, struct err *e)
{
	uint8_t rest[PAGE - TRAILER] = { 0 };
	uint8_t *page;
	int rc;

	/* Pages are written whole, so the present one is whole in the buffer. */
	page = w->page.p + w->page.len - w->in_page * RECORD_LEN;
	if (w->in_page < PER_PAGE) {
		memset(page + w->in_page * RECORD_LEN, 0,
		    (PER_PAGE - w->in_page) * RECORD_LEN);
		w->page.len += (PER_PAGE - w->in_page) * RECORD_LEN;
	}
	store_le64(rest, sum64(page, TRAILER, w->page_no));
	store_le32(rest + 8, w->in_page);
	memcpy(page + TRAILER, rest, sizeof(rest));
	w->page.len += sizeof(rest);
	w->page_no++;
	w->in_page = 0;
	rc = w->page.len == BUFFER ? stretch_flush(w, &w->page, e) : 0;
	return (rc);
}

static int
fence_add(struct run_writer *w, const uint8_t *id, struct err *e)
{
	uint8_t key[8];

	store_le64(key, load_be64(id));
	w->fence_sum = sum64(key, sizeof(key), w->fence_sum);
	return (stretch_add(w, &w->fence, key, sizeof(key), e));
}

static uint32_t
bloom_sum(const uint8_t *block, uint64_t no)
{

	return ((uint32_t)sum64(block, BLOOM_SUM, no));
}

/* The blocks before ${no} are complete. */
static int
bloom_upto(struct run_writer *w, uint64_t no, struct err *e)
{
	int rc;

	for (; w->block_no < no; w->block_no++) {
		store_le32(w->block + BLOOM_SUM,
		    bloom_sum(w->block, w->block_no));
		rc = stretch_add(w, &w->bloom, w->block, BLOOM, e);
		if (rc != 0)
			return (rc);
		memset(w->block, 0, BLOOM);
	}
	return (0);
}

static int
bloom_add(struct run_writer *w, const uint8_t *id, struct err *e)
{
	uint32_t h = load_le32(id + 8), step = load_le32(id + 12) | 1, bit;
	int i, rc;

	if ((rc = bloom_upto(w, bloom_block(id, w->blooms), e)) != 0)
		return (rc);
	for (i = 0; i < BLOOM_PROBES; i++, h += step) {
		bit = h % BLOOM_BITS;
		w->block[bit / 8] |= (uint8_t)(1 << bit % 8);
	}
	return (0);
}

int
run_writer_add(struct run_writer *w, const uint8_t rec[RECORD_LEN],
    struct err *e)
{
	int rc;

	if (w->in_page == 0 && (rc = fence_add(w, rec, e)) != 0)
		return (rc);
	if ((rc = bloom_add(w, rec, e)) != 0)
		return (rc);
	memcpy(w->page.p + w->page.len, rec, RECORD_LEN);
	w->page.len += RECORD_LEN;
	w->in_page++;
	w->added++;
	return (w->in_page == PER_PAGE ? page_end(w, e) : 0);
}

int
run_writer_end(struct run_writer *w, struct err *e)
{
	uint8_t head[PAGE] = { 0 };
	int rc;

	if (w->added != w->n)
		return (err_set(e, ERR_FAIL, "a run of the blob map got %llu "
		    "records instead of %llu", (unsigned long long)w->added,
		    (unsigned long long)w->n));
	if (w->in_page > 0 && (rc = page_end(w, e)) != 0)
		return (rc);
	if ((rc = bloom_upto(w, w->blooms, e)) != 0 ||
	    (rc = stretch_flush(w, &w->page, e)) != 0 ||
	    (rc = stretch_flush(w, &w->bloom, e)) != 0 ||
	    (rc = stretch_flush(w, &w->fence, e)) != 0)
		return (rc);
	memcpy(head, magic, sizeof(magic));
	store_le64(head + 16, w->n);
	store_le64(head + 24, w->fence_sum);
	store_le64(head + 32, sum64(head, 32, 0));
	return (file_pwrite(w->fd, head, PAGE, 0, what, e));
}

/* ---- reading ---- */

static int
corrupt(struct err *e)
{

	return (err_set(e, ERR_CORRUPT, "the cached blob map is damaged"));
}

static int
load_fence(struct run *r, uint64_t sum, size_t fence_max, struct err *e)
{
	uint8_t part[PAGE];
	uint64_t i, key, off = fence_off(r->pages, r->blooms), s = 0;
	uint64_t most = fence_max / sizeof(*r->fence);
	size_t n, k, got;
	int rc;

	if (most < 1)
		most = 1;
	r->step = (unsigned)((r->pages + most - 1) / most);
	if (r->step < 1)
		r->step = 1;
	r->n_fence = (r->pages + r->step - 1) / r->step;
	r->fence = malloc((r->n_fence > 0 ? r->n_fence : 1) *
	    sizeof(*r->fence));
	if (r->fence == NULL)
		return (err_nomem(e));
	for (i = 0; i < r->pages; i += n) {
		n = sizeof(part) / 8;
		if (n > r->pages - i)
			n = (size_t)(r->pages - i);
		rc = file_pread(r->fd, part, n * 8, off + i * 8, &got, what,
		    e);
		if (rc != 0)
			return (rc);
		if (got != n * 8)
			return (corrupt(e));
		for (k = 0; k < n; k++) {
			s = sum64(part + 8 * k, 8, s);
			key = load_le64(part + 8 * k);
			if ((i + k) % r->step == 0)
				r->fence[(i + k) / r->step] = key;
		}
	}
	return (s == sum ? 0 : corrupt(e));
}

int
run_open(struct run *ret, int fd, size_t fence_max, struct err *e)
{
	uint8_t head[40];
	struct stat st;
	size_t got;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->fd = fd;
	rc = file_pread(fd, head, sizeof(head), 0, &got, what, e);
	if (rc != 0)
		goto err;
	if (got != sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0 ||
	    load_le64(head + 32) != sum64(head, 32, 0)) {
		rc = corrupt(e);
		goto err;
	}
	ret->n = load_le64(head + 16);
	ret->pages = pages_of(ret->n);
	ret->blooms = blooms_of(ret->n);
	if (ret->n > UINT64_MAX / 1024 || fstat(fd, &st) == -1 ||
	    (uint64_t)st.st_size < fence_off(ret->pages, ret->blooms) +
	    ret->pages * 8) {
		rc = corrupt(e);
		goto err;
	}
	if ((rc = load_fence(ret, load_le64(head + 24), fence_max, e)) != 0)
		goto err;
	return (0);

err:
	run_close(ret);
	return (rc);
}

void
run_close(struct run *r)
{

	if (r->fd != -1)
		(void)close(r->fd);
	r->fd = -1;
	free(r->fence);
	r->fence = NULL;
}

/* Read page ${no} (from 0) and prove it; ${*ret_n} is its records. */
static int
page_read(const struct run *r, uint64_t no, uint8_t *page, unsigned *ret_n,
    struct err *e)
{
	size_t got;
	int rc;

	rc = file_pread(r->fd, page, PAGE, (1 + no) * PAGE, &got, what, e);
	if (rc != 0)
		return (rc);
	/* All pages but the last are full. */
	*ret_n = no + 1 < r->pages ? PER_PAGE :
	    (unsigned)(r->n - no * PER_PAGE);
	if (got != PAGE || load_le32(page + TRAILER + 8) != *ret_n ||
	    load_le64(page + TRAILER) != sum64(page, TRAILER, no))
		return (corrupt(e));
	return (0);
}

/* 1 it may be there, 0 it is not. */
static int
bloom_ask(const struct run *r, const struct id *id, struct err *e)
{
	uint32_t h = load_le32(id->b + 8), step = load_le32(id->b + 12) | 1;
	uint64_t no = bloom_block(id->b, r->blooms);
	uint8_t block[BLOOM];
	uint32_t bit;
	size_t got;
	int i, rc;

	rc = file_pread(r->fd, block, BLOOM, bloom_off(r->pages) + no * BLOOM,
	    &got, what, e);
	if (rc != 0)
		return (rc);
	if (got != BLOOM || load_le32(block + BLOOM_SUM) !=
	    bloom_sum(block, no))
		return (corrupt(e));
	for (i = 0; i < BLOOM_PROBES; i++, h += step) {
		bit = h % BLOOM_BITS;
		if ((block[bit / 8] & 1 << bit % 8) == 0)
			return (0);
	}
	return (1);
}

/* How many fences are below the key, or, with ${at}, at or below it? */
static uint64_t
fences_below(const struct run *r, uint64_t key, bool at)
{
	uint64_t lo = 0, hi = r->n_fence, m;

	while (lo < hi) {
		m = lo + (hi - lo) / 2;
		if (r->fence[m] < key || (at && r->fence[m] == key))
			lo = m + 1;
		else
			hi = m;
	}
	return (lo);
}

/*
 * The pages [lo, hi] that can hold the key, and a guess between them. Several
 * pages can begin with one key, and it can begin on the page before them. False
 * when it lies before the first.
 */
static bool
page_range(const struct run *r, uint64_t key, uint64_t *lo, uint64_t *hi,
    uint64_t *guess)
{
	uint64_t a = fences_below(r, key, false), k0, k1;
	uint64_t b = fences_below(r, key, true);

	if (b == 0)
		return (false);
	if (a > 0)
		a--;
	*lo = a * r->step;
	*hi = b < r->n_fence ? b * r->step - 1 : r->pages - 1;
	k0 = r->fence[a];
	k1 = b < r->n_fence ? r->fence[b] : UINT64_MAX;
	*guess = *lo;
	if (key > k0 && k1 > k0) {
		while (k1 - k0 > UINT32_MAX) {	/* the products fit 64 bits */
			k0 >>= 1;
			k1 >>= 1;
			key >>= 1;
		}
		*guess += (key - k0) * (*hi - *lo + 1) / (k1 - k0);
	}
	if (*guess > *hi)
		*guess = *hi;
	return (true);
}

/* Binary search of one page: the record's index, or -1. */
static int
page_search(const uint8_t *page, unsigned n, const uint8_t *key)
{
	unsigned lo = 0, hi = n, m;
	int c;

	while (lo < hi) {
		m = (lo + hi) / 2;
		c = record_cmp(page + m * RECORD_LEN, RECORD_LEN, key,
		    RECORD_LEN);
		if (c == 0)
			return ((int)m);
		if (c < 0)
			lo = m + 1;
		else
			hi = m;
	}
	return (-1);
}

int
run_find(const struct run *r, enum blob_type type, const struct id *id,
    bool likely, struct where *ret, uint64_t *ret_pos, struct err *e)
{
	struct record want = { *id, { 0, 0, 0, 0, type } }, got;
	uint8_t key[RECORD_LEN], page[PAGE];
	uint64_t lo, hi, at;
	unsigned n = 0, tries;
	int rc, i;

	if (r->n == 0)
		return (0);
	if (!likely && r->pages > 1 && (rc = bloom_ask(r, id, e)) <= 0)
		return (rc);
	if (!page_range(r, load_be64(id->b), &lo, &hi, &at))
		return (0);
	record_encode(&want, key);
	for (tries = 0;; tries++) {
		if ((rc = page_read(r, at, page, &n, e)) != 0)
			return (rc);
		if (record_cmp(key, RECORD_LEN, page, RECORD_LEN) < 0) {
			if (at == lo)
				return (0);
			at = hi = at - 1;	/* guesses are off by little */
		} else if (record_cmp(key, RECORD_LEN,
		    page + (n - 1) * RECORD_LEN, RECORD_LEN) > 0) {
			if (at == hi)
				return (0);
			at = lo = at + 1;
		} else {
			break;
		}
		/* But ids can be chosen so that they are not. */
		if (tries >= NEAR)
			at = lo + (hi - lo) / 2;
	}
	if ((i = page_search(page, n, key)) < 0)
		return (0);
	record_decode(page + (unsigned)i * RECORD_LEN, &got);
	*ret = got.where;
	if (ret_pos != NULL)
		*ret_pos = at * PER_PAGE + (unsigned)i;
	return (1);
}

int
run_at(const struct run *r, uint64_t pos, struct record *ret, struct err *e)
{
	uint8_t page[PAGE];
	unsigned n;
	int rc;

	if ((rc = page_read(r, pos / PER_PAGE, page, &n, e)) == 0)
		record_decode(page + pos % PER_PAGE * RECORD_LEN, ret);
	return (rc);
}

void
run_begin(struct run_cursor *c, const struct run *r)
{

	c->run = r;
	c->next = 0;
}

int
run_next(struct run_cursor *c, const uint8_t **ret, struct err *e)
{
	unsigned n;
	int rc;

	if (c->next == c->run->n)
		return (0);
	if (c->next % PER_PAGE == 0) {
		rc = page_read(c->run, c->next / PER_PAGE, c->page, &n, e);
		if (rc != 0)
			return (rc);
	}
	*ret = c->page + c->next++ % PER_PAGE * RECORD_LEN;
	return (1);
}

/*
 * Memory layout while adding: records (u32 length, bytes) grow from the front of
 * one block, their offsets (u32) shrink from its end; twice the offsets' room is
 * kept free, because the merge sort needs a second array. While merging, the
 * same block is cut into windows, one for each run.
 *
 * Level l holds at most FAN runs; when it is full they become one run of level
 * l + 1. Each level has its own unlinked file, emptied when it was merged.
 */

#include "base/sort.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"

enum {
	WINDOW = 8192,       /* a run's read window; two records at least */
	FAN_MAX = 64,
	LEVELS = 8,
};

struct run {
	uint64_t off;        /* next byte to read from the level's file */
	uint64_t end;
};

struct level {
	int fd;              /* -1 until used */
	uint64_t len;
	unsigned n;
	struct run run[FAN_MAX];
};

/* One run while it is being merged. */
struct head {
	int fd;
	struct run rest;     /* what is not in the window yet */
	uint8_t *win;
	size_t at, len;
};

struct sorter {
	const char *dir;
	sort_cmp *cmp;
	size_t mem;
	uint8_t *block;
	size_t front;        /* bytes of records */
	size_t n;            /* records in the block */
	unsigned fan;
	struct level level[LEVELS];
	enum { ADDING, FROM_MEMORY, FROM_RUNS } state;
	size_t at;           /* FROM_MEMORY: next offset to hand out */
	struct head head[FAN_MAX];
	unsigned order[FAN_MAX]; /* a heap of heads, the least on top */
	unsigned heads;
	bool stale;          /* the top record was handed out: step over it */
	uint8_t out[WINDOW]; /* write buffer of a run in the making */
	size_t out_len;
};

static const char what[] = "the sorter's scratch file";

int
sort_bytes(const void *x, size_t x_len, const void *y, size_t y_len)
{
	int c = memcmp(x, y, x_len < y_len ? x_len : y_len);

	if (c != 0)
		return (c);
	return (x_len < y_len ? -1 : x_len > y_len);
}

int
sorter_new(struct sorter **ret, const char *dir, size_t mem, sort_cmp *cmp,
    struct err *e)
{
	struct sorter *s;
	int i;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (err_nomem(e));
	mem -= sizeof(*s);
	if ((s->block = malloc(mem)) == NULL) {
		free(s);
		return (err_nomem(e));
	}
	s->dir = dir;
	s->cmp = cmp;
	s->mem = mem & ~(size_t)3;
	s->fan = (unsigned)(mem / WINDOW);
	if (s->fan > FAN_MAX)
		s->fan = FAN_MAX;
	for (i = 0; i < LEVELS; i++)
		s->level[i].fd = -1;
	*ret = s;
	return (0);
}

void
sorter_reset(struct sorter *s)
{
	int i;

	for (i = 0; i < LEVELS; i++) {
		if (s->level[i].fd != -1)
			(void)close(s->level[i].fd);
		memset(&s->level[i], 0, sizeof(s->level[i]));
		s->level[i].fd = -1;
	}
	s->front = s->n = s->at = 0;
	s->heads = 0;
	s->out_len = 0;
	s->stale = false;
	s->state = ADDING;
}

void
sorter_free(struct sorter *s)
{

	if (s == NULL)
		return;
	sorter_reset(s);
	free(s->block);
	free(s);
}

/* ---- sorting what is in memory ---- */

/* The offsets, newest record first: they grow downwards from the end. */
static uint32_t *
offsets(const struct sorter *s)
{

	return ((uint32_t *)(void *)(s->block + s->mem) - s->n);
}

static int
compare_at(const struct sorter *s, uint32_t x, uint32_t y)
{

	return (s->cmp(s->block + x + 4, load_le32(s->block + x),
	    s->block + y + 4, load_le32(s->block + y)));
}

/* Merge from[lo..mid) and from[mid..hi) into to[lo..hi). */
static void
merge_pair(const struct sorter *s, const uint32_t *from, uint32_t *to,
    size_t lo, size_t mid, size_t hi)
{
	size_t i = lo, j = mid, k;

	for (k = lo; k < hi; k++) {
		if (i < mid && (j >= hi ||
		    compare_at(s, from[i], from[j]) <= 0))
			to[k] = from[i++];
		else
			to[k] = from[j++];
	}
}

/* Bottom-up merge sort: stable, no recursion, no worst case. */
static uint32_t *
sort_offsets(const struct sorter *s)
{
	uint32_t *x = offsets(s), *y = x - s->n, *t;
	size_t width, lo;

	/* They lie newest first; turn them, so that equals stay in order. */
	for (lo = 0; lo < s->n / 2; lo++) {
		uint32_t swap = x[lo];

		x[lo] = x[s->n - 1 - lo];
		x[s->n - 1 - lo] = swap;
	}
	for (width = 1; width < s->n; width *= 2) {
		for (lo = 0; lo < s->n; lo += 2 * width) {
			size_t mid = lo + width < s->n ? lo + width : s->n;
			size_t hi = mid + width < s->n ? mid + width : s->n;

			merge_pair(s, x, y, lo, mid, hi);
		}
		t = x;
		x = y;
		y = t;
	}
	return (x);
}

/* ---- runs ---- */

static int
out_flush(struct sorter *s, struct level *l, struct err *e)
{
	int rc;

	if (s->out_len == 0)
		return (0);
	if (l->fd == -1 && (rc = file_scratch(s->dir, &l->fd, e)) != 0)
		return (rc);
	if ((rc = file_pwrite(l->fd, s->out, s->out_len, l->len, what,
	    e)) != 0)
		return (rc);
	l->len += s->out_len;
	s->out_len = 0;
	return (0);
}

static int
out_record(struct sorter *s, struct level *l, const uint8_t *rec, size_t len,
    struct err *e)
{
	int rc;

	if (len > sizeof(s->out) - s->out_len &&
	    (rc = out_flush(s, l, e)) != 0)
		return (rc);
	memcpy(s->out + s->out_len, rec, len);
	s->out_len += len;
	return (0);
}

static int merge_level(struct sorter *s, int l, struct err *e);

/* Room for one more run in level ${l}. */
static int
level_ready(struct sorter *s, int l, struct err *e)
{

	if (s->level[l].n < s->fan)
		return (0);
	return (merge_level(s, l, e));
}

/* Turn the block into a run of level 0. */
static int
flush_block(struct sorter *s, struct err *e)
{
	struct level *l = &s->level[0];
	const uint32_t *o;
	uint64_t start;
	size_t i;
	int rc;

	o = sort_offsets(s);
	start = l->len;
	for (i = 0; i < s->n; i++)
		if ((rc = out_record(s, l, s->block + o[i],
		    4 + load_le32(s->block + o[i]), e)) != 0)
			return (rc);
	if ((rc = out_flush(s, l, e)) != 0)
		return (rc);
	l->run[l->n].off = start;
	l->run[l->n].end = l->len;
	l->n++;
	s->front = s->n = 0;
	/* The block is free now: the moment to merge a level that is full. */
	return (level_ready(s, 0, e));
}

int
sorter_add(struct sorter *s, const void *rec, size_t len, struct err *e)
{
	int rc;

	if (len > SORT_RECORD_MAX)
		return (err_set(e, ERR_LIMIT,
		    "a record of %zu bytes is too long to sort", len));
	if (s->front + 4 + len + 4 + (s->n + 1) * 8 > s->mem &&
	    (rc = flush_block(s, e)) != 0)
		return (rc);
	store_le32(s->block + s->front, (uint32_t)len);
	memcpy(s->block + s->front + 4, rec, len);
	s->n++;
	*offsets(s) = (uint32_t)s->front;
	s->front += 4 + len;
	return (0);
}

/* ---- merging ---- */

/* Is there a whole record at the head's cursor? */
static bool
head_whole(const struct head *h)
{
	size_t have = h->len - h->at;

	return (have >= 4 && have - 4 >= load_le32(h->win + h->at));
}

/* Have a whole record at the head's cursor: 1, 0 at the end of its run. */
static int
head_fill(struct head *h, struct err *e)
{
	size_t have = h->len - h->at, want, got;
	int rc;

	if (head_whole(h))
		return (1);
	memmove(h->win, h->win + h->at, have);
	h->at = 0;
	h->len = have;
	want = WINDOW - have;
	if (want > h->rest.end - h->rest.off)
		want = (size_t)(h->rest.end - h->rest.off);
	if (want > 0) {
		rc = file_pread(h->fd, h->win + have, want, h->rest.off, &got,
		    what, e);
		if (rc != 0)
			return (rc);
		if (got != want)
			return (err_set(e, ERR_FAIL, "%s is cut short", what));
		h->rest.off += want;
		h->len += want;
	}
	/* The window holds two of the longest: the length is not ours. */
	if (h->len > 0 && !head_whole(h))
		return (err_set(e, ERR_FAIL, "%s is damaged", what));
	return (h->len > 0);
}

static int
head_before(const struct sorter *s, unsigned x, unsigned y)
{
	const struct head *a = &s->head[x], *b = &s->head[y];
	int c = s->cmp(a->win + a->at + 4, load_le32(a->win + a->at),
	    b->win + b->at + 4, load_le32(b->win + b->at));

	return (c != 0 ? c < 0 : x < y);	/* older runs come first */
}

static void
heap_sink(struct sorter *s, unsigned i)
{
	unsigned least, child, t;

	for (;;) {
		least = i;
		for (child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < s->heads && head_before(s,
			    s->order[child], s->order[least]))
				least = child;
		if (least == i)
			return;
		t = s->order[i];
		s->order[i] = s->order[least];
		s->order[least] = t;
		i = least;
	}
}

static int
head_open(struct sorter *s, int fd, const struct run *r, struct err *e)
{
	struct head *h = &s->head[s->heads];
	int rc;

	h->fd = fd;
	h->rest = *r;
	h->win = s->block + (size_t)s->heads * WINDOW;
	h->at = h->len = 0;
	if ((rc = head_fill(h, e)) < 0)
		return (rc);
	if (rc > 0) {
		s->order[s->heads] = s->heads;
		s->heads++;
	}
	return (0);
}

static void
heap_make(struct sorter *s)
{
	unsigned i;

	for (i = s->heads / 2; i-- > 0;)
		heap_sink(s, i);
	s->stale = false;
}

/* The least record of all heads: 1, 0 at the end, or ERR_*. */
static int
heap_next(struct sorter *s, const uint8_t **ret, size_t *ret_len,
    struct err *e)
{
	struct head *h;
	int rc;

	if (s->heads > 0 && s->stale) {
		h = &s->head[s->order[0]];
		h->at += 4 + load_le32(h->win + h->at);
		if ((rc = head_fill(h, e)) < 0)
			return (rc);
		if (rc == 0)
			s->order[0] = s->order[--s->heads];
		heap_sink(s, 0);
	}
	if (s->heads == 0)
		return (0);
	h = &s->head[s->order[0]];
	*ret = h->win + h->at;
	*ret_len = 4 + load_le32(h->win + h->at);
	s->stale = true;
	return (1);
}

/* All runs of level ${l} become one run of the level above. */
static int
merge_level(struct sorter *s, int l, struct err *e)
{
	struct level *from = &s->level[l], *to;
	const uint8_t *rec;
	uint64_t start;
	size_t len;
	unsigned i;
	int rc;

	if (l + 1 >= LEVELS)
		return (err_set(e, ERR_LIMIT, "too much to sort"));
	if ((rc = level_ready(s, l + 1, e)) != 0)
		return (rc);
	to = &s->level[l + 1];
	s->heads = 0;
	for (i = 0; i < from->n; i++)
		if ((rc = head_open(s, from->fd, &from->run[i], e)) != 0)
			return (rc);
	heap_make(s);
	start = to->len;
	while ((rc = heap_next(s, &rec, &len, e)) > 0)
		if ((rc = out_record(s, to, rec, len, e)) != 0)
			return (rc);
	if (rc < 0 || (rc = out_flush(s, to, e)) != 0)
		return (rc);
	to->run[to->n].off = start;
	to->run[to->n].end = to->len;
	to->n++;
	from->n = 0;
	from->len = 0;
	if (from->fd != -1 && ftruncate(from->fd, 0) == -1)
		return (err_sys(e, "cannot truncate %s", what));
	return (0);
}

/* End of adding: from memory when nothing spilled, else merge what there is. */
static int
start_reading(struct sorter *s, struct err *e)
{
	unsigned total, i;
	int l, low, rc;

	if (s->level[0].fd == -1) {
		const uint32_t *o = sort_offsets(s);

		memmove(offsets(s), o, s->n * sizeof(*o));
		s->state = FROM_MEMORY;
		s->at = 0;
		return (0);
	}
	if (s->n > 0 && (rc = flush_block(s, e)) != 0)
		return (rc);
	for (;;) {
		total = 0;
		low = -1;
		for (l = LEVELS - 1; l >= 0; l--)
			if (s->level[l].n > 0) {
				total += s->level[l].n;
				low = l;
			}
		if (total <= s->fan)
			break;
		if ((rc = merge_level(s, low, e)) != 0)
			return (rc);
	}
	/* Older runs lie in higher levels: open them first, for stability. */
	s->heads = 0;
	for (l = LEVELS - 1; l >= 0; l--)
		for (i = 0; i < s->level[l].n; i++)
			if ((rc = head_open(s, s->level[l].fd,
			    &s->level[l].run[i], e)) != 0)
				return (rc);
	heap_make(s);
	s->state = FROM_RUNS;
	return (0);
}

int
sorter_next(struct sorter *s, const void **ret, size_t *ret_len, struct err *e)
{
	const uint8_t *rec;
	int rc;

	if (s->state == ADDING && (rc = start_reading(s, e)) != 0)
		return (rc);
	if (s->state == FROM_MEMORY) {
		if (s->at == s->n)
			return (0);
		rec = s->block + offsets(s)[s->at++];
		*ret_len = load_le32(rec);
	} else {
		if ((rc = heap_next(s, &rec, ret_len, e)) <= 0)
			return (rc);
		*ret_len -= 4;
	}
	*ret = rec + 4;
	return (1);
}

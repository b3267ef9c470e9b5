#include "run/reader.h"

#include <string.h>

#include "run/planter.h"

/* A file begins a fresh slab when this little is left of the present one. */
enum { ROOM_MIN = 4096 };

void
reader_begin(struct reader *rd, struct repo *r, struct saver *saver,
    struct strip *strip, struct meter *meter)
{

	memset(rd, 0, sizeof(*rd));
	rd->r = r;
	rd->saver = saver;
	rd->strip = strip;
	rd->meter = meter;
	rd->slab = SLAB_NONE;
	rd->chunk.slab = SLAB_NONE;
	/* The workers need some of the pool, too. */
	rd->part_max = (uint32_t)(slab_pool_max(&r->pool) / 4 * 3);
}

void
reader_end(struct reader *rd)
{

	chunk_free(&rd->r->pool, &rd->chunk);
	rd->chunk.len = 0;
	if (rd->slab != SLAB_NONE)
		slab_unref(&rd->r->pool, rd->slab);
	rd->slab = SLAB_NONE;
}

/* Hand over what is collected, as a whole chunk or as a part of one. */
static int
submit(struct reader *rd, bool last, struct err *e)
{
	unsigned part = (rd->begun ? 0 : SAVE_FIRST) | (last ? SAVE_LAST : 0);
	uint64_t ticket = 0;
	uint8_t msg[8];
	int rc;

	rc = saver_data(rd->saver, &rd->chunk, part, &ticket, e);
	rd->chunk.len = 0;
	rd->chunk.slab = SLAB_NONE;
	rd->begun = !last;
	if (rc != 0 || !last)
		return (rc);
	store_le64(msg, ticket);
	return (plant(rd->strip, PLANT_TICKET, msg, sizeof(msg), e));
}

/* Go on to a fresh slab, linked behind the present one. */
static int
next_slab(struct reader *rd, struct err *e)
{
	struct slab_pool *pool = &rd->r->pool;
	uint16_t fresh;
	int rc;

	if ((rc = slab_get(pool, &fresh, e)) != 0)
		return (rc);
	if (rd->slab != SLAB_NONE) {
		pool->slab[rd->slab].next = fresh;
		memcpy(slab_data(pool, fresh) - SLAB_HEAD,
		    slab_data(pool, rd->slab) + rd->fill - SLAB_HEAD,
		    SLAB_HEAD);
		slab_unref(pool, rd->slab);
	}
	if (rd->chunk.len > 0)
		slab_ref(pool, fresh);
	rd->slab = fresh;
	rd->fill = 0;
	return (0);
}

/* ${n} bytes of the file stand at the slab's fill mark: cut them. */
static int
collect(struct reader *rd, size_t n, struct err *e)
{
	uint8_t *p = slab_data(&rd->r->pool, rd->slab) + rd->fill;
	size_t cut, take;
	int rc;

	meter_add(&rd->meter->bytes, n);
	rd->size += n;
	while (n > 0) {
		if (rd->chunk.len == 0) {
			rd->chunk.slab = rd->slab;
			rd->chunk.off = rd->fill;
			slab_ref(&rd->r->pool, rd->slab);
		}
		cut = chunker_scan(&rd->ck, p, n);
		take = cut != 0 ? cut : n;
		rd->chunk.len += (uint32_t)take;
		rd->fill += (uint32_t)take;
		p += take;
		n -= take;
		if ((cut != 0 || rd->chunk.len >= rd->part_max) &&
		    (rc = submit(rd, cut != 0, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
need_room(struct reader *rd, struct err *e)
{

	if (rd->slab != SLAB_NONE && rd->fill < SLAB_LEN)
		return (0);
	return (next_slab(rd, e));
}

/* ${n} zeros that must be looked at. */
static int
feed_zeros(struct reader *rd, uint64_t n, struct err *e)
{
	size_t room;
	int rc;

	while (n > 0) {
		if ((rc = need_room(rd, e)) != 0)
			return (rc);
		room = SLAB_LEN - rd->fill;
		if (room > n)
			room = (size_t)n;
		memset(slab_data(&rd->r->pool, rd->slab) + rd->fill, 0, room);
		if ((rc = collect(rd, room, e)) != 0)
			return (rc);
		n -= room;
	}
	return (0);
}

/* ${n} chunks of zeros, known by their id: neither read nor hashed. */
static int
repeat_zeros(struct reader *rd, uint64_t n, struct err *e)
{
	uint8_t msg[ID_LEN + 8];

	memcpy(msg, chunk_zeros.b, ID_LEN);
	store_le64(msg + ID_LEN, n);
	rd->size += n * CHUNK_MIN;
	meter_add(&rd->meter->bytes, n * CHUNK_MIN);
	return (plant(rd->strip, PLANT_REPEAT, msg, sizeof(msg), e));
}

/*
 * A hole. Up to the next cut its zeros are chunked like any bytes, then whole
 * chunks of zeros follow, then a rest that begins a chunk.
 */
static int
hole(struct reader *rd, uint64_t n, struct err *e)
{
	uint64_t step;
	int rc;

	while (n > 0 && rd->ck.pos != 0) {
		/* With 64 zeros behind it, a chunk ends at the first chance. */
		step = rd->ck.pos < CHUNK_MIN - 1 ? CHUNK_MIN - rd->ck.pos : 1;
		if (step > n)
			step = n;
		if ((rc = feed_zeros(rd, step, e)) != 0)
			return (rc);
		n -= step;
	}
	if (n >= CHUNK_MIN && !rd->zeros_stored) {
		if ((rc = feed_zeros(rd, CHUNK_MIN, e)) != 0)
			return (rc);
		rd->zeros_stored = true;
		n -= CHUNK_MIN;
	}
	if (n >= CHUNK_MIN) {
		if ((rc = repeat_zeros(rd, n / CHUNK_MIN, e)) != 0)
			return (rc);
		n %= CHUNK_MIN;
	}
	return (feed_zeros(rd, n, e));
}

/* Read to the end of the file; ${*ret_mine}: the failure is the file's. */
static int
read_all(struct reader *rd, struct source *src, bool *ret_mine, struct err *e)
{
	uint64_t zero_len;
	size_t n;
	int rc;

	for (;;) {
		*ret_mine = false;
		if ((rc = repo_stopped(rd->r, e)) != 0 ||
		    (rc = need_room(rd, e)) != 0)
			return (rc);
		*ret_mine = true;
		rc = source_read(src, slab_data(&rd->r->pool, rd->slab) +
		    rd->fill, SLAB_LEN - rd->fill, &n, &zero_len, e);
		if (rc != 0) {
			*ret_mine = !err_ends_all(rc);
			return (rc);
		}
		*ret_mine = false;
		if (n == 0 && zero_len == 0)
			return (rd->chunk.len > 0 || rd->begun ?
			    submit(rd, true, e) : 0);
		rc = n > 0 ? collect(rd, n, e) : hole(rd, zero_len, e);
		if (rc != 0)
			return (rc);
	}
}

/* The file failed half-way: end what was begun, and forget its ids. */
static int
forget(struct reader *rd, struct err *e)
{
	int rc;

	if (rd->begun) {
		if ((rc = submit(rd, true, e)) != 0)
			return (rc);
	} else {
		chunk_free(&rd->r->pool, &rd->chunk);
		rd->chunk.len = 0;
	}
	return (plant(rd->strip, PLANT_DROP, NULL, 0, e));
}

int
reader_file(struct reader *rd, struct source *src, uint64_t expect,
    uint64_t *ret_size, bool *ret_fatal, struct err *e)
{
	struct err also = ERR_INIT;
	bool mine;
	int rc, rc2;

	chunker_begin(&rd->ck, &rd->r->tables);
	rd->size = 0;
	*ret_fatal = true;
	if (rd->slab != SLAB_NONE && SLAB_LEN - rd->fill <
	    (expect < ROOM_MIN ? expect : ROOM_MIN) &&
	    (rc = next_slab(rd, e)) != 0)
		return (rc);
	rc = read_all(rd, src, &mine, e);
	*ret_size = rd->size;
	*ret_fatal = rc != 0 && !mine;
	if (rc != 0 && mine && (rc2 = forget(rd, &also)) != 0) {
		*e = also;
		*ret_fatal = true;
		return (rc2);
	}
	return (rc);
}

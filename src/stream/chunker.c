#include "stream/chunker.h"

#include "stream/rabin.h"

enum {
	LANES = 4,           /* the chain of one lane is latency, not work */
	STRETCH = 4096,      /* bytes of a lane: the run-up costs 1.6 % */
	SHIFT = RABIN_DEGREE - 8,
};

const struct id chunk_zeros = { {
	0x07, 0x85, 0x4d, 0x2f, 0xef, 0x29, 0x7a, 0x06, 0xba, 0x81, 0x68, 0x5e,
	0x66, 0x0c, 0x33, 0x2d, 0xe3, 0x6d, 0x5d, 0x18, 0xd5, 0x46, 0x92, 0x7d,
	0x30, 0xda, 0xad, 0x6d, 0x7f, 0xda, 0x15, 0x41,
} };

void
chunk_tables_init(struct chunk_tables *t, uint64_t polynomial)
{
	unsigned b, i;

	for (b = 0; b < 256; b++) {
		uint64_t h = b;

		for (i = 0; i < CHUNK_WINDOW - 1; i++)
			h = rabin_mod(h << 8, polynomial);
		t->out[b] = h;
		t->mod[b] = rabin_mod((uint64_t)b << RABIN_DEGREE, polynomial) |
		    (uint64_t)b << RABIN_DEGREE;
	}
}

static inline uint64_t
append(const struct chunk_tables *t, uint64_t h, uint8_t in)
{

	return ((h << 8 | in) ^ t->mod[h >> SHIFT]);
}

static inline uint64_t
slide(const struct chunk_tables *t, uint64_t h, const uint8_t *p)
{

	return (append(t, h ^ t->out[p[-CHUNK_WINDOW]], p[0]));
}

/* The hash of the 64 bytes in front of ${p}. */
static uint64_t
run_up(const struct chunk_tables *t, const uint8_t *p)
{
	uint64_t h = 0;
	int i;

	for (i = -CHUNK_WINDOW; i < 0; i++)
		h = append(t, h, p[i]);
	return (h);
}

/* One lane: bytes up to and including the first cut, or 0. */
static size_t
scan_serial(const struct chunk_tables *t, const uint8_t *p, size_t len)
{
	uint64_t h = run_up(t, p);
	size_t i;

	for (i = 0; i < len; i++) {
		h = slide(t, h, p + i);
		if ((h & CHUNK_MASK) == 0)
			return (i + 1);
	}
	return (0);
}

/*
 * Four lanes of STRETCH bytes abreast. A hit in lane n settles the lanes behind
 * it; those before it are scanned to their end, the first of them wins.
 */
static size_t
scan_lanes(const struct chunk_tables *t, const uint8_t *p)
{
	const uint8_t *p0 = p, *p1 = p + STRETCH, *p2 = p + 2 * STRETCH,
	    *p3 = p + 3 * STRETCH;
	uint64_t h0 = run_up(t, p0), h1 = run_up(t, p1), h2 = run_up(t, p2),
	    h3 = run_up(t, p3);
	size_t i, cut;
	unsigned lane, hit;

	for (i = 0; i < STRETCH; i++) {
		h0 = slide(t, h0, p0 + i);
		h1 = slide(t, h1, p1 + i);
		h2 = slide(t, h2, p2 + i);
		h3 = slide(t, h3, p3 + i);
		if ((h0 & CHUNK_MASK) != 0 && (h1 & CHUNK_MASK) != 0 &&
		    (h2 & CHUNK_MASK) != 0 && (h3 & CHUNK_MASK) != 0)
			continue;
		hit = (h0 & CHUNK_MASK) == 0 ? 0 : (h1 & CHUNK_MASK) == 0 ? 1 :
		    (h2 & CHUNK_MASK) == 0 ? 2 : 3;
		for (lane = 0; lane < hit; lane++) {
			cut = scan_serial(t, p + lane * STRETCH + i + 1,
			    STRETCH - i - 1);
			if (cut != 0)
				return (lane * STRETCH + i + 1 + cut);
		}
		return (hit * STRETCH + i + 1);
	}
	return (0);
}

size_t
chunker_scan(struct chunker *c, const uint8_t *p, size_t len)
{
	size_t at = 0, end = len, cut;

	/* Byte CHUNK_MIN of the chunk is the first that may end it. */
	if (c->pos < CHUNK_MIN - 1)
		at = CHUNK_MIN - 1 - c->pos;
	if (at >= len) {
		c->pos += (uint32_t)len;
		return (0);
	}
	if (end > CHUNK_MAX - c->pos)
		end = CHUNK_MAX - c->pos;
	cut = 0;
	for (; cut == 0 && end - at >= LANES * STRETCH; at += LANES * STRETCH)
		if ((cut = scan_lanes(c->tables, p + at)) != 0)
			cut += at;
	if (cut == 0 && at < end &&
	    (cut = scan_serial(c->tables, p + at, end - at)) != 0)
		cut += at;
	if (cut == 0 && c->pos + end == CHUNK_MAX)
		cut = end;
	c->pos = cut != 0 ? 0 : c->pos + (uint32_t)len;
	return (cut);
}

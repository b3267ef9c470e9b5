#ifndef BASE_ID_H
#define BASE_ID_H

/*
 * An id is a SHA-256: of a blob's plain bytes, or of a stored file. And the
 * small loads and stores that on-disk records are made of.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ID_LEN 32
#define ID_HEX 64

struct id {
	uint8_t b[ID_LEN];
};

static inline int
id_cmp(const struct id *x, const struct id *y)
{

	return (memcmp(x->b, y->b, ID_LEN));
}

static inline bool
id_eq(const struct id *x, const struct id *y)
{

	return (memcmp(x->b, y->b, ID_LEN) == 0);
}

/**
 * id_hex(id, ret):
 * Write 64 lower-case hex digits and a NUL into ${ret}; return ${ret}.
 */
char *id_hex(const struct id *id, char ret[ID_HEX + 1]);

/**
 * id_parse(ret, s, len):
 * Read exactly 64 lower-case hex digits. Return false, with ${ret} undefined,
 * for any other text: names that are not ids are ignored, not guessed at.
 */
bool id_parse(struct id *ret, const char *s, size_t len);

static inline uint32_t
load_le32(const uint8_t *p)
{

	return ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24);
}

static inline uint64_t
load_le64(const uint8_t *p)
{

	return (load_le32(p) | (uint64_t)load_le32(p + 4) << 32);
}

static inline uint64_t
load_be64(const uint8_t *p)
{

	return ((uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 |
	    (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
	    (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
	    (uint64_t)p[6] << 8 | p[7]);
}

static inline void
store_le32(uint8_t *p, uint32_t v)
{

	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void
store_le64(uint8_t *p, uint64_t v)
{

	store_le32(p, (uint32_t)v);
	store_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void
store_be64(uint8_t *p, uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

#endif /* BASE_ID_H */

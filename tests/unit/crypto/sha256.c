/*
 * SHA-256: pieces of any size, and every variant against every other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/sha256.h"
#include "random.h"

static void
test_pieces(void **state)
{
	uint8_t m[2000];
	struct id once, pieces;
	struct sha256 c;
	uint32_t seed = 1;
	size_t len, at, n;
	int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		len = random_len(&seed, sizeof(m));
		random_fill(&seed, m, len);
		sha256(m, len, &once);
		sha256_begin(&c);
		for (at = 0; at < len; at += n) {
			n = random_len(&seed, len - at);
			sha256_update(&c, m + at, n);
		}
		sha256_end(&c, &pieces);
		assert_true(id_eq(&once, &pieces));
	}
}

/* The digest so far can be had again and again on the way. */
static void
test_on_the_way(void **state)
{
	uint8_t m[300];
	struct id so_far, once;
	struct sha256 c;
	uint32_t seed = 2;
	size_t i;

	(void)state;
	random_fill(&seed, m, sizeof(m));
	sha256_begin(&c);
	for (i = 0; i < sizeof(m); i++) {
		sha256_end(&c, &so_far);
		sha256(m, i, &once);
		assert_true(id_eq(&so_far, &once));
		sha256_update(&c, m + i, 1);
	}
}

static void
test_nothing(void **state)
{
	struct id empty, nothing;
	struct sha256 c;

	(void)state;
	sha256("", 0, &empty);
	sha256_begin(&c);
	sha256_update(&c, NULL, 0);
	sha256_end(&c, &nothing);
	assert_true(id_eq(&empty, &nothing));
}

/* From any state, any number of blocks, at any address. */
static void
test_variants_agree(void **state)
{
	const struct sha256_variant *v;
	uint8_t m[64 * 40 + 16];
	uint32_t from[8], h[8], first[8], seed = 3;
	size_t n, off;
	int i;

	(void)state;
	for (i = 0; i < 500; i++) {
		random_fill(&seed, from, sizeof(from));
		random_fill(&seed, m, sizeof(m));
		n = random_next(&seed) % 41;
		off = random_next(&seed) % 16;
		for (v = sha256_variants(); v->name != NULL; v++) {
			memcpy(h, from, sizeof(h));
			v->blocks(h, m + off, n);
			if (v == sha256_variants())
				memcpy(first, h, sizeof(h));
			if (memcmp(h, first, sizeof(h)) != 0)
				fail_msg("%s disagrees", v->name);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_on_the_way),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_variants_agree),
	};

	return (cmocka_run_group_tests_name("crypto/sha256", tests, NULL,
	    NULL));
}

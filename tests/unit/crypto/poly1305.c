/*
 * Poly1305: pieces of any size, the clamping of r, the comparison of tags.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/poly1305.h"
#include "random.h"

static void
at_once(const uint8_t key[32], const uint8_t *m, size_t len, uint8_t tag[16])
{
	struct poly1305 c;

	poly1305_begin(&c, key);
	poly1305_update(&c, m, len);
	poly1305_end(&c, tag);
}

static void
test_pieces(void **state)
{
	uint8_t key[32], m[2000], once[16], pieces[16];
	struct poly1305 c;
	uint32_t seed = 1;
	size_t len, at, n;
	int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		len = random_len(&seed, sizeof(m));
		random_fill(&seed, key, sizeof(key));
		random_fill(&seed, m, len);
		at_once(key, m, len, once);
		poly1305_begin(&c, key);
		for (at = 0; at < len; at += n) {
			n = random_len(&seed, len - at);
			poly1305_update(&c, m + at, n);
		}
		poly1305_end(&c, pieces);
		assert_memory_equal(once, pieces, 16);
	}
}

/* restic stores R unmasked: the bits that do not count must not. */
static void
test_clamp(void **state)
{
	static const uint8_t counts[16] = {
		0xff, 0xff, 0xff, 0x0f, 0xfc, 0xff, 0xff, 0x0f,
		0xfc, 0xff, 0xff, 0x0f, 0xfc, 0xff, 0xff, 0x0f,
	};
	uint8_t key[32], m[100], loose[16], clamped[16];
	uint32_t seed = 2;
	int i, j;

	(void)state;
	for (i = 0; i < 100; i++) {
		random_fill(&seed, key, sizeof(key));
		random_fill(&seed, m, sizeof(m));
		at_once(key, m, sizeof(m), loose);
		for (j = 0; j < 16; j++)
			key[j] &= counts[j];
		at_once(key, m, sizeof(m), clamped);
		assert_memory_equal(loose, clamped, 16);
	}
}

static void
test_tag_equal(void **state)
{
	uint8_t x[16], y[16];
	uint32_t seed = 3;
	int i;

	(void)state;
	random_fill(&seed, x, sizeof(x));
	memcpy(y, x, sizeof(x));
	assert_true(tag_equal(x, y));
	for (i = 0; i < 128; i++) {
		y[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(tag_equal(x, y));
		assert_false(tag_equal(y, x));
		y[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_clamp),
		cmocka_unit_test(test_tag_equal),
	};

	return (cmocka_run_group_tests_name("crypto/poly1305", tests, NULL,
	    NULL));
}

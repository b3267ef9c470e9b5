/*
 * AES-CTR: pieces of any size, counters that pass any border, and every variant
 * against every other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hex.h"
#include "crypto/aes_ctr.h"
#include "crypto/sha256.h"
#include "random.h"

/* The key stream a block at a time, counted by hand: what all must equal. */
static void
slowly(const struct aes_key *k, const uint8_t iv[16], uint8_t *p, size_t len)
{
	uint8_t counter[16], block[16];
	struct aes_ctr c;
	size_t i;
	int at;

	memcpy(counter, iv, 16);
	for (i = 0; i < len; i++) {
		if (i % 16 == 0) {
			memset(block, 0, sizeof(block));
			aes_ctr_begin(&c, k, counter);
			aes_ctr_run(&c, block, sizeof(block));
			for (at = 15; at >= 0 && ++counter[at] == 0; at--)
				;
		}
		p[i] ^= block[i % 16];
	}
}

/* An IV whose count passes a border of 8 * ${bytes} bits in a few blocks. */
static void
near_border(uint32_t *seed, uint8_t iv[16], unsigned bytes)
{

	random_fill(seed, iv, 16);
	memset(iv + 16 - bytes, 0xff, bytes);
	iv[15] = (uint8_t)(0xff - random_next(seed) % 80);
}

static void
test_borders(void **state)
{
	const struct aes_variant_name *v;
	uint8_t key[32], iv[16], m[2000], want[2000];
	uint32_t seed = 1;
	struct aes_key k;
	struct aes_ctr c;
	unsigned bytes;
	int i;

	(void)state;
	for (v = aes_variants(); v->name != NULL; v++)
		for (bytes = 1; bytes <= 16; bytes++)
			for (i = 0; i < 20; i++) {
				random_fill(&seed, key, sizeof(key));
				random_fill(&seed, m, sizeof(m));
				memcpy(want, m, sizeof(m));
				near_border(&seed, iv, bytes);
				aes_key_init_with(&k, v->variant, key);
				slowly(&k, iv, want, sizeof(want));
				aes_ctr_begin(&c, &k, iv);
				aes_ctr_run(&c, m, sizeof(m));
				if (memcmp(m, want, sizeof(m)) != 0)
					fail_msg("%s: %u bytes", v->name,
					    bytes);
			}
}

static void
test_pieces(void **state)
{
	const struct aes_variant_name *v;
	uint8_t key[32], iv[16], was[2000], once[2000], pieces[2000];
	uint32_t seed = 2;
	struct aes_key k;
	struct aes_ctr c;
	size_t len, at, n;
	int i;

	(void)state;
	for (v = aes_variants(); v->name != NULL; v++)
		for (i = 0; i < 500; i++) {
			len = random_len(&seed, sizeof(was));
			random_fill(&seed, key, sizeof(key));
			random_fill(&seed, was, len);
			near_border(&seed, iv, 4);
			memcpy(once, was, len);
			memcpy(pieces, was, len);
			aes_key_init_with(&k, v->variant, key);
			aes_ctr_begin(&c, &k, iv);
			aes_ctr_run(&c, once, len);
			aes_ctr_begin(&c, &k, iv);
			for (at = 0; at < len; at += n) {
				n = random_len(&seed, len - at);
				aes_ctr_run(&c, pieces + at, n);
			}
			assert_memory_equal(once, pieces, len);

			/* Once more, and it is what it was. */
			aes_ctr_begin(&c, &k, iv);
			aes_ctr_run(&c, once, len);
			assert_memory_equal(once, was, len);
		}
}

/* Nothing before or behind the bytes asked for is touched, at any address. */
static void
test_edges(void **state)
{
	const struct aes_variant_name *v;
	static const uint8_t key[32] = { 1 }, iv[16] = { 2 };
	uint8_t m[16 + 400 + 16];
	struct aes_key k;
	struct aes_ctr c;
	size_t len, off, i;

	(void)state;
	for (v = aes_variants(); v->name != NULL; v++) {
		aes_key_init_with(&k, v->variant, key);
		for (len = 0; len <= 400; len++) {
			off = 1 + len % 16;
			memset(m, 0, sizeof(m));
			aes_ctr_begin(&c, &k, iv);
			aes_ctr_run(&c, m + off, len);
			for (i = 0; i < off; i++)
				assert_int_equal(m[i], 0);
			for (i = off + len; i < sizeof(m); i++)
				assert_int_equal(m[i], 0);
		}
	}
}

static void
test_variants_agree(void **state)
{
	const struct aes_variant_name *v;
	uint8_t key[32], iv[16], m[3000], first[3000] = { 0 }, was[3000];
	uint32_t seed = 3;
	struct aes_key k;
	struct aes_ctr c;
	size_t len;
	int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		len = random_len(&seed, sizeof(m));
		random_fill(&seed, key, sizeof(key));
		random_fill(&seed, iv, sizeof(iv));
		random_fill(&seed, was, len);
		for (v = aes_variants(); v->name != NULL; v++) {
			memcpy(m, was, len);
			aes_key_init_with(&k, v->variant, key);
			aes_ctr_begin(&c, &k, iv);
			aes_ctr_run(&c, m, len);
			if (v == aes_variants())
				memcpy(first, m, len);
			if (memcmp(m, first, len) != 0)
				fail_msg("%s disagrees", v->name);
		}
	}
}

/* restic-format 16: the 32 MiB that the chunker's vectors are cut from. */
static void
test_long_stream(void **state)
{
	static const uint8_t zero[32];
	uint8_t m[65536];
	char hex[ID_HEX + 1];
	struct aes_key k;
	struct aes_ctr c;
	struct sha256 h;
	struct id id;
	int i;

	(void)state;
	aes_key_init(&k, zero);
	aes_ctr_begin(&c, &k, zero);
	sha256_begin(&h);
	for (i = 0; i < 512; i++) {
		memset(m, 0, sizeof(m));
		aes_ctr_run(&c, m, sizeof(m));
		sha256_update(&h, m, sizeof(m));
	}
	sha256_end(&h, &id);
	assert_string_equal(hex_encode(hex, id.b, ID_LEN), "580881df129d7ef368"
	    "20a14231d4dab34d306a37ef48c49463da3b05282de687");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_variants_agree),
		cmocka_unit_test(test_long_stream),
	};

	return (cmocka_run_group_tests_name("crypto/aes_ctr", tests, NULL,
	    NULL));
}

/*
 * scrypt: vectors too large for a board's self test, every stride against the
 * plain run, the budget, and parameters that a hostile key file may hold.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hex.h"
#include "crypto/scrypt.h"
#include "random.h"

static const struct {
	const char *pass;
	const char *salt;
	uint32_t n, r, p;
	const char *key;
} vectors[] = {
	/* RFC 7914, 12 */
	{ "", "", 16, 1, 1,
	    "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
	    "fcd0069ded0948f8326a753a0fc81f17"
	    "e8d3e0fb2e0d3628cf35e20c38d18906" },
	{ "password", "NaCl", 1024, 8, 16,
	    "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
	    "2eaf30d92e22a3886ff109279d9830da"
	    "c727afb94a83ee6d8360cbdfa2cc0640" },
	{ "pleaseletmein", "SodiumChloride", 16384, 8, 1,
	    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
	    "d5432955613f0fcf62d49705242a9af9"
	    "e61e85dc0d651e40dfcf017b45575887" },

	/* Python's hashlib: the least that is allowed, and odd r and p. */
	{ "p", "s", 2, 1, 1,
	    "48b0d2a8a3272611984c50ebd630af52"
	    "e187db3433930c3b74d0889935944cf3" },
	{ "p", "s", 4, 1, 1,
	    "d8632136c84c7801f2307fc6c2736bdf"
	    "1e5f35d37f661398180c46febe2d1c2d" },
	{ "p", "s", 2, 3, 2,
	    "0653174ed389c7a2bc6b3c7ece6e04d8"
	    "96046df079690cd3b3fb5200d87779bf" },
	{ "p", "s", 64, 3, 2,
	    "4b5972c63ecc4a7d16ef9088d24abbe9"
	    "09b8783ba2f0debe2efe65f7410592d7" },
};

/* Strides past 16 only where they are quick. */
static void
test_vectors(void **state)
{
	uint8_t key[64];
	char hex[129];
	size_t i, t, len, v;

	(void)state;
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (t = 1; t <= (vectors[i].n <= 64 ? 64 : 16); t *= 2) {
			len = strlen(vectors[i].key) / 2;
			v = (size_t)128 * vectors[i].r *
			    (vectors[i].n > t ? vectors[i].n / t : 1);
			assert_int_equal(scrypt(vectors[i].pass,
			    strlen(vectors[i].pass), vectors[i].salt,
			    strlen(vectors[i].salt), vectors[i].n, vectors[i].r,
			    vectors[i].p, v, key, len, NULL), 0);
			assert_string_equal(hex_encode(hex, key, len),
			    vectors[i].key);
		}
}

/* HMAC takes a password of a block as it is and hashes a longer one. */
static void
test_long_passwords(void **state)
{
	static const struct {
		size_t len;
		const char *begin;
	} cases[] = {
		{ 63, "0786b009fdc2d296ab78627d76c5c08e" },
		{ 64, "35a2c22708cc114830e72bf0ff5f6406" },
		{ 65, "c9ef3d87149787f233c3c559d15d19ca" },
		{ 200, "b7940309da6fc3d42fc6542a548c54f7" },
	};
	uint8_t pass[200], key[16];
	char hex[33];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pass); i++)
		pass[i] = (uint8_t)(i * 5 + 1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(scrypt(pass, cases[i].len, "salt", 4, 16, 2,
		    3, 1 << 16, key, sizeof(key), NULL), 0);
		assert_string_equal(hex_encode(hex, key, sizeof(key)),
		    cases[i].begin);
	}
}

static void
test_strides_agree(void **state)
{
	uint8_t pass[100], salt[100], plain[64], key[64];
	uint32_t seed = 1, n, r, p;
	size_t pass_len, salt_len, t;
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		pass_len = random_len(&seed, sizeof(pass));
		salt_len = random_len(&seed, sizeof(salt));
		random_fill(&seed, pass, pass_len);
		random_fill(&seed, salt, salt_len);
		n = 2u << random_next(&seed) % 7;
		r = 1 + random_next(&seed) % 9;
		p = 1 + random_next(&seed) % 3;
		assert_int_equal(scrypt(pass, pass_len, salt, salt_len, n, r,
		    p, (size_t)128 * r * n, plain, sizeof(plain), NULL), 0);
		for (t = 2; t <= 64 && t <= n; t *= 2) {
			assert_int_equal(scrypt(pass, pass_len, salt, salt_len,
			    n, r, p, (size_t)128 * r * n / t, key,
			    sizeof(key), NULL), 0);
			assert_memory_equal(plain, key, sizeof(key));
		}
	}
}

/* A shorter key is the beginning of a longer one; no byte behind it moves. */
static void
test_lengths(void **state)
{
	uint8_t all[200], key[201];
	size_t len;

	(void)state;
	assert_int_equal(scrypt(NULL, 0, NULL, 0, 4, 1, 1, 4096, all,
	    sizeof(all), NULL), 0);
	for (len = 0; len <= sizeof(all); len++) {
		memset(key, 0xee, sizeof(key));
		assert_int_equal(scrypt(NULL, 0, NULL, 0, 4, 1, 1, 4096, key,
		    len, NULL), 0);
		assert_memory_equal(key, all, len);
		assert_int_equal(key[len], 0xee);
	}
}

static void
test_bad_parameters(void **state)
{
	static const uint32_t bad[][3] = {
		{ 0, 8, 1 }, { 1, 8, 1 }, { 3, 8, 1 }, { 1023, 8, 1 },
		{ 1024, 0, 1 }, { 1024, 8, 0 },
		{ 1u << 31, 1, 1 }, { 1u << 24, 1, 1 },
		{ 1u << 21, 8, 1 }, { 2, 1u << 23, 1 }, { 2, UINT32_MAX, 1 },
		{ 1u << 31, UINT32_MAX, UINT32_MAX },
		{ 2, 1, 1u << 30 }, { 2, 8, 1u << 27 }, { 2, 8, UINT32_MAX },
	};
	uint8_t key[32];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		assert_int_equal(scrypt("p", 1, "s", 1, bad[i][0], bad[i][1],
		    bad[i][2], SIZE_MAX, key, sizeof(key), &e), ERR_USAGE);
		assert_int_equal(e.code, ERR_USAGE);
	}
}

static void
test_budget(void **state)
{
	static const struct {
		uint32_t n, r;
		size_t budget;
		int rc;
	} cases[] = {
		{ 1024, 8, 16384, 0 },                /* stride 64 fits */
		{ 1024, 8, 16383, ERR_LIMIT },
		{ 1024, 8, 0, ERR_LIMIT },
		{ 2, 1, 128, 0 },
		{ 2, 1, 127, ERR_LIMIT },
		{ 2, 1u << 16, 1u << 23, ERR_LIMIT }, /* one block fits, */
		{ 2, 1u << 16, 3u << 23, 0 },         /* three must */
		{ 1u << 24, 1, 1u << 20, ERR_USAGE },
		{ 1u << 23, 1, 1u << 20, ERR_LIMIT },
	};
	uint8_t key[32];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err_clear(&e);
		assert_int_equal(scrypt("p", 1, "s", 1, cases[i].n, cases[i].r,
		    1, cases[i].budget, key, sizeof(key), &e), cases[i].rc);
		assert_int_equal(e.code, cases[i].rc);
	}
}

/* A KiB figure of /proc/self/status, or 0. */
static long
status_kib(const char *name)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	if (f == NULL)
		return (0);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtol(line + strlen(name), NULL, 10);
	(void)fclose(f);
	return (kib);
}

/* restic's parameters in 2 MiB for 32; a sanitizer's shadow may add to them. */
static void
test_memory(void **state)
{
	FILE *f = fopen("/proc/self/clear_refs", "w");
	uint8_t key[64];
	long before, peak;

	(void)state;
	if (f == NULL || fputs("5", f) < 0 || fclose(f) != 0)
		skip();
	before = status_kib("VmRSS:");
	assert_int_equal(scrypt("p", 1, "s", 1, 32768, 8, 1, 2 << 20, key,
	    sizeof(key), NULL), 0);
	peak = status_kib("VmHWM:");
	if (before == 0 || peak < before)
		skip();
	assert_in_range(peak - before, 0, 16 * 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_long_passwords),
		cmocka_unit_test(test_strides_agree),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_bad_parameters),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_memory),
	};

	return (cmocka_run_group_tests_name("crypto/scrypt", tests, NULL,
	    NULL));
}

/*
 * The envelope: round trips in pieces of any size, what is not ours, and many
 * threads that share a key from the first use on.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/seal.h"
#include "crypto/sha256.h"
#include "random.h"

enum {
	THREADS = 8,
	MIB = 1 << 20,
};

static uint8_t large[MIB + SEAL_OVERHEAD], back[MIB + SEAL_OVERHEAD];

static void
random_key(uint32_t *seed, struct seal_key *k)
{
	uint8_t raw[SEAL_KEY_LEN];

	random_fill(seed, raw, sizeof(raw));
	seal_key_init(k, raw);
}

/* Seal in pieces what lies at m + SEAL_IV, as a pack writer does. */
static void
seal_in_pieces(const struct seal_key *k, uint32_t *seed, uint8_t *m, size_t len)
{
	size_t at, n;
	struct seal s;

	random_fill(seed, m, SEAL_IV);
	seal_begin(&s, k, m);
	for (at = 0; at < len; at += n) {
		n = random_len(seed, len - at);
		seal_update(&s, m + SEAL_IV + at, n);
	}
	seal_end(&s, m + SEAL_IV + len);
}

/* Open in pieces, as a reader does: authenticate all, then decrypt all. */
static bool
open_in_pieces(const struct seal_key *k, uint32_t *seed, uint8_t *m, size_t len)
{
	size_t at, n;
	struct seal s;

	unseal_begin(&s, k, m);
	for (at = 0; at < len; at += n) {
		n = random_len(seed, len - at);
		unseal_mac(&s, m + SEAL_IV + at, n);
	}
	if (!unseal_check(&s, m + SEAL_IV + len))
		return (false);
	for (at = 0; at < len; at += n) {
		n = random_len(seed, len - at);
		unseal_run(&s, m + SEAL_IV + at, n);
	}
	return (true);
}

/* Plain bytes sealed in pieces and whole are the same, and open both ways. */
static void
round_trip(const struct seal_key *k, uint32_t *seed, uint8_t *plain, size_t len)
{

	memcpy(large + SEAL_IV, plain, len);
	seal_in_pieces(k, seed, large, len);
	seal_whole(k, large, plain, len, back);
	assert_memory_equal(large, back, len + SEAL_OVERHEAD);
	assert_true(unseal_whole(k, back, len + SEAL_OVERHEAD));
	assert_memory_equal(back + SEAL_IV, plain, len);
	assert_true(open_in_pieces(k, seed, large, len));
	assert_memory_equal(large + SEAL_IV, plain, len);
}

static void
test_round_trips(void **state)
{
	uint8_t *plain = malloc(MIB);
	struct seal_key k;
	uint32_t seed = 1;
	size_t len;

	(void)state;
	assert_non_null(plain);
	for (len = 0; len <= 300; len++) {
		random_key(&seed, &k);
		random_fill(&seed, plain, len);
		round_trip(&k, &seed, plain, len);
	}
	random_fill(&seed, plain, MIB);
	round_trip(&k, &seed, plain, MIB);
	free(plain);
}

/* Another key, a byte more, a byte less: nothing opens, nothing is changed. */
static void
test_not_ours(void **state)
{
	uint8_t m[101 + SEAL_OVERHEAD], was[sizeof(m)];
	uint8_t raw[SEAL_KEY_LEN], other[SEAL_KEY_LEN];
	uint32_t seed = 2;
	struct seal_key k;
	size_t len = sizeof(m) - 1, i;

	(void)state;
	random_fill(&seed, raw, sizeof(raw));
	random_fill(&seed, m, sizeof(m));
	seal_key_init(&k, raw);
	seal_in_pieces(&k, &seed, m, len - SEAL_OVERHEAD);
	memcpy(was, m, sizeof(m));
	for (i = 0; i <= sizeof(m); i++)
		if (i != len) {
			assert_false(unseal_whole(&k, m,
			    i < sizeof(m) ? i : sizeof(m)));
			assert_memory_equal(m, was, sizeof(m));
		}

	/* A wrong bit in K or R; enc has no part in the tag. */
	for (i = 32; i < SEAL_KEY_LEN; i++) {
		memcpy(other, raw, sizeof(raw));
		other[i] ^= 4;
		seal_key_init(&k, other);
		assert_false(unseal_whole(&k, m, len));
		assert_memory_equal(m, was, sizeof(m));
	}
	seal_key_init(&k, raw);
	assert_true(unseal_whole(&k, m, len));
}

static void
test_wiped(void **state)
{
	struct seal_key k;
	struct seal s;
	uint8_t iv[16] = { 1 }, tag[16], zero[sizeof(k)] = { 0 };
	uint32_t seed = 3;

	(void)state;
	random_key(&seed, &k);
	seal_begin(&s, &k, iv);
	seal_update(&s, tag, 5);
	seal_end(&s, tag);
	assert_memory_equal(&s, zero, sizeof(s));
	seal_key_wipe(&k);
	assert_memory_equal(&k, zero, sizeof(k));
}

struct worker {
	pthread_t thread;
	const struct seal_key *key;
	uint8_t m[5000];
	struct id id;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	uint32_t seed = 5;

	random_fill(&seed, w->m, sizeof(w->m));
	seal_in_pieces(w->key, &seed, w->m, sizeof(w->m) - SEAL_OVERHEAD);
	sha256(w->m, sizeof(w->m), &w->id);
	return (NULL);
}

/*
 * All at once, and first of all tests: the variants of SHA-256 and Poly1305 are
 * chosen while everybody waits for them.
 */
static void
test_threads(void **state)
{
	static struct worker workers[THREADS];
	static const uint8_t raw[SEAL_KEY_LEN] = { 6 };
	struct seal_key k;
	int i;

	(void)state;
	seal_key_init(&k, raw);
	for (i = 0; i < THREADS; i++) {
		workers[i].key = &k;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work,
		    &workers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(id_eq(&workers[i].id, &workers[0].id));
	}
	assert_true(unseal_whole(&k, workers[0].m, sizeof(workers[0].m)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_wiped),
	};

	return (cmocka_run_group_tests_name("crypto/seal", tests, NULL, NULL));
}

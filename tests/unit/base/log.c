/*
 * The log: what is said, to whom, and how much of it. Random bytes, on kernels
 * without a call for them, too. And the checksum of local caches, of which only
 * one thing is asked: that a change shows.
 */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/rand.h"
#include "base/sum.h"
#include "unit/rng.h"

struct heard {
	unsigned n;
	enum log_level level;
	char line[2000];
	unsigned broken;     /* lines that are not one line of ours */
};

static void
hear(void *cookie, enum log_level level, const char *line)
{
	struct heard *h = cookie;

	h->n++;
	h->level = level;
	(void)snprintf(h->line, sizeof(h->line), "%s", line);
	if (strncmp(line, "warning: thread ", 16) != 0)
		h->broken++;
}

static void
test_levels(void **state)
{
	struct heard h = { .n = 0 };

	(void)state;
	log_to(hear, &h);
	log_error("no %s", "luck");
	assert_string_equal(h.line, "error: no luck");
	assert_int_equal(h.level, LOG_ERROR);
	log_warn("%d%%", 99);
	assert_string_equal(h.line, "warning: 99%");
	log_info("quiet");
	log_debug("quiet");
	assert_int_equal(h.n, 2);
	log_threshold(LOG_DEBUG);
	log_info("heard");
	assert_string_equal(h.line, "heard");
	log_debug("this too");
	assert_int_equal(h.level, LOG_DEBUG);
	assert_int_equal(h.n, 4);
	log_threshold(LOG_ERROR);
	log_warn("quiet");
	assert_int_equal(h.n, 4);
	log_threshold(LOG_WARN);
	log_to(NULL, NULL);
}

/* Too long is cut, not refused. */
static void
test_long(void **state)
{
	static char text[5000];
	struct heard h = { .n = 0 };

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_to(hear, &h);
	log_error("%s", text);
	assert_int_equal(h.n, 1);
	assert_in_range(strlen(h.line), 1000, 1500);
	log_to(NULL, NULL);
}

/* Without anybody else it goes to standard error, a line each. */
static void
test_stderr(void **state)
{
	char text[200] = "";
	int fd[2], err;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	err = dup(2);
	assert_int_equal(dup2(fd[1], 2), 2);
	log_error("one");
	log_warn("two");
	log_info("none");
	assert_int_equal(dup2(err, 2), 2);
	(void)close(err);
	(void)close(fd[1]);
	assert_true(read(fd[0], text, sizeof(text) - 1) > 0);
	(void)close(fd[0]);
	assert_string_equal(text, "error: one\nwarning: two\n");
}

static void *
talk(void *arg)
{
	int i;

	for (i = 0; i < 500; i++)
		log_warn("thread %s says %d", (const char *)arg, i);
	return (NULL);
}

static void
test_threads(void **state)
{
	static char name[4][2] = { "a", "b", "c", "d" };
	struct heard h = { .n = 0 };
	pthread_t t[4];
	int i;

	(void)state;
	log_to(hear, &h);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, talk, name[i]), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	log_to(NULL, NULL);
	assert_int_equal(h.n, 2000);
	assert_int_equal(h.broken, 0);
}

/* Kernels before 3.17 do not have it. */
static bool no_getrandom;

ssize_t
getrandom(void *p, size_t len, unsigned flags)
{

	if (no_getrandom) {
		errno = ENOSYS;
		return (-1);
	}
	/* Little at a time, as it may. */
	return (syscall(SYS_getrandom, p, len > 100 ? 100 : len, flags));
}

static void
test_rand(void **state)
{
	static uint8_t p[2][1000];
	struct err e = ERR_INIT;
	unsigned seen = 0, i, k;
	uint8_t any[125];

	(void)state;
	for (i = 0; i < 2; i++) {
		no_getrandom = i != 0;
		memset(p, 0, sizeof(p));
		assert_int_equal(rand_bytes(p[0], sizeof(p[0]) - 1, &e), 0);
		assert_int_equal(rand_bytes(p[1], sizeof(p[1]) - 1, &e), 0);
		assert_int_equal(rand_bytes(NULL, 0, &e), 0);
		assert_int_equal(p[0][999], 0);
		assert_int_not_equal(memcmp(p[0], p[1], 1000), 0);
		/* Of each eight bytes one is not zero. */
		memset(any, 0, sizeof(any));
		for (k = 0; k < 1000; k++)
			any[k / 8] |= p[0][k];
		for (k = 0; k < 125; k++)
			seen += any[k] != 0;
	}
	assert_in_range(seen, 249, 250);
	no_getrandom = false;
}

/* Each bit, the length and the seed count. */
static void
test_sum(void **state)
{
	static const size_t len[] = { 0, 1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 63,
	    64, 65, 100, 4080 };
	uint8_t p[4081] = { 0 };
	uint64_t seed = 1, sum;
	size_t i, bit;
	int zero;

	(void)state;
	for (i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		for (zero = 0; zero < 2; zero++) {
			memset(p, 0, sizeof(p));
			if (!zero)
				rng_fill(&seed, p, len[i]);
			sum = sum64(p, len[i], 7);
			assert_int_equal(sum, sum64(p, len[i], 7));
			assert_int_not_equal(sum, sum64(p, len[i], 6));
			assert_int_not_equal(sum, sum64(p, len[i], 0));
			assert_int_not_equal(sum, sum64(p, len[i] + 1, 7));
			for (bit = 0; bit < 8 * len[i]; bit++) {
				p[bit / 8] ^= (uint8_t)(1 << bit % 8);
				/* The low 24 bits, too: the blob map's. */
				if ((sum64(p, len[i], 7) & 0xffffff) ==
				    (sum & 0xffffff))
					fail_msg("bit %zu of %zu bytes", bit,
					    len[i]);
				p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_rand),
		cmocka_unit_test(test_sum),
	};

	return (cmocka_run_group_tests_name("base/log", tests, NULL, NULL));
}

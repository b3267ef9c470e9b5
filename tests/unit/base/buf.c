/*
 * The growing buffer, held against its ceiling.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "unit/rng.h"

/* A refused allocation is an answer here, not a finding. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{

	return ("allocator_may_return_null=1");
}

/* Against a plain array: what went in is there, what would not fit is not. */
static void
test_model(void **state)
{
	uint8_t model[1000], piece[300], *room;
	struct buf b = BUF_INIT(sizeof(model));
	uint64_t seed = 1;
	size_t len = 0, n;
	int round, rc;

	(void)state;
	for (round = 0; round < 20000; round++) {
		n = rng_below(&seed, sizeof(piece));
		rng_fill(&seed, piece, n);
		switch (rng_below(&seed, 40)) {
		case 0:
			buf_reset(&b);
			len = 0;
			continue;
		case 1:
			buf_free(&b);
			assert_null(b.p);
			len = 0;
			continue;
		case 2:
			/* Room that is not used leaves no trace. */
			rc = buf_room(&b, n + 1, &room, NULL);
			if (rc == 0)
				memset(room, 0, n + 1);
			break;
		default:
			rc = buf_add(&b, piece, n, NULL);
			assert_int_equal(rc, len + n <= sizeof(model) ? 0 :
			    ERR_LIMIT);
			if (rc == 0) {
				memcpy(model + len, piece, n);
				len += n;
			}
		}
		assert_int_equal(b.len, len);
		assert_true(b.cap <= b.max);
		assert_memory_equal(b.p, model, len);
	}
	buf_free(&b);
}

static void
test_ceiling(void **state)
{
	static const size_t ceilings[] = { 0, 1, 63, 64, 65, 128, 1000 };
	uint8_t big[1001] = { 0 };
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
		struct buf b = BUF_INIT(ceilings[i]);

		assert_int_equal(buf_add(&b, big, ceilings[i] + 1, &e),
		    ERR_LIMIT);
		assert_null(b.p);
		assert_int_equal(buf_add(&b, big, ceilings[i], &e), 0);
		assert_int_equal(b.len, ceilings[i]);
		assert_int_equal(buf_add(&b, big, 0, &e), 0);
		assert_int_equal(buf_add(&b, big, 1, &e), ERR_LIMIT);
		assert_int_equal(buf_nul(&b, &e), ERR_LIMIT);
		assert_int_equal(buf_add(&b, big, SIZE_MAX, &e), ERR_LIMIT);
		assert_int_equal(b.len, ceilings[i]);
		buf_free(&b);
	}
}

/* Sizes near the end of the address space neither wrap nor hang. */
static void
test_huge(void **state)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct err e = ERR_INIT;
	uint8_t *room;

	(void)state;
	assert_int_equal(buf_str(&b, "abc", &e), 0);
	assert_int_equal(buf_room(&b, SIZE_MAX - 3, &room, &e), ERR_NOMEM);
	assert_int_equal(buf_room(&b, SIZE_MAX - 2, &room, &e), ERR_LIMIT);
	assert_int_equal(buf_room(&b, SIZE_MAX / 2, &room, &e), ERR_NOMEM);
	assert_memory_equal(b.p, "abc", 3);
	assert_int_equal(b.len, 3);
	buf_free(&b);
}

static void
test_text(void **state)
{
	struct buf b = BUF_INIT(16);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(buf_str(&b, "", &e), 0);
	assert_int_equal(buf_str(&b, "ab", &e), 0);
	assert_int_equal(buf_printf(&b, &e, "-%d-%s", 12, "x"), 0);
	assert_int_equal(buf_nul(&b, &e), 0);
	assert_string_equal((char *)b.p, "ab-12-x");
	assert_int_equal(b.len, 7);
	assert_int_equal(buf_printf(&b, &e, "%s", "1234567890"), ERR_LIMIT);
	assert_int_equal(b.len, 7);
	assert_memory_equal(b.p, "ab-12-x", 7);

	/* Formatting writes a NUL, and that must fit too. */
	assert_int_equal(buf_printf(&b, &e, "%s", "123456789"), ERR_LIMIT);
	assert_int_equal(buf_printf(&b, &e, "%s", "12345678"), 0);
	assert_int_equal(b.len, 15);
	assert_int_equal(buf_str(&b, "9", &e), 0);
	assert_memory_equal(b.p, "ab-12-x123456789", 16);
	buf_free(&b);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_text),
	};

	return (cmocka_run_group_tests_name("base/buf", tests, NULL, NULL));
}

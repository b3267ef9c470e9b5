/*
 * The published vectors: the same table that `garner selftest` runs.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/selftest.h"

static void
test_all(void **state)
{
	const struct selftest *t;
	char detail[64];
	struct err e = ERR_INIT;

	(void)state;
	for (t = crypto_selftests; t->name != NULL; t++) {
		memset(detail, 'x', sizeof(detail));
		if (t->run(detail, sizeof(detail), &e) != 0)
			fail_msg("%s: %s", t->name, e.text);
		assert_non_null(memchr(detail, '\0', sizeof(detail)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
	};

	return (cmocka_run_group_tests_name("crypto/selftest", tests, NULL,
	    NULL));
}

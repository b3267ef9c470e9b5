/*
 * Errors: every errno that a caller tells apart, notes and hints, and texts
 * that are longer than there is room.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"

static void
test_set(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
	assert_int_equal(err_set(&e, ERR_LIMIT, "%d of %s", 3, "4"),
	    ERR_LIMIT);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.text, "3 of 4");

	/* Afresh: the hint of the error before is not this one's. */
	assert_int_equal(err_hint(&e, "try %d", 5), ERR_LIMIT);
	assert_string_equal(e.hint, "try 5");
	assert_int_equal(err_set(&e, ERR_FAIL, "no"), ERR_FAIL);
	assert_string_equal(e.hint, "");

	assert_int_equal(err_nomem(&e), ERR_NOMEM);
	assert_int_equal(e.code, ERR_NOMEM);
	err_clear(&e);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
	assert_string_equal(e.hint, "");
}

static void
test_sys(void **state)
{
	static const struct {
		int n, code;
	} cases[] = {
		{ ENOENT, ERR_ABSENT }, { ENOTDIR, ERR_ABSENT },
		{ EEXIST, ERR_EXISTS }, { ENOSPC, ERR_SPACE },
		{ EDQUOT, ERR_SPACE }, { EACCES, ERR_DENIED },
		{ EPERM, ERR_DENIED }, { EROFS, ERR_DENIED },
		{ ENOMEM, ERR_NOMEM }, { EIO, ERR_FAIL }, { EISDIR, ERR_FAIL },
	};
	struct err e = ERR_INIT;
	char want[100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)err_set(&e, ERR_FAIL, "old");
		(void)err_hint(&e, "old");
		errno = cases[i].n;
		assert_int_equal(err_sys(&e, "cannot %s", "go"),
		    cases[i].code);
		assert_int_equal(errno, cases[i].n);
		assert_int_equal(e.code, cases[i].code);
		assert_int_equal(e.sys, cases[i].n);
		assert_string_equal(e.hint, "");
		(void)snprintf(want, sizeof(want), "cannot go: %s",
		    strerror(cases[i].n));
		assert_string_equal(e.text, want);
		errno = cases[i].n;
		assert_int_equal(err_sys(NULL, "cannot"), cases[i].code);
	}
	(void)err_set(&e, ERR_FAIL, "not the kernel's");
	assert_int_equal(e.sys, 0);
}

static void
test_note(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	errno = ENOENT;
	(void)err_sys(&e, "cannot open 'x'");
	assert_int_equal(err_note(&e, "pack %s", "ab"), ERR_ABSENT);
	assert_int_equal(err_note(&e, "repository"), ERR_ABSENT);
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.text, "repository: pack ab: cannot open 'x': "
	    "No such file or directory");
	assert_int_equal(err_hint(&e, "first"), ERR_ABSENT);
	assert_int_equal(err_hint(&e, "second"), ERR_ABSENT);
	assert_string_equal(e.hint, "first");
}

/* A path may have 4095 characters: what is cut is the path, not the reason. */
static void
test_long(void **state)
{
	static char path[4096];
	struct err e = ERR_INIT;
	const char *tail = ": No space left on device";

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	assert_int_equal(err_set(&e, ERR_FAIL, "%s", path), ERR_FAIL);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	(void)err_hint(&e, "%s", path);
	assert_int_equal(strlen(e.hint), sizeof(e.hint) - 1);

	errno = ENOSPC;
	assert_int_equal(err_sys(&e, "cannot write '%s'", path), ERR_SPACE);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "cannot write 'ppp", 17);
	assert_string_equal(e.text + strlen(e.text) - strlen(tail), tail);

	(void)err_set(&e, ERR_FAIL, "why");
	assert_int_equal(err_note(&e, "%s", path), ERR_FAIL);
	assert_string_equal(e.text + strlen(e.text) - 6, "p: why");
	assert_int_equal(err_note(&e, "%s", path), ERR_FAIL);
	assert_int_equal(err_note(&e, "%s", path), ERR_FAIL);
	assert_true(strlen(e.text) < sizeof(e.text));
}

static void
test_null(void **state)
{

	(void)state;
	assert_int_equal(err_set(NULL, ERR_LOCKED, "x"), ERR_LOCKED);
	assert_int_equal(err_nomem(NULL), ERR_NOMEM);
	assert_true(err_note(NULL, "x") < 0);
	assert_true(err_hint(NULL, "x") < 0);
	err_clear(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_sys),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_null),
	};

	return (cmocka_run_group_tests_name("base/err", tests, NULL, NULL));
}

/*
 * Options: every kind in every spelling, what stays of argv, and what is said
 * about words that are none.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/opt.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct common {
	bool quiet, dry;
	unsigned verbose;
	const char *repo;
};

static const struct opt common_opts[] = {
	OPT(struct common, quiet, "quiet", 'q', OPT_FLAG, NULL, "say little"),
	OPT(struct common, dry, "dry-run", 'n', OPT_FLAG, NULL, "only look"),
	OPT(struct common, verbose, "verbose", 'v', OPT_COUNT, NULL,
	    "say more"),
	OPT(struct common, repo, "repo", 'r', OPT_TEXT, "LOCATION",
	    "where the repository is"),
	OPT_END
};

struct own {
	struct opt_list exclude;
	uint64_t keep, size, span;
	const char *secret;
};

static const struct opt own_opts[] = {
	OPT(struct own, exclude, "exclude", 'e', OPT_LIST, "PATTERN",
	    "leave out what matches"),
	OPT(struct own, keep, "keep-last", 0, OPT_UINT, "N", "keep so many"),
	OPT(struct own, size, "pack-size", 0, OPT_SIZE, "SIZE",
	    "an option whose words are so long that they need two lines"),
	OPT(struct own, span, "keep-within", 'w', OPT_SPAN, "SPAN", "keep"),
	OPT(struct own, secret, "tag", 0, OPT_TEXT, "X", "mark it"),
	OPT(struct own, secret, "hidden", 0, OPT_TEXT, "X", NULL),
	OPT_END
};

static struct common common;
static struct own own;
static struct opt_set sets[] = {
	{ common_opts, &common }, { own_opts, &own }, { NULL, NULL },
};

/* Parse the words of ${line}; what is left of them in ${rest}, with spaces. */
static int
parse(const char *line, char rest[200], struct err *e)
{
	static char copy[400], *argv[64], *save;
	int argc = 0, left = 0, rc, i;
	char *word;

	opt_release(sets, COUNT(sets));
	memset(&common, 0, sizeof(common));
	memset(&own, 0, sizeof(own));
	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &save); word != NULL;
	    word = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
	rc = opt_parse(sets, COUNT(sets), argc, argv, &left, e);
	rest[0] = '\0';
	for (i = 0; rc == 0 && i < left; i++)
		(void)snprintf(rest + strlen(rest), 200 - strlen(rest), "%s%s",
		    i > 0 ? " " : "", argv[i]);
	return (rc);
}

static void
test_accepted(void **state)
{
	static const struct {
		const char *line, *rest;
		bool quiet, dry;
		unsigned verbose;
		const char *repo;
		size_t excludes;
		uint64_t keep, size, span;
	} cases[] = {
		{ "", "", .repo = NULL },
		{ "a b", "a b", .repo = NULL },
		{ "-q", "", .quiet = true },
		{ "--quiet --dry-run", "", .quiet = true, .dry = true },
		{ "--quiet=true", "", .quiet = true },
		{ "-q --quiet=false", "", .quiet = false },
		{ "-qn a -v", "a", .quiet = true, .dry = true, .verbose = 1 },
		{ "-vv --verbose -v", "", .verbose = 4 },
		{ "-v --verbose=3", "", .verbose = 3 },
		{ "--verbose=0", "", .verbose = 0 },
		{ "--repo x", "", .repo = "x" },
		{ "--repo=x", "", .repo = "x" },
		{ "--repo=", "", .repo = "" },
		{ "--repo ''", "", .repo = "" },
		{ "--repo --quiet", "", .repo = "--quiet" },
		{ "--repo --", "", .repo = "--" },
		{ "--repo=a=b", "", .repo = "a=b" },
		{ "-r x -rlast", "", .repo = "last" },
		{ "-r=x", "", .repo = "x" },
		{ "-r=", "", .repo = "" },
		{ "-qvrx y", "y", .quiet = true, .verbose = 1, .repo = "x" },
		{ "-qr x y", "y", .quiet = true, .repo = "x" },
		{ "a -q b -- -n --nonsense --", "a b -n --nonsense --",
		    .quiet = true },
		{ "- a", "- a", .repo = NULL },
		{ "'' a", " a", .repo = NULL },
		{ "-e a --exclude b --exclude=c -ed", "", .excludes = 4 },
		{ "--keep-last 0", "", .keep = 0 },
		{ "--keep-last 18446744073709551615", "", .keep = UINT64_MAX },
		{ "--keep-last 007", "", .keep = 7 },
		{ "--pack-size 16M", "", .size = 16 << 20 },
		{ "--keep-within 1h30m", "", .span = 5400 },
		{ "-w7d", "", .span = 7 * 86400 },
		{ "--hidden=x", "", .repo = NULL },
	};
	struct err e = ERR_INIT;
	char rest[200];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		if (parse(cases[i].line, rest, &e) != 0)
			fail_msg("'%s': %s", cases[i].line, e.text);
		if (strcmp(rest, cases[i].rest) != 0 ||
		    common.quiet != cases[i].quiet ||
		    common.dry != cases[i].dry ||
		    common.verbose != cases[i].verbose ||
		    (common.repo == NULL) != (cases[i].repo == NULL) ||
		    (common.repo != NULL &&
		    strcmp(common.repo, cases[i].repo) != 0) ||
		    own.exclude.n != cases[i].excludes ||
		    own.keep != cases[i].keep || own.size != cases[i].size ||
		    own.span != cases[i].span)
			fail_msg("'%s' is understood wrongly, '%s' is left",
			    cases[i].line, rest);
	}
	(void)parse("-e a --exclude b --exclude=c -ed", rest, &e);
	assert_string_equal(own.exclude.v[0], "a");
	assert_string_equal(own.exclude.v[1], "b");
	assert_string_equal(own.exclude.v[2], "c");
	assert_string_equal(own.exclude.v[3], "d");
	opt_release(sets, COUNT(sets));
	assert_int_equal(own.exclude.n, 0);
	assert_null(own.exclude.v);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *line, *text, *hint;
	} cases[] = {
		{ "--quit", "unknown option '--quit'", "did you mean --quiet?" },
		{ "--exlcude", "unknown option '--exlcude'",
		    "did you mean --exclude?" },
		/* What stands behind the sign is no part of the name, and may
		   be a secret that went to the wrong option. */
		{ "--exlcude=*.o", "unknown option '--exlcude'",
		    "did you mean --exclude?" },
		{ "--zzzzzzz", "unknown option '--zzzzzzz'",
		    "--help lists the options" },
		/* Three letters of three are another word. */
		{ "--abc", "unknown option '--abc'",
		    "--help lists the options" },
		{ "--hiden", "unknown option '--hiden'",
		    "--help lists the options" },
		{ "--=x", "unknown option '--'", "--help lists the options" },
		{ "--quie", "unknown option '--quie'",
		    "did you mean --quiet?" },
		{ "---quiet", "unknown option '---quiet'",
		    "did you mean --quiet?" },
		{ "-x", "unknown option '-x'", "--help lists the options" },
		{ "-qx", "unknown option '-x' in '-qx'",
		    "--help lists the options" },
		{ "-q=", "unknown option '-=' in '-q='",
		    "--help lists the options" },
		{ "--quiet=no", "--quiet takes no value", "" },
		{ "--quiet=", "--quiet takes no value", "" },
		{ "a --repo", "--repo needs a value (LOCATION)", "" },
		{ "-qr", "-r needs a value (LOCATION)", "" },
		{ "-w", "-w needs a value (SPAN)", "" },
		{ "--verbose=10",
		    "--verbose: '10' is not a level from 0 to 9", "" },
		{ "--verbose=", "--verbose: '' is not a level from 0 to 9",
		    "" },
		{ "--verbose=1x",
		    "--verbose: '1x' is not a level from 0 to 9", "" },
		{ "--keep-last -1",
		    "--keep-last: '-1' is not a whole number", "" },
		{ "--keep-last +1",
		    "--keep-last: '+1' is not a whole number", "" },
		{ "--keep-last ''", "--keep-last: '' is not a whole number",
		    "" },
		{ "--keep-last 1.5",
		    "--keep-last: '1.5' is not a whole number", "" },
		{ "--keep-last 18446744073709551616", "--keep-last: "
		    "'18446744073709551616' is not a whole number", "" },
		{ "--pack-size 1X",
		    "--pack-size: '1X' is not a size like 500K, 16M or 2G",
		    "" },
		{ "-w5", "--keep-within: '5' is not a time span like 90s, "
		    "15m, 24h or 7d", "" },
	};
	struct err e = ERR_INIT;
	char rest[200];
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		err_clear(&e);
		rc = parse(cases[i].line, rest, &e);
		if (rc != ERR_USAGE || e.code != rc)
			fail_msg("'%s' returned %d", cases[i].line, rc);
		if (strcmp(e.text, cases[i].text) != 0 ||
		    strcmp(e.hint, cases[i].hint) != 0)
			fail_msg("'%s' says '%s', hint '%s'", cases[i].line,
			    e.text, e.hint);
	}
	opt_release(sets, COUNT(sets));
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t v;
	} good[] = {
		{ "0", 0 }, { "12", 12 }, { "12B", 12 }, { "12b", 12 },
		{ "4K", 4096 }, { "4k", 4096 }, { "4KB", 4096 },
		{ "4KiB", 4096 }, { "3m", 3 << 20 }, { "1G", 1 << 30 },
		{ "2T", 2ull << 40 }, { "16777215T", 16777215ull << 40 },
		{ "18446744073709551615", UINT64_MAX },
		{ "18014398509481983K", 18014398509481983ull << 10 },
	};
	static const char *const bad[] = {
		"", " 1", "1 ", "-1", "+1", "K", "1.5G", "1KK", "1Ki", "1KBB",
		"1 K", "1P", "1\x0b", "0x10", "1kib", "18446744073709551616",
		"18014398509481984K", "16777216T", "99999999999999999999B",
		"1@", "1[",
	};
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!opt_size(good[i].text, &v) || v != good[i].v)
			fail_msg("'%s' is not %llu", good[i].text,
			    (unsigned long long)good[i].v);
	for (i = 0; i < COUNT(bad); i++)
		if (opt_size(bad[i], &v))
			fail_msg("'%s' is accepted", bad[i]);
}

static void
test_spans(void **state)
{
	static const struct {
		const char *text;
		uint64_t v;
	} good[] = {
		{ "0s", 0 }, { "90s", 90 }, { "15m", 900 }, { "26h", 93600 },
		{ "7d", 604800 }, { "2w", 1209600 }, { "1h30m", 5400 },
		{ "30m1h", 5400 }, { "1d1d", 172800 },
		{ "18446744073709551615s", UINT64_MAX },
		{ "18446744073709551614s1s", UINT64_MAX },
	};
	static const char *const bad[] = {
		"", "5", "s", "1h30", "-1s", "1 h", "1h ", "1y", "1H", "1.5h",
		"1h+5m", "1h 5m", "18446744073709551616s",
		"18446744073709551615s1s", "307445734561825861m",
		"99999999999999999999999s", "1hh",
	};
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!opt_span(good[i].text, &v) || v != good[i].v)
			fail_msg("'%s' is not %llu", good[i].text,
			    (unsigned long long)good[i].v);
	for (i = 0; i < COUNT(bad); i++)
		if (opt_span(bad[i], &v))
			fail_msg("'%s' is accepted", bad[i]);
}

static void
test_distance(void **state)
{
	static const struct {
		const char *x, *y;
		unsigned d;
	} cases[] = {
		{ "", "", 0 }, { "abc", "abc", 0 }, { "", "abc", 3 },
		{ "kitten", "sitting", 3 }, { "quit", "quiet", 1 },
		{ "ab", "ba", 2 }, { "flaw", "lawn", 2 },
		{ "intention", "execution", 5 },
		{ "0123456789012345678901234567890123", "0", 32 },
		{ "01234567890123456789012345678901", "", 32 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(opt_distance(cases[i].x, cases[i].y),
		    cases[i].d);
		assert_int_equal(opt_distance(cases[i].y, cases[i].x),
		    cases[i].d);
	}
}

static void
test_print(void **state)
{
	char text[2000];
	int out, fd[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	(void)fflush(stdout);
	out = dup(1);
	assert_int_equal(dup2(fd[1], 1), 1);
	opt_print(common_opts);
	opt_print(own_opts);
	opt_print(NULL);
	(void)fflush(stdout);
	assert_int_equal(dup2(out, 1), 1);
	(void)close(out);
	(void)close(fd[1]);
	n = read(fd[0], text, sizeof(text) - 1);
	(void)close(fd[0]);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text,
	    "  -q, --quiet                       say little\n"));
	assert_non_null(strstr(text,
	    "  -r, --repo LOCATION               where the repository is\n"));
	assert_non_null(strstr(text,
	    "      --keep-last N                 keep so many\n"));
	assert_null(strstr(text, "hidden"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_print),
	};

	return (cmocka_run_group_tests_name("base/opt", tests, NULL, NULL));
}

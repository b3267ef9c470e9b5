/*
 * Snapshots as text: what is read is written again, also what only others
 * understand; and lists of texts.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "repo/snapshot.h"
#include "unit/scratch.h"

#define TREE "9d1f478168cd833718ad156090694bb90754015668adecd717ca2de24d4f5835"

static const struct id some_id;

static void
parse(const char *text, struct snapshot *ret)
{
	struct err e = ERR_INIT;

	snapshot_init(ret);
	assert_ok(snapshot_parse(&some_id, text, strlen(text), ret, &e), &e);
}

static void
check_again(const char *text, const char *want)
{
	struct buf b = BUF_INIT(65536);
	struct err e = ERR_INIT;
	struct snapshot s;

	parse(text, &s);
	assert_false(s.cut);
	assert_ok(snapshot_text(&s, &b, &e), &e);
	assert_ok(buf_nul(&b, &e), &e);
	assert_string_equal((char *)b.p, want);
	buf_free(&b);
	snapshot_free(&s);
}

#define SUMMARY "\"summary\":{\"backup_start\":\"2024-01-02T03:04:05Z\"," \
    "\"backup_end\":\"2024-01-02T03:04:06Z\",\"files_new\":1," \
    "\"files_changed\":2,\"files_unmodified\":3,\"dirs_new\":4," \
    "\"dirs_changed\":5,\"dirs_unmodified\":6,\"data_blobs\":7," \
    "\"tree_blobs\":8,\"data_added\":9,\"data_added_packed\":10," \
    "\"total_files_processed\":11,\"total_bytes_processed\":12"

static void
test_again(void **state)
{
	static const char all[] = "{\"time\":\"2024-01-02T03:04:05.678+01:00\","
	    "\"parent\":\"" TREE "\",\"tree\":\"" TREE "\","
	    "\"paths\":[\"/a\",\"/b\"],\"hostname\":\"h\",\"username\":\"u\","
	    "\"uid\":1,\"gid\":2,\"excludes\":[\"*.o\"],\"tags\":[\"t\"],"
	    "\"original\":\"" TREE "\",\"program_version\":\"restic 0.19.1\","
	    SUMMARY "}}";

	(void)state;
	check_again(all, all);
	check_again("{\"time\":\"2024-01-02T03:04:05Z\",\"tree\":\"" TREE
	    "\",\"paths\":null}", "{\"time\":\"2024-01-02T03:04:05Z\","
	    "\"tree\":\"" TREE "\",\"paths\":[]}");
}

/* A newer program may say more than we know. */
static void
test_unknown(void **state)
{

	(void)state;
	check_again("{ \"new\" : [1, {\"a\": \"]\\u0041\"}] ,"
	    "\"time\":\"2024-01-02T03:04:05Z\",\"description\":\"words\","
	    "\"tree\":\"" TREE "\"," SUMMARY ",\"total_magic\": 13 },"
	    "\"paths\":[\"/a\"], \"last\":null }",
	    "{\"time\":\"2024-01-02T03:04:05Z\",\"tree\":\"" TREE "\","
	    "\"paths\":[\"/a\"]," SUMMARY ",\"total_magic\": 13},"
	    "\"new\" : [1, {\"a\": \"]\\u0041\"}],\"description\":\"words\","
	    "\"last\":null}");
}

/* What does not fit its field is told apart: it must not be saved again. */
static void
test_cut(void **state)
{
	static const char *const text[] = {
		"\"tags\":[\"a\\u0000b\"]",
		"\"hostname\":\"a\\u0000b\"",
		"\"program_version\":\"0123456789012345678901234567890123456789"
		"01234567890123456789012345678901234567890123456789012345678901"
		"234567890123456789012345678901234567890123456789\"",
	};
	char all[1024];
	struct snapshot s;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		(void)snprintf(all, sizeof(all), "{\"time\":"
		    "\"2024-01-02T03:04:05Z\",\"tree\":\"%s\",%s}", TREE,
		    text[i]);
		parse(all, &s);
		assert_true(s.cut);
		snapshot_free(&s);
	}
}

static void
test_sort(void **state)
{
	static const char *const words[] = { "b", "", "a/b", "\xff", "a", "b",
	    "a/" };
	static const char *const want[] = { "", "a", "a/", "a/b", "b", "b",
	    "\xff" };
	struct err e = ERR_INIT;
	struct snapshot s;
	const char *p = NULL;
	size_t i;

	(void)state;
	snapshot_init(&s);
	assert_ok(text_list_sort(&s.paths, &e), &e);
	for (i = 0; i < 7; i++)
		assert_ok(text_list_add(&s.paths, words[i], strlen(words[i]),
		    &e), &e);
	assert_ok(text_list_sort(&s.paths, &e), &e);
	for (i = 0; i < 7; i++) {
		p = text_list_next(&s.paths, p);
		assert_non_null(p);
		assert_string_equal(p, want[i]);
	}
	assert_null(text_list_next(&s.paths, p));
	text_list_reset(&s.paths);
	assert_null(text_list_next(&s.paths, NULL));
	snapshot_free(&s);
}

static void
test_tags(void **state)
{
	struct snapshot with, without;

	(void)state;
	parse("{\"time\":\"2024-01-02T03:04:05Z\",\"tree\":\"" TREE "\","
	    "\"tags\":[\"one\",\"two\"]}", &with);
	parse("{\"time\":\"2024-01-02T03:04:05Z\",\"tree\":\"" TREE "\"}",
	    &without);
	assert_true(snapshot_has_tags(&with, "one"));
	assert_true(snapshot_has_tags(&with, "two,one"));
	assert_true(snapshot_has_tags(&with, " two , one\t"));
	assert_false(snapshot_has_tags(&with, "one,three"));
	assert_false(snapshot_has_tags(&with, "on"));
	assert_false(snapshot_has_tags(&with, ""));
	assert_false(snapshot_has_tags(&with, "one,"));
	assert_true(snapshot_has_tags(&without, ""));
	assert_true(snapshot_has_tags(&without, ",one"));
	assert_false(snapshot_has_tags(&without, "one"));
	assert_false(snapshot_has_tags(&without, "one,"));
	snapshot_free(&with);
	snapshot_free(&without);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_tags),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}

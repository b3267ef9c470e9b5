/*
 * Retention: the calendar's corners, each rule by itself, and random policies
 * over random times against a second opinion that is written down as plainly as
 * the rules are told (restic-format 12).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "run/retention.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RULE(x) (1u << RETAIN_##x)

static const struct when long_after = { .sec = INT64_C(200000000000) };

static struct when
at(const char *text)
{
	struct when w = { 0 };

	assert_true(when_parse(&w, text, strlen(text)));
	return (w);
}

/* ---- weeks and years ---- */

/* Do two points in time belong to the same stretch for this rule? */
static bool
together(enum retention_rule rule, const char *newer, const char *older)
{
	struct retention_policy p = { .count = { 0 } };
	struct when a = at(newer), b = at(older);
	struct retention r;

	p.count[rule] = RETAIN_ALL;
	retention_begin(&r, &p, &long_after);
	assert_int_equal(retention_next(&r, &a, false).rules, 1u << rule);
	return (retention_next(&r, &b, false).rules == 0);
}

static void
test_stretches(void **state)
{

	(void)state;
	/* A week belongs to the year of its Thursday. */
	assert_true(together(RETAIN_WEEKLY, "2005-01-02T23:59:59Z",
	    "2004-12-27T00:00:00Z"));
	assert_false(together(RETAIN_WEEKLY, "2005-01-03T00:00:00Z",
	    "2005-01-02T23:59:59Z"));
	assert_true(together(RETAIN_WEEKLY, "2009-01-04T12:00:00Z",
	    "2008-12-29T12:00:00Z"));
	assert_true(together(RETAIN_WEEKLY, "2010-01-03T12:00:00Z",
	    "2009-12-28T12:00:00Z"));
	assert_false(together(RETAIN_WEEKLY, "2010-01-04T12:00:00Z",
	    "2010-01-03T12:00:00Z"));
	/* The same week's number is not the same week. */
	assert_false(together(RETAIN_WEEKLY, "2010-03-03T12:00:00Z",
	    "2009-03-04T12:00:00Z"));
	assert_true(together(RETAIN_YEARLY, "2024-12-31T23:59:59Z",
	    "2024-01-01T00:00:00Z"));
	assert_false(together(RETAIN_YEARLY, "2025-01-01T00:00:00Z",
	    "2024-12-31T23:59:59Z"));
	assert_false(together(RETAIN_MONTHLY, "2024-03-01T00:00:00Z",
	    "2024-02-29T23:59:59Z"));
	assert_false(together(RETAIN_MONTHLY, "2024-03-01T00:00:00Z",
	    "2023-03-01T00:00:00Z"));
	assert_false(together(RETAIN_DAILY, "2024-03-01T00:00:00Z",
	    "2024-02-01T00:00:00Z"));
	assert_true(together(RETAIN_HOURLY, "2024-03-01T10:59:59.9Z",
	    "2024-03-01T10:00:00Z"));
	assert_false(together(RETAIN_HOURLY, "2024-03-02T10:00:00Z",
	    "2024-03-01T10:00:00Z"));
	/* The calendar is the one that the time was written in. */
	assert_true(together(RETAIN_DAILY, "2024-03-01T23:30:00-05:00",
	    "2024-03-01T20:00:00-05:00"));
	assert_true(together(RETAIN_DAILY, "2024-03-02T00:30:00+14:00",
	    "2024-03-02T01:30:00+15:30"));
	assert_false(together(RETAIN_DAILY, "2024-03-02T00:30:00+02:00",
	    "2024-03-01T22:00:00Z"));
}

/* Every day of four centuries, as the C library counts weeks. */
static void
test_weeks(void **state)
{
	struct retention_policy p = { .count = { 0 } };
	char text[16], last[16] = "";
	struct retention r;
	struct when w = { 0 };
	struct tm tm;
	bool kept;
	time_t t;
	int day;

	(void)state;
	p.count[RETAIN_WEEKLY] = RETAIN_ALL;
	retention_begin(&r, &p, &long_after);
	for (day = 146097; day > 0; day--) {
		w.sec = t = INT64_C(1000000000) + (time_t)day * 86400;
		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(strftime(text, sizeof(text), "%G-%V", &tm),
		    7);
		kept = retention_next(&r, &w, false).rules != 0;
		if (kept != (strcmp(text, last) != 0))
			fail_msg("%s after %s", text, last);
		strcpy(last, text);
	}
}

/* ---- ages ---- */

/* Is ${t} within ${age} of ${newest}? */
static bool
young(const char *newest, const char *age, const char *t)
{
	struct retention_policy p = { .count = { 0 } };
	struct when a = at(newest), b = at(t);
	struct retention r;

	assert_true(retention_parse_age(age, &p.age[RETAIN_WITHIN]));
	retention_begin(&r, &p, &long_after);
	assert_int_equal(retention_next(&r, &a, false).rules, RULE(WITHIN));
	return (retention_next(&r, &b, true).rules != 0);
}

/* The limit itself is too old by a hair. */
static void
check_limit(const char *newest, const char *age, const char *limit)
{
	struct when w = at(limit);
	char later[WHEN_TEXT];

	w.nsec++;
	if (young(newest, age, limit) ||
	    !young(newest, age, when_format(&w, later)))
		fail_msg("%s less %s is not %s", newest, age, limit);
}

static void
test_ages(void **state)
{

	(void)state;
	setenv("TZ", "UTC", 1);
	check_limit("2024-05-20T10:00:00Z", "1d", "2024-05-19T10:00:00Z");
	check_limit("2024-05-20T10:00:00Z", "36h", "2024-05-18T22:00:00Z");
	check_limit("2024-05-20T10:00:00.5Z", "1y2m3d4h",
	    "2023-03-17T06:00:00.5Z");
	/* A day that the month does not have runs over into the next. */
	check_limit("2023-03-31T10:00:00Z", "1m", "2023-03-03T10:00:00Z");
	check_limit("2024-03-31T10:00:00Z", "1m", "2024-03-02T10:00:00Z");
	check_limit("2024-02-29T10:00:00Z", "1y", "2023-03-01T10:00:00Z");
	check_limit("2024-05-31T10:00:00Z", "3m1d", "2024-03-01T10:00:00Z");
	check_limit("2024-12-31T23:00:00Z", "6m", "2024-07-01T23:00:00Z");
	check_limit("2024-01-15T10:00:00Z", "1m", "2023-12-15T10:00:00Z");
	check_limit("2024-01-15T10:00:00Z", "25m", "2021-12-15T10:00:00Z");
	check_limit("2024-01-01T00:30:00Z", "1h", "2023-12-31T23:30:00Z");
	/* In a foreign zone the clock has no summer. */
	check_limit("2024-04-15T12:00:00+02:00", "1m",
	    "2024-03-15T12:00:00+02:00");
	/* Ages beyond all reason keep all. */
	assert_true(young("2024-05-20T10:00:00Z", "999999999y",
	    "0001-01-01T00:00:00Z"));
	assert_true(young("2024-05-20T10:00:00Z", "999999999m",
	    "0001-01-01T00:00:00Z"));
	assert_true(young("2024-05-20T10:00:00Z", "999999999h",
	    "0001-01-01T00:00:00Z"));
}

/* In the zone of this box, it has: as restic reckons. */
static void
test_summer(void **state)
{

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	check_limit("2024-04-15T12:00:00+02:00", "1m", "2024-03-15T11:00:00Z");
	check_limit("2024-11-15T12:00:00+01:00", "1m", "2024-10-15T10:00:00Z");
	check_limit("2024-04-01T12:00:00+02:00", "24h", "2024-03-31T10:00:00Z");
	check_limit("2024-04-01T12:00:00+02:00", "2d", "2024-03-30T11:00:00Z");
	/* Hours that there are not, and hours that there are twice. */
	check_limit("2024-04-01T02:30:00+02:00", "1d", "2024-03-31T01:30:00Z");
	check_limit("2024-10-28T02:30:00+01:00", "1d", "2024-10-27T01:30:00Z");
	/* Z and other zones do not follow. */
	check_limit("2024-04-15T12:00:00Z", "1m", "2024-03-15T12:00:00Z");
	check_limit("2024-04-15T12:00:00+03:00", "1m", "2024-03-15T09:00:00Z");
	check_limit("2024-04-15T12:00:00+01:00", "1m", "2024-03-15T11:00:00Z");
	setenv("TZ", "UTC", 1);
}

/* ---- counting ---- */

static void
test_oldest(void **state)
{
	struct retention_policy p = { .count = { 0 } };
	struct when a = at("2024-05-20T10:00:00Z");
	struct when b = at("2024-05-20T09:00:00Z");
	struct retention_answer x;
	struct retention r;

	(void)state;
	/* The counter is not used up: the oldest stays, too. */
	p.count[RETAIN_DAILY] = 2;
	retention_begin(&r, &p, &long_after);
	assert_int_equal(retention_next(&r, &a, false).rules, RULE(DAILY));
	assert_int_equal(retention_next(&r, &b, false).rules, 0);
	x = retention_next(&r, &b, true);
	assert_int_equal(x.rules, RULE(DAILY));
	assert_int_equal(x.oldest, RULE(DAILY));
	/* It is. */
	p.count[RETAIN_DAILY] = 1;
	retention_begin(&r, &p, &long_after);
	assert_int_equal(retention_next(&r, &a, false).rules, RULE(DAILY));
	assert_int_equal(retention_next(&r, &b, true).rules, 0);
	/* A group of one is no such case. */
	retention_begin(&r, &p, &long_after);
	x = retention_next(&r, &a, true);
	assert_int_equal(x.rules, RULE(DAILY));
	assert_int_equal(x.oldest, 0);
}

/* What lies ahead is young, but nothing is reckoned from it. */
static void
test_future(void **state)
{
	struct retention_policy p = { .count = { 0 } };
	struct when now = at("2024-05-20T10:00:00Z");
	struct when ahead = at("2030-05-20T10:00:00Z");
	struct when a = at("2024-05-10T10:00:00Z");
	struct when b = at("2024-05-08T10:00:00Z");
	struct retention r;

	(void)state;
	p.age[RETAIN_WITHIN].days = 3;
	p.age[RETAIN_WITHIN_YEARLY].days = 1;
	retention_begin(&r, &p, &now);
	assert_int_equal(retention_next(&r, &ahead, false).rules,
	    RULE(WITHIN) | RULE(WITHIN_YEARLY));
	assert_int_equal(retention_next(&r, &a, false).rules,
	    RULE(WITHIN) | RULE(WITHIN_YEARLY));
	assert_int_equal(retention_next(&r, &b, false).rules, RULE(WITHIN));
	retention_begin(&r, &p, &now);
	assert_int_equal(retention_next(&r, &ahead, true).rules,
	    RULE(WITHIN) | RULE(WITHIN_YEARLY));
}

/* ---- a second opinion ---- */

enum { TIMES_MAX = 120 };

struct opinion {
	uint16_t rules, oldest;
};

/* The name of the stretch that a rule sees, as text. */
static void
stretch(int rule, const struct when *w, int nr, char ret[32])
{
	static const char *const format[RETAIN_RULES] = {
		[RETAIN_HOURLY] = "%Y%m%d %H", [RETAIN_DAILY] = "%Y%m%d",
		[RETAIN_WEEKLY] = "%G %V", [RETAIN_MONTHLY] = "%Y%m",
		[RETAIN_YEARLY] = "%Y",
	};
	time_t t = w->sec + w->offset_s;
	struct tm tm;

	if (rule > RETAIN_YEARLY)
		rule -= RETAIN_WITHIN_HOURLY - RETAIN_HOURLY;
	if (rule == RETAIN_LAST) {
		(void)snprintf(ret, 32, "%d", nr);
		return;
	}
	assert_non_null(gmtime_r(&t, &tm));
	assert_true(strftime(ret, 32, format[rule], &tm) > 0);
}

/* The limit of an age by the C library's timegm, which carries days over. */
static int64_t
limit_of(const struct when *latest, const struct retention_age *a)
{
	time_t t = latest->sec + latest->offset_s;
	struct tm tm;

	assert_non_null(gmtime_r(&t, &tm));
	tm.tm_year -= (int)a->years;
	tm.tm_mon -= (int)a->months;
	tm.tm_mday -= (int)a->days;
	return ((int64_t)timegm(&tm) - latest->offset_s -
	    (int64_t)a->hours * 3600);
}

static void
second_opinion(const struct retention_policy *p, const struct when *w, int n,
    const struct when *now, struct opinion *ret)
{
	const struct when *latest = NULL;
	char name[32], last[32];
	int rule, i, left;
	int64_t limit;

	memset(ret, 0, (size_t)n * sizeof(*ret));
	for (i = n - 1; i >= 0; i--)
		if (w[i].sec < now->sec)
			latest = &w[i];
	for (rule = 0; rule < RETAIN_RULES; rule++) {
		bool counted = rule >= RETAIN_LAST && rule <= RETAIN_YEARLY;
		const struct retention_age *a = &p->age[rule];

		left = (int)p->count[rule];
		if (!counted && a->years + a->months + a->days + a->hours == 0)
			continue;
		strcpy(last, "none yet");
		limit = counted || latest == NULL ? INT64_MIN :
		    limit_of(latest, a);
		for (i = 0; i < n; i++) {
			if (counted ? left == 0 : w[i].sec <= limit)
				continue;
			if (rule == RETAIN_WITHIN) {
				ret[i].rules |= RULE(WITHIN);
				continue;
			}
			stretch(rule, &w[i], i, name);
			if (strcmp(name, last) == 0) {
				if (i < n - 1)
					continue;
				ret[i].oldest |= (uint16_t)(1u << rule);
			}
			strcpy(last, name);
			ret[i].rules |= (uint16_t)(1u << rule);
			if (left > 0)
				left--;
		}
	}
}

static int
newer_first(const void *x, const void *y)
{

	return (-when_cmp(x, y));
}

static void
random_policy(uint64_t *seed, struct retention_policy *p)
{
	int i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < RETAIN_RULES; i++) {
		if (rng_below(seed, 3) != 0)
			continue;
		if (i >= RETAIN_LAST && i <= RETAIN_YEARLY) {
			p->count[i] = (int64_t)rng_below(seed, 9) - 1;
			continue;
		}
		p->age[i].years = (uint32_t)rng_below(seed, 3) / 2;
		p->age[i].months = (uint32_t)rng_below(seed, 16) / 2;
		p->age[i].days = (uint32_t)rng_below(seed, 40) / 2;
		p->age[i].hours = (uint32_t)rng_below(seed, 50) / 2;
	}
}

static void
test_random(void **state)
{
	static const int32_t offsets[] = { 0, 3600, 7200, -18000, 20700,
	    50400, -39600 };
	struct opinion want[TIMES_MAX];
	struct when w[TIMES_MAX], now = at("2024-06-15T12:00:00Z");
	struct retention_policy p;
	struct retention_answer x;
	struct retention r;
	uint64_t seed = 7, span;
	int round, n, i;

	(void)state;
	setenv("TZ", "UTC", 1);
	for (round = 0; round < 3000; round++) {
		n = 1 + (int)rng_below(&seed, TIMES_MAX);
		span = 1 + rng_below(&seed, 3) * 80000000 +
		    rng_below(&seed, 1000000);
		for (i = 0; i < n; i++)
			w[i] = (struct when){ .sec = now.sec + 200000 -
			    (int64_t)rng_below(&seed, span),
			    .offset_s = offsets[rng_below(&seed,
			    COUNT(offsets))] };
		qsort(w, (size_t)n, sizeof(w[0]), newer_first);
		random_policy(&seed, &p);
		second_opinion(&p, w, n, &now, want);
		retention_begin(&r, &p, &now);
		for (i = 0; i < n; i++) {
			x = retention_next(&r, &w[i], i == n - 1);
			if (x.rules != want[i].rules ||
			    x.oldest != want[i].oldest)
				fail_msg("round %d, %d of %d: %x %x, not %x "
				    "%x", round, i, n, x.rules, x.oldest,
				    want[i].rules, want[i].oldest);
		}
	}
}

/* ---- words ---- */

static void
test_words(void **state)
{
	static const char *const tags[] = { "a, b", "", "c" };
	struct retention_policy p = { .tags = tags };
	struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;

	(void)state;
	assert_true(retention_empty(&p));
	assert_ok(retention_describe(&p, &b, &e), &e);
	assert_ok(buf_nul(&b, &e), &e);
	assert_string_equal((char *)b.p, "remove");
	p.n_tags = 3;
	assert_false(retention_empty(&p));
	assert_true(retention_parse_count("7", &p.count[RETAIN_LAST]));
	assert_true(retention_parse_count("unlimited",
	    &p.count[RETAIN_MONTHLY]));
	assert_true(retention_parse_age(" 3m1y ", &p.age[RETAIN_WITHIN]));
	assert_true(retention_parse_age("2d5h", &p.age[RETAIN_WITHIN_WEEKLY]));
	buf_reset(&b);
	assert_ok(retention_describe(&p, &b, &e), &e);
	assert_ok(buf_nul(&b, &e), &e);
	assert_string_equal((char *)b.p, "keep 7 latest, all monthly "
	    "snapshots, weekly snapshots within 2d5h and all snapshots with "
	    "tags [[a, b] [] [c]] and all snapshots within 1y3m of the newest");
	buf_reset(&b);
	assert_ok(retention_reason(&p, RETAIN_MONTHLY, true, &b, &e), &e);
	assert_ok(retention_reason(&p, RETAIN_WITHIN_WEEKLY, false, &b, &e),
	    &e);
	assert_ok(retention_reason(&p, RETAIN_WITHIN, false, &b, &e), &e);
	assert_ok(buf_nul(&b, &e), &e);
	assert_string_equal((char *)b.p, "oldest monthly snapshot"
	    "weekly within 2d5hwithin 1y3m");
	buf_free(&b);
}

static void
test_numbers(void **state)
{
	static const char *const no_count[] = { "", "x", "-2", "1x", " 1",
	    "1.0", "12345678901", "+1", "Unlimited" };
	static const char *const no_age[] = { "1", "d", "1w", "1d ago", "-1d",
	    "1 d", "12345678901d", "1dd" };
	struct retention_age a = { 1, 1, 1, 1 };
	int64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(no_count); i++)
		if (retention_parse_count(no_count[i], &n))
			fail_msg("'%s' is no count", no_count[i]);
	for (i = 0; i < COUNT(no_age); i++)
		if (retention_parse_age(no_age[i], &a))
			fail_msg("'%s' is no age", no_age[i]);
	assert_true(retention_parse_count("0", &n));
	assert_int_equal(n, 0);
	assert_true(retention_parse_count("-1", &n));
	assert_int_equal(n, RETAIN_ALL);
	assert_true(retention_parse_age("", &a));
	assert_int_equal(a.years + a.months + a.days + a.hours, 0);
	assert_true(retention_parse_age("2h3d4m5y1h", &a));
	assert_int_equal(a.hours, 1);
	assert_int_equal(a.days, 3);
	assert_int_equal(a.months, 4);
	assert_int_equal(a.years, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stretches),
		cmocka_unit_test(test_weeks),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_summer),
		cmocka_unit_test(test_oldest),
		cmocka_unit_test(test_future),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_numbers),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}

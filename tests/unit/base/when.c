/* Times: the calendar day by day, zones, fractions, clamping. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/when.h"

#define DAY 86400

static void
check_format(int64_t sec, int32_t nsec, int32_t offset_s, const char *want)
{
	struct when w = { .sec = sec, .nsec = nsec, .offset_s = offset_s };
	char text[WHEN_TEXT];

	memset(text, 'x', sizeof(text));
	assert_ptr_equal(when_format(&w, text), text);
	assert_string_equal(text, want);
}

/* Every day of the writable years, counted forward by the rules of school. */
static void
test_calendar(void **state)
{
	static const int days[] =
	    { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day, last, of_year, of_week = 6;
	int64_t sec = INT64_C(-62167219200);
	struct when w = { 0 };
	struct tm tm;

	(void)state;
	for (year = 0; year <= 9999; year++) {
		of_year = 0;
		for (month = 1; month <= 12; month++) {
			last = days[month - 1];
			if (month == 2 && (year % 400 == 0 ||
			    (year % 4 == 0 && year % 100 != 0)))
				last = 29;
			for (day = 1; day <= last; day++) {
				assert_int_equal(when_seconds(year, month, day,
				    0, 0, 0), sec);
				w.sec = sec + DAY - 1;
				when_fields(&w, &tm);
				if (tm.tm_year != year - 1900 ||
				    tm.tm_mon != month - 1 ||
				    tm.tm_mday != day || tm.tm_hour != 23 ||
				    tm.tm_min != 59 || tm.tm_sec != 59 ||
				    tm.tm_yday != of_year ||
				    tm.tm_wday != of_week)
					fail_msg("%04d-%02d-%02d", year, month,
					    day);
				of_year++;
				of_week = (of_week + 1) % 7;
				sec += DAY;
			}
		}
	}
	assert_int_equal(sec, INT64_C(253402300800));
}

/* As the C library sees it, where it agrees about the calendar. */
static void
test_fields(void **state)
{
	int64_t sec;
	struct when w = { 0 };
	struct tm tm, libc;
	time_t t;

	(void)state;
	for (sec = INT64_C(-70000000000); sec < INT64_C(300000000000);
	    sec += 12345678) {
		w.sec = t = sec;
		when_fields(&w, &tm);
		assert_non_null(gmtime_r(&t, &libc));
		assert_int_equal(tm.tm_year, libc.tm_year);
		assert_int_equal(tm.tm_yday, libc.tm_yday);
		assert_int_equal(tm.tm_wday, libc.tm_wday);
		assert_int_equal(tm.tm_mday, libc.tm_mday);
		assert_int_equal(tm.tm_sec, libc.tm_sec);
	}
	w.sec = -1;
	w.offset_s = 3600;
	when_fields(&w, &tm);
	assert_int_equal(tm.tm_year, 70);
	assert_int_equal(tm.tm_hour, 0);
	assert_int_equal(tm.tm_min, 59);
	assert_int_equal(tm.tm_gmtoff, 3600);

	/* The ends of time do not overflow. */
	w.sec = INT64_MAX;
	when_fields(&w, &tm);
	assert_int_equal(tm.tm_year, INT32_MAX);
	w.sec = INT64_MIN;
	when_fields(&w, &tm);
	assert_int_equal(tm.tm_year, INT32_MIN);
}

static void
test_format(void **state)
{

	(void)state;
	check_format(0, 0, 0, "1970-01-01T00:00:00Z");
	check_format(0, 1, 0, "1970-01-01T00:00:00.000000001Z");
	check_format(0, 100000000, 0, "1970-01-01T00:00:00.1Z");
	check_format(0, 120000, 0, "1970-01-01T00:00:00.00012Z");
	check_format(-1, 999999999, 0, "1969-12-31T23:59:59.999999999Z");
	check_format(0, 0, 5400, "1970-01-01T01:30:00+01:30");
	check_format(0, 0, -5400, "1969-12-31T22:30:00-01:30");
	check_format(0, 0, -86340, "1969-12-31T00:01:00-23:59");

	/* Odd zones are cut to what can be written. */
	check_format(0, 0, 59, "1970-01-01T00:00:00Z");
	check_format(0, 0, -59, "1970-01-01T00:00:00Z");
	check_format(0, 0, 3661, "1970-01-01T01:01:00+01:01");
	check_format(0, 0, -3661, "1969-12-31T22:59:00-01:01");
	check_format(0, 0, INT32_MAX, "1970-01-01T23:59:00+23:59");
	check_format(0, 0, INT32_MIN, "1969-12-31T00:01:00-23:59");
}

static void
test_clamp(void **state)
{
	const int64_t year0 = INT64_C(-62167219200);
	const int64_t year10000 = INT64_C(253402300800);

	(void)state;
	check_format(year0, 0, 0, "0000-01-01T00:00:00Z");
	check_format(year0 - 1, 5, 0, "0000-12-31T23:59:59.000000005Z");
	check_format(year10000 - 1, 0, 0, "9999-12-31T23:59:59Z");
	check_format(year10000, 7, 0, "9999-01-01T00:00:00.000000007Z");
	check_format(year10000 - 1, 0, 60, "9999-01-01T00:00:59+00:01");
	check_format(year0, 0, -60, "0000-12-31T23:59:00-00:01");
	/* 12000 is a leap year, 9999 is not. */
	check_format(when_seconds(12000, 2, 29, 12, 0, 0), 0, 0,
	    "9999-03-01T12:00:00Z");
	check_format(when_seconds(-4, 2, 29, 12, 0, 0), 0, 0,
	    "0000-02-29T12:00:00Z");
	check_format(INT64_MAX, 999999999, INT32_MAX,
	    "9999-12-31T23:58:59.999999999+23:59");
	check_format(INT64_MIN, 0, INT32_MIN, "0000-01-01T00:01:00-23:59");
}

static void
test_parse(void **state)
{
	static const char *const bad[] = {
		"", "Z", "2023", "2023-01-01", "2023-01-01T00:00:0Z",
		"023-01-01T00:00:00Z", "+023-01-01T00:00:00Z",
		"-001-01-01T00:00:00Z", "12023-01-01T00:00:00Z",
		"2023-1-01T00:00:00Z", "2023-01-01T0:00:00Z0",
		"2023-01-01T00:00:00+1:00", "2023-01-01T00:00:00+01:0",
		"2023-01-01T00:00:00+01:00Z", "2023-01-01T00:00:00.5",
		"2023-01-01T00:00:00.+01:00", "2023-01-01T00:00:00.1.2Z",
		" 2023-01-01T00:00:00Z", "2023-01-01T00:00:00 Z",
		"2023-01-01T-1:00:00Z", "2023-01-01T00:00:00~01:00",
		"2023-01-01T00:00:00+0a:00", "2023/01/01T00:00:00Z",
	};
	const char *text = "2023-11-14T22:13:20.1234567+01:00";
	struct when w = { 1, 2, 3 };
	size_t i, len;
	char *exact;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = strlen(bad[i]);
		exact = malloc(len + !len);
		assert_non_null(exact);
		memcpy(exact, bad[i], len);
		if (when_parse(&w, exact, len))
			fail_msg("%s is accepted", bad[i]);
		free(exact);
	}
	assert_int_equal(w.sec, 1);
	assert_int_equal(w.nsec, 2);
	assert_int_equal(w.offset_s, 3);

	/* Every cut of a good text is bad. */
	for (len = 0; len < strlen(text); len++) {
		exact = malloc(len + !len);
		assert_non_null(exact);
		memcpy(exact, text, len);
		assert_false(when_parse(&w, exact, len));
		free(exact);
	}

	/* A fraction of any length; what is beyond nanoseconds is cut off. */
	text = "1969-12-31T23:59:59.9999999999999999999999999999999999-00:00";
	assert_true(when_parse(&w, text, strlen(text)));
	assert_int_equal(w.sec, -1);
	assert_int_equal(w.nsec, 999999999);
	assert_int_equal(w.offset_s, 0);
	text = "0000-01-01T00:00:00+23:59";
	assert_true(when_parse(&w, text, strlen(text)));
	assert_int_equal(w.sec, INT64_C(-62167219200) - 86340);
}

/* What is written is read back as the same. */
static void
test_round(void **state)
{
	struct when w, back;
	char text[WHEN_TEXT];
	uint64_t seed = 1;
	int i;

	(void)state;
	for (i = 0; i < 1000000; i++) {
		seed = seed * UINT64_C(6364136223846793005) +
		    UINT64_C(1442695040888963407);
		w.sec = (int64_t)((seed >> 11) % UINT64_C(315569000000)) -
		    INT64_C(62167100000);
		w.nsec = (int32_t)((seed >> 20) % 1000000000);
		if (i % 3 == 0)
			w.nsec = w.nsec / 1000000 * 1000000;
		w.offset_s = (int32_t)((seed >> 40) % 2879) * 60 - 1439 * 60;
		when_format(&w, text);
		assert_true(when_parse(&back, text, strlen(text)));
		if (back.sec != w.sec || back.nsec != w.nsec ||
		    back.offset_s != w.offset_s || when_cmp(&back, &w) != 0)
			fail_msg("%s", text);
	}
}

static void
test_cmp(void **state)
{
	const struct when a = { 5, 7, 0 }, later = { 5, 8, -3600 },
	    next = { 6, 0, 3600 }, same = { 5, 7, 3600 };

	(void)state;
	assert_true(when_cmp(&a, &same) == 0);
	assert_true(when_cmp(&a, &later) < 0);
	assert_true(when_cmp(&later, &a) > 0);
	assert_true(when_cmp(&later, &next) < 0);
	assert_true(when_cmp(&next, &later) > 0);
}

static void
test_of(void **state)
{
	struct timespec ts = { .tv_sec = -2, .tv_nsec = 999999999 };
	struct when w = when_of(&ts);

	(void)state;
	assert_int_equal(w.sec, -2);
	assert_int_equal(w.nsec, 999999999);
	assert_int_equal(w.offset_s, 0);
	ts.tv_nsec = -1;        /* no kernel should, but a file can say it */
	w = when_of(&ts);
	assert_int_equal(w.sec, -3);
	assert_int_equal(w.nsec, 999999999);
	ts.tv_nsec = 1000000000;
	w = when_of(&ts);
	assert_int_equal(w.sec, -1);
	assert_int_equal(w.nsec, 0);
}

static void
test_now(void **state)
{
	struct when w;
	time_t t;

	(void)state;
	assert_int_equal(setenv("TZ", "XYZ-05:45", 1), 0);
	t = time(NULL);
	w = when_now(true);
	assert_in_range(w.sec - t, 0, 5);
	assert_int_equal(w.offset_s, 5 * 3600 + 45 * 60);
	assert_int_equal(setenv("TZ", "XYZ03:00:30", 1), 0);
	w = when_now(true);
	assert_int_equal(w.offset_s, -3 * 3600);
	w = when_now(false);
	assert_int_equal(w.offset_s, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_clamp),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_cmp),
		cmocka_unit_test(test_of),
		cmocka_unit_test(test_now),
	};

	return (cmocka_run_group_tests_name("base/when", tests, NULL, NULL));
}

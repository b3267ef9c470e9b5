/*
 * The calendar is counted here and not asked of the C library: mktime and
 * timegm think in int years and in the process's zone. A year begins in March,
 * so that the leap day is its last and the lengths of the months repeat in a
 * pattern of 153 days for five; 400 years are an era of 146097 days.
 */

#include "base/when.h"

#include <string.h>

#define DAY 86400
#define ERA 146097              /* days */
#define ERA_TO_1970 719468      /* days from 0000-03-01 to 1970-01-01 */

/* The seconds whose year fits tm_year. */
#define SEC_MIN (-67768040609740800)
#define SEC_MAX 67768036191676799

/* The farthest zone that "+hh:mm" is read for, and written. */
#define OFFSET_MAX (23 * 3600 + 59 * 60)

/* ${n} / ${by}, towards minus infinity; ${by} > 0. */
static int64_t
floor_div(int64_t n, int64_t by)
{

	return (n / by - (n % by < 0));
}

/* Days since 1970-01-01. */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t era;
	int of_era, of_year;

	if (month <= 2)
		year--;
	era = floor_div(year, 400);
	of_era = (int)(year - era * 400);
	of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return (era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
	    ERA_TO_1970);
}

/* And back. */
static void
date_of(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	int64_t era;
	int of_era, year, of_year, month;

	days += ERA_TO_1970;
	era = floor_div(days, ERA);
	of_era = (int)(days - era * ERA);

	/* Take the leap days out, and every year has 365. */
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) /
	    365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	*ret_day = of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = era * 400 + year + (*ret_month <= 2);
}

static bool
is_leap(int64_t year)
{

	return (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static int
days_in(int64_t year, int month)
{
	static const uint8_t days[] =
	    { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return (month == 2 && is_leap(year) ? 29 : days[month - 1]);
}

int64_t
when_seconds(int year, int month, int day, int h, int m, int s)
{

	return (days_of(year, month, day) * DAY + (int64_t)h * 3600 +
	    (int64_t)m * 60 + s);
}

/* The offset as it can be written: whole minutes, less than a day. */
static int32_t
fair_offset(int32_t s)
{

	if (s > OFFSET_MAX)
		return (OFFSET_MAX);
	if (s < -OFFSET_MAX)
		return (-OFFSET_MAX);
	return (s - s % 60);
}

/* Seconds since 1970 on the wall clock of the time's own zone. */
static int64_t
wall_of(const struct when *w)
{
	int64_t sec = w->sec;

	if (sec < SEC_MIN + DAY)
		sec = SEC_MIN + DAY;
	if (sec > SEC_MAX - DAY)
		sec = SEC_MAX - DAY;
	return (sec + fair_offset(w->offset_s));
}

struct when
when_of(const struct timespec *ts)
{
	int64_t nsec = ts->tv_nsec, carry = floor_div(nsec, 1000000000);

	return ((struct when){
		.sec = ts->tv_sec + carry,
		.nsec = (int32_t)(nsec - carry * 1000000000),
	});
}

struct when
when_now(bool local)
{
	struct timespec ts;
	struct when w;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	w = when_of(&ts);
	if (local) {
		tzset();        /* localtime_r need not */
		if (localtime_r(&ts.tv_sec, &tm) != NULL)
			w.offset_s = fair_offset((int32_t)tm.tm_gmtoff);
	}
	return (w);
}

static char *
put_digits(char *to, uint32_t v, int digits)
{
	int i;

	for (i = digits - 1; i >= 0; i--, v /= 10)
		to[i] = (char)('0' + v % 10);
	return (to + digits);
}

char *
when_format(const struct when *w, char ret[WHEN_TEXT])
{
	int64_t wall = wall_of(w), days = floor_div(wall, DAY), year;
	uint32_t of_day = (uint32_t)(wall - days * DAY), offset;
	uint32_t nsec = (uint32_t)w->nsec % 1000000000;
	int month, day;
	char *to = ret;

	/* Only the year is clamped, as restic does: 9999 has no leap day. */
	date_of(days, &year, &month, &day);
	if (year < 0)
		year = 0;
	if (year > 9999) {
		year = 9999;
		if (month == 2 && day == 29) {
			month = 3;
			day = 1;
		}
	}

	to = put_digits(to, (uint32_t)year, 4);
	*to++ = '-';
	to = put_digits(to, (uint32_t)month, 2);
	*to++ = '-';
	to = put_digits(to, (uint32_t)day, 2);
	*to++ = 'T';
	to = put_digits(to, of_day / 3600, 2);
	*to++ = ':';
	to = put_digits(to, of_day / 60 % 60, 2);
	*to++ = ':';
	to = put_digits(to, of_day % 60, 2);
	if (nsec != 0) {
		*to++ = '.';
		to = put_digits(to, nsec, 9);
		while (to[-1] == '0')
			to--;
	}

	offset = (uint32_t)fair_offset(w->offset_s);
	if (offset == 0) {
		*to++ = 'Z';
	} else {
		*to++ = w->offset_s < 0 ? '-' : '+';
		if (w->offset_s < 0)
			offset = 0 - offset;
		to = put_digits(to, offset / 3600, 2);
		*to++ = ':';
		to = put_digits(to, offset / 60 % 60, 2);
	}
	*to = '\0';
	return (ret);
}

/*
 * Exactly ${digits} digits at ${s}, between ${lo} and ${hi}; the caller knows
 * that they are there. -1 for anything else.
 */
static int
get_digits(const char *s, int digits, int lo, int hi)
{
	int v = 0;

	for (; digits > 0; digits--, s++) {
		if (*s < '0' || *s > '9')
			return (-1);
		v = v * 10 + (*s - '0');
	}
	return (v < lo || v > hi ? -1 : v);
}

bool
when_parse(struct when *ret, const char *s, size_t len)
{
	int year, month, day, h, m, sec, oh, om, scale;
	const char *end = s + len;
	int32_t nsec = 0, offset = 0;

	/* yyyy-mm-ddThh:mm:ss, and at least a Z */
	if (len < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' ||
	    s[13] != ':' || s[16] != ':')
		return (false);
	if ((year = get_digits(s, 4, 0, 9999)) < 0 ||
	    (month = get_digits(s + 5, 2, 1, 12)) < 0 ||
	    (day = get_digits(s + 8, 2, 1, days_in(year, month))) < 0 ||
	    (h = get_digits(s + 11, 2, 0, 23)) < 0 ||
	    (m = get_digits(s + 14, 2, 0, 59)) < 0 ||
	    (sec = get_digits(s + 17, 2, 0, 59)) < 0)
		return (false);
	s += 19;

	if (*s == '.') {
		if (++s == end || *s < '0' || *s > '9')
			return (false);
		scale = 100000000;
		for (; s < end && *s >= '0' && *s <= '9'; s++) {
			nsec += (*s - '0') * scale;
			scale /= 10;
		}
	}

	if (end - s == 6 && (*s == '+' || *s == '-') && s[3] == ':') {
		if ((oh = get_digits(s + 1, 2, 0, 23)) < 0 ||
		    (om = get_digits(s + 4, 2, 0, 59)) < 0)
			return (false);
		offset = oh * 3600 + om * 60;
		if (*s == '-')
			offset = -offset;
	} else if (end - s != 1 || *s != 'Z') {
		return (false);
	}
	ret->sec = when_seconds(year, month, day, h, m, sec) - offset;
	ret->nsec = nsec;
	ret->offset_s = offset;
	return (true);
}

int
when_cmp(const struct when *x, const struct when *y)
{

	if (x->sec != y->sec)
		return (x->sec < y->sec ? -1 : 1);
	return ((x->nsec > y->nsec) - (x->nsec < y->nsec));
}

void
when_fields(const struct when *w, struct tm *ret)
{
	int64_t wall = wall_of(w), days = floor_div(wall, DAY), year;
	int of_day = (int)(wall - days * DAY), month, day;

	date_of(days, &year, &month, &day);
	memset(ret, 0, sizeof(*ret));
	ret->tm_year = (int)(year - 1900);
	ret->tm_mon = month - 1;
	ret->tm_mday = day;
	ret->tm_hour = of_day / 3600;
	ret->tm_min = of_day / 60 % 60;
	ret->tm_sec = of_day % 60;
	ret->tm_yday = (int)(days - days_of(year, 1, 1));
	ret->tm_wday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
	ret->tm_gmtoff = fair_offset(w->offset_s);
	ret->tm_zone = ret->tm_gmtoff == 0 ? "UTC" : "";
}

#ifndef BASE_WHEN_H
#define BASE_WHEN_H

/*
 * Points in time, as restic writes them: RFC 3339 with nanoseconds, the
 * fraction without trailing zeros and left out when zero, offset zero as Z.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define WHEN_TEXT 40            /* longest text with its NUL */

struct when {
	int64_t sec;         /* since 1970, may be negative */
	int32_t nsec;        /* 0..999999999, counted upwards from sec */
	int32_t offset_s;    /* of the zone it was written in; 0 is Z */
};

/* Now, with the local offset (TZ, whole minutes) when ${local}, else UTC. */
struct when when_now(bool local);

/* From a timespec, in UTC. */
struct when when_of(const struct timespec *ts);

/**
 * when_format(w, ret):
 * Write the text and a NUL. A year outside 0000..9999 is clamped to the nearer
 * end, with month, day and clock kept, as restic does. The offset is cut to
 * whole minutes and to less than a day; the instant stays right. Return ${ret}.
 */
char *when_format(const struct when *w, char ret[WHEN_TEXT]);

/**
 * when_parse(ret, s, len):
 * Read RFC 3339: any number of fraction digits (beyond nine are cut off), Z or
 * +hh:mm. Return false, with ${ret} untouched, for anything else: impossible
 * dates, lower-case t and z, a leap second, a comma before the fraction.
 */
bool when_parse(struct when *ret, const char *s, size_t len);

/* <0, 0, >0 by instant; offsets do not matter. */
int when_cmp(const struct when *x, const struct when *y);

/*
 * The calendar fields in the time's own offset (as gmtime_r would fill; cut as
 * in when_format).
 */
void when_fields(const struct when *w, struct tm *ret);

/* Seconds since 1970 of a proleptic Gregorian date and time, UTC. */
int64_t when_seconds(int year, int month, int day, int h, int m, int s);

#endif /* BASE_WHEN_H */

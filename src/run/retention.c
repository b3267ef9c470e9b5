#include "run/retention.h"

#include <string.h>
#include <time.h>

#include "repo/snapshot.h"

enum { HOUR = 3600, DAY = 86400 };

/* What no hour, day, ... is. */
#define NOTHING INT64_MIN

static const struct {
	const char *name;    /* of the reason */
	const char *plural;  /* in the policy; NULL where it is told apart */
} rule[RETAIN_RULES] = {
	[RETAIN_WITHIN] = { "within", NULL },
	[RETAIN_LAST] = { "last snapshot", "latest" },
	[RETAIN_HOURLY] = { "hourly snapshot", "hourly" },
	[RETAIN_DAILY] = { "daily snapshot", "daily" },
	[RETAIN_WEEKLY] = { "weekly snapshot", "weekly" },
	[RETAIN_MONTHLY] = { "monthly snapshot", "monthly" },
	[RETAIN_YEARLY] = { "yearly snapshot", "yearly" },
	[RETAIN_WITHIN_HOURLY] = { "hourly within", "hourly" },
	[RETAIN_WITHIN_DAILY] = { "daily within", "daily" },
	[RETAIN_WITHIN_WEEKLY] = { "weekly within", "weekly" },
	[RETAIN_WITHIN_MONTHLY] = { "monthly within", "monthly" },
	[RETAIN_WITHIN_YEARLY] = { "yearly within", "yearly" },
};

static bool
counts(int i)
{

	return (i >= RETAIN_LAST && i <= RETAIN_YEARLY);
}

static bool
age_zero(const struct retention_age *a)
{

	return (a->years == 0 && a->months == 0 && a->days == 0 &&
	    a->hours == 0);
}

/* ---- the calendar ---- */

static int
days_in_year(int year)
{

	return ((int)((when_seconds(year + 1, 1, 1, 0, 0, 0) -
	    when_seconds(year, 1, 1, 0, 0, 0)) / DAY));
}

/* Year and week as ISO 8601 counts them: a week belongs to its Thursday. */
static int64_t
iso_week(const struct tm *tm)
{
	int thursday = tm->tm_yday - (tm->tm_wday + 6) % 7 + 3;
	int year = tm->tm_year + 1900;

	if (thursday < 0)
		thursday += days_in_year(--year);
	else if (thursday >= days_in_year(year))
		thursday -= days_in_year(year++);
	return ((int64_t)year * 100 + thursday / 7 + 1);
}

/* The stretch of time that a rule sees in ${tm}; ${nr} for the one that counts. */
static int64_t
bucket(int i, const struct tm *tm, uint64_t nr)
{
	int64_t year = (int64_t)tm->tm_year + 1900;
	int64_t day = (year * 100 + tm->tm_mon + 1) * 100 + tm->tm_mday;

	switch (i) {
	case RETAIN_HOURLY:
	case RETAIN_WITHIN_HOURLY:
		return (day * 100 + tm->tm_hour);
	case RETAIN_DAILY:
	case RETAIN_WITHIN_DAILY:
		return (day);
	case RETAIN_WEEKLY:
	case RETAIN_WITHIN_WEEKLY:
		return (iso_week(tm));
	case RETAIN_MONTHLY:
	case RETAIN_WITHIN_MONTHLY:
		return (day / 100);
	case RETAIN_YEARLY:
	case RETAIN_WITHIN_YEARLY:
		return (year);
	default:
		return ((int64_t)nr);
	}
}

/* Seconds that this box's zone is ahead of UTC at ${sec}. */
static int64_t
local_offset(int64_t sec)
{
	time_t t = (time_t)sec;
	struct tm tm;

	return (localtime_r(&t, &tm) != NULL ? tm.tm_gmtoff : 0);
}

/*
 * From a wall clock to UTC. restic reads a time whose offset is the one that this
 * box's zone has then as a time of that zone, summer time and all; others keep
 * their offset. The same is done here, or a policy would differ by an hour.
 */
static int64_t
wall_to_utc(int64_t wall, const struct when *like)
{
	int64_t offset = like->offset_s;

	tzset();
	if (offset != 0 && local_offset(like->sec) == offset) {
		offset = local_offset(wall);
		offset = local_offset(wall - offset);
	}
	return (wall - offset);
}

/* The moment that lies ${a} before ${t}: 31 March less a month is 3 March. */
static struct when
before(const struct when *t, const struct retention_age *a)
{
	struct when ret = *t;
	int64_t year, month, wall;
	struct tm tm;

	when_fields(t, &tm);
	year = (int64_t)tm.tm_year + 1900 - a->years;
	month = (int64_t)tm.tm_mon - a->months;
	year += month / 12;
	if ((month %= 12) < 0) {
		month += 12;
		year--;
	}
	wall = when_seconds((int)year, (int)month + 1, 1, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	wall += ((int64_t)tm.tm_mday - 1 - a->days) * DAY;
	ret.sec = wall_to_utc(wall, t) - (int64_t)a->hours * HOUR;
	return (ret);
}

/* ---- the rules ---- */

void
retention_begin(struct retention *r, const struct retention_policy *p,
    const struct when *now)
{
	int i;

	memset(r, 0, sizeof(*r));
	r->p = p;
	r->now = *now;
	for (i = 0; i < RETAIN_RULES; i++) {
		r->left[i] = p->count[i];
		r->seen[i] = NOTHING;
	}
}

/*
 * Is it younger than ${a}, reckoned from the newest? What lies in the future is,
 * and so is all while nothing else was seen.
 */
static bool
within(const struct retention *r, const struct when *t,
    const struct retention_age *a)
{
	struct when limit;

	if (!r->have_latest)
		return (true);
	limit = before(&r->latest, a);
	return (when_cmp(t, &limit) > 0);
}

/* Has rule ${i} anything to say about it? */
static bool
applies(const struct retention *r, int i, const struct when *t)
{

	if (counts(i))
		return (r->left[i] != 0);
	return (!age_zero(&r->p->age[i]) && within(r, t, &r->p->age[i]));
}

struct retention_answer
retention_next(struct retention *r, const struct when *t, bool oldest)
{
	struct retention_answer a = { 0, 0 };
	struct tm tm;
	int64_t b;
	int i;

	if (!r->have_latest && when_cmp(t, &r->now) < 0) {
		r->latest = *t;
		r->have_latest = true;
	}
	when_fields(t, &tm);
	for (i = 0; i < RETAIN_RULES; i++) {
		if (!applies(r, i, t))
			continue;
		if (i == RETAIN_WITHIN) {
			a.rules |= 1u << i;
			continue;
		}
		b = bucket(i, &tm, r->nr);
		if (b == r->seen[i] && !oldest)
			continue;
		a.rules |= (uint16_t)(1u << i);
		if (b == r->seen[i])
			a.oldest |= (uint16_t)(1u << i);
		r->seen[i] = b;
		if (r->left[i] > 0)
			r->left[i]--;
	}
	r->nr++;
	return (a);
}

bool
retention_empty(const struct retention_policy *p)
{
	int i;

	for (i = 0; i < RETAIN_RULES; i++)
		if (counts(i) ? p->count[i] != 0 : !age_zero(&p->age[i]))
			return (false);
	return (p->n_tags == 0);
}

/* ---- words ---- */

/* Digits, at most nine; false when there is none. */
static bool
take_number(const char **s, uint32_t *ret)
{
	const char *begin = *s;

	for (*ret = 0; **s >= '0' && **s <= '9'; ++*s)
		*ret = *ret * 10 + (uint32_t)(**s - '0');
	return (*s > begin && *s - begin <= 9);
}

bool
retention_parse_count(const char *s, int64_t *ret)
{
	uint32_t n;

	if (strcmp(s, "unlimited") == 0 || strcmp(s, "-1") == 0) {
		*ret = RETAIN_ALL;
		return (true);
	}
	if (!take_number(&s, &n) || *s != '\0')
		return (false);
	*ret = n;
	return (true);
}

bool
retention_parse_age(const char *s, struct retention_age *ret)
{
	struct retention_age a = { 0, 0, 0, 0 };
	uint32_t n;

	s += strspn(s, " \t");
	while (*s != '\0' && *s != ' ' && *s != '\t') {
		if (!take_number(&s, &n))
			return (false);
		switch (*s++) {
		case 'y': a.years = n; break;
		case 'm': a.months = n; break;
		case 'd': a.days = n; break;
		case 'h': a.hours = n; break;
		default: return (false);
		}
	}
	*ret = a;
	return (s[strspn(s, " \t")] == '\0');
}

static int
put_age(struct buf *b, const struct retention_age *a, struct err *e)
{
	const struct {
		uint32_t n;
		char unit;
	} part[] = { { a->years, 'y' }, { a->months, 'm' }, { a->days, 'd' },
	    { a->hours, 'h' } };
	int i, rc = 0;

	for (i = 0; i < 4 && rc == 0; i++)
		if (part[i].n != 0)
			rc = buf_printf(b, e, "%u%c", part[i].n, part[i].unit);
	return (rc);
}

int
retention_reason(const struct retention_policy *p, enum retention_rule i,
    bool oldest, struct buf *ret, struct err *e)
{
	int rc;

	rc = buf_printf(ret, e, "%s%s", oldest ? "oldest " : "", rule[i].name);
	if (rc != 0 || counts((int)i))
		return (rc);
	if ((rc = buf_str(ret, " ", e)) != 0)
		return (rc);
	return (put_age(ret, &p->age[i], e));
}

int
retention_tags(const char *list, struct buf *ret, struct err *e)
{
	const char *tag, *sep = "[";
	size_t n;
	int rc;

	while ((tag = tag_list_next(&list, &n)) != NULL) {
		if ((rc = buf_str(ret, sep, e)) != 0 ||
		    (rc = buf_add(ret, tag, n, e)) != 0)
			return (rc);
		sep = ", ";
	}
	return (buf_str(ret, "]", e));
}

/* "keep 3 latest, all daily snapshots, weekly snapshots within 1m": those that
 * count, then those that look at the age. */
static int
describe_rules(const struct retention_policy *p, bool by_count, bool *any,
    struct buf *b, struct err *e)
{
	bool first = true;
	int i, rc;

	for (i = RETAIN_LAST; i < RETAIN_RULES; i++) {
		if (counts(i) != by_count || (by_count ? p->count[i] == 0 :
		    age_zero(&p->age[i])))
			continue;
		rc = buf_str(b, !*any ? "keep " : ", ", e);
		*any = true;
		first = false;
		if (rc == 0 && p->count[i] > 0)
			rc = buf_printf(b, e, "%lld ", (long long)p->count[i]);
		else if (rc == 0 && by_count)
			rc = buf_str(b, "all ", e);
		if (rc == 0)
			rc = buf_str(b, rule[i].plural, e);
		if (rc == 0 && !by_count &&
		    (rc = buf_str(b, " snapshots within ", e)) == 0)
			rc = put_age(b, &p->age[i], e);
		if (rc != 0)
			return (rc);
	}
	return (by_count && !first ? buf_str(b, " snapshots", e) : 0);
}

static int
describe_tags(const struct retention_policy *p, struct buf *b, struct err *e)
{
	size_t i;
	int rc;

	rc = buf_str(b, "all snapshots with tags [", e);
	for (i = 0; i < p->n_tags && rc == 0; i++) {
		rc = buf_str(b, i > 0 ? " " : "", e);
		if (rc == 0)
			rc = retention_tags(p->tags[i], b, e);
	}
	return (rc != 0 ? rc : buf_str(b, "]", e));
}

int
retention_describe(const struct retention_policy *p, struct buf *b,
    struct err *e)
{
	bool any = false;
	int rc;

	if ((rc = describe_rules(p, true, &any, b, e)) != 0 ||
	    (rc = describe_rules(p, false, &any, b, e)) != 0)
		return (rc);
	if (p->n_tags > 0) {
		if ((rc = buf_str(b, any ? " and " : "keep ", e)) != 0 ||
		    (rc = describe_tags(p, b, e)) != 0)
			return (rc);
		any = true;
	}
	if (!age_zero(&p->age[RETAIN_WITHIN])) {
		if ((rc = buf_str(b, any ? " and " : "keep ", e)) != 0 ||
		    (rc = buf_str(b, "all snapshots within ", e)) != 0 ||
		    (rc = put_age(b, &p->age[RETAIN_WITHIN], e)) != 0)
			return (rc);
		return (buf_str(b, " of the newest", e));
	}
	return (any ? 0 : buf_str(b, "remove", e));
}

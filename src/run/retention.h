#ifndef RUN_RETENTION_H
#define RUN_RETENTION_H

/*
 * Which of the backups of one group a policy keeps, and why (restic-format 12).
 * Nothing but the rules: no repository, no list of backups; so it serves
 * snapshots and plain artifacts alike. It is fed with points in time, newest
 * first, and answers one by one, in memory that does not depend on how many there
 * are.
 *
 * The calendar is that of each time's own offset: a snapshot of 23:30 belongs to
 * that day, wherever its policy is applied.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/when.h"

/* In the order in which reasons are told. */
enum retention_rule {
	RETAIN_WITHIN,
	RETAIN_LAST,
	RETAIN_HOURLY,
	RETAIN_DAILY,
	RETAIN_WEEKLY,
	RETAIN_MONTHLY,
	RETAIN_YEARLY,
	RETAIN_WITHIN_HOURLY,
	RETAIN_WITHIN_DAILY,
	RETAIN_WITHIN_WEEKLY,
	RETAIN_WITHIN_MONTHLY,
	RETAIN_WITHIN_YEARLY,
	RETAIN_RULES,
};

/* A stretch of the calendar: "1y5m7d2h". All 0: none. */
struct retention_age {
	uint32_t years, months, days, hours;
};

/* A count that is never used up. */
#define RETAIN_ALL (-1)

struct retention_policy {
	int64_t count[RETAIN_RULES];      /* of LAST .. YEARLY; 0: none */
	struct retention_age age[RETAIN_RULES]; /* of WITHIN and WITHIN_*; an
					     age of nothing: none */
	const char *const *tags; /* lists "a,b": what has all of one is kept;
				    whoever knows of tags looks at them */
	size_t n_tags;
};

/* A bit for each rule that keeps it; 0: none does. */
struct retention_answer {
	uint16_t rules;
	uint16_t oldest;     /* of these, which only do because it is the oldest
				and their count is not used up */
};

struct retention {
	const struct retention_policy *p;
	struct when now;
	struct when latest;  /* the newest that is not in the future */
	bool have_latest;
	uint64_t nr;         /* fed so far */
	int64_t left[RETAIN_RULES];
	int64_t seen[RETAIN_RULES]; /* the hour, day, ... kept last */
};

/**
 * retention_begin(r, p, now):
 * Begin a group. ${p} is borrowed.
 */
void retention_begin(struct retention *r, const struct retention_policy *p,
    const struct when *now);

/**
 * retention_next(r, t, oldest):
 * The next backup, not newer than the one before; ${oldest}: none will follow.
 */
struct retention_answer retention_next(struct retention *r,
    const struct when *t, bool oldest);

/* Does it keep nothing at all? */
bool retention_empty(const struct retention_policy *p);

/**
 * retention_parse_count(s, ret), retention_parse_age(s, ret):
 * "7", "unlimited" or "-1"; "1y5m7d2h" in any order. False for anything else.
 */
bool retention_parse_count(const char *s, int64_t *ret);
bool retention_parse_age(const char *s, struct retention_age *ret);

/**
 * retention_reason(p, rule, oldest, ret, e):
 * Append the reason in restic's words: "oldest daily snapshot", "within 3m".
 * retention_describe: the whole policy, "keep 7 daily snapshots"; "remove" when
 * it is empty. retention_tags: a list of tags as it is told there, "[a, b]".
 * Return as buf_room.
 */
int retention_reason(const struct retention_policy *p,
    enum retention_rule rule, bool oldest, struct buf *ret, struct err *e);
int retention_describe(const struct retention_policy *p, struct buf *ret,
    struct err *e);
int retention_tags(const char *list, struct buf *ret, struct err *e);

#endif /* RUN_RETENTION_H */

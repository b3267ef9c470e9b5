#ifndef CLI_SNAPSHOT_OUT_H
#define CLI_SNAPSHOT_OUT_H

/* Snapshots on standard output: as restic's JSON, and as restic's table. */

#include "cli/cli.h"
#include "run/forget.h"

/* One object, without a newline. */
int cli_snapshot_json(const struct snapshot *s, struct err *e);

/* As Go prints a time: "2024-01-02 03:04:05.6 +0100 CET". */
char *cli_go_time(const struct when *w, char ret[64]);

/* An empty line, then "snapshot 1a2b3c4d of [/a /b] at ... by user@host". */
void cli_say_snapshot(const struct cli *c, const struct snapshot *s);

/* The object that tells of a snapshot with a new id; and, for people or as an
 * object, how many there were in all. */
void cli_json_changed(const struct id *old, const struct id *new_id);
void cli_say_changed(const struct cli *c, uint64_t n, bool dry);

/*
 * A table is as wide as its widest cells, so each row is shown to it twice: first
 * all are measured, then they are printed between head and foot.
 */
struct snapshot_table {
	bool compact;
	bool reasons;        /* has a column for them */
	bool size;           /* and one for sizes: some row has one */
	bool airy;           /* an empty line between rows */
	unsigned host, tags, why, paths, sizes; /* widths */
	uint64_t rows;       /* measured */
	uint64_t printed;
	unsigned gap;        /* blanks owed before the next cell */
	struct buf text;
};

void snapshot_table_begin(struct snapshot_table *t, bool compact,
    bool reasons);
void snapshot_table_end(struct snapshot_table *t);

/* ${why} may be NULL when there is no column of reasons. */
int snapshot_table_measure(struct snapshot_table *t, const struct snapshot *s,
    const struct forget_why *why, struct err *e);
void snapshot_table_head(struct snapshot_table *t);
int snapshot_table_row(struct snapshot_table *t, const struct snapshot *s,
    const struct forget_why *why, struct err *e);
void snapshot_table_foot(const struct snapshot_table *t);

#endif /* CLI_SNAPSHOT_OUT_H */

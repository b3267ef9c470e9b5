#ifndef CLI_SNAPSHOT_OUT_H
#define CLI_SNAPSHOT_OUT_H

/* Snapshots on standard output: as restic's JSON, and as restic's table. */

#include "cli/cli.h"
#include "run/forget.h"

/* One object, without a newline. */
int cli_snapshot_json(const struct snapshot *s, struct err *e);

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

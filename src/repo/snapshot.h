#ifndef REPO_SNAPSHOT_H
#define REPO_SNAPSHOT_H

/* Snapshots (restic-format 7): when, what, by whom, and the root tree. */

#include "base/buf.h"
#include "base/when.h"
#include "repo/repo.h"

/* Texts one behind the other, each with its NUL. */
struct text_list {
	struct buf text;
	unsigned n;
};

int text_list_add(struct text_list *l, const char *s, size_t len,
    struct err *e);

/* Walk it: begin with NULL, NULL is the end. */
const char *text_list_next(const struct text_list *l, const char *s);

/* Does it hold ${s}? */
bool text_list_has(const struct text_list *l, const char *s);

/* What a backup counted; restic writes and shows it. */
struct summary {
	struct when start, end;
	uint64_t files_new, files_changed, files_unmodified;
	uint64_t dirs_new, dirs_changed, dirs_unmodified;
	uint64_t data_blobs, tree_blobs;
	uint64_t data_added, data_added_packed;
	uint64_t files, bytes; /* processed in all */
};

struct snapshot {
	struct id id;
	struct when time;
	struct id tree;
	bool has_parent, has_original, has_summary;
	struct id parent, original;
	char host[256], user[256], program[128];
	uint32_t uid, gid;
	struct text_list paths, excludes, tags;
	struct summary summary;
};

void snapshot_init(struct snapshot *s);
void snapshot_free(struct snapshot *s);

/**
 * snapshot_load(r, id, ret, e):
 * Read one into an initialised struct. ERR_CORRUPT names it and the defect.
 */
int snapshot_load(struct repo *r, const struct id *id, struct snapshot *ret,
    struct err *e);

/**
 * snapshot_save(r, s, e):
 * Write it and set its id. All it needs must be durable before.
 */
int snapshot_save(struct repo *r, struct snapshot *s, struct err *e);

/* Which snapshots are meant; empty lists mean any. */
struct snapshot_filter {
	const char *const *hosts;
	size_t n_hosts;
	const char *const *tags; /* each "a,b": has all of one of them; "" is
				    "has none" */
	size_t n_tags;
	const char *const *paths; /* has all of them */
	size_t n_paths;
};

bool snapshot_matches(const struct snapshot *s,
    const struct snapshot_filter *f);

/**
 * snapshot_each(r, f, fn, cookie, e):
 * Every snapshot that ${f} (or NULL) means, oldest first. Damaged ones are
 * reported, passed over and counted in ${*ret_bad} (may be NULL). An ERR_* of
 * ${fn} ends it.
 */
typedef int snapshot_fn(void *cookie, const struct snapshot *s,
    struct err *e);
int snapshot_each(struct repo *r, const struct snapshot_filter *f,
    snapshot_fn *fn, void *cookie, unsigned *ret_bad, struct err *e);

/**
 * snapshot_find(r, what, f, ret, e):
 * "latest" (of those that ${f} means) or the beginning of an id. ERR_ABSENT with
 * what to do when there is none.
 */
int snapshot_find(struct repo *r, const char *what,
    const struct snapshot_filter *f, struct snapshot *ret, struct err *e);

#endif /* REPO_SNAPSHOT_H */

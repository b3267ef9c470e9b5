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

/* Put them into the order of their bytes. On failure they are as they were. */
int text_list_sort(struct text_list *l, struct err *e);

/* Forget all texts, keep the memory; or those that are ${s}: how many? */
void text_list_reset(struct text_list *l);
unsigned text_list_drop(struct text_list *l, const char *s, size_t len);

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

	/* Members that this garner does not know, as they stood in the file,
	 * each with a comma in front: who saves it again keeps them. */
	struct buf rest, summary_rest;
	bool cut;            /* a text did not fit its field above */
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
 * Write it and set its id. All it needs must be durable before. ERR_LIMIT for one
 * that was read and had a text that did not fit: it would come back cut.
 */
int snapshot_save(struct repo *r, struct snapshot *s, struct err *e);

/* Can it be saved? 0, or ERR_LIMIT as above. */
int snapshot_storable(const struct snapshot *s, struct err *e);

/**
 * snapshot_text(s, b, e), snapshot_parse(id, text, len, ret, e):
 * Append its JSON, as it is stored; and read that back into an initialised
 * struct. Return as buf_room; 0 or ERR_CORRUPT, ...
 */
int snapshot_text(const struct snapshot *s, struct buf *b, struct err *e);
int snapshot_parse(const struct id *id, const void *text, size_t len,
    struct snapshot *ret, struct err *e);

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
 * snapshot_has_tags(s, list):
 * Has it all tags of the list "a,b"? The empty tag is one that a snapshot has
 * when it has none. White space around a tag in the list does not count.
 */
bool snapshot_has_tags(const struct snapshot *s, const char *list);

/* The next tag of a list like that, from ${*at} (begin with the list): its first
 * character, with its length; NULL behind the last. */
const char *tag_list_next(const char **at, size_t *ret_len);

/**
 * snapshot_each(r, f, fn, cookie, ret_bad, e):
 * Every snapshot that ${f} (or NULL) means, oldest first. Damaged ones are
 * reported, passed over and counted in ${*ret_bad} (may be NULL). An ERR_* of
 * ${fn} ends it.
 */
typedef int snapshot_fn(void *cookie, const struct snapshot *s,
    struct err *e);
int snapshot_each(struct repo *r, const struct snapshot_filter *f,
    snapshot_fn *fn, void *cookie, unsigned *ret_bad, struct err *e);

/**
 * snapshot_list(r, f, fn, cookie, ret_bad, e):
 * The same in any order, which is quicker. ${fn} may change what it is given.
 */
typedef int snapshot_take(void *cookie, struct snapshot *s, struct err *e);
int snapshot_list(struct repo *r, const struct snapshot_filter *f,
    snapshot_take *fn, void *cookie, unsigned *ret_bad, struct err *e);

/**
 * snapshot_find(r, what, f, ret, e):
 * "latest" (of those that ${f} means) or the beginning of an id. ERR_ABSENT with
 * what to do when there is none.
 */
int snapshot_find(struct repo *r, const char *what,
    const struct snapshot_filter *f, struct snapshot *ret, struct err *e);

#endif /* REPO_SNAPSHOT_H */

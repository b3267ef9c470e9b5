#ifndef REPO_INDEX_H
#define REPO_INDEX_H

/* Index files: which packs hold which blobs (restic-format 6). */

#include "repo/pack.h"
#include "repo/repo.h"

/* restic's own limit: as many blobs as it puts into one file. */
#define INDEX_BLOBS_MAX 50000
#define INDEX_AGE_S (10 * 60)

/**
 * repo_load_index(r, for_writing, e):
 * Bring r->map up to date with the index files of the repository. A damaged one
 * is an error when ${for_writing}: what it named must not count as stored.
 * Otherwise it is reported, and the packs that no other file names are read from
 * their own headers. Return 0 or ERR_*.
 */
int repo_load_index(struct repo *r, bool for_writing, struct err *e);

/* The same for reading, without trust in what the state folder remembers: every
 * index file is read. Nothing may have been loaded before. */
int repo_reload_index(struct repo *r, struct err *e);

/* What the index files say that can be read, and nothing else: to mend them. */
int repo_load_index_files(struct repo *r, struct err *e);

/**
 * index_parse(r, id, ev, cookie, e):
 * Read one index file: for each pack begin, its blobs, and its end with its id
 * (which may stand behind the blobs). A pack without blobs is not named. An
 * ERR_* of an event ends it. Return 0, ERR_CORRUPT with the file's name, ...
 */
struct index_events {
	int (*pack_begin)(void *cookie, struct err *e);
	int (*blob)(void *cookie, const struct pack_entry *x, uint32_t offset,
	    struct err *e);
	int (*pack_end)(void *cookie, const struct id *id, struct err *e);
};
int index_parse(struct repo *r, const struct id *id,
    const struct index_events *ev, void *cookie, struct err *e);

/* ---- writing ---- */

/* Collects finished packs and writes them into index files. */
struct index_writer {
	struct repo *r;
	struct spill packs;  /* id, u32 blobs, entries; one after the other */
	uint64_t pack_at;    /* where the pack in the making begins */
	uint32_t pack_blobs; /* in it */
	uint64_t blobs;      /* in finished packs */
	int64_t since;       /* monotonic seconds of the oldest */
	unsigned files;      /* written so far */

	/* Told of each file that was written, when not NULL. */
	int (*wrote)(void *cookie, const struct id *id, struct err *e);
	void *cookie;
};

int index_writer_open(struct index_writer *w, struct repo *r, struct err *e);

/**
 * index_writer_add(w, id, list, e):
 * A pack that is durable now. Writes an index file when it is time: 50,000 blobs
 * or ten minutes.
 */
int index_writer_add(struct index_writer *w, const struct id *id,
    struct pack_list *list, struct err *e);

/**
 * index_writer_begin(w, e), index_writer_blob(w, x, offset, e),
 * index_writer_end(w, id, e), index_writer_drop(w):
 * The same blob by blob, in any order of their offsets, and without writing a file;
 * or take the pack back. A pack without blobs is not kept.
 */
int index_writer_begin(struct index_writer *w, struct err *e);
int index_writer_blob(struct index_writer *w, const struct pack_entry *x,
    uint32_t offset, struct err *e);
int index_writer_end(struct index_writer *w, const struct id *id,
    struct err *e);
void index_writer_drop(struct index_writer *w);

/* Where the writer stands between packs, and the way back there. */
struct index_mark {
	uint64_t at, blobs;
};
struct index_mark index_writer_mark(const struct index_writer *w);
void index_writer_back(struct index_writer *w, const struct index_mark *m);

/* Write as many files as can be filled; what is left goes on waiting. */
int index_writer_full(struct index_writer *w, struct err *e);

/* Write what waits; nothing when nothing does. */
int index_writer_flush(struct index_writer *w, struct err *e);

void index_writer_close(struct index_writer *w);

#endif /* REPO_INDEX_H */

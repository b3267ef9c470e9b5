/*
 * Snapshots and locks: small documents. A snapshot that was read can be written
 * and read again, and is the same.
 */

#include "world.h"

#include "repo/lock.h"
#include "repo/snapshot.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct world *w = world();
	struct err e = ERR_INIT;
	struct lock_info lock;
	struct snapshot s;
	const char *t = NULL;
	unsigned n = 0;
	struct id id;

	world_clear(w);
	id = world_seal(w, REPO_SNAPSHOT, NULL, p, len);
	snapshot_init(&s);
	if (snapshot_load(&w->repo, &id, &s, &e) == 0) {
		while ((t = text_list_next(&s.paths, t)) != NULL)
			n++;
		/* A text may hold a NUL, and counts twice then. */
		MUST(n >= s.paths.n || s.paths.text.len == 0);
	}
	snapshot_free(&s);
	id = world_seal(w, REPO_LOCK, NULL, p, len);
	(void)lock_load(&w->repo, &id, &lock, &e);
	return (0);
}

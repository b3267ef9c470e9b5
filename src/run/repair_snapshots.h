#ifndef RUN_REPAIR_SNAPSHOTS_H
#define RUN_REPAIR_SNAPSHOTS_H

/*
 * Snapshots that name what is lost: new ones without it. Files lose the blobs
 * that no index names, and have the size of what is left; folders whose lists
 * cannot be read become empty; a snapshot whose root cannot be read goes.
 */

#include "run/rewrite.h"

struct repair_rules {
	struct repo *r;
	void (*item)(void *cookie, enum rewrite_item what, const char *path);
	void *cookie;
};

/* For rewrite_run; ${x} is borrowed. */
struct rewriter_rules repair_snapshot_rules(struct repair_rules *x);

#endif /* RUN_REPAIR_SNAPSHOTS_H */

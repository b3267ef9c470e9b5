#include "cli/below.h"

#include <stdlib.h>

#include "run/treewalk.h"

int
cli_below(struct cli *c, struct snapshot *s, const char *path, struct err *e)
{
	struct node *n;
	int rc;

	if (path == NULL)
		return (0);
	if ((n = malloc(sizeof(*n))) == NULL)
		return (err_nomem(e));
	rc = treewalk_find(c->repo, &s->tree, path, n, e);
	if (rc > 0 && n->type == NODE_DIR && n->has_subtree) {
		s->tree = n->subtree;
		rc = 0;
	} else if (rc >= 0) {
		rc = err_set(e, ERR_ABSENT, "path %s: %s", path, rc > 0 ?
		    "not a folder" : "not found in the snapshot");
	}
	free(n);
	return (rc);
}

#include <string.h>

#include "cli/cli.h"
#include "repo/index.h"

static int
print_id(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	char hex[ID_HEX + 1];

	(void)cookie;
	(void)size;
	(void)e;
	printf("%s\n", id_hex(id, hex));
	return (0);
}

static int
print_blob(void *cookie, uint64_t pos, const struct record *r, struct err *e)
{
	struct cli *c = cookie;
	char hex[ID_HEX + 1];

	(void)pos;
	printf("%s %s\n", r->where.type == BLOB_TREE ? "tree" : "data",
	    id_hex(&r->id, hex));
	return (repo_stopped(c->repo, e));
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	static const struct {
		const char *word;
		enum repo_kind kind;
	} table[] = {
		{ "packs", REPO_PACK }, { "index", REPO_INDEX },
		{ "snapshots", REPO_SNAPSHOT }, { "keys", REPO_KEY },
		{ "locks", REPO_LOCK },
	};
	bool locks = argc == 1 && strcmp(argv[0], "locks") == 0;
	size_t i;
	int rc;

	(void)flags;
	if (argc != 1)
		return (err_set(e, ERR_USAGE, "list what? blobs, packs, index, "
		    "snapshots, keys or locks"));
	if ((rc = cli_open(c, locks ? ACCESS_NO_LOCK : ACCESS_SHARED,
	    e)) != 0)
		return (rc);
	if (strcmp(argv[0], "blobs") == 0) {
		if ((rc = repo_load_index(c->repo, false, e)) != 0)
			return (rc);
		return (blobmap_scan(c->repo->map, print_blob, c, e));
	}
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(argv[0], table[i].word) == 0)
			return (repo_list(c->repo, table[i].kind, print_id,
			    NULL, e));
	return (err_set(e, ERR_USAGE, "list knows no '%s'", argv[0]));
}

const struct cmd cmd_list = {
	.name = "list",
	.args = "blobs|packs|index|snapshots|keys|locks",
	.summary = "list the ids of stored objects",
	.run = run,
};

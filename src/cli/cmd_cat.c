#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "cli/cli.h"
#include "crypto/wipe.h"
#include "repo/doc.h"
#include "repo/index.h"
#include "repo/key.h"
#include "run/treewalk.h"

static int
to_stdout(void *cookie, const void *p, size_t len, struct err *e)
{

	(void)cookie;
	if (fwrite(p, 1, len, stdout) != len)
		return (err_sys(e, "cannot write to standard output"));
	return (0);
}

/* A small document, as it is. */
static int
cat_doc(struct cli *c, const char *name, const struct id *id, struct err *e)
{
	struct buf b = BUF_INIT((size_t)CONFIG_DOC_KIB * 1024);
	int rc;

	if ((rc = doc_load(c->repo, name, id, &b, e)) == 0) {
		(void)fwrite(b.p, 1, b.len, stdout);
		putchar('\n');
	}
	buf_free(&b);
	return (rc);
}

static int
cat_index(struct cli *c, const struct id *id, struct err *e)
{
	struct doc_reader *d;
	uint8_t part[4096];
	size_t n;
	int rc;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (err_nomem(e));
	if ((rc = doc_open(d, c->repo, REPO_INDEX, id, e)) == 0)
		while ((rc = doc_fill(d, part, sizeof(part), &n, e)) == 0 &&
		    n > 0)
			(void)fwrite(part, 1, n, stdout);
	doc_close(d);
	free(d);
	return (rc);
}

/* The master key: whoever has it reads everything, for ever. */
static int
cat_masterkey(struct cli *c, struct err *e)
{
	char k[B64_LEN(16) + 1], r[B64_LEN(16) + 1], enc[B64_LEN(32) + 1];
	uint8_t raw[SEAL_KEY_LEN];
	struct secret s = { NULL, 0 };
	struct key_info key;
	int rc;

	if ((rc = key_load(c->repo->store, &c->repo->key_id, &key, e)) != 0)
		goto out;
	if ((rc = cli_password(c, false, &s, e)) < 0 || (rc == 0 &&
	    (rc = appliance_secret(&c->state, &c->repo->key_id, &s, e)) <= 0))
		goto out;
	if ((rc = key_unlock(&key, &s, raw, e)) != 0)
		goto out;
	enc[b64_encode(enc, raw, 32)] = '\0';
	k[b64_encode(k, raw + 32, 16)] = '\0';
	r[b64_encode(r, raw + 48, 16)] = '\0';
	printf("{\"mac\":{\"k\":\"%s\",\"r\":\"%s\"},\"encrypt\":\"%s\"}\n", k,
	    r, enc);
	wipe(raw, sizeof(raw));
	wipe(enc, sizeof(enc));

out:
	secret_free(&s);
	key_release(&key);
	return (rc);
}

static int
cat_blob(struct cli *c, const char *text, struct err *e)
{
	struct blob_reader br;
	struct where at;
	struct id id;
	int rc;

	if (!id_parse(&id, text, strlen(text)))
		return (err_set(e, ERR_USAGE, "a blob is named by its whole "
		    "id of 64 hex digits"));
	if ((rc = repo_load_index(c->repo, false, e)) != 0)
		return (rc);
	rc = blobmap_find(c->repo->map, BLOB_DATA, &id, true, &at, NULL, e);
	if (rc == 0)
		rc = blobmap_find(c->repo->map, BLOB_TREE, &id, true, &at,
		    NULL, e);
	if (rc <= 0)
		return (rc < 0 ? rc : blob_unknown("blob", &id, e));
	if ((rc = blob_reader_open(&br, c->repo, e)) != 0)
		return (rc);
	rc = blob_read_at(&br, &id, &at, to_stdout, NULL, e);
	blob_reader_close(&br);
	return (rc);
}

/* "tree SNAPSHOT[:PATH]", or a tree's own id. */
static int
cat_tree(struct cli *c, const char *what, struct err *e)
{
	struct cli_filter any = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	struct blob_reader br;
	struct snapshot s;
	struct node *n;
	char *path = NULL;
	struct id id;
	int rc;

	if ((rc = repo_load_index(c->repo, false, e)) != 0)
		return (rc);
	snapshot_init(&s);
	if (id_parse(&id, what, strlen(what)))
		goto read;
	if ((rc = cli_snapshot(c, what, &any, &s, &path, e)) != 0)
		goto out;
	id = s.tree;
	if (path != NULL) {
		if ((n = malloc(sizeof(*n))) == NULL) {
			rc = err_nomem(e);
			goto out;
		}
		rc = treewalk_find(c->repo, &s.tree, path, n, e);
		if (rc == 0 || (rc > 0 && !n->has_subtree))
			rc = err_set(e, ERR_ABSENT, "there is no folder '%s' "
			    "in that snapshot", path);
		id = n->subtree;
		free(n);
		if (rc < 0)
			goto out;
	}

read:
	if ((rc = blob_reader_open(&br, c->repo, e)) == 0) {
		rc = blob_read(&br, BLOB_TREE, &id, to_stdout, NULL, e);
		blob_reader_close(&br);
	}

out:
	free(path);
	snapshot_free(&s);
	return (rc);
}

static int
cat_named(struct cli *c, const char *kind, const char *what, struct err *e)
{
	static const struct {
		const char *word;
		enum repo_kind kind;
	} table[] = {
		{ "index", REPO_INDEX }, { "snapshot", REPO_SNAPSHOT },
		{ "key", REPO_KEY }, { "lock", REPO_LOCK },
		{ "pack", REPO_PACK },
	};
	char name[STORE_NAME_MAX];
	struct id id;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(kind, table[i].word) == 0)
			break;
	if (i == sizeof(table) / sizeof(table[0])) {
		(void)err_set(e, ERR_USAGE, "cat knows no '%s'", kind);
		return (err_hint(e, "config, masterkey, index, snapshot, key, "
		    "lock, pack, blob or tree"));
	}
	rc = repo_find_id(c->repo, table[i].kind, what, &id, e);
	if (rc != 0)
		return (rc);
	repo_name(table[i].kind, &id, name);
	switch (table[i].kind) {
	case REPO_INDEX:
		return (cat_index(c, &id, e));
	case REPO_KEY:
	case REPO_PACK:	/* as they are stored */
		return (store_get(c->repo->store, name, 0, UINT64_MAX,
		    to_stdout, NULL, e));
	default:
		return (cat_doc(c, name, &id, e));
	}
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	int rc;

	(void)flags;
	if (argc == 0 || argc > 2)
		return (err_set(e, ERR_USAGE, "cat what?"));
	if (argc == 1 && strcmp(argv[0], "config") != 0 &&
	    strcmp(argv[0], "masterkey") != 0)
		return (err_set(e, ERR_USAGE, "cat which %s?", argv[0]));
	if ((rc = cli_open(c, ACCESS_SHARED, e)) != 0)
		return (rc);
	if (strcmp(argv[0], "config") == 0)
		return (cat_doc(c, "config", NULL, e));
	if (strcmp(argv[0], "masterkey") == 0)
		return (cat_masterkey(c, e));
	if (strcmp(argv[0], "blob") == 0)
		return (cat_blob(c, argv[1], e));
	if (strcmp(argv[0], "tree") == 0)
		return (cat_tree(c, argv[1], e));
	return (cat_named(c, argv[0], argv[1], e));
}

const struct cmd cmd_cat = {
	.name = "cat",
	.args = "WHAT [ID]",
	.summary = "print an object of the repository",
	.help = "WHAT is config or masterkey, or, with an ID, one of snapshot, index,\n"
	    "key, lock, pack, blob and tree. A tree may also be named by SNAPSHOT and\n"
	    "SNAPSHOT:FOLDER.",
	.run = run,
};

/*
 * bigrepo REPOSITORY STATE BLOBS FILES SNAPSHOTS [BYTES]
 *
 * Fills an empty repository, through the writers of the program itself, with very
 * many small blobs: what a scale test needs and no source can give in time. The
 * password is in GARNER_PASSWORD.
 *
 * FILES files lie in folders of 256. Folder d has another content from snapshot
 * d mod SNAPSHOTS on, so each exists in two versions: BLOBS counts the blobs of
 * both. BYTES (24 unless told) is the length of each. Forgetting the first half of
 * the snapshots leaves a quarter of the blobs without use.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spill.h"
#include "repo/index.h"
#include "repo/node.h"
#include "repo/saver.h"
#include "repo/snapshot.h"
#include "unit/rng.h"

enum {
	PER_FOLDER = 256,
	AHEAD = 1024,        /* blobs handed over before their ids are asked for */
	PACK_SIZE = 16 << 20,
	TEXT_WINDOW = 1 << 20,
	DAY = 86400,
	FIRST_DAY = 19700,
};

struct big {
	struct repo *r;
	struct saver *saver;
	struct spill text;   /* of the tree in the making */
	struct buf node;
	unsigned long long files, per_file, folders, snapshots, bytes;
	struct id *id[2];    /* of the folders' trees, both versions */
	uint64_t seed;
};

static void
check(int rc, const struct err *e)
{

	if (rc < 0) {
		fprintf(stderr, "bigrepo: %s\n", e->text);
		exit(1);
	}
}

static uint64_t
hand_over(struct big *b, struct err *e)
{
	uint8_t bytes[65536], *p;
	struct chunk_walk w;
	struct chunk c;
	uint64_t ticket;
	size_t n, at = 0;

	rng_fill(&b->seed, bytes, (size_t)b->bytes);
	check(slab_get_chunk(&b->r->pool, (uint32_t)b->bytes, &c, e), e);
	for (w = chunk_walk(&b->r->pool, &c); chunk_next(&w, &p, &n); at += n)
		memcpy(p, bytes + at, n);
	check(saver_data(b->saver, &c, SAVE_WHOLE, &ticket, e), e);
	return (ticket);
}

/* Flush the text gathered in memory onto the tree's stack. */
static void
push(struct big *b, struct err *e)
{

	check(spill_push(&b->text, b->node.p, b->node.len, e), e);
	buf_reset(&b->node);
}

static void
put_head(struct big *b, const struct node *n, bool first, struct err *e)
{

	if (!first)
		check(buf_str(&b->node, ",", e), e);
	check(node_put_head(&b->node, n, e), e);
	check(node_put_tail(&b->node, n, e), e);
}

static struct node
new_node(enum node_type type, unsigned long long no)
{
	struct node n;

	memset(&n, 0, sizeof(n));
	n.type = type;
	n.name_len = (size_t)snprintf(n.name, sizeof(n.name), "%c%07llu",
	    type == NODE_DIR ? 'd' : 'f', no);
	n.mode = type == NODE_DIR ? 0x80000000u | 0755 : 0644;
	n.mtime = n.atime = n.ctime = (struct when){ .sec = FIRST_DAY * DAY };
	n.inode = no + 1;
	n.links = type == NODE_DIR ? 0 : 1;
	return (n);
}

/* The ids of up to AHEAD blobs, as JSON. */
static void
put_ids(struct big *b, uint64_t from, unsigned long long n, bool first,
    struct err *e)
{
	char hex[ID_HEX + 1];
	struct id id;

	for (; n > 0; n--, from++, first = false) {
		check(saver_wait(b->saver, from, &id, e), e);
		check(buf_printf(&b->node, e, "%s\"%s\"", first ? "" : ",",
		    id_hex(&id, hex)), e);
		if (b->node.len > 65536)
			push(b, e);
	}
}

static void
put_file(struct big *b, unsigned long long no, bool first, struct err *e)
{
	struct node n = new_node(NODE_FILE, no);
	unsigned long long left, i, part;
	uint64_t ticket = 0;

	n.size = b->per_file * b->bytes;
	put_head(b, &n, first, e);
	check(buf_str(&b->node, "[", e), e);
	for (left = b->per_file; left > 0; left -= part) {
		part = left < AHEAD ? left : AHEAD;
		for (i = 0; i < part; i++) {
			uint64_t t = hand_over(b, e);

			ticket = i == 0 ? t : ticket;
		}
		put_ids(b, ticket, part, left == b->per_file, e);
	}
	check(buf_str(&b->node, "]}", e), e);
	push(b, e);
}

static void
end_tree(struct big *b, struct id *ret, struct err *e)
{
	bool is_new;

	check(buf_str(&b->node, "]}\n", e), e);
	push(b, e);
	check(saver_tree(b->saver, &b->text, 0, spill_top(&b->text), ret,
	    &is_new, e), e);
	spill_cut(&b->text, 0);
}

static void
put_folder(struct big *b, unsigned long long d, int version, struct err *e)
{
	unsigned long long f = d * PER_FOLDER, end = f + PER_FOLDER;
	bool first = true;

	if (end > b->files)
		end = b->files;
	check(buf_str(&b->node, "{\"nodes\":[", e), e);
	for (; f < end; f++, first = false)
		put_file(b, f, first, e);
	end_tree(b, &b->id[version][d], e);
}

static void
put_root(struct big *b, unsigned long long s, struct id *ret, struct err *e)
{
	char hex[ID_HEX + 1];
	unsigned long long d;
	struct node n;

	check(buf_str(&b->node, "{\"nodes\":[", e), e);
	for (d = 0; d < b->folders; d++) {
		n = new_node(NODE_DIR, d);
		put_head(b, &n, d == 0, e);
		check(buf_printf(&b->node, e, "null,\"subtree\":\"%s\"}",
		    id_hex(&b->id[d % b->snapshots <= s][d], hex)), e);
		push(b, e);
	}
	end_tree(b, ret, e);
}

static void
put_snapshot(struct big *b, unsigned long long s, const struct id *tree,
    struct err *e)
{
	struct snapshot snap;

	snapshot_init(&snap);
	snap.time = (struct when){ .sec = (FIRST_DAY + (int64_t)s) * DAY };
	snap.tree = *tree;
	(void)snprintf(snap.host, sizeof(snap.host), "big");
	check(text_list_add(&snap.paths, "/big", 4, e), e);
	check(snapshot_save(b->r, &snap, e), e);
	snapshot_free(&snap);
}

static void
fill(struct big *b, struct err *e)
{
	struct saver_opts o = { .level = 0, .pack_size = PACK_SIZE,
	    .workers = 2 };
	struct id *root = calloc((size_t)b->snapshots, sizeof(*root));
	unsigned long long d, s;
	int v;

	b->folders = (b->files + PER_FOLDER - 1) / PER_FOLDER;
	for (v = 0; v < 2; v++)
		b->id[v] = calloc((size_t)b->folders, sizeof(struct id));
	if (root == NULL || b->id[0] == NULL || b->id[1] == NULL)
		check(err_nomem(e), e);
	check(repo_load_index(b->r, true, e), e);
	check(spill_open(&b->text, b->r->state->scratch, TEXT_WINDOW, e), e);
	b->node = (struct buf)BUF_INIT(1 << 20);
	check(saver_open(&b->saver, b->r, &o, e), e);
	for (v = 0; v < 2; v++)
		for (d = 0; d < b->folders; d++)
			put_folder(b, d, v, e);
	for (s = 0; s < b->snapshots; s++)
		put_root(b, s, &root[s], e);
	check(saver_finish(b->saver, e), e);
	for (s = 0; s < b->snapshots; s++)
		put_snapshot(b, s, &root[s], e);
	saver_free(b->saver);
	spill_close(&b->text);
	buf_free(&b->node);
	free(b->id[0]);
	free(b->id[1]);
	free(root);
}

int
main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	const char *pw = getenv("GARNER_PASSWORD");
	struct big b = { .bytes = 24, .seed = 1 };
	unsigned long long blobs;
	struct state_dir state;
	struct secret secret;
	struct store *store;

	if (argc < 6 || argc > 7 || pw == NULL) {
		fprintf(stderr, "usage: GARNER_PASSWORD=... bigrepo REPOSITORY "
		    "STATE BLOBS FILES SNAPSHOTS [BYTES]\n");
		return (2);
	}
	blobs = strtoull(argv[3], NULL, 10);
	b.files = strtoull(argv[4], NULL, 10);
	b.snapshots = strtoull(argv[5], NULL, 10);
	if (argc > 6)
		b.bytes = strtoull(argv[6], NULL, 10);
	if (b.files == 0 || b.snapshots == 0 || blobs < 2 * b.files ||
	    b.bytes < 8 || b.bytes > 65536) {
		fprintf(stderr, "bigrepo: at least one file and snapshot, two "
		    "blobs a file, 8 to 65536 bytes\n");
		return (2);
	}
	b.per_file = blobs / (2 * b.files);
	secret.text = strdup(pw);
	secret.len = strlen(pw);
	check(state_open(&state, argv[2], &e), &e);
	check(store_open(&store, argv[1], &e), &e);
	check(repo_open(&b.r, store, &state, &secret, NULL, &e), &e);
	fill(&b, &e);
	secret_free(&secret);
	repo_close(b.r);
	state_close(&state);
	return (0);
}

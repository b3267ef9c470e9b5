/*
 * Rewriting trees: byte for byte what becomes of them, whoever wrote them. Trees
 * are handmade here, since only other programs write odd ones.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "repo/index.h"
#include "run/repair_snapshots.h"
#include "run/rewriter.h"
#include "unit/scratch.h"

static const char *const folders[] = { "data", "index", NULL };
static char dir[SCRATCH_PATH];
static struct state_dir sd;
static struct repo r;

/* Nothing here must outlive the power. */
int
fsync(int fd)
{

	(void)fd;
	return (0);
}

static int
set_up(void **state)
{
	char path[2 * SCRATCH_PATH];
	uint8_t raw[SEAL_KEY_LEN];
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	scratch_make(dir);
	for (i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(0x20 + i);
	seal_key_init(&r.key, raw);
	r.version = 2;
	r.state = &sd;
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	if (state_open(&sd, path, &e) != 0 ||
	    slab_pool_open(&r.pool, CONFIG_SLAB_COUNT, &e) != 0)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/repo", dir);
	return (store_open(&r.store, path, &e) != 0 ||
	    store_prepare(r.store, folders, &e) != 0 ||
	    repo_load_index(&r, true, &e) != 0);
}

static int
tear_down(void **state)
{

	(void)state;
	blobmap_close(r.map);
	slab_pool_close(&r.pool);
	store_close(r.store);
	state_close(&sd);
	scratch_remove(dir);
	return (0);
}

/* ---- trees in and out ---- */

static const struct saver_opts saving = { .level = 3, .pack_size = 16 << 20,
    .workers = 1 };

/* Begin anew, with what is stored known. */
static struct saver *
begin(void)
{
	struct err e = ERR_INIT;
	struct saver *s;

	blobmap_close(r.map);
	r.map = NULL;
	assert_ok(repo_load_index(&r, true, &e), &e);
	assert_ok(saver_open(&s, &r, &saving, &e), &e);
	return (s);
}

static void
end(struct saver *s)
{
	struct err e = ERR_INIT;

	assert_ok(saver_finish(s, &e), &e);
	saver_free(s);
	blobmap_close(r.map);
	r.map = NULL;
	assert_ok(repo_load_index(&r, true, &e), &e);
}

/* Store a tree; each "%s" in its text is the next of ${sub} in hex. */
static struct id
put_tree(struct saver *s, const char *text, const struct id *sub)
{
	char hex[ID_HEX + 1];
	struct err e = ERR_INIT;
	struct spill spill;
	const char *next;
	struct id id;
	bool is_new;

	assert_ok(spill_open(&spill, dir, 4096, &e), &e);
	for (; (next = strstr(text, "%s")) != NULL; text = next + 2) {
		assert_ok(spill_push(&spill, text, (size_t)(next - text), &e),
		    &e);
		id_hex(sub++, hex);
		assert_ok(spill_push(&spill, hex, ID_HEX, &e), &e);
	}
	assert_ok(spill_push(&spill, text, strlen(text), &e), &e);
	assert_ok(saver_tree(s, &spill, 0, spill_top(&spill), &id, &is_new,
	    &e), &e);
	spill_close(&spill);
	return (id);
}

static struct id
put_data(struct saver *s, const char *text)
{
	struct err e = ERR_INIT;
	struct chunk c;
	uint64_t ticket;
	struct id id;

	assert_ok(slab_get_chunk(&r.pool, (uint32_t)strlen(text), &c, &e),
	    &e);
	memcpy(slab_data(&r.pool, c.slab), text, strlen(text));
	assert_ok(saver_data(s, &c, SAVE_WHOLE, &ticket, &e), &e);
	assert_ok(saver_wait(s, ticket, &id, &e), &e);
	return (id);
}

static int
into_buf(void *cookie, const void *p, size_t len, struct err *e)
{

	return (buf_add(cookie, p, len, e));
}

/* The tree's text must be this, "%s" being the next of ${sub}. */
static void
check_tree(const struct id *id, const char *want, const struct id *sub)
{
	struct buf got = BUF_INIT(1 << 20), all = BUF_INIT(1 << 20);
	char hex[ID_HEX + 1];
	struct err e = ERR_INIT;
	struct blob_reader br;
	const char *next;

	assert_ok(blob_reader_open(&br, &r, &e), &e);
	assert_ok(blob_read(&br, BLOB_TREE, id, into_buf, &got, &e), &e);
	assert_ok(buf_nul(&got, &e), &e);
	for (; (next = strstr(want, "%s")) != NULL; want = next + 2) {
		assert_ok(buf_add(&all, want, (size_t)(next - want), &e), &e);
		assert_ok(buf_str(&all, id_hex(sub++, hex), &e), &e);
	}
	assert_ok(buf_str(&all, want, &e), &e);
	assert_ok(buf_nul(&all, &e), &e);
	assert_string_equal((char *)got.p, (char *)all.p);
	buf_free(&got);
	buf_free(&all);
	blob_reader_close(&br);
}

/* ---- rules: names that begin with x go ---- */

struct seen {
	unsigned nodes, broken, odd, empty;
	bool drop_empty;
	int on_broken;
};

static int
drop_x(void *cookie, struct tree_stack *ts, const struct node *n,
    const char *path, struct node_change *ret, struct err *e)
{
	struct seen *s = cookie;

	(void)ts;
	(void)path;
	(void)ret;
	(void)e;
	s->nodes++;
	return (n->name[0] == 'x' ? REWRITE_DROP : REWRITE_KEEP);
}

static bool
maybe_empty(void *cookie, const char *path)
{
	struct seen *s = cookie;

	(void)path;
	s->empty++;
	return (!s->drop_empty);
}

static int
on_broken(void *cookie, const char *path, const struct err *why,
    struct err *e)
{
	struct seen *s = cookie;

	(void)path;
	s->broken++;
	if (s->on_broken < 0)
		return (err_set(e, s->on_broken, "%s", why->text));
	return (s->on_broken);
}

static int
on_odd(void *cookie, const char *path, const struct err *why, struct err *e)
{
	struct seen *s = cookie;

	(void)path;
	s->odd++;
	return (s->on_broken < 0 ? err_set(e, s->on_broken, "%s", why->text) :
	    0);
}

static struct rewritten
rewrite(const struct id *root, struct seen *seen, int want)
{
	struct rewriter_rules rules = { .node = drop_x,
	    .keep_empty = maybe_empty, .broken = on_broken, .odd = on_odd,
	    .cookie = seen };
	struct rewritten ret;
	struct err e = ERR_INIT;
	struct rewriter *rw;
	struct saver *s = begin();

	assert_ok(rewriter_new(&rw, &r, s, &rules, &e), &e);
	assert_rc(rewriter_run(rw, root, &ret, &e), want, &e);
	rewriter_free(rw);
	end(s);
	return (ret);
}

#define FILE_(name, rest) "{\"name\":\"" name "\",\"type\":\"file\"" \
    ",\"size\":5,\"content\":[]" rest "}"
#define DIR_(name, rest) "{\"name\":\"" name "\",\"type\":\"dir\"" \
    ",\"content\":null,\"subtree\":\"%s\"" rest "}"

/* Where all stays, all is as it was, and nothing is stored. */
static void
test_unchanged(void **state)
{
	struct seen seen = { 0 };
	struct saver *s = begin();
	struct rewritten w;
	struct id sub[2], root;

	(void)state;
	sub[0] = put_tree(s, "{\"nodes\":[" FILE_("a", "") "]}\n", NULL);
	sub[1] = put_tree(s, "{\"nodes\":null}\n", NULL);
	root = put_tree(s, "{ \"nodes\" : [ " DIR_("d", "") "\n,\n"
	    DIR_("e", ",\"new\":[1, 2]") " ], \"more\": {} }", sub);
	end(s);
	w = rewrite(&root, &seen, 0);
	assert_true(id_eq(&w.tree, &root));
	assert_false(w.gone);
	assert_int_equal(w.files, 1);
	assert_int_equal(w.bytes, 5);
	assert_int_equal(seen.nodes, 3);
}

/* What stays beside what goes is not spelled anew, and what shares a folder with
 * it keeps its id. */
static void
test_drop(void **state)
{
	struct seen seen = { 0 };
	struct saver *s = begin();
	struct id sub[2], root, want[2];
	struct rewritten w;

	(void)state;
	sub[0] = put_tree(s, "{\"nodes\":[" FILE_("a", "") "]}\n", NULL);
	sub[1] = put_tree(s, "{\"version\":7,\"nodes\":[" FILE_("x1", "") ","
	    FILE_("b", ",\"odd\" : \"\\u00e9\"") " , " FILE_("x2", "") ","
	    FILE_("c", "") "],\"tail\":true}", NULL);
	root = put_tree(s, "{\"nodes\":[" DIR_("d", "") ","
	    "{\"subtree\" : \"%s\", \"name\":\"e\",\"type\":\"dir\", "
	    "\"future\":{\"a\":[]},\"content\":null}," FILE_("f", "")
	    "]}\n", sub);
	end(s);
	w = rewrite(&root, &seen, 0);
	assert_false(id_eq(&w.tree, &root));
	assert_int_equal(w.files, 4);
	assert_int_equal(w.bytes, 20);
	s = begin();
	want[0] = sub[0];
	want[1] = put_tree(s, "{\"version\":7,\"nodes\":["
	    FILE_("b", ",\"odd\" : \"\\u00e9\"") "," FILE_("c", "")
	    "],\"tail\":true}", NULL);
	end(s);
	check_tree(&w.tree, "{\"nodes\":[" DIR_("d", "") ","
	    "{\"subtree\":\"%s\",\"name\":\"e\",\"type\":\"dir\","
	    "\"future\":{\"a\":[]},\"content\":null}," FILE_("f", "")
	    "]}\n", want);
}

/* First, last, only, none. */
static void
test_commas(void **state)
{
	static const struct {
		const char *from, *to;
	} tree[] = {
		{ FILE_("x", "") "," FILE_("a", ""), FILE_("a", "") },
		{ FILE_("a", "") "," FILE_("x", ""), FILE_("a", "") },
		{ FILE_("x", ""), "" },
		{ FILE_("x", "") "," FILE_("x", ""), "" },
		{ FILE_("a", "") "," FILE_("x", "") "," FILE_("b", ""),
		    FILE_("a", "") "," FILE_("b", "") },
	};
	char text[1024];
	struct seen seen;
	struct rewritten w;
	struct saver *s;
	struct id id;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(tree) / sizeof(tree[0]); i++) {
		memset(&seen, 0, sizeof(seen));
		s = begin();
		(void)snprintf(text, sizeof(text), "{\"nodes\":[%s]}\n",
		    tree[i].from);
		id = put_tree(s, text, NULL);
		end(s);
		w = rewrite(&id, &seen, 0);
		(void)snprintf(text, sizeof(text), "{\"nodes\":[%s]}\n",
		    tree[i].to);
		check_tree(&w.tree, text, NULL);
	}
}

/* A folder that has nothing left may go, and the one above it then too. */
static void
test_empty(void **state)
{
	struct seen seen = { .drop_empty = true };
	struct saver *s = begin();
	struct id sub[2], root;
	struct rewritten w;

	(void)state;
	sub[0] = put_tree(s, "{\"nodes\":[" FILE_("x", "") "]}\n", NULL);
	sub[1] = put_tree(s, "{\"nodes\":[" DIR_("d", "") "]}\n", sub);
	root = put_tree(s, "{\"nodes\":[" DIR_("e", "") "," FILE_("f", "")
	    "]}\n", &sub[1]);
	end(s);
	w = rewrite(&root, &seen, 0);
	assert_false(w.gone);
	check_tree(&w.tree, "{\"nodes\":[" FILE_("f", "") "]}\n", NULL);
	w = rewrite(&sub[1], &seen, 0);
	assert_true(w.gone);
}

/* What cannot be read. */
static void
test_broken(void **state)
{
	struct seen seen = { .on_broken = 1 };
	struct saver *s = begin();
	struct id sub[3] = { { { 1 } } }, root;
	struct rewritten w;

	(void)state;
	/* sub[0] is nowhere; sub[1] breaks in the middle, below something that
	 * was rewritten already. */
	sub[1] = put_tree(s, "{\"nodes\":[" FILE_("x", "") "," FILE_("a", "")
	    ",{\"name\":\"b\",}]}\n", NULL);
	root = put_tree(s, "{\"nodes\":[" DIR_("d", "") "," DIR_("e", "") ","
	    FILE_("f", "") ",{\"name\":\"g\",\"type\":\"dir\"}]}\n", sub);
	sub[2] = put_tree(s, "{\"nodes\":[]}\n", NULL);
	end(s);
	w = rewrite(&root, &seen, 0);
	assert_int_equal(seen.broken, 3);
	assert_int_equal(w.files, 1);
	sub[0] = sub[1] = sub[2];
	check_tree(&w.tree, "{\"nodes\":[" DIR_("d", "") "," DIR_("e", "") ","
	    FILE_("f", "") ",{\"name\":\"g\",\"type\":\"dir\",\"subtree\":"
	    "\"%s\"}]}\n", sub);
	seen.on_broken = 0;
	w = rewrite(&root, &seen, 0);
	check_tree(&w.tree, "{\"nodes\":[" FILE_("f", "") "]}\n", NULL);
	seen.on_broken = ERR_CORRUPT;
	(void)rewrite(&root, &seen, ERR_CORRUPT);
	sub[0].b[0] ^= 1;
	seen.on_broken = 0;
	assert_true(rewrite(&sub[0], &seen, 0).gone);
}

/* An entry that only we cannot read is not ours to remove. */
static void
test_odd(void **state)
{
	static const char odd[] = "{\"name\":\"b\",\"uid\":\"root\","
	    "\"type\":\"file\"}";
	struct seen seen = { 0 };
	struct saver *s = begin();
	char text[1024];
	struct rewritten w;
	struct id root;

	(void)state;
	(void)snprintf(text, sizeof(text), "{\"nodes\":[%s,%s,7,%s,%s]}\n",
	    odd, FILE_("x", ""), odd, FILE_("c", ""));
	root = put_tree(s, text, NULL);
	end(s);
	w = rewrite(&root, &seen, 0);
	assert_int_equal(seen.odd, 3);
	assert_int_equal(seen.broken, 0);
	assert_int_equal(w.files, 1);
	(void)snprintf(text, sizeof(text), "{\"nodes\":[%s,7,%s,%s]}\n", odd,
	    odd, FILE_("c", ""));
	check_tree(&w.tree, text, NULL);
	seen.on_broken = ERR_CORRUPT;
	(void)rewrite(&root, &seen, ERR_CORRUPT);
}

/* After a failure the next root is rewritten as if nothing had been; and what was
 * seen before is not looked at again. */
static void
test_again(void **state)
{
	struct seen seen = { .on_broken = ERR_CORRUPT };
	struct rewriter_rules rules = { .node = drop_x, .broken = on_broken,
	    .odd = on_odd, .cookie = &seen };
	struct err e = ERR_INIT;
	struct saver *s = begin();
	struct id good, deep[2], bad;
	struct rewritten w, first;
	struct rewriter *rw;

	(void)state;
	good = put_tree(s, "{\"nodes\":[" FILE_("a", "") "," FILE_("x", "")
	    "]}\n", NULL);
	deep[0] = good;
	memset(&deep[1], 7, sizeof(deep[1]));
	bad = put_tree(s, "{\"nodes\":[" DIR_("d", "") "," DIR_("e", "")
	    "]}\n", deep);
	end(s);
	s = begin();
	assert_ok(rewriter_new(&rw, &r, s, &rules, &e), &e);
	assert_rc(rewriter_run(rw, &bad, &w, &e), ERR_CORRUPT, &e);
	seen.nodes = 0;
	assert_ok(rewriter_run(rw, &good, &first, &e), &e);
	assert_int_equal(seen.nodes, 0);	/* it was, below the bad one */
	assert_int_equal(first.files, 1);
	deep[1] = good;
	rewriter_free(rw);
	end(s);
	check_tree(&first.tree, "{\"nodes\":[" FILE_("a", "") "]}\n", NULL);
	s = begin();
	bad = put_tree(s, "{\"nodes\":[" DIR_("d", "") "," DIR_("e", "")
	    "]}\n", deep);
	end(s);
	seen.nodes = 0;
	w = rewrite(&bad, &seen, 0);
	assert_int_equal(seen.nodes, 4);	/* once, not twice */
	assert_int_equal(w.files, 2);
	deep[0] = deep[1] = first.tree;
	check_tree(&w.tree, "{\"nodes\":[" DIR_("d", "") "," DIR_("e", "")
	    "]}\n", deep);
}

/* Depth and width beyond any window. */
static void
test_large(void **state)
{
	char node[600], long_name[512];
	struct seen seen = { 0 };
	struct buf b = BUF_INIT(16 << 20);
	struct err e = ERR_INIT;
	struct saver *s = begin();
	struct id id;
	struct rewritten w;
	int i;

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_ok(buf_str(&b, "{\"nodes\":[", &e), &e);
	for (i = 0; i < 3000; i++) {
		(void)snprintf(node, sizeof(node), "%s{\"name\":\"%s%06d\","
		    "\"type\":\"file\",\"size\":2,\"content\":[]}",
		    i > 0 ? "," : "", i % 3 == 0 ? "x" : long_name, i);
		assert_ok(buf_str(&b, node, &e), &e);
	}
	assert_ok(buf_str(&b, "]}\n", &e), &e);
	assert_ok(buf_nul(&b, &e), &e);
	id = put_tree(s, (char *)b.p, NULL);
	for (i = 0; i < 500; i++)
		id = put_tree(s, "{\"nodes\":[" DIR_("d", "") ","
		    FILE_("x", "") "," FILE_("z", "") "]}\n", &id);
	buf_free(&b);
	end(s);
	w = rewrite(&id, &seen, 0);
	assert_int_equal(w.files, 2000 + 500);
	assert_int_equal(w.bytes, 4000 + 2500);
	assert_int_equal(seen.nodes, 3000 + 1500);
}

/* ---- repairs ---- */

static unsigned items[ITEM_ROOT + 1];

static void
count_item(void *cookie, enum rewrite_item what, const char *path)
{

	(void)cookie;
	(void)path;
	items[what]++;
}

static struct rewritten
repair(const struct id *root)
{
	struct repair_rules x = { .r = &r, .item = count_item };
	struct rewriter_rules rules = repair_snapshot_rules(&x);
	struct rewritten ret;
	struct err e = ERR_INIT;
	struct rewriter *rw;
	struct saver *s = begin();

	memset(items, 0, sizeof(items));
	assert_ok(rewriter_new(&rw, &r, s, &rules, &e), &e);
	assert_ok(rewriter_run(rw, root, &ret, &e), &e);
	rewriter_free(rw);
	end(s);
	return (ret);
}

static void
test_repair(void **state)
{
	struct id b[4], root, again[4];
	struct saver *s = begin();
	struct rewritten w;

	(void)state;
	b[0] = put_data(s, "hello");
	memset(&b[1], 9, sizeof(b[1]));
	b[2] = put_data(s, "worlds");
	b[3] = b[1];
	root = put_tree(s, "{\"nodes\":["
	    "{\"name\":\"hole\",\"type\":\"file\",\"inode\":3,\"size\":12,"
	    "\"links\":1,\"content\":[\"%s\",\"%s\",\"%s\"],\"k\":1},"
	    "{\"name\":\"lost\",\"type\":\"file\",\"size\":12,\"links\":1,"
	    "\"content\":[\"%s\"]}]}\n", b);
	end(s);
	w = repair(&root);
	assert_int_equal(items[ITEM_CONTENT], 2);
	assert_int_equal(w.files, 2);
	assert_int_equal(w.bytes, 11);
	again[0] = b[0];
	again[1] = b[2];
	check_tree(&w.tree, "{\"nodes\":["
	    "{\"name\":\"hole\",\"type\":\"file\",\"inode\":3,\"size\":11,"
	    "\"links\":1,\"content\":[\"%s\",\"%s\"],\"k\":1},"
	    "{\"name\":\"lost\",\"type\":\"file\",\"links\":1,\"content\":[]}"
	    "]}\n", again);
	/* What is repaired needs no more of it. */
	root = w.tree;
	w = repair(&root);
	assert_true(id_eq(&w.tree, &root));
	assert_int_equal(items[ITEM_CONTENT] + items[ITEM_SIZE], 0);
}

static void
test_repair_sizes(void **state)
{
	struct id b[5], root;
	struct saver *s = begin();
	struct rewritten w;
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		b[i] = put_data(s, "hello");
	root = put_tree(s, "{\"nodes\":["
	    "{\"name\":\"none\",\"type\":\"file\",\"inode\":3,\"links\":1,"
	    "\"content\":[\"%s\"]},"
	    "{\"name\":\"odd\",\"type\":\"file\",\"content\":[\"%s\"],"
	    "\"size\":4},"
	    "{\"name\":\"last\",\"type\":\"file\",\"content\":[\"%s\"]},"
	    "{\"size\":9,\"name\":\"null\",\"type\":\"file\","
	    "\"content\":null},"
	    "{\"name\":\"absent\",\"type\":\"file\"},"
	    "{\"name\":\"right\",\"type\":\"file\",\"size\":5,"
	    "\"content\":[ \"%s\" ]},"
	    "{\"name\":\"what\",\"type\":\"irregular\",\"content\":null},"
	    "{\"name\":\"which\",\"content\":null},"
	    "{\"name\":\"door\",\"type\":\"door\",\"content\":null}"
	    "]}\n", b);
	end(s);
	w = repair(&root);
	assert_int_equal(items[ITEM_SIZE], 4);
	assert_int_equal(items[ITEM_BAD_TYPE], 2);
	check_tree(&w.tree, "{\"nodes\":["
	    "{\"name\":\"none\",\"type\":\"file\",\"inode\":3,\"size\":5,"
	    "\"links\":1,\"content\":[\"%s\"]},"
	    "{\"name\":\"odd\",\"type\":\"file\",\"size\":5,"
	    "\"content\":[\"%s\"]},"
	    "{\"name\":\"last\",\"type\":\"file\",\"size\":5,"
	    "\"content\":[\"%s\"]},"
	    "{\"name\":\"null\",\"type\":\"file\",\"content\":[]},"
	    "{\"name\":\"absent\",\"type\":\"file\",\"content\":[]},"
	    "{\"name\":\"right\",\"type\":\"file\",\"size\":5,"
	    "\"content\":[ \"%s\" ]},"
	    "{\"name\":\"door\",\"type\":\"door\",\"content\":null}"
	    "]}\n", b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unchanged),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_commas),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_repair_sizes),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}

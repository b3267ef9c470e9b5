#include "repo/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/goname.h"

enum {
	XATTR_VALUE_MAX = 65536, /* Linux: XATTR_SIZE_MAX */
	XATTR_STRING = B64_LEN(XATTR_VALUE_MAX) + 64,
};

int
tree_stack_open(struct tree_stack *ts, struct repo *r, struct err *e)
{
	int rc;

	ts->owner = NULL;
	rc = spill_open(&ts->text, r->state->scratch,
	    (size_t)CONFIG_SPILL_KIB * 1024, e);
	if (rc == 0 && (rc = blob_reader_open(&ts->br, r, e)) != 0)
		spill_close(&ts->text);
	return (rc);
}

void
tree_stack_close(struct tree_stack *ts)
{

	if (ts->text.win == NULL)
		return;
	blob_reader_close(&ts->br);
	spill_close(&ts->text);
}

static int
onto_stack(void *cookie, const void *p, size_t len, struct err *e)
{

	return (spill_push(cookie, p, len, e));
}

int
tree_push(struct tree_stack *ts, const struct id *id, struct tree *ret,
    struct err *e)
{
	int rc;

	ret->start = spill_top(&ts->text);
	rc = blob_read(&ts->br, BLOB_TREE, id, onto_stack, &ts->text, e);
	if (rc != 0) {
		spill_cut(&ts->text, ret->start);
		return (rc);
	}
	ret->end = spill_top(&ts->text);
	ret->at = ret->list = ret->node = 0;
	ret->path_len = 0;
	ret->done = false;
	return (0);
}

void
tree_pop(struct tree_stack *ts, struct tree *t)
{

	spill_cut(&ts->text, t->start);
	ts->owner = NULL;
}

int
tree_copy(struct tree_stack *ts, uint64_t from, uint64_t to, store_sink *fn,
    void *cookie, struct err *e)
{
	uint8_t part[4096];
	size_t n;
	int rc;

	for (; from < to; from += n) {
		n = to - from < sizeof(part) ? (size_t)(to - from) :
		    sizeof(part);
		if ((rc = spill_read(&ts->text, from, part, n, e)) != 0 ||
		    (rc = fn(cookie, part, n, e)) != 0)
			return (rc);
	}
	return (0);
}

int
tree_text(struct tree_stack *ts, const struct tree *t, store_sink *fn,
    void *cookie, struct err *e)
{

	return (tree_copy(ts, t->start, t->end, fn, cookie, e));
}

/* ---- the one reader ---- */

static int
fill(void *cookie, uint8_t *p, size_t cap, size_t *ret, struct err *e)
{
	struct tree_stack *ts = cookie;

	if (cap > ts->fill_end - ts->fill_at)
		cap = (size_t)(ts->fill_end - ts->fill_at);
	*ret = cap;
	ts->fill_at += cap;
	return (spill_read(&ts->text, ts->fill_at - cap, p, cap, e));
}

static void
reader_at(struct tree_stack *ts, const struct tree *t, uint64_t at)
{

	ts->owner = t;
	ts->base = ts->fill_at = at;
	ts->fill_end = t->end;
	json_begin(&ts->json, ts->window, TREE_WINDOW, ts->string,
	    TREE_STRING, fill, ts);
}

static int
bad(const struct json_token *t, const char *how, struct err *e)
{

	return (err_set(e, ERR_CORRUPT, "line %u, column %u: %s", t->line,
	    t->column, how));
}

/* From the document's start into the array of nodes. */
static int
enter_nodes(struct tree_stack *ts, struct tree *t, struct err *e)
{
	struct json_token tok;
	int rc;

	reader_at(ts, t, t->start);
	if ((rc = json_expect(&ts->json, JSON_OBJECT, &tok, e)) != 0)
		return (rc);
	for (;;) {
		if ((rc = json_next(&ts->json, &tok, e)) != 0)
			return (rc);
		if (tok.kind == JSON_OBJECT_END)
			return (bad(&tok, "a tree without nodes", e));
		if (json_is(&tok, "nodes"))
			break;
		if ((rc = json_skip(&ts->json, e)) != 0)
			return (rc);
	}
	if ((rc = json_next(&ts->json, &tok, e)) != 0)
		return (rc);
	if (tok.kind == JSON_NULL)
		t->done = true;
	else if (tok.kind != JSON_ARRAY)
		return (bad(&tok, "nodes is not a list", e));
	else
		t->list = ts->base + json_offset(&ts->json);
	return (0);
}

/* ---- the fields of a node ---- */

static int
get_name(struct tree_stack *ts, struct node *n, struct err *e)
{
	struct json_token t;
	ssize_t len;
	int rc;

	if ((rc = json_expect(&ts->json, JSON_STRING, &t, e)) != 0)
		return (rc);
	len = goname_unquote((uint8_t *)n->name, NODE_NAME_MAX, t.text, t.len);
	if (len < 0)
		return (bad(&t, "a name that is too long or wrongly quoted",
		    e));
	n->name[len] = '\0';
	n->name_len = (size_t)len;
	return (0);
}

static int
get_type(struct tree_stack *ts, struct node *n, struct err *e)
{
	struct json_token t;
	int i, rc;

	if ((rc = json_expect(&ts->json, JSON_STRING, &t, e)) != 0)
		return (rc);
	n->type = NODE_OTHER;
	n->irregular = t.len == 0 || json_is(&t, node_type_name(NODE_OTHER));
	for (i = NODE_FILE; i < NODE_OTHER; i++)
		if (json_is(&t, node_type_name((enum node_type)i)))
			n->type = (enum node_type)i;
	return (0);
}

static int
get_number(struct tree_stack *ts, uint64_t *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(&ts->json, JSON_NUMBER, &t, e)) != 0)
		return (rc);
	if (!json_u64(&t, ret))
		return (bad(&t, "not a whole number", e));
	return (0);
}

static int
get_u32(struct tree_stack *ts, uint32_t *ret, struct err *e)
{
	struct json_token t;
	uint64_t v;
	int rc;

	if ((rc = json_expect(&ts->json, JSON_NUMBER, &t, e)) != 0)
		return (rc);
	if (!json_u64(&t, &v) || v > UINT32_MAX)
		return (bad(&t, "not a whole number below 2^32", e));
	*ret = (uint32_t)v;	/* cut to 32 bits 2^32 would be root */
	return (0);
}

static int
get_time(struct tree_stack *ts, struct when *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(&ts->json, JSON_STRING, &t, e)) != 0)
		return (rc);
	if (!when_parse(ret, t.text, t.len))
		return (bad(&t, "not a point in time", e));
	return (0);
}

/* Names of owners are kept for show and for --numeric-less restores. */
static int
get_owner(struct tree_stack *ts, char ret[NODE_OWNER_MAX], struct err *e)
{
	struct json_token t;
	size_t len;
	int rc;

	if ((rc = json_expect(&ts->json, JSON_STRING, &t, e)) != 0)
		return (rc);
	len = t.len < NODE_OWNER_MAX ? t.len : 0;
	memcpy(ret, t.text, len);
	ret[len] = '\0';
	return (0);
}

static int
get_target(struct tree_stack *ts, struct node *n, bool raw, bool *have_raw,
    struct err *e)
{
	struct json_token t;
	ssize_t len;
	int rc;

	if ((rc = json_expect(&ts->json, JSON_STRING, &t, e)) != 0)
		return (rc);
	if (raw) {
		*have_raw = true;
		len = b64_decode((uint8_t *)n->target, NODE_TARGET_MAX, t.text,
		    t.len);
	} else {
		if (*have_raw)
			return (0);
		len = t.len <= NODE_TARGET_MAX ? (ssize_t)t.len : -1;
		if (len > 0)
			memcpy(n->target, t.text, t.len);
	}
	if (len < 0)
		return (bad(&t, "a link target that is too long or not "
		    "Base64", e));
	n->target_len = (size_t)len;
	n->target[len] = '\0';
	return (0);
}

static int
get_id(const struct json_token *t, struct id *ret, struct err *e)
{

	if (t->kind != JSON_STRING || !id_parse(ret, t->text, t->len))
		return (bad(t, "not an id of 64 hex digits", e));
	return (0);
}

static int
get_subtree(struct tree_stack *ts, struct node *n, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_next(&ts->json, &t, e)) != 0)
		return (rc);
	if (t.kind == JSON_NULL)
		return (0);
	n->has_subtree = true;
	return (get_id(&t, &n->subtree, e));
}

static int
get_content(struct tree_stack *ts, struct node *n, struct err *e)
{
	struct json_token t;
	struct id id;
	int rc;

	if ((rc = json_next(&ts->json, &t, e)) != 0)
		return (rc);
	if (t.kind == JSON_NULL)
		return (0);
	if (t.kind != JSON_ARRAY)
		return (bad(&t, "content is not a list", e));
	n->has_content = true;
	n->n_content = 0;
	n->content_at = ts->base + t.offset;
	for (;;) {
		if ((rc = json_next(&ts->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_ARRAY_END)
			return (0);
		rc = get_id(&t, n->n_content < NODE_INLINE ?
		    &n->content[n->n_content] : &id, e);
		if (rc != 0)
			return (rc);
		n->n_content++;
	}
}

/* The rest of an object that was begun; its strings may be long. */
static int
skip_members(struct json_reader *json, struct err *e)
{
	struct json_token t;
	int rc;

	for (;;) {
		if ((rc = json_next(json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			return (0);
		if ((rc = json_skip(json, e)) != 0)
			return (rc);
	}
}

static int
get_xattrs(struct tree_stack *ts, struct node *n, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_next(&ts->json, &t, e)) != 0)
		return (rc);
	if (t.kind == JSON_NULL)
		return (0);
	if (t.kind != JSON_ARRAY)
		return (bad(&t, "extended_attributes is not a list", e));
	n->n_xattrs = 0;
	n->xattrs_at = ts->base + t.offset;
	for (;;) {
		if ((rc = json_next(&ts->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_ARRAY_END)
			return (0);
		if (t.kind == JSON_ARRAY)
			return (bad(&t, "not an extended attribute", e));
		n->n_xattrs++;	/* what it is, tree_xattrs says */
		if (t.kind == JSON_OBJECT &&
		    (rc = skip_members(&ts->json, e)) != 0)
			return (rc);
	}
}

/* The value of the member ${t}. */
static int
get_member(struct tree_stack *ts, const struct json_token *t, struct node *n,
    bool *have_raw, struct err *e)
{

	switch (t->len > 0 ? t->text[0] : 0) {
	case 'n':
		if (json_is(t, "name"))
			return (get_name(ts, n, e));
		break;
	case 't':
		if (json_is(t, "type"))
			return (get_type(ts, n, e));
		break;
	case 'm':
		if (json_is(t, "mode"))
			return (get_number(ts, &n->mode, e));
		if (json_is(t, "mtime"))
			return (get_time(ts, &n->mtime, e));
		break;
	case 'a':
		if (json_is(t, "atime"))
			return (get_time(ts, &n->atime, e));
		break;
	case 'c':
		if (json_is(t, "ctime"))
			return (get_time(ts, &n->ctime, e));
		if (json_is(t, "content"))
			return (get_content(ts, n, e));
		break;
	case 'u':
		if (json_is(t, "uid"))
			return (get_u32(ts, &n->uid, e));
		if (json_is(t, "user"))
			return (get_owner(ts, n->user, e));
		break;
	case 'g':
		if (json_is(t, "gid"))
			return (get_u32(ts, &n->gid, e));
		if (json_is(t, "group"))
			return (get_owner(ts, n->group, e));
		break;
	case 'i':
		if (json_is(t, "inode"))
			return (get_number(ts, &n->inode, e));
		break;
	case 'd':
		if (json_is(t, "device_id"))
			return (get_number(ts, &n->device_id, e));
		if (json_is(t, "device"))
			return (get_number(ts, &n->device, e));
		break;
	case 's':
		if (json_is(t, "size"))
			return (get_number(ts, &n->size, e));
		if (json_is(t, "subtree"))
			return (get_subtree(ts, n, e));
		break;
	case 'l':
		if (json_is(t, "links"))
			return (get_number(ts, &n->links, e));
		if (json_is(t, "linktarget"))
			return (get_target(ts, n, false, have_raw, e));
		if (json_is(t, "linktarget_raw"))
			return (get_target(ts, n, true, have_raw, e));
		break;
	case 'e':
		if (json_is(t, "extended_attributes"))
			return (get_xattrs(ts, n, e));
		break;
	default:
		break;
	}
	return (json_skip(&ts->json, e));
}

/* Everything of a node but its big arrays, as if it had said nothing. */
static void
node_clear(struct node *n)
{

	n->type = NODE_OTHER;
	n->irregular = true;
	n->name[0] = n->user[0] = n->group[0] = n->target[0] = '\0';
	n->name_len = n->target_len = 0;
	n->mode = 0;
	n->mtime = n->atime = n->ctime = (struct when){ 0, 0, 0 };
	n->uid = n->gid = 0;
	n->inode = n->device_id = n->size = n->links = n->device = 0;
	n->has_subtree = n->has_content = false;
	n->n_content = n->n_xattrs = 0;
	n->content_at = n->xattrs_at = 0;
}

static int
read_node(struct tree_stack *ts, struct node *n, struct err *e)
{
	struct json_token t;
	bool have_raw = false;
	int rc;

	for (;;) {
		if ((rc = json_next(&ts->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			return (0);
		if ((rc = get_member(ts, &t, n, &have_raw, e)) != 0)
			return (rc);
	}
}

/* Set the reader to where the next element of the array of nodes begins. */
static int
to_next(struct tree_stack *ts, struct tree *t, struct err *e)
{

	if (t->at == 0)
		return (enter_nodes(ts, t, e));
	if (ts->owner != t) {
		reader_at(ts, t, t->at);
		json_resume_array(&ts->json);
	}
	return (0);
}

/*
 * A node made no sense, and the reader stands somewhere in it. Is it JSON at
 * least, so that the next one can be found?
 */
static bool
step_over(struct tree_stack *ts, struct tree *t)
{

	ts->owner = NULL;
	if (to_next(ts, t, NULL) != 0 || json_skip(&ts->json, NULL) != 0)
		return (false);
	t->at = ts->base + json_offset(&ts->json);
	return (true);
}

int
tree_next(struct tree_stack *ts, struct tree *t, struct node *ret,
    struct err *e)
{
	struct json_token tok;
	bool inside = false;
	int rc;

	if (t->done)
		return (0);
	node_clear(ret);
	if ((rc = to_next(ts, t, e)) != 0 || t->done)
		goto out;
	if ((rc = json_next(&ts->json, &tok, e)) != 0)
		goto out;
	t->node = ts->base + tok.offset;
	if (tok.kind == JSON_ARRAY_END) {
		t->done = true;
		return (0);
	}
	inside = true;
	rc = tok.kind == JSON_OBJECT ? read_node(ts, ret, e) :
	    bad(&tok, "not a node", e);
	if (rc == 0) {
		t->at = ts->base + json_offset(&ts->json);
		return (1);
	}

out:
	if (rc != 0 && !(rc == ERR_CORRUPT && inside && step_over(ts, t)))
		t->done = true;
	return (rc);
}

int
tree_find(struct tree_stack *ts, struct tree *t, const char *name, size_t len,
    struct node *ret, struct err *e)
{
	struct err why = ERR_INIT;
	int bad_one = 0, rc;

	for (;;) {
		if ((rc = tree_next(ts, t, ret, &why)) == 0)
			break;
		if (rc > 0 && ret->name_len == len &&
		    memcmp(ret->name, name, len) == 0)
			return (1);
		if (rc < 0 && (bad_one == 0 || err_ends_all(rc))) {
			bad_one = rc;
			*e = why;
		}
		if (err_ends_all(rc))
			break;
	}
	return (bad_one);
}

/* ---- a node's lists ---- */

static int
content_fill(void *cookie, uint8_t *p, size_t cap, size_t *ret, struct err *e)
{
	struct content_reader *c = cookie;
	uint64_t top = spill_top(&c->ts->text);

	if (cap > top - c->fill_at)
		cap = (size_t)(top - c->fill_at);
	*ret = cap;
	c->fill_at += cap;
	return (spill_read(&c->ts->text, c->fill_at - cap, p, cap, e));
}

void
content_begin(struct content_reader *c, struct tree_stack *ts,
    const struct node *n)
{

	c->ts = ts;
	c->node = n;
	c->n = 0;
	c->fill_at = n->content_at;
}

int
content_next(struct content_reader *c, struct id *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if (c->n == c->node->n_content)
		return (0);
	if (c->n < NODE_INLINE) {
		*ret = c->node->content[c->n++];
		return (1);
	}
	if (c->n == NODE_INLINE) {	/* on from the text: skip those */
		json_begin(&c->json, c->window, sizeof(c->window), c->string,
		    sizeof(c->string), content_fill, c);
		if ((rc = json_expect(&c->json, JSON_ARRAY, &t, e)) != 0)
			return (rc);
		for (c->n = 0; c->n < NODE_INLINE; c->n++)
			if ((rc = json_skip(&c->json, e)) != 0)
				return (rc);
	}
	if ((rc = json_next(&c->json, &t, e)) != 0)
		return (rc);
	if ((rc = get_id(&t, ret, e)) != 0)
		return (rc);
	c->n++;
	return (1);
}

/* One attribute; its opening brace is read. */
static int
one_xattr(struct json_reader *json, uint8_t *value, tree_xattr *fn,
    void *cookie, struct err *e)
{
	struct json_token t;
	char name[256] = "";
	ssize_t len = 0;
	int rc;

	for (;;) {
		if ((rc = json_next(json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			break;
		if (json_is(&t, "name")) {
			if ((rc = json_expect(json, JSON_STRING, &t, e)) != 0)
				return (rc);
			if (t.len == 0 || t.len >= sizeof(name) ||
			    memchr(t.text, '\0', t.len) != NULL)
				return (bad(&t, "the name of an attribute is "
				    "empty, too long or holds a NUL", e));
			memcpy(name, t.text, t.len);
			name[t.len] = '\0';
		} else if (json_is(&t, "value")) {
			if ((rc = json_next(json, &t, e)) != 0)
				return (rc);
			len = t.kind == JSON_STRING ? b64_decode(value,
			    XATTR_VALUE_MAX, t.text, t.len) :
			    t.kind == JSON_NULL ? 0 : -1;
			if (len < 0)
				return (bad(&t, "the value of an attribute is "
				    "too long or not Base64", e));
		} else if ((rc = json_skip(json, e)) != 0) {
			return (rc);
		}
	}
	if (name[0] == '\0')
		return (bad(&t, "an attribute without a name", e));
	return (fn(cookie, name, value, (size_t)len, e));
}

int
tree_xattrs(struct tree_stack *ts, const struct node *n, tree_xattr *fn,
    void *cookie, struct err *e)
{
	struct content_reader *c;
	struct json_token t;
	char *string;
	uint8_t *value;
	int rc;

	if (n->n_xattrs == 0)
		return (0);
	c = malloc(sizeof(*c));
	string = malloc(XATTR_STRING);
	value = malloc(XATTR_VALUE_MAX);
	if (c == NULL || string == NULL || value == NULL) {
		rc = err_nomem(e);
		goto out;
	}
	c->ts = ts;
	c->fill_at = n->xattrs_at;
	json_begin(&c->json, c->window, sizeof(c->window), string,
	    XATTR_STRING, content_fill, c);
	if ((rc = json_expect(&c->json, JSON_ARRAY, &t, e)) != 0)
		goto out;
	for (;;) {
		if ((rc = json_next(&c->json, &t, e)) != 0 ||
		    t.kind == JSON_ARRAY_END)
			break;
		if (t.kind != JSON_OBJECT) {
			rc = bad(&t, "not an extended attribute", e);
			break;
		}
		rc = one_xattr(&c->json, value, fn, cookie, e);
		if (rc != 0)
			break;
	}

out:
	free(value);
	free(string);
	free(c);
	return (rc);
}

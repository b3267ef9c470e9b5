#include "repo/node_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EDIT_STRING = 4096 };

/* Copies a node's members, one by one. */
struct editing {
	struct tree_stack *ts;
	const struct node_change *c;
	store_sink *fn;
	void *cookie;
	uint64_t from;       /* of the node, on the stack */
	uint64_t fill_at, fill_end;
	bool any;            /* a member was written */
	bool subtree, content, size; /* these were */
	struct json_reader json;
	uint8_t window[4096];
	char string[EDIT_STRING];
};

static int
edit_fill(void *cookie, uint8_t *p, size_t cap, size_t *ret, struct err *e)
{
	struct editing *x = cookie;

	if (cap > x->fill_end - x->fill_at)
		cap = (size_t)(x->fill_end - x->fill_at);
	*ret = cap;
	x->fill_at += cap;
	return (spill_read(&x->ts->text, x->fill_at - cap, p, cap, e));
}

static int
edit_put(struct editing *x, const char *s, struct err *e)
{

	return (x->fn(x->cookie, s, strlen(s), e));
}

/* Before a member. */
static int
edit_comma(struct editing *x, struct err *e)
{
	bool first = !x->any;

	x->any = true;
	return (first ? 0 : edit_put(x, ",", e));
}

/* Nothing is written for a size of 0, as restic does. */
static int
edit_size(struct editing *x, struct err *e)
{
	char text[48];
	int rc;

	if (x->size || x->c->size == 0)
		return (0);
	x->size = true;
	(void)snprintf(text, sizeof(text), "\"size\":%llu",
	    (unsigned long long)x->c->size);
	return ((rc = edit_comma(x, e)) != 0 ? rc : edit_put(x, text, e));
}

static int
edit_subtree(struct editing *x, struct err *e)
{
	char text[ID_HEX + 16], hex[ID_HEX + 1];
	int rc;

	if (x->subtree)
		return (0);
	x->subtree = true;
	(void)snprintf(text, sizeof(text), "\"subtree\":\"%s\"",
	    id_hex(x->c->subtree, hex));
	return ((rc = edit_comma(x, e)) != 0 ? rc : edit_put(x, text, e));
}

/* The list of blobs without those that go; its value comes next. */
static int
edit_content(struct editing *x, struct err *e)
{
	char text[ID_HEX + 4], hex[ID_HEX + 1];
	const char *sep = "";
	struct json_token t;
	struct id id;
	int rc;

	if (x->content)
		return (json_skip(&x->json, e));
	x->content = true;
	if ((rc = edit_comma(x, e)) != 0 ||
	    (rc = edit_put(x, "\"content\":[", e)) != 0 ||
	    (rc = json_next(&x->json, &t, e)) != 0)
		return (rc);
	while (t.kind != JSON_NULL) {
		if ((rc = json_next(&x->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_ARRAY_END)
			break;
		if (t.kind != JSON_STRING || !id_parse(&id, t.text, t.len))
			return (err_set(e, ERR_CORRUPT, "line %u, column %u: "
			    "not an id of 64 hex digits", t.line, t.column));
		if ((rc = x->c->keep(x->c->cookie, &id, e)) < 0)
			return (rc);
		if (rc == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s\"%s\"", sep,
		    id_hex(&id, hex));
		sep = ",";
		if ((rc = edit_put(x, text, e)) != 0)
			return (rc);
	}
	return (edit_put(x, "]", e));
}

/* Keys that stand behind the size. */
static bool
behind_size(const struct json_token *t)
{
	static const char *const key[] = { "links", "linktarget",
	    "linktarget_raw", "extended_attributes", "generic_attributes",
	    "device", "content", "subtree" };
	size_t i;

	for (i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		if (json_is(t, key[i]))
			return (true);
	return (false);
}

/* The member whose key ${t} was read. */
static int
edit_member(struct editing *x, const struct json_token *t, struct err *e)
{
	uint64_t at = x->from + t->offset;
	int rc;

	if (x->c->subtree != NULL && json_is(t, "subtree"))
		return ((rc = json_skip(&x->json, e)) != 0 ? rc :
		    edit_subtree(x, e));
	if (x->c->keep != NULL) {
		if (json_is(t, "size"))
			return ((rc = json_skip(&x->json, e)) != 0 ? rc :
			    edit_size(x, e));
		if (behind_size(t) && (rc = edit_size(x, e)) != 0)
			return (rc);
		if (json_is(t, "content"))
			return (edit_content(x, e));
	}
	if ((rc = json_skip(&x->json, e)) != 0 ||
	    (rc = edit_comma(x, e)) != 0)
		return (rc);
	return (tree_copy(x->ts, at, x->from + json_offset(&x->json), x->fn,
	    x->cookie, e));
}

static int
edit_node(struct editing *x, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(&x->json, JSON_OBJECT, &t, e)) != 0 ||
	    (rc = edit_put(x, "{", e)) != 0)
		return (rc);
	for (;;) {
		if ((rc = json_next(&x->json, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			break;
		if ((rc = edit_member(x, &t, e)) != 0)
			return (rc);
	}
	if (x->c->keep != NULL && ((rc = edit_size(x, e)) != 0 ||
	    (!x->content && ((rc = edit_comma(x, e)) != 0 ||
	    (rc = edit_put(x, "\"content\":[]", e)) != 0))))
		return (rc);
	if (x->c->subtree != NULL && (rc = edit_subtree(x, e)) != 0)
		return (rc);
	return (edit_put(x, "}", e));
}

int
node_edit(struct tree_stack *ts, const struct tree *t,
    const struct node_change *c, store_sink *fn, void *cookie, struct err *e)
{
	struct editing *x;
	int rc;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return (err_nomem(e));
	x->ts = ts;
	x->c = c;
	x->fn = fn;
	x->cookie = cookie;
	x->from = x->fill_at = t->node;
	x->fill_end = t->at;
	json_begin(&x->json, x->window, sizeof(x->window), x->string,
	    EDIT_STRING, edit_fill, x);
	rc = edit_node(x, e);
	free(x);
	return (rc);
}

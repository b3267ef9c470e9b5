#include "run/tag.h"

#include <stdlib.h>
#include <string.h>

/* Call ${fn} for each tag of the lists. */
typedef int tag_fn(struct snapshot *s, const char *tag, size_t len,
    bool *changed, struct err *e);

static int
each_tag(const struct tag_lists *l, struct snapshot *s, tag_fn *fn,
    bool *changed, struct err *e)
{
	const char *at, *tag;
	size_t i, len;
	int rc;

	for (i = 0; i < l->n; i++)
		for (at = l->v[i]; (tag = tag_list_next(&at, &len)) != NULL;)
			if (len > 0 &&
			    (rc = fn(s, tag, len, changed, e)) != 0)
				return (rc);
	return (0);
}

static int
add_tag(struct snapshot *s, const char *tag, size_t len, bool *changed,
    struct err *e)
{
	const char *t = NULL;

	while ((t = text_list_next(&s->tags, t)) != NULL)
		if (strlen(t) == len && memcmp(t, tag, len) == 0)
			return (0);
	*changed = true;
	return (text_list_add(&s->tags, tag, len, e));
}

static int
remove_tag(struct snapshot *s, const char *tag, size_t len, bool *changed,
    struct err *e)
{

	(void)e;
	if (text_list_drop(&s->tags, tag, len) > 0)
		*changed = true;
	return (0);
}

/* These and no others. Who asks for what is there already changes nothing. */
static int
set_tags(const struct tag_lists *l, struct snapshot *s, bool *changed,
    struct err *e)
{
	struct text_list old = s->tags;
	bool ignored;
	int rc;

	memset(&s->tags, 0, sizeof(s->tags));
	s->tags.text.max = old.text.max;
	rc = each_tag(l, s, add_tag, &ignored, e);
	*changed = old.text.len != s->tags.text.len || (old.text.len > 0 &&
	    memcmp(old.text.p, s->tags.text.p, old.text.len) != 0);
	buf_free(&old.text);
	return (rc);
}

/* The old one is the snapshot's first id, however often it is tagged anew. */
static int
save(struct repo *r, struct snapshot *s, const struct tag_opts *o,
    struct err *e)
{
	struct id old = s->id;
	int rc;

	if (!s->has_original) {
		s->original = s->id;
		s->has_original = true;
	}
	if ((rc = snapshot_save(r, s, e)) != 0 ||
	    (rc = repo_remove(r, REPO_SNAPSHOT, &old, e)) != 0)
		return (rc);
	o->changed(o->cookie, &old, &s->id);
	return (0);
}

static int
tag_one(struct repo *r, struct snapshot *s, const struct tag_opts *o,
    uint64_t *ret, struct err *e)
{
	struct err why = ERR_INIT;
	bool changed = false;
	struct id old = s->id;
	int rc;

	if (o->set.n > 0) {
		rc = set_tags(&o->set, s, &changed, &why);
	} else {
		rc = each_tag(&o->add, s, add_tag, &changed, &why);
		if (rc == 0)
			rc = each_tag(&o->remove, s, remove_tag, &changed,
			    &why);
	}
	if (rc == 0 && changed)
		rc = save(r, s, o, &why);
	if (problem_ends_run(rc)) {
		*e = why;
		return (rc);
	}
	if (rc != 0)
		o->problem(o->cookie, &old, NULL, &why);
	else if (changed)
		++*ret;
	return (0);
}

int
tag_run(struct repo *r, struct chosen *chosen, const struct tag_opts *opts,
    uint64_t *ret, struct err *e)
{
	struct snapshot s;
	int rc, rc2;

	*ret = 0;
	do {
		if ((rc = repo_stopped(r, e)) != 0 ||
		    (rc = repo_lock_lost(opts->lock, e)) != 0)
			return (rc);
		snapshot_init(&s);
		rc = chosen_next(chosen, &s, e);
		if (rc > 0 && (rc2 = tag_one(r, &s, opts, ret, e)) != 0)
			rc = rc2;
		snapshot_free(&s);
	} while (rc > 0);
	return (rc);
}

#include "run/chosen.h"

#include <string.h>

enum {
	ORDER_MEM = 256 * 1024,
	KEY_LEN = 12,
	REC_LEN = KEY_LEN + ID_LEN,
};

static void
problem(const struct chosen *c, const struct id *snap, const struct err *why)
{

	c->o->problem(c->o->cookie, snap, NULL, why);
}

/* A record that sorts by time, either way, and then by id. */
static int
add(void *cookie, const struct snapshot *s, struct err *e)
{
	struct chosen *c = cookie;
	uint8_t rec[REC_LEN];
	unsigned i;

	store_be64(rec, (uint64_t)s->time.sec ^ 1ull << 63);
	for (i = 0; i < 4; i++)
		rec[8 + i] = (uint8_t)((uint32_t)s->time.nsec >> (24 - 8 * i));
	for (i = 0; c->o->newest_first && i < KEY_LEN; i++)
		rec[i] = (uint8_t)~rec[i];
	memcpy(rec + KEY_LEN, s->id.b, ID_LEN);
	c->n++;
	return (sorter_add(c->order, rec, sizeof(rec), e));
}

static int
add_named(struct chosen *c, const char *name, struct err *e)
{
	struct err why = ERR_INIT;
	struct snapshot s;
	int rc;

	snapshot_init(&s);
	rc = snapshot_find(c->r, name, c->o->filter, &s, &why);
	if (rc == 0) {
		rc = add(c, &s, e);
	} else if (problem_ends_run(rc)) {
		*e = why;
	} else {
		problem(c, NULL, &why);
		rc = 0;
	}
	snapshot_free(&s);
	return (rc);
}

static int
add_all(struct chosen *c, struct err *e)
{
	struct err why = ERR_INIT;
	unsigned bad = 0;
	int rc;

	rc = snapshot_each(c->r, c->o->filter, add, c, &bad, e);
	if (rc == 0 && bad > 0) {	/* each was named as it was met */
		(void)err_set(&why, ERR_CORRUPT, "%u snapshot%s cannot be "
		    "read", bad, bad == 1 ? "" : "s");
		problem(c, NULL, &why);
	}
	return (rc);
}

int
chosen_open(struct chosen *c, struct repo *r, const struct chosen_opts *o,
    struct err *e)
{
	size_t i;
	int rc;

	memset(c, 0, sizeof(*c));
	c->r = r;
	c->o = o;
	rc = sorter_new(&c->order, r->state->scratch, ORDER_MEM, sort_bytes,
	    e);
	if (rc != 0)
		return (rc);
	if (o->n_names == 0)
		return (add_all(c, e));
	for (i = 0; i < o->n_names; i++)
		if ((rc = add_named(c, o->names[i], e)) != 0)
			return (rc);
	return (0);
}

int
chosen_next(struct chosen *c, struct snapshot *ret, struct err *e)
{
	struct err why = ERR_INIT;
	const void *p;
	struct id id;
	size_t len;
	int rc;

	while ((rc = sorter_next(c->order, &p, &len, e)) > 0) {
		memcpy(id.b, (const uint8_t *)p + KEY_LEN, ID_LEN);
		if (c->any && id_eq(&id, &c->last))
			continue;
		c->last = id;
		c->any = true;
		if ((rc = snapshot_load(c->r, &id, ret, &why)) == 0)
			return (1);
		if (problem_ends_run(rc)) {
			*e = why;
			return (rc);
		}
		snapshot_free(ret);
		snapshot_init(ret);
		problem(c, &id, &why);
	}
	return (rc);
}

void
chosen_close(struct chosen *c)
{

	sorter_free(c->order);
	c->order = NULL;
}

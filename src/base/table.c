#include "base/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const char what[] = "the scratch file of a table";

/* Direct-mapped: page p can lie only in slot p mod slots. */
struct slot {
	uint64_t page;       /* UINT64_MAX: none */
	bool dirty;
	_Alignas(16) uint8_t bytes[TABLE_PAGE];
};

struct table {
	const char *dir;
	int fd;              /* -1 until a page must leave memory */
	size_t len;
	size_t per_page;
	size_t n_slots;
	struct slot *slot[];
};

int
table_new(struct table **ret, const char *dir, size_t len, size_t mem,
    struct err *e)
{
	size_t n_slots = mem / TABLE_PAGE;
	struct table *t;

	if (n_slots < 1)
		n_slots = 1;
	t = calloc(1, sizeof(*t) + n_slots * sizeof(t->slot[0]));
	if (t == NULL)
		return (err_nomem(e));
	t->dir = dir;
	t->fd = -1;
	t->len = len;
	t->per_page = TABLE_PAGE / len;
	t->n_slots = n_slots;
	*ret = t;
	return (0);
}

void
table_free(struct table *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->n_slots; i++)
		free(t->slot[i]);
	if (t->fd != -1)
		(void)close(t->fd);
	free(t);
}

/* The page leaves memory. */
static int
evict(struct table *t, struct slot *s, struct err *e)
{
	int rc;

	if (s->page == UINT64_MAX || !s->dirty)
		return (0);
	if (t->fd == -1 && (rc = file_scratch(t->dir, &t->fd, e)) != 0)
		return (rc);
	rc = file_pwrite(t->fd, s->bytes, TABLE_PAGE, s->page * TABLE_PAGE,
	    what, e);
	if (rc == 0)
		s->dirty = false;
	return (rc);
}

static int
load(struct table *t, struct slot *s, uint64_t page, struct err *e)
{
	size_t got = 0;
	int rc;

	s->page = UINT64_MAX;
	if (t->fd != -1 && (rc = file_pread(t->fd, s->bytes, TABLE_PAGE,
	    page * TABLE_PAGE, &got, what, e)) != 0)
		return (rc);
	memset(s->bytes + got, 0, TABLE_PAGE - got);	/* never written */
	s->page = page;
	return (0);
}

static int
slot_of(struct table *t, uint64_t no, struct slot **ret, struct err *e)
{
	uint64_t page = no / t->per_page;
	size_t i = (size_t)(page % t->n_slots);
	struct slot *s = t->slot[i];
	int rc;

	if (s == NULL) {
		if ((s = malloc(sizeof(*s))) == NULL)
			return (err_nomem(e));
		s->page = UINT64_MAX;
		s->dirty = false;
		t->slot[i] = s;
	}
	*ret = s;
	if (s->page == page)
		return (0);
	if ((rc = evict(t, s, e)) != 0)
		return (rc);
	return (load(t, s, page, e));
}

int
table_get(struct table *t, uint64_t no, const void **ret, struct err *e)
{
	struct slot *s;
	int rc;

	if ((rc = slot_of(t, no, &s, e)) == 0)
		*ret = s->bytes + no % t->per_page * t->len;
	return (rc);
}

int
table_put(struct table *t, uint64_t no, void **ret, struct err *e)
{
	struct slot *s;
	int rc;

	if ((rc = slot_of(t, no, &s, e)) != 0)
		return (rc);
	s->dirty = true;
	*ret = s->bytes + no % t->per_page * t->len;
	return (0);
}

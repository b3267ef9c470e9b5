#include "state/marks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { PAGE = 4096, BITS = PAGE * 8 };

static const char what[] = "the scratch file of marks";

/* Direct-mapped: page p can lie only in slot p mod slots. */
struct slot {
	uint64_t page;       /* UINT64_MAX: none */
	bool dirty;
	uint8_t bits[PAGE];
};

struct marks {
	int fd;
	uint64_t n;
	size_t n_slots;
	struct slot slot[];
};

int
marks_new(struct marks **ret, const char *dir, uint64_t n, size_t mem,
    struct err *e)
{
	size_t n_slots = mem / PAGE, i;
	struct marks *m;
	int rc;

	if (n_slots > n / BITS + 1)
		n_slots = (size_t)(n / BITS) + 1;
	if (n_slots < 1)
		n_slots = 1;
	m = malloc(sizeof(*m) + n_slots * sizeof(m->slot[0]));
	if (m == NULL)
		return (err_nomem(e));
	m->n = n;
	m->n_slots = n_slots;
	for (i = 0; i < n_slots; i++)
		m->slot[i].page = UINT64_MAX;
	if ((rc = file_scratch(dir, &m->fd, e)) != 0) {
		free(m);
		return (rc);
	}
	/* Holes read as zeros: an empty set costs nothing. */
	if (ftruncate(m->fd, (off_t)((n / BITS + 1) * PAGE)) == -1) {
		rc = err_sys(e, "cannot size %s", what);
		marks_free(m);
		return (rc);
	}
	*ret = m;
	return (0);
}

void
marks_free(struct marks *m)
{

	if (m == NULL)
		return;
	(void)close(m->fd);
	free(m);
}

static int
slot_of(struct marks *m, uint64_t pos, struct slot **ret, struct err *e)
{
	uint64_t page = pos / BITS;
	struct slot *s = &m->slot[page % m->n_slots];
	size_t got;
	int rc;

	*ret = s;
	if (pos >= m->n)
		return (err_set(e, ERR_FAIL, "a mark beyond the blob map"));
	if (s->page == page)
		return (0);
	if (s->page != UINT64_MAX && s->dirty &&
	    (rc = file_pwrite(m->fd, s->bits, PAGE, s->page * PAGE, what,
	    e)) != 0)
		return (rc);
	s->page = UINT64_MAX;
	rc = file_pread(m->fd, s->bits, PAGE, page * PAGE, &got, what, e);
	if (rc != 0)
		return (rc);
	if (got != PAGE)
		return (err_set(e, ERR_FAIL, "%s is cut short", what));
	s->page = page;
	s->dirty = false;
	return (0);
}

int
marks_test(struct marks *m, uint64_t pos, struct err *e)
{
	struct slot *s;
	int rc;

	if ((rc = slot_of(m, pos, &s, e)) != 0)
		return (rc);
	return (s->bits[pos % BITS / 8] >> pos % 8 & 1);
}

int
marks_set(struct marks *m, uint64_t pos, struct err *e)
{
	uint8_t bit = (uint8_t)(1 << pos % 8), *byte;
	struct slot *s;
	int rc;

	if ((rc = slot_of(m, pos, &s, e)) != 0)
		return (rc);
	byte = &s->bits[pos % BITS / 8];
	if (*byte & bit)
		return (0);
	*byte |= bit;
	s->dirty = true;
	return (1);
}

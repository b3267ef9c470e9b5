#include "base/pagemap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/sum.h"

enum {
	PAGE = 4096,
	ENTRY = PAGEMAP_KEY + 8,
	PER_PAGE = (PAGE - 8) / ENTRY, /* a u32 count stands in front */
	HEAD = 8,
	GROWTH_LOG = 2,      /* four times the pages */
};

struct pagemap {
	const char *dir;
	int fd;
	unsigned log;        /* 2^log pages, and an overflow page behind them */
	uint64_t n;
	uint64_t at;         /* the page in memory, UINT64_MAX: none */
	uint8_t page[PAGE];
};

static const char what[] = "the scratch file of a table";

static uint64_t
page_of(const uint8_t *key, unsigned log)
{
	uint64_t h = sum64(key, PAGEMAP_KEY, 0x243f6a8885a308d3ull);

	return (log == 0 ? 0 : h >> (64 - log));
}

static int
load(struct pagemap *m, uint64_t at, struct err *e)
{
	size_t got;
	int rc;

	if (m->at == at)
		return (0);
	m->at = UINT64_MAX;
	rc = file_pread(m->fd, m->page, PAGE, at * PAGE, &got, what, e);
	if (rc != 0)
		return (rc);
	memset(m->page + got, 0, PAGE - got);	/* never written: empty */
	m->at = at;
	return (0);
}

static int
store(struct pagemap *m, struct err *e)
{

	return (file_pwrite(m->fd, m->page, PAGE, m->at * PAGE, what, e));
}

int
pagemap_new(struct pagemap **ret, const char *dir, struct err *e)
{
	struct pagemap *m;
	int rc;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (err_nomem(e));
	m->dir = dir;
	m->at = UINT64_MAX;
	if ((rc = file_scratch(dir, &m->fd, e)) != 0) {
		free(m);
		return (rc);
	}
	*ret = m;
	return (0);
}

void
pagemap_free(struct pagemap *m)
{

	if (m == NULL)
		return;
	(void)close(m->fd);
	free(m);
}

/*
 * Find the key, or the place where it belongs: a page that is full continues in
 * the next. 1 found, 0 not; the page is in memory, ${*ret} points into it.
 */
static int
locate(struct pagemap *m, const uint8_t *key, uint8_t **ret, struct err *e)
{
	uint64_t at = page_of(key, m->log);
	uint32_t i, n;
	uint8_t *p;
	int rc;

	for (;; at++) {
		if ((rc = load(m, at, e)) != 0)
			return (rc);
		n = load_le32(m->page);
		for (i = 0, p = m->page + HEAD; i < n; i++, p += ENTRY) {
			if (memcmp(p, key, PAGEMAP_KEY) == 0) {
				*ret = p;
				return (1);
			}
		}
		if (n < PER_PAGE) {
			*ret = p;
			return (0);
		}
	}
}

int
pagemap_find(struct pagemap *m, const uint8_t key[PAGEMAP_KEY], uint64_t *ret,
    struct err *e)
{
	uint8_t *p;
	int rc;

	if ((rc = locate(m, key, &p, e)) == 1)
		*ret = load_le64(p + PAGEMAP_KEY);
	return (rc);
}

static int
insert(struct pagemap *m, const uint8_t *key, uint64_t value, bool *ret_new,
    struct err *e)
{
	uint8_t *p;
	int rc;

	if ((rc = locate(m, key, &p, e)) < 0)
		return (rc);
	*ret_new = rc == 0;
	if (rc == 0) {
		memcpy(p, key, PAGEMAP_KEY);
		store_le32(m->page, load_le32(m->page) + 1);
	}
	store_le64(p + PAGEMAP_KEY, value);
	return (store(m, e));
}

/* Copy everything into a table of four times the size. */
static int
grow(struct pagemap *m, struct err *e)
{
	struct pagemap old = *m;
	uint8_t page[PAGE];
	uint64_t at;
	uint32_t i;
	size_t got;
	bool is_new;
	int rc;

	if ((rc = file_scratch(m->dir, &m->fd, e)) != 0) {
		m->fd = old.fd;
		return (rc);
	}
	m->log += GROWTH_LOG;
	m->at = UINT64_MAX;
	for (at = 0; rc == 0; at++) {
		rc = file_pread(old.fd, page, PAGE, at * PAGE, &got, what, e);
		if (rc != 0 || got == 0)
			break;
		for (i = 0; i < load_le32(page) && rc == 0; i++)
			rc = insert(m, page + HEAD + i * ENTRY,
			    load_le64(page + HEAD + i * ENTRY + PAGEMAP_KEY),
			    &is_new, e);
	}
	(void)close(old.fd);
	return (rc);
}

int
pagemap_put(struct pagemap *m, const uint8_t key[PAGEMAP_KEY], uint64_t value,
    struct err *e)
{
	bool is_new;
	int rc;

	/* Half full: pages that overflow into the next stay rare. */
	if (m->n >= ((uint64_t)PER_PAGE << m->log) / 2 &&
	    (rc = grow(m, e)) != 0)
		return (rc);
	if ((rc = insert(m, key, value, &is_new, e)) == 0 && is_new)
		m->n++;
	return (rc);
}

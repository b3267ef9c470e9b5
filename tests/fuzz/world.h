#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

/*
 * A repository that lies in memory, for fuzzers of what a repository holds: one
 * object at a time, sealed with a known key, so that the parsers behind the seal
 * are reached. Each fuzzer is a program of its own, so this is all static.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/sha256.h"
#include "repo/repo.h"
#include "stream/rabin.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

#define MUST(cond) do {							\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		abort();						\
	}								\
} while (0)

enum { WORLD_OBJECTS = 4 };

/* What the store holds; names are kept by reference. */
struct world {
	struct store store;
	struct state_dir state;
	struct repo repo;
	struct {
		char name[STORE_NAME_MAX];
		uint8_t *p;
		size_t len;
	} object[WORLD_OBJECTS];
	unsigned n;
};

static int
world_get(struct store *st, const char *name, uint64_t off, uint64_t len,
    store_sink *fn, void *cookie, struct err *e)
{
	struct world *w = (struct world *)(void *)st;
	uint64_t end;
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (strcmp(w->object[i].name, name) == 0)
			break;
	if (i == w->n)
		return (err_set(e, ERR_ABSENT, "no %s", name));
	if (off > w->object[i].len)
		off = w->object[i].len;
	end = len < w->object[i].len - off ? off + len : w->object[i].len;
	if (len != UINT64_MAX && end - off < len)
		return (err_set(e, ERR_CORRUPT, "%s ends early", name));
	return (end > off ? fn(cookie, w->object[i].p + off,
	    (size_t)(end - off), e) : 0);
}

static int
world_list(struct store *st, const char *dir, store_each *fn, void *cookie,
    struct err *e)
{
	struct world *w = (struct world *)(void *)st;
	size_t n = strlen(dir);
	unsigned i;
	int rc = 0;

	for (i = 0; i < w->n && rc == 0; i++)
		if (strncmp(w->object[i].name, dir, n) == 0 &&
		    w->object[i].name[n] == '/')
			rc = fn(cookie, w->object[i].name, w->object[i].len,
			    e);
	return (rc);
}

static int
world_stat(struct store *st, const char *name, uint64_t *ret_size,
    struct err *e)
{
	struct world *w = (struct world *)(void *)st;
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (strcmp(w->object[i].name, name) == 0) {
			*ret_size = w->object[i].len;
			return (0);
		}
	return (err_set(e, ERR_ABSENT, "no %s", name));
}

static void
world_close(struct store *st)
{

	(void)st;
}

static const struct store_ops world_ops = {
	.get = world_get,
	.list = world_list,
	.stat = world_stat,
	.close = world_close,
};

/* The one world of this program; empty it with world_clear. */
static struct world *
world(void)
{
	static struct world w;
	static uint8_t raw[SEAL_KEY_LEN];
	static char dir[] = "/tmp/garner-fuzz-XXXXXX";
	struct err e = ERR_INIT;

	if (w.store.ops != NULL)
		return (&w);
	MUST(mkdtemp(dir) != NULL);
	MUST(state_open(&w.state, dir, &e) == 0);
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i + 0x20);
	w.store.ops = &world_ops;
	MUST((w.store.location = strdup("world")) != NULL);
	w.repo.store = &w.store;
	w.repo.state = &w.state;
	w.repo.version = 2;
	w.repo.polynomial = 0x3da3358b4dc173;
	chunk_tables_init(&w.repo.tables, w.repo.polynomial);
	seal_key_init(&w.repo.key, raw);
	MUST(slab_pool_open(&w.repo.pool, CONFIG_SLAB_COUNT, &e) == 0);
	return (&w);
}

static inline void
world_clear(struct world *w)
{

	while (w->n > 0)
		free(w->object[--w->n].p);
}

/* Add an object under ${name}, or with NULL under the name its hash gives. */
static inline struct id
world_add(struct world *w, enum repo_kind kind, const char *name,
    const uint8_t *p, size_t len)
{
	struct id id;

	MUST(w->n < WORLD_OBJECTS);
	sha256(p, len, &id);
	if (name != NULL)
		(void)snprintf(w->object[w->n].name, STORE_NAME_MAX, "%s",
		    name);
	else
		repo_name(kind, &id, w->object[w->n].name);
	w->object[w->n].p = malloc(len > 0 ? len : 1);
	MUST(w->object[w->n].p != NULL);
	memcpy(w->object[w->n].p, p, len);
	w->object[w->n++].len = len;
	return (id);
}

/* The same, sealed. */
static inline struct id
world_seal(struct world *w, enum repo_kind kind, const char *name,
    const uint8_t *p, size_t len)
{
	static const uint8_t iv[SEAL_IV] = { 1 };
	uint8_t *sealed = malloc(len + SEAL_OVERHEAD);
	struct id id;

	MUST(sealed != NULL);
	seal_whole(&w->repo.key, iv, p, len, sealed);
	id = world_add(w, kind, name, sealed, len + SEAL_OVERHEAD);
	free(sealed);
	return (id);
}

#endif /* FUZZ_WORLD_H */

/*
 * Packs: the input is the sealed header's inner bytes behind some blob bytes, or
 * (odd first byte) the whole stored file.
 */

#include "world.h"

#include "base/id.h"
#include "repo/pack.h"

static int
each(void *cookie, const struct pack_entry *x, uint32_t offset, struct err *e)
{
	uint64_t *at = cookie;

	(void)e;
	MUST(offset == *at);
	MUST(x->length >= SEAL_OVERHEAD);
	*at += x->length;
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const uint8_t iv[SEAL_IV] = { 1 };
	struct world *w = world();
	struct err e = ERR_INIT;
	uint64_t at = 0;
	uint8_t *file;
	size_t body, n;
	struct id id;

	if (len == 0)
		return (0);
	world_clear(w);
	if (p[0] & 1) {
		id = world_add(w, REPO_PACK, NULL, p + 1, len - 1);
		(void)pack_header(&w->repo, &id, len - 1, each, &at, &e);
		return (0);
	}
	body = (size_t)p[0] * 32;
	n = body + len - 1 + SEAL_OVERHEAD + 4;
	MUST((file = calloc(1, n)) != NULL);
	seal_whole(&w->repo.key, iv, p + 1, len - 1, file + body);
	store_le32(file + n - 4, (uint32_t)(len - 1 + SEAL_OVERHEAD));
	id = world_add(w, REPO_PACK, NULL, file, n);
	if (pack_header(&w->repo, &id, n, each, &at, &e) == 0)
		MUST(at == body);
	free(file);
	return (0);
}

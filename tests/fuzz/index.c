/* Index files: plain, and whatever comes behind the byte of a compressed one. */

#include "world.h"

#include "repo/index.h"

static int
begin(void *cookie, struct err *e)
{

	(void)e;
	++*(uint64_t *)cookie;
	return (0);
}

static int
blob(void *cookie, const struct pack_entry *x, uint32_t offset,
    struct err *e)
{

	(void)cookie;
	(void)e;
	MUST(x->length >= SEAL_OVERHEAD);
	MUST(offset <= UINT32_MAX - x->length);
	return (0);
}

static int
end(void *cookie, const struct id *id, struct err *e)
{

	(void)id;
	(void)e;
	MUST(*(uint64_t *)cookie > 0);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const struct index_events ev = { begin, blob, end };
	struct world *w = world();
	struct err e = ERR_INIT;
	uint64_t packs = 0;
	struct id id;

	world_clear(w);
	id = world_seal(w, REPO_INDEX, NULL, p, len);
	w->repo.version = len % 2 ? 1 : 2;
	(void)index_parse(&w->repo, &id, &ev, &packs, &e);
	return (0);
}

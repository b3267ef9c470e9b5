#include "run/packs.h"

#include <string.h>

#include "base/sort.h"

enum {
	/* A sort record: id, whose word it is, size, number. */
	REC_LEN = ID_LEN + 1 + 8 + 4,
	INDEXED = 0,
	STORED = 1,
};

struct join {
	struct repo *r;
	struct sorter *s;
	packs_each *fn;
	packs_again *again;
	void *cookie;
	struct pack_known pack; /* whose records come */
	bool any;
};

static int
add(struct join *j, const struct id *id, uint8_t whose, uint64_t size,
    uint32_t no, struct err *e)
{
	uint8_t rec[REC_LEN];

	memcpy(rec, id->b, ID_LEN);
	rec[ID_LEN] = whose;
	store_be64(rec + ID_LEN + 1, size);
	store_le32(rec + ID_LEN + 9, no);
	return (sorter_add(j->s, rec, REC_LEN, e));
}

static int
add_stored(void *cookie, const struct id *id, uint64_t size, struct err *e)
{

	return (add(cookie, id, STORED, size, 0, e));
}

static int
add_indexed(struct join *j, struct err *e)
{
	uint32_t i, n = blobmap_packs(j->r->map);
	struct pack_info p;
	int rc;

	for (i = 0; i < n; i++)
		if ((rc = blobmap_pack(j->r->map, i, &p, e)) != 0 ||
		    (rc = add(j, &p.id, INDEXED, p.size, i, e)) != 0)
			return (rc);
	return (0);
}

/* All of a pack is known. */
static int
give(struct join *j, struct err *e)
{
	int rc = 0;

	if (j->any && (rc = j->fn(j->cookie, &j->pack, e)) == 0)
		rc = repo_stopped(j->r, e);
	j->any = false;
	return (rc);
}

static int
take(struct join *j, const uint8_t *rec, struct err *e)
{
	struct pack_known *p = &j->pack;
	struct pack_info info;
	uint32_t no = load_le32(rec + ID_LEN + 9);
	int rc;

	if (rec[ID_LEN] == STORED) {
		p->stored = true;
		p->size = load_be64(rec + ID_LEN + 1);
		return (0);
	}
	if ((rc = blobmap_pack(j->r->map, no, &info, e)) != 0)
		return (rc);
	if (p->indexed++ == 0) {
		p->info = info;
		p->no = no;
		return (0);
	}
	if (info.blobs != p->info.blobs || info.sum != p->info.sum)
		p->differ = true;
	return (j->again != NULL ? j->again(j->cookie, no, p->no, e) : 0);
}

int
packs_join(struct repo *r, packs_each *fn, packs_again *again, void *cookie,
    struct err *e)
{
	struct join j = { .r = r, .fn = fn, .again = again,
	    .cookie = cookie };
	const void *p;
	size_t len;
	int rc;

	rc = sorter_new(&j.s, r->state->scratch,
	    (size_t)CONFIG_SORT_KIB * 1024, sort_bytes, e);
	if (rc != 0)
		return (rc);
	if ((rc = add_indexed(&j, e)) != 0 ||
	    (rc = repo_list(r, REPO_PACK, add_stored, &j, e)) != 0)
		goto out;
	while ((rc = sorter_next(j.s, &p, &len, e)) > 0) {
		if (j.any && memcmp(j.pack.id.b, p, ID_LEN) != 0 &&
		    (rc = give(&j, e)) != 0)
			goto out;
		if (!j.any) {
			memset(&j.pack, 0, sizeof(j.pack));
			memcpy(j.pack.id.b, p, ID_LEN);
			j.any = true;
		}
		if ((rc = take(&j, p, e)) != 0)
			goto out;
	}
	if (rc == 0)
		rc = give(&j, e);

out:
	sorter_free(j.s);
	return (rc);
}

#ifndef REPO_PACK_H
#define REPO_PACK_H

/*
 * Packs: sealed blobs one behind the other, then a sealed list of them, then the
 * length of that (restic-format 5). A packer writes one pack after another into
 * temporary objects of the store; each blob is streamed into it through the
 * packer's own buffer, where it is sealed in place.
 */

#include "base/spill.h"
#include "crypto/sha256.h"
#include "repo/repo.h"
#include "stream/zstd.h"

/* A header may be 16 MiB; 60,000 entries keep ours far from it. */
#define PACK_BLOBS_MAX 60000
#define PACK_HEADER_MAX (16u << 20)
#define PACK_ENTRY_MAX 41

/* One blob of a header. */
struct pack_entry {
	struct id id;
	enum blob_type type;
	uint32_t length;     /* as stored */
	uint32_t plain;      /* of the plain bytes when compressed, else 0 */
};

/* A list of entries in the header's own encoding, without an upper size. */
struct pack_list {
	struct spill bytes;
	uint32_t n;
};

/* Encode an entry: 37 or 41 bytes; return how many. */
size_t pack_entry_encode(const struct pack_entry *x,
    uint8_t ret[PACK_ENTRY_MAX]);

/* Walk a list: 1 with the next entry, 0 at the end, or ERR_*. */
int pack_list_next(struct pack_list *l, uint64_t *at, struct pack_entry *ret,
    struct err *e);

/**
 * pack_header(r, id, size, fn, cookie, e):
 * Read the header of a stored pack of ${size} bytes and name each blob with its
 * offset. Return 0, ERR_CORRUPT (also when lengths and sizes do not add up; then
 * some entries may have been named), what ${fn} returned, or another ERR_*.
 */
typedef int pack_each(void *cookie, const struct pack_entry *x,
    uint32_t offset, struct err *e);
int pack_header(struct repo *r, const struct id *id, uint64_t size,
    pack_each *fn, void *cookie, struct err *e);

/* ---- writing ---- */

/* A finished pack that is not published yet. */
struct pack_done {
	struct put *put;     /* NULL in a dry run */
	struct id id;
	uint64_t size;
	struct pack_list list;
};

void pack_done_free(struct pack_done *d);

enum { PACKER_BUFFER = 128 * 1024 };

struct packer {
	struct repo *r;
	bool dry;            /* count, do not write */
	struct put *put;     /* NULL between packs */
	struct pack_list list;
	struct sha256 sha;   /* of what was flushed */
	uint64_t size;       /* bytes of the pack that were flushed */
	uint8_t *buf;        /* what was not */
	size_t len;
	/* the blob in the making */
	struct seal seal;
	uint64_t blob_at;    /* where it begins in the pack */
	struct sha256 blob_sha; /* sha as it was there; streamed blobs only */
};

int packer_open(struct packer *pk, struct repo *r, bool dry, struct err *e);
void packer_close(struct packer *pk);

/* Bytes in the present pack, the unfinished blob's too. */
static inline uint64_t
packer_size(const struct packer *pk)
{

	return (pk->size + pk->len);
}

/**
 * packer_begin(pk, revocable, e):
 * Begin a blob (and a pack, where none is open). ${revocable}: packer_revoke may
 * follow.
 */
int packer_begin(struct packer *pk, bool revocable, struct err *e);

/**
 * packer_room(pk, ret, ret_len, e):
 * Room for the blob's next bytes, at least half of PACKER_BUFFER; write there
 * and say with packer_commit how many: they are sealed in place.
 */
int packer_room(struct packer *pk, uint8_t **ret, size_t *ret_len,
    struct err *e);
void packer_commit(struct packer *pk, size_t len);

/* Seal ${len} bytes into the blob as they are. */
int packer_plain(struct packer *pk, const uint8_t *p, size_t len,
    struct err *e);

/* Compress ${len} bytes into the blob; with ${end} finish the frame of ${z}. */
int packer_squeeze(struct packer *pk, struct zstd_pack *z, const uint8_t *p,
    size_t len, bool end, struct err *e);

/* The blob is complete; its stored length is filled into ${x}. */
int packer_end(struct packer *pk, struct pack_entry *x, struct err *e);

/* Take the unfinished blob back, as if it had not been begun. */
int packer_revoke(struct packer *pk, struct err *e);

/**
 * packer_copy_begin(pk, revocable, e), packer_copy(pk, p, len, e),
 * packer_copy_end(pk, x, e):
 * The same for a blob whose sealed bytes are there already, from another pack: all
 * ${x->length} of them, as they are. packer_revoke may follow instead of the end.
 */
int packer_copy_begin(struct packer *pk, bool revocable, struct err *e);
int packer_copy(struct packer *pk, const void *p, size_t len, struct err *e);
int packer_copy_end(struct packer *pk, const struct pack_entry *x,
    struct err *e);

/**
 * packer_finish(pk, ret, e):
 * Write the header; the pack is the caller's to publish and free. The packer
 * starts anew. Not to be called when no pack is open (packer_size is 0).
 */
int packer_finish(struct packer *pk, struct pack_done *ret, struct err *e);

#endif /* REPO_PACK_H */

#ifndef REPO_DOC_H
#define REPO_DOC_H

/*
 * Documents: the stored files that are JSON under one seal (config, snapshots,
 * locks, index files; restic calls them unpacked). Small ones are handled whole,
 * up to CONFIG_DOC_KIB; those without an upper size are streamed.
 */

#include "base/buf.h"
#include "crypto/sha256.h"
#include "repo/repo.h"
#include "repo/sealed.h"
#include "stream/zstd.h"

/**
 * doc_load(r, name, id, ret, e):
 * The plaintext of the small document ${name}; with ${id}, the stored bytes must
 * hash to it. Return 0, ERR_ABSENT, ERR_CORRUPT (which names the file and what
 * is wrong with it), ERR_LIMIT, ... ${ret} is emptied first.
 */
int doc_load(struct repo *r, const char *name, const struct id *id,
    struct buf *ret, struct err *e);

/**
 * doc_seal(r, p, len, ret, ret_id, e):
 * Seal a small document as it is to be stored, uncompressed, and say its id.
 */
int doc_seal(struct repo *r, const void *p, size_t len, struct buf *ret,
    struct id *ret_id, struct err *e);

/* Store sealed bytes under their id. */
int doc_store(struct repo *r, enum repo_kind kind, const struct id *id,
    const struct buf *sealed, struct err *e);

/* ---- streams ---- */

struct doc_reader {
	struct sealed sealed;
	struct zstd_unpack *z; /* NULL when it is plain JSON */
	uint8_t part[4096];  /* opened, not yet unpacked */
	struct span in;
};

/**
 * doc_open(d, r, kind, id, e):
 * Fetch a document, check its id and its seal, and be ready to give its text.
 * Close it also after a failure.
 */
int doc_open(struct doc_reader *d, struct repo *r, enum repo_kind kind,
    const struct id *id, struct err *e);

/* The next bytes of the text; a json_fill. */
int doc_fill(void *doc_reader, uint8_t *p, size_t cap, size_t *ret,
    struct err *e);

void doc_close(struct doc_reader *d);

struct doc_writer {
	struct repo *r;
	enum repo_kind kind;
	struct put *put;
	struct seal seal;
	struct sha256 sha;
	struct zstd_pack *z; /* NULL in version 1 */
	uint8_t out[16384];
	size_t len;
};

/**
 * doc_begin(w, r, kind, e), doc_write(w, p, len, e), doc_end(w, ret, e):
 * Write a document of any length; it is published by doc_end, which says its id.
 * doc_free releases it in any case.
 */
int doc_begin(struct doc_writer *w, struct repo *r, enum repo_kind kind,
    struct err *e);
int doc_write(struct doc_writer *w, const void *p, size_t len, struct err *e);
int doc_end(struct doc_writer *w, struct id *ret, struct err *e);
void doc_free(struct doc_writer *w);

#endif /* REPO_DOC_H */

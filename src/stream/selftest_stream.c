/*
 * The vectors of this floor: restic-format 16 for the chunker, made of its key
 * stream piece by piece, and for polynomials; for zstd a text of all kinds of
 * frames, and our own compressor's way out and back.
 */

#include "base/selftest.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aes_ctr.h"
#include "stream/chunker.h"
#include "stream/rabin.h"
#include "stream/slab.h"
#include "stream/zstd.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint64_t irreducible[] = { 0x3da3358b4dc173, 0x2482734cacca49 };
static const uint64_t reducible[] = { 0x38f1e565e288df, 0x30a8295b9d5c91,
    0x255f4350b962cb, 0x267f776110a235, 0x2f4dae10d41227, 0x312daf4b284899,
    0x29dfb6553d01d1, 0x3548245eb26257 };

static int
rabin_run(char *ret_detail, size_t len, struct err *e)
{
	size_t i;

	for (i = 0; i < COUNT(irreducible); i++)
		if (!rabin_irreducible(irreducible[i]))
			return (err_set(e, ERR_FAIL, "%llx is irreducible",
			    (unsigned long long)irreducible[i]));
	for (i = 0; i < COUNT(reducible); i++)
		if (rabin_irreducible(reducible[i]))
			return (err_set(e, ERR_FAIL, "%llx is reducible",
			    (unsigned long long)reducible[i]));
	(void)snprintf(ret_detail, len, "degree %d", RABIN_DEGREE);
	return (0);
}

/* ---- the chunker ---- */

/* A slab, as the reader has it, and the tables. */
struct chunking {
	struct chunk_tables tables;
	uint8_t mem[SLAB_HEAD + SLAB_LEN];
};

static int
tables_run(const struct chunk_tables *t, struct err *e)
{

	if (t->out[1] != 0x17eb4232e19216 || t->out[255] != 0x0b80b98cecc39a ||
	    t->mod[1] != 0x003da3358b4dc173 ||
	    t->mod[255] != 0x1ff7ac8a5af476a7)
		return (err_set(e, ERR_FAIL, "the tables are wrong"));
	return (0);
}

/* The first four cuts in the AES-256-CTR key stream of zeros. */
static int
cuts_run(struct chunking *x, struct err *e)
{
	static const uint32_t want[] = { 551133, 640712, 2766582, 898583 };
	static const uint8_t zero[32];
	uint8_t *p = x->mem + SLAB_HEAD;
	struct chunker ck;
	struct aes_key key;
	struct aes_ctr ctr;
	uint32_t length = 0;
	size_t at, cut, n = 0;

	aes_key_init(&key, zero);
	aes_ctr_begin(&ctr, &key, zero);
	chunker_begin(&ck, &x->tables);
	while (n < COUNT(want)) {
		memcpy(x->mem, x->mem + SLAB_LEN, SLAB_HEAD);
		memset(p, 0, SLAB_LEN);
		aes_ctr_run(&ctr, p, SLAB_LEN);
		for (at = 0; at < SLAB_LEN && n < COUNT(want); at += cut) {
			cut = chunker_scan(&ck, p + at, SLAB_LEN - at);
			if (cut == 0) {
				length += (uint32_t)(SLAB_LEN - at);
				break;
			}
			length += (uint32_t)cut;
			if (length != want[n])
				return (err_set(e, ERR_FAIL, "chunk %zu has %u "
				    "bytes instead of %u", n, length,
				    want[n]));
			length = 0;
			n++;
		}
	}
	return (0);
}

static int
chunker_run(char *ret_detail, size_t len, struct err *e)
{
	struct chunking *x;
	int rc;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return (err_nomem(e));
	chunk_tables_init(&x->tables, irreducible[0]);
	if ((rc = tables_run(&x->tables, e)) == 0 &&
	    (rc = cuts_run(x, e)) == 0 && len > 0)
		ret_detail[0] = '\0';
	free(x);
	return (rc);
}

/* ---- zstd ---- */

/*
 * A skippable frame, "ab" raw in a window of 512 KiB, an empty frame, 15 times
 * 'x' as a run in a single segment, "x" with its checksum, a skippable frame.
 */
static const uint8_t frames[] = "\x50\x2a\x4d\x18\5\0\0\0hello"
    "\x28\xb5\x2f\xfd\0\x48\x11\0\0" "ab"
    "\x28\xb5\x2f\xfd\x20\0\1\0\0"
    "\x28\xb5\x2f\xfd\x20\x0f\x7b\0\0x"
    "\x28\xb5\x2f\xfd\x24\1\x09\0\0x\x23\x11\x04\x83"
    "\x5f\x2a\x4d\x18\0\0\0\0";
static const char frames_text[] = "abxxxxxxxxxxxxxxxx";

enum { TEXT = 3000, PIECE = 100 };

/*
 * Unpack in[0..len) in small pieces, in and out, into ${out}; ${*ret} is the
 * length of the text.
 */
static int
unpack(const uint8_t *in, size_t len, uint8_t *out, size_t room, size_t *ret,
    struct err *e)
{
	uint8_t piece[PIECE];
	struct zstd_unpack *z;
	struct span from = { piece, 0, 0 }, to = { out, 0, 0 };
	size_t at = 0;
	int rc;

	if ((rc = zstd_unpack_new(&z, 1u << ZSTD_WINDOW_LOG, e)) != 0)
		return (rc);
	zstd_unpack_begin(z);
	do {
		if (from.at == from.len) {
			from.at = 0;
			from.len = len - at < PIECE ? len - at : PIECE;
			memcpy(piece, in + at, from.len);
			at += from.len;
		}
		to.len = room - to.at < 7 ? room : to.at + 7;
		rc = zstd_unpack_run(z, &from, &to, e);
	} while (rc == 0 ? to.at < room : rc > 0 && at < len);
	if (rc == 0)
		rc = err_set(e, ERR_FAIL, "the text is too long");
	else if (rc > 0)
		rc = zstd_unpack_whole(z) ? 0 : err_set(e, ERR_FAIL,
		    "the last frame is not over");
	*ret = to.at;
	zstd_unpack_free(z);
	return (rc);
}

static int
round_trip(uint8_t *text, uint8_t *packed, size_t cap, struct err *e)
{
	struct span in = { text, 0, 0 }, out = { packed, 0, 0 };
	struct zstd_pack *z;
	uint8_t back[TEXT + 1];
	size_t len;
	int rc;

	if ((rc = zstd_pack_new(&z, 1, 12, e)) != 0)
		return (rc);
	zstd_pack_begin(z, TEXT);
	do {
		if (in.at == in.len)
			in.len += in.len < TEXT ? PIECE : 0;
		out.len = cap - out.at < 7 ? cap : out.at + 7;
		rc = zstd_pack_run(z, &in, &out, in.len == TEXT, e);
	} while (rc == 0 ? out.at < cap : rc > 0 && in.len < TEXT);
	zstd_pack_free(z);
	if (rc < 0)
		return (rc);
	if (rc == 0 || out.at >= TEXT)
		return (err_set(e, ERR_FAIL, "a dull text is not made shorter"));
	if ((rc = unpack(packed, out.at, back, sizeof(back), &len, e)) != 0)
		return (rc);
	if (len != TEXT || memcmp(back, text, TEXT) != 0)
		return (err_set(e, ERR_FAIL, "a text does not come back"));
	return (0);
}

static int
zstd_run(char *ret_detail, size_t len, struct err *e)
{
	uint8_t text[TEXT], packed[TEXT];
	size_t i, n;
	int rc;

	rc = unpack(frames, sizeof(frames) - 1, text, sizeof(text), &n, e);
	if (rc != 0)
		return (rc);
	if (n != sizeof(frames_text) - 1 || memcmp(text, frames_text, n) != 0)
		return (err_set(e, ERR_FAIL, "the frames are read as %.*s",
		    (int)n, (const char *)text));
	for (i = 0; i < TEXT; i++)
		text[i] = (uint8_t)(i * i >> 4 & 0x3f);
	if ((rc = round_trip(text, packed, sizeof(packed), e)) != 0)
		return (rc);
	if (len > 0)
		ret_detail[0] = '\0';
	return (0);
}

const struct selftest stream_selftests[] = {
	{ "polynomials", rabin_run },
	{ "chunker", chunker_run },
	{ "zstd", zstd_run },
	{ NULL, NULL },
};

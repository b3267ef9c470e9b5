#include "stream/zstd.h"

#include <stdlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_decompressBound */
#include <zstd.h>
#include <zstd_errors.h>

/* The higher levels would take 7 MiB for their tables: held to these they take 2
 * MiB, as level 3 does, and lose one percent. A small window needs no table that
 * is larger than itself. */
enum { FAST_LEVEL = 3, HASH_LOG = 17, CHAIN_LOG = 18, SMALL_WINDOW = 17 };

struct zstd_pack {
	ZSTD_CCtx *ctx;
};

struct zstd_unpack {
	ZSTD_DCtx *ctx;
	bool inside;         /* a frame is begun and not over */
};

static bool
set(struct zstd_pack *z, ZSTD_cParameter name, int value)
{

	return (!ZSTD_isError(ZSTD_CCtx_setParameter(z->ctx, name, value)));
}

static bool
tables(struct zstd_pack *z, int hash_log, int chain_log)
{

	return (set(z, ZSTD_c_hashLog, hash_log) &&
	    set(z, ZSTD_c_chainLog, chain_log));
}

int
zstd_pack_new(struct zstd_pack **ret, int level, int window_log, struct err *e)
{
	struct zstd_pack *z;

	if ((z = calloc(1, sizeof(*z))) == NULL)
		return (err_nomem(e));
	if ((z->ctx = ZSTD_createCCtx()) == NULL)
		goto err;
	if (!set(z, ZSTD_c_compressionLevel, level) ||
	    !set(z, ZSTD_c_windowLog, window_log) ||
	    !set(z, ZSTD_c_checksumFlag, 0) ||
	    (window_log <= SMALL_WINDOW && !tables(z, window_log - 1,
	    window_log - 1)) ||
	    (window_log > SMALL_WINDOW && level > FAST_LEVEL &&
	    !tables(z, HASH_LOG, CHAIN_LOG)))
		goto err;
	*ret = z;
	return (0);

err:
	zstd_pack_free(z);
	return (err_nomem(e));
}

void
zstd_pack_free(struct zstd_pack *z)
{

	if (z == NULL)
		return;
	(void)ZSTD_freeCCtx(z->ctx);
	free(z);
}

void
zstd_pack_begin(struct zstd_pack *z, uint64_t len)
{

	(void)ZSTD_CCtx_reset(z->ctx, ZSTD_reset_session_only);
	(void)ZSTD_CCtx_setPledgedSrcSize(z->ctx, len == UINT64_MAX ?
	    ZSTD_CONTENTSIZE_UNKNOWN : len);
}

int
zstd_pack_run(struct zstd_pack *z, struct span *in, struct span *out, bool end,
    struct err *e)
{
	ZSTD_inBuffer i = { in->p, in->len, in->at };
	ZSTD_outBuffer o = { out->p, out->len, out->at };
	size_t left;

	left = ZSTD_compressStream2(z->ctx, &o, &i,
	    end ? ZSTD_e_end : ZSTD_e_continue);
	in->at = i.pos;
	out->at = o.pos;
	if (ZSTD_isError(left))
		return (err_set(e, ERR_FAIL, "zstd cannot compress: %s",
		    ZSTD_getErrorName(left)));
	return (end ? left == 0 : i.pos == i.size);
}

size_t
zstd_pack_bound(size_t len)
{

	return (ZSTD_compressBound(len));
}

int
zstd_unpack_new(struct zstd_unpack **ret, size_t window_max, struct err *e)
{
	struct zstd_unpack *z;
	int log = 10;

	if ((z = calloc(1, sizeof(*z))) == NULL)
		return (err_nomem(e));
	while (log < 31 && ((size_t)1 << log) < window_max)
		log++;
	if ((z->ctx = ZSTD_createDCtx()) == NULL ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax,
	    log))) {
		zstd_unpack_free(z);
		return (err_nomem(e));
	}
	*ret = z;
	return (0);
}

void
zstd_unpack_free(struct zstd_unpack *z)
{

	if (z == NULL)
		return;
	(void)ZSTD_freeDCtx(z->ctx);
	free(z);
}

void
zstd_unpack_begin(struct zstd_unpack *z)
{

	(void)ZSTD_DCtx_reset(z->ctx, ZSTD_reset_session_only);
	z->inside = false;
}

static int
unpack_error(size_t code, struct err *e)
{

	if (ZSTD_getErrorCode(code) ==
	    ZSTD_error_frameParameter_windowTooLarge)
		return (err_set(e, ERR_LIMIT,
		    "a zstd window larger than this build keeps in memory"));
	if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
		return (err_nomem(e));
	if (ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall)
		return (err_set(e, ERR_CORRUPT,
		    "more comes out of it than there should"));
	return (err_set(e, ERR_CORRUPT, "not valid zstd: %s",
	    ZSTD_getErrorName(code)));
}

int
zstd_unpack_run(struct zstd_unpack *z, struct span *in, struct span *out,
    struct err *e)
{
	ZSTD_inBuffer i = { in->p, in->len, in->at };
	ZSTD_outBuffer o = { out->p, out->len, out->at };
	size_t before, left;

	/* Between frames the library would ask for a header of nothing. */
	if (i.pos == i.size && !z->inside)
		return (1);
	for (;;) {
		before = i.pos + o.pos;
		left = ZSTD_decompressStream(z->ctx, &o, &i);
		in->at = i.pos;
		out->at = o.pos;
		z->inside = left != 0;	/* an error is not 0 either */
		if (ZSTD_isError(left))
			return (unpack_error(left, e));
		if (o.pos == o.size)
			return (i.pos == i.size && left == 0);
		if (i.pos == i.size)
			return (1);
		if (i.pos + o.pos == before)
			return (err_set(e, ERR_CORRUPT,
			    "not valid zstd: no progress"));
	}
}

bool
zstd_unpack_whole(const struct zstd_unpack *z)
{

	return (!z->inside);
}

int
zstd_unpack_once(void *out, size_t out_len, const void *in, size_t in_len,
    size_t *ret_len, struct err *e)
{
	ZSTD_DCtx *ctx;
	size_t n;

	if ((ctx = ZSTD_createDCtx()) == NULL)
		return (err_nomem(e));
	n = ZSTD_decompressDCtx(ctx, out, out_len, in, in_len);
	(void)ZSTD_freeDCtx(ctx);
	if (ZSTD_isError(n))
		return (unpack_error(n, e));
	*ret_len = n;
	return (0);
}

int
zstd_unpack_most(const void *in, size_t in_len, uint64_t *ret, struct err *e)
{

	*ret = ZSTD_decompressBound(in, in_len);
	if (*ret == ZSTD_CONTENTSIZE_ERROR)
		return (err_set(e, ERR_CORRUPT, "not valid zstd: its frames "
		    "are not whole"));
	return (0);
}

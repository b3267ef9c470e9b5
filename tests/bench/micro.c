/*
 * How fast the primitives are on this processor: GB/s of CPU time, one thread,
 * the median of five short runs. Arguments choose rows of the table by the
 * beginning of their names; without any, all are run.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/aes_ctr.h"
#include "crypto/poly1305.h"
#include "crypto/scrypt.h"
#include "crypto/seal.h"
#include "crypto/sha256.h"
#include "stream/chunker.h"
#include "stream/rabin.h"
#include "stream/zstd.h"

enum {
	RUNS = 5,
	RUN_MS = 60,         /* the least CPU time of a run */
	PIECE = 64 * 1024,   /* what a slab holds */
};

static uint8_t piece[PIECE];

/* Noise, so that the chunker finds cuts where data has them. */
static struct {
	uint8_t before[CHUNK_WINDOW];
	uint8_t p[32 << 20];
} noise;

/* One bit of work, with ${arg} as the row passed it on; its bytes. */
typedef size_t work_fn(const void *arg);

static double
cpu_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static int
compare(const void *x, const void *y)
{
	const double *a = x, *b = y;

	return ((*a > *b) - (*a < *b));
}

/* Seconds for each byte of what ${work} does, the median of the runs. */
static double
measure(work_fn *work, const void *arg)
{
	double from, took, each[RUNS];
	size_t bytes;
	int i;

	(void)work(arg);
	for (i = 0; i < RUNS; i++) {
		bytes = 0;
		from = cpu_seconds();
		do {
			bytes += work(arg);
			took = cpu_seconds() - from;
		} while (took < RUN_MS / 1000.0);
		each[i] = took / (double)bytes;
	}
	qsort(each, RUNS, sizeof(each[0]), compare);
	return (each[RUNS / 2]);
}

static void
report(const char *name, const char *variant, work_fn *work, const void *arg)
{

	printf("%-12s %-16s %8.3f GB/s\n", name, variant,
	    1 / measure(work, arg) / 1e9);
	(void)fflush(stdout);
}

static size_t
work_sha256(const void *arg)
{
	const struct sha256_variant *v = arg;
	uint32_t h[8] = { 0 };
	int i;

	for (i = 0; i < 16; i++)
		v->blocks(h, piece, PIECE / 64);
	return (16 * PIECE);
}

static void
bench_sha256(void)
{
	const struct sha256_variant *v;

	for (v = sha256_variants(); v->name != NULL; v++)
		report("sha256", v->name, work_sha256, v);
}

static size_t
work_aes_ctr(const void *arg)
{
	static const uint8_t iv[16];
	struct aes_ctr c;
	int i;

	aes_ctr_begin(&c, arg, iv);
	for (i = 0; i < 16; i++)
		aes_ctr_run(&c, piece, PIECE);
	return (16 * PIECE);
}

static void
bench_aes_ctr(void)
{
	static const uint8_t key[32] = { 1, 2, 3 };
	const struct aes_variant_name *v;
	struct aes_key k;

	for (v = aes_variants(); v->name != NULL; v++) {
		aes_key_init_with(&k, v->variant, key);
		report("aes-256-ctr", v->name, work_aes_ctr, &k);
	}
}

static size_t
work_poly1305(const void *arg)
{
	struct poly1305 c;
	uint8_t tag[16];
	int i;

	poly1305_begin(&c, arg);
	for (i = 0; i < 16; i++)
		poly1305_update(&c, piece, PIECE);
	poly1305_end(&c, tag);
	return (16 * PIECE);
}

static void
bench_poly1305(void)
{
	static const uint8_t key[32] = { 4, 5, 6 };

	report("poly1305", poly1305_variant(), work_poly1305, key);
}

static size_t
work_seal(const void *arg)
{
	static const uint8_t iv[16];
	uint8_t tag[SEAL_TAG];
	struct seal s;
	int i;

	seal_begin(&s, arg, iv);
	for (i = 0; i < 16; i++)
		seal_update(&s, piece, PIECE);
	seal_end(&s, tag);
	return (16 * PIECE);
}

/* What a small blob costs: an envelope of 64 bytes, begun and ended. */
static size_t
work_seal_small(const void *arg)
{
	static const uint8_t iv[16];
	uint8_t tag[SEAL_TAG];
	struct seal s;
	int i;

	for (i = 0; i < 64; i++) {
		seal_begin(&s, arg, iv);
		seal_update(&s, piece, 64);
		seal_end(&s, tag);
	}
	return (64 * 64);
}

static void
bench_seal(void)
{
	static const uint8_t raw[SEAL_KEY_LEN] = { 7, 8, 9 };
	struct seal_key k;

	seal_key_init(&k, raw);
	report("seal", "64 KiB pieces", work_seal, &k);
	report("seal", "64 bytes whole", work_seal_small, &k);
}

/* The yardstick of whatever looks at bytes: a sum of them. */
static size_t
work_memory(const void *arg)
{
	static volatile uint64_t sink;
	uint64_t a = 0, b = 0, c = 0, d = 0;
	uint64_t w[4];
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof(noise.p); i += sizeof(w)) {
		memcpy(w, noise.p + i, sizeof(w));
		a += w[0];
		b += w[1];
		c += w[2];
		d += w[3];
	}
	sink = a + b + c + d;
	(void)sink;
	return (sizeof(noise.p));
}

static void
bench_memory(void)
{

	report("memory", "a plain sum", work_memory, NULL);
}

static size_t
work_chunker(const void *arg)
{
	struct chunker c;
	size_t at = 0, end, cut;

	chunker_begin(&c, arg);
	for (; at < sizeof(noise.p); at = end) {
		end = at - at % PIECE + PIECE;
		if ((cut = chunker_scan(&c, noise.p + at, end - at)) != 0)
			end = at + cut;
	}
	return (sizeof(noise.p));
}

static void
bench_chunker(void)
{
	static struct chunk_tables t;
	uint64_t polynomial;

	if (rabin_random(&polynomial, NULL) != 0)
		abort();
	chunk_tables_init(&t, polynomial);
	report("chunker", "64 KiB pieces", work_chunker, &t);
}

struct zstd_work {
	struct zstd_pack *z;
	const uint8_t *p;
};

static size_t
work_zstd(const void *arg)
{
	static uint8_t room[PIECE];
	const struct zstd_work *w = arg;
	struct span in = { (uint8_t *)(uintptr_t)w->p, 1 << 20, 0 }, out;
	int done;

	zstd_pack_begin(w->z, in.len);
	do {
		out = (struct span){ room, sizeof(room), 0 };
		if ((done = zstd_pack_run(w->z, &in, &out, true, NULL)) < 0)
			abort();
	} while (!done);
	return (in.len);
}

static void
bench_zstd(void)
{
	static const char *const word[] = { "the ", "data ", "of ", "a box ",
	    "which ", "nobody ", "reads;\n", "0x7f3a " };
	static uint8_t text[1 << 20];
	struct zstd_work w;
	size_t i, at = 0;

	for (i = 0; at < sizeof(text) - 8; i++) {
		const char *s = word[noise.p[i] & 7];

		memcpy(text + at, s, strlen(s));
		at += strlen(s);
	}
	if (zstd_pack_new(&w.z, 3, ZSTD_WINDOW_LOG, NULL) != 0)
		abort();
	w.p = text;
	report("zstd", "level 3, words", work_zstd, &w);
	w.p = noise.p;
	report("zstd", "level 3, noise", work_zstd, &w);
	zstd_pack_free(w.z);
}

/* As many bytes as V has without a stride, whatever the stride is. */
static size_t
work_scrypt(const void *arg)
{
	const unsigned *stride = arg;
	size_t v = 128u * 8 * 32768;
	uint8_t key[64];

	if (scrypt("password", 8, "salt", 4, 32768, 8, 1, v / *stride, key,
	    sizeof(key), NULL) != 0)
		abort();
	return (v);
}

static void
bench_scrypt(void)
{
	static const unsigned stride[] = { 1, 4, 16 };
	size_t i;

	for (i = 0; i < sizeof(stride) / sizeof(stride[0]); i++)
		printf("%-12s N=2^15 r=8 /%-4u %8.1f ms\n", "scrypt", stride[i],
		    measure(work_scrypt, &stride[i]) * 128 * 8 * 32768 * 1e3);
}

static const struct bench {
	const char *name;
	void (*fn)(void);
} benches[] = {
	{ "sha256", bench_sha256 },
	{ "aes-256-ctr", bench_aes_ctr },
	{ "poly1305", bench_poly1305 },
	{ "seal", bench_seal },
	{ "memory", bench_memory },
	{ "chunker", bench_chunker },
	{ "zstd", bench_zstd },
	{ "scrypt", bench_scrypt },
};

static int
wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strncmp(name, argv[i], strlen(argv[i])) == 0)
			return (1);
	return (argc < 2);
}

int
main(int argc, char **argv)
{
	uint64_t state = 1;
	size_t i;

	for (i = 0; i < sizeof(piece); i++)
		piece[i] = (uint8_t)(i * 7 >> 3);
	for (i = 0; i < sizeof(noise.p); i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		noise.p[i] = (uint8_t)(state >> 56);
	}
	for (i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
		if (wanted(benches[i].name, argc, argv))
			benches[i].fn();
	return (0);
}

/*
 * Packs: the data pack of restic-format 16, headers that lie, and what the
 * packer writes, read back.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hex.h"
#include "crypto/seal.h"
#include "crypto/sha256.h"
#include "repo/pack.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const folders[] = { "data", NULL };
static char dir[SCRATCH_PATH];
static struct state_dir sd;
static struct repo r;

/* Hundreds of packs are stored here, and none must outlive the power. */
int
fsync(int fd)
{

	(void)fd;
	return (0);
}

static int
set_up(void **state)
{
	char path[2 * SCRATCH_PATH];
	uint8_t raw[SEAL_KEY_LEN];
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	scratch_make(dir);
	/* enc 20..3f, K 40..4f, R 50..5f */
	for (i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(0x20 + i);
	seal_key_init(&r.key, raw);
	r.version = 2;
	r.state = &sd;
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	if (state_open(&sd, path, &e) != 0)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/repo", dir);
	return (store_open(&r.store, path, &e) != 0 ||
	    store_prepare(r.store, folders, &e) != 0);
}

static int
tear_down(void **state)
{

	(void)state;
	store_close(r.store);
	state_close(&sd);
	scratch_remove(dir);
	return (0);
}

/* Store these bytes as a pack, under an id that need not be theirs. */
static void
store_pack(const struct id *id, const uint8_t *p, size_t len)
{
	char name[STORE_NAME_MAX];
	struct err e = ERR_INIT;
	struct put *put;

	assert_ok(store_create(r.store, "data", &put, &e), &e);
	assert_ok(put_write(put, p, len, &e), &e);
	assert_ok(put_publish(put, repo_name(REPO_PACK, id, name), 0, &e), &e);
	put_free(put);
}

/* What a header named. */
struct named {
	struct pack_entry x[16];
	uint32_t offset[16];
	unsigned n, stop_at;
};

static int
take(void *cookie, const struct pack_entry *x, uint32_t offset, struct err *e)
{
	struct named *n = cookie;

	if (n->n < COUNT(n->x)) {
		n->x[n->n] = *x;
		n->offset[n->n] = offset;
	}
	return (++n->n == n->stop_at ? err_set(e, ERR_CANCEL, "enough") : 0);
}

/* ---- the vector ---- */

static const char vector_id[] =
    "bd7c077ef17665982b9541b43a873ee4ea2a9e23580f7c5dc25ec0e1e151d3c2";
static const char vector[] =
    "101112131415161718191a1b1c1d1e1f1839ee62583f496a612b696c7bc057e7d98554e2"
    "71b8a1043110c770"
    "303132333435363738393a3b3c3d3e3fca4d9a724c898b61b7c53c3ed383eeed4d42fb9a"
    "29b61a973d9ed0591a"
    "707172737475767778797a7b7c7d7e7fdf123439454c9183c0a9867e81f7aba3070f65c4"
    "aa2129d9e34dbd264a9f3467dba5b1e3c8991266244bf7c5481271ba0c59ce55d0c2ae53"
    "4a9021700a8380c05185c6521139da59fde8f5596bde067a3bd65096729359571480c6c7"
    "a122"
    "6e000000";
static const char entries[] =
    "002c000000a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"
    "022d000000a0860100d69e68988157833272305aaf21f453c800346e8a3640db6578e26021"
    "5542e5d4";

enum { VECTOR = 203 };

static void
read_vector(struct id *ret_id, uint8_t ret[VECTOR])
{

	assert_int_equal(strlen(vector), 2 * VECTOR);
	assert_true(hex_decode(ret, vector, 2 * VECTOR));
	assert_true(id_parse(ret_id, vector_id, ID_HEX));
}

static void
test_vector(void **state)
{
	struct named n = { .n = 0 };
	struct err e = ERR_INIT;
	uint8_t p[VECTOR];
	char hex[ID_HEX + 1];
	struct id id, sum;

	(void)state;
	read_vector(&id, p);
	sha256(p, VECTOR, &sum);
	assert_true(id_eq(&id, &sum));
	store_pack(&id, p, VECTOR);
	assert_ok(pack_header(&r, &id, VECTOR, take, &n, &e), &e);
	assert_int_equal(n.n, 2);
	assert_memory_equal(id_hex(&n.x[0].id, hex), entries + 10, 64);
	assert_int_equal(n.x[0].type, BLOB_DATA);
	assert_int_equal(n.x[0].length, 44);
	assert_int_equal(n.x[0].plain, 0);
	assert_int_equal(n.offset[0], 0);
	assert_memory_equal(id_hex(&n.x[1].id, hex), entries + 74 + 18, 64);
	assert_int_equal(n.x[1].type, BLOB_DATA);
	assert_int_equal(n.x[1].length, 45);
	assert_int_equal(n.x[1].plain, 100000);
	assert_int_equal(n.offset[1], 44);

	memset(&n, 0, sizeof(n));
	n.stop_at = 1;
	assert_rc(pack_header(&r, &id, VECTOR, take, &n, &e), ERR_CANCEL, &e);
	assert_int_equal(n.n, 1);
}

static void
test_entries(void **state)
{
	uint8_t want[78], got[2 * PACK_ENTRY_MAX];
	struct pack_entry x = { .type = BLOB_DATA };
	struct pack_list l = { .n = 0 };
	struct err e = ERR_INIT;
	uint64_t seed = 1, at;
	uint8_t kind;
	size_t n, len;
	int i;

	(void)state;
	assert_true(hex_decode(want, entries, 2 * sizeof(want)));
	memcpy(x.id.b, want + 5, ID_LEN);
	x.length = 44;
	n = pack_entry_encode(&x, got);
	assert_int_equal(n, 37);
	memcpy(x.id.b, want + 46, ID_LEN);
	x.length = 45;
	x.plain = 100000;
	n += pack_entry_encode(&x, got + n);
	assert_int_equal(n, 78);
	assert_memory_equal(got, want, 78);

	/* A list of many, read back; and cut at each place of its last. */
	assert_ok(spill_open(&l.bytes, sd.scratch, 256, &e), &e);
	for (i = 0; i < 1000; i++) {
		rng_fill(&seed, x.id.b, ID_LEN);
		x.type = rng_below(&seed, 2) != 0 ? BLOB_TREE : BLOB_DATA;
		x.length = (uint32_t)rng_next(&seed);
		x.plain = i % 3 == 0 ? 0 : 1 + (uint32_t)(rng_next(&seed) >> 33);
		len = pack_entry_encode(&x, got);
		assert_int_equal(got[0], (x.type == BLOB_TREE) +
		    (x.plain != 0 ? 2 : 0));
		assert_ok(spill_push(&l.bytes, got, len, &e), &e);
	}
	for (at = 0, i = 0, seed = 1; i < 1000; i++) {
		struct pack_entry y;

		rng_fill(&seed, x.id.b, ID_LEN);
		x.type = rng_below(&seed, 2) != 0 ? BLOB_TREE : BLOB_DATA;
		x.length = (uint32_t)rng_next(&seed);
		x.plain = i % 3 == 0 ? 0 : 1 + (uint32_t)(rng_next(&seed) >> 33);
		assert_rc(pack_list_next(&l, &at, &y, &e), 1, &e);
		assert_true(id_eq(&x.id, &y.id));
		assert_int_equal(x.type, y.type);
		assert_int_equal(x.length, y.length);
		assert_int_equal(x.plain, y.plain);
	}
	assert_rc(pack_list_next(&l, &at, &x, &e), 0, &e);
	at = spill_top(&l.bytes);
	for (len = 1; len < PACK_ENTRY_MAX; len++) {
		spill_cut(&l.bytes, at);
		memset(got, 0, sizeof(got));
		got[0] = 2;
		assert_ok(spill_push(&l.bytes, got, len, &e), &e);
		assert_rc(pack_list_next(&l, &at, &x, &e), ERR_FAIL, &e);
	}
	for (kind = 255; kind > 3; kind--) {
		spill_cut(&l.bytes, at);
		got[0] = kind;
		assert_ok(spill_push(&l.bytes, got, PACK_ENTRY_MAX, &e), &e);
		assert_rc(pack_list_next(&l, &at, &x, &e), ERR_FAIL, &e);
	}
	spill_close(&l.bytes);
}

/* ---- damage ---- */

static void
test_flips(void **state)
{
	struct err e = ERR_INIT;
	struct named n;
	uint8_t p[VECTOR];
	struct id id;
	size_t at;

	(void)state;
	read_vector(&id, p);
	for (at = 0; at < VECTOR; at++) {
		p[at] ^= (uint8_t)(1 << at % 8);
		store_pack(&id, p, VECTOR);
		memset(&n, 0, sizeof(n));
		/* The header does not cover the blobs. */
		assert_rc(pack_header(&r, &id, VECTOR, take, &n, &e),
		    at < 89 ? 0 : ERR_CORRUPT, &e);
		assert_int_equal(n.n, at < 89 ? 2 : 0);
		if (at >= 89)
			assert_non_null(strstr(e.text, vector_id));
		p[at] ^= (uint8_t)(1 << at % 8);
	}
}

static void
test_sizes(void **state)
{
	static const uint64_t wrong[] = { 0, 1, 3, 4, 35, 36, 72, 100, 202 };
	struct named n = { .n = 0 };
	struct err e = ERR_INIT;
	uint8_t p[VECTOR];
	struct id id;
	size_t i;

	(void)state;
	read_vector(&id, p);
	store_pack(&id, p, VECTOR);
	/* Of a size that a listing was wrong about. */
	for (i = 0; i < COUNT(wrong); i++)
		assert_rc(pack_header(&r, &id, wrong[i], take, &n, &e),
		    ERR_CORRUPT, &e);
	assert_rc(pack_header(&r, &id, VECTOR + 1, take, &n, &e), ERR_CORRUPT,
	    &e);
	assert_rc(pack_header(&r, &id, UINT32_MAX, take, &n, &e), ERR_CORRUPT,
	    &e);
	assert_rc(pack_header(&r, &id, UINT32_MAX + 1ull, take, &n, &e),
	    ERR_CORRUPT, &e);
	assert_rc(pack_header(&r, &id, UINT64_MAX, take, &n, &e), ERR_CORRUPT,
	    &e);
	/* And really cut. */
	for (i = 0; i < VECTOR; i++) {
		store_pack(&id, p, i);
		assert_rc(pack_header(&r, &id, i, take, &n, &e), ERR_CORRUPT,
		    &e);
	}
	assert_int_equal(n.n, 0);
	id.b[0] ^= 1;
	assert_rc(pack_header(&r, &id, VECTOR, take, &n, &e), ERR_ABSENT, &e);
}

/*
 * A pack of ${body} bytes and a header of these plain bytes, sealed as it should
 * be: somebody with the key may lie, or a writer be wrong.
 */
static int
lie(size_t body, const uint8_t *header, size_t len, struct named *n,
    struct err *e)
{
	static const uint8_t iv[SEAL_IV] = { 7 };
	static const struct id id = { { 0xab } };
	size_t size = body + len + SEAL_OVERHEAD + 4;
	uint8_t *p = calloc(1, size);

	assert_non_null(p);
	seal_whole(&r.key, iv, header, len, p + body);
	store_le32(p + size - 4, (uint32_t)len + SEAL_OVERHEAD);
	store_pack(&id, p, size);
	free(p);
	memset(n, 0, sizeof(*n));
	return (pack_header(&r, &id, size, take, n, e));
}

static void
test_lies(void **state)
{
	uint8_t h[200] = { 0 };
	struct err e = ERR_INIT;
	struct named n;
	size_t len;

	(void)state;
	/* No blobs: true of nothing, a lie about anything. */
	assert_ok(lie(0, h, 0, &n, &e), &e);
	assert_rc(lie(1, h, 0, &n, &e), ERR_CORRUPT, &e);
	/* One of 100 bytes, in a body of that size, and of others. */
	h[1] = 100;
	assert_ok(lie(100, h, 37, &n, &e), &e);
	assert_int_equal(n.n, 1);
	assert_rc(lie(99, h, 37, &n, &e), ERR_CORRUPT, &e);
	assert_rc(lie(101, h, 37, &n, &e), ERR_CORRUPT, &e);
	assert_rc(lie(0, h, 37, &n, &e), ERR_CORRUPT, &e);
	/* Bytes behind the entry that are none. */
	for (len = 1; len < 37; len++)
		assert_rc(lie(100, h, 37 + len, &n, &e), ERR_CORRUPT, &e);
	/* An unknown kind, first and second. */
	h[0] = 4;
	assert_rc(lie(100, h, 37, &n, &e), ERR_CORRUPT, &e);
	assert_int_equal(n.n, 0);
	h[0] = 0;
	h[37] = 255;
	assert_rc(lie(100, h, 74, &n, &e), ERR_CORRUPT, &e);
	h[37] = 0;
	/* Shorter than an envelope can be. */
	for (len = 0; len < SEAL_OVERHEAD; len++) {
		h[1] = (uint8_t)len;
		assert_rc(lie(len, h, 37, &n, &e), ERR_CORRUPT, &e);
		assert_int_equal(n.n, 0);
	}
	h[1] = SEAL_OVERHEAD;
	assert_ok(lie(SEAL_OVERHEAD, h, 37, &n, &e), &e);
	/* Lengths whose sum wraps around to the body's. */
	memset(h, 0, sizeof(h));
	store_le32(h + 1, 0xffffff00);
	store_le32(h + 38, 0x100 + 100);
	assert_rc(lie(100, h, 74, &n, &e), ERR_CORRUPT, &e);
	assert_int_equal(n.n, 0);
	/* Marked compressed, of no length: as others write it. */
	memset(h, 0, sizeof(h));
	h[0] = 3;
	h[1] = 50;
	assert_ok(lie(50, h, 41, &n, &e), &e);
	assert_int_equal(n.x[0].type, BLOB_TREE);
	assert_int_equal(n.x[0].plain, 0);
}

/* Headers larger than any window, and larger than allowed. */
static void
test_long(void **state)
{
	enum { MANY = 60000 };
	size_t len = 0, most = PACK_HEADER_MAX + 1;
	uint8_t *h = calloc(1, most);
	struct pack_entry x = { .type = BLOB_DATA, .length = 32 };
	struct err e = ERR_INIT;
	struct named n;
	unsigned i;

	(void)state;
	assert_non_null(h);
	for (i = 0; i < MANY; i++) {
		x.plain = i % 2;
		len += pack_entry_encode(&x, h + len);
	}
	assert_ok(lie(32 * MANY, h, len, &n, &e), &e);
	assert_int_equal(n.n, MANY);
	assert_rc(lie(32 * MANY, h, len - 1, &n, &e), ERR_CORRUPT, &e);
	assert_rc(lie(0, h, PACK_HEADER_MAX - SEAL_OVERHEAD + 1, &n, &e),
	    ERR_CORRUPT, &e);
	assert_int_equal(n.n, 0);
	free(h);
}

/* ---- writing ---- */

/* Stream a blob into the pack, in pieces. */
static void
add_blob(struct packer *pk, struct pack_entry *x, const uint8_t *p, size_t len,
    uint64_t *seed)
{
	struct err e = ERR_INIT;
	size_t at, n, room;
	uint8_t *to;

	for (at = 0; at < len; at += n) {
		assert_ok(packer_room(pk, &to, &room, &e), &e);
		assert_true(room >= PACKER_BUFFER / 2);
		n = 1 + rng_below(seed, room);
		if (n > len - at)
			n = len - at;
		memcpy(to, p + at, n);
		packer_commit(pk, n);
	}
	assert_ok(packer_end(pk, x, &e), &e);
	assert_int_equal(x->length, len + SEAL_OVERHEAD);
}

struct stored {
	uint8_t *p;
	size_t len, cap;
};

static int
keep(void *cookie, const void *p, size_t len, struct err *e)
{
	struct stored *s = cookie;

	if (len > s->cap - s->len)
		return (err_set(e, ERR_LIMIT, "too long"));
	memcpy(s->p + s->len, p, len);
	s->len += len;
	return (0);
}

static void
test_packer(void **state)
{
	enum { BLOBS = 12, MOST = 300000 };
	static const size_t len[BLOBS] = { 1, 0, 100, 65536, 131072, MOST, 7,
	    131040, 131041, 200000, 32, 5 };
	uint8_t *plain = malloc(MOST), *want = malloc(MOST);
	struct stored s = { malloc(4 << 20), 0, 4 << 20 };
	struct pack_entry x[BLOBS], lost = { .type = BLOB_DATA };
	struct pack_done done;
	struct packer pk;
	struct named n = { .n = 0 };
	struct err e = ERR_INIT;
	uint64_t seed = 3, at;
	char name[STORE_NAME_MAX];
	struct id sum;
	unsigned i;
	int round;

	(void)state;
	assert_non_null(plain);
	assert_non_null(want);
	assert_non_null(s.p);
	assert_ok(packer_open(&pk, &r, false, &e), &e);
	for (round = 0; round < 2; round++) {
		assert_int_equal(packer_size(&pk), 0);
		for (i = 0; i < BLOBS; i++) {
			/* One that turns out to be known is taken back. */
			at = packer_size(&pk);
			assert_ok(packer_begin(&pk, true, &e), &e);
			rng_fill(&seed, plain, MOST);
			{
				uint8_t *to;
				size_t room, k, part = rng_below(&seed, MOST);

				for (k = 0; k < part; k += room) {
					assert_ok(packer_room(&pk, &to, &room,
					    &e), &e);
					if (room > part - k)
						room = part - k;
					memcpy(to, plain + k, room);
					packer_commit(&pk, room);
				}
			}
			assert_ok(packer_revoke(&pk, &e), &e);
			assert_int_equal(packer_size(&pk), at);

			assert_ok(packer_begin(&pk, i % 2 != 0, &e), &e);
			memset(&x[i], 0, sizeof(x[i]));
			x[i].type = i % 3 == 0 ? BLOB_TREE : BLOB_DATA;
			x[i].plain = i % 4 == 0 ? 0 : 1000 + i;
			rng_fill(&seed, x[i].id.b, ID_LEN);
			memset(plain, (int)i, len[i]);
			add_blob(&pk, &x[i], plain, len[i], &seed);
		}
		assert_ok(packer_finish(&pk, &done, &e), &e);
		assert_int_equal(done.list.n, BLOBS);
		assert_ok(put_publish(done.put, repo_name(REPO_PACK, &done.id,
		    name), 0, &e), &e);

		s.len = 0;
		assert_ok(store_get(r.store, name, 0, UINT64_MAX, keep, &s,
		    &e), &e);
		assert_int_equal(s.len, done.size);
		sha256(s.p, s.len, &sum);
		assert_true(id_eq(&sum, &done.id));
		memset(&n, 0, sizeof(n));
		assert_ok(pack_header(&r, &done.id, done.size, take, &n, &e),
		    &e);
		assert_int_equal(n.n, BLOBS);
		for (i = 0, at = 0; i < BLOBS; i++) {
			assert_memory_equal(&n.x[i], &x[i], sizeof(x[i]));
			assert_true(unseal_whole(&r.key, s.p + n.offset[i],
			    x[i].length));
			memset(want, (int)i, len[i]);
			assert_memory_equal(s.p + n.offset[i] + SEAL_IV, want,
			    len[i]);
			assert_rc(pack_list_next(&done.list, &at, &lost, &e),
			    1, &e);
			assert_memory_equal(&lost, &x[i], sizeof(lost));
		}
		assert_rc(pack_list_next(&done.list, &at, &lost, &e), 0, &e);
		pack_done_free(&done);
	}
	packer_close(&pk);
	free(plain);
	free(want);
	free(s.p);
}

/* Sealed bytes from elsewhere, among blobs that are sealed here. */
static void
test_copies(void **state)
{
	enum { BLOBS = 9, MOST = 300000 };
	static const size_t len[BLOBS] = { 32, 33, 70000, 131072, MOST, 131071,
	    40, 65536, 131073 };
	uint8_t *bytes = malloc(MOST);
	struct stored s = { malloc(4 << 20), 0, 4 << 20 };
	struct pack_entry x[BLOBS];
	struct pack_done done;
	struct packer pk;
	struct named n = { .n = 0 };
	struct err e = ERR_INIT;
	uint64_t seed = 6, same;
	char name[STORE_NAME_MAX];
	unsigned i;
	size_t half;

	(void)state;
	assert_non_null(bytes);
	assert_non_null(s.p);
	assert_ok(packer_open(&pk, &r, false, &e), &e);
	for (i = 0; i < BLOBS; i++) {
		memset(&x[i], 0, sizeof(x[i]));
		x[i].length = (uint32_t)len[i];
		x[i].plain = i % 2 * 77;
		x[i].type = i % 3 == 0 ? BLOB_TREE : BLOB_DATA;
		rng_fill(&seed, x[i].id.b, ID_LEN);
		/* One that turns out to be damaged is taken back. */
		assert_ok(packer_copy_begin(&pk, true, &e), &e);
		assert_ok(packer_copy(&pk, bytes, len[BLOBS - 1 - i], &e),
		    &e);
		assert_ok(packer_revoke(&pk, &e), &e);

		assert_ok(packer_copy_begin(&pk, i % 2 != 0, &e), &e);
		same = i;
		rng_fill(&same, bytes, len[i]);
		half = rng_below(&seed, len[i]);
		assert_ok(packer_copy(&pk, bytes, half, &e), &e);
		if (i == 3)	/* not before all of it is there */
			assert_rc(packer_copy_end(&pk, &x[i], &e), ERR_FAIL,
			    &e);
		assert_ok(packer_copy(&pk, bytes + half, len[i] - half, &e),
		    &e);
		assert_ok(packer_copy_end(&pk, &x[i], &e), &e);
	}
	assert_ok(packer_finish(&pk, &done, &e), &e);
	assert_ok(put_publish(done.put, repo_name(REPO_PACK, &done.id, name),
	    0, &e), &e);
	assert_ok(store_get(r.store, name, 0, UINT64_MAX, keep, &s, &e), &e);
	assert_ok(pack_header(&r, &done.id, done.size, take, &n, &e), &e);
	assert_int_equal(n.n, BLOBS);
	for (i = 0; i < BLOBS; i++) {
		assert_memory_equal(&n.x[i], &x[i], sizeof(x[i]));
		same = i;
		rng_fill(&same, bytes, len[i]);
		assert_memory_equal(s.p + n.offset[i], bytes, len[i]);
	}
	pack_done_free(&done);
	packer_close(&pk);
	free(bytes);
	free(s.p);
}

/* A dry run comes to the same sizes and leaves nothing. */
static int
none(void *cookie, const char *name, uint64_t size, struct err *e)
{

	(void)name;
	(void)size;
	(void)e;
	++*(unsigned *)cookie;
	return (0);
}

static void
test_dry(void **state)
{
	struct pack_entry x = { .type = BLOB_DATA };
	struct pack_done wet, dry;
	struct err e = ERR_INIT;
	unsigned before = 0, after = 0, i;
	uint8_t plain[1000] = { 0 };
	uint64_t seed = 4;
	struct packer pk;
	int round;

	(void)state;
	assert_ok(store_list(r.store, "data", none, &before, &e), &e);
	for (round = 0; round < 2; round++) {
		assert_ok(packer_open(&pk, &r, round != 0, &e), &e);
		for (i = 0; i < 500; i++) {
			assert_ok(packer_begin(&pk, i % 7 == 0, &e), &e);
			add_blob(&pk, &x, plain, i, &seed);
			if (i % 7 == 0) {
				assert_ok(packer_begin(&pk, true, &e), &e);
				assert_ok(packer_revoke(&pk, &e), &e);
			}
		}
		assert_ok(packer_finish(&pk, round != 0 ? &dry : &wet, &e),
		    &e);
		packer_close(&pk);
	}
	assert_int_equal(wet.size, dry.size);
	assert_null(dry.put);
	pack_done_free(&wet);
	pack_done_free(&dry);
	/* Given up in the middle. */
	assert_ok(packer_open(&pk, &r, false, &e), &e);
	assert_ok(packer_begin(&pk, false, &e), &e);
	packer_close(&pk);
	packer_close(&pk);
	assert_ok(store_list(r.store, "data", none, &after, &e), &e);
	assert_int_equal(before, after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_packer),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_dry),
	};

	return (cmocka_run_group_tests_name("repo/pack", tests, set_up,
	    tear_down));
}

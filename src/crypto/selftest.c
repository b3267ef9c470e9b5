/*
 * The vectors of this floor, for every variant that the processor can run, not
 * only the chosen one. Where a standard publishes a handful, a hash over the
 * answers for every length (made with Python's hashlib, big integers and
 * OpenSSL) covers the borders between.
 */

#include "base/selftest.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/id.h"
#include "crypto/accel.h"
#include "crypto/poly1305.h"
#include "crypto/scrypt.h"
#include "crypto/seal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
broken(struct err *e, const char *vector, const char *variant)
{

	return (err_set(e, ERR_FAIL, "vector '%s' does not hold%s%s", vector,
	    *variant != '\0' ? " with " : "", variant));
}

/* The bytes of a vector; their number. A longer one than ${cap} is none. */
static size_t
unhex(uint8_t *ret, size_t cap, const char *hex)
{
	size_t len = strlen(hex);

	if (len / 2 > cap || !hex_decode(ret, hex, len))
		return (0);
	return (len / 2);
}

static bool
equals(const void *p, size_t len, const char *hex)
{
	const uint8_t *b = p;
	uint8_t byte;
	size_t i;

	if (strlen(hex) != 2 * len)
		return (false);
	for (i = 0; i < len; i++)
		if (!hex_decode(&byte, hex + 2 * i, 2) || byte != b[i])
			return (false);
	return (true);
}

/* A message that is not the same anywhere near. */
static void
pattern(uint8_t *ret, size_t len, unsigned step, unsigned from)
{
	size_t i;

	for (i = 0; i < len; i++)
		ret[i] = (uint8_t)(i * step + from);
}

/* FIPS 180-4's examples: one block, two blocks, long. */
static const struct {
	const char *name;
	const char *text;
	unsigned times;
	const char *digest;
} sha256_vectors[] = {
	{ "empty", "", 1, "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855" },
	{ "abc", "abc", 1, "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad" },
	{ "448 bits",
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	    "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1" },
	{ "896 bits",
	    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
	    "cf5b16a778af8380036ce59e7b049237"
	    "0b249b11e8f07a51afac45037afee9d1" },
	{ "million a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 10000,
	    "cdc76e5c9914fb9281a1c7e284d73e67"
	    "f1809a48a497200e046d39ccc7112cd0" },
};

static int
sha256_published(const struct sha256_variant *v, struct err *e)
{
	struct sha256 c;
	struct id id;
	unsigned n;
	size_t i;

	for (i = 0; i < COUNT(sha256_vectors); i++) {
		sha256_begin(&c);
		for (n = 0; n < sha256_vectors[i].times; n++)
			sha256_update_with(v->blocks, &c,
			    sha256_vectors[i].text,
			    strlen(sha256_vectors[i].text));
		sha256_end_with(v->blocks, &c, &id);
		if (!equals(id.b, ID_LEN, sha256_vectors[i].digest))
			return (broken(e, sha256_vectors[i].name, v->name));
	}
	return (0);
}

/* Each length up to two blocks and a bit, in two pieces cut at each place. */
static int
sha256_lengths(const struct sha256_variant *v, struct err *e)
{
	uint8_t m[130];
	struct sha256 c, all;
	struct id id, whole;
	size_t len, cut;

	pattern(m, sizeof(m), 7, 3);
	sha256_begin(&all);
	for (len = 0; len <= sizeof(m); len++) {
		for (cut = 0; cut <= len; cut++) {
			sha256_begin(&c);
			sha256_update_with(v->blocks, &c, m, cut);
			sha256_update_with(v->blocks, &c, m + cut, len - cut);
			sha256_end_with(v->blocks, &c, &id);
			if (cut == 0)
				whole = id;
			if (!id_eq(&id, &whole))
				return (broken(e, "two pieces", v->name));
		}
		sha256_update_with(v->blocks, &all, whole.b, ID_LEN);
	}
	sha256_end_with(v->blocks, &all, &id);
	if (!equals(id.b, ID_LEN, "b3d31aa6b4f0810cff11dc15fd1017d7"
	    "ba047ad10e757b0e36ed68897e6d1851"))
		return (broken(e, "lengths 0 to 130", v->name));
	return (0);
}

static int
test_sha256(char *ret_detail, size_t len, struct err *e)
{
	const struct sha256_variant *v;
	int rc;

	(void)snprintf(ret_detail, len, "%s", sha256_variants()->name);
	for (v = sha256_variants(); v->name != NULL; v++)
		if ((rc = sha256_published(v, e)) != 0 ||
		    (rc = sha256_lengths(v, e)) != 0)
			return (rc);
	return (0);
}

/* The key and, first, the whole vector of SP 800-38A, F.5.5. */
#define AES_KEY \
	"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"

static const struct {
	const char *name;
	const char *iv;
	const char *in;
	const char *out;
} ctr_vectors[] = {
	{ "sp 800-38a f.5.5", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
	    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
	    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
	    "2b0930daa23de94ce87017ba2d84988d"
	    "dfc9c58db67aada613c2dd08457941a6" },
	{ "counter past 2^32", "000102030405060708090a0bfffffffe",
	    "0000000000000000000000000000000000000000000000000000000000000000"
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "4ddb6a4e92dfc5763145475407c46d8cb042ea9662f5c34ae9298c1a41f8d212"
	    "b35381a71ab78dd7fdd85f3091d3d6bb"
	    "9dbffda6bd4d146960723f6b932aef37" },
	{ "counter past 2^64", "0001020304050607fffffffffffffffe",
	    "0000000000000000000000000000000000000000000000000000000000000000"
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "8a2ac2ffbba5b148dc6f6cba14f281a7b1013833f607a3258d3d3be88f80c381"
	    "04228c9aba53e373a21c97ba6fe1887d"
	    "5b2563b79bc120adf268b0b7efd06b2b" },
	{ "counter past 2^128", "fffffffffffffffffffffffffffffffe",
	    "0000000000000000000000000000000000000000000000000000000000000000"
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "4f9db742155ac502c2ae28023b3336e43b3c2921c85a24de9ac606ce6d1d60cc"
	    "e568f68194cf76d6174d4cc04310a854"
	    "91151e5d0b7a1f1bc0d7acd0ae3e51e4" },
};

/* Each vector in two pieces, cut at each place. */
static int
ctr_published(const struct aes_key *k, const char *variant, struct err *e)
{
	uint8_t iv[16], m[64];
	struct aes_ctr c;
	size_t i, cut, len;

	for (i = 0; i < COUNT(ctr_vectors); i++) {
		(void)unhex(iv, sizeof(iv), ctr_vectors[i].iv);
		for (cut = 0; cut <= sizeof(m); cut++) {
			len = unhex(m, sizeof(m), ctr_vectors[i].in);
			aes_ctr_begin(&c, k, iv);
			aes_ctr_run(&c, m, cut);
			aes_ctr_run(&c, m + cut, len - cut);
			if (!equals(m, len, ctr_vectors[i].out))
				return (broken(e, ctr_vectors[i].name,
				    variant));
		}
	}
	return (0);
}

/*
 * A run long enough for every width of loop a variant has, over the end of all
 * counters in its middle.
 */
static int
ctr_long(const struct aes_key *k, const char *variant, struct err *e)
{
	uint8_t iv[16], m[1000] = { 0 };
	struct aes_ctr c;
	struct id id;

	memset(iv, 0xff, sizeof(iv));
	iv[15] = 0xeb;
	aes_ctr_begin(&c, k, iv);
	aes_ctr_run(&c, m, sizeof(m));
	sha256(m, sizeof(m), &id);
	if (!equals(id.b, ID_LEN, "17f17960f572f78327896f475cff0b17"
	    "faaa5adda0f5f15ffed2a1f2accdffed"))
		return (broken(e, "1000 bytes", variant));
	return (0);
}

/* FIPS 197, C.1 and C.3; the latter as the key stream of one block. */
static int
aes_blocks(const struct aes_variant *v, const char *variant, struct err *e)
{
	uint8_t key[32], in[16], out[16] = { 0 };
	struct aes_key k;
	struct aes_ctr c;

	pattern(key, sizeof(key), 1, 0);
	pattern(in, sizeof(in), 0x11, 0);
	aes_key_init_with(&k, v, key);
	aes_ctr_begin(&c, &k, in);
	aes_ctr_run(&c, out, sizeof(out));
	if (!equals(out, sizeof(out), "8ea2b7ca516745bfeafc49904b496089"))
		return (broken(e, "fips 197 c.3", variant));
	aes128_block_with(v, key, in, out);
	if (!equals(out, sizeof(out), "69c4e0d86a7b0430d8cdb78070b4c55a"))
		return (broken(e, "fips 197 c.1", variant));
	return (0);
}

static int
test_aes(char *ret_detail, size_t len, struct err *e)
{
	const struct aes_variant_name *v;
	uint8_t key[32];
	struct aes_key k;
	int rc;

	(void)snprintf(ret_detail, len, "%s", aes_variants()->name);
	(void)unhex(key, sizeof(key), AES_KEY);
	for (v = aes_variants(); v->name != NULL; v++) {
		aes_key_init_with(&k, v->variant, key);
		if ((rc = aes_blocks(v->variant, v->name, e)) != 0 ||
		    (rc = ctr_published(&k, v->name, e)) != 0 ||
		    (rc = ctr_long(&k, v->name, e)) != 0)
			return (rc);
	}
	return (0);
}

#define ZERO16 "00000000000000000000000000000000"
#define FF16   "ffffffffffffffffffffffffffffffff"

/* RFC 8439: 2.5.2, then A.3, where sums sit on the edges of 2^130 - 5. */
static const struct {
	const char *name;
	const char *key;
	const char *message;
	const char *tag;
} poly1305_vectors[] = {
	{ "rfc 8439 2.5.2",
	    "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
	    "43727970746f6772617068696320466f72756d205265736561726368204772"
	    "6f7570", "a8061dc1305136c6c22b8baf0c0127a9" },
	{ "rfc 8439 a.3 1", ZERO16 ZERO16, ZERO16 ZERO16 ZERO16 ZERO16,
	    ZERO16 },
	{ "rfc 8439 a.3 4",
	    "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	    "2754776173206272696c6c69672c20616e642074686520736c6974687920746f"
	    "7665730a446964206779726520616e642067696d626c6520696e207468652077"
	    "6162653a0a416c6c206d696d737920776572652074686520626f726f676f7665"
	    "732c0a416e6420746865206d6f6d65207261746873206f757467726162652e",
	    "4541669a7eaaee61e708dc7cbcc5eb62" },
	{ "rfc 8439 a.3 5", "02000000000000000000000000000000" ZERO16, FF16,
	    "03000000000000000000000000000000" },
	{ "rfc 8439 a.3 6", "02000000000000000000000000000000" FF16,
	    "02000000000000000000000000000000",
	    "03000000000000000000000000000000" },
	{ "rfc 8439 a.3 7", "01000000000000000000000000000000" ZERO16,
	    FF16 "f0ffffffffffffffffffffffffffffff"
	    "11000000000000000000000000000000",
	    "05000000000000000000000000000000" },
	{ "rfc 8439 a.3 8", "01000000000000000000000000000000" ZERO16,
	    FF16 "fbfefefefefefefefefefefefefefefe"
	    "01010101010101010101010101010101", ZERO16 },
	{ "rfc 8439 a.3 9", "02000000000000000000000000000000" ZERO16,
	    "fdffffffffffffffffffffffffffffff",
	    "faffffffffffffffffffffffffffffff" },
	{ "rfc 8439 a.3 10", "01000000000000000400000000000000" ZERO16,
	    "e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000"
	    ZERO16 "01000000000000000000000000000000",
	    "14000000000000005500000000000000" },
	{ "rfc 8439 a.3 11", "01000000000000000400000000000000" ZERO16,
	    "e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000"
	    ZERO16, "13000000000000000000000000000000" },
	{ "greatest r", FF16 FF16, FF16 FF16 FF16 FF16,
	    "900fe32bc15fa8d7bca8efe4c7e37eb1" },
	{ "greatest r, a part", FF16 FF16, FF16 FF16 FF16
	    "ffffffffffffffffffffffffffffff",
	    "900f0bfaca5fd0a5c6a817b3d1e3a687" },
	{ "no message", ZERO16 "36e5f6b5c5e06070f0efca96227a863e", "",
	    "36e5f6b5c5e06070f0efca96227a863e" },
};

/* Each vector in two pieces, cut at each place. */
static int
poly1305_published(struct err *e)
{
	uint8_t key[32], m[128], tag[16];
	struct poly1305 c;
	size_t i, cut, len;

	for (i = 0; i < COUNT(poly1305_vectors); i++) {
		(void)unhex(key, sizeof(key), poly1305_vectors[i].key);
		len = unhex(m, sizeof(m), poly1305_vectors[i].message);
		for (cut = 0; cut <= len; cut++) {
			poly1305_begin(&c, key);
			poly1305_update(&c, m, cut);
			poly1305_update(&c, m + cut, len - cut);
			poly1305_end(&c, tag);
			if (!equals(tag, sizeof(tag), poly1305_vectors[i].tag))
				return (broken(e, poly1305_vectors[i].name,
				    poly1305_variant()));
		}
	}
	return (0);
}

static int
poly1305_lengths(struct err *e)
{
	uint8_t key[32], m[300], tag[16];
	struct poly1305 c;
	struct sha256 all;
	struct id id;
	size_t len;

	pattern(key, sizeof(key), 11, 5);
	pattern(m, sizeof(m), 7, 3);
	sha256_begin(&all);
	for (len = 0; len <= sizeof(m); len++) {
		poly1305_begin(&c, key);
		poly1305_update(&c, m, len);
		poly1305_end(&c, tag);
		sha256_update(&all, tag, sizeof(tag));
	}
	sha256_end(&all, &id);
	if (!equals(id.b, ID_LEN, "34fed37fc6d45a78f246a05b7092da31"
	    "1d9452da9e3a22e1af96c4abe21ef4e5"))
		return (broken(e, "lengths 0 to 300", poly1305_variant()));
	return (0);
}

static int
test_poly1305(char *ret_detail, size_t len, struct err *e)
{
	int rc;

	(void)snprintf(ret_detail, len, "%s", poly1305_variant());
	if ((rc = poly1305_published(e)) != 0)
		return (rc);
	return (poly1305_lengths(e));
}

/*
 * RFC 7914's first two, and the key derivation of restic-format 16, whose
 * password and salt are made here. The largest needs 1 MiB: this runs on
 * boards.
 */
static const char rfc7914_1[] =
    "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
    "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906";
static const char rfc7914_2[] =
    "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
    "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640";
static const char restic_user[] =
    "d6ae75d9ba8e279183279b33cd622fc1ecb20c2223098eecf7e77fafd3b994fe"
    "93fe30d0d4e64427a7c10f694ae78a48f7d33cee3e30974c858520737c86c870";

/* The user key of restic-format 16, with V cut down to 1 / ${stride}. */
static int
derive_user(uint8_t ret[SEAL_KEY_LEN], size_t stride, struct err *e)
{
	static const char pass[] = "correct horse";
	uint8_t salt[64];

	pattern(salt, sizeof(salt), 1, 0);
	return (scrypt(pass, strlen(pass), salt, sizeof(salt), 1024, 8, 1,
	    128 * 8 * 1024 / stride, ret, SEAL_KEY_LEN, e));
}

/* A password longer than HMAC's block, a salt of one, odd r, p and length. */
static int
scrypt_odd(size_t stride, struct err *e)
{
	uint8_t pass[65], key[100];
	int rc;

	pattern(pass, sizeof(pass), 5, 1);
	if ((rc = scrypt(pass, sizeof(pass), "salt", 4, 16, 2, 3,
	    128 * 2 * 16 / stride, key, sizeof(key), e)) != 0)
		return (rc);
	if (!equals(key, sizeof(key), "c9ef3d87149787f233c3c559d15d19caf4d5b837"
	    "f672c392e6e8f79df31a88ace44a8c69a01e3eb4d986cadcab888fdeaef68d61"
	    "136ff1c128ad60fc047dd7c0ea7fb1dd8623385981dd526813a065023bf0ce5d"
	    "6958b7956f34ad90c97c6d607f7a8c39"))
		return (broken(e, "long password", ""));
	return (0);
}

static int
scrypt_strides(struct err *e)
{
	uint8_t key[64];
	size_t t;
	int rc;

	for (t = 1; t <= 16; t *= 2) {
		if ((rc = scrypt("", 0, "", 0, 16, 1, 1, 128 * 16 / t, key,
		    sizeof(key), e)) != 0)
			return (rc);
		if (!equals(key, sizeof(key), rfc7914_1))
			return (broken(e, "rfc 7914 12, first", ""));
		if ((rc = derive_user(key, t, e)) != 0)
			return (rc);
		if (!equals(key, sizeof(key), restic_user))
			return (broken(e, "restic-format 16, kdf", ""));
		if ((rc = scrypt_odd(t, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
test_scrypt(char *ret_detail, size_t len, struct err *e)
{
	uint8_t key[64];
	int rc;

	(void)snprintf(ret_detail, len, "%s", "");
	if ((rc = scrypt_strides(e)) != 0)
		return (rc);
	if ((rc = scrypt("password", 8, "NaCl", 4, 1024, 8, 16,
	    128 * 8 * 1024, key, sizeof(key), e)) != 0)
		return (rc);
	if (!equals(key, sizeof(key), rfc7914_2))
		return (broken(e, "rfc 7914 12, second", ""));
	return (0);
}

/* restic-format 16: the master key, and what is sealed under it. */
static const char sealed_master[] =
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf7173ab96426c397971e7d0986a123b40"
    "636d266d6d136ca3d411ad30658ce874663cd56f38d2f8e8c015d4da3570acb5"
    "823da4fa6c86c59c33e0dfa60d84f4cfac12dc27510238366c732cb5b047a065"
    "cf14eac497d2ec03882504e8f5fdc8cb5e27692817e52da31e914a4a4a2c06f1"
    "3c8f6ca21d4da39749f54f7bed857a6f27be8e0c7cbfa0cb780c85fdb139edd7";
static const char sealed_hello[] =
    "101112131415161718191a1b1c1d1e1f1839ee62583f496a612b696c"
    "7bc057e7d98554e271b8a1043110c770";
static const char sealed_nothing[] =
    "101112131415161718191a1b1c1d1e1f790accda858b997029fa9ae50c9cd028";

static const char master_json[] =
    "{\"mac\":{\"k\":\"QEFCQ0RFRkdISUpLTE1OTw==\","
    "\"r\":\"UFFSU1RVVldYWVpbXF1eXw==\"},"
    "\"encrypt\":\"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\"}";

static int
seal_master(struct err *e)
{
	uint8_t raw[SEAL_KEY_LEN], m[160];
	struct seal_key user;
	size_t len = unhex(m, sizeof(m), sealed_master);
	bool ours;

	(void)unhex(raw, sizeof(raw), restic_user);
	seal_key_init(&user, raw);
	ours = unseal_whole(&user, m, len);
	seal_key_wipe(&user);
	if (!ours || len - SEAL_OVERHEAD != strlen(master_json) ||
	    memcmp(m + SEAL_IV, master_json, strlen(master_json)) != 0)
		return (broken(e, "restic-format 16, master key", ""));
	return (0);
}

/* ${text} sealed is ${hex}, and the other way round. */
static int
seal_both_ways(const struct seal_key *k, const char *text, const char *hex,
    struct err *e)
{
	uint8_t iv[SEAL_IV], m[64];
	size_t len = strlen(text);

	pattern(iv, sizeof(iv), 1, 0x10);
	seal_whole(k, iv, text, len, m);
	if (!equals(m, len + SEAL_OVERHEAD, hex))
		return (broken(e, "restic-format 16, sealing", ""));
	if (!unseal_whole(k, m, len + SEAL_OVERHEAD) ||
	    memcmp(m + SEAL_IV, text, len) != 0)
		return (broken(e, "restic-format 16, opening", ""));
	return (0);
}

/* One bit wrong anywhere, or a byte less, and nothing opens or changes. */
static int
seal_tampered(const struct seal_key *k, struct err *e)
{
	uint8_t m[44], was[44];
	size_t i, len = unhex(m, sizeof(m), sealed_hello);

	for (i = 0; i < 8 * len; i++) {
		m[i / 8] ^= (uint8_t)(1 << i % 8);
		memcpy(was, m, sizeof(m));
		if (unseal_whole(k, m, len) || memcmp(was, m, sizeof(m)) != 0)
			return (broken(e, "a bit flipped", ""));
		m[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < len; i++)
		if (unseal_whole(k, m, i))
			return (broken(e, "an envelope cut short", ""));
	return (0);
}

static int
test_seal(char *ret_detail, size_t len, struct err *e)
{
	uint8_t raw[SEAL_KEY_LEN];
	struct seal_key master;
	int rc;

	(void)snprintf(ret_detail, len, "%s, %s", aes_variants()->name,
	    poly1305_variant());
	pattern(raw, sizeof(raw), 1, 0x20);
	seal_key_init(&master, raw);
	if ((rc = seal_master(e)) == 0 &&
	    (rc = seal_both_ways(&master, "hello world\n", sealed_hello,
	    e)) == 0 &&
	    (rc = seal_both_ways(&master, "", sealed_nothing, e)) == 0)
		rc = seal_tampered(&master, e);
	seal_key_wipe(&master);
	return (rc);
}

const struct selftest crypto_selftests[] = {
	{ "sha-256", test_sha256 },
	{ "aes-ctr", test_aes },
	{ "poly1305", test_poly1305 },
	{ "scrypt", test_scrypt },
	{ "envelope", test_seal },
	{ NULL, NULL },
};

#include "repo/key.h"

#include <cJSON.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/when.h"
#include "crypto/scrypt.h"
#include "crypto/sha256.h"
#include "crypto/wipe.h"

enum {
	KEY_FILE_MAX = 16384,
	SALT = 64,           /* exactly: every restic refuses other lengths */
	SECRET_BYTES = 32,
	P_MAX = 256,
};

/* N r p of a slot; restic's own have 2^21. More than this is no protection but a
 * way to keep a box busy: ten minutes on a slow one. */
#define COST_MAX ((uint64_t)1 << 27)

void
secret_free(struct secret *s)
{

	if (s->text != NULL)
		wipe(s->text, s->len);
	free(s->text);
	s->text = NULL;
	s->len = 0;
}

/* ---- reading a slot ---- */

static int
into_buf(void *cookie, const void *p, size_t len, struct err *e)
{

	return (buf_add(cookie, p, len, e));
}

static int
defect(const struct id *id, const char *how, struct err *e)
{
	char hex[ID_HEX + 1];

	return (err_set(e, ERR_CORRUPT, "the key file keys/%s is damaged: %s",
	    id_hex(id, hex), how));
}

/* A member that is a whole number in 1..max; 0 when it is not. */
static uint32_t
whole(const cJSON *o, const char *name, double max)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (!cJSON_IsNumber(v) || v->valuedouble < 1 || v->valuedouble > max ||
	    v->valuedouble != (double)(uint32_t)v->valuedouble)
		return (0);
	return ((uint32_t)v->valuedouble);
}

static const char *
text(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsString(v) ? v->valuestring : NULL);
}

static void
copy_text(char *ret, size_t len, const cJSON *o, const char *name)
{
	const char *s = text(o, name);

	(void)snprintf(ret, len, "%s", s != NULL ? s : "");
}

/* The rules of every restic that was tried (restic-format 3), and a bound. */
static const char *
check_kdf(const struct kdf *k)
{

	if (k->n < 2 || (k->n & (k->n - 1)) != 0)
		return ("N is not a power of two above 1");
	if (k->r < 1 || k->p < 1)
		return ("r or p is not a positive number");
	if ((uint64_t)128 * k->r * k->n > 0x7fffffff ||
	    (uint64_t)k->r * k->p >= 1u << 30)
		return ("its scrypt parameters are out of range");
	if ((uint64_t)k->r * k->p > COST_MAX / k->n)
		return ("to open it would take hours");
	return (NULL);
}

static int
parse_slot(const cJSON *o, struct key_info *ret, struct err *e)
{
	const char *kdf = text(o, "kdf"), *salt = text(o, "salt"),
	    *data = text(o, "data"), *why;
	uint8_t *to;
	ssize_t n;
	int rc;

	if (!cJSON_IsObject(o))
		return (defect(&ret->id, "it is not JSON", e));
	if (kdf == NULL || strcmp(kdf, "scrypt") != 0)
		return (defect(&ret->id, "its kdf is not scrypt", e));
	ret->kdf.n = whole(o, "N", 0x7fffffff);
	ret->kdf.r = whole(o, "r", 0x7fffffff);
	ret->kdf.p = whole(o, "p", 0x7fffffff);
	if ((why = check_kdf(&ret->kdf)) != NULL)
		return (defect(&ret->id, why, e));
	if (salt == NULL || b64_decode(ret->salt, SALT, salt,
	    strlen(salt)) != SALT)
		return (defect(&ret->id, "its salt is not 64 bytes", e));
	if (data == NULL)
		return (defect(&ret->id, "it has no data", e));
	if ((rc = buf_room(&ret->data, strlen(data), &to, e)) != 0)
		return (rc);
	n = b64_decode(to, strlen(data), data, strlen(data));
	if (n < SEAL_OVERHEAD)
		return (defect(&ret->id, "its data is not a sealed key", e));
	ret->data.len = (size_t)n;
	copy_text(ret->user, sizeof(ret->user), o, "username");
	copy_text(ret->host, sizeof(ret->host), o, "hostname");
	copy_text(ret->created, sizeof(ret->created), o, "created");
	return (0);
}

int
key_load(struct store *store, const struct id *id, struct key_info *ret,
    struct err *e)
{
	struct buf file = BUF_INIT(KEY_FILE_MAX);
	char name[STORE_NAME_MAX];
	struct id got;
	cJSON *o = NULL;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->id = *id;
	ret->data = (struct buf)BUF_INIT(KEY_FILE_MAX);
	rc = store_get(store, repo_name(REPO_KEY, id, name), 0, UINT64_MAX,
	    into_buf, &file, e);
	if (rc == ERR_LIMIT)
		rc = defect(id, "it is too large", e);
	if (rc != 0)
		goto out;
	sha256(file.p, file.len, &got);
	if (!id_eq(&got, id)) {
		rc = defect(id, file.len == 0 ? "it is empty" :
		    "its bytes do not hash to its name", e);
		goto out;
	}
	o = cJSON_ParseWithLength((const char *)file.p, file.len);
	rc = parse_slot(o, ret, e);

out:
	cJSON_Delete(o);
	buf_free(&file);
	return (rc);
}

void
key_release(struct key_info *k)
{

	buf_free(&k->data);
}

/* The master key's own JSON, inside the seal. */
static bool
parse_master(const uint8_t *p, size_t len, uint8_t ret[SEAL_KEY_LEN])
{
	cJSON *o = cJSON_ParseWithLength((const char *)p, len);
	const cJSON *mac = cJSON_GetObjectItemCaseSensitive(o, "mac");
	const char *k = text(mac, "k"), *r = text(mac, "r"),
	    *enc = text(o, "encrypt");
	bool ok;

	ok = k != NULL && r != NULL && enc != NULL &&
	    b64_decode(ret, 32, enc, strlen(enc)) == 32 &&
	    b64_decode(ret + 32, 16, k, strlen(k)) == 16 &&
	    b64_decode(ret + 48, 16, r, strlen(r)) == 16;
	cJSON_Delete(o);
	return (ok);
}

int
key_unlock(const struct key_info *k, const struct secret *password,
    uint8_t ret[SEAL_KEY_LEN], struct err *e)
{
	uint8_t raw[SEAL_KEY_LEN], *copy = NULL;
	struct seal_key user;
	char hex[ID_HEX + 1];
	int rc;

	rc = scrypt(password->text, password->len, k->salt, SALT, k->kdf.n,
	    k->kdf.r, k->kdf.p, (size_t)CONFIG_KDF_KIB * 1024, raw,
	    sizeof(raw), e);
	if (rc != 0) {
		(void)err_note(e, "key %s", id_hex(&k->id, hex));
		return (rc);
	}
	seal_key_init(&user, raw);
	if ((copy = malloc(k->data.len)) == NULL) {
		rc = err_nomem(e);
		goto out;
	}
	memcpy(copy, k->data.p, k->data.len);
	if (!unseal_whole(&user, copy, k->data.len))
		rc = err_set(e, ERR_PASSWORD,
		    "the password does not open key %s", id_hex(&k->id, hex));
	else if (!parse_master(copy + SEAL_IV, k->data.len - SEAL_OVERHEAD,
	    ret))
		rc = defect(&k->id, "it holds no master key", e);
	wipe(copy, k->data.len);

out:
	free(copy);
	seal_key_wipe(&user);
	wipe(raw, sizeof(raw));
	return (rc);
}

/* ---- writing a slot ---- */

int
key_calibrate(struct kdf *k, unsigned ms, struct err *e)
{
	struct timespec t0, t1;
	uint8_t raw[SEAL_KEY_LEN];
	uint64_t us, p;
	int rc;

	k->p = 1;
	(void)clock_gettime(CLOCK_MONOTONIC, &t0);
	rc = scrypt("password", 8, "salt", 4, k->n, k->r, 1,
	    (size_t)CONFIG_KDF_KIB * 1024, raw, sizeof(raw), e);
	if (rc != 0)
		return (rc);
	(void)clock_gettime(CLOCK_MONOTONIC, &t1);
	us = (uint64_t)(t1.tv_sec - t0.tv_sec) * 1000000 +
	    (uint64_t)(t1.tv_nsec / 1000) - (uint64_t)(t0.tv_nsec / 1000);
	p = us > 0 ? (uint64_t)ms * 1000 / us : P_MAX;
	k->p = p < 1 ? 1 : p > P_MAX ? P_MAX : (uint32_t)p;
	return (0);
}

/* The master key's JSON, sealed with the key that the password gives. */
static int
seal_master(const struct key_new *want, const uint8_t salt[SALT],
    struct buf *ret, struct err *e)
{
	char k[B64_LEN(16) + 1], r[B64_LEN(16) + 1], enc[B64_LEN(32) + 1];
	uint8_t raw[SEAL_KEY_LEN], iv[SEAL_IV], *to;
	struct seal_key user;
	char json[256];
	size_t len;
	int rc;

	k[b64_encode(k, want->master + 32, 16)] = '\0';
	r[b64_encode(r, want->master + 48, 16)] = '\0';
	enc[b64_encode(enc, want->master, 32)] = '\0';
	len = (size_t)snprintf(json, sizeof(json),
	    "{\"mac\":{\"k\":\"%s\",\"r\":\"%s\"},\"encrypt\":\"%s\"}", k, r,
	    enc);
	rc = scrypt(want->password->text, want->password->len, salt, SALT,
	    want->kdf.n, want->kdf.r, want->kdf.p,
	    (size_t)CONFIG_KDF_KIB * 1024, raw, sizeof(raw), e);
	if (rc == 0)
		rc = rand_bytes(iv, sizeof(iv), e);
	if (rc == 0)
		rc = buf_room(ret, len + SEAL_OVERHEAD, &to, e);
	if (rc == 0) {
		seal_key_init(&user, raw);
		seal_whole(&user, iv, json, len, to);
		ret->len = len + SEAL_OVERHEAD;
		seal_key_wipe(&user);
	}
	wipe(raw, sizeof(raw));
	wipe(json, sizeof(json));
	wipe(k, sizeof(k));
	wipe(r, sizeof(r));
	wipe(enc, sizeof(enc));
	return (rc);
}

static int
slot_json(const struct key_new *want, struct buf *ret, struct err *e)
{
	struct buf sealed = BUF_INIT(1024);
	char salt64[B64_LEN(SALT)], data64[B64_LEN(1024)], when[WHEN_TEXT];
	struct when now = when_now(true);
	char host[256] = "";
	const char *user = want->user, *where = want->host;
	struct passwd *pw;
	uint8_t salt[SALT];
	int rc;

	if (user == NULL && (pw = getpwuid(getuid())) != NULL)
		user = pw->pw_name;
	if (where == NULL && gethostname(host, sizeof(host) - 1) == 0)
		where = host;
	if ((rc = rand_bytes(salt, sizeof(salt), e)) != 0 ||
	    (rc = seal_master(want, salt, &sealed, e)) != 0)
		goto out;
	rc = buf_printf(ret, e, "{\"created\":\"%s\",\"username\":",
	    when_format(&now, when));
	if (rc == 0)
		rc = json_text(ret, user != NULL ? user : "", e);
	if (rc == 0)
		rc = buf_str(ret, ",\"hostname\":", e);
	if (rc == 0)
		rc = json_text(ret, where != NULL ? where : "", e);
	if (rc == 0)
		rc = buf_printf(ret, e, ",\"kdf\":\"scrypt\",\"N\":%u,\"r\":%u,"
		    "\"p\":%u,\"salt\":\"%.*s\",\"data\":\"%.*s\"}",
		    want->kdf.n, want->kdf.r, want->kdf.p,
		    (int)b64_encode(salt64, salt, SALT), salt64,
		    (int)b64_encode(data64, sealed.p, sealed.len), data64);

out:
	buf_free(&sealed);
	return (rc);
}

/* Read the slot back and open it, as a stranger with the password would. */
static int
prove(struct store *store, const struct id *id, const struct key_new *want,
    struct err *e)
{
	uint8_t master[SEAL_KEY_LEN];
	struct key_info k;
	int rc;

	if ((rc = key_load(store, id, &k, e)) == 0 &&
	    (rc = key_unlock(&k, want->password, master, e)) == 0 &&
	    memcmp(master, want->master, SEAL_KEY_LEN) != 0)
		rc = defect(id, "it opens to another key", e);
	key_release(&k);
	wipe(master, sizeof(master));
	return (rc);
}

int
key_add(struct store *store, const struct key_new *want, struct id *ret,
    struct err *e)
{
	struct buf json = BUF_INIT(KEY_FILE_MAX);
	char name[STORE_NAME_MAX];
	struct put *put = NULL;
	const char *why;
	int rc;

	if ((why = check_kdf(&want->kdf)) != NULL)
		return (err_set(e, ERR_USAGE, "cannot make a key: %s", why));
	if ((rc = slot_json(want, &json, e)) != 0)
		goto out;
	sha256(json.p, json.len, ret);
	repo_name(REPO_KEY, ret, name);
	if ((rc = store_create(store, "keys", &put, e)) != 0 ||
	    (rc = put_write(put, json.p, json.len, e)) != 0)
		goto out;
	/* A failure can leave it there; nobody may open with it then. */
	if ((rc = put_publish(put, name, 0, e)) != 0 ||
	    (rc = prove(store, ret, want, e)) != 0)
		(void)store_remove(store, name, NULL);

out:
	put_free(put);
	buf_free(&json);
	return (rc);
}

/* ---- secrets that the box keeps ---- */

static void
appliance_name(const struct id *id, char ret[16 + ID_HEX])
{
	char hex[ID_HEX + 1];

	(void)snprintf(ret, 16 + ID_HEX, "appliance/%s", id_hex(id, hex));
}

int
appliance_secret(const struct state_dir *state, const struct id *id,
    struct secret *ret, struct err *e)
{
	char name[16 + ID_HEX];
	struct stat st;
	int rc;

	appliance_name(id, name);
	if (fstatat(state->fd, name, &st, 0) == -1)
		return (0);
	if ((st.st_mode & 077) != 0)
		return (err_set(e, ERR_DENIED,
		    "'%s/%s' can be read by others: chmod 600 it",
		    state->path, name));
	rc = file_load(state->fd, name, 4096, &ret->text, &ret->len, e);
	if (rc != 0)
		return (rc);
	while (ret->len > 0 && (ret->text[ret->len - 1] == '\n' ||
	    ret->text[ret->len - 1] == '\r'))
		ret->text[--ret->len] = '\0';
	return (1);
}

int
appliance_make(struct secret *ret, struct err *e)
{
	uint8_t raw[SECRET_BYTES];
	int rc;

	if ((rc = rand_bytes(raw, sizeof(raw), e)) != 0)
		return (rc);
	if ((ret->text = malloc(2 * sizeof(raw) + 1)) == NULL)
		return (err_nomem(e));
	ret->len = 2 * sizeof(raw);
	(void)hex_encode(ret->text, raw, sizeof(raw));
	wipe(raw, sizeof(raw));
	return (0);
}

int
appliance_keep(const struct state_dir *state, const struct id *id,
    const struct secret *s, struct err *e)
{
	char hex[ID_HEX + 1];
	int dir, rc;

	if ((rc = state_subdir(state, "appliance", &dir, e)) != 0)
		return (rc);
	rc = file_save(dir, id_hex(id, hex), s->text, s->len, 0600, e);
	(void)close(dir);
	return (rc);
}

void
appliance_forget(const struct state_dir *state, const struct id *id)
{
	char name[16 + ID_HEX];

	appliance_name(id, name);
	(void)unlinkat(state->fd, name, 0);
}

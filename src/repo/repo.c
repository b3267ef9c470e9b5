#include "repo/repo.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/rand.h"
#include "crypto/wipe.h"
#include "repo/doc.h"
#include "repo/key.h"
#include "stream/rabin.h"

enum { CONFIG_MAX = 4096, PREFIX_DIGITS = 2 };

#define CONFIG_HINT "without its config a repository cannot be read: put the " \
    "file back from a copy of the repository"

static const struct {
	const char *folder, *word;
} kinds[] = {
	[REPO_KEY] = { "keys", "key" },
	[REPO_SNAPSHOT] = { "snapshots", "snapshot" },
	[REPO_INDEX] = { "index", "index file" },
	[REPO_LOCK] = { "locks", "lock" },
	[REPO_PACK] = { "data", "pack" },
};

const char *
repo_folder(enum repo_kind kind)
{

	return (kinds[kind].folder);
}

const char *
repo_word(enum repo_kind kind)
{

	return (kinds[kind].word);
}

char *
repo_name(enum repo_kind kind, const struct id *id, char ret[STORE_NAME_MAX])
{
	char hex[ID_HEX + 1];

	id_hex(id, hex);
	if (kind == REPO_PACK)
		(void)snprintf(ret, STORE_NAME_MAX, "data/%.2s/%s", hex, hex);
	else
		(void)snprintf(ret, STORE_NAME_MAX, "%s/%s",
		    kinds[kind].folder, hex);
	return (ret);
}

int
repo_stopped(const struct repo *r, struct err *e)
{

	if (r->stop != NULL && atomic_load_explicit(r->stop,
	    memory_order_relaxed))
		return (err_set(e, ERR_CANCEL, "stopped"));
	if (atomic_load_explicit(&r->lock_lost, memory_order_relaxed))
		return (err_set(e, ERR_LOCKED, "the lock of the repository "
		    "was lost, nothing more is written"));
	return (0);
}

void
repo_damaged(struct repo *r, const struct err *why, const char *then)
{

	if (r->damaged != NULL)
		r->damaged(r->damaged_cookie, why);
	else
		log_warn("%s; %s", why->text, then);
}

/* ---- listings ---- */

struct listing {
	struct repo *r;
	repo_each *fn;
	void *cookie;
};

static int
each_name(void *cookie, const char *name, uint64_t size, struct err *e)
{
	struct listing *l = cookie;
	const char *base = strrchr(name, '/');
	struct id id;
	int rc;

	base = base != NULL ? base + 1 : name;
	if (!id_parse(&id, base, strlen(base)))
		return (0);	/* rubbish and temporary files of others */
	if ((rc = repo_stopped(l->r, e)) != 0)
		return (rc);
	return (l->fn(l->cookie, &id, size, e));
}

int
repo_list(struct repo *r, enum repo_kind kind, repo_each *fn, void *cookie,
    struct err *e)
{
	struct listing l = { r, fn, cookie };

	return (store_list(r->store, kinds[kind].folder, each_name, &l, e));
}

struct search {
	const char *prefix;
	size_t len;
	unsigned n;
	struct id found;
};

static int
match_prefix(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct search *s = cookie;
	char hex[ID_HEX + 1];

	(void)size;
	(void)e;
	if (strncmp(id_hex(id, hex), s->prefix, s->len) != 0)
		return (0);
	s->found = *id;
	s->n++;
	return (0);
}

int
repo_find_id(struct repo *r, enum repo_kind kind, const char *prefix,
    struct id *ret, struct err *e)
{
	struct search s = { prefix, strlen(prefix), 0, { { 0 } } };
	int rc;

	if (s.len == 0 || s.len > ID_HEX ||
	    strspn(prefix, "0123456789abcdef") != s.len)
		return (err_set(e, ERR_USAGE, "'%s' is not the id of a %s",
		    prefix, kinds[kind].word));
	if (s.len == ID_HEX && id_parse(ret, prefix, s.len))
		return (0);
	if ((rc = repo_list(r, kind, match_prefix, &s, e)) != 0)
		return (rc);
	if (s.n == 0)
		return (err_set(e, ERR_ABSENT, "no %s begins with '%s'",
		    kinds[kind].word, prefix));
	if (s.n > 1)
		return (err_set(e, ERR_USAGE,
		    "%u %ss begin with '%s': give more digits", s.n,
		    kinds[kind].word, prefix));
	*ret = s.found;
	return (0);
}

int
repo_remove(struct repo *r, enum repo_kind kind, const struct id *id,
    struct err *e)
{
	char name[STORE_NAME_MAX];

	return (store_remove(r->store, repo_name(kind, id, name), e));
}

/* ---- opening ---- */

/* Tries key slots until one opens. */
struct opening {
	struct repo *r;
	const struct secret *password;
	const char *hint;
	bool hinted;         /* the pass over the slots that the hint names */
	bool open;
	unsigned tried;
	uint8_t master[SEAL_KEY_LEN];
};

/* One slot with one secret. Only a wrong password or damage is passed over. */
static int
try_slot(struct opening *o, const struct id *id, const struct secret *s,
    struct err *e)
{
	struct err why = ERR_INIT;
	struct key_info k;
	int rc;

	if ((rc = key_load(o->r->store, id, &k, &why)) == 0) {
		o->tried++;
		rc = key_unlock(&k, s, o->master, &why);
	}
	key_release(&k);
	switch (rc) {
	case 0:
		o->open = true;
		o->r->key_id = *id;
		return (0);
	case ERR_PASSWORD:
		return (0);
	case ERR_CORRUPT:
	case ERR_LIMIT:
	case ERR_ABSENT:	/* removed since it was listed */
		log_warn("%s; trying the other keys", why.text);
		return (0);
	default:
		if (e != NULL)
			*e = why;
		return (rc);
	}
}

static bool
matches_hint(const struct opening *o, const struct id *id)
{
	char hex[ID_HEX + 1];

	return (o->hint != NULL && strncmp(id_hex(id, hex), o->hint,
	    strlen(o->hint)) == 0);
}

static int
each_key(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct opening *o = cookie;
	struct secret own = { NULL, 0 };
	int rc;

	(void)size;
	if (o->open)
		return (0);
	if (o->password->text != NULL)
		return (matches_hint(o, id) != o->hinted ? 0 :
		    try_slot(o, id, o->password, e));
	if ((rc = appliance_secret(o->r->state, id, &own, e)) <= 0)
		return (rc);
	rc = try_slot(o, id, &own, e);
	secret_free(&own);
	return (rc);
}

static int
open_key(struct repo *r, const struct secret *password, const char *hint,
    struct err *e)
{
	static const struct secret none = { NULL, 0 };
	struct opening o = { .r = r, .hint = hint };
	int pass, rc = 0;

	o.password = password != NULL ? password : &none;
	for (pass = hint != NULL ? 0 : 1; pass < 2 && !o.open; pass++) {
		o.hinted = pass == 0;
		if ((rc = repo_list(r, REPO_KEY, each_key, &o, e)) != 0)
			goto out;
	}
	if (o.open) {
		seal_key_init(&r->key, o.master);
	} else if (o.password->text == NULL) {
		rc = err_set(e, ERR_PASSWORD, "a password is needed for '%s'",
		    r->store->location);
		(void)err_hint(e, "give it with --password-file FILE or in "
		    "GARNER_PASSWORD");
	} else if (o.tried == 0) {
		rc = err_set(e, ERR_CORRUPT, "no usable key in '%s'",
		    r->store->location);
	} else {
		rc = err_set(e, ERR_PASSWORD,
		    "wrong password: it opens none of the %u keys of '%s'",
		    o.tried, r->store->location);
	}

out:
	wipe(o.master, sizeof(o.master));
	return (rc);
}

static int
bad_config(const char *how, struct err *e)
{

	return (err_set(e, ERR_CORRUPT, "the repository's config is damaged: "
	    "%s", how));
}

static int
parse_config(struct repo *r, const struct buf *json, struct err *e)
{
	cJSON *o = cJSON_ParseWithLength((const char *)json->p, json->len);
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, "version");
	const char *id = cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(o, "id"));
	const char *poly = cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(o, "chunker_polynomial"));
	char *end;
	int rc = 0;

	if (!cJSON_IsNumber(v) || id == NULL || poly == NULL) {
		rc = bad_config("version, id or chunker_polynomial is missing",
		    e);
		goto out;
	}
	if (v->valuedouble != 1 && v->valuedouble != 2) {
		rc = err_set(e, ERR_FAIL, "the repository is of version %g, "
		    "and 1 and 2 are what this garner knows", v->valuedouble);
		goto out;
	}
	r->version = (unsigned)v->valuedouble;
	if (!id_parse(&r->id, id, strlen(id))) {
		rc = bad_config("its id is not 64 hex digits", e);
		goto out;
	}
	r->polynomial = strtoull(poly, &end, 16);
	if (*poly == '\0' || *end != '\0' ||
	    rabin_degree(r->polynomial) != RABIN_DEGREE ||
	    !rabin_irreducible(r->polynomial))
		rc = bad_config("its chunker polynomial is not an irreducible "
		    "one of degree 53", e);

out:
	cJSON_Delete(o);
	return (rc);
}

static int
load_config(struct repo *r, struct err *e)
{
	struct buf json = BUF_INIT(CONFIG_MAX);
	int rc;

	if ((rc = doc_load(r, "config", NULL, &json, e)) == 0 &&
	    (rc = parse_config(r, &json, e)) == 0)
		chunk_tables_init(&r->tables, r->polynomial);
	buf_free(&json);
	if (rc == ERR_CORRUPT)
		(void)err_hint(e, CONFIG_HINT);
	return (rc);
}

static int
note_any(void *cookie, const char *name, uint64_t size, struct err *e)
{
	bool *any = cookie;

	(void)name;
	(void)size;
	(void)e;
	*any = true;
	return (0);
}

/* Was there ever one, or was its config lost? */
static int
no_repo(struct store *store, struct err *e)
{
	bool any = false;

	(void)store_list(store, "keys", note_any, &any, NULL);
	(void)err_set(e, ERR_NOREPO, "there is no repository at '%s'%s",
	    store->location, any ? ": it has keys, but no config" : "");
	if (any)
		return (err_hint(e, CONFIG_HINT));
	return (err_hint(e, "'garner init' makes one; is the disk mounted?"));
}

int
repo_open(struct repo **ret, struct store *store, struct state_dir *state,
    const struct secret *password, const char *hint, struct err *e)
{
	struct repo *r;
	uint64_t size;
	int rc;

	rc = store_stat(store, "config", &size, e);
	if (rc == ERR_ABSENT || rc == ERR_NOREPO)
		return (no_repo(store, e));
	if (rc != 0)
		return (rc);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (err_nomem(e));
	r->store = store;
	r->state = state;
	if ((rc = open_key(r, password, hint, e)) != 0 ||
	    (rc = load_config(r, e)) != 0 ||
	    (rc = slab_pool_open(&r->pool, CONFIG_SLAB_COUNT, e)) != 0)
		goto err;
	*ret = r;
	return (0);

err:
	seal_key_wipe(&r->key);
	free(r);
	return (rc);
}

void
repo_close(struct repo *r)
{

	if (r == NULL)
		return;
	blobmap_close(r->map);
	slab_pool_close(&r->pool);
	seal_key_wipe(&r->key);
	store_close(r->store);
	free(r);
}

/* ---- making one ---- */

static int
refuse_any(void *cookie, const char *name, uint64_t size, struct err *e)
{

	(void)cookie;
	(void)size;
	return (err_set(e, ERR_EXISTS, "'%s' is there already", name));
}

/* Nothing may be there that looks like a repository, or the rest of one. */
static int
must_be_empty(struct store *store, struct err *e)
{
	uint64_t size;
	int rc;

	rc = store_stat(store, "config", &size, e);
	if (rc == ERR_NOREPO)
		return (0);
	if (rc == 0)
		rc = err_set(e, ERR_EXISTS, "there is a repository at '%s' "
		    "already", store->location);
	else if (rc == ERR_ABSENT &&
	    (rc = store_list(store, "keys", refuse_any, NULL, e)) == 0)
		rc = store_list(store, "snapshots", refuse_any, NULL, e);
	if (rc == ERR_EXISTS)
		(void)err_hint(e, "nothing was changed; use it, or choose "
		    "another place");
	return (rc);
}

static int
make_folders(struct store *store, struct err *e)
{
	static char data[256][sizeof("data/00")];
	const char *dirs[5 + 256 + 1] = { "keys", "snapshots", "index",
	    "locks", "data" };
	int i;

	for (i = 0; i < 256; i++) {
		(void)snprintf(data[i], sizeof(data[i]), "data/%02x",
		    (unsigned)i & 0xff);
		dirs[5 + i] = data[i];
	}
	dirs[5 + 256] = NULL;
	return (store_prepare(store, dirs, e));
}

static int
write_config(struct repo *r, unsigned flags, struct err *e)
{
	struct buf sealed = BUF_INIT(CONFIG_MAX);
	char json[256], hex[ID_HEX + 1];
	struct put *put = NULL;
	struct id ignored;
	int len, rc;

	len = snprintf(json, sizeof(json),
	    "{\"version\":%u,\"id\":\"%s\",\"chunker_polynomial\":\"%llx\"}",
	    r->version, id_hex(&r->id, hex),
	    (unsigned long long)r->polynomial);
	if ((rc = doc_seal(r, json, (size_t)len, &sealed, &ignored, e)) == 0 &&
	    (rc = store_create(r->store, "", &put, e)) == 0 &&
	    (rc = put_write(put, sealed.p, sealed.len, e)) == 0)
		rc = put_publish(put, "config", flags, e);
	put_free(put);
	buf_free(&sealed);
	return (rc);
}

/* Take back what a failed init has made: a config only when our key sealed it. */
static void
take_back(struct repo *r, const struct id *slot)
{
	struct buf json = BUF_INIT(CONFIG_MAX);
	char name[STORE_NAME_MAX];

	if (doc_load(r, "config", NULL, &json, NULL) == 0)
		(void)store_remove(r->store, "config", NULL);
	(void)store_remove(r->store, repo_name(REPO_KEY, slot, name), NULL);
	buf_free(&json);
}

int
repo_init(struct store *store, struct state_dir *state,
    const struct repo_init *init, struct id *ret_id, struct err *e)
{
	struct repo r = { .store = store, .state = state,
	    .version = init->version, .polynomial = init->polynomial };
	uint8_t master[SEAL_KEY_LEN];
	struct key_new key = { .master = master, .password = init->password,
	    .kdf = { KDF_N, KDF_R, 1 } };
	struct id slot;
	int rc;

	if ((rc = must_be_empty(store, e)) != 0)
		return (rc);
	if (init->kdf != NULL)
		key.kdf = *init->kdf;
	else if ((rc = key_calibrate(&key.kdf, KDF_MS, e)) != 0)
		return (rc);
	if ((rc = rand_bytes(master, sizeof(master), e)) != 0 ||
	    (rc = rand_bytes(r.id.b, ID_LEN, e)) != 0)
		goto out;
	if (r.polynomial == 0 && (rc = rabin_random(&r.polynomial, e)) != 0)
		goto out;
	if ((rc = make_folders(store, e)) != 0 ||
	    (rc = key_add(store, &key, &slot, e)) != 0)
		goto out;
	seal_key_init(&r.key, master);
	/* The config is last: with it there is a repository. */
	if ((rc = write_config(&r, PUT_NEW, e)) == 0)
		*ret_id = r.id;
	else
		take_back(&r, &slot);

out:
	seal_key_wipe(&r.key);
	wipe(master, sizeof(master));
	return (rc);
}

int
repo_upgrade(struct repo *r, struct err *e)
{
	int rc;

	r->version = 2;
	if ((rc = write_config(r, 0, e)) != 0)
		r->version = 1;
	return (rc);
}

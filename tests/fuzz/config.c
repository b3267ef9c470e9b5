/*
 * What is read before anything else: key files (the input as it is) and the
 * config (the input, sealed with the key that a good key file gives).
 */

#include "world.h"

#include "repo/key.h"

/* restic-format 16, with N = 2, so that it costs nothing. */
static void
add_key(struct world *w, struct secret *password)
{
	static char text[] = "correct horse";
	static uint8_t file[4096];
	static size_t len;
	static struct id id;

	password->text = text;
	password->len = sizeof(text) - 1;
	if (len == 0) {
		/* Made once, by the product, into a folder of its own. */
		char place[] = "/tmp/garner-fuzz-key-XXXXXX", name[512];
		struct repo_init init = { .version = 2, .password = password };
		struct kdf kdf = { 2, 1, 1 };
		struct store *st;
		struct repo *r;
		struct err e = ERR_INIT;
		FILE *f;

		MUST(mkdtemp(place) != NULL);
		init.kdf = &kdf;
		MUST(store_open(&st, place, &e) == 0);
		MUST(repo_init(st, &w->state, &init, &id, &e) == 0);
		MUST(repo_open(&r, st, &w->state, password, NULL, &e) == 0);
		w->repo.key = r->key;
		id = r->key_id;
		(void)snprintf(name, sizeof(name), "%s/", place);
		repo_name(REPO_KEY, &id, name + strlen(place) + 1);
		MUST((f = fopen(name, "rb")) != NULL);
		len = fread(file, 1, sizeof(file), f);
		(void)fclose(f);
		repo_close(r);
	}
	(void)world_add(w, REPO_KEY, NULL, file, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct world *w = world();
	struct secret password;
	struct err e = ERR_INIT;
	struct key_info k;
	struct repo *r;
	struct id id;

	world_clear(w);
	add_key(w, &password);
	(void)world_seal(w, REPO_KEY, "config", p, len);
	if (repo_open(&r, &w->store, &w->state, &password, NULL, &e) == 0) {
		MUST(r->version == 1 || r->version == 2);
		MUST(rabin_irreducible(r->polynomial));
		repo_close(r);	/* closes the store, too */
		MUST((w->store.location = strdup("world")) != NULL);
	}
	world_clear(w);
	id = world_add(w, REPO_KEY, NULL, p, len);
	if (key_load(&w->store, &id, &k, &e) == 0)
		MUST(k.kdf.n >= 2 && k.data.len >= SEAL_OVERHEAD);
	key_release(&k);
	return (0);
}

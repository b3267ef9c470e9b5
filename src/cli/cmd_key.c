#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "crypto/wipe.h"
#include "repo/key.h"

struct flags {
	const char *new_password_file, *user, *host;
	bool appliance, new_insecure;
	uint64_t n, r, p, kdf_ms;
};

static const struct opt opts[] = {
	OPT(struct flags, new_password_file, "new-password-file", 0, OPT_TEXT,
	    "FILE", "file with the new password (asked for)"),
	OPT(struct flags, appliance, "appliance", 0, OPT_FLAG, NULL,
	    "add: a long random secret, kept in the state folder, that opens "
	    "at once and in little memory"),
	OPT(struct flags, user, "user", 0, OPT_TEXT, "NAME",
	    "user name in the new key"),
	OPT(struct flags, host, "host", 0, OPT_TEXT, "HOST",
	    "host name in the new key"),
	OPT(struct flags, n, "kdf-n", 0, OPT_UINT, "N", "scrypt's N (8192)"),
	OPT(struct flags, r, "kdf-r", 0, OPT_UINT, "R", "scrypt's r (8)"),
	OPT(struct flags, p, "kdf-p", 0, OPT_UINT, "P",
	    "scrypt's p (as takes half a second here)"),
	OPT(struct flags, kdf_ms, "kdf-time", 0, OPT_UINT, "MS",
	    "choose p for this many milliseconds"),
	OPT_END
};

/* ---- list ---- */

struct listing {
	struct cli *c;
	bool first;
};

static int
print_key(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct listing *l = cookie;
	bool current = id_eq(id, &l->c->repo->key_id);
	struct secret own = { NULL, 0 };
	char hex[ID_HEX + 1], t[64], user[256], host[1024];
	struct err why = ERR_INIT;
	struct key_info k;
	struct when w;
	int rc;

	(void)size;
	(void)e;
	if ((rc = key_load(l->c->repo->store, id, &k, &why)) != 0) {
		log_warn("%s", why.text);
		key_release(&k);
		return (0);
	}
	(void)utf8_show(t, sizeof(t), k.created);
	if (when_parse(&w, k.created, strlen(k.created)))
		(void)cli_time(&w, t);
	id_hex(id, hex);
	if (l->c->g.json) {
		printf("%s{\"current\":%s,\"id\":\"%.8s\",\"userName\":",
		    l->first ? "" : ",", current ? "true" : "false", hex);
		cli_json_text(stdout, k.user);
		printf(",\"hostName\":");
		cli_json_text(stdout, k.host);
		printf(",\"created\":");
		cli_json_text(stdout, t);
		printf(",\"N\":%u,\"r\":%u,\"p\":%u}", k.kdf.n, k.kdf.r,
		    k.kdf.p);
	} else {
		printf("%c%.8s  %-10s  %-15s  %s  N=%u r=%u p=%u%s\n",
		    current ? '*' : ' ', hex,
		    utf8_show(user, sizeof(user), k.user),
		    utf8_show(host, sizeof(host), k.host), t, k.kdf.n,
		    k.kdf.r, k.kdf.p, appliance_secret(&l->c->state, id, &own,
		    NULL) > 0 ? "  this box's" : "");
		secret_free(&own);
	}
	l->first = false;
	key_release(&k);
	return (0);
}

static int
list_keys(struct cli *c, struct err *e)
{
	struct listing l = { c, true };
	int rc;

	if ((rc = cli_open(c, ACCESS_SHARED, e)) != 0)
		return (rc);
	if (c->g.json)
		putchar('[');
	else
		printf(" %-8s  %-10s  %-15s  %-19s  %s\n", "ID", "User",
		    "Host", "Created", "scrypt");
	rc = repo_list(c->repo, REPO_KEY, print_key, &l, e);
	if (c->g.json)
		printf("]\n");
	return (rc);
}

/* ---- add and passwd ---- */

/* The raw master key, out of the slot that is in use. */
static int
master_key(struct cli *c, uint8_t ret[SEAL_KEY_LEN], struct err *e)
{
	struct secret s = { NULL, 0 };
	struct key_info k;
	int rc;

	if ((rc = key_load(c->repo->store, &c->repo->key_id, &k, e)) != 0)
		goto out;
	rc = appliance_secret(&c->state, &c->repo->key_id, &s, e);
	if (rc == 0)
		rc = cli_password(c, false, &s, e);
	if (rc > 0)
		rc = key_unlock(&k, &s, ret, e);
	else if (rc == 0)
		rc = err_set(e, ERR_PASSWORD, "a password is needed");

out:
	secret_free(&s);
	key_release(&k);
	return (rc);
}

static int
choose_kdf(const struct flags *f, struct kdf *ret, struct err *e)
{
	static const struct kdf appliance = KDF_APPLIANCE;

	if (f->n > UINT32_MAX || f->r > UINT32_MAX || f->p > UINT32_MAX)
		return (err_set(e, ERR_USAGE, "a scrypt parameter is too "
		    "large"));
	if (f->appliance)
		*ret = appliance;
	else
		*ret = (struct kdf){ KDF_N, KDF_R, 0 };
	if (f->n != 0)
		ret->n = (uint32_t)f->n;
	if (f->r != 0)
		ret->r = (uint32_t)f->r;
	if (f->p != 0)
		ret->p = (uint32_t)f->p;
	if (ret->p != 0)
		return (0);
	return (key_calibrate(ret, f->kdf_ms != 0 ? (unsigned)f->kdf_ms :
	    KDF_MS, e));
}

static int
new_secret(const struct flags *f, struct secret *ret, struct err *e)
{

	if (f->appliance)
		return (appliance_make(ret, e));
	return (cli_new_password(f->new_password_file, ret, e));
}

static int
make_key(struct cli *c, const struct flags *f, struct id *ret, struct err *e)
{
	uint8_t master[SEAL_KEY_LEN];
	struct secret s = { NULL, 0 };
	struct key_new want = { .master = master, .password = &s,
	    .user = f->user, .host = f->host };
	char name[STORE_NAME_MAX];
	int rc;

	if ((rc = choose_kdf(f, &want.kdf, e)) != 0 ||
	    (rc = master_key(c, master, e)) != 0)
		return (rc);
	if ((rc = new_secret(f, &s, e)) != 0 ||
	    (rc = key_add(c->repo->store, &want, ret, e)) != 0)
		goto out;
	if (f->appliance && (rc = appliance_keep(&c->state, ret, &s, e)) != 0)
		(void)store_remove(c->repo->store, repo_name(REPO_KEY, ret,
		    name), NULL);

out:
	wipe(master, sizeof(master));
	secret_free(&s);
	return (rc);
}

static int
add_key(struct cli *c, const struct flags *f, struct err *e)
{
	char hex[ID_HEX + 1];
	struct id id;
	int rc;

	if ((rc = cli_open(c, ACCESS_SHARED, e)) != 0 ||
	    (rc = make_key(c, f, &id, e)) != 0)
		return (rc);
	cli_say(c, "added key %.8s", id_hex(&id, hex));
	if (f->appliance)
		cli_say(c, "its secret is kept in %s/appliance: this box opens "
		    "the repository without a password.\nKeep a password of "
		    "your own: the box can burn.", c->state.path);
	return (0);
}

static int
change_password(struct cli *c, const struct flags *f, struct err *e)
{
	char hex[ID_HEX + 1];
	struct id old, id;
	int rc;

	if ((rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0)
		return (rc);
	old = c->repo->key_id;
	if ((rc = make_key(c, f, &id, e)) != 0 ||
	    (rc = repo_remove(c->repo, REPO_KEY, &old, e)) != 0)
		return (rc);
	appliance_forget(&c->state, &old);
	cli_say(c, "key %.8s replaces the old one", id_hex(&id, hex));
	return (0);
}

static int
remove_key(struct cli *c, const char *what, struct err *e)
{
	char hex[ID_HEX + 1];
	struct id id;
	int rc;

	if ((rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0 ||
	    (rc = repo_find_id(c->repo, REPO_KEY, what, &id, e)) != 0)
		return (rc);
	if (id_eq(&id, &c->repo->key_id)) {
		(void)err_set(e, ERR_USAGE, "key %.8s is the one in use now",
		    id_hex(&id, hex));
		return (err_hint(e, "open the repository with another "
		    "password to remove it"));
	}
	if ((rc = repo_remove(c->repo, REPO_KEY, &id, e)) != 0)
		return (rc);
	appliance_forget(&c->state, &id);
	cli_say(c, "removed key %.8s", id_hex(&id, hex));
	return (0);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{

	if (argc == 1 && strcmp(argv[0], "list") == 0)
		return (list_keys(c, e));
	if (argc == 1 && strcmp(argv[0], "add") == 0)
		return (add_key(c, flags, e));
	if (argc == 1 && strcmp(argv[0], "passwd") == 0)
		return (change_password(c, flags, e));
	if (argc == 2 && strcmp(argv[0], "remove") == 0)
		return (remove_key(c, argv[1], e));
	(void)err_set(e, ERR_USAGE, argc == 0 ? "do what with keys?" :
	    "key does not understand that");
	return (err_hint(e, "key list, key add, key passwd, or key remove "
	    "ID"));
}

const struct cmd cmd_key = {
	.name = "key",
	.args = "list|add|remove ID|passwd",
	.summary = "the passwords of a repository",
	.help = "A repository has one master key and any number of passwords "
	    "that unlock it.\nRemoving a password does not take the master key "
	    "from who has seen it.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};

#include "repo/lock.h"

#include <cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/when.h"
#include "repo/doc.h"

/* Times of restic's protocol, in seconds. */
enum {
	REFRESH = 5 * 60,
	STALE = 30 * 60,
	LOST = 22 * 60 + 30,
	RETRY_FIRST = 5,
	RETRY_MAX = 60,
	LOOK_MS = 10000,     /* how often the keeper looks at its clock */
};

#define SETTLE_NS 200000000L /* between writing a lock and looking again */

struct repo_lock {
	struct repo *r;
	bool exclusive;
	struct id id;
	int note;            /* descriptor of its note, or -1 */
	struct sigaction hup; /* as it was before */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool ending, lost;
	int64_t refreshed;   /* monotonic seconds */
};

/* ---- notes ---- */

static void
note_name(const struct id *id, char ret[8 + ID_HEX])
{
	char hex[ID_HEX + 1];

	(void)snprintf(ret, 8 + ID_HEX, "locks/%s", id_hex(id, hex));
}

/* The boot this is: for people who read the notes. */
static void
boot_id(char ret[40])
{
	size_t got = 0;
	int fd;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		(void)file_read(fd, ret, 36, &got, "the boot id", NULL);
		(void)close(fd);
	}
	ret[got] = '\0';
}

/* Note a lock before it is stored. Without one (a full disk) it works too. */
static int
note_make(struct repo *r, const struct id *id)
{
	char name[8 + ID_HEX], boot[40], text[96];
	int dir, fd, n;

	if (state_subdir(r->state, "locks", &dir, NULL) != 0)
		return (-1);
	(void)close(dir);
	note_name(id, name);
	fd = openat(r->state->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		return (-1);
	(void)flock(fd, LOCK_EX | LOCK_NB);
	boot_id(boot);
	n = snprintf(text, sizeof(text), "boot %s pid %ld\n", boot,
	    (long)getpid());
	(void)file_write(fd, text, (size_t)n, "the note of a lock", NULL);
	(void)fsync(fd);
	return (fd);
}

static void
note_drop(struct repo *r, const struct id *id)
{
	char name[8 + ID_HEX];

	note_name(id, name);
	(void)unlinkat(r->state->fd, name, 0);
}

/* Did this box note the lock, and does nobody hold the note any more? */
static bool
note_orphaned(struct repo *r, const struct id *id)
{
	char name[8 + ID_HEX];
	bool free_now;
	int fd;

	note_name(id, name);
	fd = openat(r->state->fd, name, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return (false);
	free_now = flock(fd, LOCK_EX | LOCK_NB) == 0;
	(void)close(fd);
	return (free_now);
}

/* ---- reading ---- */

int
lock_load(struct repo *r, const struct id *id, struct lock_info *ret,
    struct err *e)
{
	struct buf json = BUF_INIT((size_t)CONFIG_DOC_KIB * 1024);
	char name[STORE_NAME_MAX];
	const char *time_text, *s;
	const cJSON *v;
	struct when when;
	uint64_t size;
	cJSON *o = NULL;
	int rc;

	memset(ret, 0, sizeof(*ret));
	repo_name(REPO_LOCK, id, name);
	if ((rc = store_stat(r->store, name, &size, e)) != 0)
		goto out;
	if (size == 0) {	/* the rest of a crash: all restics ignore it */
		rc = err_set(e, ERR_ABSENT, "an empty lock");
		goto out;
	}
	if ((rc = doc_load(r, name, id, &json, e)) != 0)
		goto out;
	o = cJSON_ParseWithLength((const char *)json.p, json.len);
	time_text = cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(o, "time"));
	if (time_text == NULL ||
	    !when_parse(&when, time_text, strlen(time_text))) {
		rc = err_set(e, ERR_CORRUPT, "%s is damaged: it has no time",
		    name);
		goto out;
	}
	ret->time = when.sec;
	ret->exclusive = cJSON_IsTrue(
	    cJSON_GetObjectItemCaseSensitive(o, "exclusive"));
	s = cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(o, "hostname"));
	(void)snprintf(ret->host, sizeof(ret->host), "%s", s ? s : "");
	s = cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(o, "username"));
	(void)snprintf(ret->user, sizeof(ret->user), "%s", s ? s : "");
	v = cJSON_GetObjectItemCaseSensitive(o, "pid");
	if (cJSON_IsNumber(v) && v->valuedouble > 0 &&
	    v->valuedouble < 4294967296.0)
		ret->pid = (uint64_t)v->valuedouble;

out:
	cJSON_Delete(o);
	buf_free(&json);
	return (rc);
}

static bool
same_host(const struct lock_info *l)
{
	char host[256] = "";

	return (gethostname(host, sizeof(host) - 1) == 0 &&
	    strcmp(host, l->host) == 0);
}

/* restic's notion of stale: old, or of a process of this host that is gone. */
static bool
is_stale(const struct lock_info *l)
{

	if (time(NULL) - l->time > STALE)
		return (true);
	return (same_host(l) && l->pid != 0 && kill((pid_t)l->pid, 0) == -1 &&
	    errno == ESRCH);
}

struct cleaning {
	struct repo *r;
	bool all;
	unsigned n;
};

static int
clean_one(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct cleaning *c = cookie;
	struct lock_info l;
	int rc;

	(void)size;
	if (!c->all && !note_orphaned(c->r, id)) {
		rc = lock_load(c->r, id, &l, e);
		if (rc == ERR_CORRUPT || rc == ERR_LIMIT) {
			log_warn("%s; --remove-all removes it", e->text);
			return (0);
		}
		if (rc != 0 && rc != ERR_ABSENT)
			return (rc);
		if (rc == 0 && !is_stale(&l))
			return (0);
	}
	if ((rc = repo_remove(c->r, REPO_LOCK, id, e)) != 0)
		return (rc);
	note_drop(c->r, id);
	c->n++;
	return (0);
}

int
lock_remove_stale(struct repo *r, bool all, unsigned *ret, struct err *e)
{
	struct cleaning c = { r, all, 0 };
	int rc;

	rc = repo_list(r, REPO_LOCK, clean_one, &c, e);
	*ret = c.n;
	return (rc);
}

/* ---- taking ---- */

/* Looks for a lock that forbids ours. */
struct conflict {
	struct repo *r;
	bool exclusive;
	const struct id *own; /* NULL before it is written */
};

static void
age_text(int64_t s, char ret[32])
{

	if (s < 0)
		s = 0;
	if (s < 120)
		(void)snprintf(ret, 32, "%lld seconds", (long long)s);
	else if (s < 7200)
		(void)snprintf(ret, 32, "%lld minutes", (long long)s / 60);
	else
		(void)snprintf(ret, 32, "%lld hours", (long long)s / 3600);
}

static int
conflict_each(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct conflict *c = cookie;
	struct lock_info l;
	char age[32];
	int rc;

	(void)size;
	if (c->own != NULL && id_eq(id, c->own))
		return (0);
	if (note_orphaned(c->r, id)) {
		log_info("removing the lock of a garner of this box that died");
		if ((rc = repo_remove(c->r, REPO_LOCK, id, e)) == 0)
			note_drop(c->r, id);
		return (rc);
	}
	rc = lock_load(c->r, id, &l, e);
	if (rc == ERR_ABSENT)
		return (0);
	if (rc == ERR_CORRUPT || rc == ERR_LIMIT) {
		(void)err_hint(e, "'garner unlock --remove-all' removes all "
		    "locks, when you are sure that nobody is at work there");
		e->code = ERR_LOCKED;
		return (ERR_LOCKED);
	}
	if (rc != 0)
		return (rc);
	if (!c->exclusive && !l.exclusive)
		return (0);
	age_text(time(NULL) - l.time, age);
	(void)err_set(e, ERR_LOCKED, "the repository is locked%s by process "
	    "%llu on %s (%s), since %s", l.exclusive ? " exclusively" : "",
	    (unsigned long long)l.pid, l.host[0] ? l.host : "an unknown host",
	    l.user[0] ? l.user : "unknown user", age);
	if (is_stale(&l))
		(void)err_hint(e, "that lock is stale: 'garner unlock' "
		    "removes it");
	else
		(void)err_hint(e, "wait for it, or try for a while with "
		    "--retry-lock 10m");
	return (ERR_LOCKED);
}

static int
look_for_conflict(struct repo *r, bool exclusive, const struct id *own,
    struct err *e)
{
	struct conflict c = { r, exclusive, own };

	return (repo_list(r, REPO_LOCK, conflict_each, &c, e));
}

static int
lock_json(bool exclusive, struct buf *ret, struct err *e)
{
	struct when now = when_now(true);
	char when[WHEN_TEXT], host[256] = "";
	struct passwd *pw = getpwuid(getuid());
	int rc;

	(void)gethostname(host, sizeof(host) - 1);
	rc = buf_printf(ret, e, "{\"time\":\"%s\",\"exclusive\":%s,"
	    "\"hostname\":", when_format(&now, when),
	    exclusive ? "true" : "false");
	if (rc == 0)
		rc = json_text(ret, host, e);
	if (rc == 0)
		rc = buf_str(ret, ",\"username\":", e);
	if (rc == 0)
		rc = json_text(ret, pw != NULL ? pw->pw_name : "", e);
	if (rc == 0)
		rc = buf_printf(ret, e, ",\"pid\":%ld", (long)getpid());
	if (rc == 0 && getuid() != 0)
		rc = buf_printf(ret, e, ",\"uid\":%lu",
		    (unsigned long)getuid());
	if (rc == 0 && getgid() != 0)
		rc = buf_printf(ret, e, ",\"gid\":%lu",
		    (unsigned long)getgid());
	if (rc == 0)
		rc = buf_str(ret, "}", e);
	return (rc);
}

/* Note and store a lock with the time of now. */
static int
lock_write(struct repo *r, bool exclusive, struct id *ret, int *ret_note,
    struct err *e)
{
	struct buf json = BUF_INIT(4096), sealed = BUF_INIT(8192);
	int rc;

	*ret_note = -1;
	if ((rc = lock_json(exclusive, &json, e)) != 0 ||
	    (rc = doc_seal(r, json.p, json.len, &sealed, ret, e)) != 0)
		goto out;
	*ret_note = note_make(r, ret);
	if ((rc = doc_store(r, REPO_LOCK, ret, &sealed, e)) != 0) {
		note_drop(r, ret);
		if (*ret_note != -1)
			(void)close(*ret_note);
		if (rc == ERR_DENIED)
			(void)err_hint(e, "a store that cannot be written can "
			    "be read with --no-lock");
	}

out:
	buf_free(&json);
	buf_free(&sealed);
	return (rc);
}

static void
lock_erase(struct repo *r, const struct id *id, int note)
{

	(void)repo_remove(r, REPO_LOCK, id, NULL);
	note_drop(r, id);
	if (note != -1)
		(void)close(note);
}

/* One attempt: look, write, wait, look again. */
static int
lock_try(struct repo_lock *l, struct err *e)
{
	struct timespec settle = { 0, SETTLE_NS };
	int rc;

	if ((rc = look_for_conflict(l->r, l->exclusive, NULL, e)) != 0 ||
	    (rc = lock_write(l->r, l->exclusive, &l->id, &l->note, e)) != 0)
		return (rc);
	(void)nanosleep(&settle, NULL);
	if ((rc = look_for_conflict(l->r, l->exclusive, &l->id, e)) != 0)
		lock_erase(l->r, &l->id, l->note);
	return (rc);
}

/* A fresh lock in place of the old one. */
static int
refresh(struct repo_lock *l, struct err *e)
{
	char name[STORE_NAME_MAX];
	uint64_t size;
	struct id id;
	int note, rc;

	/* Somebody's `unlock --remove-all` is an order to stop. */
	rc = store_stat(l->r->store, repo_name(REPO_LOCK, &l->id, name), &size,
	    e);
	if (rc == ERR_ABSENT)
		return (err_set(e, ERR_LOCKED, "the lock was removed by "
		    "somebody else"));
	if (rc != 0 ||
	    (rc = lock_write(l->r, l->exclusive, &id, &note, e)) != 0)
		return (rc);
	lock_erase(l->r, &l->id, l->note);
	l->id = id;
	l->note = note;
	return (0);
}

static void *
keeper(void *cookie)
{
	struct repo_lock *l = cookie;
	struct err e = ERR_INIT;
	int rc;

	pthread_mutex_lock(&l->mutex);
	while (!l->ending) {
		/* The clock may be set meanwhile: look often, act by age. */
		wait_ms(&l->wake, &l->mutex, LOOK_MS);
		if (l->ending || l->lost ||
		    monotonic_s() - l->refreshed < REFRESH)
			continue;
		pthread_mutex_unlock(&l->mutex);
		rc = refresh(l, &e);
		pthread_mutex_lock(&l->mutex);
		if (rc == 0) {
			l->refreshed = monotonic_s();
		} else if (rc == ERR_LOCKED ||
		    monotonic_s() - l->refreshed > LOST) {
			log_error("%s: stopping", e.text);
			l->lost = true;
		} else {
			log_warn("cannot refresh the lock: %s", e.text);
		}
	}
	pthread_mutex_unlock(&l->mutex);
	return (NULL);
}

static int
start_keeper(struct repo_lock *l, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int rc;

	(void)sigaction(SIGHUP, &ignore, &l->hup);
	pthread_mutex_init(&l->mutex, NULL);
	wait_init(&l->wake);
	l->refreshed = monotonic_s();
	if ((rc = thread_start(&l->thread, keeper, l, e)) != 0)
		(void)sigaction(SIGHUP, &l->hup, NULL);
	return (rc);
}

int
repo_lock(struct repo *r, bool exclusive, uint64_t retry_s,
    struct repo_lock **ret, struct err *e)
{
	int64_t deadline = monotonic_s() + (int64_t)retry_s;
	unsigned wait = RETRY_FIRST, i;
	struct repo_lock *l;
	int rc;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (err_nomem(e));
	l->r = r;
	l->exclusive = exclusive;
	while ((rc = lock_try(l, e)) == ERR_LOCKED &&
	    monotonic_s() < deadline) {
		log_info("%s; trying again in %u s", e->text, wait);
		for (i = 0; i < wait; i++) {
			(void)sleep(1);
			if ((rc = repo_stopped(r, e)) != 0)
				goto err;
		}
		wait = wait * 2 < RETRY_MAX ? wait * 2 : RETRY_MAX;
	}
	if (rc != 0)
		goto err;
	if ((rc = start_keeper(l, e)) != 0) {
		lock_erase(r, &l->id, l->note);
		goto err;
	}
	*ret = l;
	return (0);

err:
	free(l);
	return (rc);
}

int
repo_lock_lost(struct repo_lock *l, struct err *e)
{
	bool lost;

	if (l == NULL)
		return (0);
	pthread_mutex_lock(&l->mutex);
	lost = l->lost;
	pthread_mutex_unlock(&l->mutex);
	if (!lost)
		return (0);
	return (err_set(e, ERR_LOCKED,
	    "the lock of the repository was lost, nothing more is written"));
}

void
repo_unlock(struct repo_lock *l)
{

	if (l == NULL)
		return;
	pthread_mutex_lock(&l->mutex);
	l->ending = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->mutex);
	pthread_join(l->thread, NULL);
	if (!l->lost)
		lock_erase(l->r, &l->id, l->note);
	else if (l->note != -1)
		(void)close(l->note);
	(void)sigaction(SIGHUP, &l->hup, NULL);
	pthread_mutex_destroy(&l->mutex);
	pthread_cond_destroy(&l->wake);
	free(l);
}

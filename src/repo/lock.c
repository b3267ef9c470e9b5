#include "repo/lock.h"

#include <cJSON.h>
#include <dirent.h>
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
	LOOK_MS = 10000,     /* how often the keeper looks at clock and store */
	AGAIN = 60,          /* after a refresh that failed */
};

#define SETTLE_NS 200000000L /* between writing a lock and looking again */

enum { NOTE_MAX = 256 };

struct repo_lock {
	struct repo *r;
	bool exclusive;
	struct id id;
	int note;            /* descriptor of its note, or -1 */
	struct sigaction hup; /* as it was before */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool ending;
	pthread_mutex_t moving; /* guards what follows and its object */
	struct err why;      /* why it is lost; code 0: it is not */
	bool gone;           /* its object was removed */
	int64_t refreshed, tried; /* monotonic seconds */
	int64_t written;     /* the time that stands in it, about */
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
	char name[8 + ID_HEX], boot[40], repo[ID_HEX + 1], text[NOTE_MAX];
	int dir, fd, n;

	if (state_subdir(r->state, "locks", &dir, NULL) != 0)
		return (-1);
	(void)close(dir);
	note_name(id, name);
	fd = openat(r->state->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		return (-1);
	(void)flock(fd, LOCK_EX);	/* a sweep holds it for a moment */
	boot_id(boot);
	n = snprintf(text, sizeof(text), "boot %s pid %ld\nrepository %s\n",
	    boot, (long)getpid(), id_hex(&r->id, repo));
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

/* Is the note that is open as ${fd} of a lock that this repository lacks? */
static bool
note_useless(struct repo *r, int fd, const struct id *id)
{
	char name[STORE_NAME_MAX], repo[ID_HEX + 1], text[NOTE_MAX];
	uint64_t size;
	size_t got;

	if (flock(fd, LOCK_EX | LOCK_NB) == -1 ||
	    file_read(fd, text, sizeof(text) - 1, &got, "a note", NULL) != 0)
		return (false);
	text[got] = '\0';
	return (strstr(text, id_hex(&r->id, repo)) != NULL &&
	    store_stat(r->store, repo_name(REPO_LOCK, id, name), &size,
	    NULL) == ERR_ABSENT);
}

/* Remove notes of this repository that a crash left behind without a lock. */
static void
notes_sweep(struct repo *r)
{
	struct dirent *d;
	struct id id;
	DIR *dp;
	int dir, fd;

	dir = openat(r->state->fd, "locks", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return;
	if ((dp = fdopendir(dir)) == NULL) {
		(void)close(dir);
		return;
	}
	while ((d = readdir(dp)) != NULL) {
		if (!id_parse(&id, d->d_name, strlen(d->d_name)))
			continue;
		fd = openat(dirfd(dp), d->d_name, O_RDWR | O_CLOEXEC);
		if (fd == -1)
			continue;
		if (note_useless(r, fd, &id))
			note_drop(r, &id);
		(void)close(fd);
	}
	(void)closedir(dp);
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

/* The note goes only with its lock: else nobody could tell whose that was. */
static void
lock_erase(struct repo *r, const struct id *id, int note)
{
	char name[STORE_NAME_MAX];
	struct err e = ERR_INIT;
	uint64_t size;

	/* Where nothing can be removed nothing may have been stored. */
	if (repo_remove(r, REPO_LOCK, id, &e) == 0 || store_stat(r->store,
	    repo_name(REPO_LOCK, id, name), &size, NULL) == ERR_ABSENT)
		note_drop(r, id);
	else
		log_warn("%s; 'garner unlock' removes that lock", e.text);
	if (note != -1)
		(void)close(note);
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
		lock_erase(r, ret, *ret_note); /* it may have its name already */
		if (rc == ERR_DENIED && e != NULL) {
			e->hint[0] = '\0';
			(void)err_hint(e, "a store that cannot be written can "
			    "be read with --no-lock; is its disk mounted "
			    "read-only, or is it another user's?");
		}
	}

out:
	buf_free(&json);
	buf_free(&sealed);
	return (rc);
}

static void
ignore_hup(struct repo_lock *l)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGHUP, &ignore, &l->hup);
}

/* One attempt: look, write, wait, look again. */
static int
lock_try(struct repo_lock *l, struct err *e)
{
	struct timespec settle = { 0, SETTLE_NS };
	int rc;

	if ((rc = look_for_conflict(l->r, l->exclusive, NULL, e)) != 0)
		return (rc);
	ignore_hup(l);
	rc = lock_write(l->r, l->exclusive, &l->id, &l->note, e);
	if (rc != 0)
		goto err;
	(void)nanosleep(&settle, NULL);
	if ((rc = look_for_conflict(l->r, l->exclusive, &l->id, e)) != 0) {
		lock_erase(l->r, &l->id, l->note);
		goto err;
	}
	return (0);

err:
	(void)sigaction(SIGHUP, &l->hup, NULL);
	return (rc);
}

/* ---- keeping ---- */

/* It is not ours any more; ${gone}: nor anybody's. l->moving is held. */
static int
lose(struct repo_lock *l, bool gone, struct err *e)
{

	l->why = *e;
	l->gone = gone;
	atomic_store(&l->r->lock_lost, true);
	return (e->code);
}

/* Is it still stored? Somebody's `unlock --remove-all` is an order to stop. */
static int
look(struct repo_lock *l, struct err *e)
{
	char name[STORE_NAME_MAX];
	uint64_t size;
	int rc;

	rc = store_stat(l->r->store, repo_name(REPO_LOCK, &l->id, name), &size,
	    e);
	if (rc != ERR_ABSENT)
		return (rc);
	(void)err_set(e, ERR_LOCKED, "the lock of the repository was removed "
	    "by somebody else");
	(void)err_hint(e, "nothing was written since: run it again");
	return (lose(l, true, e));
}

/* A fresh lock in place of the old one. */
static int
refresh(struct repo_lock *l, struct err *e)
{
	struct id id;
	int note, rc;

	rc = lock_write(l->r, l->exclusive, &id, &note, e);
	if (rc == 0) {
		lock_erase(l->r, &l->id, l->note);
		l->id = id;
		l->note = note;
		l->refreshed = monotonic_s();
		l->written = time(NULL);
	} else if (monotonic_s() - l->refreshed > LOST) {
		(void)err_note(e, "the lock of the repository could not be "
		    "refreshed in time");
		e->code = ERR_LOCKED;
		return (lose(l, false, e));
	}
	return (rc);
}

/* Is it old, or does it seem so to others since the clock was set? */
static bool
is_due(const struct repo_lock *l, int64_t now)
{
	int64_t age = now - l->refreshed, seems = time(NULL) - l->written;

	return (age >= REFRESH || seems - age >= REFRESH ||
	    age - seems >= REFRESH);
}

static void
keep(struct repo_lock *l)
{
	struct err e = ERR_INIT;
	int64_t now = monotonic_s();

	pthread_mutex_lock(&l->moving);
	if (l->why.code != 0)
		goto out;
	/* A store that is away for a while is no reason to stop. */
	if (look(l, &e) != ERR_LOCKED && is_due(l, now) &&
	    now - l->tried >= AGAIN) {
		l->tried = now;
		if (refresh(l, &e) != 0 && l->why.code == 0)
			log_warn("cannot refresh the lock: %s", e.text);
	}
	if (l->why.code != 0)
		log_error("%s: stopping", l->why.text);

out:
	pthread_mutex_unlock(&l->moving);
}

static void *
keeper(void *cookie)
{
	struct repo_lock *l = cookie;

	pthread_mutex_lock(&l->mutex);
	while (!l->ending) {
		wait_ms(&l->wake, &l->mutex, LOOK_MS);
		if (l->ending)
			break;
		pthread_mutex_unlock(&l->mutex);
		keep(l);
		pthread_mutex_lock(&l->mutex);
	}
	pthread_mutex_unlock(&l->mutex);
	return (NULL);
}

static int
start_keeper(struct repo_lock *l, struct err *e)
{

	pthread_mutex_init(&l->mutex, NULL);
	pthread_mutex_init(&l->moving, NULL);
	wait_init(&l->wake);
	l->refreshed = monotonic_s();
	l->tried = l->refreshed - AGAIN;
	l->written = time(NULL);
	return (thread_start(&l->thread, keeper, l, e));
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
		(void)sigaction(SIGHUP, &l->hup, NULL);
		goto err;
	}
	notes_sweep(r);
	*ret = r->lock = l;
	return (0);

err:
	free(l);
	return (rc);
}

int
repo_lock_lost(struct repo_lock *l, struct err *e)
{
	int rc;

	if (l == NULL)
		return (0);
	pthread_mutex_lock(&l->moving);
	if ((rc = l->why.code) == 0)
		rc = look(l, e);
	else if (e != NULL)
		*e = l->why;
	pthread_mutex_unlock(&l->moving);
	return (rc);
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
	if (l->why.code == 0) {
		lock_erase(l->r, &l->id, l->note);
	} else {
		if (l->gone)
			note_drop(l->r, &l->id);
		if (l->note != -1)
			(void)close(l->note);
	}
	(void)sigaction(SIGHUP, &l->hup, NULL);
	l->r->lock = NULL;
	pthread_mutex_destroy(&l->mutex);
	pthread_mutex_destroy(&l->moving);
	pthread_cond_destroy(&l->wake);
	free(l);
}

/*
 * Locks of others as they lie there: stale and fresh ones, of this host and of
 * another, damaged ones, of the future; and what an own one says when it is taken
 * away. The suite 30-faults has the living ones.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "base/when.h"
#include "repo/doc.h"
#include "repo/lock.h"
#include "unit/scratch.h"

static const char *const folders[] = { "locks", NULL };
static char dir[SCRATCH_PATH];
static struct state_dir sd;
static struct repo r;

static int64_t ahead; /* of the clock, in seconds */

/* The program's own clocks. */
time_t
time(time_t *ret)
{
	struct timespec now;

	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	now.tv_sec += ahead;
	if (ret != NULL)
		*ret = now.tv_sec;
	return (now.tv_sec);
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);

	if (clock == CLOCK_REALTIME)
		ret->tv_sec += ahead;
	return (rc);
}

static int
set_up(void **state)
{
	char path[2 * SCRATCH_PATH];
	uint8_t raw[SEAL_KEY_LEN] = { 1, 2, 3 };
	struct err e = ERR_INIT;

	(void)state;
	scratch_make(dir);
	memset(&r, 0, sizeof(r));
	seal_key_init(&r.key, raw);
	r.version = 2;
	r.state = &sd;
	memset(r.id.b, 7, ID_LEN);
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

/* Somebody's lock of ${age} seconds; ${host} NULL is this one. */
static struct id
put_lock(int64_t age, bool exclusive, const char *host, long pid)
{
	struct buf sealed = BUF_INIT(65536);
	struct when when = { .sec = time(NULL) - age };
	char json[1024], text[WHEN_TEXT], own[256] = "";
	struct err e = ERR_INIT;
	struct id id;
	int n;

	(void)gethostname(own, sizeof(own) - 1);
	n = snprintf(json, sizeof(json), "{\"time\":\"%s\",\"exclusive\":%s,"
	    "\"hostname\":\"%s\",\"username\":\"somebody\",\"pid\":%ld}",
	    when_format(&when, text), exclusive ? "true" : "false",
	    host != NULL ? host : own, pid);
	assert_ok(doc_seal(&r, json, (size_t)n, &sealed, &id, &e), &e);
	assert_ok(doc_store(&r, REPO_LOCK, &id, &sealed, &e), &e);
	buf_free(&sealed);
	return (id);
}

/* A file there that is no lock of anybody's. */
static void
put_bytes(const char *name, const char *bytes)
{
	struct err e = ERR_INIT;
	struct put *put;

	assert_ok(store_create(r.store, "locks", &put, &e), &e);
	assert_ok(put_write(put, bytes, strlen(bytes), &e), &e);
	assert_ok(put_publish(put, name, 0, &e), &e);
	put_free(put);
}

static int
count_one(void *cookie, const struct id *id, uint64_t size, struct err *e)
{

	(void)id;
	(void)size;
	(void)e;
	++*(unsigned *)cookie;
	return (0);
}

static int
name_one(void *cookie, const struct id *id, uint64_t size, struct err *e)
{

	(void)size;
	(void)e;
	(void)id_hex(id, cookie);
	return (0);
}

/* The id of the one that is there. */
static const char *
only_lock(void)
{
	static char hex[ID_HEX + 1];
	struct err e = ERR_INIT;

	assert_ok(repo_list(&r, REPO_LOCK, name_one, hex, &e), &e);
	return (hex);
}

static unsigned
locks(void)
{
	struct err e = ERR_INIT;
	unsigned n = 0;

	assert_ok(repo_list(&r, REPO_LOCK, count_one, &n, &e), &e);
	return (n);
}

static void
clear(void)
{
	struct err e = ERR_INIT;
	unsigned n;

	assert_ok(lock_remove_stale(&r, true, &n, &e), &e);
	assert_int_equal(locks(), 0);
}

/* The process number of somebody who is gone. */
static long
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_true(waitpid(pid, NULL, 0) == pid);
	return ((long)pid);
}

static void
stale_ones(void **state)
{
	static const struct {
		int64_t age;
		const char *host;
		bool alive;
		unsigned gone;
	} c[] = {
		{ 0, "elsewhere", false, 0 },
		{ 29 * 60, "elsewhere", false, 0 },
		{ 31 * 60, "elsewhere", false, 1 },
		{ 400 * 86400, "elsewhere", true, 1 },
		{ 31 * 60, NULL, true, 1 },
		{ 60, NULL, true, 0 },
		{ 60, NULL, false, 1 },
		{ -3600, "elsewhere", true, 0 }, /* its clock is ahead */
	};
	struct err e = ERR_INIT;
	unsigned n;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		(void)put_lock(c[i].age, i % 2 != 0, c[i].host,
		    c[i].alive ? (long)getpid() : dead_pid());
		assert_ok(lock_remove_stale(&r, false, &n, &e), &e);
		assert_int_equal(n, c[i].gone);
		assert_int_equal(locks(), 1 - n);
		clear();
	}
}

static void
who_is_in_the_way(void **state)
{
	struct repo_lock *l = NULL;
	struct err e = ERR_INIT;

	(void)state;
	(void)put_lock(300, true, "elsewhere", 4711);
	assert_rc(repo_lock(&r, false, 0, &l, &e), ERR_LOCKED, &e);
	assert_non_null(strstr(e.text, "exclusively"));
	assert_non_null(strstr(e.text, "4711"));
	assert_non_null(strstr(e.text, "elsewhere"));
	assert_non_null(strstr(e.text, "somebody"));
	assert_non_null(strstr(e.text, "5 minutes"));
	assert_non_null(strstr(e.hint, "--retry-lock"));
	clear();

	(void)put_lock(5 * 3600, false, "elsewhere", 4711);
	assert_rc(repo_lock(&r, true, 0, &l, &e), ERR_LOCKED, &e);
	assert_null(strstr(e.text, "exclusively"));
	assert_non_null(strstr(e.text, "5 hours"));
	assert_non_null(strstr(e.hint, "garner unlock"));
	/* Both only read what is there already. */
	assert_ok(repo_lock(&r, false, 0, &l, &e), &e);
	repo_unlock(l);
	assert_int_equal(locks(), 1);
	clear();
}

static void
rubbish(void **state)
{
	char name[8 + ID_HEX];
	struct repo_lock *l = NULL;
	struct err e = ERR_INIT;
	unsigned n;

	(void)state;
	/* The rest of a crash: all restics ignore it. */
	(void)snprintf(name, sizeof(name), "locks/%064d", 1);
	put_bytes(name, "");
	put_bytes("locks/no-id", "x");
	assert_ok(repo_lock(&r, true, 0, &l, &e), &e);
	repo_unlock(l);
	/* Damaged: nobody knows whose it is. */
	put_bytes(name, "no lock at all");
	assert_rc(repo_lock(&r, false, 0, &l, &e), ERR_LOCKED, &e);
	assert_non_null(strstr(e.text, "locks/0000"));
	assert_non_null(strstr(e.hint, "--remove-all"));
	assert_ok(lock_remove_stale(&r, false, &n, &e), &e);
	assert_int_equal(n, 0);
	clear();
}

/* How many notes of locks are there? */
static unsigned
notes(void)
{
	char path[2 * SCRATCH_PATH];
	unsigned n = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "ls '%s/state/locks'", dir);
	assert_non_null(f = popen(path, "r"));
	while (fscanf(f, "%*s") != EOF)
		n++;
	(void)pclose(f);
	return (n);
}

static void
taken_away(void **state)
{
	struct repo_lock *l = NULL;
	struct err e = ERR_INIT;
	unsigned n;

	(void)state;
	assert_ok(repo_lock(&r, false, 0, &l, &e), &e);
	assert_ptr_equal(r.lock, l);
	assert_ok(repo_lock_lost(l, &e), &e);
	assert_ok(repo_stopped(&r, &e), &e);
	assert_int_equal(notes(), 1);
	assert_ok(lock_remove_stale(&r, false, &n, &e), &e);
	assert_int_equal(n, 0);
	assert_ok(lock_remove_stale(&r, true, &n, &e), &e);
	assert_int_equal(n, 1);
	assert_rc(repo_lock_lost(l, &e), ERR_LOCKED, &e);
	err_clear(&e);
	assert_rc(repo_stopped(&r, &e), ERR_LOCKED, &e);
	assert_rc(repo_lock_lost(l, &e), ERR_LOCKED, &e);
	assert_non_null(strstr(e.text, "removed"));
	repo_unlock(l);
	assert_null(r.lock);
	assert_int_equal(notes(), 0);
	r.lock_lost = false;
}

/* The network told the time, years later: to others the lock is a stale one. */
static void
clock_set(void **state)
{
	struct lock_info was, is = { 0 };
	struct repo_lock *l = NULL;
	struct err e = ERR_INIT;
	struct id id;
	int i;

	(void)state;
	ahead = -400 * 86400;
	assert_ok(repo_lock(&r, false, 0, &l, &e), &e);
	assert_ok(repo_find_id(&r, REPO_LOCK, only_lock(), &id, &e), &e);
	assert_ok(lock_load(&r, &id, &was, &e), &e);
	ahead = 0;
	for (i = 0; i < 30; i++) {
		(void)sleep(1);
		assert_ok(repo_lock_lost(l, &e), &e);
		if (repo_find_id(&r, REPO_LOCK, only_lock(), &id, &e) == 0 &&
		    lock_load(&r, &id, &is, &e) == 0 && is.time != was.time)
			break;
	}
	assert_in_range(is.time - was.time, 399 * 86400, 401 * 86400);
	assert_int_equal(notes(), 1);
	repo_unlock(l);
	assert_int_equal(locks(), 0);
	assert_int_equal(notes(), 0);
}

/* Notes of this repository without a lock go, others stay. */
static void
old_notes(void **state)
{
	static const char here[] = "boot 1 pid 1\nrepository "
	    "0707070707070707070707070707070707070707070707070707070707070707"
	    "\n";
	static const char there[] = "boot 1 pid 1\nrepository "
	    "0808080808080808080808080808080808080808080808080808080808080808"
	    "\n";
	struct repo_lock *l = NULL;
	struct err e = ERR_INIT;
	char name[ID_HEX + 1];
	struct id id;
	int fd, i;

	(void)state;
	assert_ok(state_subdir(&sd, "locks", &fd, &e), &e);
	for (i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "%064d", i);
		assert_ok(file_save(fd, name, i < 15 ? here : there,
		    sizeof(here) - 1, 0600, &e), &e);
	}
	/* One of a lock that is there still: it is cleared with that. */
	id = put_lock(60, false, "elsewhere", 4711);
	assert_ok(file_save(fd, id_hex(&id, name), here, sizeof(here) - 1,
	    0600, &e), &e);
	assert_int_equal(notes(), 21);
	assert_ok(repo_lock(&r, false, 0, &l, &e), &e);
	assert_int_equal(locks(), 1);
	assert_int_equal(notes(), 5 + 1);
	repo_unlock(l);
	assert_int_equal(notes(), 5);
	for (i = 15; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "%064d", i);
		assert_int_equal(unlinkat(fd, name, 0), 0);
	}
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stale_ones),
		cmocka_unit_test(who_is_in_the_way),
		cmocka_unit_test(rubbish),
		cmocka_unit_test(taken_away),
		cmocka_unit_test(old_notes),
		cmocka_unit_test(clock_set),
	};

	return (cmocka_run_group_tests_name("locks", tests, set_up, tear_down));
}

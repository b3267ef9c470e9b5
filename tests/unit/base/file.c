/*
 * Files: whole transfers through descriptors that give little at a time, disks
 * that are full, folders that are files, and saves that fail half-way.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/file.h"
#include "unit/rng.h"
#include "unit/scratch.h"

static char dir[SCRATCH_PATH];
static int dirfd_;

/* The kernel's, or a disk that dies: the n-th call from now on fails. */
static int fsync_fails_at, fsyncs;

int
fsync(int fd)
{

	if (++fsyncs == fsync_fails_at) {
		errno = EIO;
		return (-1);
	}
	return ((int)syscall(SYS_fsync, fd));
}

/* A file system that has no nameless files, as FAT, or Linux before 3.11. */
static bool no_tmpfile;

int
open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, int) : 0;
	va_end(ap);
	if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return (-1);
	}
	return ((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

static int
set_up(void **state)
{

	(void)state;
	scratch_make(dir);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return (dirfd_ == -1);
}

static int
tear_down(void **state)
{

	(void)state;
	(void)close(dirfd_);
	scratch_remove(dir);
	return (0);
}

/* Names in the folder, "." and ".." not counted. */
static unsigned
count(const char *path)
{
	struct dirent *d;
	unsigned n = 0;
	DIR *dp;

	assert_non_null(dp = opendir(path));
	while ((d = readdir(dp)) != NULL)
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	(void)closedir(dp);
	return (n);
}

static const char *
in_dir(const char *name)
{
	static char path[2 * SCRATCH_PATH];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return (path);
}

/* Writes in pieces of all sizes into a pipe. */
static void *
trickle(void *arg)
{
	static uint8_t bytes[30000];
	uint64_t seed = 5;
	size_t at, n;
	int fd = *(int *)arg;

	rng_fill(&seed, bytes, sizeof(bytes));
	for (at = 0; at < sizeof(bytes); at += n) {
		n = 1 + rng_below(&seed, 700);
		if (n > sizeof(bytes) - at)
			n = sizeof(bytes) - at;
		if (write(fd, bytes + at, n) != (ssize_t)n)
			break;
	}
	(void)close(fd);
	return (NULL);
}

static void
test_read_pieces(void **state)
{
	static uint8_t got[40000], want[30000];
	struct err e = ERR_INIT;
	uint64_t seed = 5;
	pthread_t thread;
	size_t n;
	int fd[2];

	(void)state;
	rng_fill(&seed, want, sizeof(want));
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(pthread_create(&thread, NULL, trickle, &fd[1]), 0);
	assert_ok(file_read(fd[0], got, 20000, &n, "a pipe", &e), &e);
	assert_int_equal(n, 20000);
	assert_ok(file_read(fd[0], got + 20000, 20000, &n, "a pipe", &e), &e);
	assert_int_equal(n, 10000);
	assert_memory_equal(got, want, sizeof(want));
	assert_ok(file_read(fd[0], got, 1, &n, "a pipe", &e), &e);
	assert_int_equal(n, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fd[0]);
	assert_rc(file_read(fd[0], got, 1, &n, "a shut pipe", &e), ERR_FAIL,
	    &e);
	assert_non_null(strstr(e.text, "a shut pipe"));
}

static void
test_offsets(void **state)
{
	struct err e = ERR_INIT;
	char got[16];
	size_t n;
	int fd;

	(void)state;
	assert_ok(file_scratch(dir, &fd, &e), &e);
	assert_int_equal(count(dir), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_ok(file_write(fd, "0123456789", 10, "it", &e), &e);
	assert_ok(file_pwrite(fd, "xyz", 3, 8, "it", &e), &e);
	assert_ok(file_pwrite(fd, "", 0, 100, "it", &e), &e);
	assert_ok(file_pread(fd, got, 16, 5, &n, "it", &e), &e);
	assert_int_equal(n, 6);
	assert_memory_equal(got, "567xyz", 6);
	assert_ok(file_pread(fd, got, 16, 11, &n, "it", &e), &e);
	assert_int_equal(n, 0);
	/* Beyond 4 GiB, without their bytes. */
	assert_ok(file_pwrite(fd, "far", 3, 5ull << 32, "it", &e), &e);
	assert_ok(file_pread(fd, got, 3, 5ull << 32, &n, "it", &e), &e);
	assert_memory_equal(got, "far", 3);
	(void)close(fd);
	assert_rc(file_scratch(in_dir("absent"), &fd, &e), ERR_ABSENT, &e);
	assert_ok(file_save(dirfd_, "plain", "x", 1, 0600, &e), &e);
	assert_rc(file_scratch(in_dir("plain"), &fd, &e), ERR_ABSENT, &e);
}

static void
test_scratch_by_name(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	char got[3];
	size_t n;
	int fd;

	(void)state;
	no_tmpfile = true;
	n = count(dir);
	assert_ok(file_scratch(dir, &fd, &e), &e);
	assert_int_equal(count(dir), n);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_ok(file_pwrite(fd, "abc", 3, 0, "it", &e), &e);
	assert_ok(file_pread(fd, got, 3, 0, &n, "it", &e), &e);
	assert_memory_equal(got, "abc", 3);
	(void)close(fd);
	assert_rc(file_scratch(in_dir("absent"), &fd, &e), ERR_ABSENT, &e);
	assert_true(file_scratch("/proc", &fd, &e) < 0);
	no_tmpfile = false;
}

static void
test_full(void **state)
{
	static uint8_t bytes[400 * 1024];
	struct err e = ERR_INIT;
	char *p;
	size_t n;
	int fd, small;

	(void)state;
	assert_true((fd = open("/dev/full", O_WRONLY | O_CLOEXEC)) != -1);
	assert_rc(file_write(fd, "x", 1, "'it'", &e), ERR_SPACE, &e);
	assert_string_equal(e.text,
	    "cannot write 'it' in '/dev': No space left on device");
	(void)close(fd);

	if (!scratch_small_disk(dir, 256))
		skip();
	/* What has no name still lies somewhere. */
	assert_ok(file_scratch(dir, &fd, &e), &e);
	assert_rc(file_pwrite(fd, bytes, sizeof(bytes), 0, "it", &e),
	    ERR_SPACE, &e);
	assert_non_null(strstr(e.text, "cannot write it in '"));
	assert_non_null(strstr(e.text, dir));
	(void)close(fd);
	assert_true((small = open(dir, O_RDONLY | O_DIRECTORY)) != -1);
	assert_ok(file_save(small, "it", "before", 6, 0600, &e), &e);
	assert_rc(file_save(small, "it", bytes, sizeof(bytes), 0600, &e),
	    ERR_SPACE, &e);
	assert_rc(file_save(small, "new", bytes, sizeof(bytes), 0600, &e),
	    ERR_SPACE, &e);
	assert_int_equal(count(dir), 1);
	assert_ok(file_load(small, "it", 100, &p, &n, &e), &e);
	assert_string_equal(p, "before");
	free(p);
	(void)close(small);
	(void)umount(dir);
}

static void
test_load(void **state)
{
	struct err e = ERR_INIT;
	pthread_t thread;
	char *p, name[40];
	size_t n;
	int fd[2];

	(void)state;
	assert_ok(file_save(dirfd_, "ten", "01234\0" "6789", 10, 0600, &e),
	    &e);
	assert_ok(file_load(dirfd_, "ten", 10, &p, &n, &e), &e);
	assert_int_equal(n, 10);
	assert_memory_equal(p, "01234\0" "6789", 11);
	free(p);
	assert_rc(file_load(dirfd_, "ten", 9, &p, &n, &e), ERR_LIMIT, &e);
	assert_rc(file_load(dirfd_, "none", 9, &p, &n, &e), ERR_ABSENT, &e);
	assert_rc(file_load(dirfd_, "ten/x", 9, &p, &n, &e), ERR_ABSENT, &e);
	assert_rc(file_load(AT_FDCWD, dir, 9, &p, &n, &e), ERR_FAIL, &e);
	assert_ok(file_save(dirfd_, "none", "", 0, 0600, &e), &e);
	assert_ok(file_load(dirfd_, "none", 0, &p, &n, &e), &e);
	assert_int_equal(n, 0);
	assert_string_equal(p, "");
	free(p);

	/* A password file may be a pipe, a size may be a lie. */
	assert_int_equal(pipe(fd), 0);
	(void)snprintf(name, sizeof(name), "/dev/fd/%d", fd[0]);
	assert_int_equal(pthread_create(&thread, NULL, trickle, &fd[1]), 0);
	assert_ok(file_load(AT_FDCWD, name, 30000, &p, &n, &e), &e);
	assert_int_equal(n, 30000);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fd[0]);
	free(p);
	assert_ok(file_load(AT_FDCWD, "/proc/self/status", 65536, &p, &n, &e),
	    &e);
	assert_memory_equal(p, "Name:", 5);
	free(p);
}

static void
test_save(void **state)
{
	struct err e = ERR_INIT;
	mode_t mask = umask(0);
	struct stat st;
	unsigned n;
	char *p;
	size_t len;

	(void)state;
	n = count(dir);
	fsyncs = 0;
	assert_ok(file_save(dirfd_, "save", "one", 3, 0640, &e), &e);
	assert_int_equal(fsyncs, 2);
	assert_int_equal(stat(in_dir("save"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_ok(file_save(dirfd_, "save", "two", 3, 0600, &e), &e);
	assert_int_equal(stat(in_dir("save"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count(dir), n + 1);
	(void)umask(mask);

	fsyncs = 0;
	fsync_fails_at = 1;
	assert_rc(file_save(dirfd_, "save", "three", 5, 0600, &e), ERR_FAIL,
	    &e);
	fsync_fails_at = 0;
	assert_int_equal(mkdir(in_dir("taken"), 0700), 0);
	assert_rc(file_save(dirfd_, "taken", "x", 1, 0600, &e), ERR_FAIL, &e);
	assert_rc(file_save(dirfd_, "a/b", "x", 1, 0600, &e), ERR_ABSENT, &e);
	assert_int_equal(count(dir), n + 2);
	assert_ok(file_load(dirfd_, "save", 10, &p, &len, &e), &e);
	assert_string_equal(p, "two");
	free(p);
}

static void
test_mkdirs(void **state)
{
	struct err e = ERR_INIT;
	char deep[2 * SCRATCH_PATH];
	struct stat st;

	(void)state;
	fsyncs = 0;
	assert_ok(file_mkdirs(in_dir("a/b//c/"), 0700, &e), &e);
	assert_int_equal(fsyncs, 3);
	assert_int_equal(stat(in_dir("a/b/c"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_ok(file_mkdirs(in_dir("a/b/c"), 0700, &e), &e);
	assert_int_equal(fsyncs, 3);
	assert_ok(file_mkdirs("/", 0700, &e), &e);
	assert_ok(file_mkdirs(".", 0700, &e), &e);
	assert_rc(file_mkdirs("", 0700, &e), ERR_ABSENT, &e);

	/* A folder through a link is a folder; a file is none, at any place. */
	(void)snprintf(deep, sizeof(deep), "%s/link", dir);
	assert_int_equal(symlink("a", deep), 0);
	assert_ok(file_mkdirs(in_dir("link/d"), 0700, &e), &e);
	assert_int_equal(stat(in_dir("a/d"), &st), 0);
	assert_ok(file_save(dirfd_, "file", "x", 1, 0600, &e), &e);
	assert_rc(file_mkdirs(in_dir("file/x"), 0700, &e), ERR_EXISTS, &e);
	assert_rc(file_mkdirs(in_dir("file"), 0700, &e), ERR_EXISTS, &e);
	(void)snprintf(deep, sizeof(deep), "%s/dangling", dir);
	assert_int_equal(symlink("nowhere", deep), 0);
	assert_rc(file_mkdirs(deep, 0700, &e), ERR_EXISTS, &e);
}

/* The reason is that of mkdir, not that of looking what is in the way. */
static void
test_mkdirs_denied(void **state)
{
	struct err e = ERR_INIT;
	int status, rc;
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir(in_dir("shut"), 0755), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(in_dir("shut"), 0555), 0);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) == -1)
			_exit(2);
		rc = file_mkdirs(in_dir("shut/new/er"), 0700, &e);
		_exit(rc == ERR_DENIED && strstr(e.text, "ermission") != NULL ?
		    0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	if (access("/sys/kernel", F_OK) == 0) {
		rc = file_mkdirs("/sys/kernel/garner/x", 0700, &e);
		assert_true(rc < 0 && rc != ERR_ABSENT);
	}
}

static void
test_names(void **state)
{
	char one[FILE_TEMP_NAME], other[FILE_TEMP_NAME];
	struct err e = ERR_INIT;

	(void)state;
	assert_ok(file_temp_name("garner-scratch", one, &e), &e);
	assert_ok(file_temp_name("garner-scratch", other, &e), &e);
	assert_memory_equal(one, "garner-scratch-", 15);
	assert_int_equal(strlen(one), 31);
	assert_int_equal(strspn(one + 15, "0123456789abcdef"), 16);
	assert_string_not_equal(one, other);
}

/* File systems that cannot sync a folder give no better; a dead disk does. */
static void
test_sync_dir(void **state)
{
	struct err e = ERR_INIT;
	int fd[2];

	(void)state;
	assert_ok(file_sync_dir(dirfd_, "it", &e), &e);
	assert_int_equal(pipe(fd), 0);
	assert_ok(file_sync_dir(fd[0], "a pipe, EINVAL", &e), &e);
	(void)close(fd[0]);
	(void)close(fd[1]);
	fsyncs = 0;
	fsync_fails_at = 1;
	assert_rc(file_sync_dir(dirfd_, "it", &e), ERR_FAIL, &e);
	fsync_fails_at = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_pieces),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_scratch_by_name),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_save),
		cmocka_unit_test(test_mkdirs),
		cmocka_unit_test(test_mkdirs_denied),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sync_dir),
	};

	return (cmocka_run_group_tests_name("base/file", tests, set_up,
	    tear_down));
}

/*
 * A guest takes along what it brought into the page cache, and nothing else.
 * mincore() is the witness. File systems that are memory themselves prove nothing.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/pagecache.h"
#include "unit/rng.h"
#include "unit/scratch.h"

enum { LEN = 40 << 20, PIECE = 65536, PAGE = 4096, TMPFS = 0x01021994 };

static char dir[SCRATCH_PATH];
static uint8_t piece[PIECE];
static unsigned char in_core[LEN / PAGE];

static int
set_up(void **state)
{

	(void)state;
	scratch_make(dir);
	return (0);
}

static int
tear_down(void **state)
{

	(void)state;
	scratch_remove(dir);
	return (0);
}

/* A durable file of noise, none of it cached; or skip. */
static int
cold_file(void)
{
	uint64_t seed = 1;
	struct statfs fs;
	char path[SCRATCH_PATH + 8];
	size_t i;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd != -1);
	if (fstatfs(fd, &fs) == -1 || fs.f_type == TMPFS)
		skip();
	for (i = 0; i < PIECE; i++)
		piece[i] = (uint8_t)rng_below(&seed, 256);
	for (i = 0; i < LEN / PIECE; i++)
		assert_int_equal(write(fd, piece, PIECE), PIECE);
	assert_int_equal(fsync(fd), 0);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return (fd);
}

static size_t
cached_pages(int fd)
{
	size_t i, n = 0;
	void *p;

	p = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(mincore(p, LEN, in_core), 0);
	(void)munmap(p, LEN);
	for (i = 0; i < LEN / PAGE; i++)
		n += in_core[i] & 1;
	return (n);
}

static void
read_as_guest(int fd, size_t len)
{
	struct guest g;
	size_t off;

	guest_begin(&g, fd, LEN);
	for (off = 0; off < len; off += PIECE) {
		assert_int_equal(pread(fd, piece, PIECE, (off_t)off), PIECE);
		guest_passed(&g, off + PIECE);
	}
	guest_end(&g);
}

static void
cold_stays_cold(void **state)
{
	int fd = cold_file();

	(void)state;
	if (cached_pages(fd) > 0)
		skip();	/* a file system that does not let go */
	read_as_guest(fd, LEN);
	assert_int_equal(cached_pages(fd), 0);
	read_as_guest(fd, LEN / 2);
	assert_int_equal(cached_pages(fd), 0);
	(void)close(fd);
}

/* Half of it was in use: all stays as it was, no page of it is lost. */
static void
warm_stays_warm(void **state)
{
	int fd = cold_file();
	size_t off, before;

	(void)state;
	for (off = 0; off < LEN / 2; off += PIECE)
		assert_int_equal(pread(fd, piece, PIECE, (off_t)off), PIECE);
	before = cached_pages(fd);
	assert_true(before >= LEN / 2 / PAGE);
	read_as_guest(fd, LEN);
	assert_true(cached_pages(fd) >= before);
	(void)close(fd);
}

/* A descriptor that has no pages at all. */
static void
pipes_are_left_alone(void **state)
{
	struct guest g;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	guest_begin(&g, fd[0], LEN);
	guest_passed(&g, LEN);
	guest_end(&g);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cold_stays_cold),
		cmocka_unit_test(warm_stays_warm),
		cmocka_unit_test(pipes_are_left_alone),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}

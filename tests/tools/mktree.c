/*
 * mktree FOLDER FILES [BYTES [SEED]]: a tree of this many files, a hundred in each
 * folder, of about BYTES each (0 to twice that; half of them compress).
 * mktree -f FILE BYTES [SEED]: one file of so many bytes. Each SEED gives others,
 * the same seed the same.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state;

static uint64_t
next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31));
}

static void
fill(unsigned char *p, size_t len, int text)
{
	static const char words[] = "the quick brown fox jumps over a lazy dog 0123 ";
	uint64_t r = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (i % 8 == 0)
			r = next();
		p[i] = text ? (unsigned char)words[(i + (r >> 61)) %
		    (sizeof(words) - 1)] : (unsigned char)(r >> (i % 8 * 8));
	}
}

static void
make(const char *name, uint64_t len, int text)
{
	static unsigned char part[1 << 20];
	size_t n;
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd == -1)
		err(1, "%s", name);
	for (; len > 0; len -= n) {
		n = len < sizeof(part) ? len : sizeof(part);
		fill(part, n, text);
		if (write(fd, part, n) != (ssize_t)n)
			err(1, "%s", name);
	}
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	unsigned long n, i, bytes;
	char name[64];

	if (argc > 3 && strcmp(argv[1], "-f") == 0) {
		state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
		make(argv[2], strtoull(argv[3], NULL, 10), 0);
		return (0);
	}
	if (argc < 3)
		errx(2, "usage: mktree FOLDER FILES [BYTES [SEED]]");
	n = strtoul(argv[2], NULL, 10);
	bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
	state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	if ((mkdir(argv[1], 0755) == -1 && errno != EEXIST) ||
	    chdir(argv[1]) == -1)
		err(1, "%s", argv[1]);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "d%lu", i / 10000);
		if (i % 100 == 0) {
			(void)mkdir(name, 0755);
			(void)snprintf(name, sizeof(name), "d%lu/e%lu",
			    i / 10000, i / 100);
			if (mkdir(name, 0755) == -1 && errno != EEXIST)
				err(1, "%s", name);
		}
		(void)snprintf(name, sizeof(name), "d%lu/e%lu/f%lu", i / 10000,
		    i / 100, i);
		make(name, bytes == 0 ? 0 : next() % (2 * bytes), i & 1);
	}
	return (0);
}

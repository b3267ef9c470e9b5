/*
 * confine CGROUP FILE COMMAND...: run it in a memory cgroup (version 1 or 2), and
 * write to FILE the most anonymous and shared memory of all that ran there, and the
 * most that the cgroup was charged with, page cache and all, in KiB. The first is
 * sampled a hundred times a second, the second the kernel's. Ends as the command
 * does.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static FILE *
open_in(const char *group, const char *name, const char *mode)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", group, name);
	return (fopen(path, mode));
}

/* The number that stands alone in a file; 0 when it is not there. */
static unsigned long long
number(const char *group, const char *name)
{
	unsigned long long n = 0;
	FILE *f = open_in(group, name, "r");

	if (f == NULL)
		return (0);
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	(void)fclose(f);
	return (n);
}

static unsigned long long
held(const char *group)
{
	unsigned long long n, sum = 0;
	char name[64];
	FILE *f = open_in(group, "memory.stat", "r");

	if (f == NULL)
		err(2, "%s/memory.stat", group);
	while (fscanf(f, "%63s %llu", name, &n) == 2)
		if (strcmp(name, "rss") == 0 || strcmp(name, "anon") == 0 ||
		    strcmp(name, "shmem") == 0)
			sum += n;
	(void)fclose(f);
	return (sum);
}

static void
join(const char *group)
{
	FILE *f = open_in(group, "cgroup.procs", "w");

	if (f == NULL || fprintf(f, "%ld\n", (long)getpid()) < 0 ||
	    fclose(f) != 0)
		err(127, "%s/cgroup.procs", group);
}

int
main(int argc, char **argv)
{
	struct timespec pause = { 0, 10000000 };
	unsigned long long now, most = 0;
	int status;
	FILE *f;
	pid_t pid;

	if (argc < 4)
		errx(2, "usage: confine CGROUP FILE COMMAND...");
	if ((pid = fork()) == -1)
		err(2, "fork");
	if (pid == 0) {
		join(argv[1]);
		execvp(argv[3], argv + 3);
		err(127, "%s", argv[3]);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if ((now = held(argv[1])) > most)
			most = now;
		(void)nanosleep(&pause, NULL);
	}
	if ((f = fopen(argv[2], "w")) == NULL)
		err(2, "%s", argv[2]);
	fprintf(f, "%llu %llu\n", most / 1024,
	    (number(argv[1], "memory.max_usage_in_bytes") +
	    number(argv[1], "memory.peak")) / 1024);
	(void)fclose(f);
	return (WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status));
}

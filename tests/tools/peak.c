/*
 * peak FILE COMMAND...: run it, and write to FILE the most memory that it held, in
 * KiB, as the kernel counted. Ends as the command does.
 */
#include <err.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct rusage ru;
	int status;
	FILE *f;
	pid_t pid;

	if (argc < 3)
		errx(2, "usage: peak FILE COMMAND...");
	if ((pid = fork()) == -1)
		err(2, "fork");
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		err(127, "%s", argv[2]);
	}
	if (wait4(pid, &status, 0, &ru) == -1)
		err(2, "wait4");
	if ((f = fopen(argv[1], "w")) == NULL)
		err(2, "%s", argv[1]);
	fprintf(f, "%ld\n", ru.ru_maxrss);
	fclose(f);
	return (WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status));
}

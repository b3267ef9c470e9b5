#include "base/selftest.h"
#include "cli/cli.h"

static unsigned
run_table(const struct selftest *t, unsigned *n)
{
	struct err e = ERR_INIT;
	unsigned failed = 0;
	char detail[64];

	for (; t->name != NULL; t++, ++*n) {
		detail[0] = '\0';
		if (t->run(detail, sizeof(detail), &e) == 0) {
			printf("ok      %s%s%s%s\n", t->name,
			    detail[0] != '\0' ? " (" : "", detail,
			    detail[0] != '\0' ? ")" : "");
		} else {
			printf("FAILED  %s: %s\n", t->name, e.text);
			failed++;
		}
		(void)fflush(stdout);
	}
	return (failed);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	unsigned failed, n = 0;

	(void)c;
	(void)flags;
	(void)argc;
	(void)argv;
	failed = run_table(base_selftests, &n);
	failed += run_table(crypto_selftests, &n);
	failed += run_table(stream_selftests, &n);
	printf("%u passed, %u failed\n", n - failed, failed);
	if (failed == 0)
		return (0);
	(void)err_set(e, ERR_FAIL, "this binary computes wrongly on this "
	    "processor: do not use it");
	return (err_hint(e, "please report the lines above"));
}

const struct cmd cmd_selftest = {
	.name = "selftest",
	.summary = "check this binary on this processor",
	.help = "Runs the published test vectors of every primitive and says "
	    "which variant of each\nwas chosen for this processor.",
	.run = run,
};

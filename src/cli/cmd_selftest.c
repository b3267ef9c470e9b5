#include "base/selftest.h"
#include "cli/cli.h"

static void
say(bool json, const char *name, bool passed, const char *detail)
{
	const char *word = passed ? "ok      " : "FAILED  ";

	if (json) {
		printf("{\"message_type\":\"selftest\",\"name\":");
		cli_json_text(stdout, name);
		printf(",\"passed\":%s,\"detail\":", passed ? "true" : "false");
		cli_json_text(stdout, detail);
		printf("}\n");
	} else if (!passed) {
		printf("%s%s: %s\n", word, name, detail);
	} else {
		printf(detail[0] != '\0' ? "%s%s (%s)\n" : "%s%s\n", word, name,
		    detail);
	}
	(void)fflush(stdout);
}

static unsigned
run_table(const struct selftest *t, bool json, unsigned *n)
{
	struct err e = ERR_INIT;
	unsigned failed = 0;
	char detail[64];

	for (; t->name != NULL; t++, ++*n) {
		detail[0] = '\0';
		if (t->run(detail, sizeof(detail), &e) == 0) {
			say(json, t->name, true, detail);
		} else {
			say(json, t->name, false, e.text);
			failed++;
		}
	}
	return (failed);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	unsigned failed, n = 0;

	(void)flags;
	(void)argc;
	(void)argv;
	failed = run_table(base_selftests, c->g.json, &n);
	failed += run_table(crypto_selftests, c->g.json, &n);
	failed += run_table(stream_selftests, c->g.json, &n);
	printf(c->g.json ? "{\"message_type\":\"summary\",\"passed\":%u,"
	    "\"failed\":%u}\n" : "%u passed, %u failed\n", n - failed, failed);
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

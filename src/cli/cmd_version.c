#include "cli/cli.h"
#include "crypto/aes_ctr.h"
#include "crypto/poly1305.h"
#include "crypto/sha256.h"

struct flags {
	bool licenses;
};

static const struct opt opts[] = {
	OPT(struct flags, licenses, "licenses", 0, OPT_FLAG, NULL,
	    "the licences of all that is linked in"),
	OPT_END
};

/* Generated from LICENSE and the notices of the libraries. */
extern const char licenses_text[];

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	const struct flags *f = flags;

	(void)argc;
	(void)argv;
	(void)e;
	if (f->licenses) {
		fputs(licenses_text, stdout);
		return (0);
	}
	if (c->g.json)
		printf("{\"message_type\":\"version\",\"version\":\"%s\","
		    "\"sha256\":\"%s\",\"aes\":\"%s\",\"poly1305\":\"%s\"}\n",
		    GARNER_VERSION, sha256_variants()->name, aes_variants()->name,
		    poly1305_variant());
	else
		printf("garner %s (sha-256: %s, aes: %s, poly1305: %s)\n",
		    GARNER_VERSION, sha256_variants()->name, aes_variants()->name,
		    poly1305_variant());
	return (0);
}

const struct cmd cmd_version = {
	.name = "version",
	.summary = "say which garner this is",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};

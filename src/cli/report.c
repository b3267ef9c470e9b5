#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void
say_json(const struct report *r, const char *snap, const char *path,
    const struct err *why)
{

	flockfile(stderr);
	fprintf(stderr, "{\"message_type\":\"error\",\"error\":{\"message\":");
	cli_json_text(stderr, why->text);
	fprintf(stderr, "},\"during\":\"%s\"", r->during);
	if (snap[0] != '\0')
		fprintf(stderr, ",\"snapshot\":\"%s\"", snap);
	fprintf(stderr, ",\"item\":");
	cli_json_text(stderr, path != NULL ? path : "");
	fprintf(stderr, "}\n");
	funlockfile(stderr);
}

void
report_problem(void *cookie, const struct id *snap, const char *path,
    const struct err *why)
{
	struct report *r = cookie;
	char hex[ID_HEX + 1] = "", *text = NULL;
	size_t len;
	FILE *f;

	r->n++;
	if (snap != NULL)
		id_hex(snap, hex);
	if (r->c->g.json) {
		say_json(r, hex, path, why);
		return;
	}
	/* Through the log, which knows of a progress line in the way. */
	(void)fflush(stdout);
	if ((f = open_memstream(&text, &len)) == NULL)
		return;
	if (snap != NULL)
		fprintf(f, "snapshot %.8s: ", hex);
	if (path != NULL) {
		cli_name(f, path, strlen(path));
		fprintf(f, ": ");
	}
	fprintf(f, "%s", why->text);
	if (why->hint[0] != '\0')
		fprintf(f, " (%s)", why->hint);
	if (fclose(f) == 0)
		log_error("%s", text);
	free(text);
}

int
report_code(const struct report *r)
{

	return (r->n > 0 ? 1 : EXIT_DONE);
}

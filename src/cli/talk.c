/* What is said to people and to programs. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/cli.h"

bool
cli_talks(const struct cli *c)
{

	return (!c->g.quiet && !c->g.json);
}

void
cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (!cli_talks(c))
		return;
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

char *
cli_bytes(uint64_t n, char ret[32])
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double v = (double)n;
	int i = -1;

	while (v >= 1024 && i < 4) {
		v /= 1024;
		i++;
	}
	if (i < 0)
		(void)snprintf(ret, 32, "%llu B", (unsigned long long)n);
	else
		(void)snprintf(ret, 32, "%.3f %s", v, unit[i]);
	return (ret);
}

char *
cli_duration(uint64_t s, char ret[32])
{

	if (s >= 3600)
		(void)snprintf(ret, 32, "%llu:%02u:%02u",
		    (unsigned long long)s / 3600, (unsigned)(s / 60 % 60),
		    (unsigned)(s % 60));
	else
		(void)snprintf(ret, 32, "%u:%02u", (unsigned)(s / 60),
		    (unsigned)(s % 60));
	return (ret);
}

char *
cli_time(const struct when *w, char ret[32])
{
	time_t t = (time_t)w->sec;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(ret, 32, "%lld", (long long)w->sec);
	return (ret);
}

void
cli_name(FILE *f, const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	uint32_t rune;
	int n;

	while (len > 0) {
		n = utf8_decode(p, len, &rune);
		if (n == 0 || !utf8_printable(rune)) {
			n = n == 0 ? 1 : n;
			for (int i = 0; i < n; i++)
				(void)fprintf(f, "\\x%02x", p[i]);
		} else {
			(void)fwrite(p, 1, (size_t)n, f);
		}
		p += n;
		len -= (size_t)n;
	}
}

void
cli_json_text(FILE *f, const char *s)
{
	struct buf b = BUF_INIT(1 << 24);

	if (json_text(&b, s, NULL) == 0)
		(void)fwrite(b.p, 1, b.len, f);
	else
		(void)fputs("\"\"", f);
	buf_free(&b);
}

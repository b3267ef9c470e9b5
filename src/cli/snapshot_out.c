#include "cli/snapshot_out.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

enum {
	ID_WIDTH = 8, TIME_WIDTH = 19,
	JSON_MAX = 16 << 20,
	REASON_MAX = 1 << 20,
};

int
cli_snapshot_json(const struct snapshot *s, struct err *e)
{
	struct buf b = BUF_INIT(JSON_MAX);
	char hex[ID_HEX + 1];
	int rc;

	if ((rc = snapshot_text(s, &b, e)) == 0) {
		b.len--;	/* its closing brace */
		id_hex(&s->id, hex);
		rc = buf_printf(&b, e, ",\"id\":\"%s\",\"short_id\":\"%.8s\"}",
		    hex, hex);
	}
	if (rc == 0)
		(void)fwrite(b.p, 1, b.len, stdout);
	buf_free(&b);
	return (rc);
}

char *
cli_go_time(const struct when *w, char ret[64])
{
	char text[WHEN_TEXT], zone[16];
	int32_t offset = w->offset_s, of = offset < 0 ? -offset : offset;
	time_t t = (time_t)w->sec;
	struct tm tm;
	char *tail;

	tail = strpbrk(when_format(w, text) + 11, "+-Z");
	if (tail != NULL)
		*tail = '\0';
	text[10] = ' ';
	(void)snprintf(zone, sizeof(zone), "%c%02d%02d", offset < 0 ? '-' :
	    '+', (int)(of / 3600 % 100), (int)(of / 60 % 60));
	if (offset == 0)
		(void)snprintf(ret, 64, "%.39s %.6s UTC", text, zone);
	else if (localtime_r(&t, &tm) != NULL && tm.tm_gmtoff == offset)
		(void)snprintf(ret, 64, "%.39s %.6s %.15s", text, zone,
		    tm.tm_zone);
	else
		(void)snprintf(ret, 64, "%.39s %.6s %.6s", text, zone, zone);
	return (ret);
}

void
cli_say_snapshot(const struct cli *c, const struct snapshot *s)
{
	char hex[ID_HEX + 1], t[64];
	const char *p = NULL;

	if (!cli_talks(c))
		return;
	printf("\nsnapshot %.8s of [", id_hex(&s->id, hex));
	while ((p = text_list_next(&s->paths, p)) != NULL) {
		if (p != (const char *)s->paths.text.p)
			putchar(' ');
		cli_name(stdout, p, strlen(p));
	}
	printf("] at %s by ", cli_go_time(&s->time, t));
	cli_name(stdout, s->user, strlen(s->user));
	putchar('@');
	cli_name(stdout, s->host, strlen(s->host));
	putchar('\n');
}

void
cli_json_changed(const struct id *old, const struct id *new_id)
{
	char a[ID_HEX + 1], b[ID_HEX + 1];

	printf("{\"message_type\":\"changed\",\"old_snapshot_id\":\"%s\","
	    "\"new_snapshot_id\":\"%s\"}\n", id_hex(old, a),
	    id_hex(new_id, b));
}

void
cli_say_changed(const struct cli *c, uint64_t n, bool dry)
{

	if (c->g.json)
		printf("{\"message_type\":\"summary\","
		    "\"changed_snapshots\":%llu}\n", (unsigned long long)n);
	else if (n == 0)
		cli_say(c, "no snapshots %s modified", dry ? "would be" :
		    "were");
	else
		cli_say(c, "%s %llu snapshots", dry ? "would modify" :
		    "modified", (unsigned long long)n);
}

/* ---- widths ---- */

/* Runes that take two columns, more or less: those of East Asia, and faces. */
static bool
is_wide(uint32_t rune)
{
	static const struct { uint32_t from, to; } wide[] = {
		{ 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0x33ff },
		{ 0x3400, 0x4dbf }, { 0x4e00, 0x9fff }, { 0xa000, 0xa4cf },
		{ 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },
		{ 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f },
		{ 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};
	size_t i;

	for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (rune >= wide[i].from && rune <= wide[i].to)
			return (true);
	return (false);
}

/* Columns that cli_name will take. */
static unsigned
width_of(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	unsigned width = 0;
	uint32_t rune;
	int n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = utf8_decode(p, len, &rune);
		if (n == 0 || !utf8_printable(rune)) {
			n = n == 0 ? 1 : n;
			width += 4 * (unsigned)n;	/* \xff */
		} else {
			width += is_wide(rune) ? 2 : 1;
		}
	}
	return (width);
}

static void
widen(unsigned *width, unsigned to)
{

	if (*width < to)
		*width = to;
}

static unsigned
widest(const struct text_list *l)
{
	const char *s = NULL;
	unsigned width = 0;

	while ((s = text_list_next(l, s)) != NULL)
		widen(&width, width_of(s, strlen(s)));
	return (width);
}

/* Of all in one line, with commas. */
static unsigned
joined(const struct text_list *l)
{
	unsigned width = l->n > 0 ? l->n - 1 : 0;
	const char *s = NULL;

	while ((s = text_list_next(l, s)) != NULL)
		width += width_of(s, strlen(s));
	return (width);
}

void
snapshot_table_begin(struct snapshot_table *t, bool compact, bool reasons)
{

	memset(t, 0, sizeof(*t));
	t->compact = compact;
	t->reasons = reasons && !compact;
	t->text.max = REASON_MAX;
	t->host = compact ? 4 : 10;
	t->tags = compact ? 6 : 10;
	t->why = 7;
	t->paths = 5;
	t->sizes = 4;
}

void
snapshot_table_end(struct snapshot_table *t)
{

	buf_free(&t->text);
}

int
snapshot_table_measure(struct snapshot_table *t, const struct snapshot *s,
    const struct forget_why *why, struct err *e)
{
	char size[32];
	size_t at = 0;
	int rc;

	t->rows++;
	widen(&t->host, width_of(s->host, strlen(s->host)));
	widen(&t->tags, t->compact ? widest(&s->tags) : joined(&s->tags));
	widen(&t->paths, widest(&s->paths));
	t->airy |= s->paths.n > 1 && !t->compact;
	if (s->has_summary) {
		t->size = true;
		widen(&t->sizes,
		    (unsigned)strlen(cli_bytes(s->summary.bytes, size)));
	}
	if (!t->reasons)
		return (0);
	while ((rc = forget_reason(why, &at, &t->text, e)) > 0)
		widen(&t->why, width_of((char *)t->text.p, t->text.len));
	return (rc);
}

/* ---- cells ---- */

/* One cell's text; blanks behind it are printed only if something follows. */
static void
cell(struct snapshot_table *t, unsigned width, const char *s, size_t len)
{

	if (len > 0) {
		printf("%*s", (int)t->gap, "");
		cli_name(stdout, s, len);
		t->gap = width - width_of(s, len);
	} else {
		t->gap += width;
	}
	t->gap += 2;
}

static void
text_cell(struct snapshot_table *t, unsigned width, const char *s)
{

	cell(t, width, s != NULL ? s : "", s != NULL ? strlen(s) : 0);
}

static void
end_line(struct snapshot_table *t)
{

	putchar('\n');
	t->gap = 0;
}

static void
rule_line(const struct snapshot_table *t)
{
	unsigned n = ID_WIDTH + 2 + TIME_WIDTH + 2 + t->host + 2 + t->tags;

	n += t->reasons ? 2 + t->why : 0;
	n += t->compact ? 0 : 2 + t->paths;
	n += t->size ? 2 + t->sizes : 0;
	while (n-- > 0)
		putchar('-');
	putchar('\n');
}

void
snapshot_table_head(struct snapshot_table *t)
{

	text_cell(t, ID_WIDTH, "ID");
	text_cell(t, TIME_WIDTH, "Time");
	text_cell(t, t->host, "Host");
	text_cell(t, t->tags, "Tags");
	if (t->reasons)
		text_cell(t, t->why, "Reasons");
	if (!t->compact)
		text_cell(t, t->paths, "Paths");
	if (t->size)
		text_cell(t, t->sizes, "Size");
	end_line(t);
	rule_line(t);
}

/* All tags in one cell. */
static int
joined_cell(struct snapshot_table *t, const struct text_list *l,
    struct err *e)
{
	const char *s = NULL;
	int rc;

	buf_reset(&t->text);
	while ((s = text_list_next(l, s)) != NULL)
		if ((t->text.len > 0 &&
		    (rc = buf_str(&t->text, ",", e)) != 0) ||
		    (rc = buf_str(&t->text, s, e)) != 0)
			return (rc);
	cell(t, t->tags, (char *)t->text.p, t->text.len);
	return (0);
}

/* Where the lists of a row stand. */
struct row {
	const struct snapshot *s;
	const struct forget_why *why;
	const char *tag, *path;
	size_t reason;
	bool more_reasons;
};

static const char *
step(const struct text_list *l, const char *s)
{

	return (s != NULL ? text_list_next(l, s) : NULL);
}

/* Is there a reason behind the one printed last? */
static int
look_ahead(struct snapshot_table *t, struct row *r, struct err *e)
{
	size_t at = r->reason;
	int rc;

	r->more_reasons = false;
	if (!t->reasons)
		return (0);
	if ((rc = forget_reason(r->why, &at, &t->text, e)) > 0)
		r->more_reasons = true;
	return (rc < 0 ? rc : 0);
}

/* The cells from the tags on. */
static int
row_lists(struct snapshot_table *t, struct row *r, bool first, struct err *e)
{
	char size[32];
	int rc = 0;

	if (t->compact)
		text_cell(t, t->tags, r->tag);
	else if (first)
		rc = joined_cell(t, &r->s->tags, e);
	else
		text_cell(t, t->tags, NULL);
	if (rc == 0 && t->reasons) {
		rc = forget_reason(r->why, &r->reason, &t->text, e);
		if (rc >= 0)
			cell(t, t->why, (char *)t->text.p, t->text.len);
	}
	if (rc < 0)
		return (rc);
	if (!t->compact)
		text_cell(t, t->paths, r->path);
	if (t->size)
		text_cell(t, t->sizes, first && r->s->has_summary ?
		    cli_bytes(r->s->summary.bytes, size) : NULL);
	end_line(t);
	r->tag = step(&r->s->tags, r->tag);
	r->path = step(&r->s->paths, r->path);
	return (look_ahead(t, r, e));
}

int
snapshot_table_row(struct snapshot_table *t, const struct snapshot *s,
    const struct forget_why *why, struct err *e)
{
	struct row r = { .s = s, .why = why };
	char hex[ID_HEX + 1], time[32];
	int rc;

	if (t->airy && t->printed > 0)
		putchar('\n');
	t->printed++;
	r.tag = text_list_next(&s->tags, NULL);
	r.path = text_list_next(&s->paths, NULL);
	cell(t, ID_WIDTH, id_hex(&s->id, hex), ID_WIDTH);
	text_cell(t, TIME_WIDTH, cli_time(&s->time, time));
	text_cell(t, t->host, s->host);
	rc = row_lists(t, &r, true, e);
	while (rc == 0 && ((t->compact ? r.tag : r.path) != NULL ||
	    r.more_reasons)) {
		t->gap = ID_WIDTH + 2 + TIME_WIDTH + 2 + t->host + 2;
		rc = row_lists(t, &r, false, e);
	}
	return (rc);
}

/* The name of this box's zone, as restic says it. */
static const char *
zone_name(void)
{
	const char *tz = getenv("TZ");

	if (tz == NULL)
		return ("local time");
	tz += *tz == ':';
	return (*tz == '\0' ? "UTC" : strcmp(tz, "/etc/localtime") == 0 ?
	    "local time" : tz);
}

void
snapshot_table_foot(const struct snapshot_table *t)
{

	rule_line(t);
	printf("Timestamps shown in %s\n%llu snapshots\n", zone_name(),
	    (unsigned long long)t->rows);
}

#include "repo/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sort.h"
#include "repo/doc.h"

#define TEXT_MAX ((size_t)CONFIG_DOC_KIB * 1024)

enum { STRING_MAX = 65536 };

/* ---- lists of texts ---- */

int
text_list_add(struct text_list *l, const char *s, size_t len, struct err *e)
{
	uint8_t *to;
	int rc;

	if ((rc = buf_room(&l->text, len + 1, &to, e)) != 0)
		return (rc);
	memcpy(to, s, len);
	to[len] = '\0';
	l->text.len += len + 1;
	l->n++;
	return (0);
}

const char *
text_list_next(const struct text_list *l, const char *s)
{
	const char *begin = (const char *)l->text.p;

	if (l->n == 0)
		return (NULL);
	s = s == NULL ? begin : s + strlen(s) + 1;
	return (s < begin + l->text.len ? s : NULL);
}

bool
text_list_has(const struct text_list *l, const char *s)
{
	const char *t;

	for (t = text_list_next(l, NULL); t != NULL; t = text_list_next(l, t))
		if (strcmp(t, s) == 0)
			return (true);
	return (false);
}

void
snapshot_init(struct snapshot *s)
{

	memset(s, 0, sizeof(*s));
	s->paths.text.max = s->excludes.text.max = s->tags.text.max = TEXT_MAX;
}

void
snapshot_free(struct snapshot *s)
{

	buf_free(&s->paths.text);
	buf_free(&s->excludes.text);
	buf_free(&s->tags.text);
	s->paths.n = s->excludes.n = s->tags.n = 0;
}

/* ---- reading ---- */

static int
bad(const struct json_token *t, const char *how, struct err *e)
{

	return (err_set(e, ERR_CORRUPT, "line %u, column %u: %s", t->line,
	    t->column, how));
}

static int
get_text(struct json_reader *j, char *ret, size_t len, struct err *e)
{
	struct json_token t;
	size_t n;
	int rc;

	if ((rc = json_expect(j, JSON_STRING, &t, e)) != 0)
		return (rc);
	n = t.len < len ? t.len : len - 1;
	memcpy(ret, t.text, n);
	ret[n] = '\0';
	return (0);
}

static int
get_id(struct json_reader *j, struct id *ret, bool *have, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_next(j, &t, e)) != 0)
		return (rc);
	if (t.kind == JSON_NULL)
		return (0);
	if (t.kind != JSON_STRING || !id_parse(ret, t.text, t.len))
		return (bad(&t, "not an id of 64 hex digits", e));
	*have = true;
	return (0);
}

static int
get_time(struct json_reader *j, struct when *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(j, JSON_STRING, &t, e)) != 0)
		return (rc);
	if (!when_parse(ret, t.text, t.len))
		return (bad(&t, "not a point in time", e));
	return (0);
}

static int
get_number(struct json_reader *j, uint64_t *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_expect(j, JSON_NUMBER, &t, e)) != 0)
		return (rc);
	if (!json_u64(&t, ret))
		*ret = 0;	/* counts are for show */
	return (0);
}

static int
get_list(struct json_reader *j, struct text_list *ret, struct err *e)
{
	struct json_token t;
	int rc;

	if ((rc = json_next(j, &t, e)) != 0)
		return (rc);
	if (t.kind == JSON_NULL)
		return (0);
	if (t.kind != JSON_ARRAY)
		return (bad(&t, "expected a list", e));
	for (;;) {
		if ((rc = json_next(j, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_ARRAY_END)
			return (0);
		if (t.kind != JSON_STRING)
			return (bad(&t, "expected a text", e));
		if ((rc = text_list_add(ret, t.text, t.len, e)) != 0)
			return (rc);
	}
}

/* The numbers of a summary by their names, in the order they are written. */
static const struct {
	const char *name;
	size_t offset;
} counts[] = {
#define COUNT(name, field) { name, offsetof(struct summary, field) }
	COUNT("files_new", files_new),
	COUNT("files_changed", files_changed),
	COUNT("files_unmodified", files_unmodified),
	COUNT("dirs_new", dirs_new),
	COUNT("dirs_changed", dirs_changed),
	COUNT("dirs_unmodified", dirs_unmodified),
	COUNT("data_blobs", data_blobs),
	COUNT("tree_blobs", tree_blobs),
	COUNT("data_added", data_added),
	COUNT("data_added_packed", data_added_packed),
	COUNT("total_files_processed", files),
	COUNT("total_bytes_processed", bytes),
#undef COUNT
};

enum { N_COUNTS = sizeof(counts) / sizeof(counts[0]) };

static uint64_t *
count_of(struct summary *s, size_t i)
{

	return ((uint64_t *)(void *)((char *)s + counts[i].offset));
}

static int
get_summary(struct json_reader *j, struct summary *ret, struct err *e)
{
	struct json_token t;
	size_t i;
	int rc;

	if ((rc = json_expect(j, JSON_OBJECT, &t, e)) != 0)
		return (rc);
	for (;;) {
		if ((rc = json_next(j, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			return (0);
		for (i = 0; i < N_COUNTS; i++)
			if (json_is(&t, counts[i].name))
				break;
		if (i < N_COUNTS)
			rc = get_number(j, count_of(ret, i), e);
		else if (json_is(&t, "backup_start"))
			rc = get_time(j, &ret->start, e);
		else if (json_is(&t, "backup_end"))
			rc = get_time(j, &ret->end, e);
		else
			rc = json_skip(j, e);
		if (rc != 0)
			return (rc);
	}
}

static int
get_member(struct json_reader *j, const struct json_token *t,
    struct snapshot *s, bool *have_time, bool *have_tree, struct err *e)
{
	uint64_t v = 0;
	int rc;

	if (json_is(t, "time")) {
		*have_time = true;
		return (get_time(j, &s->time, e));
	}
	if (json_is(t, "tree"))
		return (get_id(j, &s->tree, have_tree, e));
	if (json_is(t, "parent"))
		return (get_id(j, &s->parent, &s->has_parent, e));
	if (json_is(t, "original"))
		return (get_id(j, &s->original, &s->has_original, e));
	if (json_is(t, "paths"))
		return (get_list(j, &s->paths, e));
	if (json_is(t, "excludes"))
		return (get_list(j, &s->excludes, e));
	if (json_is(t, "tags"))
		return (get_list(j, &s->tags, e));
	if (json_is(t, "hostname"))
		return (get_text(j, s->host, sizeof(s->host), e));
	if (json_is(t, "username"))
		return (get_text(j, s->user, sizeof(s->user), e));
	if (json_is(t, "program_version"))
		return (get_text(j, s->program, sizeof(s->program), e));
	if (json_is(t, "uid") || json_is(t, "gid")) {
		uint32_t *to = t->text[0] == 'u' ? &s->uid : &s->gid;

		rc = get_number(j, &v, e);
		*to = (uint32_t)v;
		return (rc);
	}
	if (json_is(t, "summary")) {
		s->has_summary = true;
		return (get_summary(j, &s->summary, e));
	}
	return (json_skip(j, e));
}

static int
parse(struct json_reader *j, struct snapshot *s, struct err *e)
{
	bool have_time = false, have_tree = false;
	struct json_token t;
	int rc;

	if ((rc = json_expect(j, JSON_OBJECT, &t, e)) != 0)
		return (rc);
	for (;;) {
		if ((rc = json_next(j, &t, e)) != 0)
			return (rc);
		if (t.kind == JSON_OBJECT_END)
			break;
		rc = get_member(j, &t, s, &have_time, &have_tree, e);
		if (rc != 0)
			return (rc);
	}
	if (!have_time || !have_tree)
		return (bad(&t, "a snapshot without time or tree", e));
	return (json_expect(j, JSON_END, &t, e));
}

static int
parse_text(const struct id *id, const void *text, size_t len,
    struct snapshot *ret, struct err *e)
{
	char hex[ID_HEX + 1], *string;
	struct json_reader j;
	int rc;

	if ((string = malloc(STRING_MAX)) == NULL)
		return (err_nomem(e));
	ret->id = *id;
	json_begin_mem(&j, text, len, string, STRING_MAX);
	rc = parse(&j, ret, e);
	free(string);
	if (rc == ERR_CORRUPT)
		(void)err_note(e, "snapshots/%s is damaged", id_hex(id, hex));
	return (rc);
}

static int
load_text(struct repo *r, const struct id *id, struct buf *ret, struct err *e)
{
	char name[STORE_NAME_MAX];

	return (doc_load(r, repo_name(REPO_SNAPSHOT, id, name), id, ret, e));
}

int
snapshot_load(struct repo *r, const struct id *id, struct snapshot *ret,
    struct err *e)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	int rc;

	if ((rc = load_text(r, id, &text, e)) == 0)
		rc = parse_text(id, text.p, text.len, ret, e);
	buf_free(&text);
	return (rc);
}

/* ---- writing ---- */

static int
put_list(struct buf *b, const char *key, const struct text_list *l,
    struct err *e)
{
	const char *s = NULL;
	int rc;

	if ((rc = buf_printf(b, e, ",\"%s\":[", key)) != 0)
		return (rc);
	while ((s = text_list_next(l, s)) != NULL) {
		if (s != (const char *)l->text.p &&
		    (rc = buf_str(b, ",", e)) != 0)
			return (rc);
		if ((rc = json_text(b, s, e)) != 0)
			return (rc);
	}
	return (buf_str(b, "]", e));
}

static int
put_text(struct buf *b, const char *key, const char *s, struct err *e)
{
	int rc;

	if (*s == '\0')
		return (0);
	if ((rc = buf_printf(b, e, ",\"%s\":", key)) != 0)
		return (rc);
	return (json_text(b, s, e));
}

static int
put_summary(struct buf *b, const struct summary *s, struct err *e)
{
	char t0[WHEN_TEXT], t1[WHEN_TEXT];
	size_t i;
	int rc;

	rc = buf_printf(b, e, ",\"summary\":{\"backup_start\":\"%s\","
	    "\"backup_end\":\"%s\"", when_format(&s->start, t0),
	    when_format(&s->end, t1));
	for (i = 0; i < N_COUNTS && rc == 0; i++)
		rc = buf_printf(b, e, ",\"%s\":%llu", counts[i].name,
		    (unsigned long long)*(const uint64_t *)(const void *)
		    ((const char *)s + counts[i].offset));
	return (rc != 0 ? rc : buf_str(b, "}", e));
}

/* The keys in restic's order. */
static int
put_snapshot(struct buf *b, const struct snapshot *s, struct err *e)
{
	char when[WHEN_TEXT], hex[ID_HEX + 1];
	int rc;

	if ((rc = buf_printf(b, e, "{\"time\":\"%s\"",
	    when_format(&s->time, when))) != 0)
		return (rc);
	if (s->has_parent && (rc = buf_printf(b, e, ",\"parent\":\"%s\"",
	    id_hex(&s->parent, hex))) != 0)
		return (rc);
	if ((rc = buf_printf(b, e, ",\"tree\":\"%s\"",
	    id_hex(&s->tree, hex))) != 0 ||
	    (rc = put_list(b, "paths", &s->paths, e)) != 0 ||
	    (rc = put_text(b, "hostname", s->host, e)) != 0 ||
	    (rc = put_text(b, "username", s->user, e)) != 0)
		return (rc);
	if (s->uid != 0 && (rc = buf_printf(b, e, ",\"uid\":%u",
	    s->uid)) != 0)
		return (rc);
	if (s->gid != 0 && (rc = buf_printf(b, e, ",\"gid\":%u",
	    s->gid)) != 0)
		return (rc);
	if (s->excludes.n > 0 &&
	    (rc = put_list(b, "excludes", &s->excludes, e)) != 0)
		return (rc);
	if (s->tags.n > 0 && (rc = put_list(b, "tags", &s->tags, e)) != 0)
		return (rc);
	if (s->has_original && (rc = buf_printf(b, e, ",\"original\":\"%s\"",
	    id_hex(&s->original, hex))) != 0)
		return (rc);
	if ((rc = put_text(b, "program_version", s->program, e)) != 0)
		return (rc);
	if (s->has_summary && (rc = put_summary(b, &s->summary, e)) != 0)
		return (rc);
	return (buf_str(b, "}", e));
}

int
snapshot_save(struct repo *r, struct snapshot *s, struct err *e)
{
	/* Escapes make it longer than its lists. */
	struct buf json = BUF_INIT(4 * TEXT_MAX);
	struct doc_writer *w;
	int rc;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (err_nomem(e));
	if ((rc = put_snapshot(&json, s, e)) == 0 &&
	    (rc = doc_begin(w, r, REPO_SNAPSHOT, e)) == 0 &&
	    (rc = doc_write(w, json.p, json.len, e)) == 0)
		rc = doc_end(w, &s->id, e);
	doc_free(w);
	free(w);
	buf_free(&json);
	return (rc);
}

/* ---- choosing ---- */

/* Has the snapshot all tags of the list "a,b"? */
static bool
has_tags(const struct snapshot *s, const char *want)
{
	char tag[256];
	size_t n;

	if (*want == '\0')
		return (s->tags.n == 0);
	for (;; want += n + 1) {
		n = strcspn(want, ",");
		if (n >= sizeof(tag))
			return (false);
		memcpy(tag, want, n);
		tag[n] = '\0';
		if (!text_list_has(&s->tags, tag))
			return (false);
		if (want[n] == '\0')
			return (true);
	}
}

bool
snapshot_matches(const struct snapshot *s, const struct snapshot_filter *f)
{
	size_t i;
	bool any;

	if (f == NULL)
		return (true);
	any = f->n_hosts == 0;
	for (i = 0; i < f->n_hosts && !any; i++)
		any = strcmp(f->hosts[i], s->host) == 0;
	if (!any)
		return (false);
	any = f->n_tags == 0;
	for (i = 0; i < f->n_tags && !any; i++)
		any = has_tags(s, f->tags[i]);
	for (i = 0; i < f->n_paths && any; i++)
		any = text_list_has(&s->paths, f->paths[i]);
	return (any);
}

/* Sort records: the time, big-endian and shifted above zero; the id; the text,
 * unless it is too long and must be loaded again. */
enum { KEY_LEN = 12, TEXT_AT = KEY_LEN + ID_LEN };

struct gathering {
	struct repo *r;
	const struct snapshot_filter *f;
	struct sorter *sorter;
	struct buf text;
	unsigned bad;
};

static int
gather(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct gathering *g = cookie;
	uint8_t rec[SORT_RECORD_MAX];
	struct snapshot s;
	size_t len;
	int rc;

	(void)size;
	snapshot_init(&s);
	if ((rc = load_text(g->r, id, &g->text, e)) == 0)
		rc = parse_text(id, g->text.p, g->text.len, &s, e);
	if (rc == ERR_CORRUPT || rc == ERR_LIMIT || rc == ERR_ABSENT) {
		if (rc != ERR_ABSENT) {	/* else it was just forgotten */
			repo_damaged(g->r, e, "it is passed over");
			g->bad++;
		}
		rc = 0;
	} else if (rc == 0 && snapshot_matches(&s, g->f)) {
		store_be64(rec, (uint64_t)s.time.sec ^ 1ull << 63);
		store_le32(rec + 8, __builtin_bswap32((uint32_t)s.time.nsec));
		memcpy(rec + KEY_LEN, id->b, ID_LEN);
		len = g->text.len <= sizeof(rec) - TEXT_AT ? g->text.len : 0;
		memcpy(rec + TEXT_AT, g->text.p, len);
		rc = sorter_add(g->sorter, rec, TEXT_AT + len, e);
	}
	snapshot_free(&s);
	return (rc);
}

int
snapshot_each(struct repo *r, const struct snapshot_filter *f, snapshot_fn *fn,
    void *cookie, unsigned *ret_bad, struct err *e)
{
	struct gathering g = { .r = r, .f = f, .text = BUF_INIT(TEXT_MAX) };
	struct snapshot s;
	const uint8_t *rec;
	const void *p;
	struct id id;
	size_t len;
	int rc;

	rc = sorter_new(&g.sorter, r->state->scratch,
	    (size_t)CONFIG_SORT_KIB * 1024, sort_bytes, e);
	if (rc != 0)
		return (rc);
	if ((rc = repo_list(r, REPO_SNAPSHOT, gather, &g, e)) != 0)
		goto out;
	while ((rc = sorter_next(g.sorter, &p, &len, e)) > 0) {
		rec = p;
		memcpy(id.b, rec + KEY_LEN, ID_LEN);
		snapshot_init(&s);
		rc = len > TEXT_AT ? parse_text(&id, rec + TEXT_AT,
		    len - TEXT_AT, &s, e) : snapshot_load(r, &id, &s, e);
		if (rc == 0)
			rc = fn(cookie, &s, e);
		snapshot_free(&s);
		if (rc != 0)
			break;
	}
	if (ret_bad != NULL)
		*ret_bad = g.bad;

out:
	buf_free(&g.text);
	sorter_free(g.sorter);
	return (rc);
}

static int
remember_last(void *cookie, const struct snapshot *s, struct err *e)
{
	struct id *last = cookie;

	(void)e;
	*last = s->id;
	return (0);
}

int
snapshot_find(struct repo *r, const char *what,
    const struct snapshot_filter *f, struct snapshot *ret, struct err *e)
{
	static const struct id none;
	struct id id = none;
	int rc;

	if (strcmp(what, "latest") != 0) {
		rc = repo_find_id(r, REPO_SNAPSHOT, what, &id, e);
	} else if ((rc = snapshot_each(r, f, remember_last, &id, NULL,
	    e)) == 0 && id_eq(&id, &none)) {
		rc = err_set(e, ERR_ABSENT, "there is no %ssnapshot",
		    f != NULL && f->n_hosts + f->n_tags + f->n_paths > 0 ?
		    "such " : "");
	}
	if (rc == ERR_ABSENT || rc == ERR_USAGE)
		(void)err_hint(e, "'garner snapshots' lists what there is");
	return (rc != 0 ? rc : snapshot_load(r, &id, ret, e));
}

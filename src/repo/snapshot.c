#include "repo/snapshot.h"

#include <ctype.h>
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
text_list_reset(struct text_list *l)
{

	buf_reset(&l->text);
	l->n = 0;
}

unsigned
text_list_drop(struct text_list *l, const char *s, size_t len)
{
	size_t from = 0, to = 0, n;
	unsigned dropped = 0;
	char *p = (char *)l->text.p;

	for (; from < l->text.len; from += n) {
		n = strlen(p + from) + 1;
		if (n == len + 1 && memcmp(p + from, s, len) == 0) {
			dropped++;
			continue;
		}
		memmove(p + to, p + from, n);
		to += n;
	}
	l->text.len = to;
	l->n -= dropped;
	return (dropped);
}

static int
by_bytes(const void *x, const void *y)
{
	const char *const *a = x, *const *b = y;

	return (strcmp(*a, *b));
}

int
text_list_sort(struct text_list *l, struct err *e)
{
	struct text_list sorted = { .text = BUF_INIT(l->text.max) };
	const char **all, *s = NULL;
	unsigned n = 0;
	int rc = 0;

	if (l->n < 2)
		return (0);
	if ((all = malloc(l->n * sizeof(*all))) == NULL)
		return (err_nomem(e));
	while ((s = text_list_next(l, s)) != NULL)
		all[n++] = s;
	qsort(all, n, sizeof(*all), by_bytes);
	while (rc == 0 && sorted.n < n) {
		s = all[sorted.n];
		rc = text_list_add(&sorted, s, strlen(s), e);
	}
	free(all);
	buf_free(rc == 0 ? &l->text : &sorted.text);
	if (rc == 0)
		*l = sorted;
	return (rc);
}

void
snapshot_init(struct snapshot *s)
{

	memset(s, 0, sizeof(*s));
	s->paths.text.max = s->excludes.text.max = s->tags.text.max = TEXT_MAX;
	s->rest.max = s->summary_rest.max = TEXT_MAX;
}

void
snapshot_free(struct snapshot *s)
{

	buf_free(&s->paths.text);
	buf_free(&s->excludes.text);
	buf_free(&s->tags.text);
	buf_free(&s->rest);
	buf_free(&s->summary_rest);
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
get_text(struct json_reader *j, char *ret, size_t len, bool *cut,
    struct err *e)
{
	struct json_token t;
	size_t n;
	int rc;

	if ((rc = json_expect(j, JSON_STRING, &t, e)) != 0)
		return (rc);
	n = strnlen(t.text, t.len < len ? t.len : len - 1);
	*cut |= n < t.len;
	memcpy(ret, t.text, n);
	ret[n] = '\0';
	return (0);
}

/*
 * Keep a member of another program's as it stands: ${key} was read, and the
 * whole document lies at ${text}.
 */
static int
get_rest(struct json_reader *j, const struct json_token *key,
    const char *text, struct buf *ret, struct err *e)
{
	uint64_t from = key->offset;
	int rc;

	if ((rc = json_skip(j, e)) != 0 || (rc = buf_str(ret, ",", e)) != 0)
		return (rc);
	return (buf_add(ret, text + from, (size_t)(json_offset(j) - from), e));
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
get_list(struct json_reader *j, struct text_list *ret, bool *cut,
    struct err *e)
{
	struct json_token t;
	size_t n;
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
		n = strnlen(t.text, t.len);	/* up to a NUL, if any */
		*cut |= n < t.len;
		if ((rc = text_list_add(ret, t.text, n, e)) != 0)
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
get_summary(struct json_reader *j, const char *text, struct snapshot *s,
    struct err *e)
{
	struct summary *ret = &s->summary;
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
			rc = get_rest(j, &t, text, &s->summary_rest, e);
		if (rc != 0)
			return (rc);
	}
}

static int
get_member(struct json_reader *j, const struct json_token *t,
    const char *text, struct snapshot *s, bool *have_time, bool *have_tree, struct err *e)
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
		return (get_list(j, &s->paths, &s->cut, e));
	if (json_is(t, "excludes"))
		return (get_list(j, &s->excludes, &s->cut, e));
	if (json_is(t, "tags"))
		return (get_list(j, &s->tags, &s->cut, e));
	if (json_is(t, "hostname"))
		return (get_text(j, s->host, sizeof(s->host), &s->cut,
		    e));
	if (json_is(t, "username"))
		return (get_text(j, s->user, sizeof(s->user), &s->cut,
		    e));
	if (json_is(t, "program_version"))
		return (get_text(j, s->program, sizeof(s->program), &s->cut,
		    e));
	if (json_is(t, "uid") || json_is(t, "gid")) {
		uint32_t *to = t->text[0] == 'u' ? &s->uid : &s->gid;

		rc = get_number(j, &v, e);
		*to = (uint32_t)v;
		return (rc);
	}
	if (json_is(t, "summary")) {
		s->has_summary = true;
		return (get_summary(j, text, s, e));
	}
	return (get_rest(j, t, text, &s->rest, e));
}

static int
parse(struct json_reader *j, const char *text, struct snapshot *s,
    struct err *e)
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
		rc = get_member(j, &t, text, s, &have_time, &have_tree, e);
		if (rc != 0)
			return (rc);
	}
	if (!have_time || !have_tree)
		return (bad(&t, "a snapshot without time or tree", e));
	return (json_expect(j, JSON_END, &t, e));
}

int
snapshot_parse(const struct id *id, const void *text, size_t len,
    struct snapshot *ret, struct err *e)
{
	/* No string is longer than the document. */
	size_t max = len < STRING_MAX ? len + 1 : STRING_MAX;
	char hex[ID_HEX + 1], *string;
	struct json_reader j;
	int rc;

	if ((string = malloc(max)) == NULL)
		return (err_nomem(e));
	ret->id = *id;
	json_begin_mem(&j, text, len, string, max);
	rc = parse(&j, text, ret, e);
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
		rc = snapshot_parse(id, text.p, text.len, ret, e);
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
	return (rc);
}

/* The keys in restic's order. */
int
snapshot_text(const struct snapshot *s, struct buf *b, struct err *e)
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
	if (s->has_summary && ((rc = put_summary(b, &s->summary, e)) != 0 ||
	    (rc = buf_add(b, s->summary_rest.p, s->summary_rest.len,
	    e)) != 0 || (rc = buf_str(b, "}", e)) != 0))
		return (rc);
	if ((rc = buf_add(b, s->rest.p, s->rest.len, e)) != 0)
		return (rc);
	return (buf_str(b, "}", e));
}

int
snapshot_storable(const struct snapshot *s, struct err *e)
{

	if (!s->cut)
		return (0);
	return (err_set(e, ERR_LIMIT, "it has a text that this garner cannot "
	    "keep as it is: too long, or with a NUL in it"));
}

int
snapshot_save(struct repo *r, struct snapshot *s, struct err *e)
{
	/* Escapes make it longer than its lists. */
	struct buf json = BUF_INIT(4 * TEXT_MAX);
	struct doc_writer *w;
	int rc;

	if ((rc = snapshot_storable(s, e)) != 0)
		return (rc);
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (err_nomem(e));
	if ((rc = snapshot_text(s, &json, e)) == 0 &&
	    (rc = doc_begin(w, r, REPO_SNAPSHOT, e)) == 0 &&
	    (rc = doc_write(w, json.p, json.len, e)) == 0)
		rc = doc_end(w, &s->id, e);
	doc_free(w);
	free(w);
	buf_free(&json);
	return (rc);
}

/* ---- choosing ---- */

const char *
tag_list_next(const char **at, size_t *ret_len)
{
	const char *tag = *at;
	size_t n;

	if (tag == NULL)
		return (NULL);
	n = strcspn(tag, ",");
	*at = tag[n] == ',' ? tag + n + 1 : NULL;
	for (; n > 0 && isspace((unsigned char)*tag); tag++, n--)
		;
	while (n > 0 && isspace((unsigned char)tag[n - 1]))
		n--;
	*ret_len = n;
	return (tag);
}

static bool
has_tag(const struct snapshot *s, const char *tag, size_t len)
{
	const char *t = NULL;

	while ((t = text_list_next(&s->tags, t)) != NULL)
		if (strlen(t) == len && memcmp(t, tag, len) == 0)
			return (true);
	return (false);
}

bool
snapshot_has_tags(const struct snapshot *s, const char *list)
{
	const char *tag;
	size_t n;

	while ((tag = tag_list_next(&list, &n)) != NULL) {
		if (n == 0 && s->tags.n == 0)
			return (true);
		if (!has_tag(s, tag, n))
			return (false);
	}
	return (true);
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
		any = snapshot_has_tags(s, f->tags[i]);
	for (i = 0; i < f->n_paths && any; i++)
		any = text_list_has(&s->paths, f->paths[i]);
	return (any);
}

struct listing {
	struct repo *r;
	const struct snapshot_filter *f;
	snapshot_take *fn;
	void *cookie;
	struct buf text;
	unsigned bad;
};

static int
list_one(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct listing *l = cookie;
	struct snapshot s;
	int rc;

	(void)size;
	snapshot_init(&s);
	if ((rc = load_text(l->r, id, &l->text, e)) == 0)
		rc = snapshot_parse(id, l->text.p, l->text.len, &s, e);
	if (rc == ERR_CORRUPT || rc == ERR_LIMIT || rc == ERR_ABSENT) {
		if (rc != ERR_ABSENT) {	/* else it was just forgotten */
			repo_damaged(l->r, e, "it is passed over");
			l->bad++;
		}
		rc = 0;
	} else if (rc == 0 && snapshot_matches(&s, l->f)) {
		rc = l->fn(l->cookie, &s, e);
	}
	snapshot_free(&s);
	return (rc);
}

int
snapshot_list(struct repo *r, const struct snapshot_filter *f,
    snapshot_take *fn, void *cookie, unsigned *ret_bad, struct err *e)
{
	struct listing l = { .r = r, .f = f, .fn = fn, .cookie = cookie,
	    .text = BUF_INIT(TEXT_MAX) };
	int rc;

	rc = repo_list(r, REPO_SNAPSHOT, list_one, &l, e);
	if (ret_bad != NULL)
		*ret_bad = l.bad;
	buf_free(&l.text);
	return (rc);
}

/* Sort records: the time, big-endian and shifted above zero; the id; the text,
 * unless it is too long and must be loaded again. */
enum { KEY_LEN = 12, TEXT_AT = KEY_LEN + ID_LEN };

struct gathering {
	struct sorter *sorter;
	struct buf text;
};

static int
gather(void *cookie, struct snapshot *s, struct err *e)
{
	struct gathering *g = cookie;
	uint8_t rec[SORT_RECORD_MAX];
	size_t len;
	int rc;

	buf_reset(&g->text);
	if ((rc = snapshot_text(s, &g->text, e)) != 0)
		return (rc);
	store_be64(rec, (uint64_t)s->time.sec ^ 1ull << 63);
	store_le32(rec + 8, __builtin_bswap32((uint32_t)s->time.nsec));
	memcpy(rec + KEY_LEN, s->id.b, ID_LEN);
	len = g->text.len <= sizeof(rec) - TEXT_AT && !s->cut ? g->text.len : 0;
	memcpy(rec + TEXT_AT, g->text.p, len);
	return (sorter_add(g->sorter, rec, TEXT_AT + len, e));
}

int
snapshot_each(struct repo *r, const struct snapshot_filter *f, snapshot_fn *fn,
    void *cookie, unsigned *ret_bad, struct err *e)
{
	struct gathering g = { .text = BUF_INIT(4 * TEXT_MAX) };
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
	if ((rc = snapshot_list(r, f, gather, &g, ret_bad, e)) != 0)
		goto out;
	while ((rc = sorter_next(g.sorter, &p, &len, e)) > 0) {
		rec = p;
		memcpy(id.b, rec + KEY_LEN, ID_LEN);
		snapshot_init(&s);
		rc = len > TEXT_AT ? snapshot_parse(&id, rec + TEXT_AT,
		    len - TEXT_AT, &s, e) : snapshot_load(r, &id, &s, e);
		if (rc == 0)
			rc = fn(cookie, &s, e);
		snapshot_free(&s);
		if (rc != 0)
			break;
	}

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

/*
 * Snapshots go through the external sorter, so that those of a group come
 * together, newest first; the policy is asked one by one; and what it says is
 * written behind each other onto a spill stack, together with the snapshot's
 * text: tables are printed from there, in either order.
 */

#include "run/forget.h"

#include <stdlib.h>
#include <string.h>

#include "base/pagemap.h"
#include "base/sort.h"
#include "base/spill.h"
#include "crypto/sha256.h"
#include "run/chosen.h"

/*
 * Sort records: the beginnings of host and first path, for a pleasant order; the
 * group's hash; the time, inverted; the id; the time's offset; a bit for each list
 * of tags; and the text, unless it is too long and must be loaded again.
 */
enum {
	HOST_LEN = 24,
	PATH_LEN = 40,
	GROUP_AT = HOST_LEN + PATH_LEN,
	TIME_AT = GROUP_AT + ID_LEN,
	ID_AT = TIME_AT + 12,
	OFFSET_AT = ID_AT + ID_LEN,
	TAGS_AT = OFFSET_AT + 4,
};

/*
 * Entries on the stack: u32 length of all of it, the id, u16 rules, u16 oldest,
 * whether it stays, the bits of tags, the text; and the length once more, for who
 * reads backwards.
 */
enum {
	ENTRY_RULES = 4 + ID_LEN,
	ENTRY_OLDEST = ENTRY_RULES + 2,
	ENTRY_KEPT = ENTRY_OLDEST + 2,
	ENTRY_TAGS = ENTRY_KEPT + 1,
	ENTRY_TAIL = 4,
};

enum {
	STACK_WINDOW = 65536,
	BLOCK = 32768,       /* of the stack, read at once */
	GROUPS_WINDOW = 4096,
	NAMES_MEM = 128 * 1024,
	TAG_LISTS_MAX = 8192,
};

/* What the stack of groups holds. */
struct group {
	uint64_t from, to, keep, remove;
};

struct forget {
	struct repo *r;
	const struct forget_opts *o;
	size_t tags_len;     /* bytes of bits of tags */
	struct sorter *order;
	struct spill entries, groups;
	uint64_t n_remove;
	struct pagemap *going; /* ids of those, once somebody asked */
	struct buf text, entry;
	uint64_t block_at;   /* the part of the stack in the block */
	size_t block_len;
	uint8_t block[BLOCK];

	/* the group that is being decided */
	struct retention policy;
	struct group group;
};

static void
problem(const struct forget *f, const struct err *why)
{

	f->o->problem(f->o->cookie, NULL, NULL, why);
}

/* ---- into the sorter ---- */

static void
hash_list(struct sha256 *sha, char kind, const struct text_list *l)
{
	const char *s = NULL;

	while ((s = text_list_next(l, s)) != NULL) {
		sha256_update(sha, &kind, 1);
		sha256_update(sha, s, strlen(s) + 1);
	}
}

/* The group's part of the key. The lists are sorted. */
static void
put_group(const struct forget *f, const struct snapshot *s, uint8_t *rec)
{
	const char *path = text_list_next(&s->paths, NULL);
	struct sha256 sha;
	struct id group;

	memset(rec, 0, GROUP_AT);
	sha256_begin(&sha);
	if (f->o->group_by & GROUP_HOST) {
		memcpy(rec, s->host, strnlen(s->host, HOST_LEN));
		sha256_update(&sha, s->host, strlen(s->host) + 1);
	}
	if (f->o->group_by & GROUP_PATHS) {
		if (path != NULL)
			memcpy(rec + HOST_LEN, path, strnlen(path, PATH_LEN));
		hash_list(&sha, 'p', &s->paths);
	}
	if (f->o->group_by & GROUP_TAGS)
		hash_list(&sha, 't', &s->tags);
	sha256_end(&sha, &group);
	memcpy(rec + GROUP_AT, group.b, ID_LEN);
}

static void
put_time(const struct when *t, uint8_t *rec)
{

	store_be64(rec + TIME_AT, ~((uint64_t)t->sec ^ 1ull << 63));
	store_le32(rec + TIME_AT + 8, ~__builtin_bswap32((uint32_t)t->nsec));
	store_le32(rec + OFFSET_AT, (uint32_t)t->offset_s);
}

static struct when
get_time(const uint8_t *rec)
{
	struct when t;

	t.sec = (int64_t)(~load_be64(rec + TIME_AT) ^ 1ull << 63);
	t.nsec = (int32_t)__builtin_bswap32(~load_le32(rec + TIME_AT + 8));
	t.offset_s = (int32_t)load_le32(rec + OFFSET_AT);
	return (t);
}

static void
put_tags(const struct forget *f, const struct snapshot *s, uint8_t *ret)
{
	size_t i;

	memset(ret, 0, f->tags_len);
	for (i = 0; i < f->o->policy->n_tags; i++)
		if (snapshot_has_tags(s, f->o->policy->tags[i]))
			ret[i / 8] |= (uint8_t)(1u << i % 8);
}

/* The snapshot's text, or nothing if ${room} does not hold it. */
static int
make_text(struct forget *f, const struct snapshot *s, size_t room,
    struct err *e)
{
	int rc;

	buf_reset(&f->text);
	if (s->cut)
		return (0);
	if ((rc = snapshot_text(s, &f->text, e)) != 0)
		return (rc);
	if (f->text.len > room)
		buf_reset(&f->text);
	return (0);
}

static int
gather(void *cookie, struct snapshot *s, struct err *e)
{
	struct forget *f = cookie;
	uint8_t rec[SORT_RECORD_MAX];
	size_t text_at = TAGS_AT + f->tags_len;
	int rc;

	if ((rc = text_list_sort(&s->paths, e)) != 0 ||
	    ((f->o->group_by & GROUP_TAGS) != 0 &&
	    (rc = text_list_sort(&s->tags, e)) != 0) ||
	    (rc = make_text(f, s, sizeof(rec) - text_at, e)) != 0)
		return (rc);
	put_group(f, s, rec);
	put_time(&s->time, rec);
	memcpy(rec + ID_AT, s->id.b, ID_LEN);
	put_tags(f, s, rec + TAGS_AT);
	memcpy(rec + text_at, f->text.p, f->text.len);
	return (sorter_add(f->order, rec, text_at + f->text.len, e));
}

static int
gather_all(struct forget *f, struct err *e)
{
	struct err why = ERR_INIT;
	unsigned bad = 0;
	int rc;

	rc = snapshot_list(f->r, f->o->filter, gather, f, &bad, e);
	if (rc == 0 && bad > 0) {	/* each was named as it was met */
		(void)err_set(&why, ERR_CORRUPT, "%u snapshot%s cannot be "
		    "read and stay%s: 'garner repair snapshots --forget ID' "
		    "removes a damaged one", bad, bad == 1 ? "" : "s",
		    bad == 1 ? "s" : "");
		problem(f, &why);
	}
	return (rc);
}

/* ---- onto the stack ---- */

struct decision {
	const uint8_t *id, *tags, *text;
	size_t text_len;
	struct retention_answer answer;
	bool kept;
};

static int
push_entry(struct forget *f, const struct decision *d, struct err *e)
{
	uint8_t head[ENTRY_TAGS], len[4];
	int rc;

	store_le32(len, (uint32_t)(ENTRY_TAGS + f->tags_len + d->text_len +
	    ENTRY_TAIL));
	memcpy(head, len, sizeof(len));
	memcpy(head + 4, d->id, ID_LEN);
	head[ENTRY_RULES] = (uint8_t)d->answer.rules;
	head[ENTRY_RULES + 1] = (uint8_t)(d->answer.rules >> 8);
	head[ENTRY_OLDEST] = (uint8_t)d->answer.oldest;
	head[ENTRY_OLDEST + 1] = (uint8_t)(d->answer.oldest >> 8);
	head[ENTRY_KEPT] = d->kept;
	if (!d->kept)
		f->n_remove++;
	if ((rc = spill_push(&f->entries, head, sizeof(head), e)) != 0 ||
	    (rc = spill_push(&f->entries, d->tags, f->tags_len, e)) != 0 ||
	    (rc = spill_push(&f->entries, d->text, d->text_len, e)) != 0)
		return (rc);
	return (spill_push(&f->entries, len, sizeof(len), e));
}

static bool
any_bit(const uint8_t *p, size_t len)
{

	while (len > 0)
		if (p[--len] != 0)
			return (true);
	return (false);
}

/* Ask the policy about a sort record; ${oldest}: it is the last of its group. */
static int
decide_one(struct forget *f, const uint8_t *rec, size_t len, bool oldest,
    struct err *e)
{
	struct when t = get_time(rec);
	struct decision d = { .id = rec + ID_AT, .tags = rec + TAGS_AT };
	size_t text_at = TAGS_AT + f->tags_len;

	d.text = rec + text_at;
	d.text_len = len - text_at;
	d.answer = retention_next(&f->policy, &t, oldest);
	d.kept = d.answer.rules != 0 || any_bit(d.tags, f->tags_len);
	if (d.kept)
		f->group.keep++;
	else
		f->group.remove++;
	return (push_entry(f, &d, e));
}

static void
begin_group(struct forget *f)
{

	retention_begin(&f->policy, f->o->policy, &f->o->now);
	memset(&f->group, 0, sizeof(f->group));
	f->group.from = spill_top(&f->entries);
}

/* ---- reading entries ---- */

/* Read a stretch of the stack: a block of it at once, since others follow. */
static int
read_stack(struct forget *f, uint64_t at, void *p, size_t len, struct err *e)
{
	uint64_t from = at - at % BLOCK, n = spill_top(&f->entries) - from;
	int rc;

	if (at + len > from + BLOCK)	/* it lies across two */
		return (spill_read(&f->entries, at, p, len, e));
	if (f->block_at != from || at + len > from + f->block_len) {
		f->block_at = from;
		f->block_len = 0;
		if (n > BLOCK)
			n = BLOCK;
		if ((rc = spill_read(&f->entries, from, f->block, (size_t)n,
		    e)) != 0)
			return (rc);
		f->block_len = (size_t)n;
	}
	memcpy(p, f->block + (at - from), len);
	return (0);
}

/* Load the entry of ${len} bytes at ${at}. */
static int
read_entry(struct forget *f, uint64_t at, size_t len, struct err *e)
{
	uint8_t *to;
	int rc;

	buf_reset(&f->entry);
	if ((rc = buf_room(&f->entry, len, &to, e)) != 0 ||
	    (rc = read_stack(f, at, to, len, e)) != 0)
		return (rc);
	f->entry.len = len;
	return (0);
}

static int
read_len(struct forget *f, uint64_t at, size_t *ret, struct err *e)
{
	uint8_t len[4];
	int rc;

	if ((rc = read_stack(f, at, len, sizeof(len), e)) == 0)
		*ret = load_le32(len);
	return (rc);
}

/* The snapshot of the entry that was read last, into an initialised struct. */
static int
entry_snapshot(struct forget *f, struct snapshot *ret, struct err *e)
{
	size_t text_at = ENTRY_TAGS + f->tags_len;
	const uint8_t *p = f->entry.p;
	struct id id;
	int rc;

	memcpy(id.b, p + 4, ID_LEN);
	if (f->entry.len > text_at + ENTRY_TAIL)
		return (snapshot_parse(&id, p + text_at, f->entry.len -
		    text_at - ENTRY_TAIL, ret, e));
	if ((rc = snapshot_load(f->r, &id, ret, e)) != 0 ||
	    (rc = text_list_sort(&ret->paths, e)) != 0)
		return (rc);
	return ((f->o->group_by & GROUP_TAGS) != 0 ?
	    text_list_sort(&ret->tags, e) : 0);
}

static struct forget_why
entry_why(const struct forget *f)
{
	const uint8_t *p = f->entry.p;
	struct forget_why w = { .tags = p + ENTRY_TAGS,
	    .policy = f->o->policy };

	w.answer.rules = (uint16_t)(p[ENTRY_RULES] | p[ENTRY_RULES + 1] << 8);
	w.answer.oldest = (uint16_t)(p[ENTRY_OLDEST] |
	    p[ENTRY_OLDEST + 1] << 8);
	return (w);
}

/* ---- deciding ---- */

/* A policy that leaves nothing of a group is more likely a slip than a wish. */
static int
refuse_group(struct forget *f, struct err *e)
{
	struct buf text = BUF_INIT(4096);
	struct snapshot s;
	const char *p = NULL;
	size_t len;
	int rc;

	snapshot_init(&s);
	if ((rc = read_len(f, f->group.from, &len, e)) != 0 ||
	    (rc = read_entry(f, f->group.from, len, e)) != 0 ||
	    (rc = entry_snapshot(f, &s, e)) != 0)
		goto out;
	/* What does not fit the text will not fit the message. */
	if (f->o->group_by & GROUP_HOST)
		(void)buf_printf(&text, NULL, " of host %s", s.host);
	if (f->o->group_by & GROUP_PATHS)
		while ((p = text_list_next(&s.paths, p)) != NULL)
			(void)buf_printf(&text, NULL, " %s", p);
	while ((f->o->group_by & GROUP_TAGS) != 0 &&
	    (p = text_list_next(&s.tags, p)) != NULL)
		(void)buf_printf(&text, NULL, " [%s]", p);
	if ((rc = buf_nul(&text, e)) != 0)
		goto out;
	rc = err_set(e, ERR_FAIL, "refusing to delete last snapshot of the "
	    "group%s: the policy keeps none of %llu", (char *)text.p,
	    (unsigned long long)f->group.remove);
	(void)err_hint(e, "nothing was removed; to empty a group, name its "
	    "snapshots, or give a filter and --unsafe-allow-remove-all "
	    "instead of a policy");

out:
	snapshot_free(&s);
	buf_free(&text);
	return (rc);
}

static int
end_group(struct forget *f, struct err *e)
{

	f->group.to = spill_top(&f->entries);
	if (f->group.keep == 0 && !retention_empty(f->o->policy))
		return (refuse_group(f, e));
	return (spill_push(&f->groups, &f->group, sizeof(f->group), e));
}

/* Each record is decided when the next one is known: is it its group's last? */
static int
decide_all(struct forget *f, struct err *e)
{
	uint8_t held[SORT_RECORD_MAX];
	size_t held_len = 0, len;
	bool same_group;
	const void *p;
	int rc, more;

	do {
		if ((more = sorter_next(f->order, &p, &len, e)) < 0)
			return (more);
		same_group = held_len > 0 && more > 0 &&
		    memcmp(held, p, TIME_AT) == 0;
		if (held_len > 0 && ((rc = decide_one(f, held, held_len,
		    !same_group, e)) != 0 ||
		    (!same_group && (rc = end_group(f, e)) != 0)))
			return (rc);
		if (more > 0 && !same_group)
			begin_group(f);
		held_len = more > 0 ? len : 0;
		if (more > 0)
			memcpy(held, p, len);
	} while (more > 0);
	return (0);
}

static int
take_named(struct forget *f, struct err *e)
{
	struct chosen_opts co = { .names = f->o->names,
	    .n_names = f->o->n_names, .filter = f->o->filter,
	    .problem = f->o->problem, .cookie = f->o->cookie };
	struct decision d = { .kept = false };
	struct chosen c;
	struct snapshot s;
	int rc;

	if ((rc = chosen_open(&c, f->r, &co, e)) == 0) {
		do {
			snapshot_init(&s);
			rc = chosen_next(&c, &s, e);
			d.id = s.id.b;
			if (rc > 0 && push_entry(f, &d, e) != 0)
				rc = e->code;
			snapshot_free(&s);
		} while (rc > 0);
	}
	chosen_close(&c);
	return (rc);
}

static int
decide(struct forget *f, struct err *e)
{
	int rc;

	if (f->o->n_names > 0) {
		f->tags_len = 0;
		return (take_named(f, e));
	}
	rc = sorter_new(&f->order, f->r->state->scratch,
	    (size_t)CONFIG_SORT_KIB * 1024, sort_bytes, e);
	if (rc != 0 || (rc = gather_all(f, e)) != 0)
		return (rc);
	rc = decide_all(f, e);
	sorter_free(f->order);
	f->order = NULL;
	return (rc);
}

int
forget_open(struct forget **ret, struct repo *r,
    const struct forget_opts *opts, struct err *e)
{
	const char *dir = r->state->scratch;
	struct forget *f;
	int rc;

	if (opts->policy->n_tags > TAG_LISTS_MAX)
		return (err_set(e, ERR_USAGE, "more than %d lists of tags "
		    "to keep", TAG_LISTS_MAX));
	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (err_nomem(e));
	f->r = r;
	f->o = opts;
	f->tags_len = (opts->policy->n_tags + 7) / 8;
	f->text.max = f->entry.max = (size_t)CONFIG_DOC_KIB * 1024 * 4;
	f->entries.fd = f->groups.fd = -1;
	if ((rc = spill_open(&f->entries, dir, STACK_WINDOW, e)) != 0 ||
	    (rc = spill_open(&f->groups, dir, GROUPS_WINDOW, e)) != 0 ||
	    (rc = decide(f, e)) != 0)
		goto err;
	*ret = f;
	return (0);

err:
	forget_close(f);
	return (rc);
}

void
forget_close(struct forget *f)
{

	if (f == NULL)
		return;
	sorter_free(f->order);
	spill_close(&f->entries);
	spill_close(&f->groups);
	pagemap_free(f->going);
	buf_free(&f->text);
	buf_free(&f->entry);
	free(f);
}

uint64_t
forget_count(const struct forget *f)
{

	return (f->n_remove);
}

/* ---- telling ---- */

int
forget_groups(struct forget *f, forget_group_fn *fn, void *cookie,
    struct err *e)
{
	uint64_t at, end = spill_top(&f->groups);
	struct forget_group g;
	struct snapshot s;
	struct group x;
	size_t len;
	int rc = 0;

	for (at = 0; at < end && rc == 0; at += sizeof(x)) {
		snapshot_init(&s);
		if ((rc = spill_read(&f->groups, at, &x, sizeof(x), e)) == 0 &&
		    (rc = read_len(f, x.from, &len, e)) == 0 &&
		    (rc = read_entry(f, x.from, len, e)) == 0 &&
		    (rc = entry_snapshot(f, &s, e)) == 0) {
			g = (struct forget_group){ &s, x.keep, x.remove,
			    x.from, x.to };
			rc = fn(cookie, &g, e);
		}
		snapshot_free(&s);
	}
	return (rc);
}

static int
tell_entry(struct forget *f, bool kept, forget_fn *fn, void *cookie,
    struct err *e)
{
	struct forget_why w = entry_why(f);
	struct snapshot s;
	int rc;

	if ((f->entry.p[ENTRY_KEPT] != 0) != kept)
		return (0);
	snapshot_init(&s);
	if ((rc = entry_snapshot(f, &s, e)) == 0)
		rc = fn(cookie, &s, &w, e);
	snapshot_free(&s);
	return (rc != 0 ? rc : repo_stopped(f->r, e));
}

int
forget_each(struct forget *f, const struct forget_group *g, bool kept,
    bool newest_first, forget_fn *fn, void *cookie, struct err *e)
{
	uint64_t from = g->from, to = g->to;
	size_t len;
	int rc;

	while (from < to) {
		rc = read_len(f, newest_first ? from : to - ENTRY_TAIL, &len,
		    e);
		if (rc != 0)
			return (rc);
		to -= newest_first ? 0 : len;
		if ((rc = read_entry(f, newest_first ? from : to, len,
		    e)) != 0 ||
		    (rc = tell_entry(f, kept, fn, cookie, e)) != 0)
			return (rc);
		from += newest_first ? len : 0;
	}
	return (0);
}

int
forget_reason(const struct forget_why *w, size_t *at, struct buf *ret,
    struct err *e)
{
	size_t n = w->policy->n_tags, i;
	int rc = 0;

	buf_reset(ret);
	for (; *at < n + RETAIN_RULES; ++*at) {
		if (*at < n) {
			if ((w->tags[*at / 8] & 1u << *at % 8) == 0)
				continue;
			if ((rc = buf_str(ret, "has tags ", e)) == 0)
				rc = retention_tags(w->policy->tags[*at], ret,
				    e);
		} else {
			i = *at - n;
			if ((w->answer.rules & 1u << i) == 0)
				continue;
			rc = retention_reason(w->policy,
			    (enum retention_rule)i,
			    (w->answer.oldest & 1u << i) != 0, ret, e);
		}
		++*at;
		if (rc == 0)
			rc = buf_nul(ret, e);
		return (rc != 0 ? rc : 1);
	}
	return (0);
}

/* ---- all that go ---- */

/* Each of them, as they lie on the stack. */
static int
each_removed(struct forget *f, forget_id *fn, void *cookie, struct err *e)
{
	uint64_t at, end = spill_top(&f->entries);
	uint8_t head[ENTRY_TAGS];
	struct id id;
	int rc;

	for (at = 0; at < end; at += load_le32(head)) {
		rc = read_stack(f, at, head, sizeof(head), e);
		if (rc != 0)
			return (rc);
		if (head[ENTRY_KEPT] != 0)
			continue;
		memcpy(id.b, head + 4, ID_LEN);
		if ((rc = fn(cookie, &id, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
add_name(void *cookie, const struct id *id, struct err *e)
{

	return (sorter_add(cookie, id->b, ID_LEN, e));
}

int
forget_names(struct forget *f, forget_id *fn, void *cookie, struct err *e)
{
	struct sorter *s;
	const void *p;
	struct id id;
	size_t len;
	int rc;

	rc = sorter_new(&s, f->r->state->scratch, NAMES_MEM, sort_bytes, e);
	if (rc != 0)
		return (rc);
	if ((rc = each_removed(f, add_name, s, e)) == 0) {
		while ((rc = sorter_next(s, &p, &len, e)) > 0) {
			memcpy(id.b, p, ID_LEN);
			if ((rc = fn(cookie, &id, e)) != 0)
				break;
		}
	}
	sorter_free(s);
	return (rc);
}

static int
note_going(void *cookie, const struct id *id, struct err *e)
{

	return (pagemap_put(cookie, id->b, 0, e));
}

int
forget_goes(struct forget *f, const struct id *id, struct err *e)
{
	uint64_t ignored;
	int rc;

	if (f->going == NULL &&
	    ((rc = pagemap_new(&f->going, f->r->state->scratch, e)) != 0 ||
	    (rc = each_removed(f, note_going, f->going, e)) != 0))
		return (rc);
	return (pagemap_find(f->going, id->b, &ignored, e));
}

struct removal {
	struct forget *f;
	forget_done *fn;
	void *cookie;
};

static int
remove_one(void *cookie, const struct id *id, struct err *e)
{
	struct removal *m = cookie;
	struct err why = ERR_INIT;
	int rc;

	if ((rc = repo_stopped(m->f->r, e)) != 0 ||
	    (rc = repo_lock_lost(m->f->o->lock, e)) != 0)
		return (rc);
	rc = repo_remove(m->f->r, REPO_SNAPSHOT, id, &why);
	if (problem_ends_run(rc)) {
		*e = why;
		return (rc);
	}
	m->fn(m->cookie, id, rc != 0 ? &why : NULL);
	return (0);
}

int
forget_remove(struct forget *f, forget_done *fn, void *cookie, struct err *e)
{
	struct removal m = { f, fn, cookie };

	return (each_removed(f, remove_one, &m, e));
}

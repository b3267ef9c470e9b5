#include "cli/pruning.h"

#include <string.h>

#include "base/log.h"

/* ---- options ---- */

static int
parse_size(const char *name, const char *text, uint64_t *ret, struct err *e)
{

	if (opt_size(text, ret))
		return (0);
	(void)err_set(e, ERR_USAGE, "--%s: '%s' is not a size", name, text);
	return (err_hint(e, "a number of bytes, or as 500M, 20G"));
}

static int
parse_small(const struct pruning_flags *f, uint64_t pack_size,
    uint64_t *ret, struct err *e)
{
	int rc;

	if (f->small)
		*ret = pack_size / 5 * 4;
	if (f->smaller_than == NULL)
		return (0);
	rc = parse_size("repack-smaller-than", f->smaller_than, ret, e);
	if (rc != 0)
		return (rc);
	if (*ret == 0 || *ret > pack_size)
		return (err_set(e, ERR_USAGE, "--repack-smaller-than: %s is "
		    "not between 1 and the size of packs, %llu MiB",
		    f->smaller_than, (unsigned long long)pack_size >> 20));
	return (0);
}

static void
on_phase(void *cookie, const char *text)
{

	cli_say(cookie, "%s", text);
	(void)fflush(stdout);
}

static void
on_pack(void *cookie, const struct id *id, const char *fate)
{
	char hex[ID_HEX + 1];

	cli_say(cookie, "pack %s %s", id_hex(id, hex), fate);
}

static void on_planned(void *cookie, const struct prune_stats *s);

int
pruning_opts(struct cli *c, const struct pruning_flags *f,
    struct prune_opts *ret, struct err *e)
{
	struct plan_opts *p = &ret->plan;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if ((rc = cli_level(c, &ret->level, e)) != 0 ||
	    (rc = cli_pack_size(c, &ret->pack_size, e)) != 0 ||
	    (rc = prune_unused(f->max_unused != NULL ? f->max_unused : "5%",
	    p, e)) != 0)
		return (rc);
	p->max_repack = UINT64_MAX;
	if (f->max_repack != NULL && (rc = parse_size("max-repack-size",
	    f->max_repack, &p->max_repack, e)) != 0)
		return (rc);
	if ((rc = parse_small(f, ret->pack_size, &p->small, e)) != 0)
		return (rc);
	if (f->uncompressed && ret->level == 0)
		return (err_set(e, ERR_USAGE, "--repack-uncompressed and "
		    "--compression off contradict each other"));
	p->cacheable_only = f->cacheable_only;
	p->compress = f->uncompressed;
	ret->workers = cli_workers();
	ret->meter = &c->meter;
	ret->phase = on_phase;
	ret->planned = on_planned;
	if (c->g.verbose > 0)
		ret->pack = on_pack;
	ret->cookie = c;
	return (0);
}

/* ---- what will be done ---- */

/* Sums that the plan leaves to its readers. */
struct sums {
	uint64_t blobs, blobs_removed, bytes, bytes_removed, unused_left;
};

static struct sums
sum_up(const struct plan_stats *s)
{
	struct sums t;

	t.blobs = s->blobs.used + s->blobs.duplicate + s->blobs.unused;
	t.blobs_removed = s->blobs.remove + s->blobs.repack_remove;
	t.bytes = s->bytes.used + s->bytes.duplicate + s->bytes.unused +
	    s->bytes.unreferenced;
	t.bytes_removed = s->bytes.remove + s->bytes.repack_remove +
	    s->bytes.unreferenced;
	t.unused_left = s->bytes.duplicate + s->bytes.unused -
	    s->bytes.remove - s->bytes.repack_remove;
	return (t);
}

static double
percent(uint64_t part, uint64_t all)
{

	return (all == 0 ? 0 : 100.0 * (double)part / (double)all);
}

/* One object, with the names that restic gives them. */
static void
print_json(const struct plan_stats *s)
{
	const struct sums t = sum_up(s);
#define N(v) ((unsigned long long)(v))

	printf("{\"message_type\":\"summary\",\"blobs\":{\"used\":%llu,"
	    "\"duplicate\":%llu,\"unused\":%llu,\"total\":%llu,"
	    "\"repack\":%llu,\"repack_remove\":%llu,\"remove\":%llu,"
	    "\"remove_total\":%llu,\"remaining\":%llu},",
	    N(s->blobs.used), N(s->blobs.duplicate), N(s->blobs.unused),
	    N(t.blobs), N(s->blobs.repack), N(s->blobs.repack_remove),
	    N(s->blobs.remove), N(t.blobs_removed),
	    N(t.blobs - t.blobs_removed));
	printf("\"bytes\":{\"used\":%llu,\"duplicate\":%llu,\"unused\":%llu,"
	    "\"unreferenced\":%llu,\"uncompressed\":%llu,\"total\":%llu,"
	    "\"repack\":%llu,\"repack_remove\":%llu,\"remove\":%llu,"
	    "\"remove_total\":%llu,\"remaining\":%llu,"
	    "\"remaining_unused\":%llu},",
	    N(s->bytes.used), N(s->bytes.duplicate), N(s->bytes.unused),
	    N(s->bytes.unreferenced), N(s->bytes.uncompressed), N(t.bytes),
	    N(s->bytes.repack), N(s->bytes.repack_remove),
	    N(s->bytes.remove), N(t.bytes_removed),
	    N(t.bytes - t.bytes_removed), N(t.unused_left));
	printf("\"packfiles\":{\"used\":%llu,\"unused\":%llu,"
	    "\"partly_used\":%llu,\"unreferenced\":%llu,\"total\":%llu,"
	    "\"keep\":%llu,\"repack\":%llu,\"remove\":%llu,"
	    "\"remove_total\":%llu}}\n",
	    N(s->packs.used), N(s->packs.unused), N(s->packs.partly_used),
	    N(s->packs.unreferenced), N(s->packs.used + s->packs.unused +
	    s->packs.partly_used + s->packs.unreferenced), N(s->packs.keep),
	    N(s->packs.repack), N(s->packs.remove),
	    N(s->packs.unreferenced + s->packs.remove));
	(void)fflush(stdout);
#undef N
}

static void
say_count(const struct cli *c, const char *what, uint64_t blobs,
    uint64_t bytes)
{
	char n[32];

	cli_say(c, "%-13s %10llu blobs / %s", what,
	    (unsigned long long)blobs, cli_bytes(bytes, n));
}

static void
say_packs(const struct cli *c, const char *what, uint64_t n)
{

	cli_say(c, "%-19s %10llu", what, (unsigned long long)n);
}

static void
say_contents(const struct cli *c, const struct plan_stats *s)
{
	const struct sums t = sum_up(s);
	char n[32];

	say_count(c, "used:", s->blobs.used, s->bytes.used);
	if (s->blobs.duplicate > 0)
		say_count(c, "duplicates:", s->blobs.duplicate,
		    s->bytes.duplicate);
	say_count(c, "unused:", s->blobs.unused, s->bytes.unused);
	if (s->bytes.unreferenced > 0)
		cli_say(c, "unreferenced: %19s %s", "",
		    cli_bytes(s->bytes.unreferenced, n));
	say_count(c, "total:", t.blobs, t.bytes);
	cli_say(c, "unused size: %.2f%% of total size\n",
	    percent(s->bytes.duplicate + s->bytes.unused, t.bytes));
}

static void
on_planned(void *cookie, const struct prune_stats *ps)
{
	const struct plan_stats *s = &ps->plan;
	const struct sums t = sum_up(s);
	const struct cli *c = cookie;
	bool more = c->g.verbose > 0;
	char n[32];

	if (c->g.json) {
		print_json(s);
		return;
	}
	cli_say(c, "%s", "");
	if (more)
		say_contents(c, s);
	say_count(c, "to repack:", s->blobs.repack, s->bytes.repack);
	say_count(c, "this removes:", s->blobs.repack_remove,
	    s->bytes.repack_remove);
	say_count(c, "to delete:", s->blobs.remove,
	    s->bytes.remove + s->bytes.unreferenced);
	say_count(c, "total prune:", t.blobs_removed, t.bytes_removed);
	if (s->bytes.uncompressed > 0)
		cli_say(c, "not yet compressed: %13s %s", "",
		    cli_bytes(s->bytes.uncompressed, n));
	say_count(c, "remaining:", t.blobs - t.blobs_removed,
	    t.bytes - t.bytes_removed);
	cli_say(c, "unused size after prune: %s (%.2f%% of remaining size)\n",
	    cli_bytes(t.unused_left, n),
	    percent(t.unused_left, t.bytes - t.bytes_removed));
	if (more) {
		say_packs(c, "totally used packs:", s->packs.used);
		say_packs(c, "partly used packs:", s->packs.partly_used);
		say_packs(c, "unused packs:", s->packs.unused);
		say_packs(c, "unreferenced packs:", s->packs.unreferenced);
		say_packs(c, "packs to keep:", s->packs.keep);
		say_packs(c, "packs to repack:", s->packs.repack);
		say_packs(c, "packs to delete:", s->packs.remove);
		cli_say(c, "%s", "");
	}
	(void)fflush(stdout);
}

/* ---- running it ---- */

int
pruning_run(struct cli *c, struct prune_opts *o, struct err *e)
{
	static const struct progress_view view = { "prune", false };
	struct progress *p = NULL;
	struct prune_stats s;
	int rc;

	if (!c->g.json)	/* whose one object is the plan */
		p = progress_start(c, &view);
	rc = prune_run(c->repo, o, &s, e);
	progress_stop(p);
	if (rc != 0)
		return (rc);
	cli_say(c, o->dry ? "nothing was changed" : "done");
	return (0);
}

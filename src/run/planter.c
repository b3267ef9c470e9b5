#include "run/planter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/spill.h"
#include "base/thread.h"

enum {
	IDS_WINDOW = 32768,
	MSG_HEAD = 5,
	PART = 4096,
	/* What a frame leaves below its folder's text: the parent's start, its
	 * flags, and the id that the folder had before. */
	FRAME = 8 + 1 + ID_LEN,
};

/* Flags of a frame. */
enum { HAS_NODES = 1, HAD_BEFORE = 2, IS_ROOT = 4 };

struct planter {
	struct repo *r;
	struct saver *saver;
	struct strip *strip;
	pthread_t thread;
	bool running;
	struct spill text;   /* trees in the making, nested */
	struct spill ids;    /* of the present file */
	uint64_t start;      /* where the present folder's text begins */
	uint8_t flags;
	struct id before;
	struct id root;
	struct planter_stats stats;
	int rc;
	struct err why;
};

int
plant(struct strip *s, enum planter_msg kind, const void *p, size_t len,
    struct err *e)
{
	uint8_t head[MSG_HEAD];
	int rc;

	head[0] = (uint8_t)kind;
	store_le32(head + 1, (uint32_t)len);
	if ((rc = strip_write(s, head, MSG_HEAD, e)) != 0)
		return (rc);
	return (strip_write(s, p, len, e));
}

static int
put(struct planter *p, const char *s, struct err *e)
{

	return (spill_push(&p->text, s, strlen(s), e));
}

/* Copy ${len} bytes of the strip onto a spill stack. */
static int
take_bytes(struct planter *p, struct spill *to, uint32_t len, struct err *e)
{
	uint8_t part[PART];
	size_t n;
	int rc;

	for (; len > 0; len -= (uint32_t)n) {
		n = len < sizeof(part) ? len : sizeof(part);
		if ((rc = strip_read(p->strip, part, n, e)) != 0 ||
		    (rc = spill_push(to, part, n, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
on_ticket(struct planter *p, struct err *e)
{
	uint8_t ticket[8];
	struct id id;
	int rc;

	if ((rc = strip_read(p->strip, ticket, sizeof(ticket), e)) != 0 ||
	    (rc = saver_wait(p->saver, load_le64(ticket), &id, e)) != 0)
		return (rc);
	return (spill_push(&p->ids, id.b, ID_LEN, e));
}

static int
on_repeat(struct planter *p, struct err *e)
{
	uint8_t msg[ID_LEN + 8];
	uint64_t n;
	int rc;

	if ((rc = strip_read(p->strip, msg, sizeof(msg), e)) != 0)
		return (rc);
	for (n = load_le64(msg + ID_LEN); n > 0; n--)
		if ((rc = spill_push(&p->ids, msg, ID_LEN, e)) != 0)
			return (rc);
	return (0);
}

/* The ids gathered, as JSON. */
static int
on_content(struct planter *p, struct err *e)
{
	uint64_t at, top = spill_top(&p->ids);
	char text[ID_HEX + 4];
	struct id id;
	int rc;

	if ((rc = put(p, "[", e)) != 0)
		return (rc);
	text[0] = ',';
	text[1] = '"';
	for (at = 0; at < top; at += ID_LEN) {
		if ((rc = spill_read(&p->ids, at, id.b, ID_LEN, e)) != 0)
			return (rc);
		(void)id_hex(&id, text + 2);
		text[2 + ID_HEX] = '"';
		rc = spill_push(&p->text, text + (at == 0), ID_HEX + 3 -
		    (at == 0), e);
		if (rc != 0)
			return (rc);
	}
	spill_cut(&p->ids, 0);
	return (put(p, "]", e));
}

static int
on_enter(struct planter *p, uint32_t len, struct err *e)
{
	uint8_t frame[FRAME];
	int rc;

	store_le64(frame, p->start);
	frame[8] = p->flags;
	memcpy(frame + 9, p->before.b, ID_LEN);
	if ((rc = spill_push(&p->text, frame, FRAME, e)) != 0)
		return (rc);
	p->flags = spill_top(&p->text) == FRAME ? IS_ROOT : 0;
	if (len == ID_LEN) {
		p->flags |= HAD_BEFORE;
		rc = strip_read(p->strip, p->before.b, ID_LEN, e);
		if (rc != 0)
			return (rc);
	}
	p->start = spill_top(&p->text);
	return (put(p, "{\"nodes\":[", e));
}

static void
count_folder(struct planter *p, const struct id *id)
{

	if (p->flags & IS_ROOT)
		return;
	if ((p->flags & HAD_BEFORE) == 0)
		p->stats.dirs_new++;
	else if (id_eq(id, &p->before))
		p->stats.dirs_unmodified++;
	else
		p->stats.dirs_changed++;
}

static int
on_leave(struct planter *p, struct err *e)
{
	char text[ID_HEX + 32];
	uint8_t frame[FRAME];
	uint64_t below = p->start - FRAME;
	bool is_root = p->flags & IS_ROOT, is_new;
	struct id id;
	int rc;

	if ((rc = put(p, "]}\n", e)) != 0 ||
	    (rc = saver_tree(p->saver, &p->text, p->start,
	    spill_top(&p->text), &id, &is_new, e)) != 0)
		return (rc);
	count_folder(p, &id);
	if ((rc = spill_read(&p->text, below, frame, FRAME, e)) != 0)
		return (rc);
	spill_cut(&p->text, below);
	p->start = load_le64(frame);
	p->flags = frame[8];
	memcpy(p->before.b, frame + 9, ID_LEN);
	if (is_root) {
		p->root = id;
		return (0);
	}
	memcpy(text, ",\"subtree\":\"", 12);
	(void)id_hex(&id, text + 12);
	memcpy(text + 12 + ID_HEX, "\"}", 3);
	return (put(p, text, e));
}

static int
on_node(struct planter *p, struct err *e)
{

	if (p->flags & HAS_NODES)
		return (put(p, ",", e));
	p->flags |= HAS_NODES;
	return (0);
}

/* One message: 1, 0 after the last, or ERR_*. */
static int
step(struct planter *p, struct err *e)
{
	uint8_t head[MSG_HEAD];
	uint32_t len;
	int rc;

	if ((rc = strip_read(p->strip, head, MSG_HEAD, e)) != 0)
		return (rc);
	len = load_le32(head + 1);
	switch ((enum planter_msg)head[0]) {
	case PLANT_NODE:
		if ((rc = on_node(p, e)) != 0)
			break;
		/* FALLTHROUGH */
	case PLANT_BYTES:
		rc = take_bytes(p, &p->text, len, e);
		break;
	case PLANT_TICKET:
		rc = on_ticket(p, e);
		break;
	case PLANT_IDS:
		rc = take_bytes(p, &p->ids, len, e);
		break;
	case PLANT_REPEAT:
		rc = on_repeat(p, e);
		break;
	case PLANT_CONTENT:
		rc = on_content(p, e);
		break;
	case PLANT_DROP:
		spill_cut(&p->ids, 0);
		break;
	case PLANT_ENTER:
		rc = on_enter(p, len, e);
		break;
	case PLANT_LEAVE:
		rc = on_leave(p, e);
		break;
	case PLANT_END:
		return (0);
	}
	return (rc != 0 ? rc : 1);
}

static void *
planter(void *cookie)
{
	struct planter *p = cookie;

	while ((p->rc = step(p, &p->why)) > 0)
		;
	if (p->rc != 0)
		strip_stop(p->strip);	/* the walker learns of it there */
	return (NULL);
}

int
planter_open(struct planter **ret, struct repo *r, struct saver *saver,
    struct strip *strip, struct err *e)
{
	struct planter *p;
	int rc;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (err_nomem(e));
	p->r = r;
	p->saver = saver;
	p->strip = strip;
	p->text.fd = p->ids.fd = -1;
	if ((rc = spill_open(&p->text, r->state->scratch,
	    (size_t)CONFIG_SPILL_KIB * 1024, e)) != 0 ||
	    (rc = spill_open(&p->ids, r->state->scratch, IDS_WINDOW, e)) != 0)
		goto err;
	if ((rc = thread_start(&p->thread, planter, p, e)) != 0)
		goto err;
	p->running = true;
	*ret = p;
	return (0);

err:
	planter_free(p);
	return (rc);
}

int
planter_end(struct planter *p, struct id *ret, struct planter_stats *stats,
    struct err *e)
{

	strip_kick(p->strip);
	pthread_join(p->thread, NULL);
	p->running = false;
	*stats = p->stats;
	*ret = p->root;
	if (p->rc != 0)
		*e = p->why;
	return (p->rc);
}

void
planter_free(struct planter *p)
{

	if (p == NULL)
		return;
	if (p->running) {
		strip_stop(p->strip);
		pthread_join(p->thread, NULL);
	}
	spill_close(&p->text);
	spill_close(&p->ids);
	free(p);
}

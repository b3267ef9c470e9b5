/*
 * forge: writes into a repository what no honest program would, sealed with its
 * key, so that the parsers behind the seal are reached. It opens the repository
 * as garner does ($GARNER_REPOSITORY, $GARNER_PASSWORD, $GARNER_STATE_DIR) and
 * reads commands from standard input, a line each; # begins a comment.
 *
 *	data NAME [WORD...] : TEXT	a blob of the pack at hand
 *	tree NAME [WORD...] : TEXT	the same, of a tree; a newline is added
 *	pack NAME [WORD...]		ends the pack
 *	index NAME			an index file of the packs since the last
 *	doc KIND NAME [WORD...] : TEXT	a sealed document: index, snapshots, locks
 *	config [WORD...] : TEXT		the config anew
 *	file KIND NAME : TEXT		bytes as they are: keys, ...
 *
 * NAME is for what follows: @NAME@ is its id, and of a blob @NAME.pack@,
 * @NAME.at@, @NAME.len@ and @NAME.plain@ say where it is. At the end every name
 * and its id are printed. The words that lie:
 *
 *	of a blob	stored (not compressed), fill=N (so many blanks behind
 *			the text, which compress to nothing), window=LOG, says=N
 *			(the frame's own word of its length), plain=N, id=HEX,
 *			cut=N (bytes of the frame), tail=N (zeros behind it),
 *			broken (the seal)
 *	of a document	packed (compressed), fill, window, says, cut, tail, broken
 *	of a pack	hidden (from the next index), absent (not stored), gap=N
 *			(bytes before the header), length=N (of the header, they
 *			say), torn=N (bytes of the header), type=N (of the first
 *			entry), size=N (bytes of the file, the rest is missing)
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rand.h"
#include "crypto/sha256.h"
#include "repo/repo.h"

enum { BLOCK = 131072, MANY = 64 };

/* Everything that has a name. */
struct thing {
	char *name;
	struct id id;
	/* of a blob */
	enum blob_type type;
	struct id pack;
	uint32_t at, len, plain;
	bool stored;
	struct thing *next;  /* the elder */
};

/* A pack that the next index will name. */
struct packed {
	struct id id;
	struct thing *blob[MANY * MANY * 4];
	unsigned n;
	struct packed *next;
};

static struct repo *repo;
static struct thing *things;
static struct packed *open_pack, *packs;
static struct buf body;      /* of the pack at hand */
static unsigned line_no;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "forge: line %u: ", line_no);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void
must(int rc, const struct err *e)
{

	if (rc != 0)
		die("%s", e->text);
}

static void
add(struct buf *b, const void *p, size_t len)
{
	struct err e = ERR_INIT;

	must(buf_add(b, p, len, &e), &e);
}

static void
add_byte(struct buf *b, unsigned v)
{
	uint8_t c = (uint8_t)v;

	add(b, &c, 1);
}

static void
add_le32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	store_le32(p, v);
	add(b, p, 4);
}

#define EMPTY BUF_INIT((size_t)1 << 30)

/* ---- names ---- */

static struct thing *
find(const char *name, size_t len)
{
	struct thing *t;

	for (t = things; t != NULL; t = t->next)
		if (strlen(t->name) == len && memcmp(t->name, name, len) == 0)
			return (t);
	die("nothing is called '%.*s'", (int)len, name);
}

static struct thing *
make_thing(const char *name, const struct id *id)
{
	struct thing *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->name = strdup(name)) == NULL)
		die("out of memory");
	t->id = *id;
	t->next = things;
	things = t;
	return (t);
}

/* Text with its @NAME@ put in. */
static struct buf
expand(const char *s)
{
	char hex[ID_HEX + 1], number[32];
	const char *end, *dot;
	struct buf b = EMPTY;
	struct thing *t;

	for (; *s != '\0'; s++) {
		if (*s != '@' || (end = strchr(s + 1, '@')) == NULL) {
			add(&b, s, 1);
			continue;
		}
		dot = memchr(s, '.', (size_t)(end - s));
		t = find(s + 1, (size_t)((dot ? dot : end) - s - 1));
		if (dot == NULL)
			add(&b, id_hex(&t->id, hex), ID_HEX);
		else if (strncmp(dot, ".pack", 5) == 0)
			add(&b, id_hex(&t->pack, hex), ID_HEX);
		else
			add(&b, number, (size_t)snprintf(number, sizeof(number),
			    "%u", dot[1] == 'a' ? t->at : dot[1] == 'l' ?
			    t->len : t->plain));
		s = end;
	}
	return (b);
}

/* ---- words ---- */

static char *words[MANY];
static unsigned n_words;

/* The value of the word ${name}, "" when it has none, or NULL. */
static const char *
word(const char *name)
{
	size_t len = strlen(name);
	unsigned i;

	for (i = 0; i < n_words; i++)
		if (strncmp(words[i], name, len) == 0 &&
		    (words[i][len] == '\0' || words[i][len] == '='))
			return (words[i] + len + (words[i][len] == '='));
	return (NULL);
}

static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *s = word(name);

	return (s != NULL ? strtoull(s, NULL, 0) : otherwise);
}

/* ---- zstd, by hand: raw blocks and repeated bytes need no compressor ---- */

static void
add_block(struct buf *b, unsigned type, bool last, const void *p, size_t len)
{
	uint32_t head = (uint32_t)len << 3 | type << 1 | last;
	uint8_t h[4];

	store_le32(h, head);
	add(b, h, 3);
	add(b, p, type == 1 ? 1 : len);
}

static struct buf
frame(const struct buf *text)
{
	uint64_t fill = number("fill", 0), n;
	struct buf b = EMPTY;
	uint8_t says[8];
	size_t at = 0;

	add(&b, "\x28\xb5\x2f\xfd", 4);
	add_byte(&b, word("says") != NULL ? 0xc0 : 0);
	add_byte(&b, ((unsigned)number("window", 19) - 10) << 3);
	if (word("says") != NULL) {
		store_le64(says, number("says", 0));
		add(&b, says, sizeof(says));
	}
	do {
		n = text->len - at < BLOCK ? text->len - at : BLOCK;
		at += n;
		add_block(&b, 0, at == text->len && fill == 0,
		    text->p + at - n, n);
	} while (at < text->len);
	for (; fill > 0; fill -= n) {
		n = fill < BLOCK ? fill : BLOCK;
		add_block(&b, 1, n == fill, " ", n);
	}
	b.len -= number("cut", 0);
	for (n = number("tail", 0); n > 0; n--)
		add_byte(&b, 0);
	return (b);
}

/* ---- storing ---- */

static void
seal(struct buf *to, const void *p, size_t len)
{
	struct err e = ERR_INIT;
	uint8_t iv[SEAL_IV], *room;

	must(rand_bytes(iv, sizeof(iv), &e), &e);
	must(buf_room(to, len + SEAL_OVERHEAD, &room, &e), &e);
	seal_whole(&repo->key, iv, p, len, room);
	to->len += len + SEAL_OVERHEAD;
	if (word("broken") != NULL)
		room[SEAL_IV + len / 2] ^= 1;
}

static void
store_as(const char *folder, const char *name, const void *p, size_t len)
{
	struct err e = ERR_INIT;
	struct put *put;

	must(store_create(repo->store, folder, &put, &e), &e);
	must(put_write(put, p, len, &e), &e);
	must(put_publish(put, name, 0, &e), &e);
	put_free(put);
}

static struct id
store_file(const char *kind, const void *p, size_t len)
{
	char name[STORE_NAME_MAX], hex[ID_HEX + 1];
	struct id id;

	sha256(p, len, &id);
	(void)snprintf(name, sizeof(name), "%s/%s", kind, id_hex(&id, hex));
	store_as(kind, name, p, len);
	return (id);
}

/* ---- the commands ---- */

static void
blob(enum blob_type type, const char *name, const char *rest)
{
	uint64_t fill = number("fill", 0), n;
	struct buf text = expand(rest), inner;
	static char blanks[65536];
	struct sha256 sha;
	struct thing *t;
	struct id id;

	if (type == BLOB_TREE)
		add(&text, "\n", 1);
	if (open_pack == NULL &&
	    (open_pack = calloc(1, sizeof(*open_pack))) == NULL)
		die("out of memory");
	memset(blanks, ' ', sizeof(blanks));
	sha256_begin(&sha);
	sha256_update(&sha, text.p, text.len);
	for (n = fill; n >= sizeof(blanks); n -= sizeof(blanks))
		sha256_update(&sha, blanks, sizeof(blanks));
	sha256_update(&sha, blanks, n);
	sha256_end(&sha, &id);
	if (word("id") != NULL && !id_parse(&id, word("id"), ID_HEX))
		die("not an id");
	t = make_thing(name, &id);
	t->type = type;
	t->stored = word("stored") != NULL;
	t->plain = (uint32_t)number("plain", text.len + fill);
	t->at = (uint32_t)body.len;
	for (n = 0; t->stored && n < fill; n++)
		add_byte(&text, ' ');
	inner = t->stored ? text : frame(&text);
	seal(&body, inner.p, inner.len);
	t->len = (uint32_t)body.len - t->at;
	if (inner.p != text.p)
		buf_free(&inner);
	buf_free(&text);
	if (open_pack->n == MANY * MANY * 4)
		die("too many blobs in a pack");
	open_pack->blob[open_pack->n++] = t;
}

/* The plain header of the pack at hand. */
static struct buf
header(void)
{
	struct buf h = EMPTY;
	struct thing *t;
	unsigned i;

	for (i = 0; i < open_pack->n; i++) {
		t = open_pack->blob[i];
		add_byte(&h, (t->type == BLOB_TREE ? 1 : 0) +
		    (t->stored ? 0u : 2u));
		add_le32(&h, t->len);
		if (!t->stored)
			add_le32(&h, t->plain);
		add(&h, t->id.b, ID_LEN);
	}
	if (word("type") != NULL)
		h.p[0] = (uint8_t)number("type", 0);
	h.len -= number("torn", 0);
	return (h);
}

static void
pack(const char *name)
{
	char at[STORE_NAME_MAX];
	struct buf h;
	uint64_t n;
	unsigned i;
	struct id id;

	if (open_pack == NULL &&
	    (open_pack = calloc(1, sizeof(*open_pack))) == NULL)
		die("out of memory");
	h = header();
	for (n = number("gap", 0); n > 0; n--)
		add_byte(&body, 0);
	seal(&body, h.p, h.len);
	add_le32(&body, (uint32_t)number("length", h.len + SEAL_OVERHEAD));
	buf_free(&h);
	sha256(body.p, body.len, &id);
	body.len = number("size", body.len);
	repo_name(REPO_PACK, &id, at);
	if (word("absent") == NULL)
		store_as("data", at, body.p, body.len);
	make_thing(name, &id);
	for (i = 0; i < open_pack->n; i++)
		open_pack->blob[i]->pack = id;
	open_pack->id = id;
	if (word("hidden") == NULL) {
		open_pack->next = packs;
		packs = open_pack;
	}
	open_pack = NULL;
	buf_reset(&body);
}

static void
index_packs(const char *name)
{
	char text[320], hex[ID_HEX + 1], plain[48];
	struct buf json = EMPTY, sealed = EMPTY;
	struct thing *t;
	struct id id;
	unsigned i;

	add(&json, "{\"packs\":[", 10);
	for (; packs != NULL; packs = packs->next) {
		add(&json, text, (size_t)snprintf(text, sizeof(text),
		    "{\"id\":\"%s\",\"blobs\":[", id_hex(&packs->id, hex)));
		for (i = 0; i < packs->n; i++) {
			t = packs->blob[i];
			plain[0] = '\0';
			if (!t->stored)
				(void)snprintf(plain, sizeof(plain),
				    ",\"uncompressed_length\":%u", t->plain);
			add(&json, text, (size_t)snprintf(text, sizeof(text),
			    "%s{\"id\":\"%s\",\"type\":\"%s\",\"offset\":%u,"
			    "\"length\":%u%s}", i > 0 ? "," : "",
			    id_hex(&t->id, hex), t->type == BLOB_TREE ?
			    "tree" : "data", t->at, t->len, plain));
		}
		add(&json, "]}", 2);
		if (packs->next != NULL)
			add(&json, ",", 1);
	}
	add(&json, "]}\n", 3);
	seal(&sealed, json.p, json.len);
	id = store_file("index", sealed.p, sealed.len);
	make_thing(name, &id);
	buf_free(&json);
	buf_free(&sealed);
}

/* A sealed document; ${kind} NULL is the config. */
static void
document(const char *kind, const char *name, const char *rest)
{
	struct buf text = expand(rest), inner = EMPTY, sealed = EMPTY, z;
	struct id id;

	if (word("packed") != NULL) {
		z = frame(&text);
		add_byte(&inner, 2);
		add(&inner, z.p, z.len);
		buf_free(&z);
	} else {
		add(&inner, text.p, text.len);
	}
	seal(&sealed, inner.p, inner.len);
	if (kind == NULL) {
		store_as("", "config", sealed.p, sealed.len);
	} else {
		id = store_file(kind, sealed.p, sealed.len);
		make_thing(name, &id);
	}
	buf_free(&text);
	buf_free(&inner);
	buf_free(&sealed);
}

static void
raw_file(const char *kind, const char *name, const char *rest)
{
	struct buf text = expand(rest);
	struct id id = store_file(kind, text.p, text.len);

	make_thing(name, &id);
	buf_free(&text);
}

static char *
take_word(char **s)
{
	char *w;

	*s += strspn(*s, " ");
	w = *s;
	*s += strcspn(*s, " ");
	if (**s != '\0')
		*(*s)++ = '\0';
	if (*w == '\0')
		die("a word is missing");
	return (w);
}

/* The words up to ":" or the end; what is behind. */
static char *
take_words(char *s)
{
	struct buf b;

	while (n_words > 0)
		free(words[--n_words]);
	for (;;) {
		s += strspn(s, " ");
		if (*s == '\0')
			return (s);
		if (*s == ':')
			return (s[1] == ' ' ? s + 2 : s + 1);
		if (n_words == MANY)
			die("too many words");
		b = expand(take_word(&s));
		add(&b, "", 1);
		words[n_words++] = (char *)b.p;
	}
}

static void
command(char *s)
{
	const char *verb = take_word(&s), *kind, *name;

	if (strcmp(verb, "data") == 0 || strcmp(verb, "tree") == 0) {
		name = take_word(&s);
		blob(verb[0] == 't' ? BLOB_TREE : BLOB_DATA, name,
		    take_words(s));
	} else if (strcmp(verb, "pack") == 0) {
		name = take_word(&s);
		(void)take_words(s);
		pack(name);
	} else if (strcmp(verb, "index") == 0) {
		name = take_word(&s);
		(void)take_words(s);
		index_packs(name);
	} else if (strcmp(verb, "doc") == 0 || strcmp(verb, "file") == 0) {
		kind = take_word(&s);
		name = take_word(&s);
		(verb[0] == 'd' ? document : raw_file)(kind, name,
		    take_words(s));
	} else if (strcmp(verb, "config") == 0) {
		document(NULL, NULL, take_words(s));
	} else {
		die("what is '%s'?", verb);
	}
}

static void
open_repo(void)
{
	const char *place = getenv("GARNER_REPOSITORY"),
	    *password = getenv("GARNER_PASSWORD");
	static struct state_dir state;
	struct err e = ERR_INIT;
	struct store *store;
	struct secret s;

	if (place == NULL || password == NULL)
		die("which repository, and its password?");
	s = (struct secret){ strdup(password), strlen(password) };
	must(state_open(&state, NULL, &e), &e);
	must(store_open(&store, place, &e), &e);
	must(repo_open(&repo, store, &state, &s, NULL, &e), &e);
	secret_free(&s);
}

int
main(void)
{
	char hex[ID_HEX + 1], *line = NULL;
	const struct thing *t;
	size_t cap = 0;
	ssize_t n;

	body.max = (size_t)1 << 30;
	open_repo();
	while ((n = getline(&line, &cap, stdin)) != -1) {
		line_no++;
		if (n > 0 && line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (line[strspn(line, " ")] != '\0' && line[0] != '#')
			command(line);
	}
	for (t = things; t != NULL; t = t->next)
		printf("%s %s\n", t->name, id_hex(&t->id, hex));
	repo_close(repo);
	return (0);
}

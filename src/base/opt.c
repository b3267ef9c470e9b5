#include "base/opt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISTANCE_MAX = 32 };

bool
opt_size(const char *s, uint64_t *ret)
{
	static const char unit[] = "KMGT";
	const char *u;
	uint64_t v;
	char *end;
	int shift = 0;

	if (*s < '0' || *s > '9')
		return (false);
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno != 0)
		return (false);
	if (*end != '\0') {
		char c = *end & ~0x20;	/* k and K alike */

		if (c == 'B' && end[1] == '\0') {
			*ret = v;
			return (true);
		}
		if (c == '\0' || (u = strchr(unit, c)) == NULL)
			return (false);
		shift = 10 * (int)(u - unit + 1);
		if (strcmp(end + 1, "iB") != 0 && strcmp(end + 1, "B") != 0 &&
		    end[1] != '\0')
			return (false);
	}
	if (v > UINT64_MAX >> shift)
		return (false);
	*ret = v << shift;
	return (true);
}

bool
opt_span(const char *s, uint64_t *ret)
{
	uint64_t sum = 0, v, unit;
	char *end;

	if (*s == '\0')
		return (false);
	while (*s != '\0') {
		if (*s < '0' || *s > '9')
			return (false);
		errno = 0;
		v = strtoull(s, &end, 10);
		switch (*end) {
		case 's': unit = 1; break;
		case 'm': unit = 60; break;
		case 'h': unit = 3600; break;
		case 'd': unit = 86400; break;
		case 'w': unit = 7 * 86400; break;
		default: return (false);
		}
		if (errno != 0 || v > (UINT64_MAX - sum) / unit)
			return (false);
		sum += v * unit;
		s = end + 1;
	}
	*ret = sum;
	return (true);
}

unsigned
opt_distance(const char *x, const char *y)
{
	unsigned row[DISTANCE_MAX + 1], diagonal, above, best;
	size_t i, j, nx = strlen(x), ny = strlen(y);

	if (nx > DISTANCE_MAX || ny > DISTANCE_MAX)
		return (DISTANCE_MAX);
	for (j = 0; j <= ny; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= nx; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= ny; j++) {
			above = row[j];
			best = diagonal + (x[i - 1] != y[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return (row[ny]);
}

/* The option with this long name (or letter), and the struct it fills. */
static const struct opt *
find(const struct opt_set *sets, size_t n, const char *name, size_t len,
    char letter, void **ret)
{
	const struct opt *o;
	size_t i;

	for (i = 0; i < n; i++) {
		for (o = sets[i].opts; o != NULL && o->name != NULL; o++) {
			if (letter != 0 ? o->letter == letter :
			    strlen(o->name) == len &&
			    memcmp(o->name, name, len) == 0) {
				*ret = (char *)sets[i].into + o->offset;
				return (o);
			}
		}
	}
	return (NULL);
}

/* ${len} characters of ${word} are the name, the rest could be a secret. */
static int
unknown_long(const struct opt_set *sets, size_t n, const char *word,
    size_t len, struct err *e)
{
	char name[DISTANCE_MAX + 1];
	const struct opt *o;
	const char *best = NULL;
	unsigned d, least = len < 4 ? (unsigned)len : 4;
	size_t i;

	(void)snprintf(name, sizeof(name), "%.*s", (int)len, word + 2);
	for (i = 0; i < n; i++)
		for (o = sets[i].opts; o != NULL && o->name != NULL; o++)
			if (o->help != NULL &&
			    (d = opt_distance(name, o->name)) < least) {
				least = d;
				best = o->name;
			}
	(void)err_set(e, ERR_USAGE, "unknown option '%.*s'", (int)len + 2,
	    word);
	if (best != NULL)
		(void)err_hint(e, "did you mean --%s?", best);
	else
		(void)err_hint(e, "--help lists the options");
	return (ERR_USAGE);
}

static int
unknown_short(const char *word, char letter, struct err *e)
{

	if (word[2] == '\0')
		(void)err_set(e, ERR_USAGE, "unknown option '%s'", word);
	else
		(void)err_set(e, ERR_USAGE, "unknown option '-%c' in '%s'",
		    letter, word);
	(void)err_hint(e, "--help lists the options");
	return (ERR_USAGE);
}

static int
list_add(struct opt_list *l, const char *v, struct err *e)
{
	const char **p;

	if ((p = realloc(l->v, (l->n + 1) * sizeof(*p))) == NULL)
		return (err_nomem(e));
	l->v = p;
	l->v[l->n++] = v;
	return (0);
}

static int
bad_value(const struct opt *o, const char *v, const char *like, struct err *e)
{

	(void)err_set(e, ERR_USAGE, "--%s: '%s' is not %s", o->name, v, like);
	return (ERR_USAGE);
}

static int
assign(const struct opt *o, void *field, const char *v, struct err *e)
{
	uint64_t n = 0;
	char *end;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)field = true;
		return (0);
	case OPT_COUNT:
		if (v == NULL) {
			++*(unsigned *)field;
			return (0);
		}
		n = strtoull(v, &end, 10);
		if (*v < '0' || *v > '9' || *end != '\0' || n > 9)
			return (bad_value(o, v, "a level from 0 to 9", e));
		*(unsigned *)field = (unsigned)n;
		return (0);
	case OPT_TEXT:
		*(const char **)field = v;
		return (0);
	case OPT_LIST:
		return (list_add(field, v, e));
	case OPT_UINT:
		errno = 0;
		n = strtoull(v, &end, 10);
		if (*v < '0' || *v > '9' || *end != '\0' || errno != 0)
			return (bad_value(o, v, "a whole number", e));
		break;
	case OPT_SIZE:
		if (!opt_size(v, &n))
			return (bad_value(o, v, "a size like 500K, 16M or 2G",
			    e));
		break;
	case OPT_SPAN:
		if (!opt_span(v, &n))
			return (bad_value(o, v,
			    "a time span like 90s, 15m, 24h or 7d", e));
		break;
	}
	*(uint64_t *)field = n;
	return (0);
}

/* --name, --name=value, --name value; ${*at} is moved over a value. */
static int
parse_long(const struct opt_set *sets, size_t n, int argc, char **argv,
    int *at, struct err *e)
{
	const char *word = argv[*at], *name = word + 2, *eq, *v = NULL;
	const struct opt *o;
	void *field;
	size_t len;

	eq = strchr(name, '=');
	len = eq != NULL ? (size_t)(eq - name) : strlen(name);
	if ((o = find(sets, n, name, len, 0, &field)) == NULL)
		return (unknown_long(sets, n, word, len, e));
	if (eq != NULL)
		v = eq + 1;
	if (o->kind == OPT_FLAG && v != NULL) {
		if (strcmp(v, "true") != 0 && strcmp(v, "false") != 0)
			return (err_set(e, ERR_USAGE,
			    "--%s takes no value", o->name));
		*(bool *)field = v[0] == 't';
		return (0);
	}
	if (o->kind != OPT_FLAG && o->kind != OPT_COUNT && v == NULL) {
		if (*at + 1 >= argc)
			return (err_set(e, ERR_USAGE, "--%s needs a value (%s)",
			    o->name, o->arg));
		v = argv[++*at];
	}
	return (assign(o, field, v, e));
}

/* -q, -qv, -rPATH, -r PATH. */
static int
parse_short(const struct opt_set *sets, size_t n, int argc, char **argv,
    int *at, struct err *e)
{
	const char *word = argv[*at], *s, *v;
	const struct opt *o;
	void *field;
	int rc;

	for (s = word + 1; *s != '\0'; s++) {
		if ((o = find(sets, n, NULL, 0, *s, &field)) == NULL)
			return (unknown_short(word, *s, e));
		if (o->kind == OPT_FLAG || o->kind == OPT_COUNT) {
			if ((rc = assign(o, field, NULL, e)) != 0)
				return (rc);
			continue;
		}
		v = s[1] == '=' ? s + 2 : s + 1;
		if (*v == '\0' && s[1] != '=') {
			if (*at + 1 >= argc)
				return (err_set(e, ERR_USAGE,
				    "-%c needs a value (%s)", *s, o->arg));
			v = argv[++*at];
		}
		return (assign(o, field, v, e));
	}
	return (0);
}

int
opt_parse(const struct opt_set *sets, size_t n_sets, int argc, char **argv,
    int *ret_argc, struct err *e)
{
	int i, rc, n = 0;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++)
				argv[n++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[n++] = argv[i];
			continue;
		}
		if (argv[i][1] == '-')
			rc = parse_long(sets, n_sets, argc, argv, &i, e);
		else
			rc = parse_short(sets, n_sets, argc, argv, &i, e);
		if (rc != 0)
			return (rc);
	}
	*ret_argc = n;
	return (0);
}

void
opt_release(const struct opt_set *sets, size_t n_sets)
{
	const struct opt *o;
	struct opt_list *l;
	size_t i;

	for (i = 0; i < n_sets; i++) {
		for (o = sets[i].opts; o != NULL && o->name != NULL; o++) {
			if (o->kind != OPT_LIST)
				continue;
			l = (void *)((char *)sets[i].into + o->offset);
			free(l->v);
			l->v = NULL;
			l->n = 0;
		}
	}
}

enum { LEFT = 36, RIGHT = 79 };	/* columns of the help texts */

/* The text from column LEFT on, in lines that end before RIGHT. */
static void
print_wrapped(const char *s)
{
	size_t n, column = LEFT;

	for (; *s != '\0'; s += n, s += *s == ' ') {
		n = strcspn(s, " ");
		if (column > LEFT && column + 1 + n > RIGHT) {
			printf("\n%*s", LEFT, "");
			column = LEFT;
		}
		column += (size_t)printf("%s%.*s", column > LEFT ? " " : "",
		    (int)n, s);
	}
	putchar('\n');
}

void
opt_print(const struct opt *opts)
{
	const struct opt *o;
	char left[80];
	int n;

	for (o = opts; o != NULL && o->name != NULL; o++) {
		if (o->help == NULL)
			continue;
		n = o->letter != 0 ?
		    snprintf(left, sizeof(left), "-%c, --%s", o->letter,
		    o->name) :
		    snprintf(left, sizeof(left), "    --%s", o->name);
		if (o->arg != NULL && n > 0 && (size_t)n < sizeof(left))
			(void)snprintf(left + n, sizeof(left) - (size_t)n,
			    " %s", o->arg);
		if (strlen(left) > LEFT - 4)
			printf("  %s\n%*s", left, LEFT, "");
		else
			printf("  %-*s  ", LEFT - 4, left);
		print_wrapped(o->help);
	}
}

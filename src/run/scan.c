#include "run/scan.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"

struct scan {
	struct source_spec spec;
	struct source *src;
	struct meter *m;
	atomic_bool *stop;
	atomic_bool ending;
	pthread_t thread;
};

/* The backup itself tells of problems. */
static int
no_problem(void *cookie, const char *path, const struct err *why)
{

	(void)cookie;
	(void)path;
	(void)why;
	return (0);
}

static void *
scanner(void *cookie)
{
	struct scan *s = cookie;
	struct err e = ERR_INIT;
	struct entry x;

	while (!atomic_load(&s->ending) && !atomic_load(s->stop)) {
		if (source_next(s->src, &x, &e) <= 0) {
			atomic_store(&s->m->totals_final, 1);
			break;
		}
		if (x.kind != ENTRY_FILE)
			continue;
		meter_add(&s->m->files_total, 1);
		meter_add(&s->m->bytes_total, (uint64_t)x.st.st_size);
	}
	return (NULL);
}

int
scan_start(struct scan **ret, const struct source_spec *spec, struct meter *m,
    atomic_bool *stop, struct err *e)
{
	struct scan *s;
	int rc;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (err_nomem(e));
	s->spec = *spec;
	s->spec.problem = no_problem;
	s->spec.stopped = NULL;
	s->m = m;
	s->stop = stop;
	if ((rc = source_open_kind(&s->src, "files", &s->spec, e)) != 0) {
		free(s);
		return (rc);
	}
	if ((rc = thread_start(&s->thread, scanner, s, e)) != 0) {
		source_close(s->src);
		free(s);
		return (rc);
	}
	*ret = s;
	return (0);
}

void
scan_stop(struct scan *s)
{

	if (s == NULL)
		return;
	atomic_store(&s->ending, true);
	pthread_join(s->thread, NULL);
	source_close(s->src);
	free(s);
}

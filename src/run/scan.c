#include "run/scan.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { STACK = 256 * 1024 };

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
	pthread_attr_t attr;
	sigset_t all, old;
	struct scan *s;
	int n, rc;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (err_nomem(e));
	s->spec = *spec;
	s->spec.problem = no_problem;
	s->m = m;
	s->stop = stop;
	if ((rc = source_open_kind(&s->src, "files", &s->spec, e)) != 0) {
		free(s);
		return (rc);
	}
	(void)sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	n = pthread_create(&s->thread, &attr, scanner, s);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (n != 0) {
		errno = n;
		source_close(s->src);
		free(s);
		return (err_sys(e, "cannot start a thread"));
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

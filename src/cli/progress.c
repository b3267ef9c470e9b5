#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "cli/cli.h"

enum {
	TICK_MS = 250,       /* of the line on a terminal */
	JSON_MS = 1000,
	RATE_SLOTS = 32,     /* the rate is over the last so many ticks */
};

struct progress {
	struct cli *c;
	const struct progress_view *view;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, ending;
	bool terminal;
	bool shown;          /* a line stands on the terminal */
	struct timespec begun;
	unsigned tick_ms;
	uint64_t seen[RATE_SLOTS]; /* bytes at the last ticks */
	unsigned n_seen;
};

static volatile sig_atomic_t g_asked; /* SIGUSR1: show where we are */

static void
on_usr1(int sig)
{

	(void)sig;
	g_asked = 1;
}

double
progress_seconds(const struct progress *p)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return ((double)(now.tv_sec - p->begun.tv_sec) +
	    (double)(now.tv_nsec - p->begun.tv_nsec) / 1e9);
}

/* A moment's numbers. */
struct moment {
	uint64_t files, bytes, files_total, bytes_total, errors;
	double seconds, rate;
	uint64_t left;       /* seconds; 0: not known */
	double part;         /* 0..1; 0: not known */
	char path[512];
};

static void
look(struct progress *p, struct moment *m)
{
	struct meter *t = &p->c->meter;

	m->files = meter_read(&t->files);
	m->bytes = meter_read(&t->bytes);
	m->files_total = meter_read(&t->files_total);
	m->bytes_total = meter_read(&t->bytes_total);
	m->errors = meter_read(&t->errors);
	m->seconds = progress_seconds(p);
	m->rate = 0;
	if (p->n_seen > 0) {
		unsigned n = p->n_seen < RATE_SLOTS ? p->n_seen : RATE_SLOTS;
		uint64_t old = p->seen[(p->n_seen - n) % RATE_SLOTS];

		m->rate = (double)(m->bytes - old) /
		    ((double)n * p->tick_ms / 1000);
	}
	m->left = 0;
	m->part = 0;
	if (m->bytes_total > 0) {
		m->part = (double)m->bytes / (double)m->bytes_total;
		if (m->part > 1)
			m->part = 1;
		if (m->rate > 1 && m->bytes_total > m->bytes)
			m->left = (uint64_t)((double)(m->bytes_total -
			    m->bytes) / m->rate) + 1;
	}
	meter_get_path(t, m->path, sizeof(m->path));
}

static unsigned
columns(void)
{
	struct winsize w;

	return (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ?
	    w.ws_col : 80);
}

static size_t
format_line(const struct moment *m, char *ret, size_t len)
{
	char done[32], total[32], rate[32], t[32], left[32];
	int n;

	n = snprintf(ret, len, "[%s] ", cli_duration((uint64_t)m->seconds, t));
	if (m->part > 0)
		n += snprintf(ret + n, len - (size_t)n, "%.1f%%  ",
		    100 * m->part);
	n += snprintf(ret + n, len - (size_t)n, "%llu files, %s",
	    (unsigned long long)m->files, cli_bytes(m->bytes, done));
	if (m->bytes_total > 0)
		n += snprintf(ret + n, len - (size_t)n, " of %s",
		    cli_bytes(m->bytes_total, total));
	n += snprintf(ret + n, len - (size_t)n, ", %s/s",
	    cli_bytes((uint64_t)m->rate, rate));
	if (m->left > 0)
		n += snprintf(ret + n, len - (size_t)n, ", %s left",
		    cli_duration(m->left, left));
	if (m->errors > 0)
		n += snprintf(ret + n, len - (size_t)n, ", %llu errors",
		    (unsigned long long)m->errors);
	return ((size_t)n);
}

/* One line that replaces itself; it never wraps. */
static void
show_line(struct progress *p, const struct moment *m)
{
	unsigned width = columns();
	char line[512];
	size_t n = format_line(m, line, sizeof(line)), path, room;

	if (n >= width) {
		line[width - 1] = '\0';
		n = width - 1;
	}
	printf("\r\033[K%s", line);
	path = strlen(m->path);
	if (path > 0 && n + 8 < width) {
		room = width - 1 - n - 2;
		printf("  ");
		if (path <= room) {
			cli_name(stdout, m->path, path);
		} else {
			printf("...");
			cli_name(stdout, m->path + path - (room - 3),
			    room - 3);
		}
	}
	(void)fflush(stdout);
	p->shown = true;
}

static void
clear_line(struct progress *p)
{

	if (!p->shown)
		return;
	printf("\r\033[K");
	(void)fflush(stdout);
	p->shown = false;
}

static void
show_json(const struct progress *p, const struct moment *m)
{
	const char *files = p->view->restore ? "files_restored" : "files_done";
	const char *bytes = p->view->restore ? "bytes_restored" : "bytes_done";

	printf("{\"message_type\":\"status\",\"seconds_elapsed\":%llu,"
	    "\"percent_done\":%.6f,\"total_files\":%llu,\"%s\":%llu,"
	    "\"total_bytes\":%llu,\"%s\":%llu,\"bytes_per_second\":%.0f",
	    (unsigned long long)m->seconds, m->part,
	    (unsigned long long)m->files_total, files,
	    (unsigned long long)m->files, (unsigned long long)m->bytes_total,
	    bytes, (unsigned long long)m->bytes, m->rate);
	if (m->left > 0)
		printf(",\"seconds_remaining\":%llu",
		    (unsigned long long)m->left);
	if (m->errors > 0)
		printf(",\"error_count\":%llu", (unsigned long long)m->errors);
	if (m->path[0] != '\0') {
		printf(",\"current_files\":[");
		cli_json_text(stdout, m->path);
		putchar(']');
	}
	printf("}\n");
	(void)fflush(stdout);
}

/* Log lines go between: the progress line makes room for them. */
static void
log_line(void *cookie, enum log_level level, const char *line)
{
	struct progress *p = cookie;

	(void)level;
	flockfile(stdout);
	clear_line(p);
	(void)fprintf(stderr, "%s\n", line);
	funlockfile(stdout);
}

static void
show(struct progress *p)
{
	struct moment m;
	char line[512];

	look(p, &m);
	flockfile(stdout);
	if (p->c->g.json)
		show_json(p, &m);
	else if (p->terminal)
		show_line(p, &m);
	else {
		(void)format_line(&m, line, sizeof(line));
		(void)fprintf(stderr, "%s\n", line);
	}
	funlockfile(stdout);
}

static void *
watcher(void *cookie)
{
	struct progress *p = cookie;
	bool steady = p->terminal || p->c->g.json;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		wait_ms(&p->wake, &p->lock, p->tick_ms);
		if (p->ending)
			break;
		if (steady || g_asked) {
			g_asked = 0;
			show(p);
		}
		p->seen[p->n_seen++ % RATE_SLOTS] =
		    meter_read(&p->c->meter.bytes);
	}
	pthread_mutex_unlock(&p->lock);
	return (NULL);
}

struct progress *
progress_start(struct cli *c, const struct progress_view *view)
{
	struct sigaction usr1 = { .sa_handler = on_usr1,
	    .sa_flags = SA_RESTART };
	struct progress *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->c = c;
	p->view = view;
	p->terminal = cli_talks(c) && isatty(STDOUT_FILENO);
	p->tick_ms = c->g.json ? JSON_MS : TICK_MS;
	(void)clock_gettime(CLOCK_MONOTONIC, &p->begun);
	pthread_mutex_init(&p->lock, NULL);
	wait_init(&p->wake);
	(void)sigaction(SIGUSR1, &usr1, NULL);
	if (p->terminal)
		log_to(log_line, p);
	p->running = thread_start(&p->thread, watcher, p, NULL) == 0;
	return (p);
}

void
progress_stop(struct progress *p)
{

	if (p == NULL)
		return;
	if (p->running) {
		pthread_mutex_lock(&p->lock);
		p->ending = true;
		pthread_cond_signal(&p->wake);
		pthread_mutex_unlock(&p->lock);
		pthread_join(p->thread, NULL);
	}
	clear_line(p);
	log_to(NULL, NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	free(p);
}

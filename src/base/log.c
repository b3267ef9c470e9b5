#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

static struct {
	pthread_mutex_t lock;
	enum log_level max;
	log_fn *fn;
	void *cookie;
} g = { PTHREAD_MUTEX_INITIALIZER, LOG_WARN, NULL, NULL };

static void
say(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const word[] = { "error: ", "warning: ", "", "" };
	char text[1200], line[2400];
	int n;

	n = snprintf(text, sizeof(text), "%s", word[level]);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	(void)utf8_show(line, sizeof(line), text);
	pthread_mutex_lock(&g.lock);
	if (level <= g.max) {
		if (g.fn != NULL)
			g.fn(g.cookie, level, line);
		else
			(void)fprintf(stderr, "%s\n", line);
	}
	pthread_mutex_unlock(&g.lock);
}

void
log_threshold(enum log_level max)
{

	pthread_mutex_lock(&g.lock);
	g.max = max;
	pthread_mutex_unlock(&g.lock);
}

void
log_to(log_fn *fn, void *cookie)
{

	pthread_mutex_lock(&g.lock);
	g.fn = fn;
	g.cookie = cookie;
	pthread_mutex_unlock(&g.lock);
}

#define LOG_FUNCTION(name, level)                                            \
	void                                                                 \
	name(const char *fmt, ...)                                           \
	{                                                                    \
		va_list ap;                                                  \
									     \
		va_start(ap, fmt);                                           \
		say(level, fmt, ap);                                         \
		va_end(ap);                                                  \
	}

LOG_FUNCTION(log_error, LOG_ERROR)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_debug, LOG_DEBUG)

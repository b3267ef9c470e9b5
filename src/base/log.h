#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * What the owner reads at night: one line each on standard error, a lower-case
 * clause without full stop, values quoted. Never a secret; and whatever bytes a
 * name in it has, they are shown, not sent, to the terminal.
 */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/**
 * log_threshold(level): messages above it are dropped; LOG_WARN at start.
 * log_to(fn, cookie): send lines elsewhere (a progress display that must clear
 * its line first, an agent's log); NULL restores standard error. The function
 * is called with the log's lock held and must not log.
 */
void log_threshold(enum log_level max);
typedef void log_fn(void *cookie, enum log_level level, const char *line);
void log_to(log_fn *fn, void *cookie);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* BASE_LOG_H */

#include "stream/meter.h"

#include <stdio.h>
#include <string.h>

void
meter_init(struct meter *m)
{

	memset(m, 0, sizeof(*m));
	pthread_mutex_init(&m->lock, NULL);
}

void
meter_destroy(struct meter *m)
{

	pthread_mutex_destroy(&m->lock);
}

void
meter_path(struct meter *m, const char *path)
{
	size_t len = strlen(path);

	if (len >= sizeof(m->path))
		path += len - (sizeof(m->path) - 1);
	pthread_mutex_lock(&m->lock);
	(void)snprintf(m->path, sizeof(m->path), "%s", path);
	pthread_mutex_unlock(&m->lock);
}

void
meter_get_path(struct meter *m, char *ret, size_t len)
{

	pthread_mutex_lock(&m->lock);
	(void)snprintf(ret, len, "%s", m->path);
	pthread_mutex_unlock(&m->lock);
}

#ifndef RUN_SCAN_H
#define RUN_SCAN_H

/*
 * Counts what a backup will have to look at, in a thread beside it, for the time
 * that is left: a second walk that opens nothing.
 */

#include <stdatomic.h>

#include "source/source.h"
#include "stream/meter.h"

struct scan;

/* Start counting into the meter's totals; ${stop} ends it early. */
int scan_start(struct scan **ret, const struct source_spec *spec,
    struct meter *m, atomic_bool *stop, struct err *e);

/* End it, whether it is done or not. NULL is fine. */
void scan_stop(struct scan *s);

#endif /* RUN_SCAN_H */

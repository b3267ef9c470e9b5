#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/**
 * rand_bytes(p, len, e):
 * Fill ${p} from the kernel's generator; blocks until it is seeded. Return 0 or
 * ERR_FAIL. There is no weaker fallback.
 */
int rand_bytes(void *p, size_t len, struct err *e);

#endif /* BASE_RAND_H */

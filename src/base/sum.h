#ifndef BASE_SUM_H
#define BASE_SUM_H

#include <stddef.h>
#include <stdint.h>

/**
 * sum64(p, len, seed):
 * A checksum against the decay of local caches on flash, not against people:
 * those are what seals and ids are for.
 */
uint64_t sum64(const void *p, size_t len, uint64_t seed);

#endif /* BASE_SUM_H */

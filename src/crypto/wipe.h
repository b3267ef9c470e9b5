#ifndef CRYPTO_WIPE_H
#define CRYPTO_WIPE_H

#include <stddef.h>

/* Overwrite secrets so that the compiler cannot leave it out. */
void wipe(void *p, size_t len);

#endif /* CRYPTO_WIPE_H */

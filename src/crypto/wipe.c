#include "crypto/wipe.h"

#include <string.h>

void
wipe(void *p, size_t len)
{

	/* In musl and glibc: a memset that the compiler may not see through. */
	explicit_bzero(p, len);
}

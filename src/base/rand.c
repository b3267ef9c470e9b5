#include "base/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

/* Kernels before 3.17 have no getrandom; their device is as good once read. */
static int
from_device(uint8_t *p, size_t len, struct err *e)
{
	ssize_t n;
	int fd, rc = 0;

	if ((fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC)) == -1)
		return (err_sys(e, "cannot open /dev/urandom"));
	while (len > 0) {
		n = read(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = err_sys(e, "cannot read /dev/urandom");
			break;
		}
		p += n;
		len -= (size_t)n;
	}
	(void)close(fd);
	return (rc);
}

int
rand_bytes(void *p, size_t len, struct err *e)
{
	uint8_t *to = p;
	ssize_t n;

	while (len > 0) {
		n = getrandom(to, len, 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == ENOSYS)
			return (from_device(to, len, e));
		if (n == -1)
			return (err_sys(e, "cannot get random bytes"));
		to += n;
		len -= (size_t)n;
	}
	return (0);
}

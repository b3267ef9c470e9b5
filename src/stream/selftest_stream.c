#include "base/selftest.h"

const struct selftest stream_selftests[] = {
	{ NULL, NULL },
};

#ifndef RUN_OWNERS_H
#define RUN_OWNERS_H

/*
 * Names of users and groups. Looking one up reads /etc/passwd, so the answers of
 * the last few are kept.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { OWNERS_KEPT = 32, OWNER_NAME_MAX = 64 };

struct owner_name {
	uint32_t id;
	bool known;
	char name[OWNER_NAME_MAX]; /* "" when nobody has that number */
};

struct owners {
	struct owner_name user[OWNERS_KEPT], group[OWNERS_KEPT];
};

/* The name, or "". Valid until the next call for the same kind. */
const char *owners_user(struct owners *o, uid_t uid);
const char *owners_group(struct owners *o, gid_t gid);

#endif /* RUN_OWNERS_H */

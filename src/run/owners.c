#include "run/owners.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>

/* Few numbers make up a tree: a direct-mapped table is enough. */
static struct owner_name *
slot(struct owner_name *table, uint32_t id)
{

	return (&table[id % OWNERS_KEPT]);
}

const char *
owners_user(struct owners *o, uid_t uid)
{
	struct owner_name *s = slot(o->user, uid);
	struct passwd *pw;

	if (!s->known || s->id != uid) {
		pw = getpwuid(uid);
		s->known = true;
		s->id = uid;
		(void)snprintf(s->name, sizeof(s->name), "%s",
		    pw != NULL ? pw->pw_name : "");
	}
	return (s->name);
}

const char *
owners_group(struct owners *o, gid_t gid)
{
	struct owner_name *s = slot(o->group, gid);
	struct group *gr;

	if (!s->known || s->id != gid) {
		gr = getgrgid(gid);
		s->known = true;
		s->id = gid;
		(void)snprintf(s->name, sizeof(s->name), "%s",
		    gr != NULL ? gr->gr_name : "");
	}
	return (s->name);
}

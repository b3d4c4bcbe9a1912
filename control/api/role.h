/* What somebody may do through the admin API; each role may do what the ones before it may. */
#ifndef PM_ROLE_H
#define PM_ROLE_H

#include <stdbool.h>

enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

/* "viewer" */
const char *role_name(enum role role);
/* False: no such role; "none" is one. */
bool role_parse(const char *text, enum role *role);

/* Who changes something, and why: for the journal and for revisions. */
struct actor {
	const char *who;    /* "anna@192.0.2.7", "control" */
	const char *reason; /* NULL: none was given */
};

#endif

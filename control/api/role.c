/* Names of roles: see the header. */
#include "control/api/role.h"

#include <string.h>

static const char *const names[] = {"none", "viewer", "operator", "admin"};

const char *role_name(enum role role)
{
	return names[role];
}

bool role_parse(const char *text, enum role *role)
{
	for (enum role i = ROLE_NONE; i <= ROLE_ADMIN; i++) {
		if (strcmp(names[i], text) == 0) {
			*role = i;
			return true;
		}
	}
	return false;
}

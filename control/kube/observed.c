/* Names of what Routes say: see the header. */
#include "control/kube/observed.h"

const char *observed_termination_name(enum route_termination termination)
{
	static const char *const names[] = {"unknown", "none", "edge", "passthrough", "reencrypt"};
	return names[termination];
}

const char *observed_insecure_name(enum route_insecure insecure)
{
	static const char *const names[] = {"None", "Allow", "Redirect"};
	return names[insecure];
}

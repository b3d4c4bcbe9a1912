/* Control with clusters of its own, without a dataplane, and calls of its API: for tests of what operators do with
 * routes. */
#ifndef PM_ROUTE_FIXTURE_H
#define PM_ROUTE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/api/api.h"
#include "control/control.h"

extern struct control fixture_control;
/* Of the following calls; NULL: none. Reset by fixture_setup. */
extern const char *fixture_if_match;

/* Clusters ose1 and ose2 of control_fixture.h, with health unknown. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* The same process after it was killed: reads the files that it has written. */
void fixture_restart(void);
/* The state file says exactly what control has. */
void fixture_saved(void);
/* All router hosts of the cluster. */
void fixture_health(const char *cluster, enum health_state health);
/* Makes or replaces a cluster; ' stands for ". */
void fixture_put(const char *text);
/* NULL: there is no such name. */
struct name *fixture_route(const char *text);
struct pair *fixture_pair(const char *route, const char *cluster);

/* Calls; ' stands for " in the body. The reply is kept for the functions below. Returns `total` of a list, else 0. */
int fixture_ask(unsigned status, const char *method, const char *path, const char *body);
/* The refusal has this status and this part in its detail; nothing has changed. */
void fixture_refused(unsigned status, const char *part, const char *method, const char *path, const char *body);
/* The write is done; the revision is one up if it has changed something, else the same. */
void fixture_written(bool changed, const char *method, const char *path, const char *body);
/* A dry run that would change something, or would not. */
void fixture_planned(bool changed, const char *method, const char *path, const char *body);

/* "plan.changes[0].host" of the last reply. */
const json_t *fixture_at(const char *path);
const char *fixture_text(const char *path);
double fixture_number(const char *path);

/* The last entry of the journal. */
void fixture_journal(const char *kind, const char *text, const char *reason);

int fixture_run_tests(const struct CMUnitTest *tests, size_t count);

#endif

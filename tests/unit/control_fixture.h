/* Small parts that several tests of control need. */
#ifndef PM_CONTROL_FIXTURE_H
#define PM_CONTROL_FIXTURE_H

#include "common/config.h"
#include "control/state/cluster.h"
#include "control/api/role.h"

/* Who changes things in tests. */
extern const struct actor fixture_actor;

/* A cluster from JSON text, which must be right. The text may use ' for ". */
struct cluster_spec *fixture_cluster(const char *text);

/* A configuration with two listeners (http, https), a source pool, and these paths; `sections` is further JSON, with '
 * for
 * ", such as "'clusters': []", or NULL. It must be right. Whoever comes from loopback is an admin. */
struct config *fixture_config(const char *run, const char *state, const char *sections);

/* Removes what is in the directory, and all below it. */
void fixture_empty(const char *directory);

/* Two clusters as in the demo: ose1 with two hosts, ose2 with one; both have app1.ch. */
#define FIXTURE_OSE1                                                                                                   \
	"{'name': 'ose1', 'source': 'static', 'hosts': [{'name': 'r1', 'address': '203.0.113.11'}, {'name': 'r2', "    \
	"'address': '203.0.113.12'}], 'routes': [{'host': 'app1.ch', 'weight': 10}, {'host': '*.wild.ch'}]}"
#define FIXTURE_OSE2                                                                                                   \
	"{'name': 'ose2', 'source': 'static', 'default_weight': 80, 'hosts': [{'name': 'r1', 'address': "              \
	"'203.0.113.21'}], 'routes': [{'host': 'app1.ch', 'http': false}]}"

#endif

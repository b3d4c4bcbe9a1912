/* The health checks of all router hosts: begun when due, their results to the state, saved. The rules are health.h's,
 * how to check is check_http.h's. */
#ifndef PM_CONTROL_HEALTH_H
#define PM_CONTROL_HEALTH_H

#include <stdint.h>

#include "control/health/check.h"
#include "control/state/cluster.h"
#include "control/health/health.h"

struct cluster;
struct control;

/* Reads what was saved. */
void control_health_read(struct control *control);
void control_health_save(struct control *control);
/* Sets up the timers, before anything else. */
void control_health_init(struct control *control);
void control_health_start(struct control *control);
void control_health_stop(struct control *control);
/* Checks that are due begin now. */
void control_health_wake(struct control *control);

/* The state of a host has changed. `before`: what it was. */
void control_health_changed(struct control *control, const struct cluster *cluster, const struct host_spec *host,
                            const struct health *health, enum health_state before);

#endif

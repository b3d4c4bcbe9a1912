/* From a new file to all workers: see the header. */
#include "dataplane/reconfigure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/config_change.h"
#include "common/log.h"
#include "dataplane/dataplane.h"

enum { STEP_MS = 1, STEPS_MAX = 5000 };

/* What only control reads may differ. */
static bool is_ours(const char *path)
{
	return strncmp(path, "$.admin", 7) != 0 && strcmp(path, "$.paths.state") != 0;
}

/* False: logged. */
static bool acceptable(const struct config *running, const struct config *wanted)
{
	struct config_changes changes;
	config_compare(running, wanted, &changes);
	bool good = true;
	for (size_t i = 0; i < changes.count; i++) {
		if (!changes.list[i].restart || !is_ours(changes.list[i].path))
			continue;
		good = false;
		log_error("%s cannot change while the dataplane runs (%s): restart it, or take the change back",
		          changes.list[i].path, changes.list[i].why);
	}
	return good;
}

/* NULL: logged. */
static struct config *read_wanted(const struct dataplane *dataplane, const struct config *running)
{
	struct config_errors errors = {0};
	struct config *config = config_read(dataplane->config_path, &errors);
	for (size_t i = 0; i < errors.count; i++)
		log_error("%s", errors.lines[i]);
	config_errors_free(&errors);
	if (config && acceptable(running, config))
		return config;
	if (config)
		shared_set(&dataplane->zone.shared->config_refused, config->print);
	config_free(config);
	log_error("the configuration %s was not taken; the one before goes on", dataplane->config_path);
	return NULL;
}

/* A worker looks at each turn of its loop. */
static void await_workers(const struct dataplane *dataplane)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
	for (int i = 0; i < STEPS_MAX && !worker_loops_reconfigured(dataplane->loops); i++)
		nanosleep(&step, NULL);
}

void reconfigure(struct dataplane *dataplane)
{
	struct shared_header *shared = dataplane->zone.shared;
	struct running *before = dataplane->running;
	struct running *running = calloc(1, sizeof(*running));
	if (!running)
		abort();
	running->config = read_wanted(dataplane, before ? before->config : dataplane->config);
	running->vips = shared->vips;
	if (running->config && !vips_update(&running->vips, running->config)) {
		log_error("$.listeners: more than %d (address, port) pairs since the dataplane's start: restart it",
		          VIPS_MAX);
		shared_set(&shared->config_refused, running->config->print);
		config_free(running->config);
		running->config = NULL;
	}
	if (!running->config) {
		free(running);
		return;
	}
	worker_loops_reconfigure(dataplane->loops, running);
	await_workers(dataplane);
	vips_publish(&shared->vips, &running->vips); /* from now on they are served */
	dataplane->running = running;
	shared_set(&shared->config_print, running->config->print);
	if (before && worker_loops_reconfigured(dataplane->loops)) {
		config_free(before->config);
		free(before);
	}
	log_format(running->config->log.json);
	log_info("the configuration %s has been read again", dataplane->config_path);
}

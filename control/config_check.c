/* Checking a configuration file: see the header. */
#include "control/config_check.h"

#include <stdio.h>

#include "common/json_reader.h"
#include "control/state/cluster_json.h"
#include "control/state/state.h"

/* Moves the faults of one cluster, whose paths begin with "$", to where it stands in the file. */
static void add_cluster_faults(struct config_errors *errors, size_t i, const struct json_faults *faults)
{
	for (size_t j = 0; j < faults->count; j++) {
		char path[READER_PATH_MAX + 32];
		snprintf(path, sizeof(path), "$.clusters[%zu]%s", i, faults->list[j].path + 1);
		config_error(errors, path, "%s; expected %s", faults->list[j].reason, faults->list[j].expected);
	}
}

/* Do the clusters fit together and into the machine's limits? Takes the specs. */
static void check_together(const struct config *config, struct cluster_spec **specs, size_t count,
                           struct config_errors *errors, size_t *hosts, size_t *routes)
{
	struct state state = {0};
	*hosts = *routes = 0;
	for (size_t i = 0; i < count; i++) {
		struct json_faults faults = {0};
		*hosts += specs[i]->host_count;
		*routes += specs[i]->route_count;
		state_check(&state, specs[i], config, &faults);
		add_cluster_faults(errors, i, &faults);
		json_faults_free(&faults);
		state_put(&state, specs[i], 0, 0);
	}
	state_free(&state);
}

/* The clusters of a text whose machine's part is wrong. */
static json_t *clusters_of(const char *text, size_t len)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *clusters = json_incref(json_object_get(root, "clusters"));
	json_decref(root);
	return clusters;
}

bool config_check(const char *path, struct config_errors *errors, char *summary, size_t size)
{
	struct cluster_spec *specs[CLUSTERS_MAX];
	struct json_faults faults = {0};
	size_t hosts = 0, routes = 0, len;
	char *text = config_load(path, &len, errors);
	if (!text)
		return false;
	struct config *config = config_parse(text, len, path, errors);
	json_t *clusters = config ? json_incref(config->clusters) : clusters_of(text, len);
	free(text);
	size_t count = clusters_read(clusters, specs, &faults);
	config_faults(errors, &faults);
	json_faults_free(&faults);
	if (config)
		check_together(config, specs, count, errors, &hosts, &routes);
	for (size_t i = 0; !config && i < count; i++)
		cluster_free(specs[i]);
	if (errors->count == 0)
		snprintf(summary, size,
		         "good: %u ports, %u listeners, %zu clusters with %zu router hosts and %zu routes",
		         config->port_count, config->listener_count, count, hosts, routes);
	json_decref(clusters);
	config_free(config);
	return errors->count == 0;
}

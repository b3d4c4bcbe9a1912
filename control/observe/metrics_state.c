/* Metrics of clusters and router hosts. */
#include <stdio.h>
#include <string.h>

#include "control/state/adopt.h"
#include "control/control.h"
#include "control/observe/history.h"
#include "control/api/host_json.h"
#include "control/observe/metrics.h"
#include "control/feed/table.h"

enum { STATES = 4 };

/* ---- clusters ---- */

typedef void (*add_cluster)(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                            const struct metric_label *label);

static void each_cluster(struct metrics_text *text, const struct control *control, add_cluster add)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (cluster)
			add(text, control, cluster, &(struct metric_label){"cluster", cluster->spec->name});
	}
}

static void add_state(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                      const struct metric_label *label)
{
	for (int i = 0; i < STATES; i++) {
		const struct metric_label labels[] = {*label, {"state", cluster_state_name((enum cluster_state)i)}};
		metrics_sample(text, labels, 2, cluster->spec->state == (enum cluster_state)i);
	}
}

static void add_hosts(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                      const struct metric_label *label)
{
	metrics_sample(text, label, 1, cluster->spec->host_count);
}

static void add_healthy(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                        const struct metric_label *label)
{
	uint64_t healthy = 0;
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		healthy += cluster->health[i].state == HEALTH_UP;
	metrics_sample(text, label, 1, healthy);
}

static void add_elected(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                        const struct metric_label *label)
{
	uint64_t elected = 0;
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		elected += cluster->spec->state == CLUSTER_ACTIVE && table_elects(cluster, i);
	metrics_sample(text, label, 1, elected);
}

static void add_routes(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                       const struct metric_label *label)
{
	metrics_sample(text, label, 1, control->state.names.of_cluster[cluster->index]);
}

static void add_active(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                       const struct metric_label *label)
{
	uint64_t active = 0;
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		active += control_host_usage(control, cluster->spec->hosts[i].id).active;
	metrics_sample(text, label, 1, active);
}

static void add_held(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                     const struct metric_label *label)
{
	if (cluster->spec->source != SOURCE_STATIC)
		metrics_sample(text, label, 1, adopt_held(&control->state, cluster));
}

static void add_stale(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                      const struct metric_label *label)
{
	if (cluster->spec->source == SOURCE_WATCH)
		metrics_sample(text, label, 1, !cluster->current);
}

static void add_insecure(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                         const struct metric_label *label)
{
	struct kube_status status;
	if (cluster->spec->source == SOURCE_WATCH && watchers_status(&control->watchers, cluster, &status))
		metrics_sample(text, label, 1, status.insecure);
}

static void add_warnings(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                         const struct metric_label *label)
{
	struct kube_status status;
	if (cluster->spec->source == SOURCE_WATCH && watchers_status(&control->watchers, cluster, &status))
		metrics_sample(text, label, 1, status.warning_count + status.warnings_more);
}

static void add_pushed(struct metrics_text *text, const struct control *control, const struct cluster *cluster,
                       const struct metric_label *label)
{
	if (cluster->spec->source == SOURCE_PUSH && cluster->pushed_at > 0)
		metrics_sample_real(text, label, 1, (double)cluster->pushed_at / 1000);
}

/* ---- watches ---- */

enum watch_value { WATCH_AGE, WATCH_FAILING, WATCH_ERRORS, WATCH_LISTS, WATCH_EVENTS, WATCH_OBJECTS };

static void add_watch(struct metrics_text *text, const struct kube_watch_status *watch, enum watch_value value,
                      const struct metric_label *label)
{
	const struct metric_label labels[] = {*label, {"watch", watch->what}};
	const uint64_t values[] = {
	    [WATCH_FAILING] = watch->failing, [WATCH_ERRORS] = watch->errors,   [WATCH_LISTS] = watch->lists,
	    [WATCH_EVENTS] = watch->events,   [WATCH_OBJECTS] = watch->objects,
	};
	if (value != WATCH_AGE)
		metrics_sample(text, labels, 2, values[value]);
	else if (watch->confirmed_at > 0)
		metrics_sample_real(text, labels, 2, (double)(clock_unix_ms() - watch->confirmed_at) / 1000);
}

static void add_watches(struct metrics_text *text, const struct control *control, enum watch_value value)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct kube_status status;
		const struct cluster *cluster = control->state.clusters[i];
		if (!cluster || cluster->spec->source != SOURCE_WATCH ||
		    !watchers_status(&control->watchers, cluster, &status))
			continue;
		for (size_t j = 0; j < status.watch_count; j++)
			add_watch(text, &status.watches[j], value,
			          &(struct metric_label){"cluster", cluster->spec->name});
	}
}

static void add_all_watches(struct metrics_text *text, const struct control *control)
{
	static const struct {
		enum watch_value value;
		const char *name, *unit, *help;
		enum metric_type type;
	} families[] = {
	    {WATCH_AGE, "pointsman_watch_age_seconds", "seconds",
	     "Time since the last list, event or bookmark: what is known was true then.", METRIC_GAUGE},
	    {WATCH_FAILING, "pointsman_watch_failing", NULL, "1 if the watch fails now.", METRIC_GAUGE},
	    {WATCH_ERRORS, "pointsman_watch_errors", NULL, "Errors of the watch.", METRIC_COUNTER},
	    {WATCH_LISTS, "pointsman_watch_lists", NULL, "Complete lists.", METRIC_COUNTER},
	    {WATCH_EVENTS, "pointsman_watch_events", NULL, "Objects that were added, modified or deleted.",
	     METRIC_COUNTER},
	    {WATCH_OBJECTS, "pointsman_watch_objects", NULL, "Objects that count.", METRIC_GAUGE},
	};
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		metrics_family(text, families[i].name, families[i].type, families[i].unit, families[i].help);
		add_watches(text, control, families[i].value);
	}
}

void metrics_add_clusters(struct metrics_text *text, const struct control *control)
{
	static const struct {
		const char *name, *unit, *help;
		add_cluster add;
	} families[] = {
	    {"pointsman_cluster_state", NULL, "1 for the state that the cluster is in.", add_state},
	    {"pointsman_cluster_hosts", NULL, "Router hosts of the cluster.", add_hosts},
	    {"pointsman_cluster_healthy_hosts", NULL, "Router hosts that pass their check.", add_healthy},
	    {"pointsman_cluster_elected_hosts", NULL, "Router hosts that get new connections.", add_elected},
	    {"pointsman_cluster_routes", NULL, "Host names that the cluster serves.", add_routes},
	    {"pointsman_cluster_active", NULL, "Attempts and connections now.", add_active},
	    {"pointsman_cluster_held", NULL, "Deletions of routes and router hosts that wait for a confirmation.",
	     add_held},
	    {"pointsman_cluster_stale", NULL,
	     "1 if the API has not been listed since the start of control: the last good state serves.", add_stale},
	    {"pointsman_cluster_insecure", NULL, "1 if the certificate of the API is not checked.", add_insecure},
	    {"pointsman_cluster_warnings", NULL, "Objects of the API that are left out or wrong.", add_warnings},
	    {"pointsman_cluster_pushed_time_seconds", "seconds", "When the plugin pushed last, Unix time.", add_pushed},
	};
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		metrics_family(text, families[i].name, METRIC_GAUGE, families[i].unit, families[i].help);
		each_cluster(text, control, families[i].add);
	}
	add_all_watches(text, control);
}

/* ---- router hosts ---- */

enum host_value { VALUE_OF_ACTIVE, VALUE_OF_TOTAL, VALUE_OF_REFUSED, VALUE_OF_HEALTHY, VALUE_OF_ELECTED };

struct place {
	const struct control *control;
	const struct cluster *cluster;
	size_t i;
};

static uint64_t value_of(const struct place *place, enum host_value value)
{
	const struct cluster *cluster = place->cluster;
	struct slot_usage usage = control_host_usage(place->control, cluster->spec->hosts[place->i].id);
	switch (value) {
	case VALUE_OF_ACTIVE:
		return usage.active;
	case VALUE_OF_TOTAL:
		return usage.total;
	case VALUE_OF_REFUSED:
		return usage.refused;
	case VALUE_OF_HEALTHY:
		return cluster->health[place->i].state == HEALTH_UP;
	case VALUE_OF_ELECTED:
		return cluster->spec->state == CLUSTER_ACTIVE && table_elects(cluster, place->i);
	}
	return 0;
}

/* Hosts that differ in their second port alone would have the same labels. */
static bool has_twin(const struct cluster *cluster, size_t i)
{
	const struct host_spec *host = &cluster->spec->hosts[i];
	for (size_t j = 0; j < i; j++)
		if (cluster->spec->hosts[j].http_port == host->http_port &&
		    address_equal(&cluster->spec->hosts[j].address, &host->address))
			return true;
	return false;
}

typedef void (*add_host)(struct metrics_text *text, const struct place *place,
                         const struct metric_label labels[static 3], int value);

static void each_host(struct metrics_text *text, const struct control *control, add_host add, int value)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++) {
			char id[HOST_ID_TEXT_MAX];
			const struct host_spec *host = &cluster->spec->hosts[j];
			if (has_twin(cluster, j))
				continue;
			const struct metric_label labels[] = {
			    {"cluster", cluster->spec->name},
			    {"host", host->name},
			    {"address", strchr(host_id_text(cluster, host, id), '/') + 1},
			};
			add(text, &(struct place){control, cluster, j}, labels, value);
		}
	}
}

static void add_value(struct metrics_text *text, const struct place *place, const struct metric_label labels[static 3],
                      int value)
{
	metrics_sample(text, labels, 3, value_of(place, (enum host_value)value));
}

static void add_mode(struct metrics_text *text, const struct place *place, const struct metric_label labels[static 3],
                     int unused)
{
	const struct host_setting *setting =
	    host_modes_find(&place->cluster->modes, place->cluster->spec->hosts[place->i].id);
	enum host_mode mode = setting ? setting->mode : HOST_MODE_ENABLED;
	for (int i = HOST_MODE_ENABLED; i <= HOST_MODE_DISABLED; i++) {
		const struct metric_label all[] = {
		    labels[0], labels[1], labels[2], {"admin", host_mode_name((enum host_mode)i)}};
		metrics_sample(text, all, 4, i == (int)mode);
	}
}

static void add_pods_word(struct metrics_text *text, const struct place *place,
                          const struct metric_label labels[static 3], int unused)
{
	enum host_state state = place->cluster->spec->hosts[place->i].state;
	for (int i = HOST_ACTIVE; i <= HOST_GONE; i++) {
		const struct metric_label all[] = {
		    labels[0], labels[1], labels[2], {"state", cluster_host_state_name((enum host_state)i)}};
		metrics_sample(text, all, 4, i == (int)state);
	}
}

void metrics_add_hosts(struct metrics_text *text, const struct control *control)
{
	static const struct {
		const char *name, *help;
		enum metric_type type;
		add_host add;
		int value;
	} families[] = {
	    {"pointsman_host_active", "Attempts and connections now.", METRIC_GAUGE, add_value, VALUE_OF_ACTIVE},
	    {"pointsman_host_connections", "Connections spliced.", METRIC_COUNTER, add_value, VALUE_OF_TOTAL},
	    {"pointsman_host_refused", "Attempts that failed.", METRIC_COUNTER, add_value, VALUE_OF_REFUSED},
	    {"pointsman_host_healthy", "1 if the router host passes its check.", METRIC_GAUGE, add_value,
	     VALUE_OF_HEALTHY},
	    {"pointsman_host_elected", "1 if the router host gets new connections.", METRIC_GAUGE, add_value,
	     VALUE_OF_ELECTED},
	    {"pointsman_host_admin", "1 for what the operator wants of the router host.", METRIC_GAUGE, add_mode, 0},
	    {"pointsman_host_state", "1 for what its pods say about the router host.", METRIC_GAUGE, add_pods_word, 0},
	};
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		metrics_family(text, families[i].name, families[i].type, NULL, families[i].help);
		each_host(text, control, families[i].add, families[i].value);
	}
}

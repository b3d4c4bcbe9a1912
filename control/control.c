/* Control as a whole: see the header. Order: start, writes, end. */
#include "control/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/api/auth.h"
#include "control/state/cluster_json.h"
#include "control/control_feed.h"
#include "control/control_health.h"
#include "control/control_store.h"
#include "control/drain.h"
#include "control/observe/history.h"
#include "control/observe/journal.h"
#include "control/reload.h"
#include "control/state/revisions.h"
#include "control/observe/sampler.h"
#include "control/observe/tell.h"

static void free_all(struct control *control)
{
	state_free(&control->state);
	journal_close(control->journal);
	revisions_close(control->revisions);
	history_free(control->history);
	for (unsigned i = 0; i < control->notice_count; i++)
		free(control->notices[i]);
}

bool control_init(struct control *control, const struct config *config, struct event_loop *loop)
{
	struct cluster_spec *specs[CLUSTERS_MAX];
	struct json_faults faults = {0};
	char journal_path[CONTROL_PATH_MAX];
	*control = (struct control){.config = config, .loop = loop, .started_at = clock_unix_ms()};
	control_health_init(control);
	control_feed_init(control);
	drains_init(control);
	check_now_init(control);
	snprintf(control->state_file.path, CONTROL_PATH_MAX, "%s/clusters.state", config->paths.state);
	snprintf(control->health_path, CONTROL_PATH_MAX, "%s/health.state", config->paths.state);
	snprintf(journal_path, sizeof(journal_path), "%s/journal.jsonl", config->paths.state);
	control->journal = control->state.journal = journal_open(journal_path);
	control->history = history_create();
	control->revisions = revisions_open(config->paths.state);
	size_t count = clusters_read(config->clusters, specs, &faults);
	bool good = faults.count == 0;
	control_log_faults("configuration", &faults);
	json_faults_free(&faults);
	if (good && control_load(control, specs, count)) {
		control_health_read(control);
		return true;
	}
	records_end(control);
	free_all(control);
	return false;
}

/* ---- writes ---- */

void control_state_changed(struct control *control)
{
	control->table_stale = true;
	control_health_wake(control);
	control_feed_wake(control);
}

void control_config_changed(struct control *control)
{
	log_format(control->config->log.json);
	if (control->auth)
		auth_configure(control->auth, control->config);
	control->feed.resync = true; /* listeners may have other numbers */
	records_tell(control);
	control_state_changed(control);
}

void control_start(struct control *control)
{
	control_health_start(control);
	control_feed_start(control);
	watchers_start(&control->watchers, control);
	drains_wake(control);
	tell(
	    control->journal, NULL,
	    (struct journal_entry){.kind = "control_started", .object = "control", .revision = control->state.revision},
	    "control has started: version " PM_VERSION ", %zu router hosts", control->state.host_count);
	control->sampler = sampler_create(control);
}

void control_stop(struct control *control)
{
	reload_destroy(control->reload);
	sampler_destroy(control->sampler);
	watchers_stop(&control->watchers);
	drains_stop(control);
	check_now_stop(control);
	control_health_stop(control);
	control_feed_stop(control);
	free_all(control);
}

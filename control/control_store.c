/* The state file: see the header. Order: saving, the state at start. */
#include "control/control_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/state/cluster_json.h"
#include "control/control.h"
#include "control/observe/tell.h"
#include "control/state/state_text.h"

void control_notice(struct control *control, const char *format, ...)
{
	char *line;
	va_list args;
	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		abort();
	va_end(args);
	log_warning("%s", line);
	if (control->notice_count < NOTICES_MAX)
		control->notices[control->notice_count++] = line;
	else
		free(line);
}

void control_not_saved(struct control *control)
{
	control->state_file.failing = true;
	tell(control->journal, NULL,
	     (struct journal_entry){.kind = "state_not_saved", .level = JOURNAL_ERROR, .object = "control"}, "%s",
	     control->state_file.why);
}

bool control_save_state(struct control *control, const struct state *state, const struct state_change *change)
{
	struct state_file_status *file = &control->state_file;
	bool was_failing = file->failing;
	size_t len;
	char *text = state_text(state, change, STATE_SAVED, &len);
	file->why[0] = '\0';
	file->good = state_file_write_text(file->path, text, len, true, true, file->why);
	free(text);
	/* It may be written and yet leave something to say. */
	file->failing = false;
	if (file->why[0] != '\0')
		control_not_saved(control);
	else if (was_failing)
		tell(control->journal, NULL, (struct journal_entry){.kind = "state_saved", .object = "control"},
		     "the state can be written again");
	if (file->good)
		file->saved_at = clock_unix_ms();
	return file->good;
}

bool control_save(struct control *control, const struct state_change *change)
{
	bool good = control_save_state(control, &control->state, change);
	control->state.unsaved &= !good;
	return good;
}

bool control_save_in_place(struct control *control)
{
	control->state.revision++;
	control->state.untouched = false;
	if (control_save(control, NULL))
		return true;
	control->state.revision--;
	return false;
}

static void compare_with_file(struct control *control, struct cluster_spec *const *specs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct cluster *cluster = state_cluster(&control->state, specs[i]->name);
		if (!cluster) {
			control_notice(control, "file differs from state: cluster %s is only in the file",
			               specs[i]->name);
			continue;
		}
		/* What a plugin has pushed is never in the file. */
		struct cluster_spec *settings = cluster_copy_settings(cluster->spec);
		/* Nor has the file the last word on the state. */
		if (!specs[i]->state_given)
			specs[i]->state = cluster->spec->state;
		bool pushed = cluster->spec->source == SOURCE_PUSH;
		if (!cluster_equal(specs[i], pushed ? settings : cluster->spec))
			control_notice(
			    control, "file differs from state: cluster %s is another one in the file; the state counts",
			    specs[i]->name);
		cluster_free(settings);
	}
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		bool found = cluster == NULL;
		for (size_t j = 0; j < count && !found; j++)
			found = strcmp(specs[j]->name, cluster->spec->name) == 0;
		if (!found)
			control_notice(control, "file differs from state: cluster %s is only in the state",
			               cluster->spec->name);
	}
}

void control_log_faults(const char *where, const struct json_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		log_error("%s: %s: %s; expected %s", where, faults->list[i].path, faults->list[i].reason,
		          faults->list[i].expected);
}

/* Clusters of the configuration as the first state. Takes the specs. */
static bool begin_from_file(struct control *control, struct cluster_spec **specs, size_t count)
{
	struct json_faults faults = {0};
	for (size_t i = 0; i < count; i++) {
		if (state_check(&control->state, specs[i], control->config, &faults)) {
			state_put(&control->state, specs[i], 0, clock_monotonic_ms());
			state_cluster(&control->state, specs[i]->name)->initial = specs[i]->source == SOURCE_WATCH;
		} else {
			char where[96];
			snprintf(where, sizeof(where), "cluster %s of the configuration", specs[i]->name);
			control_log_faults(where, &faults);
			cluster_free(specs[i]);
		}
	}
	bool good = faults.count == 0;
	json_faults_free(&faults);
	watchers_forget(control);
	control->state.revision = 1;
	control->state.untouched = true;
	tell(control->journal, NULL, (struct journal_entry){.kind = "state_begun", .object = "control", .revision = 1},
	     "the state begins with %zu clusters of the configuration", count);
	if (good && !control_save(control, NULL))
		control_notice(control, "the state cannot be saved, so changes through the API are refused: %s",
		               control->state_file.why);
	return good;
}

static enum state_file_result read_state(struct control *control, const char *path,
                                         char why[static STATE_FILE_TEXT_MAX])
{
	json_t *value;
	struct json_faults faults = {0};
	enum state_file_result result = state_file_read(path, &value, why);
	if (result != STATE_FILE_OK)
		return result;
	if (!state_read(&control->state, value, "$", clock_monotonic_ms(), &faults)) {
		snprintf(why, STATE_FILE_TEXT_MAX, "%s: %s", faults.list[0].path, faults.list[0].reason);
		result = STATE_FILE_BROKEN;
	}
	json_faults_free(&faults);
	json_decref(value);
	return result;
}

/* Sets a broken file aside and reads the one before it. */
static enum state_file_result read_previous(struct control *control, const char *why)
{
	char previous[CONTROL_PATH_MAX + 16], previous_why[STATE_FILE_TEXT_MAX];
	const char *path = control->state_file.path;
	if (!state_file_set_aside(path))
		log_error("%s cannot be renamed: %s", path, strerror(errno));
	snprintf(previous, sizeof(previous), "%s.previous", path);
	enum state_file_result result = read_state(control, previous, previous_why);
	if (result == STATE_FILE_OK)
		control_notice(control,
		               "state file %s was broken (%s): it is now %s.bad, and the version before it is used",
		               path, why, path);
	else
		control_notice(
		    control,
		    "state file %s was broken (%s): it is now %s.bad; there is no version before it (%s), so the "
		    "clusters "
		    "of the configuration are used",
		    path, why, path, previous_why);
	if (result == STATE_FILE_OK)
		control_save(control, NULL);
	return result == STATE_FILE_OK ? STATE_FILE_OK : STATE_FILE_NONE;
}

bool control_load(struct control *control, struct cluster_spec **specs, size_t count)
{
	char why[STATE_FILE_TEXT_MAX];
	enum state_file_result result = read_state(control, control->state_file.path, why);
	if (result == STATE_FILE_BROKEN)
		result = read_previous(control, why);
	if (result == STATE_FILE_NONE)
		return begin_from_file(control, specs, count);
	if (result == STATE_FILE_OK) {
		control->state_file.good = true;
		compare_with_file(control, specs, count);
		watchers_load(control);
	} else {
		log_error("state file %s: %s; move it away to begin with the clusters of the configuration",
		          control->state_file.path, why);
	}
	for (size_t i = 0; i < count; i++)
		cluster_free(specs[i]);
	return result == STATE_FILE_OK;
}

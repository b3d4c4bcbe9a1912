/* What the operator wants of router hosts: see the header. */
#include "control/state/host_mode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "control/duration.h"

static const char *const mode_names[] = {"enabled", "draining", "disabled"};

void host_modes_free(struct host_modes *modes)
{
	free(modes->list);
	*modes = (struct host_modes){0};
}

const char *host_mode_name(enum host_mode mode)
{
	return mode_names[mode];
}

/* Where the id stands, or would stand. */
static size_t place_of(const struct host_modes *modes, uint64_t id)
{
	size_t low = 0, high = modes->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (modes->list[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct host_setting *host_modes_find(const struct host_modes *modes, uint64_t id)
{
	size_t place = place_of(modes, id);
	return place < modes->count && modes->list[place].id == id ? &modes->list[place] : NULL;
}

bool host_modes_set(struct host_modes *modes, const struct host_setting *setting)
{
	struct host_setting *found = host_modes_find(modes, setting->id);
	if (found) {
		*found = *setting;
		return true;
	}
	if (modes->count == HOST_MODES_MAX)
		return false;
	size_t place = place_of(modes, setting->id);
	struct host_setting copy = *setting; /* it may lie in the list */
	modes->list = realloc(modes->list, (modes->count + 1) * sizeof(*modes->list));
	if (!modes->list)
		abort();
	memmove(&modes->list[place + 1], &modes->list[place], (modes->count - place) * sizeof(*modes->list));
	modes->list[place] = copy;
	modes->count++;
	return true;
}

void host_modes_clear(struct host_modes *modes, uint64_t id)
{
	struct host_setting *found = host_modes_find(modes, id);
	if (!found)
		return;
	size_t behind = modes->count - (size_t)(found - modes->list) - 1;
	memmove(found, found + 1, behind * sizeof(*found));
	modes->count--;
}

struct drain drain_begin(int64_t unix_ms, uint64_t timeout, bool closes, const struct actor *actor)
{
	struct drain drain = {.since = unix_ms, .timeout = timeout};
	if (closes)
		drain.deadline = unix_ms;
	else if (timeout > 0)
		drain.deadline = unix_ms + (int64_t)timeout;
	utf8_copy(drain.by, sizeof(drain.by), actor && actor->who ? actor->who : "control");
	if (actor && actor->reason)
		utf8_copy(drain.reason, sizeof(drain.reason), actor->reason);
	return drain;
}

/* ---- saved ---- */

json_t *drain_write(const struct drain *drain)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:b, s:s, s:s}", "since", (json_int_t)drain->since, "deadline",
	                 (json_int_t)drain->deadline, "timeout", (json_int_t)drain->timeout, "ended",
	                 (json_int_t)drain->ended, "told", drain->told, "by", drain->by, "reason", drain->reason);
}

bool drain_timeout_valid(int64_t timeout)
{
	return timeout == 0 || (timeout >= 1000 && timeout <= (int64_t)DURATION_MAX_DAYS * 24 * 3600 * 1000);
}

struct drain drain_read(const json_t *value)
{
	struct drain drain = {0};
	json_int_t since, deadline, timeout, ended;
	int told;
	const char *by, *reason;
	if (json_unpack((json_t *)(uintptr_t)value, "{s:I, s:I, s:I, s:I, s:b, s:s, s:s}", "since", &since, "deadline",
	                &deadline, "timeout", &timeout, "ended", &ended, "told", &told, "by", &by, "reason",
	                &reason) != 0 ||
	    since <= 0 || !drain_timeout_valid(timeout))
		return drain;
	drain = (struct drain){
	    .since = since, .deadline = deadline, .timeout = (uint64_t)timeout, .ended = ended, .told = told};
	utf8_copy(drain.by, sizeof(drain.by), by);
	utf8_copy(drain.reason, sizeof(drain.reason), reason);
	return drain;
}

static json_t *setting_write(const struct host_setting *setting)
{
	char address[ADDRESS_TEXT_MAX];
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:o}", "mode", host_mode_name(setting->mode), "name",
	                 setting->host.name, "address", address_format(&setting->host.address, address), "http_port",
	                 setting->host.http_port, "https_port", setting->host.https_port, "drain",
	                 drain_write(&setting->drain));
}

json_t *host_modes_write(const struct host_modes *modes)
{
	json_t *array = modes->count > 0 ? json_array() : NULL;
	for (size_t i = 0; i < modes->count; i++)
		json_array_append_new(array, setting_write(&modes->list[i]));
	return array;
}

static bool setting_read(const json_t *value, const char *cluster, struct host_setting *out)
{
	const char *mode, *name, *address;
	int http, https;
	json_t *drain;
	*out = (struct host_setting){0};
	if (json_unpack((json_t *)(uintptr_t)value, "{s:s, s:s, s:s, s:i, s:i, s:o}", "mode", &mode, "name", &name,
	                "address", &address, "http_port", &http, "https_port", &https, "drain", &drain) != 0 ||
	    !cluster_name_valid(name) || !address_parse(address, &out->host.address))
		return false;
	for (int i = HOST_MODE_DRAINING; i <= HOST_MODE_DISABLED; i++)
		if (strcmp(mode, mode_names[i]) == 0)
			out->mode = (enum host_mode)i;
	snprintf(out->host.name, sizeof(out->host.name), "%s", name);
	out->host.http_port = (uint16_t)http;
	out->host.https_port = (uint16_t)https;
	out->host.id = out->id = cluster_host_id(cluster, &out->host);
	out->drain = drain_read(drain);
	return out->mode != HOST_MODE_ENABLED;
}

void host_modes_read(struct host_modes *modes, const json_t *array, const char *cluster)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct host_setting setting;
		if (setting_read(json_array_get(array, i), cluster, &setting))
			host_modes_set(modes, &setting);
	}
}

/* Checks of state documents: see the header. */
#include "control/state/document_check.h"

#include <stdio.h>
#include <string.h>

#include "control/duration.h"
#include "control/state/host_mode.h"
#include "control/state/hundredths.h"

enum { PLACE_MAX = READER_PATH_MAX + 300, AT_MAX = PLACE_MAX + READER_TEXT_MAX + 24 };

static void check_overrides(const json_t *overrides, const char *place, struct json_faults *faults)
{
	const char *text;
	json_t *weight;
	if (overrides && !json_is_object(overrides))
		json_faults_add(faults, place, "an object", "is %s", json_kind(overrides));
	json_object_foreach((json_t *)(uintptr_t)overrides, text, weight)
	{
		struct hostname host;
		bool wildcard;
		uint16_t value;
		char at[AT_MAX], quoted[READER_TEXT_MAX];
		snprintf(at, sizeof(at), "%.*s[%s]", PLACE_MAX, place, json_quote(text, quoted));
		if (!name_parse(text, &host, &wildcard))
			json_faults_add(faults, at, "a host name, such as \"app1.ch\" or \"*.wild.ch\"", "is none");
		else if (!hundredths_of(weight, &value))
			json_faults_add(faults, at, "a number from 0 to 100 with at most 2 decimals", "is none");
	}
}

static void check_parked(const json_t *parked, const char *place, struct json_faults *faults)
{
	if (parked && !json_is_array(parked))
		json_faults_add(faults, place, "an array", "is %s", json_kind(parked));
	for (size_t i = 0; i < json_array_size(parked); i++) {
		struct hostname host;
		bool wildcard;
		char at[AT_MAX];
		const char *text = json_string_value(json_array_get(parked, i));
		snprintf(at, sizeof(at), "%.*s[%zu]", PLACE_MAX, place, i);
		if (!text || !name_parse(text, &host, &wildcard))
			json_faults_add(faults, at, "a host name, such as \"app1.ch\" or \"*.wild.ch\"", "is none");
	}
}

static const char *within(const char *place, const char *field, char at[static PLACE_MAX])
{
	snprintf(at, PLACE_MAX, "%.*s.%s", READER_PATH_MAX, place, field);
	return at;
}

static void check_timeout(const json_t *drain, const char *place, struct json_faults *faults)
{
	char at[AT_MAX], expected[64];
	const json_t *timeout = json_object_get(drain, "timeout");
	if (!json_is_integer(timeout) || drain_timeout_valid(json_integer_value(timeout)))
		return;
	snprintf(expected, sizeof(expected), "milliseconds from 1000 to %d days, or 0 for none", DURATION_MAX_DAYS);
	json_faults_add(faults, within(place, "drain.timeout", at), expected,
	                "%" JSON_INTEGER_FORMAT " is out of range", json_integer_value(timeout));
}

static void check_drain(const json_t *entry, const char *place, struct json_faults *faults)
{
	char at[AT_MAX];
	size_t before = faults->count + faults->more;
	const json_t *drain = json_object_get(entry, "drain");
	check_timeout(drain, place, faults);
	if (drain && faults->count + faults->more == before && drain_read(drain).since == 0)
		json_faults_add(faults, within(place, "drain", at), "since, deadline, timeout, ended, told, by, reason",
		                "is no drain");
}

static void check_modes(const json_t *list, const char *place, struct json_faults *faults)
{
	if (list && !json_is_array(list))
		json_faults_add(faults, place, "an array", "is %s", json_kind(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct host_modes modes = {0};
		char at[AT_MAX];
		json_t *one = json_pack("[O]", json_array_get(list, i));
		host_modes_read(&modes, one, "any");
		snprintf(at, sizeof(at), "%.*s[%zu]", PLACE_MAX, place, i);
		if (modes.count == 0)
			json_faults_add(faults, at,
			                "\"mode\" draining or disabled, \"name\", \"address\", \"http_port\", "
			                "\"https_port\", \"drain\"",
			                "is no setting of a router host");
		check_timeout(json_object_get(json_array_get(list, i), "drain"), at, faults);
		host_modes_free(&modes);
		json_decref(one);
	}
}

static void check_watched(const json_t *watched, const char *name, const char *place, struct json_faults *faults)
{
	const char *own = json_string_value(json_object_get(watched, "cluster"));
	if (!watched)
		return;
	if (!own || !name || strcmp(own, name) != 0)
		json_faults_add(faults, place, "the name of this cluster in \"cluster\"", "is of another cluster");
	else if (!json_is_array(json_object_get(watched, "hosts")) ||
	         !json_is_array(json_object_get(watched, "routes")))
		json_faults_add(faults, place, "the arrays \"hosts\" and \"routes\"", "is without them");
}

static void check_known(const json_t *entry, const char *place, struct json_faults *faults)
{
	static const char *const known[] = {"index", "pushed_at",  "initial", "cluster", "overrides",
	                                    "held",  "host_modes", "drain",   "parked",  "watched"};
	const char *field;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)entry, field, value)
	{
		bool found = false;
		char at[AT_MAX], quoted[READER_TEXT_MAX];
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found |= strcmp(field, known[i]) == 0;
		snprintf(at, sizeof(at), "%.*s[%s]", PLACE_MAX, place, json_quote(field, quoted));
		if (!found)
			json_faults_add(faults, at, "no such field", "is unknown");
	}
}

static void check_entry(const json_t *entry, const char *place, struct json_faults *faults)
{
	char at[AT_MAX];
	const char *name = json_string_value(json_object_get(json_object_get(entry, "cluster"), "name"));
	check_known(entry, place, faults);
	check_overrides(json_object_get(entry, "overrides"), within(place, "overrides", at), faults);
	check_parked(json_object_get(entry, "parked"), within(place, "parked", at), faults);
	check_modes(json_object_get(entry, "host_modes"), within(place, "host_modes", at), faults);
	check_watched(json_object_get(entry, "watched"), name, within(place, "watched", at), faults);
	check_drain(entry, place, faults);
}

void document_check_entries(const json_t *clusters, const char *path, struct json_faults *faults)
{
	for (size_t i = 0; i < json_array_size(clusters); i++) {
		char place[READER_PATH_MAX];
		snprintf(place, sizeof(place), "%s.clusters[%zu]", path, i);
		if (json_is_object(json_array_get(clusters, i)))
			check_entry(json_array_get(clusters, i), place, faults);
	}
}

void document_check_clusters(const struct state *state, const json_t *clusters, const struct config *config,
                             const char *path, struct json_faults *faults)
{
	for (size_t i = 0; i < json_array_size(clusters); i++) {
		struct json_faults found = {0};
		const json_t *number = json_object_get(json_array_get(clusters, i), "index");
		const struct cluster *cluster = state_cluster_numbered(state, (uint16_t)json_integer_value(number));
		state_check(state, cluster->spec, config, &found);
		for (size_t j = 0; j < found.count; j++) {
			char at[AT_MAX];
			snprintf(at, sizeof(at), "%s.clusters[%zu].cluster%s", path, i, found.list[j].path + 1);
			json_faults_add(faults, at, found.list[j].expected, "%s", found.list[j].reason);
		}
		json_faults_free(&found);
	}
}

/* Overrides and holds, saved: see the header. */
#include "control/state/state_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/state/hundredths.h"

static const char *const reasons[] = {"none", "all", "many"};

json_t *state_facts_write_hold(const struct hold *hold)
{
	return json_pack("{s:s, s:I, s:I}", "reason", reasons[hold->reason], "since", (json_int_t)hold->since, "listed",
	                 (json_int_t)hold->listed);
}

struct hold state_facts_read_hold(const json_t *value)
{
	const char *reason;
	json_int_t since, listed;
	if (json_unpack((json_t *)(uintptr_t)value, "{s:s, s:I, s:I}", "reason", &reason, "since", &since, "listed",
	                &listed) != 0)
		return (struct hold){0};
	for (int i = HOLD_ALL; i <= HOLD_MANY; i++)
		if (strcmp(reason, reasons[i]) == 0)
			return (struct hold){(enum hold_reason)i, since, listed};
	return (struct hold){0};
}

void state_facts_write_overrides(json_t *object, const struct names *names, uint16_t cluster)
{
	json_t *overrides = NULL;
	if (names->overrides_of[cluster] == 0)
		return;
	for (const struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		char text[ROUTE_TEXT_MAX];
		const struct pair *pair = names_pair(name, cluster);
		if (!pair || !pair->overridden)
			continue;
		if (!overrides)
			overrides = json_object();
		json_object_set_new(overrides, name_format(&name->host, name->wildcard, text),
		                    hundredths_json(pair->override));
	}
	if (overrides)
		json_object_set_new(object, "overrides", overrides);
}

void state_facts_read_overrides(struct reader *reader, struct names *names, uint16_t cluster)
{
	const char *text;
	json_t *weight;
	json_object_foreach(reader_field(reader, "overrides"), text, weight)
	{
		struct hostname host;
		bool wildcard;
		uint16_t value;
		if (!hundredths_of(weight, &value) || !name_parse(text, &host, &wildcard))
			continue;
		struct name *name = names_add(names, &host, wildcard);
		names_pair_override(names, name, names_pair_add(names, name, cluster), value);
	}
}

void state_facts_write_parked(json_t *object, const struct names *names, uint16_t cluster)
{
	json_t *parked = json_array();
	for (const struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		char text[ROUTE_TEXT_MAX];
		const struct pair *pair = names_pair(name, cluster);
		if (pair && pair->present && pair->parked)
			json_array_append_new(parked, json_string(name_format(&name->host, name->wildcard, text)));
	}
	if (json_array_size(parked) > 0)
		json_object_set(object, "parked", parked);
	json_decref(parked);
}

void state_facts_read_parked(struct reader *reader, const struct names *names, uint16_t cluster)
{
	const json_t *parked = reader_field(reader, "parked");
	for (size_t i = 0; i < json_array_size(parked); i++) {
		struct hostname host;
		bool wildcard;
		const char *text = json_string_value(json_array_get(parked, i));
		struct name *name =
		    text && name_parse(text, &host, &wildcard) ? names_find_host(names, &host, wildcard) : NULL;
		struct pair *pair = name ? names_pair(name, cluster) : NULL;
		if (pair && pair->present)
			pair->parked = true;
	}
}

static const char *host_key(const struct host_spec *host, char text[static 20])
{
	snprintf(text, 20, "%016" PRIx64, host->id);
	return text;
}

void state_facts_write_held(json_t *object, const struct cluster_spec *spec)
{
	json_t *routes = json_object(), *hosts = json_object();
	char text[ROUTE_TEXT_MAX];
	for (size_t i = 0; i < spec->route_count; i++)
		if (spec->routes[i].hold.reason != HOLD_NONE)
			json_object_set_new(routes, route_format(&spec->routes[i], text),
			                    state_facts_write_hold(&spec->routes[i].hold));
	for (size_t i = 0; i < spec->host_count && !cluster_hosts_are_observed(spec); i++)
		if (spec->hosts[i].hold.reason != HOLD_NONE)
			json_object_set_new(hosts, host_key(&spec->hosts[i], text),
			                    state_facts_write_hold(&spec->hosts[i].hold));
	if (json_object_size(routes) + json_object_size(hosts) > 0)
		json_object_set_new(object, "held", json_pack("{s:O, s:O}", "routes", routes, "hosts", hosts));
	json_decref(routes);
	json_decref(hosts);
}

void state_facts_read_held(struct reader *reader, struct cluster_spec *spec)
{
	const json_t *held = reader_field(reader, "held");
	const json_t *routes = json_object_get(held, "routes"), *hosts = json_object_get(held, "hosts");
	char text[ROUTE_TEXT_MAX];
	for (size_t i = 0; routes && i < spec->route_count; i++)
		spec->routes[i].hold =
		    state_facts_read_hold(json_object_get(routes, route_format(&spec->routes[i], text)));
	for (size_t i = 0; hosts && i < spec->host_count; i++)
		spec->hosts[i].hold = state_facts_read_hold(json_object_get(hosts, host_key(&spec->hosts[i], text)));
}

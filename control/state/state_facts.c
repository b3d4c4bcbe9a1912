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

static void separate(struct json_text *entries)
{
	json_text_put(entries, entries->len > 0 ? ",\n" : "\n");
}

static void gather_pair(struct state_facts *facts, const struct name *name, const struct pair *pair)
{
	char weight[HUNDREDTHS_TEXT_MAX];
	struct json_text *overrides = &facts->overrides[pair->cluster], *parked = &facts->parked[pair->cluster];
	if (pair->overridden) {
		separate(overrides);
		json_text_host(overrides, &name->host, name->wildcard);
		json_text_put(overrides, ":");
		json_text_put(overrides, hundredths_text(pair->override, weight));
	}
	if (pair->present && pair->parked) {
		separate(parked);
		json_text_host(parked, &name->host, name->wildcard);
	}
}

void state_facts_gather(struct state_facts *facts, const struct names *names)
{
	for (const struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		for (unsigned i = 0; i < name->pair_count; i++)
			gather_pair(facts, name, &name->pairs[i]);
		rollback_gather(&facts->rollbacks, name);
	}
}

void state_facts_free(struct state_facts *facts)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		json_text_free(&facts->overrides[i]);
		json_text_free(&facts->parked[i]);
	}
	rollback_forget_gathered(&facts->rollbacks);
}

void state_facts_write_overrides(struct json_text *text, const struct state_facts *facts, uint16_t cluster)
{
	const struct json_text *overrides = &facts->overrides[cluster];
	if (overrides->len == 0)
		return;
	json_text_put(text, ",\"overrides\":{");
	json_text_add(text, overrides->bytes, overrides->len);
	json_text_put(text, "}");
}

void state_facts_write_parked(struct json_text *text, const struct state_facts *facts, uint16_t cluster)
{
	const struct json_text *parked = &facts->parked[cluster];
	if (parked->len == 0)
		return;
	json_text_put(text, ",\"parked\":[");
	json_text_add(text, parked->bytes, parked->len);
	json_text_put(text, "]");
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

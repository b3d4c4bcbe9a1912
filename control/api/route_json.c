/* A route in JSON: see the header. */
#include "control/api/route_json.h"

#include "control/observe/history.h"
#include "control/api/view.h"
#include "control/state/weight.h"

struct usage {
	uint64_t active, recent;
};

static struct usage usage_of(const struct control *control, uint64_t pair_id)
{
	return (struct usage){control_pair_usage(control, pair_id).active,
	                      history_pair_recent(control->history, pair_id)};
}

static uint64_t pair_id_of(const struct control *control, const struct name *name, const struct pair *pair)
{
	return cluster_pair_id(name->id, control->state.clusters[pair->cluster]->spec->name);
}

static void add_weight(json_t *object, const struct cluster_spec *cluster, const struct pair *pair,
                       struct weight weight)
{
	char why[WEIGHT_WHY_MAX];
	json_object_set_new(object, "weight", hundredths_json(weight.value));
	json_object_set_new(object, "weight_origin", json_string(weight_origin_name(weight.origin)));
	if (weight.bar != WEIGHT_FREE) {
		json_object_set_new(object, "weight_given", hundredths_json(weight.given));
		json_object_set_new(object, "why", json_string(weight_why(weight, cluster, why)));
	}
	if (pair->overridden && pair->weight_given)
		json_object_set_new(object, "weight_of_cluster", json_integer(pair->weight));
}

static void add_shares(json_t *object, const struct shares *shares, const struct share *share, uint64_t recent,
                       uint64_t recent_sum)
{
	json_object_set_new(object, "planned_share", hundredths_json(share->planned));
	json_object_set_new(object, "effective_share", hundredths_json(share->effective));
	if (shares->differ) {
		json_object_set_new(object, "effective_share_http", hundredths_json(share->http));
		json_object_set_new(object, "effective_share_https", hundredths_json(share->https));
	}
	unsigned real = recent_sum > 0 ? (unsigned)((recent * HUNDREDTHS_ALL + recent_sum / 2) / recent_sum) : 0;
	json_object_set_new(object, "real_share", recent_sum > 0 ? hundredths_json(real) : json_null());
	json_object_set_new(object, "recent", view_number(recent));
	json_object_set_new(object, "healthy_hosts", json_integer(share->hosts));
}

static void add_facts(json_t *object, const struct pair *pair)
{
	json_object_set_new(object, "http", json_boolean(pair->http));
	json_object_set_new(object, "https", json_boolean(pair->https));
	if (pair->namespace[0] != '\0') {
		json_object_set_new(object, "namespace", json_string(pair->namespace));
		json_object_set_new(object, "system", json_boolean(cluster_namespace_is_system(pair->namespace)));
		json_object_set_new(object, "created_at", view_time(pair->created));
	}
	if (pair->hold.reason != HOLD_NONE)
		json_object_set_new(object, "held", view_hold(&pair->hold));
	if (pair->warning)
		json_object_set_new(object, "warning", json_string(pair->warning));
}

static json_t *rollback_json(const struct rollback *rollback)
{
	if (!rollback)
		return json_null();
	const struct rollback_change *change = rollback->change;
	return json_pack("{s:I, s:o, s:s, s:s?}", "revision", (json_int_t)change->revision, "at", view_time(change->at),
	                 "by", change->by, "reason", change->reason);
}

json_t *route_json(const struct control *control, const struct share_view *view, const struct name *name)
{
	char text[ROUTE_TEXT_MAX];
	struct shares shares;
	struct usage usage[CLUSTERS_MAX], sum = {0};
	json_t *clusters = json_array();
	share_of(view, name, &shares);
	for (unsigned i = 0; i < name->pair_count; i++) {
		usage[i] = usage_of(control, pair_id_of(control, name, &name->pairs[i]));
		sum.active += usage[i].active;
		sum.recent += name->pairs[i].present ? usage[i].recent : 0;
	}
	for (unsigned i = 0; i < name->pair_count; i++) {
		const struct pair *pair = &name->pairs[i];
		const struct cluster_spec *cluster = control->state.clusters[pair->cluster]->spec;
		if (!pair->present)
			continue;
		json_t *object = json_pack("{s:s}", "cluster", cluster->name);
		struct slot_usage total = control_pair_usage(control, pair_id_of(control, name, pair));
		add_weight(object, cluster, pair, shares.pair[i].weight);
		add_shares(object, &shares, &shares.pair[i], usage[i].recent, sum.recent);
		add_facts(object, pair);
		json_object_set_new(object, "active", view_number(usage[i].active));
		json_object_set_new(object, "total", view_number(total.total));
		json_array_append_new(clusters, object);
	}
	json_t *route =
	    json_pack("{s:s, s:o}", "host", name_format(&name->host, name->wildcard, text), "clusters", clusters);
	json_object_set_new(route, "active", view_number(sum.active));
	json_object_set_new(route, "recent", view_number(sum.recent));
	json_object_set_new(route, "rollback", rollback_json(name->rollback));
	return route;
}

/* From observed or pushed to the state: see the header. Order: routes, router hosts, pushes, the operator. */
#include "control/state/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/state/claims.h"
#include "control/kube/derive.h"
#include "control/observe/tell.h"
#include "control/state/weight.h"

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

/* ---- routes ---- */

/* Would it get connections if its cluster were active? */
static bool would_serve(const struct cluster_spec *spec, const struct pair *pair)
{
	struct weight weight = weight_of(spec, pair);
	return weight.given > 0 && weight.bar != WEIGHT_PARKED && weight.bar != WEIGHT_CONFLICT;
}

/* What is there and was not found by the look: names of the cluster that would go. Free the array. */
static struct name **find_gone(struct state *state, const struct cluster *cluster, uint32_t look, size_t found,
                               size_t *count)
{
	struct names *names = &state->names;
	size_t total = names->of_cluster[cluster->index] - found;
	struct name **gone = allocate(total, sizeof(struct name *));
	*count = 0;
	for (struct name *name = total > 0 ? names_next(names, NULL) : NULL; name; name = names_next(names, name)) {
		const struct pair *pair = names_pair(name, cluster->index);
		if (pair && pair->present && pair->seen != look)
			gone[(*count)++] = name;
	}
	return gone;
}

/* How many of the cluster's routes that are not held have a weight above 0. */
static size_t count_weighted(const struct state *state, const struct cluster *cluster)
{
	size_t count = 0;
	for (const struct name *name = names_next(&state->names, NULL); name; name = names_next(&state->names, name)) {
		const struct pair *pair = names_pair(name, cluster->index);
		count +=
		    pair && pair->present && pair->hold.reason == HOLD_NONE && weight_of(cluster->spec, pair).value > 0;
	}
	return count;
}

static enum hold_reason judge_routes(const struct state *state, const struct cluster *cluster, struct name *const *gone,
                                     size_t count, size_t staying, int64_t unix_ms)
{
	struct hold_question question = {.staying = staying,
	                                 .counted_gone = hold_window_sum(&cluster->routes_gone, unix_ms)};
	for (size_t i = 0; i < count; i++) {
		const struct pair *pair = names_pair(gone[i], cluster->index);
		if (pair->hold.reason != HOLD_NONE)
			continue;
		question.going++;
		question.going_to_serve += would_serve(cluster->spec, pair);
		question.counted_going += weight_of(cluster->spec, pair).value > 0;
	}
	if (question.counted_going + question.counted_gone >= HOLD_ROUTES_MIN)
		question.counted = count_weighted(state, cluster);
	return hold_routes(&question);
}

static struct journal_entry entry_of(const struct cluster *cluster, const char *kind, enum journal_level level)
{
	return (struct journal_entry){
	    .kind = kind, .level = level, .object = "cluster", .cluster = cluster->spec->name};
}

static void tell_held(const struct state *state, const struct cluster *cluster, size_t count, const char *what,
                      enum hold_reason reason)
{
	tell(state->journal, NULL, entry_of(cluster, "deletions_held", JOURNAL_WARNING),
	     "cluster %s: %zu %s%s would go and %s held: %s; what is held serves on until this is confirmed "
	     "(pointsman held confirm %s) or it is back",
	     cluster->spec->name, count, what, plural(count), count == 1 ? "is" : "are", cluster_hold_text(reason),
	     cluster->spec->name);
}

static bool is_held_by(enum hold_reason reason, bool counts)
{
	return reason == HOLD_ALL || (reason == HOLD_MANY && counts);
}

/* Drops or holds what is gone. Returns how many changes that made. */
static size_t take_out_routes(struct state *state, struct cluster *cluster, struct name **gone, size_t count,
                              enum hold_reason reason, bool list, int64_t unix_ms)
{
	size_t held = 0, dropped = 0, expired = 0, counted = 0;
	for (size_t i = 0; i < count; i++) {
		struct pair *pair = names_pair(gone[i], cluster->index);
		bool weighted = weight_of(cluster->spec, pair).value > 0;
		if (pair->hold.reason != HOLD_NONE) {
			if (!list || !hold_listed(&pair->hold, cluster->spec->hold_minutes, unix_ms))
				continue;
			expired++;
		} else if (is_held_by(reason, weighted)) {
			pair->hold = (struct hold){reason, unix_ms, list ? unix_ms : 0};
			held++;
			continue;
		} else {
			counted += weighted;
			dropped++;
		}
		state_drop_route(state, gone[i], cluster->index);
	}
	hold_window_add(&cluster->routes_gone, unix_ms, counted);
	if (held > 0)
		tell_held(state, cluster, held, "route", reason);
	if (expired > 0)
		tell(state->journal, NULL, entry_of(cluster, "held_gone", JOURNAL_INFO),
		     "cluster %s: %zu held routes are gone: complete lists have said so for %u minutes",
		     cluster->spec->name, expired, cluster->spec->hold_minutes);
	return held + dropped + expired;
}

/* True if what the workers are told may be another thing now. */
static bool set_served(struct pair *pair, const struct derived_route *route)
{
	const struct observed_route *first = route->first;
	bool same = pair->http == route->http && pair->https == route->https &&
	            pair->weight_given == first->weight_given && pair->weight == first->weight;
	pair->http = route->http;
	pair->https = route->https;
	pair->weight_given = first->weight_given;
	pair->weight = first->weight;
	return !same;
}

static bool set_facts(struct pair *pair, const struct derived_route *route)
{
	char text[DERIVE_WARNING_MAX];
	bool warned = derive_warning(route, text);
	const struct observed_route *first = route->first;
	bool same = pair->created == first->created && pair->hold.reason == HOLD_NONE &&
	            pair->termination == first->termination && pair->insecure == first->insecure;
	pair->created = first->created;
	pair->termination = first->termination;
	pair->insecure = first->insecure;
	pair->hold = (struct hold){0};
	return names_pair_warn(pair, warned ? text : NULL) || !same;
}

static void set_namespace(struct pair *pair, const struct derived_route *route)
{
	strcpy(pair->namespace, route->first->namespace);
}

/* A name that the cluster has. True if anything changed. */
static bool update_route(struct state *state, struct name *name, struct pair *pair, const struct derived_route *route)
{
	bool served = set_served(pair, route), changed = set_facts(pair, route) || served;
	bool moved = strcmp(pair->namespace, route->first->namespace) != 0;
	if (pair->weight_given && pair->parked) {
		claims_weighed(state, pair);
		served = changed = true;
	}
	if (moved) {
		bool parked = pair->parked;
		set_namespace(pair, route);
		pair->initial = false;
		claims_judge(state, name, pair->cluster);
		pair->parked = parked; /* the namespace alone parks nobody */
		claims_settle(state, name);
	}
	if (served || moved)
		names_touch(&state->names, name);
	return changed || moved;
}

static struct name *add_route(struct state *state, const struct cluster *cluster, const struct derived_route *route)
{
	struct names *names = &state->names;
	struct name *name = names_add(names, &route->first->host, route->first->wildcard);
	struct pair *pair = names_pair_add(names, name, cluster->index);
	set_served(pair, route);
	set_facts(pair, route);
	set_namespace(pair, route);
	pair->initial = cluster->initial && !cluster->known;
	names_pair_set_present(names, name, pair, true);
	claims_judge(state, name, cluster->index);
	return name;
}

static int compare_adopted(const void *a, const void *b)
{
	uint64_t x = ((const struct adopted_route *)a)->id, y = ((const struct adopted_route *)b)->id;
	return (x > y) - (x < y);
}

/* After a start, or when somebody else has changed the routes: all of them, as if nothing of them had been looked at.
 */
static void begin_adopted(const struct state *state, struct cluster *cluster)
{
	const struct names *names = &state->names;
	if (cluster->adopted_valid)
		return;
	free(cluster->adopted);
	cluster->adopted = allocate(names->of_cluster[cluster->index], sizeof(*cluster->adopted));
	cluster->adopted_count = 0;
	for (struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		const struct pair *pair = names_pair(name, cluster->index);
		if (pair && pair->present)
			cluster->adopted[cluster->adopted_count++] = (struct adopted_route){name->id, 0, name};
	}
	qsort(cluster->adopted, cluster->adopted_count, sizeof(*cluster->adopted), compare_adopted);
	cluster->adopted_valid = true;
}

/* What is there beside what is shown. */
struct comparison {
	const struct derived_route *routes;
	size_t count;
	size_t changed_count, gone_count;
	size_t *changed;    /* indices of `next` that are new or different */
	size_t *sources;    /* of these: indices of `routes` */
	struct name **gone; /* that are not shown */
	size_t next_count;
	struct adopted_route *next; /* both together, ordered by id; `name` is NULL for new ones */
};

static void compare(struct comparison *c, const struct cluster *cluster)
{
	size_t i = 0, j = 0, total = c->count + cluster->adopted_count;
	c->changed = allocate(c->count, sizeof(*c->changed));
	c->sources = allocate(c->count, sizeof(*c->sources));
	c->gone = allocate(cluster->adopted_count, sizeof(struct name *));
	c->next = allocate(total, sizeof(*c->next));
	while (i < c->count || j < cluster->adopted_count) {
		const struct derived_route *shown = i < c->count ? &c->routes[i] : NULL;
		const struct adopted_route *known = j < cluster->adopted_count ? &cluster->adopted[j] : NULL;
		struct adopted_route *next = &c->next[c->next_count];
		if (!shown || (known && known->id < shown->id)) {
			*next = (struct adopted_route){known->id, 0, known->name};
			c->gone[c->gone_count++] = known->name;
			j++;
		} else {
			bool same_name = known && known->id == shown->id;
			*next = (struct adopted_route){shown->id, shown->print, same_name ? known->name : NULL};
			if (!same_name || known->print != shown->print) {
				c->sources[c->changed_count] = i;
				c->changed[c->changed_count++] = c->next_count;
			}
			i++;
			j += same_name;
		}
		c->next_count++;
	}
}

static void comparison_free(struct comparison *c)
{
	free(c->changed);
	free(c->sources);
	free(c->gone);
}

/* The next comparison begins with this. What has been dropped is left out. */
static void keep_adopted(struct cluster *cluster, struct comparison *c)
{
	size_t count = 0;
	for (size_t i = 0; i < c->next_count; i++) {
		const struct pair *pair = c->next[i].print == 0 ? names_pair(c->next[i].name, cluster->index) : NULL;
		if (c->next[i].print != 0 || (pair && pair->present))
			c->next[count++] = c->next[i];
	}
	free(cluster->adopted);
	cluster->adopted = c->next;
	cluster->adopted_count = count;
}

static bool adopt_routes(struct state *state, struct cluster *cluster, const struct observed *observed, bool list,
                         int64_t unix_ms)
{
	struct comparison c = {0};
	struct derived_route *routes = derive_routes(observed, &c.count);
	c.routes = routes;
	begin_adopted(state, cluster);
	compare(&c, cluster);
	enum hold_reason reason = judge_routes(state, cluster, c.gone, c.gone_count, c.count, unix_ms);
	size_t changes = take_out_routes(state, cluster, c.gone, c.gone_count, reason, list, unix_ms);
	for (size_t i = 0; i < c.changed_count; i++) {
		struct adopted_route *next = &c.next[c.changed[i]];
		const struct derived_route *route = &routes[c.sources[i]];
		if (next->name) {
			changes += update_route(state, next->name, names_pair(next->name, cluster->index), route);
		} else {
			next->name = add_route(state, cluster, route);
			changes++;
		}
	}
	keep_adopted(cluster, &c);
	comparison_free(&c);
	free(routes);
	return changes > 0;
}

/* ---- router hosts ---- */

static const struct host_spec *find_host(const struct host_spec *hosts, size_t count, uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (hosts[i].id == id)
			return &hosts[i];
	return NULL;
}

static bool is_leaving(const struct cluster *cluster, size_t i, const struct host_spec *target, size_t count)
{
	const struct host_spec *host = &cluster->spec->hosts[i];
	return host->state != HOST_GONE && host->hold.reason == HOLD_NONE && !find_host(target, count, host->id);
}

static bool is_up(const struct cluster *cluster, size_t i)
{
	return cluster->health[i].state == HEALTH_UP;
}

static enum hold_reason judge_hosts(const struct cluster *cluster, const struct host_spec *target, size_t count,
                                    int64_t unix_ms)
{
	struct hold_question question = {.staying = count,
	                                 .counted_gone = hold_window_sum(&cluster->hosts_gone, unix_ms)};
	for (size_t i = 0; i < cluster->spec->host_count; i++) {
		const struct host_spec *host = &cluster->spec->hosts[i];
		bool leaving = is_leaving(cluster, i, target, count);
		question.going += leaving;
		question.going_to_serve += leaving;
		question.counted += host->state != HOST_GONE && host->hold.reason == HOLD_NONE;
		question.counted_going += leaving && is_up(cluster, i);
	}
	return hold_hosts(&question);
}

/* A host that the cluster has and the API does not show. False: it is out at once. */
static bool keep_host(struct cluster *cluster, struct host_spec *host, bool up, enum hold_reason reason, bool list,
                      bool drains, int64_t unix_ms)
{
	if (host->state == HOST_GONE)
		return drains;
	if (host->hold.reason != HOLD_NONE) {
		if (!list || !hold_listed(&host->hold, cluster->spec->hold_minutes, unix_ms))
			return true;
		host->hold = (struct hold){0};
	} else if (is_held_by(reason, up)) {
		host->hold = (struct hold){reason, unix_ms, list ? unix_ms : 0};
		return true;
	} else {
		hold_window_add(&cluster->hosts_gone, unix_ms, up);
	}
	host->state = HOST_GONE;
	host->pods = 0;
	return drains;
}

/* Appends to `hosts`, which has `*count` and room for CLUSTER_HOSTS_MAX, what stays of the cluster's others. */
static void append_staying(const struct state *state, struct cluster *cluster, struct host_spec *hosts, size_t *count,
                           bool list, bool drains, int64_t unix_ms)
{
	size_t target = *count, held = 0;
	enum hold_reason reason = judge_hosts(cluster, hosts, target, unix_ms);
	for (size_t i = 0; i < cluster->spec->host_count; i++) {
		struct host_spec host = cluster->spec->hosts[i];
		bool was_held = host.hold.reason != HOLD_NONE;
		if (find_host(hosts, target, host.id) ||
		    !keep_host(cluster, &host, is_up(cluster, i), reason, list, drains, unix_ms) ||
		    *count == CLUSTER_HOSTS_MAX)
			continue;
		hosts[(*count)++] = host;
		held += !was_held && host.hold.reason != HOLD_NONE;
	}
	if (held > 0)
		tell_held(state, cluster, held, "router host", reason);
}

/* Addresses that are ours are no router hosts. */
static void leave_out_ours(const struct cluster *cluster, const struct config *config, struct host_spec *hosts,
                           size_t *count)
{
	size_t kept = 0;
	char text[ADDRESS_TEXT_MAX];
	for (size_t i = 0; i < *count; i++) {
		if (!state_address_is_ours(config, &hosts[i].address))
			hosts[kept++] = hosts[i];
		else
			log_warning("cluster %s: router host %s is left out: the address belongs to a listener or to "
			            "the source pool",
			            cluster->spec->name, address_format(&hosts[i].address, text));
	}
	*count = kept;
}

static bool hosts_equal(const struct host_spec *a, const struct host_spec *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].id != b[i].id || a[i].state != b[i].state || a[i].pods != b[i].pods ||
		    a[i].check_port != b[i].check_port || a[i].hold.reason != b[i].hold.reason ||
		    a[i].hold.listed != b[i].hold.listed || strcmp(a[i].name, b[i].name) != 0)
			return false;
	return true;
}

static bool adopt_hosts(struct state *state, struct cluster *cluster, const struct config *config,
                        const struct observed *observed, bool list, const struct adopt_clock *clock)
{
	size_t count;
	struct host_spec *hosts = derive_hosts(observed, cluster->spec->name, &count);
	leave_out_ours(cluster, config, hosts, &count);
	append_staying(state, cluster, hosts, &count, list, true, clock->unix_ms);
	if (count == cluster->spec->host_count && hosts_equal(hosts, cluster->spec->hosts, count)) {
		free(hosts);
		return false;
	}
	state_set_hosts(state, cluster, hosts, count, clock->now);
	return true;
}

bool adopt_observed(struct state *state, struct cluster *cluster, const struct config *config,
                    const struct observed *observed, bool list, const struct adopt_clock *clock)
{
	bool routes = adopt_routes(state, cluster, observed, list, clock->unix_ms);
	bool hosts =
	    cluster_hosts_are_observed(cluster->spec) && adopt_hosts(state, cluster, config, observed, list, clock);
	bool first = list && !cluster->known;
	claims_told(state);
	cluster->current |= list;
	cluster->known |= list;
	cluster->unsaved |= routes || hosts || first;
	state->revision += routes || hosts;
	return routes || hosts;
}

bool adopt_reap_hosts(struct state *state, struct cluster *cluster,
                      bool (*idle)(void *context, const struct host_spec *host), void *context,
                      const struct adopt_clock *clock)
{
	size_t count = 0;
	const struct cluster_spec *spec = cluster->spec;
	struct host_spec *hosts = allocate(spec->host_count, sizeof(*hosts));
	for (size_t i = 0; i < spec->host_count; i++)
		if (spec->hosts[i].state != HOST_GONE || !idle(context, &spec->hosts[i]))
			hosts[count++] = spec->hosts[i];
	if (count == spec->host_count) {
		free(hosts);
		return false;
	}
	state_set_hosts(state, cluster, hosts, count, clock->now);
	cluster->unsaved = true;
	state->revision++;
	return true;
}

/* ---- pushes ---- */

static void push_append_route(struct cluster_spec *push, const struct name *name, const struct pair *pair)
{
	push->routes = reallocarray(push->routes, push->route_count + 1, sizeof(*push->routes));
	if (!push->routes)
		abort();
	push->routes[push->route_count++] = (struct route_spec){.name = name->host,
	                                                        .wildcard = name->wildcard,
	                                                        .weight_given = pair->weight_given,
	                                                        .weight = pair->weight,
	                                                        .http = pair->http,
	                                                        .https = pair->https,
	                                                        .hold = pair->hold};
}

static void hold_pushed_routes(struct state *state, struct cluster *cluster, struct cluster_spec *push, int64_t unix_ms)
{
	struct names *names = &state->names;
	size_t found = 0, count, held = 0, counted = 0;
	uint32_t look = names_look(names);
	for (size_t i = 0; i < push->route_count; i++) {
		const struct name *name = names_find(names, cluster_route_id(&push->routes[i]));
		struct pair *pair = name ? names_pair(name, cluster->index) : NULL;
		if (!pair || !pair->present)
			continue;
		pair->seen = look;
		found++;
	}
	struct name **gone = find_gone(state, cluster, look, found, &count);
	enum hold_reason reason = judge_routes(state, cluster, gone, count, push->route_count, unix_ms);
	for (size_t i = 0; i < count; i++) {
		struct pair pair = *names_pair(gone[i], cluster->index);
		bool weighted = weight_of(cluster->spec, &pair).value > 0;
		if (pair.hold.reason != HOLD_NONE) {
			if (hold_listed(&pair.hold, push->hold_minutes, unix_ms))
				continue;
		} else if (is_held_by(reason, weighted)) {
			pair.hold = (struct hold){reason, unix_ms, unix_ms};
			held++;
		} else {
			counted += weighted;
			continue;
		}
		push_append_route(push, gone[i], &pair);
	}
	hold_window_add(&cluster->routes_gone, unix_ms, counted);
	if (held > 0)
		tell_held(state, cluster, held, "route", reason);
	free(gone);
}

static void leave_out_new_routes(const struct state *state, const struct cluster *cluster, struct cluster_spec *push)
{
	size_t kept = 0;
	for (size_t i = 0; i < push->route_count; i++) {
		const struct name *name = names_find(&state->names, cluster_route_id(&push->routes[i]));
		const struct pair *pair = name ? names_pair(name, cluster->index) : NULL;
		if (pair && pair->present)
			push->routes[kept++] = push->routes[i];
	}
	push->route_count = kept;
}

bool adopt_push(struct state *state, struct cluster *cluster, struct cluster_spec *push, const struct config *config,
                const struct adopt_clock *clock, struct json_faults *faults)
{
	hold_pushed_routes(state, cluster, push, clock->unix_ms);
	push->hosts = reallocarray(push->hosts, CLUSTER_HOSTS_MAX, sizeof(*push->hosts));
	if (!push->hosts)
		abort();
	append_staying(state, cluster, push->hosts, &push->host_count, true, false, clock->unix_ms);
	bool fits = state_check_routes(state, push, config, faults);
	if (!fits)
		leave_out_new_routes(state, cluster, push);
	return fits;
}

/* ---- the operator ---- */

static bool is_held_host(const struct host_spec *host)
{
	return host->hold.reason != HOLD_NONE;
}

static size_t held_routes(const struct state *state, const struct cluster *cluster)
{
	size_t count = 0;
	if (cluster->spec->source != SOURCE_WATCH) {
		for (size_t i = 0; i < cluster->spec->route_count; i++)
			count += cluster->spec->routes[i].hold.reason != HOLD_NONE;
		return count;
	}
	for (size_t i = 0; cluster->adopted_valid && i < cluster->adopted_count; i++)
		count += cluster->adopted[i].print == 0 &&
		         names_pair(cluster->adopted[i].name, cluster->index)->hold.reason != HOLD_NONE;
	const struct names *names = &state->names;
	for (const struct name *name = cluster->adopted_valid ? NULL : names_next(names, NULL); name;
	     name = names_next(names, name)) {
		const struct pair *pair = names_pair(name, cluster->index);
		count += pair && pair->hold.reason != HOLD_NONE;
	}
	return count;
}

size_t adopt_held(const struct state *state, const struct cluster *cluster)
{
	size_t count = held_routes(state, cluster);
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		count += is_held_host(&cluster->spec->hosts[i]);
	return count;
}

static size_t confirm_routes(struct state *state, struct cluster *cluster)
{
	size_t count = 0;
	for (struct name *name = names_next(&state->names, NULL); name; name = names_next(&state->names, name)) {
		const struct pair *pair = names_pair(name, cluster->index);
		if (!pair || pair->hold.reason == HOLD_NONE)
			continue;
		state_drop_route(state, name, cluster->index);
		count++;
	}
	return count;
}

static size_t confirm_hosts(struct state *state, struct cluster *cluster, const struct adopt_clock *clock)
{
	const struct cluster_spec *spec = cluster->spec;
	struct host_spec *hosts = allocate(spec->host_count, sizeof(*hosts));
	size_t count = 0;
	for (size_t i = 0; i < spec->host_count; i++) {
		hosts[i] = spec->hosts[i];
		if (!is_held_host(&hosts[i]))
			continue;
		hosts[i].hold = (struct hold){0};
		hosts[i].state = HOST_GONE;
		hosts[i].pods = 0;
		count++;
	}
	state_set_hosts(state, cluster, hosts, spec->host_count, clock->now);
	return count;
}

struct cluster_spec *adopt_without_held(const struct cluster_spec *spec)
{
	struct cluster_spec *copy = cluster_copy_settings(spec);
	copy->hosts = allocate(spec->host_count, sizeof(*copy->hosts));
	copy->routes = allocate(spec->route_count, sizeof(*copy->routes));
	for (size_t i = 0; i < spec->host_count; i++)
		if (!is_held_host(&spec->hosts[i]))
			copy->hosts[copy->host_count++] = spec->hosts[i];
	for (size_t i = 0; i < spec->route_count; i++)
		if (spec->routes[i].hold.reason == HOLD_NONE)
			copy->routes[copy->route_count++] = spec->routes[i];
	return copy;
}

size_t adopt_confirm(struct state *state, struct cluster *cluster, const struct adopt_clock *clock)
{
	size_t count = confirm_routes(state, cluster) + confirm_hosts(state, cluster, clock);
	cluster->adopted_valid = false;
	cluster->unsaved |= count > 0;
	cluster->urgent |= count > 0;
	state->revision += count > 0;
	return count;
}

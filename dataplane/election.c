/* Who gets a connection: the weights of the route pick the cluster, then the healthy router host with the fewest active
 * connections is picked. One election per connection, with what is true at that moment; a retry excludes what was
 * tried.
 *
 * Weights: smooth weighted round robin, so that of 9 connections at 1:8 exactly one goes to the first. Active
 * connections count attempts, and are summed over all workers: exact within a worker; another worker's last burst may
 * be missing, so hosts can differ by at most WORKER_BURST_MAX for each further worker. */
#include "dataplane/core.h"

static bool was_tried(const struct young *young, uint32_t host)
{
	for (unsigned i = 0; i < young->tried_count; i++)
		if (young->tried[i] == host)
			return true;
	return false;
}

/* May this router host be elected by this connection at all? */
static bool usable(const struct worker *worker, const struct young *young, uint32_t slot, bool https)
{
	const struct table_host *host = &worker->tables.active->hosts[slot];
	return host->healthy && (https ? host->https_port : host->http_port) && !was_tried(young, slot);
}

static bool cluster_usable(const struct worker *worker, const struct young *young, uint16_t cluster, bool https)
{
	const struct table_cluster *c = &worker->tables.active->clusters[cluster];
	for (unsigned i = 0; i < c->host_count; i++)
		if (usable(worker, young, c->hosts[i], https))
			return true;
	return false;
}

/* Under suspicion, and it is not the time for a trial. */
static bool shunned(const struct worker *worker, uint32_t slot)
{
	const struct host_health *health = &worker->health[slot];
	return health->suspected && (int32_t)(worker->now - health->trial_at) < 0;
}

static uint64_t active_on(const struct worker *worker, uint32_t slot)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < worker->count; i++)
		sum += shared_get(&shared_hosts_of(shared_worker_at(worker->shared, i))[slot].active);
	return sum;
}

/* The usable router host with the fewest active connections, ties in turn; shunned ones only if there is no other.
 * `*trial`: it is suspected, and another one was passed over for it. */
static uint32_t pick_host(struct worker *worker, const struct young *young, uint16_t cluster, bool https, bool *trial)
{
	struct table_cluster *c = &worker->tables.active->clusters[cluster];
	uint64_t best = UINT64_MAX;
	unsigned winner = 0, usable_count = 0;
	bool found_shunned = true;
	for (unsigned n = 0; n < c->host_count; n++) {
		unsigned i = (c->turn + n) % c->host_count;
		if (!usable(worker, young, c->hosts[i], https))
			continue;
		bool is_shunned = shunned(worker, c->hosts[i]);
		uint64_t active = active_on(worker, c->hosts[i]);
		if (usable_count++ > 0 &&
		    (is_shunned > found_shunned || (is_shunned == found_shunned && active >= best)))
			continue;
		found_shunned = is_shunned;
		best = active;
		winner = i;
	}
	if (usable_count == 0)
		return SLOT_NONE;
	c->turn = (uint16_t)((winner + 1) % c->host_count);
	struct host_health *health = &worker->health[c->hosts[winner]];
	if (health->suspected)
		health->trial_at = worker->now + SUSPECT_TRIAL_MS;
	*trial = health->suspected && usable_count > 1;
	return c->hosts[winner];
}

static bool share_usable(const struct worker *worker, const struct young *young, const struct message_share *share,
                         bool https)
{
	return share->weight > 0 && (https ? share->https : share->http) &&
	       cluster_usable(worker, young, share->cluster, https);
}

/* The share whose turn it is among those that can take the connection; NULL: none can. */
static const struct message_share *pick_share(struct worker *worker, const struct young *young,
                                              struct table_route *route, bool https)
{
	int32_t total = 0, *best_credit = NULL;
	const struct message_share *best = NULL;
	for (unsigned i = 0; i < route->share_count; i++) {
		const struct message_share *share = &route->shares[i];
		if (!share_usable(worker, young, share, https))
			continue;
		int32_t *credit = tables_credit(&worker->tables, route, i);
		*credit += share->weight;
		total += share->weight;
		if (!best || *credit > *best_credit) {
			best = share;
			best_credit = credit;
		}
	}
	if (best)
		*best_credit -= total;
	return best;
}

static bool served(const struct table_route *route, bool https)
{
	for (unsigned i = 0; i < route->share_count; i++)
		if (https ? route->shares[i].https : route->shares[i].http)
			return true;
	return false;
}

static struct table_route *route_of(struct worker *worker, const struct flow *flow, const struct young *young)
{
	struct table_route *route = young->name.len ? tables_route(&worker->tables, &young->name) : NULL;
	if (route)
		return route;
	route = &worker->tables.active->defaults[worker->vips[flow->vip].listener];
	return route->share_count ? route : NULL;
}

/* A retry stays in the cluster while it has a router host left, and the route still goes there. */
static const struct message_share *present_share(struct worker *worker, const struct young *young,
                                                 const struct table_route *route, bool https)
{
	for (unsigned i = 0; i < route->share_count; i++)
		if (route->shares[i].cluster == young->cluster && share_usable(worker, young, &route->shares[i], https))
			return &route->shares[i];
	return NULL;
}

enum election elect(struct worker *worker, struct flow *flow, struct elected *out)
{
	const struct young *young = flow_young(worker, flow);
	bool https = worker->config->listeners[worker->vips[flow->vip].listener].mode == LISTENER_TLS;
	struct table_route *route = route_of(worker, flow, young);
	if (!route)
		return ELECTION_UNKNOWN;
	if (!served(route, https))
		return ELECTION_NOT_SERVED;
	const struct message_share *share = NULL;
	if (young->cluster != CLUSTER_NONE)
		share = present_share(worker, young, route, https);
	if (!share)
		share = pick_share(worker, young, route, https);
	if (!share)
		return ELECTION_UNHEALTHY;
	out->cluster = share->cluster;
	out->share_pair = share->pair;
	out->host = pick_host(worker, young, out->cluster, https, &out->trial);
	return ELECTED;
}

void host_connected(struct worker *worker, uint32_t host)
{
	worker->health[host].suspected = worker->health[host].told = false;
	worker->health[host].failures = 0;
}

void host_suspect(struct worker *worker, uint32_t host)
{
	struct host_health *health = &worker->health[host];
	if (health->suspected)
		return;
	health->suspected = true;
	health->trial_at = worker->now + SUSPECT_TRIAL_MS;
	count(worker, counter_host_suspected);
	/* Perhaps only its MAC has changed. */
	if (!worker->io.ask(worker->io.context, &worker->tables.active->hosts[host].address, true))
		count(worker, counter_ask_lost);
}

void host_failed(struct worker *worker, uint32_t host, bool silent)
{
	struct host_health *health = &worker->health[host];
	shared_add(&worker->hosts[host].refused, 1);
	if (silent)
		host_suspect(worker, host);
	if (silent && health->told)
		health->trial_at = worker->now + SUSPECT_TRIAL_MS;
	if (++health->failures < FAILURES_TOLD)
		return;
	health->failures = 0;
	host_suspect(worker, host); /* also one that refuses: control may be away */
	health->told = true;
	struct event event = {
	    .version = MESSAGE_VERSION,
	    .type = EVENT_HOST_FAILING,
	    .slot = host,
	    .generation = worker->tables.active->hosts[host].generation,
	};
	if (!worker->io.event(worker->io.context, &event))
		count(worker, counter_event_lost);
}

void hosts_refresh_mss(struct worker *worker)
{
	const struct table *table = worker->tables.active;
	uint16_t least = UINT16_MAX;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct table_cluster *cluster = &table->clusters[i];
		for (unsigned j = 0; j < cluster->host_count; j++) {
			uint16_t mss = worker->health[cluster->hosts[j]].mss;
			if (mss && mss < least)
				least = mss;
		}
	}
	worker->router_mss_min = least < COOKIE_MSS_MIN ? COOKIE_MSS_MIN : least;
}

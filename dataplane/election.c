/* Who gets a connection: the weights of the route pick the cluster, then the healthy router host with the fewest active
 * connections is picked. One election per connection, with what is true at that moment; a retry excludes what was
 * tried. An explanation (explain.c) asks the same code, without the consequences.
 *
 * Weights: smooth weighted round robin, so that of 9 connections at 1:8 exactly one goes to the first. Active
 * connections count attempts, and are summed over all workers: exact within a worker; another worker's last burst may
 * be missing, so hosts can differ by at most WORKER_BURST_MAX for each further worker. */
#include "dataplane/core.h"

static bool was_tried(const struct elector *elector, uint32_t host)
{
	for (unsigned i = 0; i < elector->tried_count; i++)
		if (elector->tried[i] == host)
			return true;
	return false;
}

bool host_usable(const struct worker *worker, const struct elector *elector, uint32_t slot)
{
	const struct table_host *host = &worker->tables.active->hosts[slot];
	return host->healthy && (elector->https ? host->https_port : host->http_port) && !was_tried(elector, slot);
}

static struct table_cluster *cluster_of(const struct worker *worker, const struct message_share *share)
{
	return &worker->tables.active->clusters[cluster_place(share->cluster)];
}

static bool cluster_usable(const struct worker *worker, const struct elector *elector,
                           const struct message_share *share)
{
	const struct table_cluster *c = cluster_of(worker, share);
	for (unsigned i = 0; i < c->host_count; i++)
		if (host_usable(worker, elector, c->hosts[i]))
			return true;
	return false;
}

/* Under suspicion, and it is not the time for a trial. */
static bool shunned(const struct worker *worker, uint32_t slot)
{
	const struct host_health *health = &worker->health[slot];
	return health->suspected && (int32_t)(worker->now - health->trial_at) < 0;
}

uint64_t host_active(const struct worker *worker, uint32_t slot)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < worker->count; i++)
		sum += shared_get(&shared_hosts_of(shared_worker_at(worker->shared, i))[slot].active);
	return sum;
}

/* The usable router host with the fewest active connections, ties in turn; shunned ones only if there is no other.
 * The cluster has a usable one. */
static void pick_host(const struct worker *worker, const struct elector *elector, struct decision *decision)
{
	const struct table_cluster *c = cluster_of(worker, &decision->route->shares[decision->share]);
	uint64_t best = UINT64_MAX;
	unsigned usable_count = 0;
	bool found_shunned = true;
	for (unsigned n = 0; n < c->host_count; n++) {
		unsigned i = (c->turn + n) % c->host_count;
		if (!host_usable(worker, elector, c->hosts[i]))
			continue;
		bool is_shunned = shunned(worker, c->hosts[i]);
		uint64_t active = host_active(worker, c->hosts[i]);
		if (usable_count++ > 0 &&
		    (is_shunned > found_shunned || (is_shunned == found_shunned && active >= best)))
			continue;
		found_shunned = is_shunned;
		best = active;
		decision->place = i;
	}
	decision->host = c->hosts[decision->place];
	decision->trial = worker->health[decision->host].suspected && usable_count > 1;
}

bool share_served(const struct message_share *share, bool https)
{
	return https ? share->https : share->http;
}

static bool share_usable(const struct worker *worker, const struct elector *elector, const struct message_share *share)
{
	return share->weight > 0 && share_served(share, elector->https) && cluster_usable(worker, elector, share);
}

/* The share whose turn it is among those that can take the connection. False: none can. */
static bool pick_share(const struct worker *worker, const struct elector *elector, struct decision *decision)
{
	const struct table_route *route = decision->route;
	int32_t best = 0;
	for (unsigned i = 0; i < route->share_count; i++) {
		if (!share_usable(worker, elector, &route->shares[i]))
			continue;
		int32_t credit = tables_credit_now(&worker->tables, route, i) + route->shares[i].weight;
		if (decision->usable == 0 || credit > best) {
			best = credit;
			decision->share = i;
		}
		decision->usable |= (uint16_t)(1u << i);
	}
	return decision->usable != 0;
}

static bool served(const struct table_route *route, bool https)
{
	for (unsigned i = 0; i < route->share_count; i++)
		if (share_served(&route->shares[i], https))
			return true;
	return false;
}

static void find_route(struct worker *worker, const struct elector *elector, struct decision *decision)
{
	decision->route = elector->name->len ? tables_route(&worker->tables, elector->name) : NULL;
	if (decision->route)
		return;
	if (elector->listener == VIP_CLOSED)
		return;
	struct table_route *route = &worker->tables.active->defaults[elector->listener];
	decision->by_default = true;
	decision->route = route->share_count ? route : NULL;
}

/* A retry stays in the cluster while it has a router host left, and the route still goes there. */
static bool stay(const struct worker *worker, const struct elector *elector, struct decision *decision)
{
	const struct table_route *route = decision->route;
	for (unsigned i = 0; i < route->share_count; i++) {
		if (route->shares[i].cluster != elector->cluster || !share_usable(worker, elector, &route->shares[i]))
			continue;
		decision->share = i;
		decision->stays = true;
		return true;
	}
	return false;
}

void decide(struct worker *worker, const struct elector *elector, struct decision *out)
{
	*out = (struct decision){.result = ELECTION_UNKNOWN, .host = SLOT_NONE};
	find_route(worker, elector, out);
	if (!out->route)
		return;
	out->result = ELECTION_NOT_SERVED;
	if (!served(out->route, elector->https))
		return;
	out->result = ELECTION_UNHEALTHY;
	bool stays = elector->cluster != CLUSTER_NONE && stay(worker, elector, out);
	if (!stays && !pick_share(worker, elector, out))
		return;
	out->result = ELECTED;
	pick_host(worker, elector, out);
}

/* What a decision costs: the credits of the shares, the turn among the router hosts, the next trial. */
static void take_note(struct worker *worker, const struct decision *decision)
{
	struct table_route *route = decision->route;
	int32_t total = 0;
	for (unsigned i = 0; !decision->stays && i < route->share_count; i++) {
		if (!(decision->usable & 1u << i))
			continue;
		*tables_credit(&worker->tables, route, i) += route->shares[i].weight;
		total += route->shares[i].weight;
	}
	if (!decision->stays)
		*tables_credit(&worker->tables, route, decision->share) -= total;
	struct table_cluster *cluster = cluster_of(worker, &route->shares[decision->share]);
	cluster->turn = (uint16_t)((decision->place + 1) % cluster->host_count);
	struct host_health *health = &worker->health[decision->host];
	if (health->suspected)
		health->trial_at = worker->now + SUSPECT_TRIAL_MS;
}

enum election elect(struct worker *worker, struct flow *flow, struct elected *out)
{
	const struct young *young = flow_young(worker, flow);
	const struct vip *vip = &worker->vips[flow->vip];
	struct elector elector = {
	    .name = &young->name,
	    .listener = vip->listener,
	    .https = vip->tls,
	    .cluster = young->cluster,
	    .tried_count = young->tried_count,
	    .tried = young->tried,
	};
	struct decision decision;
	decide(worker, &elector, &decision);
	if (decision.result != ELECTED)
		return decision.result;
	take_note(worker, &decision);
	const struct message_share *share = &decision.route->shares[decision.share];
	out->cluster = share->cluster;
	out->share_pair = share->pair;
	out->host = decision.host;
	out->trial = decision.trial;
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

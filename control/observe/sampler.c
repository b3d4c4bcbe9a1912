/* The reading of each second: see the header. The walk over the counters of pairs is the only part that grows with the
 * number of routes: it goes through them in the order of memory and looks at nothing else of a pair without
 * connections. */
#include "control/observe/sampler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/shared.h"
#include "control/api/client_ports.h"
#include "control/control.h"
#include "control/observe/history.h"

enum { SECOND_MS = 1000, PORTS_LOOK_SECONDS = 10, CLOCK_WAIT_SECONDS = 5 };
/* Two readings of seconds that follow each other are less than this apart, however late each is. */
enum { COMPARED_MS = 2 * SECOND_MS };

/* What the counters of a host slot showed, and what has changed since. */
struct host_reading {
	uint64_t total, refused; /* raw */
	uint64_t active, fresh, fresh_refused, owners_total;
};

struct sampler {
	struct control *control;
	struct event_timer timer;
	char path[CONTROL_PATH_MAX];
	void (*ticked)(void *context);
	void *context;
	struct sampler_cost cost;

	/* Of this life of the dataplane; NULL: nothing was read of it yet. */
	const struct shared_header *shared;
	uint64_t started_at;
	struct host_reading *hosts; /* by slot */
	uint64_t *pair_totals;      /* raw, by slot */
	uint64_t spliced, answers;
	uint64_t rx_bytes[PORTS_MAX], tx_bytes[PORTS_MAX];
	bool comparing;    /* the reading before was a second ago */
	uint64_t taken_at; /* monotonic ms: that reading */

	uint32_t client_ports;
	int64_t ports_looked_at; /* second */
};

/* ---- reading ---- */

static uint64_t sum_counter(const struct shared_header *shared, enum counter counter)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < shared->worker_count; i++)
		sum += shared_get(&shared_worker_at((struct shared_header *)shared, i)->counters[counter]);
	return sum;
}

static uint64_t sum_answers(const struct shared_header *shared)
{
	uint64_t sum = 0;
	for (int i = counter_answer_unknown_name; i <= counter_answer_timeout; i++)
		sum += sum_counter(shared, (enum counter)i);
	return sum;
}

/* Growth of a counter since the reading before. */
static uint64_t growth(const struct sampler *sampler, uint64_t now, uint64_t *before)
{
	uint64_t grown = sampler->comparing && now > *before ? now - *before : 0;
	*before = now;
	return grown;
}

/* The same, or since its slot was given to its owner, whichever is later. */
static uint64_t growth_of_owner(const struct sampler *sampler, uint64_t now, uint64_t *before, uint64_t base)
{
	if (*before < base)
		*before = base;
	return growth(sampler, now, before);
}

static void forget(struct sampler *sampler)
{
	free(sampler->hosts);
	free(sampler->pair_totals);
	sampler->hosts = NULL;
	sampler->pair_totals = NULL;
	sampler->shared = NULL;
}

/* Another dataplane than at the reading before. */
static void begin(struct sampler *sampler, const struct shared_header *shared)
{
	forget(sampler);
	sampler->shared = shared;
	sampler->started_at = shared->started_at;
	sampler->hosts = calloc(shared->hosts_max + 1u, sizeof(*sampler->hosts));
	sampler->pair_totals = calloc(shared->pairs_max + 1u, sizeof(*sampler->pair_totals));
	if (!sampler->hosts || !sampler->pair_totals)
		abort();
	sampler->client_ports = 0;
	sampler->ports_looked_at = 0;
}

/* ---- router hosts ---- */

static void read_host_slots(struct sampler *sampler, uint64_t *active, uint64_t *refused)
{
	const struct slots *slots = &sampler->control->hosts;
	for (uint32_t slot = 0; slot < slots->count; slot++) {
		struct host_reading *host = &sampler->hosts[slot];
		struct slot_usage usage = slots->usage(slots->context, slot);
		const struct shared_directory_entry *entry = &slots->entries[slot];
		host->active = usage.active;
		host->fresh = growth_of_owner(sampler, usage.total, &host->total, entry->base_total);
		host->fresh_refused = growth_of_owner(sampler, usage.refused, &host->refused, entry->base_refused);
		host->owners_total = usage.total - entry->base_total;
		*active += host->active;
		*refused += host->fresh_refused;
	}
}

static void tell_hosts(struct sampler *sampler, const struct cluster *cluster)
{
	const struct cluster_spec *spec = cluster->spec;
	struct history *history = sampler->control->history;
	uint64_t sums[history_value_count] = {0};
	for (size_t i = 0; i < spec->host_count; i++) {
		uint32_t slot = slots_find(&sampler->control->hosts, spec->hosts[i].id);
		if (slot == SLOT_NONE)
			continue;
		const struct host_reading *host = &sampler->hosts[slot];
		const uint64_t values[] = {host->active, host->fresh, host->fresh_refused, host->owners_total};
		history_set(history, HISTORY_HOST, spec->hosts[i].id, values);
		for (unsigned j = 0; j < history_value_count; j++)
			sums[j] += values[j];
	}
	history_set(history, HISTORY_CLUSTER, history_cluster_id(spec->name), sums);
}

static void tell_health(const struct control *control)
{
	uint64_t healthy = 0, all = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++, all++)
			healthy += cluster->health[j].state == HEALTH_UP;
	}
	history_set_total(control->history, TOTAL_HEALTHY, healthy);
	history_set_total(control->history, TOTAL_UNHEALTHY, all - healthy);
}

/* ---- pairs ---- */

static void tell_pair(struct sampler *sampler, uint32_t slot, uint64_t active, uint64_t total)
{
	const struct slots *slots = &sampler->control->pairs;
	const struct shared_directory_entry *entry = &slots->entries[slot];
	uint64_t fresh = growth_of_owner(sampler, total, &sampler->pair_totals[slot], entry->base_total);
	if (entry->id == 0 || slots_find(slots, entry->id) != slot)
		return; /* of nobody knows whom */
	history_set_pair(sampler->control->history, entry->id, slots->notes[slot], active, fresh);
}

static void read_pairs(struct sampler *sampler)
{
	struct shared_header *shared = sampler->control->shared;
	const struct shared_pair_counters *pairs[WORKERS_MAX];
	for (unsigned i = 0; i < shared->worker_count; i++)
		pairs[i] = shared_pairs_of(shared, shared_worker_at(shared, i));
	for (uint32_t slot = 0; slot < shared->pairs_max; slot++) {
		uint64_t active = 0, total = 0;
		for (unsigned i = 0; i < shared->worker_count; i++) {
			active += shared_get(&pairs[i][slot].active);
			total += shared_get(&pairs[i][slot].total);
		}
		if (active != 0 || total != sampler->pair_totals[slot])
			tell_pair(sampler, slot, active, total);
	}
}

/* ---- a second ---- */

static void look_for_client_ports(struct sampler *sampler, int64_t second)
{
	if (second - sampler->ports_looked_at < PORTS_LOOK_SECONDS)
		return;
	uint32_t before = sampler->client_ports;
	sampler->ports_looked_at = second;
	sampler->client_ports = client_ports(sampler->control->config, sampler->shared, before);
}

static void read_bytes(struct sampler *sampler, int64_t second)
{
	uint64_t in = 0, out = 0;
	look_for_client_ports(sampler, second);
	for (unsigned i = 0; i < sampler->shared->port_count && i < PORTS_MAX; i++) {
		const struct shared_port *port = &sampler->shared->ports[i];
		uint64_t received = growth(sampler, shared_get(&port->rx_bytes), &sampler->rx_bytes[i]);
		uint64_t sent = growth(sampler, shared_get(&port->tx_bytes), &sampler->tx_bytes[i]);
		if (sampler->client_ports & 1U << i) {
			in += received;
			out += sent;
		}
	}
	history_set_total(sampler->control->history, TOTAL_BYTES_IN, in);
	history_set_total(sampler->control->history, TOTAL_BYTES_OUT, out);
}

static void read_counters(struct sampler *sampler, int64_t second)
{
	struct control *control = sampler->control;
	uint64_t active = 0, refused = 0;
	read_host_slots(sampler, &active, &refused);
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (control->state.clusters[i])
			tell_hosts(sampler, control->state.clusters[i]);
	read_pairs(sampler);
	refused += growth(sampler, sum_answers(control->shared), &sampler->answers);
	history_set_total(control->history, TOTAL_ACTIVE, active);
	history_set_total(control->history, TOTAL_REFUSED, refused);
	history_set_total(
	    control->history, TOTAL_NEW,
	    growth(sampler, sum_counter(control->shared, counter_connections_spliced), &sampler->spliced));
	read_bytes(sampler, second);
}

/* After a second that was missed, or one that took longer because the wall clock was set back, the growth of several
 * would stand in one. */
static bool follows(struct sampler *sampler, int64_t second)
{
	uint64_t now = clock_monotonic_ms(), before = sampler->taken_at;
	sampler->taken_at = now;
	return second == history_second(sampler->control->history) + 1 && now - before < COMPARED_MS;
}

static enum history_column column_for(struct sampler *sampler, int64_t second)
{
	bool next = follows(sampler, second);
	struct control *control = sampler->control;
	enum link_state state = control->link ? dataplane_link_state(control->link) : LINK_ABSENT;
	if (state != LINK_READY || !control->shared) {
		forget(sampler);
		return state == LINK_ABSENT ? HISTORY_ABSENT : HISTORY_BLIND;
	}
	bool same = sampler->shared == control->shared && sampler->started_at == control->shared->started_at;
	if (!same)
		begin(sampler, control->shared);
	return same && next ? HISTORY_FULL : HISTORY_FIRST;
}

static uint64_t thread_cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void sampler_take(struct sampler *sampler, int64_t second)
{
	uint64_t before = thread_cpu_us();
	enum history_column column = column_for(sampler, second);
	sampler->comparing = column == HISTORY_FULL;
	history_begin(sampler->control->history, second, column);
	tell_health(sampler->control);
	if (column >= HISTORY_FIRST)
		read_counters(sampler, second);
	sampler->cost.last_us = thread_cpu_us() - before;
	if (sampler->cost.last_us > sampler->cost.max_us)
		sampler->cost.max_us = sampler->cost.last_us;
	if (sampler->ticked)
		sampler->ticked(sampler->context);
}

/* When the next second of the wall clock has begun. Both clocks are cut off to milliseconds, at different points:
 * without one more the timer could be early, and take the second that is about to end as one of its own. */
static void await_second(struct sampler *sampler)
{
	event_timer_set(sampler->control->loop, &sampler->timer,
	                clock_monotonic_ms() + SECOND_MS + 1 - (uint64_t)(clock_unix_ms() % SECOND_MS));
}

/* A wall clock that was set back by a little is waited for, by more begins the history anew. */
static void fire(void *context)
{
	struct sampler *sampler = context;
	int64_t now = clock_unix_ms(), behind = history_second(sampler->control->history) - now / SECOND_MS;
	if (behind < 0 || behind > CLOCK_WAIT_SECONDS)
		sampler_take(sampler, now / SECOND_MS);
	await_second(sampler);
}

struct sampler *sampler_create(struct control *control)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));
	if (!sampler)
		abort();
	sampler->control = control;
	sampler->timer = (struct event_timer){.fire = fire, .context = sampler};
	snprintf(sampler->path, sizeof(sampler->path), "%s/history.bin", control->config->paths.run);
	history_load(control->history, sampler->path);
	await_second(sampler);
	return sampler;
}

void sampler_destroy(struct sampler *sampler)
{
	event_timer_cancel(sampler->control->loop, &sampler->timer);
	history_save(sampler->control->history, sampler->path);
	forget(sampler);
	free(sampler);
}

void sampler_listen(struct sampler *sampler, void (*ticked)(void *context), void *context)
{
	sampler->ticked = ticked;
	sampler->context = context;
}

struct sampler_cost sampler_cost(const struct sampler *sampler)
{
	return sampler->cost;
}

/* Metrics of the dataplane: its state, ports, VIPs, and every counter of every worker. Families of counters follow from
 * the names in common/counters.h, so that a counter that is added there is a metric at once. */
#include <stdio.h>
#include <string.h>

#include "common/counters.h"
#include "common/shared.h"
#include "common/vips.h"
#include "control/control.h"
#include "control/observe/metrics.h"

static const struct counter_text {
	const char *name, *help;
} counters[] = {
#define X(symbol, help) {#symbol, help},
    COUNTERS_OUTCOMES(X) COUNTERS_OTHERS(X) COUNTERS_GAUGES(X)
#undef X
};

/* ---- workers ---- */

/* Counters whose names begin alike are one family; the rest of the name is its label. */
static const struct group {
	const char *prefix, *family, *label, *help;
	enum metric_type type;
} groups[] = {
    {"rx_", "pointsman_packets_received", "outcome", "Frames received and used, by what became of them.",
     METRIC_COUNTER},
    {"answered_", "pointsman_packets_answered", "by", "Frames received that the worker answered itself.",
     METRIC_COUNTER},
    {"drop_", "pointsman_packets_dropped", "reason", "Frames received and dropped.", METRIC_COUNTER},
    {"tx_", "pointsman_packets_made", "kind", "Frames that the worker made itself; failed and ring_full were not sent.",
     METRIC_COUNTER},
    {"connections_", "pointsman_connection_steps", "step", "Connections that came to this step.", METRIC_COUNTER},
    {"refused_", "pointsman_connections_refused", "reason", "Connections refused because a limit was reached.",
     METRIC_COUNTER},
    {"answer_", "pointsman_answers", "reason", "Connections that got an answer of our own instead of a router host.",
     METRIC_COUNTER},
    {"closed_", "pointsman_connections_closed", "reason", "Connections that ended before the splice without an answer.",
     METRIC_COUNTER},
    {"ended_", "pointsman_connections_ended", "reason", "Connections with a router host that ended.", METRIC_COUNTER},
    {"flows_", "pointsman_flows", "state", "Connections in the table now, by state.", METRIC_GAUGE},
};

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

/* Frames with these outcomes are dropped, although their names say what was received. */
static bool is_drop(int counter)
{
	return counter == counter_rx_partial_checksum || counter == counter_rx_oversize;
}

static bool in_group(const struct group *group, int counter)
{
	bool drops = strcmp(group->prefix, "drop_") == 0;
	if (is_drop(counter))
		return drops;
	return strncmp(counters[counter].name, group->prefix, strlen(group->prefix)) == 0;
}

static const char *label_in(const struct group *group, int counter)
{
	const char *name = counters[counter].name;
	return is_drop(counter) ? name + strlen("rx_") : name + strlen(group->prefix);
}

static void add_group(struct metrics_text *text, const struct shared_header *shared, const struct group *group)
{
	metrics_family(text, group->family, group->type, NULL, group->help);
	for (unsigned i = 0; i < shared->worker_count; i++) {
		char worker[16];
		snprintf(worker, sizeof(worker), "%u", i);
		const struct shared_worker *block = shared_worker_at((struct shared_header *)shared, i);
		for (int j = 0; j < counter_count; j++) {
			if (!in_group(group, j))
				continue;
			const struct metric_label labels[] = {{"worker", worker}, {group->label, label_in(group, j)}};
			metrics_sample(text, labels, 2, shared_get(&block->counters[j]));
		}
	}
}

/* Those that are a family of their own: name, what it is, and whether it is in ticks. */
static const struct single {
	enum counter counter;
	const char *family;
	enum metric_type type;
	bool ticks;
} singles[] = {
    {counter_connections, "pointsman_connections", METRIC_COUNTER, false},
    {counter_port_reused_early, "pointsman_source_ports_reused_early", METRIC_COUNTER, false},
    {counter_port_time_wait, "pointsman_source_ports_time_wait", METRIC_COUNTER, false},
    {counter_host_suspected, "pointsman_hosts_suspected", METRIC_COUNTER, false},
    {counter_message_applied, "pointsman_messages_applied", METRIC_COUNTER, false},
    {counter_message_discarded, "pointsman_messages_discarded", METRIC_COUNTER, false},
    {counter_event_lost, "pointsman_worker_events_lost", METRIC_COUNTER, false},
    {counter_record_lost, "pointsman_worker_records_lost", METRIC_COUNTER, false},
    {counter_ask_lost, "pointsman_neighbour_questions_lost", METRIC_COUNTER, false},
    {counter_flows, "pointsman_flow_table_entries", METRIC_GAUGE, false},
    {counter_heads_large, "pointsman_heads_large", METRIC_GAUGE, false},
    {counter_ports_in_use, "pointsman_source_ports_in_use", METRIC_GAUGE, false},
    {counter_tombstones, "pointsman_tombstones", METRIC_GAUGE, false},
    {counter_loops_busy, "pointsman_worker_busy_loops", METRIC_COUNTER, false},
    {counter_busy_ticks, "pointsman_worker_busy_seconds", METRIC_COUNTER, true},
    {counter_loop_ticks_max, "pointsman_worker_loop_max_seconds", METRIC_GAUGE, true},
    {counter_message_ticks_max, "pointsman_worker_message_max_seconds", METRIC_GAUGE, true},
};

static const struct single *single_of(int counter)
{
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		if ((int)singles[i].counter == counter)
			return &singles[i];
	return NULL;
}

static bool is_grouped(int counter)
{
	for (int i = 0; i < GROUPS; i++)
		if (in_group(&groups[i], counter))
			return true;
	return false;
}

/* A counter that is in no table above has its own name. */
static void add_single(struct metrics_text *text, const struct shared_header *shared, int counter)
{
	static char names[counter_count][64];
	const struct single *single = single_of(counter);
	enum metric_type type = counter < counter_flows ? METRIC_COUNTER : METRIC_GAUGE;
	bool ticks = single && single->ticks && shared->tsc_hz > 0;
	snprintf(names[counter], sizeof(names[counter]), "pointsman_%s", counters[counter].name);
	metrics_family(text, single ? single->family : names[counter], single ? single->type : type,
	               single && single->ticks ? "seconds" : NULL, counters[counter].help);
	for (unsigned i = 0; i < shared->worker_count; i++) {
		char worker[16];
		snprintf(worker, sizeof(worker), "%u", i);
		const struct metric_label label = {"worker", worker};
		uint64_t value = shared_get(&shared_worker_at((struct shared_header *)shared, i)->counters[counter]);
		if (ticks)
			metrics_sample_real(text, &label, 1, (double)value / (double)shared->tsc_hz);
		else if (!single || !single->ticks)
			metrics_sample(text, &label, 1, value);
	}
}

static void add_applied(struct metrics_text *text, const struct control *control)
{
	metrics_family(text, "pointsman_worker_applied_revision", METRIC_GAUGE, NULL,
	               "Revision of the state that the worker has applied.");
	for (unsigned i = 0; i < control->shared->worker_count; i++) {
		char worker[16];
		snprintf(worker, sizeof(worker), "%u", i);
		metrics_sample(text, &(struct metric_label){"worker", worker}, 1,
		               feed_worker_applied(&control->feed, i));
	}
}

void metrics_add_workers(struct metrics_text *text, const struct control *control)
{
	if (!control->shared)
		return;
	for (int i = 0; i < GROUPS; i++)
		add_group(text, control->shared, &groups[i]);
	for (int i = 0; i < counter_count; i++)
		if (!is_grouped(i))
			add_single(text, control->shared, i);
	add_applied(text, control);
}

/* ---- the dataplane as a whole ---- */

static void add_state(struct metrics_text *text, const struct control *control)
{
	static const char *const names[] = {"absent", "starting", "incompatible", "ready"};
	enum link_state state = control->link ? dataplane_link_state(control->link) : LINK_ABSENT;
	metrics_family(text, "pointsman_dataplane_state", METRIC_GAUGE, NULL,
	               "1 for the state that the dataplane is in.");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		metrics_sample(text, &(struct metric_label){"state", names[i]}, 1, i == (unsigned)state);
}

static void add_vips(struct metrics_text *text, const struct control *control)
{
	metrics_family(text, "pointsman_vip_held", METRIC_GAUGE, NULL,
	               "1 if the kernel holds the address of the listener, so that it is served here.");
	for (unsigned i = 0; i < control->config->listener_count; i++) {
		const struct config_listener *listener = &control->config->listeners[i];
		char port[16];
		snprintf(port, sizeof(port), "%u", listener->port);
		for (unsigned j = 0; j < listener->address_count; j++) {
			char address[ADDRESS_TEXT_MAX];
			int vip = vips_find(&control->shared->vips, &listener->addresses[j], listener->port);
			const struct metric_label labels[] = {
			    {"listener", listener->name},
			    {"address", address_format(&listener->addresses[j], address)},
			    {"port", port},
			};
			metrics_sample(text, labels, 3, vip >= 0 && shared_get(&control->shared->vip_held[vip]) != 0);
		}
	}
}

static const struct port_value {
	const char *family, *unit, *help;
	enum metric_type type;
	size_t offset;
} port_values[] = {
#define PORT(name, unit, type, member, help)                                                                           \
	{                                                                                                              \
		"pointsman_port_" name, unit, help, type, offsetof(struct shared_port, member)                         \
	}
    PORT("received_packets", NULL, METRIC_COUNTER, rx_packets, "Frames received."),
    PORT("received_bytes", "bytes", METRIC_COUNTER, rx_bytes, "Bytes received, Ethernet headers included."),
    PORT("sent_packets", NULL, METRIC_COUNTER, tx_packets, "Frames sent."),
    PORT("sent_bytes", "bytes", METRIC_COUNTER, tx_bytes, "Bytes sent, Ethernet headers included."),
    PORT("receive_ring_full", NULL, METRIC_COUNTER, rx_ring_full, "Frames lost because no worker took them in time."),
    PORT("receive_errors", NULL, METRIC_COUNTER, rx_errors, "Frames received with an error."),
    PORT("send_errors", NULL, METRIC_COUNTER, tx_errors, "Frames that could not be sent."),
    PORT("link_up", NULL, METRIC_GAUGE, link_up, "1 if the link is up."),
#undef PORT
};

static void add_ports(struct metrics_text *text, const struct shared_header *shared)
{
	for (size_t i = 0; i < sizeof(port_values) / sizeof(port_values[0]); i++) {
		const struct port_value *value = &port_values[i];
		metrics_family(text, value->family, value->type, value->unit, value->help);
		for (unsigned j = 0; j < shared->port_count && j < PORTS_MAX; j++) {
			char name[sizeof(shared->ports[j].interface) + 1] = "";
			memcpy(name, shared->ports[j].interface, sizeof(shared->ports[j].interface));
			const shared_u64 *at = (const shared_u64 *)((const char *)&shared->ports[j] + value->offset);
			metrics_sample(text, &(struct metric_label){"port", name}, 1, shared_get(at));
		}
	}
}

static void add_mbufs(struct metrics_text *text, const struct shared_header *shared)
{
	/* Workers share a pool: the block of the first one speaks for it. */
	const struct shared_worker *worker = shared_worker_at((struct shared_header *)shared, 0);
	metrics_family(text, "pointsman_mbufs_available", METRIC_GAUGE, NULL, "Packet buffers that are free.");
	metrics_sample(text, NULL, 0, shared_get(&worker->mbufs_available));
	metrics_family(text, "pointsman_mbufs", METRIC_GAUGE, NULL, "Packet buffers that there are.");
	metrics_sample(text, NULL, 0, shared_get(&worker->mbufs_total));
}

void metrics_add_dataplane(struct metrics_text *text, const struct control *control)
{
	add_state(text, control);
	if (!control->shared)
		return;
	metrics_family(text, "pointsman_dataplane_start_time_seconds", METRIC_GAUGE, "seconds",
	               "When the dataplane was started, Unix time.");
	metrics_sample_real(text, NULL, 0, (double)control->shared->started_at / 1000);
	add_vips(text, control);
	add_ports(text, control->shared);
	add_mbufs(text, control->shared);
}

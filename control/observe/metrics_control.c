/* Metrics of control itself: its process, the state and its file, the journal, tokens, pages, what was lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "control/api/admin_json.h"
#include "control/api/auth.h"
#include "control/traffic/connection_log.h"
#include "control/control.h"
#include "control/observe/history.h"
#include "control/observe/journal.h"
#include "control/observe/metrics.h"
#include "control/traffic/probe_certificate.h"
#include "control/traffic/records.h"
#include "control/observe/sampler.h"
#include "control/traffic/unknown_names.h"
#include "control/api/websocket.h"

enum { CERTIFICATE_FILE_MAX = 64 << 10 };

static void add_gauge(struct metrics_text *text, const char *name, const char *help, uint64_t value)
{
	metrics_family(text, name, METRIC_GAUGE, NULL, help);
	metrics_sample(text, NULL, 0, value);
}

static void add_counter(struct metrics_text *text, const char *name, const char *help, uint64_t value)
{
	metrics_family(text, name, METRIC_COUNTER, NULL, help);
	metrics_sample(text, NULL, 0, value);
}

static void add_seconds(struct metrics_text *text, const char *name, enum metric_type type, const char *help,
                        double value)
{
	metrics_family(text, name, type, "seconds", help);
	metrics_sample_real(text, NULL, 0, value);
}

/* ---- the process ---- */

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void add_process(struct metrics_text *text, const struct control *control)
{
	metrics_family(text, "pointsman_build", METRIC_INFO, NULL, "The version of control.");
	metrics_sample(text, &(struct metric_label){"version", PM_VERSION}, 1, 1);
	add_seconds(text, "pointsman_control_start_time_seconds", METRIC_GAUGE, "When control was started, Unix time.",
	            (double)control->started_at / 1000);
	add_seconds(text, "pointsman_control_cpu_seconds", METRIC_COUNTER, "CPU time that control has used.",
	            cpu_seconds());
	metrics_family(text, "pointsman_control_resident_memory_bytes", METRIC_GAUGE, "bytes",
	               "Memory of control that is in RAM.");
	metrics_sample(text, NULL, 0, resident_bytes());
	if (control->sampler)
		add_seconds(text, "pointsman_control_sample_max_seconds", METRIC_GAUGE,
		            "Longest time that reading all counters has taken, once a second.",
		            (double)sampler_cost(control->sampler).max_us / 1e6);
}

/* ---- the state ---- */

static void add_state(struct metrics_text *text, const struct control *control)
{
	const struct names *names = &control->state.names;
	add_gauge(text, "pointsman_revision", "Revision of the state.", control->state.revision);
	add_gauge(text, "pointsman_applied_revision", "Revision that all workers have applied.", control->applied);
	add_gauge(text, "pointsman_state_file_good", "1 if the last write of the state file succeeded.",
	          control->state_file.good);
	json_t *messages = admin_messages(control);
	add_gauge(text, "pointsman_notices", "Messages for the operator: see the status.", json_array_size(messages));
	json_decref(messages);
	add_gauge(text, "pointsman_routes", "Host names that any cluster serves.", names->count);
	add_gauge(text, "pointsman_pairs", "Pairs of host name and cluster.", names->pair_count);
	add_gauge(text, "pointsman_hosts", "Router hosts of all clusters.", control->state.host_count);
}

/* What the configuration allows; the first five for each worker. */
static void add_limits(struct metrics_text *text, const struct config *config)
{
	const struct {
		const char *name;
		uint64_t value;
	} limits[] = {
	    {"connections", config->limits.connections}, {"young", config->limits.young},
	    {"large_heads", config->limits.large_heads}, {"connection_rate", config->limits.connection_rate},
	    {"neighbours", config->limits.neighbours},   {"hosts", config->limits.hosts},
	    {"routes", config->limits.routes},           {"pairs", config->limits.pairs},
	};
	metrics_family(text, "pointsman_limit", METRIC_GAUGE, NULL,
	               "Limits of the configuration; those of hosts, routes and pairs for all, the others for each "
	               "worker.");
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		metrics_sample(text, &(struct metric_label){"limit", limits[i].name}, 1, limits[i].value);
}

/* ---- what has happened ---- */

/* Alerts on these look at their growth, which is only seen if they begin at 0. */
static const struct {
	const char *kind;
	enum journal_level level;
} awaited[] = {
    {"token_refused", JOURNAL_WARNING},
    {"state_not_saved", JOURNAL_ERROR},
};

static bool has_count(const struct journal *journal, const char *kind, enum journal_level level)
{
	const struct journal_count *count;
	for (unsigned i = 0; (count = journal_count(journal, i)); i++)
		if (count->level == level && strcmp(count->kind, kind) == 0)
			return true;
	return false;
}

static void add_event_count(struct metrics_text *text, const char *kind, enum journal_level level, uint64_t count)
{
	const struct metric_label labels[] = {{"kind", kind}, {"level", journal_level_name(level)}};
	metrics_sample(text, labels, 2, count);
}

static void add_events(struct metrics_text *text, const struct journal *journal)
{
	const struct journal_count *count;
	metrics_family(text, "pointsman_events", METRIC_COUNTER, NULL,
	               "Entries of the journal since the start of control.");
	for (unsigned i = 0; (count = journal_count(journal, i)); i++)
		add_event_count(text, count->kind, count->level, count->count);
	for (size_t i = 0; i < sizeof(awaited) / sizeof(awaited[0]); i++)
		if (!has_count(journal, awaited[i].kind, awaited[i].level))
			add_event_count(text, awaited[i].kind, awaited[i].level, 0);
}

static void add_names(struct metrics_text *text, const struct unknown_names *names)
{
	add_counter(text, "pointsman_refused_names", "Refused connections that the workers have told of.",
	            unknown_names_total(names));
	add_gauge(text, "pointsman_refused_names_kept",
	          "Different names, reasons and listeners of these that are kept.", unknown_names_count(names));
}

static void add_lost(struct metrics_text *text, const struct control *control)
{
	struct connection_log_counts counts = connection_log_counts(control);
	add_counter(text, "pointsman_connection_log_lines", "Lines of the connection log.", counts.written);
	add_counter(text, "pointsman_connection_log_lost", "Lines of the connection log that could not be written.",
	            counts.lost_writing);
	add_gauge(text, "pointsman_history_routes_left_out",
	          "Pairs of route and cluster with connections for whose history there is no room.",
	          history_left_out(control->history));
}

/* ---- access ---- */

static void add_access(struct metrics_text *text, const struct control *control)
{
	static const enum role roles[] = {ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN};
	metrics_family(text, "pointsman_tokens", METRIC_GAUGE, NULL, "Tokens of the admin API.");
	for (size_t i = 0; control->auth && i < sizeof(roles) / sizeof(roles[0]); i++)
		metrics_sample(text, &(struct metric_label){"role", role_name(roles[i])}, 1,
		               tokens_count_role(auth_tokens(control->auth), roles[i]));
	add_gauge(text, "pointsman_page_clients", "WebSockets that are open: pages, terminals.",
	          control->websockets ? websockets_count(control->websockets) : 0);
}

/* Unix time in ms at which the certificate of the admin API ends; 0: there is none, or it cannot be read. */
static int64_t certificate_end(const struct config *config)
{
	struct probe_certificate certificate;
	FILE *file = config->admin.tls_certificate[0] != '\0' ? fopen(config->admin.tls_certificate, "re") : NULL;
	if (!file)
		return 0;
	char *pem = malloc(CERTIFICATE_FILE_MAX + 1);
	if (!pem)
		abort();
	pem[fread(pem, 1, CERTIFICATE_FILE_MAX, file)] = '\0';
	fclose(file);
	bool good = probe_certificate_read(pem, "", &certificate);
	free(pem);
	return good ? certificate.not_after : 0;
}

static void add_certificate(struct metrics_text *text, const struct config *config)
{
	int64_t end = certificate_end(config);
	metrics_family(text, "pointsman_certificate_expiry_time_seconds", METRIC_GAUGE, "seconds",
	               "When the certificate ends, Unix time.");
	if (end > 0)
		metrics_sample_real(text, &(struct metric_label){"certificate", "admin"}, 1, (double)end / 1000);
}

void metrics_add_control(struct metrics_text *text, const struct control *control)
{
	add_process(text, control);
	add_state(text, control);
	add_limits(text, control->config);
	add_events(text, control->journal);
	if (control->unknown_names)
		add_names(text, control->unknown_names);
	if (control->connection_log)
		add_lost(text, control);
	add_access(text, control);
	add_certificate(text, control->config);
}

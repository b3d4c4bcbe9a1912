/* Explanations: see the header. */
#include "control/traffic/explain.h"

#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/traffic/explain_view.h"
#include "control/state/hundredths.h"
#include "control/api/view.h"

enum { HOSTS_MAX = ROUTE_CLUSTERS_MAX * CLUSTER_HOSTS_MAX };

struct explain {
	const struct control *control;
	struct explain_question question;
	unsigned worker_count;
	struct explain_answer answers[WORKERS_MAX];
};

static const struct name *find_name(const struct control *control, const struct hostname *name)
{
	const struct name *found = names_find_host(&control->state.names, name, false);
	const char *dot = memchr(name->text, '.', name->len);
	if ((found && names_is_served(found)) || !dot)
		return found;
	struct hostname parent = {.len = (uint8_t)(name->len - (dot + 1 - name->text))};
	memcpy(parent.text, dot + 1, parent.len);
	return names_find_host(&control->state.names, &parent, true);
}

uint16_t explain_listener(const struct control *control, const struct hostname *host)
{
	const struct config *config = control->config;
	const struct name *name = find_name(control, host);
	for (unsigned i = 0; name && i < config->listener_count; i++)
		for (unsigned j = 0; j < name->pair_count; j++) {
			const struct pair *pair = &name->pairs[j];
			bool tls = config->listeners[i].mode == LISTENER_TLS;
			if (pair->present && (tls ? pair->https : pair->http))
				return (uint16_t)i;
		}
	return 0;
}

/* ---- gathering ---- */

struct explain *explain_create(const struct control *control, const struct explain_question *question)
{
	struct explain *explain = calloc(1, sizeof(*explain));
	if (!explain)
		abort();
	explain->control = control;
	explain->question = *question;
	explain->worker_count = control->shared ? control->shared->worker_count : 0;
	return explain;
}

void explain_free(struct explain *explain)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		free(explain->answers[i].hosts);
	free(explain);
}

static void add_host(struct explain_answer *answer, const struct record_explain_host *host)
{
	if (answer->host_count == HOSTS_MAX)
		return;
	if (answer->host_count == answer->host_room) {
		answer->host_room = answer->host_room > 0 ? 2 * answer->host_room : 16;
		answer->hosts = reallocarray(answer->hosts, answer->host_room, sizeof(*answer->hosts));
		if (!answer->hosts)
			abort();
	}
	answer->hosts[answer->host_count++] = *host;
}

void explain_add(struct explain *explain, unsigned worker, const struct record *record)
{
	struct explain_answer *answer = &explain->answers[worker];
	if (record->type == RECORD_EXPLAIN) {
		answer->decided = true;
		answer->decision = record->explain;
	} else if (record->type == RECORD_EXPLAIN_SHARE && answer->share_count < ROUTE_CLUSTERS_MAX) {
		answer->shares[answer->share_count++] = record->share;
	} else if (record->type == RECORD_EXPLAIN_HOST) {
		add_host(answer, &record->host);
	}
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
	return text && text[0] != '\0' ? json_string(text) : json_null();
}

static const char *decision_name(uint8_t decision)
{
	static const char *const names[] = {
	    [DECISION_ELECTED] = "elected",
	    [DECISION_UNKNOWN] = "unknown_name",
	    [DECISION_NOT_SERVED] = "not_served",
	    [DECISION_UNHEALTHY] = "unhealthy",
	};
	return names[decision];
}

static json_t *share_json(const struct explain_share *share)
{
	const struct record_explain_share *record = share->record;
	const char *origin = share->pair ? weight_origin_name(share->weight.origin) : NULL;
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:i, s:b}", "cluster", explain_cluster_name(share->cluster),
	                 "weight", hundredths_json(record->weight), "weight_origin", text_or_null(origin), "why",
	                 text_or_null(share->why), "served", record->served, "usable", record->usable, "credit",
	                 (int)record->credit, "turn", record->elected);
}

static json_t *host_json(const struct explain_host *host)
{
	char address[ADDRESS_TEXT_MAX];
	const struct record_explain_host *record = host->record;
	bool healthy = host->health ? host->health->state == HEALTH_UP : record->healthy;
	return json_pack("{s:s, s:o, s:s, s:i, s:b, s:b, s:o, s:b, s:o, s:b}", "cluster",
	                 explain_cluster_name(host->cluster), "name",
	                 text_or_null(host->spec ? host->spec->name : NULL), "address",
	                 address_format(&record->address, address), "port", record->port, "healthy", healthy,
	                 "suspected", record->suspected, "active", view_number(record->active), "usable",
	                 record->usable, "why", text_or_null(host->why), "elected", record->elected);
}

static json_t *elected_json(const struct explain_view *view)
{
	char address[ADDRESS_TEXT_MAX];
	const struct explain_host *host = explain_elected(view);
	if (!host)
		return json_null();
	return json_pack("{s:s, s:o, s:s, s:i}", "cluster", explain_cluster_name(host->cluster), "host",
	                 text_or_null(host->spec ? host->spec->name : NULL), "address",
	                 address_format(&host->record->address, address), "port", host->record->port);
}

/* What the others would do: each has its own turn. */
static json_t *workers_json(const struct explain *explain)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < explain->worker_count; i++) {
		struct explain_view view;
		if (!explain->answers[i].decided)
			continue;
		explain_view_make(&view, explain->control, &explain->question, &explain->answers[i]);
		json_array_append_new(array, json_pack("{s:i, s:s, s:o}", "worker", (int)i, "decision",
		                                       decision_name(view.answer->decision.decision), "elected",
		                                       elected_json(&view)));
		explain_view_free(&view);
	}
	return array;
}

static unsigned count_others(const struct explain *explain, unsigned speaker)
{
	unsigned others = 0;
	const struct record_explain *own = &explain->answers[speaker].decision;
	for (unsigned i = 0; i < explain->worker_count; i++) {
		const struct explain_answer *answer = &explain->answers[i];
		others +=
		    answer->decided && (answer->decision.decision != own->decision ||
		                        answer->decision.cluster != own->cluster || answer->decision.host != own->host);
	}
	return others;
}

static json_t *sentence_json(const struct explain *explain, const struct explain_view *view, unsigned worker)
{
	char bytes[EXPLAIN_TEXT_MAX];
	struct text text = text_begin(bytes, sizeof(bytes));
	explain_say(&text, view);
	unsigned others = count_others(explain, worker);
	if (others > 0)
		text_add(&text, "; so says worker %u, and %u of %u would decide otherwise, each at its own turn",
		         worker, others, explain->worker_count);
	return json_string(bytes);
}

static json_t *answer_json(const struct explain *explain, unsigned worker)
{
	struct explain_view view;
	char route[EXPLAIN_ROUTE_MAX], client[ADDRESS_TEXT_MAX];
	const struct explain_question *question = &explain->question;
	json_t *clusters = json_array(), *hosts = json_array();
	explain_view_make(&view, explain->control, question, &explain->answers[worker]);
	for (unsigned i = 0; i < view.answer->share_count; i++)
		json_array_append_new(clusters, share_json(&view.shares[i]));
	for (size_t i = 0; i < view.answer->host_count; i++)
		json_array_append_new(hosts, host_json(&view.hosts[i]));
	json_t *object = json_pack(
	    "{s:s, s:s, s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:o, s:o}", "host", question->name.text, "listener",
	    view.listener->name, "from",
	    question->has_client ? json_string(address_format(&question->client, client)) : json_null(), "decision",
	    decision_name(view.answer->decision.decision), "text", sentence_json(explain, &view, worker), "route",
	    text_or_null(explain_route(&view, route)), "worker", (int)worker, "workers", workers_json(explain),
	    "clusters", clusters, "hosts", hosts, "elected", elected_json(&view));
	explain_view_free(&view);
	return object;
}

json_t *explain_json(const struct explain *explain)
{
	for (unsigned i = 0; i < explain->worker_count; i++)
		if (explain->answers[i].decided)
			return answer_json(explain, i);
	return NULL;
}

/* ---- without the workers ---- */

static void say_cluster(struct text *text, const struct cluster *cluster, const struct pair *pair, bool https)
{
	char weight_text[HUNDREDTHS_TEXT_MAX], why[WEIGHT_WHY_MAX];
	struct weight weight = weight_of(cluster->spec, pair);
	unsigned good = 0;
	for (size_t i = 0; i < cluster->spec->host_count; i++) {
		char host_why[EXPLAIN_WHY_MAX];
		struct text host_text = text_begin(host_why, sizeof(host_why));
		explain_host_why(&host_text, cluster, &cluster->spec->hosts[i], &cluster->health[i], https);
		good += host_text.len == 0;
	}
	text_add(text, "%s (weight %s", cluster->spec->name, hundredths_text(weight.value, weight_text));
	if (weight.bar != WEIGHT_FREE)
		text_add(text, ": %s", weight_why(weight, cluster->spec, why));
	if (!(https ? pair->https : pair->http))
		text_add(text, ", not on this listener");
	text_add(text, ", %u of %zu router hosts good)", good, cluster->spec->host_count);
}

const char *explain_alone(const struct control *control, const struct explain_question *question,
                          char bytes[static EXPLAIN_TEXT_MAX])
{
	struct text text = text_begin(bytes, EXPLAIN_TEXT_MAX);
	const struct config_listener *listener = &control->config->listeners[question->listener];
	const struct name *name = find_name(control, &question->name);
	unsigned said = 0;
	for (unsigned i = 0; name && i < name->pair_count; i++) {
		const struct pair *pair = &name->pairs[i];
		if (!pair->present)
			continue;
		if (said++ == 0)
			text_add(&text, "by control's state listener %s would take %s to ", listener->name,
			         question->name.text);
		else
			text_add(&text, ", ");
		say_cluster(&text, control->state.clusters[pair->cluster], pair, listener->mode == LISTENER_TLS);
	}
	if (said == 0)
		text_add(&text, "control knows no route for %s, and the default cluster of listener %s is %s",
		         question->name.len > 0 ? question->name.text : "a connection without a name", listener->name,
		         listener->default_cluster[0] != '\0' ? listener->default_cluster : "none");
	return bytes;
}

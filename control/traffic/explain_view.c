/* A worker's decision joined with what control knows: see the header. */
#include "control/traffic/explain_view.h"

#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/feed/table.h"

static bool is_https(const struct explain_view *view)
{
	return view->listener->mode == LISTENER_TLS;
}

const char *explain_cluster_name(const struct cluster *cluster)
{
	return cluster ? cluster->spec->name : "(removed)";
}

/* ---- clusters ---- */

static bool any_usable(const struct explain_view *view, uint16_t cluster)
{
	for (size_t i = 0; i < view->answer->host_count; i++)
		if (view->answer->hosts[i].cluster == cluster && view->answer->hosts[i].usable)
			return true;
	return false;
}

static void share_why(struct explain_view *view, struct explain_share *share)
{
	char weight_text[WEIGHT_WHY_MAX];
	struct text why = text_begin(share->why, sizeof(share->why));
	bool barred = share->pair && share->weight.bar != WEIGHT_FREE;
	if (!share->cluster)
		text_add(&why, "the cluster has been removed");
	else if (!share->record->served)
		text_add(&why, "it is not served on listener %s there", view->listener->name);
	else if (share->record->weight == 0 && barred)
		text_add(&why, "%s", weight_why(share->weight, share->cluster->spec, weight_text));
	else if (share->record->weight == 0)
		text_add(&why, "its weight is 0%s%s", share->pair ? ", by " : "",
		         share->pair ? weight_origin_name(share->weight.origin) : "");
	else if (!any_usable(view, share->record->cluster))
		text_add(&why, share->cluster->spec->host_count > 0 ? "no router host is usable"
		                                                    : "the cluster has no router host");
}

static void make_share(struct explain_view *view, struct explain_share *share,
                       const struct record_explain_share *record)
{
	const struct cluster *cluster = state_cluster_numbered(&view->control->state, record->cluster);
	*share = (struct explain_share){.record = record, .cluster = cluster};
	share->pair = view->name && cluster ? names_pair(view->name, cluster->index) : NULL;
	if (share->pair)
		share->weight = weight_of(share->cluster->spec, share->pair);
	share_why(view, share);
}

/* ---- router hosts ---- */

static void mode_why(struct text *why, const struct host_setting *setting)
{
	text_add(why, "%s", host_mode_name(setting->mode));
	if (setting->drain.by[0] != '\0')
		text_add(why, " by %s", setting->drain.by);
	if (setting->drain.reason[0] != '\0')
		text_add(why, " (%s)", setting->drain.reason);
}

void explain_host_why(struct text *why, const struct cluster *cluster, const struct host_spec *host,
                      const struct health *health, bool https)
{
	char check[CHECK_TEXT_MAX];
	const struct host_setting *setting = host_modes_find(&cluster->modes, host->id);
	if ((https ? host->https_port : host->http_port) == 0)
		text_add(why, "it has no port for %s", https ? "https" : "http");
	else if (setting)
		mode_why(why, setting);
	else if (health->state == HEALTH_DOWN)
		text_add(why, "down: %s", check_result_text(health->last, check));
	else if (health->state == HEALTH_UNKNOWN)
		text_add(why, "not checked with success yet");
	else if (host->state != HOST_ACTIVE && host->hold.reason == HOLD_NONE)
		text_add(why, "%s, say its pods", cluster_host_state_name(host->state));
}

static void make_host(struct explain_view *view, struct explain_host *host, const struct record_explain_host *record)
{
	const struct control *control = view->control;
	struct cluster *cluster;
	struct host_spec *spec;
	*host = (struct explain_host){.record = record};
	struct text why = text_begin(host->why, sizeof(host->why));
	bool known = record->slot < control->hosts.count &&
	             control->hosts.entries[record->slot].generation == record->generation;
	if (known)
		host->health = state_host(&control->state, control->hosts.entries[record->slot].id, &cluster, &spec);
	if (!host->health) {
		text_add(&why, "it has been removed");
		return;
	}
	host->cluster = cluster;
	host->spec = spec;
	if (!record->usable)
		explain_host_why(&why, cluster, spec, host->health, is_https(view));
	if (!record->usable && why.len == 0)
		text_add(&why, "the workers are about to be told that it is good");
	if (record->usable && record->suspected)
		text_add(&why, "suspected: it did not answer a connect; it is tried once a second, or when no other is "
		               "left, until it answers");
}

/* ---- the view ---- */

void explain_view_make(struct explain_view *view, const struct control *control,
                       const struct explain_question *question, const struct explain_answer *answer)
{
	const struct config *config = control->config;
	*view = (struct explain_view){.control = control, .question = question, .answer = answer};
	view->listener = &config->listeners[question->listener < config->listener_count ? question->listener : 0];
	if (answer->decision.route.len > 0)
		view->name = names_find_host(&control->state.names, &answer->decision.route, answer->decision.wildcard);
	for (unsigned i = 0; i < answer->share_count; i++)
		make_share(view, &view->shares[i], &answer->shares[i]);
	view->hosts = calloc(answer->host_count + 1, sizeof(*view->hosts));
	if (!view->hosts)
		abort();
	for (size_t i = 0; i < answer->host_count; i++)
		make_host(view, &view->hosts[i], &answer->hosts[i]);
}

void explain_view_free(struct explain_view *view)
{
	free(view->hosts);
}

const char *explain_route(const struct explain_view *view, char text[static EXPLAIN_ROUTE_MAX])
{
	char name[ROUTE_TEXT_MAX];
	const struct record_explain *decision = &view->answer->decision;
	struct text out = text_begin(text, EXPLAIN_ROUTE_MAX);
	if (decision->by_default && view->answer->share_count > 0)
		text_add(&out, "default cluster %s", explain_cluster_name(view->shares[0].cluster));
	else if (decision->route.len > 0)
		text_add(&out, "%s", name_format(&decision->route, decision->wildcard, name));
	return text;
}

const struct explain_host *explain_elected(const struct explain_view *view)
{
	for (size_t i = 0; i < view->answer->host_count; i++)
		if (view->answer->hosts[i].elected)
			return &view->hosts[i];
	return NULL;
}

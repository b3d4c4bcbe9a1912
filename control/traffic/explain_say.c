/* An explanation as one sentence that a person on call understands. */
#include <string.h>

#include "control/control.h"
#include "control/traffic/explain_view.h"
#include "control/state/hundredths.h"
#include "control/traffic/similar_names.h"

enum { HOSTS_NAMED_MAX = 4 };

static const char *wanted(const struct explain_view *view)
{
	return view->question->name.len > 0 ? view->question->name.text : "a connection without a name";
}

static bool is_tls(const struct explain_view *view)
{
	return view->listener->mode == LISTENER_TLS;
}

static void say_answer(struct text *text, const struct explain_view *view, unsigned status, const char *alert)
{
	if (is_tls(view))
		text_add(text, "; clients get the TLS alert %s", alert);
	else
		text_add(text, "; clients get status %u", status);
}

/* ---- elected ---- */

static void say_weight(struct text *text, const struct explain_view *view, const struct explain_share *share)
{
	char weight[HUNDREDTHS_TEXT_MAX], sum[HUNDREDTHS_TEXT_MAX];
	unsigned total = 0, usable = 0;
	for (unsigned i = 0; i < view->answer->share_count; i++) {
		if (!view->answer->shares[i].usable)
			continue;
		total += view->answer->shares[i].weight;
		usable++;
	}
	hundredths_text(share->record->weight, weight);
	if (usable > 1)
		text_add(text, " (weight %s of %s)", weight, hundredths_text(total, sum));
	else if (view->answer->share_count > 1)
		text_add(text, " (weight %s, the only one that can take it)", weight);
	else
		text_add(text, " (weight %s)", weight);
}

static void say_host_name(struct text *text, const struct explain_host *host)
{
	char address[ADDRESS_TEXT_MAX];
	address_format(&host->record->address, address);
	if (host->spec && strcmp(host->spec->name, address) != 0)
		text_add(text, "%s (%s)", host->spec->name, address);
	else
		text_add(text, "%s", address);
}

/* Why this one and no other of its cluster. */
static void say_fewest(struct text *text, const struct explain_view *view, const struct explain_host *elected)
{
	unsigned usable = 0, as_few = 0, fewer = 0;
	uint64_t active = elected->record->active;
	for (size_t i = 0; i < view->answer->host_count; i++) {
		const struct record_explain_host *host = &view->answer->hosts[i];
		if (host->cluster != elected->record->cluster || !host->usable)
			continue;
		usable++;
		as_few += host->active == active && !host->elected;
		fewer += host->active < active;
	}
	text_add(text, ": ");
	if (active == 0)
		text_add(text, "no active connection");
	else
		text_add(text, "%llu active connection%s", (unsigned long long)active, active == 1 ? "" : "s");
	if (usable < 2)
		text_add(text, ", the only usable one of the cluster");
	else if (fewer > 0)
		text_add(text, ", because those with fewer are suspected or wait for their turn to be tried");
	else if (as_few > 0)
		text_add(text, ", as few as %u other%s of %u, and it is its turn", as_few, as_few == 1 ? "" : "s",
		         usable);
	else
		text_add(text, ", the fewest of %u", usable);
	if (elected->record->suspected)
		text_add(text, " (it is suspected: this connection tries it)");
}

static const struct explain_share *elected_share(const struct explain_view *view)
{
	for (unsigned i = 0; i < view->answer->share_count; i++)
		if (view->answer->shares[i].elected)
			return &view->shares[i];
	return NULL;
}

static void say_elected(struct text *text, const struct explain_view *view)
{
	char route[EXPLAIN_ROUTE_MAX];
	const struct record_explain *decision = &view->answer->decision;
	const struct explain_share *share = elected_share(view);
	const struct explain_host *host = explain_elected(view);
	text_add(text, "%s", wanted(view));
	if (decision->wildcard)
		text_add(text, " (route %s)", explain_route(view, route));
	text_add(text, " goes to cluster %s", share ? explain_cluster_name(share->cluster) : "(removed)");
	if (decision->by_default)
		text_add(text, ", the default of listener %s%s", view->listener->name,
		         view->question->name.len > 0 ? ", because no route has the name" : "");
	else if (share)
		say_weight(text, view, share);
	if (!host)
		return;
	text_add(text, ", router host ");
	say_host_name(text, host);
	say_fewest(text, view, host);
}

/* ---- refused ---- */

static void say_similar(struct text *text, const struct explain_view *view)
{
	struct similar_names similar;
	char name[ROUTE_TEXT_MAX];
	similar_names_find(&view->control->state.names, &view->question->name, &similar);
	if (similar.count == 0)
		return;
	text_add(text, "; %zu name%s similar: ", similar.count, similar.count == 1 ? " is" : "s are");
	for (size_t i = 0; i < similar.shown; i++)
		text_add(text, "%s%s", i > 0 ? ", " : "",
		         name_format(&similar.names[i]->host, similar.names[i]->wildcard, name));
	if (similar.count > similar.shown)
		text_add(text, ", ...");
}

static void say_no_default(struct text *text, const struct explain_view *view)
{
	const char *name = view->listener->default_cluster;
	const struct cluster *cluster = state_cluster(&view->control->state, name);
	if (name[0] == '\0')
		text_add(text, "listener %s has no default cluster", view->listener->name);
	else if (!cluster)
		text_add(text, "the default cluster %s of listener %s does not exist", name, view->listener->name);
	else
		text_add(text, "the default cluster %s of listener %s is %s", name, view->listener->name,
		         cluster_state_name(cluster->spec->state));
}

static void say_unknown(struct text *text, const struct explain_view *view)
{
	const struct hostname *name = &view->question->name;
	const struct name *known = names_find_host(&view->control->state.names, name, false);
	if (name->len == 0) {
		text_add(text, "a connection without a name is refused: ");
		say_no_default(text, view);
	} else if (known && names_is_served(known)) {
		text_add(text,
		         "the name %s is new: the workers do not know it yet, or have no room (see "
		         "limits.routes)",
		         name->text);
	} else {
		text_add(text, "the name is not known: no cluster has a route for %s, and ", name->text);
		say_no_default(text, view);
		say_similar(text, view);
	}
	say_answer(text, view, 404, "unrecognized_name");
}

/* "ose1: its weight is 0, by override; ose2: ..." */
static void say_shares(struct text *text, const struct explain_view *view)
{
	for (unsigned i = 0; i < view->answer->share_count; i++)
		text_add(text, "%s%s: %s", i > 0 ? "; " : "", explain_cluster_name(view->shares[i].cluster),
		         view->shares[i].why);
}

static void say_not_served(struct text *text, const struct explain_view *view)
{
	text_add(text, "%s is not served on listener %s: ", wanted(view), view->listener->name);
	for (unsigned i = 0; i < view->answer->share_count; i++)
		text_add(text, "%s%s", i > 0 ? ", " : "", explain_cluster_name(view->shares[i].cluster));
	text_add(text, " %s it %s alone", view->answer->share_count == 1 ? "has" : "have",
	         is_tls(view) ? "without TLS" : "with TLS");
	say_answer(text, view, 503, "unrecognized_name");
}

/* The router hosts of clusters that would take it. */
static void say_hosts(struct text *text, const struct explain_view *view, uint16_t cluster)
{
	unsigned named = 0, count = 0;
	for (size_t i = 0; i < view->answer->host_count; i++) {
		const struct explain_host *host = &view->hosts[i];
		if (host->record->cluster != cluster || ++count > HOSTS_NAMED_MAX)
			continue;
		text_add(text, "%s", named++ > 0 ? ", " : " (");
		say_host_name(text, host);
		text_add(text, " %s", host->why);
	}
	if (count > HOSTS_NAMED_MAX)
		text_add(text, ", and %u more", count - HOSTS_NAMED_MAX);
	if (named > 0)
		text_add(text, ")");
}

static bool takes(const struct explain_share *share)
{
	return share->cluster && share->record->weight > 0 && share->record->served;
}

static void say_unhealthy(struct text *text, const struct explain_view *view)
{
	bool any = false;
	for (unsigned i = 0; i < view->answer->share_count; i++)
		any |= takes(&view->shares[i]);
	if (!any) {
		text_add(text, "%s goes nowhere: ", wanted(view));
		say_shares(text, view);
		say_answer(text, view, 503, "internal_error");
		return;
	}
	text_add(text, "nothing healthy: %s would go to ", wanted(view));
	for (unsigned i = 0; i < view->answer->share_count; i++) {
		const struct explain_share *share = &view->shares[i];
		text_add(text, "%s%s", i > 0 ? "; " : "", explain_cluster_name(share->cluster));
		if (takes(share))
			say_hosts(text, view, share->record->cluster);
		else
			text_add(text, " (not at all: %s)", share->why);
	}
	say_answer(text, view, 503, "internal_error");
}

void explain_say(struct text *text, const struct explain_view *view)
{
	static void (*const say[])(struct text *, const struct explain_view *) = {
	    [DECISION_ELECTED] = say_elected,
	    [DECISION_UNKNOWN] = say_unknown,
	    [DECISION_NOT_SERVED] = say_not_served,
	    [DECISION_UNHEALTHY] = say_unhealthy,
	};
	say[view->answer->decision.decision](text, view);
}

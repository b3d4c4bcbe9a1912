/* Routes: see the header. Which port a Route is served on follows the OpenShift router:
 *
 *   termination                  insecureEdgeTerminationPolicy  port 80    port 443
 *   none                         -                              served     -
 *   edge, reencrypt              None                           -          served
 *   edge, reencrypt              Allow                          served     served
 *   edge, reencrypt, passthrough Redirect                       302        served
 *   passthrough                  None                           -          by SNI
 */
#include "control/kube/kube_route.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/json_reader.h"
#include "control/state/cluster.h"

static bool same(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static bool set_host(struct hostname *out, const char *text)
{
	return hostname_set(out, (const uint8_t *)text, strlen(text));
}

/* Adds to the warning of a Route that serves nevertheless. */
__attribute__((format(printf, 2, 3))) static void warn(struct observed_route *route, const char *format, ...)
{
	size_t len = strlen(route->warning);
	va_list args;
	va_start(args, format);
	if (len > 0 && len + 2 < sizeof(route->warning))
		len += (size_t)snprintf(route->warning + len, sizeof(route->warning) - len, "; ");
	vsnprintf(route->warning + len, sizeof(route->warning) - len, format, args);
	va_end(args);
	kube_words_trim(route->warning);
}

__attribute__((format(printf, 2, 3))) static enum kube_verdict serves_not(char why[static KUBE_WHY_MAX],
                                                                          const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, KUBE_WHY_MAX, format, args);
	va_end(args);
	return KUBE_SERVES_NOT;
}

/* The host that the router has admitted the Route for, or NULL. `host`: spec.host, NULL for any. While the status still
 * names an earlier spec.host, neither is admitted: the router has left the old one already. */
static const char *admitted_host(const json_t *ingress, const char *router_name, const char *host)
{
	size_t i;
	json_t *entry;
	struct hostname wanted, found;
	if (host && !set_host(&wanted, host))
		return NULL;
	json_array_foreach(ingress, i, entry)
	{
		const char *entry_host = kube_text(entry, "host");
		if (!same(kube_text(entry, "routerName"), router_name) ||
		    !kube_condition_true(json_object_get(entry, "conditions"), "Admitted") || !entry_host)
			continue;
		if (!host || (set_host(&found, entry_host) && strcmp(found.text, wanted.text) == 0))
			return entry_host;
	}
	return NULL;
}

/* "any.wild.test" with the policy Subdomain stands for *.wild.test: one label in place of the first. */
static enum kube_verdict take_wildcard(struct observed_route *route, const char *policy, char why[static KUBE_WHY_MAX])
{
	if (!policy || policy[0] == '\0' || same(policy, "None"))
		return KUBE_SERVES;
	char quoted[READER_TEXT_MAX];
	if (!same(policy, "Subdomain"))
		return serves_not(why, "spec.wildcardPolicy %s is not known", json_quote(policy, quoted));
	const char *dot = strchr(route->host.text, '.');
	if (!dot)
		return serves_not(why, "a wildcard needs a host with at least two labels");
	route->wildcard = true;
	struct hostname behind = {0};
	set_host(&behind, dot + 1);
	route->host = behind;
	return KUBE_SERVES;
}

/* What it asks for, and what the router says about that, as the warning. */
static void take_refusal(const json_t *ingress, const char *router_name, const char *host, const char *policy,
                         struct observed_route *route)
{
	size_t i;
	json_t *entry;
	char unused[KUBE_WHY_MAX];
	const json_t *condition = NULL;
	json_array_foreach(ingress, i, entry)
	{
		if (same(kube_text(entry, "routerName"), router_name))
			condition = kube_condition(json_object_get(entry, "conditions"), "Admitted");
	}
	const char *reason = kube_text(condition, "reason"), *message = kube_text(condition, "message");
	if (condition)
		warn(route, "not admitted by router %s: %s: %s", router_name, reason ? reason : "no reason given",
		     message ? message : "no message given");
	else
		warn(route, "router %s has not admitted it (yet), or does not select it", router_name);
	if (host && set_host(&route->host, host))
		take_wildcard(route, policy, unused);
}

static enum kube_verdict take_host(const json_t *object, const json_t *spec, const struct kube_route_rules *rules,
                                   struct observed_route *route, char why[static KUBE_WHY_MAX])
{
	json_t *status, *ingress = NULL;
	const char *host, *policy;
	char quoted[READER_TEXT_MAX];
	if (!kube_get_text(spec, "spec.host", &host, why) || !kube_get_text(spec, "spec.wildcardPolicy", &policy, why))
		return KUBE_BROKEN;
	if (host && host[0] == '\0')
		host = NULL;
	if (!rules->admission_ignored) {
		if (!kube_get_object(object, "status", &status, why) ||
		    !kube_get_array(status, "status.ingress", &ingress, why))
			return KUBE_BROKEN;
		const char *admitted = admitted_host(ingress, rules->router_name, host);
		if (!admitted) {
			take_refusal(ingress, rules->router_name, host, policy, route);
			return KUBE_SERVES_NOT;
		}
		host = admitted;
	}
	if (!host)
		return serves_not(why, "spec.host is empty, and without admission nothing else names the host");
	if (!set_host(&route->host, host))
		return serves_not(why, "%s is no host name", json_quote(host, quoted));
	return take_wildcard(route, policy, why);
}

static enum route_termination termination_of(const json_t *tls, const char *text)
{
	if (!tls)
		return TERMINATION_NONE;
	if (same(text, "passthrough"))
		return TERMINATION_PASSTHROUGH;
	return same(text, "reencrypt") ? TERMINATION_REENCRYPT : TERMINATION_EDGE;
}

static enum kube_verdict take_ports(const json_t *spec, struct observed_route *route, char why[static KUBE_WHY_MAX])
{
	json_t *tls;
	const char *termination, *policy;
	char quoted[READER_TEXT_MAX];
	if (!kube_get_object(spec, "spec.tls", &tls, why) ||
	    !kube_get_text(tls, "spec.tls.termination", &termination, why) ||
	    !kube_get_text(tls, "spec.tls.insecureEdgeTerminationPolicy", &policy, why))
		return KUBE_BROKEN;
	route->http = !tls;
	route->https = tls != NULL;
	bool passthrough = same(termination, "passthrough");
	if (termination && termination[0] != '\0' && !same(termination, "edge") && !same(termination, "reencrypt") &&
	    !passthrough)
		return serves_not(why, "spec.tls.termination %s is not known", json_quote(termination, quoted));
	route->termination = (uint8_t)termination_of(tls, termination);
	if (same(policy, "Redirect") || (same(policy, "Allow") && !passthrough)) {
		route->insecure = same(policy, "Redirect") ? INSECURE_REDIRECT : INSECURE_ALLOW;
		route->http = true;
	} else if (policy && policy[0] != '\0' && !same(policy, "None"))
		warn(route, "taken as None, for it does not go with the termination: insecureEdgeTerminationPolicy %s",
		     json_quote(policy, quoted));
	return KUBE_SERVES;
}

/* Digits only, 0 to WEIGHT_MAX. */
static bool parse_weight(const char *text, uint8_t *out)
{
	unsigned value = 0;
	size_t len = strlen(text);
	if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
		return false;
	for (; *text != '\0'; text++)
		value = value * 10 + (unsigned)(*text - '0');
	if (value > WEIGHT_MAX)
		return false;
	*out = (uint8_t)value;
	return true;
}

static void take_weight(const json_t *annotations, struct observed_route *route)
{
	static const char *const names[] = {"pointsman.io/weight", "smartlb-weight"};
	for (unsigned i = 0; i < 2 && !route->weight_given; i++) {
		json_t *value = json_object_get(annotations, names[i]);
		const char *text = kube_text(annotations, names[i]);
		char quoted[READER_TEXT_MAX];
		if (!value)
			continue;
		route->weight_given = text && parse_weight(text, &route->weight);
		if (!route->weight_given)
			warn(route, "annotation %s is ignored, it is no number from 0 to %d but %s", names[i],
			     WEIGHT_MAX, text ? json_quote(text, quoted) : json_kind(value));
	}
}

enum kube_verdict kube_route_decode(const json_t *object, const struct kube_route_rules *rules,
                                    struct observed_route *out, char why[static KUBE_WHY_MAX])
{
	struct kube_meta meta;
	json_t *spec;
	why[0] = '\0';
	memset(out, 0, sizeof(*out));
	if (!kube_meta_read(object, &meta, why) || !kube_get_object(object, "spec", &spec, why))
		return KUBE_BROKEN;
	if (!spec) {
		snprintf(why, KUBE_WHY_MAX, "spec is missing");
		return KUBE_BROKEN;
	}
	strcpy(out->uid, meta.uid);
	strcpy(out->namespace, meta.namespace);
	strcpy(out->name, meta.name);
	out->created = meta.created;
	enum kube_verdict verdict = take_host(object, spec, rules, out, why);
	if (verdict == KUBE_SERVES)
		verdict = take_ports(spec, out, why);
	if (verdict == KUBE_SERVES)
		take_weight(meta.annotations, out);
	return verdict;
}

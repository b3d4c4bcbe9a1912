/* Differences of two clusters: see the header. */
#include "control/state/diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/state/state.h"

const char *diff_kind_name(enum diff_kind kind)
{
	static const char *const names[] = {"missing", "not_admitted", "conflict", "termination", "no_healthy_host",
	                                    "parked",  "flags",        "weight",   "only_on_to"};
	_Static_assert(sizeof(names) / sizeof(names[0]) == diff_kind_count, "a name for each kind");
	return names[kind];
}

/* Worse ones stand before others. */
__attribute__((format(printf, 4, 5))) static void find(struct diff *diff, enum diff_level level, enum diff_kind kind,
                                                       const char *format, ...)
{
	unsigned place = diff->count;
	va_list args;
	while (place > 0 && diff->findings[place - 1].level < level)
		place--;
	struct diff_finding *finding = &diff->findings[place];
	memmove(finding + 1, finding, (diff->count - place) * sizeof(*finding));
	finding->level = level;
	finding->kind = kind;
	va_start(args, format);
	vsnprintf(finding->detail, sizeof(finding->detail), format, args);
	va_end(args);
	diff->count++;
	if (level > diff->level)
		diff->level = level;
}

static const char *listeners_of(const struct pair *pair)
{
	if (pair->http && pair->https)
		return "http and https";
	return pair->http ? "http" : pair->https ? "https" : "nothing";
}

static void compare_termination(struct diff *diff, const struct pair *a, const struct pair *b, const char *from,
                                const char *to)
{
	bool known = a->termination != TERMINATION_UNKNOWN && b->termination != TERMINATION_UNKNOWN;
	if (known && a->termination != b->termination)
		find(diff, DIFF_RED, DIFF_TERMINATION, "TLS termination: %s %s, %s %s", to,
		     observed_termination_name((enum route_termination)b->termination), from,
		     observed_termination_name((enum route_termination)a->termination));
	else if (a->http != b->http || a->https != b->https)
		find(diff, DIFF_RED, DIFF_TERMINATION, "%s serves it on %s, %s on %s", to, listeners_of(b), from,
		     listeners_of(a));
	if (known && a->insecure != b->insecure)
		find(diff, DIFF_YELLOW, DIFF_FLAGS, "insecureEdgeTerminationPolicy: %s %s, %s %s", to,
		     observed_insecure_name((enum route_insecure)b->insecure), from,
		     observed_insecure_name((enum route_insecure)a->insecure));
	else if (strcmp(a->namespace, b->namespace) != 0 && a->namespace[0] != '\0' && b->namespace[0] != '\0' &&
	         !b->conflict)
		find(diff, DIFF_YELLOW, DIFF_FLAGS, "namespace: %s %s, %s %s", to, b->namespace, from, a->namespace);
}

static void compare_hosts(struct diff *diff, const struct share_view *view, const struct pair *pair,
                          const struct cluster *to)
{
	const struct share_hosts *hosts = &view->hosts[to->index];
	bool no_http = pair->http && hosts->http == 0, no_https = pair->https && hosts->https == 0;
	if (no_http || no_https)
		find(diff, DIFF_RED, DIFF_NO_HOST, "cluster %s has no healthy router host for %s", to->spec->name,
		     !no_https  ? "http"
		     : !no_http ? "https"
		                : "http and https");
}

static const char *weight_text(const struct pair *pair, char text[static 24])
{
	if (pair->weight_given)
		snprintf(text, 24, "%u", pair->weight);
	else
		snprintf(text, 24, "none of its own");
	return text;
}

static void compare_weights(struct diff *diff, const struct pair *a, const struct pair *b, const char *from,
                            const char *to)
{
	char other[24], own[24];
	if (a->weight_given != b->weight_given || (a->weight_given && a->weight != b->weight))
		find(diff, DIFF_YELLOW, DIFF_WEIGHT, "%s %s, %s %s", to, weight_text(b, own), from,
		     weight_text(a, other));
}

static void compare(struct diff *diff, const struct share_view *view, const struct pair *a, const struct pair *b,
                    const struct cluster *from, const struct cluster *to)
{
	if (b->conflict && !b->overridden)
		find(diff, DIFF_RED, DIFF_CONFLICT,
		     "in conflict: of namespace %s, another cluster serves it from a "
		     "different one",
		     b->namespace);
	compare_termination(diff, a, b, from->spec->name, to->spec->name);
	compare_hosts(diff, view, b, to);
	if (b->parked && !b->overridden && !b->weight_given)
		find(diff, DIFF_YELLOW, DIFF_PARKED, "parked until it is given a weight");
	compare_weights(diff, a, b, from->spec->name, to->spec->name);
}

static void find_missing(struct diff *diff, const struct pair *pair, const struct cluster *from,
                         const struct cluster *to, const char *rejection)
{
	enum diff_level level = weight_of(from->spec, pair).value > 0 ? DIFF_RED : DIFF_YELLOW;
	if (rejection)
		find(diff, DIFF_RED, DIFF_NOT_ADMITTED, "cluster %s has a Route for it that serves nothing: %s",
		     to->spec->name, rejection);
	else if (level == DIFF_RED)
		find(diff, DIFF_RED, DIFF_MISSING, "cluster %s does not have it", to->spec->name);
	else
		find(diff, DIFF_YELLOW, DIFF_MISSING,
		     "cluster %s does not have it; it gets no connections on %s either", to->spec->name,
		     from->spec->name);
}

void diff_route(struct diff *diff, const struct share_view *view, const struct name *name, const struct cluster *from,
                const struct cluster *to, const char *rejection)
{
	const struct pair *a = names_pair(name, from->index), *b = names_pair(name, to->index);
	diff->level = DIFF_SAME;
	diff->count = 0;
	if (!b || !b->present)
		find_missing(diff, a, from, to, rejection);
	else if (!a || !a->present)
		find(diff, DIFF_YELLOW, DIFF_ONLY_ON_TO, "cluster %s does not have it", from->spec->name);
	else
		compare(diff, view, a, b, from, to);
}

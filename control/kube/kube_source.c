/* The watch of one cluster's API: see the header. Puts together what others know: kube_watch when to ask, kube_route
 * and kube_pod what an object means, kube_table what is there. */
#include "control/kube/kube_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/state/cluster.h"
#include "control/event_loop.h"
#include "control/kube/kube_client.h"
#include "control/kube/kube_pod.h"
#include "control/kube/kube_rejected.h"
#include "control/kube/kube_route.h"
#include "control/kube/kube_table.h"
#include "control/kube/kube_warnings.h"
#include "control/kube/kube_watch.h"

enum { COLLECT_SHARE = 4 }; /* of the loop's time reports may take at most one in 1 + so many */

/* One watch and what it is about. */
struct resource {
	struct kube_source *source;
	unsigned index; /* group of its warnings */
	bool pods;
	const char *scope; /* the namespace that was asked for; NULL: all */
	char *what, *path; /* owned */
	struct kube_watch *watch;
	struct kube_records listed; /* of the list that is being read */
	bool unnamed;               /* it had an object of which not even the uid can be read */
	bool complete;              /* listed once */
};

struct kube_source {
	struct event_loop *loop;
	char *cluster; /* owned */
	struct kube_spec spec;
	struct kube_timing timing;
	kube_changed *changed;
	void *context;
	struct kube_credentials *credentials;
	struct kube_client *client;
	struct kube_table *routes, *routers;
	struct observed *observed; /* points into the tables */
	struct kube_warnings warnings;
	struct kube_rejected rejected;
	size_t resource_count;
	struct resource resources[KUBE_NAMESPACES_MAX + 1];
	struct event_timer report, files;
	bool complete;
	bool list_due, events_due; /* what `report` will tell */
	uint32_t collect;          /* ms */
};

/* Both kinds of records begin with their uid. */
_Static_assert(offsetof(struct observed_route, uid) == 0 && offsetof(struct observed_router, uid) == 0, "uid first");

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3; /* FNV-1a */
	return (hash ^ '/') * 0x100000001b3;
}

static const uint64_t hash_start = 0xcbf29ce484222325;

static uint64_t route_hash(const void *record)
{
	const struct observed_route *route = record;
	return hash_text(hash_text(hash_start, route->namespace), route->name);
}

static bool route_same(const void *a, const void *b)
{
	const struct observed_route *x = a, *y = b;
	return strcmp(x->name, y->name) == 0 && strcmp(x->namespace, y->namespace) == 0;
}

static bool route_in(const void *record, const char *scope)
{
	return strcmp(((const struct observed_route *)record)->namespace, scope) == 0;
}

static uint64_t router_hash(const void *record)
{
	return hash_text(hash_start, ((const struct observed_router *)record)->name);
}

static bool router_same(const void *a, const void *b)
{
	return strcmp(((const struct observed_router *)a)->name, ((const struct observed_router *)b)->name) == 0;
}

/* Router pods are all of one namespace. */
static bool router_in(const void *record, const char *scope)
{
	return true;
}

static const struct kube_record_kind route_kind = {sizeof(struct observed_route), route_same, route_hash, route_in};
static const struct kube_record_kind router_kind = {sizeof(struct observed_router), router_same, router_hash,
                                                    router_in};

static struct kube_table *table_of(const struct resource *resource)
{
	return resource->pods ? resource->source->routers : resource->source->routes;
}

static const struct kube_record_kind *kind_of(const struct resource *resource)
{
	return resource->pods ? &router_kind : &route_kind;
}

/* --- objects ----------------------------------------------------------------------------------------------------- */

union record {
	struct observed_route route;
	struct observed_router router;
};

static enum kube_verdict decode(const struct resource *resource, const json_t *object, union record *out,
                                char why[static KUBE_WHY_MAX])
{
	const struct kube_spec *spec = &resource->source->spec;
	const char *namespace = kube_text(json_object_get(object, "metadata"), "namespace");
	if (resource->scope && namespace && strcmp(namespace, resource->scope) != 0) {
		snprintf(why, KUBE_WHY_MAX, "is not of namespace %s, which was asked for", resource->scope);
		return KUBE_BROKEN;
	}
	if (resource->pods)
		return kube_pod_decode(object, &(struct kube_pod_rules){spec->container, spec->pod_ip}, &out->router,
		                       why);
	return kube_route_decode(object, &(struct kube_route_rules){spec->router_name, spec->admission_ignored},
	                         &out->route, why);
}

static void warn(const struct resource *resource, const json_t *object, const char *why)
{
	char name[KUBE_OBJECT_NAME_MAX], text[KUBE_OBJECT_NAME_MAX + KUBE_WHY_MAX + 16];
	const char *uid = kube_object_uid(object);
	struct kube_source *source = resource->source;
	snprintf(text, sizeof(text), "%s %s: %s", resource->pods ? "pod" : "route", kube_object_name(object, name),
	         why);
	if (kube_warnings_set(&source->warnings, resource->index, uid ? uid : "", text))
		log_warning("cluster %s: %s", source->cluster, text);
}

/* Remembers a Route that serves nothing, and forgets one that does. */
static void note_rejection(const struct resource *resource, const char *uid, enum kube_verdict verdict,
                           const union record *record, const char *why)
{
	struct kube_rejected *rejected = &resource->source->rejected;
	const struct observed_route *route = &record->route;
	if (resource->pods || !uid)
		return;
	if (verdict == KUBE_SERVES_NOT && route->host.len > 0)
		kube_rejected_set(rejected, resource->index, uid, cluster_name_id(&route->host, route->wildcard),
		                  why[0] != '\0' ? why : route->warning);
	else
		kube_rejected_drop(rejected, resource->index, uid);
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

static void list_begin(void *context)
{
	struct resource *resource = context;
	kube_records_free(&resource->listed);
	resource->unnamed = false;
	kube_warnings_list_begin(&resource->source->warnings, resource->index);
	kube_rejected_list_begin(&resource->source->rejected, resource->index);
}

/* What cannot be read stays as it was. */
static void list_broken(struct resource *resource, const json_t *item)
{
	const char *uid = kube_object_uid(item);
	const void *known = uid ? kube_table_find(table_of(resource), uid) : NULL;
	resource->unnamed |= !uid;
	if (known)
		kube_records_add(&resource->listed, kind_of(resource), known);
}

static void list_item(void *context, json_t *item, const char *reason)
{
	struct resource *resource = context;
	union record record;
	char why[KUBE_WHY_MAX] = "";
	enum kube_verdict verdict = KUBE_BROKEN;
	if (item)
		verdict = decode(resource, item, &record, why);
	else
		snprintf(why, sizeof(why), "%s", reason);
	if (verdict == KUBE_SERVES)
		kube_records_add(&resource->listed, kind_of(resource), &record);
	else if (verdict == KUBE_BROKEN)
		list_broken(resource, item);
	else
		note_rejection(resource, kube_object_uid(item), verdict, &record, why);
	if (why[0] != '\0')
		warn(resource, item, why);
}

static void set_report(struct kube_source *source, uint32_t after_ms)
{
	uint64_t at = clock_monotonic_ms() + after_ms;
	if (!source->report.armed || source->report.at > at)
		event_timer_set(source->loop, &source->report, at);
}

static void list_end(void *context)
{
	struct resource *resource = context;
	struct kube_source *source = resource->source;
	bool complete = true;
	kube_table_replace(table_of(resource), &resource->listed, resource->scope, resource->unnamed);
	kube_warnings_list_end(&source->warnings, resource->index);
	kube_rejected_list_end(&source->rejected, resource->index);
	resource->complete = true;
	for (size_t i = 0; i < source->resource_count; i++)
		complete &= source->resources[i].complete;
	if (!complete)
		return;
	if (!source->complete)
		log_info("cluster %s: listed, %zu routes and %zu router pods count%s", source->cluster,
		         kube_table_count(source->routes, NULL), kube_table_count(source->routers, NULL),
		         kube_credentials_insecure(source->credentials) ? "; the API's certificate is not checked"
		                                                        : "");
	source->complete = true;
	source->list_due = true;
	set_report(source, 0);
}

/* --- events ------------------------------------------------------------------------------------------------------ */

/* True if something is different from before. */
static bool take_object(const struct resource *resource, const json_t *object)
{
	union record record;
	char why[KUBE_WHY_MAX] = "";
	enum kube_verdict verdict = decode(resource, object, &record, why);
	const char *uid = kube_object_uid(object);
	if (why[0] != '\0')
		warn(resource, object, why);
	else
		kube_warnings_drop(&resource->source->warnings, resource->index, uid);
	if (verdict != KUBE_BROKEN)
		note_rejection(resource, uid, verdict, &record, why);
	if (verdict == KUBE_SERVES)
		return kube_table_put(table_of(resource), &record);
	return verdict == KUBE_SERVES_NOT && kube_table_remove(table_of(resource), uid);
}

static bool take_deletion(const struct resource *resource, const json_t *object)
{
	const char *uid = kube_object_uid(object);
	if (!uid) {
		warn(resource, object, "was deleted, but its metadata.uid is missing or wrong");
		return false;
	}
	kube_warnings_drop(&resource->source->warnings, resource->index, uid);
	kube_rejected_drop(&resource->source->rejected, resource->index, uid);
	return kube_table_remove(table_of(resource), uid);
}

static void event(void *context, enum kube_type type, json_t *object)
{
	struct resource *resource = context;
	struct kube_source *source = resource->source;
	bool changed = false;
	if (type == KUBE_TYPE_UNKNOWN)
		warn(resource, object, "an event of an unknown type was left out");
	else if (type == KUBE_TYPE_DELETED)
		changed = take_deletion(resource, object);
	else
		changed = take_object(resource, object);
	if (!changed || !source->complete)
		return;
	source->events_due = true;
	set_report(source, source->collect);
}

static const struct kube_watch_sink sink = {list_begin, list_item, list_end, event};

/* --- reports ----------------------------------------------------------------------------------------------------- */

static void report(void *context)
{
	struct kube_source *source = context;
	uint64_t before = clock_monotonic_ms();
	if (source->list_due) {
		source->list_due = false;
		source->changed(source->context, KUBE_LIST);
	} else {
		source->events_due = false;
		kube_table_apply(source->routes);
		kube_table_apply(source->routers);
		source->changed(source->context, KUBE_EVENT);
	}
	uint64_t cost = (clock_monotonic_ms() - before) * COLLECT_SHARE;
	source->collect = cost > source->timing.collect ? (uint32_t)cost : source->timing.collect;
	if (source->events_due)
		set_report(source, source->collect);
}

const struct observed *kube_source_observed(const struct kube_source *source)
{
	if (!source->complete)
		return NULL;
	const struct kube_records *routes = kube_table_records(source->routes);
	const struct kube_records *routers = kube_table_records(source->routers);
	*source->observed = (struct observed){
	    .route_count = routes->count,
	    .router_count = routers->count,
	    .routes = (struct observed_route *)(void *)routes->bytes,
	    .routers = (struct observed_router *)(void *)routers->bytes,
	};
	return source->observed;
}

const char *kube_source_rejection(const struct kube_source *source, uint64_t name_id)
{
	return kube_rejected_why(&source->rejected, name_id);
}

void kube_source_status(const struct kube_source *source, struct kube_status *out)
{
	const char *complaint = kube_credentials_complaint(source->credentials);
	*out = (struct kube_status){.complete = source->complete,
	                            .insecure = kube_credentials_insecure(source->credentials),
	                            .watch_count = source->resource_count,
	                            .warnings_more = kube_warnings_more(&source->warnings)};
	for (size_t i = 0; i < source->resource_count; i++) {
		const struct resource *resource = &source->resources[i];
		kube_watch_status(resource->watch, &out->watches[i]);
		out->watches[i].objects = kube_table_count(table_of(resource), resource->pods ? NULL : resource->scope);
	}
	if (complaint[0] != '\0')
		out->warnings[out->warning_count++] = complaint;
	for (size_t i = 0; i < source->warnings.count; i++) {
		if (out->warning_count < KUBE_WARNINGS_MAX)
			out->warnings[out->warning_count++] = source->warnings.list[i].text;
		else
			out->warnings_more++;
	}
}

/* --- life -------------------------------------------------------------------------------------------------------- */

/* Whoever waits because a token or CA was no good, need not wait any longer when there is another. */
static void look_at_files(void *context)
{
	struct kube_source *source = context;
	bool waiting = false;
	for (size_t i = 0; i < source->resource_count; i++)
		waiting |= kube_watch_is_waiting(source->resources[i].watch);
	if (waiting && kube_credentials_changed(source->credentials))
		for (size_t i = 0; i < source->resource_count; i++)
			kube_watch_retry(source->resources[i].watch);
	event_timer_set(source->loop, &source->files, clock_monotonic_ms() + source->timing.files);
}

/* `namespace`: NULL for all. */
static void add_resource(struct kube_source *source, bool pods, const char *namespace)
{
	struct resource *resource = &source->resources[source->resource_count];
	*resource = (struct resource){
	    .source = source, .index = (unsigned)source->resource_count, .pods = pods, .scope = namespace};
	source->resource_count++;
	const char *slashes = namespace ? "/namespaces/" : "", *name = namespace ? namespace : "";
	int len = pods ? asprintf(&resource->what, "router pods")
	               : asprintf(&resource->what, "routes%s%s", namespace ? " of " : "", name);
	if (len < 0 || asprintf(&resource->path, "%s%s%s/%s", pods ? "/api/v1" : "/apis/route.openshift.io/v1", slashes,
	                        name, pods ? "pods" : "routes") < 0)
		abort();
}

static void add_resources(struct kube_source *source)
{
	const struct kube_spec *spec = &source->spec;
	for (unsigned i = 0; i < spec->namespace_count; i++)
		add_resource(source, false, spec->namespaces[i]);
	if (spec->namespace_count == 0)
		add_resource(source, false, NULL);
	if (spec->preset != KUBE_PRESET_STATIC)
		add_resource(source, true, spec->router_namespace);
}

static void start_watch(struct kube_source *source, struct resource *resource)
{
	struct kube_watch_target target = {
	    .cluster = source->cluster,
	    .what = resource->what,
	    .path = resource->path,
	    .list_kind = resource->pods ? "PodList" : "RouteList",
	    .selector = resource->pods ? source->spec.router_selector : source->spec.route_selector,
	    .relist_ms = source->timing.relist ? source->timing.relist : source->spec.relist_minutes * 60000,
	};
	resource->watch = kube_watch_start(source->loop, source->client, &source->timing, &target, &sink, resource);
}

struct kube_source *kube_source_start(struct event_loop *loop, const char *cluster, const struct kube_spec *spec,
                                      const struct kube_timing *timing, kube_changed *changed, void *context)
{
	struct kube_source *source = calloc(1, sizeof(*source));
	if (!source)
		abort();
	*source = (struct kube_source){.loop = loop, .spec = *spec, .changed = changed, .context = context};
	source->timing = timing ? *timing : *kube_timing_default();
	source->collect = source->timing.collect;
	source->cluster = strdup(cluster);
	source->observed = calloc(1, sizeof(*source->observed));
	if (!source->cluster || !source->observed)
		abort();
	source->report = (struct event_timer){.fire = report, .context = source};
	source->files = (struct event_timer){.fire = look_at_files, .context = source};
	source->routes = kube_table_create(&route_kind);
	source->routers = kube_table_create(&router_kind);
	source->credentials = kube_credentials_create(&source->spec);
	source->client = kube_client_create(loop, source->credentials, &source->timing);
	if (!source->client) {
		kube_source_stop(source);
		return NULL;
	}
	add_resources(source);
	for (size_t i = 0; i < source->resource_count; i++)
		start_watch(source, &source->resources[i]);
	event_timer_set(loop, &source->files, clock_monotonic_ms() + source->timing.files);
	return source;
}

void kube_source_stop(struct kube_source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < source->resource_count; i++) {
		kube_watch_stop(source->resources[i].watch);
		kube_records_free(&source->resources[i].listed);
		free(source->resources[i].what);
		free(source->resources[i].path);
	}
	kube_client_destroy(source->client);
	kube_credentials_free(source->credentials);
	event_timer_cancel(source->loop, &source->report);
	event_timer_cancel(source->loop, &source->files);
	kube_table_free(source->routes);
	kube_table_free(source->routers);
	kube_warnings_free(&source->warnings);
	kube_rejected_free(&source->rejected);
	free(source->observed);
	free(source->cluster);
	free(source);
}

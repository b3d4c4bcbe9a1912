/* kube_source: what is reported when, and what of it, against a scripted API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/state/cluster.h"
#include "control/event_loop.h"
#include "control/kube/kube_source.h"
#include "tests/unit/api_server.h"
#include "tests/unit/recorded.h"

#define ROUTES "/apis/route.openshift.io/v1/routes"
#define PODS   "/api/v1/namespaces/openshift-ingress/pods"

struct fixture {
	struct event_loop *loop;
	struct api_server *server;
	struct kube_spec spec;
	struct kube_timing timing;
	struct kube_source *source;
	char reports[1000]; /* "LIST|EVENT|" */
	unsigned slow_ms;   /* the owner's work for a report */
	uint64_t reported_at;
};

static void changed(void *context, enum kube_change change)
{
	struct fixture *fixture = context;
	strcat(fixture->reports, change == KUBE_LIST ? "LIST|" : "EVENT|");
	fixture->reported_at = clock_monotonic_ms();
	assert_non_null(kube_source_observed(fixture->source));
	usleep(fixture->slow_ms * 1000);
}

static int setup(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){.timing = *kube_timing_default()};
	fixture.timing.backoff_first = 20;
	fixture.timing.backoff_cap_away = 40;
	fixture.timing.files = 20;
	fixture.timing.short_stream = 50;
	fixture.loop = event_loop_create();
	fixture.server = api_server_start(fixture.loop);
	fixture.spec = (struct kube_spec){.router_name = "default",
	                                  .router_namespace = "openshift-ingress",
	                                  .router_selector = "router=default",
	                                  .container = "router",
	                                  .relist_minutes = 20};
	strcpy(fixture.spec.server, api_server_url(fixture.server));
	*state = &fixture;
	return 0;
}

static void start(struct fixture *fixture)
{
	fixture->source = kube_source_start(fixture->loop, "ose1", &fixture->spec, &fixture->timing, changed, fixture);
	assert_non_null(fixture->source);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	kube_source_stop(fixture->source);
	api_server_stop(fixture->server);
	event_loop_destroy(fixture->loop);
	return 0;
}

#define LIST(kind, version, items)                                                                                     \
	"{\"kind\":\"" kind "\",\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define META(uid, space, name)                                                                                         \
	"\"metadata\":{\"uid\":\"" uid "\",\"namespace\":\"" space "\",\"name\":\"" name                               \
	"\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},"
#define ROUTE_OF(uid, space, name, host, router, admitted)                                                             \
	"{" META(uid, space, name) "\"spec\":{\"host\":\"" host                                                        \
	                           "\"},\"status\":{\"ingress\":[{\"routerName\":\"" router "\",\"host\":\"" host      \
	                           "\",\"conditions\":[{\"type\":\"Admitted\",\"status\":\"" admitted "\"}]}]}}"
#define ROUTE(uid, name, host) ROUTE_OF(uid, "shop", name, host, "default", "True")
#define POD(uid, name, host_ip, ready)                                                                                 \
	"{" META(uid, "openshift-ingress",                                                                             \
	         name) "\"spec\":{\"containers\":[{\"name\":\"router\",\"ports\":[{\"name\":"                          \
	               "\"http\",\"containerPort\":80,\"hostPort\":80}]}]},\"status\":{\"phase\":\"Running\","         \
	               "\"hostIP\":\"" host_ip "\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"" ready "\"}]}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static const char *shown(const struct fixture *fixture)
{
	static char text[4000];
	size_t len = 0;
	const struct observed *observed = kube_source_observed(fixture->source);
	if (!observed)
		return "nothing";
	text[0] = '\0';
	for (size_t i = 0; i < observed->route_count; i++) {
		const struct observed_route *route = &observed->routes[i];
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s:%s/%s=%s ", route->uid, route->namespace,
		                        route->name, route->host.text);
	}
	for (size_t i = 0; i < observed->router_count; i++) {
		const struct observed_router *router = &observed->routers[i];
		char address[ADDRESS_TEXT_MAX];
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s:%s@%s%s%s ", router->uid, router->name,
		                        address_format(&router->address, address), router->ready ? "+" : "-",
		                        router->terminating ? "x" : "");
	}
	return text;
}

static bool has_report(void *context)
{
	return ((struct fixture *)context)->reports[0] != '\0';
}

static void await_report(struct fixture *fixture, const char *reports, const char *expected)
{
	run_until(fixture->loop, has_report, fixture, reports);
	assert_string_equal(fixture->reports, reports);
	assert_string_equal(shown(fixture), expected);
	fixture->reports[0] = '\0';
}

static void expect_no_report(struct fixture *fixture)
{
	api_expect_none(fixture->server, "/none", 50);
	assert_string_equal(fixture->reports, "");
}

static const struct kube_status *status_of(const struct fixture *fixture)
{
	static struct kube_status status;
	kube_source_status(fixture->source, &status);
	return &status;
}

struct streams {
	struct api_call *routes, *pods;
};

/* Both lists, then both watches, open. */
static struct streams reach_streams(struct fixture *fixture, const char *routes, const char *pods)
{
	struct streams streams;
	start(fixture);
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "", routes);
	api_reply(api_await(fixture->server, PODS "?limit"), 200, "", pods);
	streams.routes = api_await(fixture->server, ROUTES "?watch");
	streams.pods = api_await(fixture->server, PODS "?watch");
	api_stream(streams.routes);
	api_stream(streams.pods);
	run_until(fixture->loop, has_report, fixture, "the first report");
	fixture->reports[0] = '\0';
	return streams;
}

#define TWO_ROUTES LIST("RouteList", "10", ROUTE("u2", "web", "www.test") "," ROUTE("u1", "api", "api.test"))
#define ONE_POD    LIST("PodList", "10", POD("p1", "router-1", "203.0.113.11", "True"))
#define ONE_SHOWN  "p1:router-1@203.0.113.11+ "
#define TWO_SHOWN  "u1:shop/api=api.test u2:shop/web=www.test " ONE_SHOWN

static void complete_when_both_are_listed(void **state)
{
	struct fixture *fixture = *state;
	start(fixture);
	struct api_call *pods = api_await(fixture->server, PODS);
	assert_string_equal(api_target(pods), PODS "?limit=500&labelSelector=router%3Ddefault");
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "", TWO_ROUTES);
	struct api_call *routes = api_await(fixture->server, ROUTES "?watch");
	api_stream(routes);
	api_send(routes, EVENT("ADDED", ROUTE("u3", "new", "new.test")));
	expect_no_report(fixture);
	assert_string_equal(shown(fixture), "nothing");
	assert_false(status_of(fixture)->complete);
	api_reply(pods, 200, "", ONE_POD);
	await_report(fixture, "LIST|", "u1:shop/api=api.test u2:shop/web=www.test " ONE_SHOWN);
	const struct kube_status *status = status_of(fixture);
	assert_true(status->complete);
	assert_int_equal(status->watch_count, 2);
	assert_string_equal(status->watches[0].what, "routes");
	assert_string_equal(status->watches[1].what, "router pods");
	assert_int_equal(status->watches[0].objects, 2);
	assert_int_equal(status->watches[1].objects, 1);
	assert_string_equal(status->watches[1].resource_version, "10");
	assert_int_equal(status->warning_count, 0);
	/* What came before completion shows with the next report. */
	api_send(routes, EVENT("ADDED", ROUTE("u4", "more", "more.test")));
	await_report(fixture, "EVENT|",
	             "u1:shop/api=api.test u2:shop/web=www.test u3:shop/new=new.test "
	             "u4:shop/more=more.test " ONE_SHOWN);
}

static void events_are_reported_together(void **state)
{
	struct fixture *fixture = *state;
	fixture->timing.collect = 60;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	api_send(streams.routes, EVENT("DELETED", ROUTE("u1", "api", "api.test")));
	api_send(streams.pods, EVENT("MODIFIED", POD("p1", "router-1", "203.0.113.11", "False")));
	api_send(streams.routes, EVENT("ADDED", ROUTE("u3", "new", "new.test")));
	await_report(fixture, "EVENT|", "u2:shop/web=www.test u3:shop/new=new.test p1:router-1@203.0.113.11- ");
	/* What changes nothing is no report: repeated events, bookmarks, what is not admitted. */
	api_send(streams.routes,
	         EVENT("ADDED", ROUTE("u3", "new", "new.test")) EVENT("DELETED", ROUTE("u9", "x", "x.test"))
	             EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"99\"}}")
	                 EVENT("ADDED", ROUTE_OF("u4", "shop", "y", "y.test", "default", "False")));
	api_expect_none(fixture->server, "/none", 120);
	assert_string_equal(fixture->reports, "");
	assert_string_equal(status_of(fixture)->watches[0].resource_version, "99");
}

/* An owner that needs long gets its reports less often: the loop has other work, too. */
static void slow_owner(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	fixture->slow_ms = 30;
	api_send(streams.routes, EVENT("DELETED", ROUTE("u1", "api", "api.test")));
	await_report(fixture, "EVENT|", "u2:shop/web=www.test " ONE_SHOWN);
	uint64_t before = fixture->reported_at;
	api_send(streams.routes, EVENT("DELETED", ROUTE("u2", "web", "www.test")));
	await_report(fixture, "EVENT|", ONE_SHOWN);
	assert_true(fixture->reported_at - before >= 30 + 4 * 30 - 5);
}

static void relist_in_pages(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	api_send(streams.routes, EVENT("ERROR", "{\"code\":410,\"reason\":\"Expired\"}"));
	static const char page[] =
	    "{\"kind\":\"RouteList\",\"metadata\":{\"resourceVersion\":\"50\",\"continue\":\"t\"},"
	    "\"items\":[" ROUTE("u2", "web", "www.test") "]}";
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "", page);
	struct api_call *second = api_await(fixture->server, ROUTES "?limit=500&continue=t");
	expect_no_report(fixture);
	assert_string_equal(shown(fixture), TWO_SHOWN);
	api_reply(second, 500, "", "");
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "", page);
	second = api_await(fixture->server, ROUTES "?limit=500&continue=t");
	expect_no_report(fixture);
	api_reply(second, 200, "", LIST("RouteList", "50", ROUTE("u5", "last", "last.test")));
	await_report(fixture, "LIST|", "u2:shop/web=www.test u5:shop/last=last.test " ONE_SHOWN);
	/* A list that shows nothing new is reported, too. */
	api_send(api_await(fixture->server, ROUTES "?watch"), "");
	api_send(streams.pods, EVENT("ERROR", "{\"code\":410,\"reason\":\"Expired\"}"));
	api_reply(api_await(fixture->server, PODS "?limit"), 200, "", ONE_POD);
	await_report(fixture, "LIST|", "u2:shop/web=www.test u5:shop/last=last.test " ONE_SHOWN);
}

/* An empty list is a list: whether to believe it is the owner's business. */
static void empty_lists(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	api_send(streams.routes, EVENT("ERROR", "{\"code\":410}"));
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "", LIST("RouteList", "50", ""));
	await_report(fixture, "LIST|", ONE_SHOWN);
	api_send(streams.pods, EVENT("ERROR", "{\"code\":410}"));
	api_reply(api_await(fixture->server, PODS "?limit"), 200, "", LIST("PodList", "50", ""));
	await_report(fixture, "LIST|", "");
}

static void assert_warnings(struct fixture *fixture, const char *expected)
{
	const struct kube_status *status = status_of(fixture);
	char text[2000] = "";
	for (size_t i = 0; i < status->warning_count; i++) {
		strcat(text, status->warnings[i]);
		strcat(text, "|");
	}
	assert_string_equal(text, expected);
}

static void broken_objects_stay_as_they_were(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	api_send(streams.routes, EVENT("MODIFIED", "{" META("u1", "shop", "api") "\"spec\":{\"host\":5}}"));
	api_send(streams.routes, EVENT("ADDED", "{" META("u7", "shop", "odd") "\"spec\":[]}"));
	api_send(streams.routes, EVENT("ADDED", "{\"metadata\":{\"name\":\"nobody\"}}"));
	api_send(streams.routes, EVENT("DELETED", "{\"metadata\":{\"name\":\"nobody\"}}"));
	api_send(streams.routes, EVENT("RENAMED", "{\"metadata\":{\"namespace\":\"a\",\"name\":\"b\"}}"));
	expect_no_report(fixture);
	assert_string_equal(shown(fixture), TWO_SHOWN);
	assert_warnings(fixture, "route shop/api: spec.host is a number|route shop/odd: spec is an array|"
	                         "route ?/nobody: metadata.uid is missing|"
	                         "route ?/nobody: was deleted, but its metadata.uid is missing or wrong|"
	                         "route a/b: an event of an unknown type was left out|");
	/* The same in a list; what is mended or gone is not warned of any more. */
	api_send(streams.routes, EVENT("ERROR", "{\"code\":410}"));
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "",
	          LIST("RouteList", "50", "{" META("u1", "shop", "api") "\"spec\":{\"host\":[]}}"));
	await_report(fixture, "LIST|", "u1:shop/api=api.test " ONE_SHOWN);
	assert_warnings(fixture, "route shop/api: spec.host is an array|");
	streams.routes = api_await(fixture->server, ROUTES "?watch");
	api_stream(streams.routes);
	api_send(streams.routes, EVENT("MODIFIED", ROUTE("u1", "api", "new.test")));
	await_report(fixture, "EVENT|", "u1:shop/api=new.test " ONE_SHOWN);
	assert_warnings(fixture, "");
	api_send(streams.routes, EVENT("MODIFIED", ROUTE("u1", "api", "not..one")));
	await_report(fixture, "EVENT|", ONE_SHOWN);
}

static const char *rejection_of(const struct fixture *fixture, const char *text)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	return kube_source_rejection(fixture->source, cluster_name_id(&host, wildcard));
}

#define REFUSED(uid, host)                                                                                             \
	"{" META(uid, "shop", "x") "\"spec\":{\"host\":\"" host                                                        \
	                           "\"},\"status\":{\"ingress\":[{\"routerName\":\"default\",\"host\":\"" host         \
	                           "\",\"conditions\":[{\"type\":\"Admitted\",\"status\":\"False\",\"reason\":"        \
	                           "\"HostAlreadyClaimed\",\"message\":\"taken\"}]}]}}"

/* It is known why a name is missing, as long as that is so. */
static void what_is_not_admitted(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(
	    fixture, LIST("RouteList", "10", ROUTE("u1", "api", "api.test") "," REFUSED("u2", "www.test")), ONE_POD);
	assert_string_equal(rejection_of(fixture, "www.test"),
	                    "not admitted by router default: HostAlreadyClaimed: taken");
	assert_null(rejection_of(fixture, "api.test"));
	api_send(streams.routes, EVENT("MODIFIED", ROUTE("u2", "web", "www.test")));
	api_send(streams.routes, EVENT("MODIFIED", REFUSED("u1", "api.test")));
	await_report(fixture, "EVENT|", "u2:shop/web=www.test " ONE_SHOWN);
	assert_null(rejection_of(fixture, "www.test"));
	assert_non_null(rejection_of(fixture, "api.test"));
	api_send(streams.routes, EVENT("DELETED", REFUSED("u1", "api.test")));
	api_send(streams.routes, EVENT("MODIFIED", ROUTE("u2", "web", "new.test")));
	await_report(fixture, "EVENT|", "u2:shop/web=new.test " ONE_SHOWN);
	assert_null(rejection_of(fixture, "api.test"));
	assert_warnings(fixture, "");
}

/* Where not even the uid can be read, nobody knows which one it is: then nothing goes by that list. */
static void unreadable_items_remove_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	api_send(streams.routes, EVENT("ERROR", "{\"code\":410}"));
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "",
	          LIST("RouteList", "50", "{\"broken\":},{\"metadata\":5}," ROUTE("u5", "last", "last.test")));
	await_report(fixture, "LIST|", "u1:shop/api=api.test u2:shop/web=www.test u5:shop/last=last.test " ONE_SHOWN);
	assert_warnings(fixture, "route ?/?: is no JSON from byte 11 of 11 on|route ?/?: metadata is a number|");
	api_stream(api_await(fixture->server, ROUTES "?watch"));
}

static void objects_change(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	/* Another host in place; its status follows later. */
	api_send(streams.routes,
	         EVENT("MODIFIED",
	               "{" META("u1", "shop",
	                        "api") "\"spec\":{\"host\":\"new.test\"},\"status\":{\"ingress\":"
	                               "[{\"routerName\":\"default\",\"host\":\"api.test\",\"conditions\":[{\"type\":"
	                               "\"Admitted\",\"status\":\"True\"}]}]}}"));
	await_report(fixture, "EVENT|", "u2:shop/web=www.test " ONE_SHOWN);
	api_send(streams.routes, EVENT("MODIFIED", ROUTE("u1", "api", "new.test")));
	await_report(fixture, "EVENT|", "u1:shop/api=new.test u2:shop/web=www.test " ONE_SHOWN);
	/* A uid changes under the same name: the deletion of the old one was missed. */
	api_send(streams.routes, EVENT("ADDED", ROUTE("u0", "web", "www.test")));
	await_report(fixture, "EVENT|", "u0:shop/web=www.test u1:shop/api=new.test " ONE_SHOWN);
	/* A loser becomes the winner when the winner is deleted. */
	api_send(streams.routes, EVENT("ADDED", ROUTE_OF("u8", "team", "api", "new.test", "default", "False")));
	expect_no_report(fixture);
	api_send(streams.routes, EVENT("DELETED", ROUTE("u1", "api", "new.test"))
	                             EVENT("MODIFIED", ROUTE_OF("u8", "team", "api", "new.test", "default", "True")));
	await_report(fixture, "EVENT|", "u0:shop/web=www.test u8:team/api=new.test " ONE_SHOWN);
	/* The router takes its admission back; another router's does not count. */
	api_send(streams.routes, EVENT("MODIFIED", ROUTE_OF("u8", "team", "api", "new.test", "shard", "True")));
	await_report(fixture, "EVENT|", "u0:shop/web=www.test " ONE_SHOWN);
	/* Two paths of one host: one goes, the host stays. */
	api_send(streams.routes, EVENT("ADDED", ROUTE("u3", "web-path", "www.test")));
	await_report(fixture, "EVENT|", "u0:shop/web=www.test u3:shop/web-path=www.test " ONE_SHOWN);
	api_send(streams.routes, EVENT("DELETED", ROUTE("u0", "web", "www.test")));
	await_report(fixture, "EVENT|", "u3:shop/web-path=www.test " ONE_SHOWN);
}

static void pods_change(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, LIST("RouteList", "10", ""), ONE_POD);
	/* Without an address, then with one: the one that another pod on this node still has. */
	api_send(streams.pods, EVENT("ADDED", POD("p2", "router-2", "", "False")));
	expect_no_report(fixture);
	api_send(streams.pods, EVENT("MODIFIED", POD("p2", "router-2", "203.0.113.11", "True")));
	await_report(fixture, "EVENT|", "p1:router-1@203.0.113.11+ p2:router-2@203.0.113.11+ ");
	static const char terminating[] = EVENT(
	    "MODIFIED",
	    "{\"metadata\":{\"uid\":\"p1\",\"namespace\":\"openshift-ingress\",\"name\":\"router-1\","
	    "\"creationTimestamp\":"
	    "\"2026-01-02T03:04:05Z\",\"deletionTimestamp\":\"2026-01-02T03:04:05Z\"},\"spec\":{\"containers\":[{"
	    "\"name\":"
	    "\"router\",\"ports\":[{\"name\":\"http\",\"containerPort\":80,\"hostPort\":80}]}]},\"status\":{\"phase\":"
	    "\"Running\",\"hostIP\":\"203.0.113.11\"}}");
	api_send(streams.pods, terminating);
	await_report(fixture, "EVENT|", "p1:router-1@203.0.113.11-x p2:router-2@203.0.113.11+ ");
	api_send(streams.pods, EVENT("DELETED", POD("p1", "router-1", "203.0.113.11", "False")));
	await_report(fixture, "EVENT|", "p2:router-2@203.0.113.11+ ");
	/* A pod that ended without being deleted. */
	api_send(streams.pods,
	         EVENT("MODIFIED",
	               "{" META("p2", "openshift-ingress",
	                        "router-2") "\"spec\":{\"containers\":"
	                                    "[]},\"status\":{\"phase\":\"Failed\",\"hostIP\":\"203.0.113.11\"}}"));
	await_report(fixture, "EVENT|", "");
	api_send(streams.pods,
	         EVENT("ADDED", "{" META("p3", "openshift-ingress",
	                                 "other") "\"spec\":{\"containers\":[]},"
	                                          "\"status\":{\"phase\":\"Running\",\"hostIP\":\"203.0.113.12\"}}"));
	expect_no_report(fixture);
	assert_warnings(fixture, "pod openshift-ingress/other: has no container \"router\"|");
}

static void namespaces(void **state)
{
	struct fixture *fixture = *state;
	fixture->spec.preset = KUBE_PRESET_STATIC;
	fixture->spec.namespace_count = 2;
	strcpy(fixture->spec.namespaces[0], "shop");
	strcpy(fixture->spec.namespaces[1], "team");
	start(fixture);
	struct api_call *team = api_await(fixture->server, "/apis/route.openshift.io/v1/namespaces/team/routes?limit");
	api_reply(api_await(fixture->server, "/apis/route.openshift.io/v1/namespaces/shop/routes?limit"), 200, "",
	          LIST("RouteList", "10",
	               ROUTE("u1", "a", "a.test") "," ROUTE_OF("u9", "team", "x", "x.test", "default", "True")));
	expect_no_report(fixture);
	api_reply(team, 200, "", LIST("RouteList", "10", ROUTE_OF("u2", "team", "b", "b.test", "default", "True")));
	await_report(fixture, "LIST|", "u1:shop/a=a.test u2:team/b=b.test ");
	assert_warnings(fixture, "route team/x: is not of namespace shop, which was asked for|");
	assert_int_equal(status_of(fixture)->watch_count, 2);
	assert_string_equal(status_of(fixture)->watches[1].what, "routes of team");
	assert_int_equal(status_of(fixture)->watches[1].objects, 1);
	/* A list of one namespace says nothing of the other. */
	api_reply(api_await(fixture->server, "/apis/route.openshift.io/v1/namespaces/shop/routes?watch"), 410, "", "");
	api_reply(api_await(fixture->server, "/apis/route.openshift.io/v1/namespaces/shop/routes?limit"), 200, "",
	          LIST("RouteList", "20", ROUTE("u3", "c", "c.test")));
	await_report(fixture, "LIST|", "u2:team/b=b.test u3:shop/c=c.test ");
	api_expect_none(fixture->server, "/api/v1", 30); /* no pods are asked for */
}

/* Trouble with one resource does not hold up the other, and takes nothing away. */
static void one_resource_away(void **state)
{
	struct fixture *fixture = *state;
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
	api_send(streams.routes, "garbage\n");
	for (unsigned i = 0; i < 3; i++)
		api_reply(api_await(fixture->server, ROUTES "?limit"), 503, "", "");
	api_send(streams.pods, EVENT("MODIFIED", POD("p1", "router-1", "203.0.113.12", "True")));
	await_report(fixture, "EVENT|", "u1:shop/api=api.test u2:shop/web=www.test p1:router-1@203.0.113.12+ ");
	const struct kube_status *status = status_of(fixture);
	assert_true(status->watches[0].failing);
	assert_string_equal(status->watches[0].error, "status 503");
	assert_false(status->watches[1].failing);
	assert_int_equal(status->watches[1].state, KUBE_STATE_WATCHING);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void new_token(void **state)
{
	struct fixture *fixture = *state;
	static char path[] = "/tmp/pm_kube_source_XXXXXX";
	close(mkstemp(path));
	write_file(path, "old\n");
	strcpy(fixture->spec.token_file, path);
	fixture->spec.preset = KUBE_PRESET_STATIC;
	fixture->timing.backoff_first = 60000; /* only the file can help */
	fixture->timing.backoff_cap_away = 60000;
	start(fixture);
	struct recorded recorded = recorded_load("unauthorized-401");
	struct api_call *call = api_await(fixture->server, ROUTES "?limit");
	assert_string_equal(api_field(call, "Authorization"), "Bearer old");
	api_reply_raw(call, recorded.bytes, recorded.len);
	recorded_free(&recorded);
	api_expect_none(fixture->server, ROUTES, 100);
	assert_non_null(
	    strstr(status_of(fixture)->watches[0].words, "to list again: status 401: the API does not accept"));
	write_file(path, "new\n");
	call = api_await(fixture->server, ROUTES "?limit");
	assert_string_equal(api_field(call, "Authorization"), "Bearer new");
	api_reply(call, 200, "", TWO_ROUTES);
	await_report(fixture, "LIST|", "u1:shop/api=api.test u2:shop/web=www.test ");
	/* Later it becomes empty: the old one goes on, with a warning. */
	call = api_await(fixture->server, ROUTES "?watch");
	write_file(path, "");
	api_reply(call, 410, "", "");
	kube_source_stop(fixture->source);
	fixture->timing.backoff_first = 20;
	start(fixture);
	for (unsigned i = 0; i < 5; i++)
		event_loop_turn(fixture->loop, 10);
	assert_non_null(strstr(status_of(fixture)->watches[0].error, "is empty"));
	assert_int_equal(status_of(fixture)->warning_count, 1);
	unlink(path);
}

/* Route objects hold TLS keys: whatever is wrong with them, no line of the log and no text of the status has one. */
static void keys_are_not_shown(void **state)
{
	struct fixture *fixture = *state;
	static char path[] = "/tmp/pm_kube_source_log_XXXXXX", log[20000];
	int file = mkstemp(path), before = dup(STDERR_FILENO);
	dup2(file, STDERR_FILENO);
	struct streams streams = reach_streams(fixture, TWO_ROUTES, ONE_POD);
#define KEY "\"tls\":{\"key\":\"-----BEGIN PRIVATE KEY-----\""
	api_send(streams.routes, EVENT("ADDED", "{" META("u5", "shop", "k") "\"spec\":{\"host\":5," KEY "}}}"));
	api_send(streams.routes, EVENT("ADDED", "{" META("u6", "shop", "l") "\"spec\":{\"host\":\"\"," KEY "}}}"));
	api_send(streams.routes, "{\"type\":\"ADDED\",\"object\":{" KEY ",}}}\n");
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "",
	          LIST("RouteList", "50", "{" KEY "},{" KEY "}}"));
	struct api_call *call = api_await(fixture->server, ROUTES "?limit");
	api_reply(call, 500, "", "{" KEY "}}");
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "", "{" KEY);
	api_await(fixture->server, ROUTES "?limit");
	dup2(before, STDERR_FILENO);
	close(before);
	ssize_t len = pread(file, log, sizeof(log) - 1, 0);
	assert_true(len > 100);
	log[len] = '\0';
	assert_non_null(strstr(log, "cluster ose1: route shop/k: spec.host is a number"));
	assert_null(strstr(log, "PRIVATE"));
	const struct kube_status *status = status_of(fixture);
	assert_true(status->warning_count > 0);
	for (size_t i = 0; i < status->warning_count; i++)
		assert_null(strstr(status->warnings[i], "PRIVATE"));
	assert_null(strstr(status->watches[0].words, "PRIVATE"));
	close(file);
	unlink(path);
}

static void many_warnings(void **state)
{
	struct fixture *fixture = *state;
	static char text[200000] = "{\"kind\":\"RouteList\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[";
	for (unsigned i = 0; i < 150; i++)
		snprintf(text + strlen(text), 300, "%s{\"metadata\":{\"uid\":\"u%u\",\"name\":\"n%u\"}}",
		         i > 0 ? "," : "", i, i);
	strcat(text, "]}");
	fixture->spec.preset = KUBE_PRESET_STATIC;
	start(fixture);
	api_reply(api_await(fixture->server, ROUTES "?limit"), 200, "", text);
	await_report(fixture, "LIST|", "");
	assert_int_equal(status_of(fixture)->warning_count, KUBE_WARNINGS_MAX);
	assert_int_equal(status_of(fixture)->warnings_more, 50);
}

/* Ended in any state, with answers half read. */
static void stopping(void **state)
{
	struct fixture *fixture = *state;
	for (unsigned i = 0; i < 4; i++) {
		start(fixture);
		if (i > 0) {
			struct api_call *call = api_await(fixture->server, ROUTES "?limit");
			api_stream(call);
			api_send(call, "{\"items\":[" ROUTE("u1", "a", "a.test") ",{\"half");
		}
		if (i > 1)
			api_reply(api_await(fixture->server, PODS "?limit"), 200, "", ONE_POD);
		if (i > 2)
			api_send(api_await(fixture->server, PODS "?watch"), "");
		event_loop_turn(fixture->loop, 10);
		kube_source_stop(fixture->source);
		assert_string_equal(fixture->reports, "");
	}
	fixture->source = NULL;
	kube_source_stop(NULL);
}

static void recorded_cluster(void **state)
{
	struct fixture *fixture = *state;
	struct recorded routes = recorded_load("routes-list"), pods = recorded_load("pods-list");
	start(fixture);
	api_reply_raw(api_await(fixture->server, ROUTES "?limit"), routes.bytes, routes.len);
	api_reply_raw(api_await(fixture->server, PODS "?limit"), pods.bytes, pods.len);
	await_report(fixture, "LIST|",
	             "683efcb2-4da3-4155-8b0a-6dc855ffc354:shop/web=www.shop.test "
	             "27390e41-08ef-48d5-97b9-8c32aaa7f0bb:router-a@203.0.113.11+ ");
	recorded_free(&routes);
	recorded_free(&pods);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(complete_when_both_are_listed),
	    TEST(events_are_reported_together),
	    TEST(slow_owner),
	    TEST(relist_in_pages),
	    TEST(empty_lists),
	    TEST(broken_objects_stay_as_they_were),
	    TEST(unreadable_items_remove_nothing),
	    TEST(what_is_not_admitted),
	    TEST(objects_change),
	    TEST(pods_change),
	    TEST(namespaces),
	    TEST(one_resource_away),
	    TEST(new_token),
	    TEST(keys_are_not_shown),
	    TEST(many_warnings),
	    TEST(stopping),
	    TEST(recorded_cluster),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

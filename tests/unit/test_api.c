/* api: each address, each refusal with its status, and that what is refused changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/api/api.h"
#include "control/control.h"
#include "control_fixture.h"

static char directory[] = "/tmp/pm-test-api-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct control control;
static const char *peer;
static const char *content_type;

static void remove_state(void)
{
	fixture_empty(directory);
}

static int setup(void **state)
{
	remove_state();
	peer = "127.0.0.1";
	content_type = "application/json";
	loop = event_loop_create();
	config = fixture_config(
	    directory, directory,
	    "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2
	    ", {'name': 'ose3', 'source': 'push', 'key': 'K3', 'push_from': ['127.0.0.1', '192.0.2.0/24']}]");
	if (!control_init(&control, config, loop))
		return -1;
	control_start(&control);
	return 0;
}

static int teardown(void **state)
{
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	return 0;
}

/* Takes what stands behind the ? off the path. */
static void split_queries(struct api_request *request, char *path)
{
	char *query = strchr(path, '?');
	request->path = path;
	while (query) {
		*query++ = '\0';
		char *next = strchr(query, '&'), *value = strchr(query, '=');
		if (value)
			*value++ = '\0';
		if (next)
			*next = '\0';
		request->queries[request->query_count++] = (struct api_query){query, value ? value : ""};
		query = next;
	}
}

/* The reply, whether it comes before or after the body. ' stands for " in the body. */
static struct api_reply call(const char *method, const char *path, const char *body)
{
	struct api_reply reply = {0};
	char *address = strdup(path);
	char *text = strdup(body ? body : "");
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	struct api_request request = {.method = method, .content_type = content_type};
	split_queries(&request, address);
	assert_true(address_parse(peer, &request.peer));
	if (api_accept(&control, &request, &reply)) {
		request.body = text;
		request.body_len = strlen(text);
		reply = api_handle(&control, &request);
	}
	free(text);
	free(address);
	return reply;
}

static const char *text_of(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));
	return text ? text : "";
}

/* The request is refused with this status; its detail contains `part`; nothing has changed. */
static void assert_refused(unsigned status, const char *part, const char *method, const char *path, const char *body)
{
	uint64_t revision = control.state.revision;
	struct api_reply reply = call(method, path, body);
	if (reply.status != status || !strstr(text_of(reply.json, "detail"), part))
		print_error("%u %s\n", reply.status, text_of(reply.json, "detail"));
	assert_int_equal(reply.status, status);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "status")), status);
	assert_non_null(strstr(text_of(reply.json, "detail"), part));
	assert_int_equal(control.state.revision, revision);
	assert_int_equal(reply.revision, 0);
	json_decref(reply.json);
}

static void assert_written(unsigned status, const char *method, const char *path, const char *body)
{
	uint64_t revision = control.state.revision;
	struct api_reply reply = call(method, path, body);
	if (reply.status != status)
		print_error("%u %s\n", reply.status, text_of(reply.json, "detail"));
	assert_int_equal(reply.status, status);
	assert_int_equal(reply.revision, revision + 1);
	assert_int_equal(control.state.revision, revision + 1);
	json_decref(reply.json);
}

/* The same again: nothing to do. */
static void assert_unchanged(const char *method, const char *path, const char *body)
{
	uint64_t revision = control.state.revision;
	struct api_reply reply = call(method, path, body);
	assert_int_equal(reply.status, 200);
	assert_true(json_is_false(json_object_get(reply.json, "changed")));
	assert_int_equal(reply.revision, revision);
	assert_int_equal(control.state.revision, revision);
	json_decref(reply.json);
}

static json_t *get(const char *path)
{
	struct api_reply reply = call("GET", path, NULL);
	assert_int_equal(reply.status, 200);
	return reply.json;
}

static void the_index_lists_every_address(void **state)
{
	struct api_reply reply = call("GET", "/api/v1", NULL);
	assert_int_equal(reply.status, 200);
	const char *text = reply.owned ? reply.owned : reply.text;
	static const char *const addresses[] = {"/api/v1/status", "/api/v1/clusters",   "/api/v1/hosts",
	                                        "/api/v1/routes", "/api/v1/clusters/{", "/api/cluster/{"};
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		assert_non_null(strstr(text, addresses[i]));
	api_reply_free(&reply);
}

static void views(void **state)
{
	json_t *status = get("/api/v1/status"), *clusters = get("/api/v1/clusters"), *hosts = get("/api/v1/hosts");
	json_t *routes = get("/api/v1/routes"), *one = get("/api/v1/clusters/ose1");
	assert_non_null(json_object_get(status, "dataplane"));
	assert_int_equal(json_array_size(json_object_get(clusters, "clusters")), 3);
	assert_int_equal(json_array_size(json_object_get(hosts, "hosts")), 3);
	assert_int_equal(json_array_size(json_object_get(routes, "routes")), 2);
	assert_string_equal(text_of(one, "name"), "ose1");
	json_decref(status);
	json_decref(clusters);
	json_decref(hosts);
	json_decref(routes);
	json_decref(one);
	struct api_reply head = call("HEAD", "/api/v1/hosts", NULL);
	assert_int_equal(head.status, 200);
	json_decref(head.json);
}

static void pages(void **state)
{
	json_t *page = get("/api/v1/hosts?limit=1&offset=2"), *hosts = json_object_get(page, "hosts");
	assert_int_equal(json_array_size(hosts), 1);
	assert_string_equal(text_of(json_array_get(hosts, 0), "address"), "203.0.113.21");
	assert_int_equal(json_integer_value(json_object_get(page, "total")), 3);
	json_decref(page);
	static const char *const wrong[] = {"", "-1", "x", "1x", "9999999999"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char path[80];
		snprintf(path, sizeof(path), "/api/v1/hosts?limit=%s", wrong[i]);
		assert_refused(400, "limit must be a number", "GET", path, NULL);
	}
}

static void wrong_addresses_and_methods(void **state)
{
	assert_refused(404, "GET /api/v1 lists them", "GET", "/api/v2", NULL);
	assert_refused(404, "GET /api/v1 lists them", "GET", "/api/v1/clusters/", NULL);
	assert_refused(404, "GET /api/v1 lists them", "GET", "/api/v1/clusters/a/b", NULL);
	assert_refused(404, "GET /api/v1 lists them", "GET", "", NULL);
	assert_refused(404, "there is no cluster \"nix\"", "GET", "/api/v1/clusters/nix", NULL);
	assert_refused(404, "there is no cluster \"nix\"", "DELETE", "/api/v1/clusters/nix", NULL);
	assert_refused(404, "there is no cluster \"?x\"", "GET", "/api/v1/clusters/\xffx", NULL); /* no UTF-8 */
	assert_refused(403, "has the key \"?\"", "POST", "/api/cluster/\xff", "{}");
	assert_refused(400, "1 to 63 letters", "PUT", "/api/v1/clusters/\xff", "{}");
	assert_refused(405, "takes GET", "POST", "/api/v1/status", "{}");
	assert_refused(405, "takes POST", "GET", "/api/cluster/K3", NULL);
	assert_refused(405, "takes GET", "CONNECT", "/", NULL);
	struct api_reply reply = call("POST", "/api/v1/clusters/ose1", "{}");
	assert_string_equal(reply.allow, "GET, PUT, PATCH, DELETE");
	json_decref(reply.json);
}

static void peers(void **state)
{
	peer = "192.0.2.7"; /* in push_from of ose3, not allowed otherwise */
	assert_refused(403, "admin.allow_from", "GET", "/api/v1/status", NULL);
	assert_refused(403, "admin.allow_from", "GET", "/nothing", NULL);
	assert_refused(403, "admin.allow_from", "PUT", "/api/v1/clusters/x", "{}");
	assert_written(201, "POST", "/api/cluster/K3", "{'routes':{},'routerHosts':{}}");
	prefix_parse("192.0.2.7/32", &config->admin.allow_from[0]);
	config->admin.allow_from_count = 1;
	assert_refused(401, "this needs a token", "GET", "/api/v1/status", NULL);
	peer = "127.0.0.1";
	assert_refused(403, "127.0.0.1 may not use this API", "GET", "/api/v1/status", NULL);
}

static void put_makes_and_replaces(void **state)
{
	assert_written(201, "PUT", "/api/v1/clusters/ose9", "{'source':'static'}");
	assert_written(200, "PUT", "/api/v1/clusters/ose9",
	               "{'name':'ose9','source':'static','hosts':[{'name':'a','address':'192.0.2.1'}]}");
	assert_int_equal(state_cluster(&control.state, "ose9")->spec->host_count, 1);
	json_t *as_it_is = get("/api/v1/clusters/ose9");
	char *text = json_dumps(as_it_is, 0);
	assert_unchanged("PUT", "/api/v1/clusters/ose9", text); /* what GET gives, PUT takes */
	free(text);
	json_decref(as_it_is);
	assert_written(200, "DELETE", "/api/v1/clusters/ose9", NULL);
	assert_null(state_cluster(&control.state, "ose9"));
}

static void put_of_wrong_bodies(void **state)
{
	assert_refused(400, "line 1, column", "PUT", "/api/v1/clusters/ose1", "{");
	assert_refused(400, "$: is empty", "PUT", "/api/v1/clusters/ose1", "");
	assert_refused(400, "$: is an array", "PUT", "/api/v1/clusters/ose1", "[]");
	assert_refused(400, "$.name: \"b\" is another name", "PUT", "/api/v1/clusters/a",
	               "{'name':'b','source':'static'}");
	assert_refused(400, "$.hosts[0].address", "PUT", "/api/v1/clusters/ose1",
	               "{'source':'static','hosts':[{'name':'r1','address':'198.51.100.10'}]}");
	assert_refused(400, "1 to 63 letters", "PUT", "/api/v1/clusters/-x", "{}");
	struct api_reply reply =
	    call("PUT", "/api/v1/clusters/a", "{'source':'static','default_weight':101,'hosts':[{'name':'x'}]}");
	const json_t *errors = json_object_get(reply.json, "errors");
	assert_int_equal(json_array_size(errors), 2);
	assert_string_equal(text_of(json_array_get(errors, 0), "path"), "$.default_weight");
	assert_string_equal(text_of(json_array_get(errors, 0), "reason"), "101 is out of range");
	assert_string_equal(text_of(json_array_get(errors, 0), "expected"), "a number from 0 to 100");
	assert_string_equal(text_of(json_array_get(errors, 1), "path"), "$.hosts[0].address");
	json_decref(reply.json);
}

static void put_needs_json(void **state)
{
	static const char *const wrong[] = {NULL, "", "text/plain", "application/x-www-form-urlencoded",
	                                    "application/jsonx"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		content_type = wrong[i];
		assert_refused(415, "application/json", "PUT", "/api/v1/clusters/ose1", "{'source':'static'}");
	}
	content_type = "Application/JSON; charset=utf-8";
	assert_written(200, "PUT", "/api/v1/clusters/ose1", "{'source':'static'}");
}

/* A dry_run that nobody reads must not be made in earnest. */
static void what_takes_no_body_refuses_one(void **state)
{
	static const struct {
		const char *method, *path;
	} calls[] = {{"DELETE", "/api/v1/clusters/ose1"},
	             {"DELETE", "/api/v1/routes/app1.ch/clusters/ose1/weight"},
	             {"POST", "/api/v1/routes/app1.ch/rollback"},
	             {"POST", "/api/v1/clusters/ose1/check"},
	             {"POST", "/api/v1/clusters/ose1/held/confirm"},
	             {"POST", "/api/v1/revisions/1/rollback"},
	             {"POST", "/api/v1/reload"},
	             {"POST", "/api/v1/logout"}};
	static const char *const bodies[] = {"{'dry_run': true}", "{'broken", "[]", "7"};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (size_t j = 0; j < sizeof(bodies) / sizeof(bodies[0]); j++)
			assert_refused(400, "", calls[i].method, calls[i].path, bodies[j]);
	assert_refused(400, "dry_run and reason are query parameters", "POST", "/api/v1/reload", "{'dry_run': true}");
	content_type = "text/plain";
	assert_refused(415, "must be JSON", "DELETE", "/api/v1/clusters/ose1", "{}");
}

static void each_source_owns_its_cluster(void **state)
{
	assert_refused(409, "cluster ose1 has source static", "PUT", "/api/v1/clusters/ose1", "{'source':'push'}");
	assert_refused(409, "cluster ose3 has source push", "PUT", "/api/v1/clusters/ose3", "{'source':'static'}");
	assert_refused(409, "come from pushes alone (POST /api/cluster/K3)", "PUT", "/api/v1/clusters/ose3",
	               "{'source':'push','key':'K3','routes':[{'host':'x.ch'}]}");
	assert_refused(409, "come from pushes alone", "PUT", "/api/v1/clusters/new",
	               "{'source':'push','hosts':[{'name':'r','address':'192.0.2.1'}]}");
	assert_refused(403, "no cluster with source push has the key \"ose1\"", "POST", "/api/cluster/ose1", "{}");
	assert_refused(400, "$.key: \"K3\" is the key of cluster ose3", "PUT", "/api/v1/clusters/new",
	               "{'source':'push','key':'K3'}");
}

static const char push[] = "{'routes':{'r':{'url':'app1.ch','weight':10}},"
                           "'routerHosts':{'h':{'name':'h','hostIP':'192.0.2.31','httpPort':80,'httpsPort':443}}}";

static void pushes(void **state)
{
	content_type = NULL; /* the plugin says what it likes */
	assert_written(201, "POST", "/api/cluster/K3", push);
	const struct cluster *cluster = state_cluster(&control.state, "ose3");
	assert_int_equal(cluster->spec->host_count, 1);
	assert_int_equal(cluster->spec->routes[0].weight, 10);
	assert_true(cluster->pushed_at > 0);
	/* The same again: nothing to write. */
	uint64_t revision = control.state.revision;
	struct api_reply reply = call("POST", "/api/cluster/K3", push);
	assert_int_equal(reply.status, 201);
	assert_int_equal(reply.revision, revision);
	assert_int_equal(control.state.revision, revision);
	json_decref(reply.json);
	/* New settings keep what was pushed. */
	content_type = "application/json";
	assert_written(200, "PUT", "/api/v1/clusters/ose3", "{'source':'push','key':'K4','default_weight':5}");
	cluster = state_cluster(&control.state, "ose3");
	assert_int_equal(cluster->spec->host_count, 1);
	assert_int_equal(cluster->spec->route_count, 1);
	assert_int_equal(cluster->spec->default_weight, 5);
	assert_refused(403, "no cluster with source push has the key \"K3\"", "POST", "/api/cluster/K3", push);
	/* An empty push is not believed. */
	assert_written(201, "POST", "/api/cluster/K4", "{'routes':{},'routerHosts':{}}");
	reply = call("GET", "/api/v1/held", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "held")), 2);
	json_decref(reply.json);
	revision = control.state.revision;
	reply = call("POST", "/api/cluster/K4", "{'routes':{},'routerHosts':{}}"); /* nothing new */
	assert_int_equal(reply.revision, revision);
	json_decref(reply.json);
	assert_written(200, "POST", "/api/v1/clusters/ose3/held/confirm", NULL);
	cluster = state_cluster(&control.state, "ose3");
	assert_int_equal(cluster->spec->host_count + cluster->spec->route_count, 0);
}

static void patches(void **state)
{
	assert_written(200, "PATCH", "/api/v1/clusters/ose1?force=true", "{'state':'draining','default_weight':7}");
	const struct cluster *cluster = state_cluster(&control.state, "ose1");
	assert_int_equal(cluster->spec->state, CLUSTER_DRAINING);
	assert_int_equal(cluster->spec->default_weight, 7);
	assert_unchanged("PATCH", "/api/v1/clusters/ose1", "{}");
	assert_int_equal(cluster->spec->state, CLUSTER_DRAINING);
	/* A PUT that does not name the state leaves it alone. */
	assert_written(200, "PUT", "/api/v1/clusters/ose1", "{'source':'static'}");
	assert_int_equal(state_cluster(&control.state, "ose1")->spec->state, CLUSTER_DRAINING);
	assert_written(200, "PUT", "/api/v1/clusters/ose1", "{'source':'static','state':'active'}");
	assert_int_equal(state_cluster(&control.state, "ose1")->spec->state, CLUSTER_ACTIVE);
	assert_refused(400, "$.state: \"of\" is not known", "PATCH", "/api/v1/clusters/ose1", "{'state':'of'}");
	assert_refused(400, "$.new_routes: belongs to", "PATCH", "/api/v1/clusters/ose1", "{'new_routes':'parked'}");
	assert_refused(400, "unknown field", "PATCH", "/api/v1/clusters/ose1", "{'weight':1}");
	assert_refused(400, "101 is out of range", "PATCH", "/api/v1/clusters/ose1", "{'default_weight':101}");
	assert_refused(404, "there is no cluster", "PATCH", "/api/v1/clusters/nix", "{}");
}

static void watched_clusters_own_what_their_api_shows(void **state)
{
	static const char watched[] = "{'source':'watch','watch':{'server':'https://127.0.0.1:1'}%s}";
	char body[200];
	snprintf(body, sizeof(body), watched, "");
	assert_written(201, "PUT", "/api/v1/clusters/ose9", body);
	snprintf(body, sizeof(body), watched, ",'routes':[{'host':'a.ch'}]");
	assert_refused(409, "its API owns its routes and router hosts", "PUT", "/api/v1/clusters/ose9", body);
	snprintf(body, sizeof(body), watched, ",'hosts':[{'name':'r','address':'192.0.2.1'}]");
	assert_refused(409, "its API owns its routes and router hosts", "PUT", "/api/v1/clusters/ose9", body);
	assert_refused(403, "no cluster with source push has the key \"ose9\"", "POST", "/api/cluster/ose9", "{}");
	assert_refused(409, "cluster ose9 has source watch", "PUT", "/api/v1/clusters/ose9", "{'source':'static'}");
	assert_written(200, "PATCH", "/api/v1/clusters/ose9", "{'new_routes':'active'}");
	struct api_reply reply = call("GET", "/api/v1/held", NULL);
	assert_int_equal(reply.status, 200);
	assert_int_equal(json_array_size(json_object_get(reply.json, "held")), 0);
	json_decref(reply.json);
	assert_written(200, "DELETE", "/api/v1/clusters/ose9", NULL);
}

static void wrong_pushes(void **state)
{
	assert_refused(400, "$.routes: is missing", "POST", "/api/cluster/K3", "{}");
	assert_refused(400, "$.routes[\"r\"].weight: 1000 is out of range", "POST", "/api/cluster/K3",
	               "{'routes':{'r':{'url':'a.ch','weight':1000}},'routerHosts':{}}");
	assert_refused(400, "$.hosts[0].address: belongs to a listener", "POST", "/api/cluster/K3",
	               "{'routes':{},'routerHosts':{'h':{'hostIP':'198.51.100.10'}}}");
}

/* Names that are held keep their place, and the limit holds. */
static void pushes_that_find_no_room(void **state)
{
	char body[1000], *at;
	config->limits.routes = 30;
	for (unsigned n = 0; n < 4; n++) {
		at = body + sprintf(body, "{'routerHosts': {}, 'routes': {");
		for (unsigned i = 0; i < 20; i++)
			at += sprintf(at, "%s'%u': {'url': 'n%u-%u.ch'}", i > 0 ? "," : "", i, n, i);
		strcpy(at, "}}");
		if (n == 0)
			assert_written(201, "POST", "/api/cluster/K3", body);
		struct api_reply reply = call("POST", "/api/cluster/K3", body);
		assert_int_equal(reply.status, n == 0 ? 201 : 409);
		json_decref(reply.json);
		assert_true(control.state.names.count <= 30);
	}
	assert_refused(
	    409,
	    "this push and what is held of cluster ose3 would make 42 host names in all; expected at most 30 "
	    "(limits.routes in the configuration file). Its new routes are left out, all else of it counts. "
	    "Confirm the held deletions (POST /api/v1/clusters/ose3/held/confirm), or raise the limit",
	    "POST", "/api/cluster/K3", body);
	assert_written(200, "POST", "/api/v1/clusters/ose3/held/confirm", NULL);
	assert_written(201, "POST", "/api/cluster/K3", body);
	assert_int_equal(state_cluster(&control.state, "ose3")->spec->route_count, 20);
}

static void a_stranger_cannot_tell_clusters_apart(void **state)
{
	static const struct {
		const char *key, *peer;
	} cases[] = {{"K3", "192.0.3.1"}, {"K0", "192.0.3.1"},   {"ose1", "192.0.3.1"}, {"ose3", "192.0.3.1"},
	             {"K0", "192.0.2.7"}, {"ose1", "192.0.2.7"}, {"ose3", "192.0.2.7"}};
	char path[100], detail[200];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		peer = cases[i].peer;
		snprintf(path, sizeof(path), "/api/cluster/%s", cases[i].key);
		snprintf(detail, sizeof(detail),
		         "no cluster with source push has the key \"%s\" and %s in its push_from", cases[i].key, peer);
		assert_refused(403, detail, "POST", path, push);
	}
}

static void what_cannot_be_saved_is_507(void **state)
{
	struct rlimit limit, none;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &none);
	struct api_reply replies[] = {call("PUT", "/api/v1/clusters/ose1", "{'source':'static'}"),
	                              call("DELETE", "/api/v1/clusters/ose1?force=true", NULL),
	                              call("POST", "/api/cluster/K3", push)};
	setrlimit(RLIMIT_FSIZE, &limit);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(replies[i].status, 507);
		assert_non_null(strstr(text_of(replies[i].json, "detail"), "nothing was changed"));
		json_decref(replies[i].json);
	}
	assert_int_equal(control.state.revision, 1);
	assert_int_equal(state_cluster(&control.state, "ose1")->spec->host_count, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(the_index_lists_every_address),
	    TEST(views),
	    TEST(pages),
	    TEST(wrong_addresses_and_methods),
	    TEST(peers),
	    TEST(put_makes_and_replaces),
	    TEST(put_of_wrong_bodies),
	    TEST(put_needs_json),
	    TEST(what_takes_no_body_refuses_one),
	    TEST(each_source_owns_its_cluster),
	    TEST(pushes),
	    TEST(wrong_pushes),
	    TEST(pushes_that_find_no_room),
	    TEST(a_stranger_cannot_tell_clusters_apart),
	    TEST(patches),
	    TEST(watched_clusters_own_what_their_api_shows),
	    TEST(what_cannot_be_saved_is_507),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}

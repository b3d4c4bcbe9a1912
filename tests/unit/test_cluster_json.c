/* cluster_json: reading, writing back, pushes, and each rule broken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/state/cluster_json.h"

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(value);
	return value;
}

static struct cluster_spec *read_named(const char *text, const char *name, struct json_faults *faults)
{
	json_t *value = parse(text);
	struct cluster_spec *spec = cluster_read(value, name, faults, "$");
	json_decref(value);
	return spec;
}

static struct cluster_spec *read_good(const char *text)
{
	struct json_faults faults = {0};
	struct cluster_spec *spec = read_named(text, NULL, &faults);
	if (faults.count > 0)
		print_error("%s: %s\n", faults.list[0].path, faults.list[0].reason);
	assert_non_null(spec);
	assert_int_equal(faults.count, 0);
	return spec;
}

static void assert_fault(struct json_faults *faults, size_t i, const char *path, const char *reason)
{
	assert_true(i < faults->count);
	assert_string_equal(faults->list[i].path, path);
	assert_string_equal(faults->list[i].reason, reason);
}

static void assert_refused(const char *text, const char *path, const char *reason)
{
	struct json_faults faults = {0};
	assert_null(read_named(text, NULL, &faults));
	assert_int_equal(faults.count, 1);
	assert_fault(&faults, 0, path, reason);
	json_faults_free(&faults);
}

static void every_field(void **state)
{
	char text[ROUTE_TEXT_MAX];
	struct cluster_spec *spec = read_good(
	    "{\"name\":\"ose1\",\"source\":\"static\",\"default_weight\":30,"
	    "\"health\":{\"port\":1937,\"path\":\"/x?y=1\",\"interval\":200,\"timeout\":100,\"rise\":3,\"fall\":4},"
	    "\"hosts\":[{\"name\":\"r1\",\"address\":\"203.0.113.11\",\"http_port\":8080,\"https_port\":0}],"
	    "\"routes\":[{\"host\":\"App1.CH.\",\"weight\":0,\"http\":false},{\"host\":\"*.wild.ch\",\"https\":false}]"
	    "}");
	assert_string_equal(spec->name, "ose1");
	assert_int_equal(spec->source, SOURCE_STATIC);
	assert_int_equal(spec->default_weight, 30);
	assert_int_equal(spec->health.port, 1937);
	assert_string_equal(spec->health.path, "/x?y=1");
	assert_int_equal(spec->health.interval, 200);
	assert_int_equal(spec->health.timeout, 100);
	assert_int_equal(spec->health.rise, 3);
	assert_int_equal(spec->health.fall, 4);
	assert_int_equal(spec->host_count, 1);
	assert_string_equal(spec->hosts[0].name, "r1");
	assert_int_equal(spec->hosts[0].http_port, 8080);
	assert_int_equal(spec->hosts[0].https_port, 0);
	assert_int_equal(spec->hosts[0].id, cluster_host_id("ose1", &spec->hosts[0]));
	assert_int_equal(spec->route_count, 2);
	assert_string_equal(route_format(&spec->routes[0], text), "app1.ch");
	assert_true(spec->routes[0].weight_given && spec->routes[0].weight == 0);
	assert_true(!spec->routes[0].http && spec->routes[0].https);
	assert_string_equal(route_format(&spec->routes[1], text), "*.wild.ch");
	assert_true(!spec->routes[1].weight_given && spec->routes[1].http && !spec->routes[1].https);
	cluster_free(spec);
}

#define WATCHED(fields, watch)                                                                                         \
	"{\"name\":\"a\",\"source\":\"watch\"," fields ",\"watch\":{\"server\":\"https://api.a:6443\"" watch "}}"

static void what_is_written_is_read_again(void **state)
{
	static const char *const texts[] = {
	    "{\"name\":\"a\",\"source\":\"static\"}",
	    "{\"name\":\"a\",\"source\":\"static\",\"hosts\":[{\"name\":\"r1\",\"address\":\"203.0.113.11\"}],"
	    "\"routes\":[{\"host\":\"x.ch\",\"weight\":7},{\"host\":\"*.x.ch\",\"http\":false}]}",
	    "{\"name\":\"a\",\"source\":\"push\",\"key\":\"K\",\"push_from\":[\"192.0.2.0/24\",\"2001:db8::/"
	    "32\",\"10.0.0.1\"]}",
	    WATCHED("\"state\":\"staged\",\"new_routes\":\"active\",\"hold_minutes\":0", ""),
	    WATCHED("\"hosts\":[{\"name\":\"r1\",\"address\":\"203.0.113.11\"}]",
	            ",\"routers\":{\"preset\":\"static\"}"),
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_faults faults = {0};
		struct cluster_spec *spec = read_good(texts[i]);
		json_t *written = cluster_write(spec);
		struct cluster_spec *again = cluster_read(written, NULL, &faults, "$");
		assert_non_null(again);
		assert_true(cluster_equal(spec, again));
		again->default_weight--;
		assert_false(cluster_equal(spec, again));
		json_decref(written);
		cluster_free(spec);
		cluster_free(again);
	}
}

static void names_and_sources(void **state)
{
	assert_refused("{\"source\":\"static\"}", "$.name", "is missing");
	assert_refused("{\"name\":\"a b\",\"source\":\"static\"}", "$.name", "\"a b\" is no such name");
	assert_refused("{\"name\":\"a\"}", "$.source", "is missing");
	assert_refused("{\"name\":\"a\",\"source\":\"watch\"}", "$.watch", "is missing");
	assert_refused("{\"name\":\"a\",\"source\":\"static\",\"key\":\"x\"}", "$.key",
	               "belongs to \"source\": \"push\" only");
	assert_refused("{\"name\":\"a\",\"source\":\"static\",\"wieght\":1}", "$", "unknown field \"wieght\"");
	assert_refused("[]", "$", "is an array");
	assert_refused("{\"name\":\"a\",\"source\":\"static\",\"watch\":{}}", "$.watch",
	               "belongs to \"source\": \"watch\" only");
	assert_refused("{\"name\":\"a\",\"source\":\"push\",\"new_routes\":\"parked\"}", "$.new_routes",
	               "belongs to \"source\": \"watch\" only");
	assert_refused("{\"name\":\"a\",\"source\":\"static\",\"hold_minutes\":3}", "$.hold_minutes",
	               "belongs to \"source\": \"push\" and \"watch\" only");
	assert_refused("{\"name\":\"a\",\"source\":\"push\",\"hold_minutes\":1441}", "$.hold_minutes",
	               "1441 is out of range");
	assert_refused("{\"name\":\"a\",\"source\":\"static\",\"state\":\"off\"}", "$.state", "\"off\" is not known");

	struct json_faults faults = {0};
	struct cluster_spec *spec = read_named("{\"source\":\"static\"}", "ose1", &faults);
	assert_string_equal(spec->name, "ose1");
	cluster_free(spec);
	assert_null(read_named("{\"name\":\"ose2\",\"source\":\"static\"}", "ose1", &faults));
	assert_fault(&faults, 0, "$.name", "\"ose2\" is another name");
	json_faults_free(&faults);
}

#define STATIC(fields) "{\"name\":\"a\",\"source\":\"static\"," fields "}"

static void wrong_hosts(void **state)
{
	assert_refused(STATIC("\"hosts\":{}"), "$.hosts", "is an object");
	assert_refused(STATIC("\"hosts\":[{\"name\":\"r\",\"address\":\"app.ch\"}]"), "$.hosts[0].address",
	               "\"app.ch\" is none");
	assert_refused(STATIC("\"hosts\":[{\"name\":\"r\",\"address\":\"127.0.0.1\"}]"), "$.hosts[0].address",
	               "\"127.0.0.1\" is none");
	assert_refused(STATIC("\"hosts\":[{\"name\":\"r\",\"address\":\"2001:db8::1\"}]"), "$.hosts[0].address",
	               "\"2001:db8::1\" is none");
	assert_refused(STATIC("\"hosts\":[{\"name\":\"r\",\"address\":\"10.0.0.1\",\"http_port\":0,\"https_port\":0}]"),
	               "$.hosts[0].http_port", "and https_port are both 0");
	assert_refused(
	    STATIC("\"hosts\":[{\"name\":\"r\",\"address\":\"10.0.0.1\"},{\"name\":\"s\",\"address\":\"10.0.0.1\"}]"),
	    "$.hosts[1].address", "is the same host as hosts[0]");
	assert_refused(
	    STATIC("\"hosts\":[{\"name\":\"r\",\"address\":\"10.0.0.1\"},{\"name\":\"r\",\"address\":\"10.0.0.2\"}]"),
	    "$.hosts[1].name", "is also the name of hosts[0]");
}

static void wrong_routes(void **state)
{
	assert_refused(STATIC("\"routes\":[{\"host\":\"*\"}]"), "$.routes[0].host", "\"*\" is none");
	assert_refused(STATIC("\"routes\":[{\"host\":\"*.\"}]"), "$.routes[0].host", "\"*.\" is none");
	assert_refused(STATIC("\"routes\":[{\"host\":\"a.*.ch\"}]"), "$.routes[0].host", "\"a.*.ch\" is none");
	assert_refused(STATIC("\"routes\":[{\"host\":\"a.ch:80\"}]"), "$.routes[0].host", "\"a.ch:80\" is none");
	assert_refused(STATIC("\"routes\":[{\"host\":\"a.ch\",\"weight\":101}]"), "$.routes[0].weight",
	               "101 is out of range");
	assert_refused(STATIC("\"routes\":[{\"host\":\"a.ch\",\"weight\":1.5}]"), "$.routes[0].weight",
	               "is a number with a fraction");
	assert_refused(STATIC("\"routes\":[{\"host\":\"a.ch\"},{\"host\":\"b.ch\"},{\"host\":\"A.ch\"}]"),
	               "$.routes[2].host", "\"a.ch\" is also the host of routes[0]");
}

static void wrong_health(void **state)
{
	assert_refused(STATIC("\"health\":{\"interval\":1}"), "$.health.interval", "1 is out of range");
	assert_refused(STATIC("\"health\":{\"path\":\"x\"}"), "$.health.path", "is no such path");
	assert_refused(STATIC("\"health\":{\"path\":\"/a b\"}"), "$.health.path", "is no such path");
	assert_refused(STATIC("\"health\":{\"path\":\"/a\\r\\nX: y\"}"), "$.health.path", "is no such path");
	assert_refused(STATIC("\"health\":{\"rise\":0}"), "$.health.rise", "0 is out of range");
}

static void all_faults_at_once(void **state)
{
	struct json_faults faults = {0};
	assert_null(
	    read_named("{\"name\":\"\",\"source\":7,\"default_weight\":-1,\"hosts\":[{}],\"routes\":[{}],\"x\":1}",
	               NULL, &faults));
	assert_int_equal(faults.count, 7);
	json_faults_free(&faults);
}

static void many_clusters(void **state)
{
	struct cluster_spec *specs[CLUSTERS_MAX];
	struct json_faults faults = {0};
	json_t *array = parse("[{\"name\":\"a\",\"source\":\"static\"},{\"name\":\"b\",\"source\":\"push\"}]");
	size_t count = clusters_read(array, specs, &faults);
	assert_int_equal(count, 2);
	assert_string_equal(specs[1]->key, "b");
	cluster_free(specs[0]);
	cluster_free(specs[1]);
	json_decref(array);
	array = parse(
	    "[{\"name\":\"a\",\"source\":\"push\",\"key\":\"k\"},{\"name\":\"a\",\"source\":\"push\",\"key\":\"k\","
	    "\"routes\":[{\"host\":\"x\"}]},{\"name\":\"c\"}]");
	assert_int_equal(clusters_read(array, specs, &faults), 0);
	assert_int_equal(faults.count, 4);
	assert_fault(&faults, 0, "$.clusters[1].name", "\"a\" is also $.clusters[0]");
	assert_fault(&faults, 1, "$.clusters[1].key", "\"k\" is also that of $.clusters[0]");
	assert_fault(&faults, 2, "$.clusters[1]", "has hosts or routes, which its pushes bring");
	assert_fault(&faults, 3, "$.clusters[2].source", "is missing");
	json_faults_free(&faults);
	json_decref(array);
}

static struct cluster_spec *push(const char *text, struct json_faults *faults)
{
	struct cluster_spec *settings = read_good("{\"name\":\"ose3\",\"source\":\"push\",\"default_weight\":40}");
	json_t *value = parse(text);
	struct cluster_spec *spec = cluster_read_push(value, settings, faults);
	json_decref(value);
	cluster_free(settings);
	return spec;
}

static void a_push(void **state)
{
	struct json_faults faults = {0};
	char text[ROUTE_TEXT_MAX], address[ADDRESS_TEXT_MAX];
	struct cluster_spec *spec = push(
	    "{\"routes\":{\"z\":{\"url\":\"z.ch\",\"weight\":10,\"new\":true},\"a\":{\"url\":\"A.ch\"},\"a2\":{\"url\":"
	    "\"a.ch\",\"weight\":3}},"
	    "\"routerHosts\":{\"p2\":{\"name\":\"p2\",\"hostIP\":\"192.0.2.12\",\"httpPort\":80,\"httpsPort\":443},"
	    "\"p1\":{\"name\":\"p 1/x\",\"hostIP\":\"192.0.2.11\",\"httpPort\":80,\"httpsPort\":443},"
	    "\"p3\":{\"name\":\"p3\",\"hostIP\":\"192.0.2.11\"}},\"more\":1}",
	    &faults);
	assert_non_null(spec);
	assert_string_equal(spec->name, "ose3");
	assert_int_equal(spec->default_weight, 40);
	assert_int_equal(spec->route_count, 2);
	assert_string_equal(route_format(&spec->routes[0], text), "a.ch");
	assert_false(spec->routes[0].weight_given); /* the first of the two counts */
	assert_int_equal(spec->routes[1].weight, 10);
	assert_true(spec->routes[1].http && spec->routes[1].https);
	assert_int_equal(spec->host_count, 2);
	assert_string_equal(spec->hosts[0].name, "p2");
	assert_string_equal(spec->hosts[1].name, "p_1_x"); /* the first of the two with this address */
	assert_string_equal(address_format(&spec->hosts[1].address, address), "192.0.2.11");
	/* It is saved in the usual form. */
	json_t *written = cluster_write(spec);
	struct cluster_spec *again = cluster_read(written, NULL, &faults, "$");
	assert_non_null(again);
	assert_true(cluster_equal(spec, again));
	json_decref(written);
	cluster_free(again);
	cluster_free(spec);
}

static void empty_pushes(void **state)
{
	struct json_faults faults = {0};
	struct cluster_spec *spec = push("{\"routes\":null,\"routerHosts\":{}}", &faults);
	assert_non_null(spec);
	assert_int_equal(spec->host_count + spec->route_count, 0);
	cluster_free(spec);
	assert_null(push("{}", &faults));
	assert_int_equal(faults.count, 2);
	assert_fault(&faults, 0, "$.routes", "is missing");
	assert_fault(&faults, 1, "$.routerHosts", "is missing");
	json_faults_free(&faults);
}

static void wrong_pushes(void **state)
{
	struct json_faults faults = {0};
	assert_null(
	    push("{\"routes\":{\"a\":{\"url\":\"a b\",\"weight\":\"10\"}},\"routerHosts\":{\"p\":{\"hostIP\":\"x\","
	         "\"httpPort\":99999}}}",
	         &faults));
	assert_int_equal(faults.count, 4);
	assert_fault(&faults, 0, "$.routerHosts[\"p\"].hostIP", "\"x\" is none");
	assert_fault(&faults, 1, "$.routerHosts[\"p\"].httpPort", "99999 is out of range");
	assert_fault(&faults, 2, "$.routes[\"a\"].url", "\"a b\" is none");
	assert_fault(&faults, 3, "$.routes[\"a\"].weight", "is a string");
	json_faults_free(&faults);
	assert_null(push("{\"routes\":[],\"routerHosts\":7}", &faults));
	assert_int_equal(faults.count, 2);
	json_faults_free(&faults);
	assert_null(push("[]", &faults));
	assert_int_equal(faults.count, 1);
	json_faults_free(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_field),
	    cmocka_unit_test(what_is_written_is_read_again),
	    cmocka_unit_test(names_and_sources),
	    cmocka_unit_test(wrong_hosts),
	    cmocka_unit_test(wrong_routes),
	    cmocka_unit_test(wrong_health),
	    cmocka_unit_test(all_faults_at_once),
	    cmocka_unit_test(many_clusters),
	    cmocka_unit_test(a_push),
	    cmocka_unit_test(empty_pushes),
	    cmocka_unit_test(wrong_pushes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

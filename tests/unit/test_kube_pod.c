/* kube_pod: addresses, ports, readiness, PROXY protocol, broken objects, and the recorded list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/kube/kube_line.h"
#include "control/kube/kube_page.h"
#include "control/kube/kube_pod.h"
#include "tests/unit/recorded.h"

static const struct kube_pod_rules by_host = {"router", false}, by_pod = {"router", true};

static const char good[] =
    "{\"metadata\":{\"uid\":\"u\",\"namespace\":\"openshift-ingress\",\"name\":\"router-1\",\"creationTimestamp\":"
    "\"2026-01-02T03:04:05Z\"},\"spec\":{\"nodeName\":\"node1\",\"containers\":[{\"name\":\"logs\",\"ports\":[{"
    "\"name\":"
    "\"http\",\"containerPort\":8,\"hostPort\":8}]},{\"name\":\"router\",\"ports\":[{\"name\":\"http\","
    "\"containerPort\":"
    "80,\"hostPort\":8080},{\"name\":\"https\",\"containerPort\":443,\"hostPort\":8443},{\"name\":\"metrics\","
    "\"containerPort\":1936,\"hostPort\":1937}]}]},\"status\":{\"phase\":\"Running\",\"hostIP\":\"203.0.113.11\","
    "\"podIP\":\"192.0.2.7\",\"conditions\":[{\"type\":\"Initialized\",\"status\":\"True\"},{\"type\":\"Ready\","
    "\"status\":\"True\"}]}}";

static json_t *load(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);
	assert_non_null(object);
	return object;
}

/* The pod with one part of it, such as "status.phase", set (taken over) or deleted (NULL). "#" is the router container.
 */
static json_t *pod_with(const char *path, json_t *value)
{
	json_t *pod = load(good), *at = pod;
	char copy[100];
	snprintf(copy, sizeof(copy), "%s", path);
	char *rest = copy, *name = strsep(&rest, ".");
	for (; rest; name = strsep(&rest, ".")) {
		if (strcmp(name, "#") == 0)
			at = json_array_get(json_object_get(json_object_get(pod, "spec"), "containers"), 1);
		else
			at = json_object_get(at, name);
		assert_non_null(at);
	}
	if (value)
		json_object_set_new(at, name, value);
	else
		json_object_del(at, name);
	return pod;
}

static enum kube_verdict decode(json_t *pod, const struct kube_pod_rules *rules, struct observed_router *router,
                                char why[static KUBE_WHY_MAX])
{
	enum kube_verdict verdict = kube_pod_decode(pod, rules, router, why);
	json_decref(pod);
	return verdict;
}

static void assert_address(const struct observed_router *router, const char *text)
{
	char formatted[ADDRESS_TEXT_MAX];
	assert_string_equal(address_format(&router->address, formatted), text);
}

static void by_host_and_by_pod(void **state)
{
	struct observed_router router;
	char why[KUBE_WHY_MAX];
	assert_int_equal(decode(load(good), &by_host, &router, why), KUBE_SERVES);
	assert_string_equal(router.uid, "u");
	assert_string_equal(router.name, "router-1");
	assert_string_equal(router.node, "node1");
	assert_address(&router, "203.0.113.11");
	assert_int_equal(router.http_port, 8080);
	assert_int_equal(router.https_port, 8443);
	assert_int_equal(router.stats_port, 1937);
	assert_true(router.ready);
	assert_false(router.terminating);
	assert_false(router.proxy_protocol);
	assert_int_equal(decode(load(good), &by_pod, &router, why), KUBE_SERVES);
	assert_address(&router, "192.0.2.7");
	assert_int_equal(router.http_port, 80);
	assert_int_equal(router.https_port, 443);
	assert_int_equal(router.stats_port, 1936);
}

static void life(void **state)
{
	const struct {
		const char *path;
		json_t *value;
		enum kube_verdict verdict;
		bool ready, terminating;
	} cases[] = {
	    {"status.hostIP", NULL, KUBE_SERVES_NOT, false, false},
	    {"status.hostIP", json_string(""), KUBE_SERVES_NOT, false, false},
	    {"status", NULL, KUBE_SERVES_NOT, false, false},
	    {"status.phase", json_string("Pending"), KUBE_SERVES, false, false},
	    {"status.phase", NULL, KUBE_SERVES, false, false},
	    {"status.phase", json_string("Failed"), KUBE_SERVES_NOT, false, false},
	    {"status.phase", json_string("Succeeded"), KUBE_SERVES_NOT, false, false},
	    {"status.conditions", NULL, KUBE_SERVES, false, false},
	    {"status.conditions", json_pack("[{s:s,s:s}]", "type", "Ready", "status", "False"), KUBE_SERVES, false,
	     false},
	    {"metadata.deletionTimestamp", json_string("2026-01-02T03:04:05Z"), KUBE_SERVES, true, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_router router;
		char why[KUBE_WHY_MAX];
		assert_int_equal(decode(pod_with(cases[i].path, cases[i].value), &by_host, &router, why),
		                 cases[i].verdict);
		assert_string_equal(why, "");
		if (cases[i].verdict != KUBE_SERVES)
			continue;
		assert_int_equal(router.ready, cases[i].ready);
		assert_int_equal(router.terminating, cases[i].terminating);
	}
}

static void ports(void **state)
{
	static const struct {
		const char *ports;
		bool host_network, by_pod;
		uint16_t http, https, stats;
		const char *why; /* of not serving */
	} cases[] = {
	    /* OpenShift 3: names for the statistics only. */
	    {"[{\"containerPort\":80,\"hostPort\":80},{\"containerPort\":443,\"hostPort\":443},{\"name\":\"stats\","
	     "\"containerPort\":1936,\"hostPort\":1936}]",
	     true, false, 80, 443, 1936, NULL},
	    {"[{\"containerPort\":80},{\"containerPort\":443}]", true, false, 80, 443, 0, NULL},
	    {"[{\"name\":\"http\",\"containerPort\":8080,\"hostPort\":8080}]", false, false, 8080, 0, 0, NULL},
	    {"[{\"name\":\"other\",\"containerPort\":80,\"hostPort\":80}]", false, false, 0, 0, 0,
	     "its container has no host port: set the routers' \"address\" to \"podIP\""},
	    {"[{\"name\":\"http\",\"containerPort\":80},{\"name\":\"https\",\"containerPort\":443}]", false, false, 0,
	     0, 0, "its container has no host port: set the routers' \"address\" to \"podIP\""},
	    {"[{\"name\":\"http\",\"containerPort\":80},{\"name\":\"https\",\"containerPort\":443}]", false, true, 80,
	     443, 0, NULL},
	    {"[{\"name\":\"https\",\"containerPort\":443,\"hostPort\":443,\"protocol\":\"UDP\"}]", false, false, 0, 0,
	     0, "its container has no host port: set the routers' \"address\" to \"podIP\""},
	    {"[{\"name\":\"http\",\"containerPort\":99999},{\"name\":\"https\",\"containerPort\":\"443\"},null,5]",
	     true, false, 0, 0, 0, "its container has neither a port http nor a port https"},
	    {"[]", true, false, 0, 0, 0, "its container has neither a port http nor a port https"},
	    {"null", true, false, 0, 0, 0, "its container has neither a port http nor a port https"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_router router;
		char why[KUBE_WHY_MAX];
		json_t *pod = pod_with("spec.#.ports", json_loads(cases[i].ports, JSON_DECODE_ANY, NULL));
		json_object_set_new(json_object_get(pod, "spec"), "hostNetwork", json_boolean(cases[i].host_network));
		enum kube_verdict verdict = decode(pod, cases[i].by_pod ? &by_pod : &by_host, &router, why);
		assert_int_equal(verdict, cases[i].why ? KUBE_SERVES_NOT : KUBE_SERVES);
		assert_string_equal(why, cases[i].why ? cases[i].why : "");
		assert_int_equal(router.http_port, cases[i].http);
		assert_int_equal(router.https_port, cases[i].https);
		assert_int_equal(router.stats_port, cases[i].stats);
	}
}

static void proxy_protocol(void **state)
{
	static const struct {
		const char *env;
		bool asked;
	} cases[] = {
	    {"[{\"name\":\"ROUTER_USE_PROXY_PROTOCOL\",\"value\":\"true\"}]", true},
	    {"[{\"name\":\"X\",\"value\":\"true\"},{\"name\":\"ROUTER_USE_PROXY_PROTOCOL\",\"value\":\"1\"}]", true},
	    {"[{\"name\":\"ROUTER_USE_PROXY_PROTOCOL\",\"value\":\"false\"}]", false},
	    {"[{\"name\":\"ROUTER_USE_PROXY_PROTOCOL\",\"value\":\"\"}]", false},
	    {"[{\"name\":\"ROUTER_USE_PROXY_PROTOCOL\",\"valueFrom\":{}}]", false},
	    {"[null,5,{\"value\":\"true\"}]", false},
	    {"{}", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_router router;
		char why[KUBE_WHY_MAX];
		assert_int_equal(decode(pod_with("spec.#.env", load(cases[i].env)), &by_host, &router, why),
		                 KUBE_SERVES);
		assert_int_equal(router.proxy_protocol, cases[i].asked);
	}
}

static void broken(void **state)
{
	const struct {
		const char *path;
		json_t *value;
		enum kube_verdict verdict;
		const char *why;
	} cases[] = {
	    {"metadata.uid", NULL, KUBE_BROKEN, "metadata.uid is missing"},
	    {"spec", json_string("x"), KUBE_BROKEN, "spec is a string"},
	    {"spec.containers", NULL, KUBE_BROKEN, "spec.containers is missing"},
	    {"spec.containers", json_object(), KUBE_BROKEN, "spec.containers is an object"},
	    {"spec.containers", json_array(), KUBE_SERVES_NOT, "has no container \"router\""},
	    {"spec.nodeName", json_integer(1), KUBE_BROKEN, "spec.nodeName is a number"},
	    {"spec.#.ports", json_object(), KUBE_BROKEN, "spec.containers[].ports is an object"},
	    {"spec.#.name", json_string("haproxy"), KUBE_SERVES_NOT, "has no container \"router\""},
	    {"status", json_array(), KUBE_BROKEN, "status is an array"},
	    {"status.hostIP", json_string("nowhere"), KUBE_BROKEN, "status.hostIP \"nowhere\" is no address"},
	    {"status.hostIP", json_integer(1), KUBE_BROKEN, "status.hostIP is a number"},
	    {"status.phase", json_true(), KUBE_BROKEN, "status.phase is true or false"},
	    {"status.conditions", json_string(""), KUBE_BROKEN, "status.conditions is a string"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_router router;
		char why[KUBE_WHY_MAX];
		assert_int_equal(decode(pod_with(cases[i].path, cases[i].value), &by_host, &router, why),
		                 cases[i].verdict);
		assert_string_equal(why, cases[i].why);
	}
}

static void note(void *context, json_t *item, const char *why)
{
	struct observed_router *router = context;
	char reason[KUBE_WHY_MAX];
	assert_int_equal(kube_pod_decode(item, &by_host, router, reason), KUBE_SERVES);
}

static void recorded_list(void **state)
{
	struct recorded recorded = recorded_load("pods-list");
	struct kube_page page = {0};
	struct kube_page_head head;
	struct observed_router router;
	char why[KUBE_WHY_MAX];
	assert_true(kube_page_feed(&page, recorded.body, recorded.body_len, note, &router));
	assert_true(kube_page_end(&page, "PodList", &head, why));
	assert_string_equal(router.name, "router-a");
	assert_address(&router, "203.0.113.11");
	assert_int_equal(router.http_port, 80);
	assert_int_equal(router.https_port, 443);
	assert_int_equal(router.stats_port, 1936);
	assert_true(router.ready);
	kube_page_head_free(&head);
	kube_page_clear(&page);
	recorded_free(&recorded);
}

struct seen {
	char text[4096];
};

static bool note_line(void *context, const char *text, size_t len)
{
	static const char *const types[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "?"};
	struct seen *seen = context;
	struct kube_event event;
	struct observed_router router;
	char why[KUBE_WHY_MAX];
	assert_true(kube_event_decode(text, len, &event, why));
	size_t at = strlen(seen->text);
	at += (size_t)snprintf(seen->text + at, sizeof(seen->text) - at, "%s", types[event.type]);
	if (event.type != KUBE_TYPE_BOOKMARK) {
		enum kube_verdict verdict = kube_pod_decode(event.object, &by_host, &router, why);
		snprintf(seen->text + at, sizeof(seen->text) - at, " %s%s%s%s", router.name,
		         verdict == KUBE_SERVES ? "" : " no address", router.ready ? " ready" : "",
		         router.terminating ? " terminating" : "");
	}
	strcat(seen->text, "\n");
	json_decref(event.object);
	return true;
}

/* A router comes, gets its address, becomes ready, then unready, and is deleted. */
static void recorded_watch(void **state)
{
	struct recorded recorded = recorded_load("pods-watch");
	struct kube_lines lines = {0};
	struct seen seen = {""};
	assert_true(kube_lines_feed(&lines, recorded.body, recorded.body_len, note_line, &seen));
	assert_string_equal(seen.text, "ADDED router-a ready\n"
	                               "ADDED router-b no address\n"
	                               "MODIFIED router-b ready\n"
	                               "MODIFIED router-a\n"
	                               "MODIFIED router-a terminating\n"
	                               "MODIFIED router-a terminating\n"
	                               "DELETED router-a terminating\n");
	kube_lines_clear(&lines);
	recorded_free(&recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_host_and_by_pod), cmocka_unit_test(life),   cmocka_unit_test(ports),
	    cmocka_unit_test(proxy_protocol),     cmocka_unit_test(broken), cmocka_unit_test(recorded_list),
	    cmocka_unit_test(recorded_watch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

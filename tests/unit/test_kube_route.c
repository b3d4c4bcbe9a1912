/* kube_route: admission, hosts, wildcards, ports, weights, and every kind of broken object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/kube/kube_route.h"
#include "control/kube/kube_page.h"
#include "tests/unit/recorded.h"

static const struct kube_route_rules by_status = {"default", false}, ignored = {"default", true};

#define META                                                                                                           \
	"\"metadata\":{\"uid\":\"u\",\"namespace\":\"shop\",\"name\":\"web\",\"creationTimestamp\":"                   \
	"\"2026-01-02T03:04:05Z\"%s}"
#define ENTRY(router, host, status)                                                                                    \
	"{\"routerName\":\"" router "\",\"host\":\"" host                                                              \
	"\",\"conditions\":[{\"type\":\"Admitted\",\"status\":\"" status "\"}]}"
#define STATUS(entries) "\"status\":{\"ingress\":[" entries "]}"

static enum kube_verdict verdict_of(const char *text, const struct kube_route_rules *rules,
                                    struct observed_route *route, char why[static KUBE_WHY_MAX])
{
	json_error_t error;
	json_t *object = json_loads(text, JSON_ALLOW_NUL, &error);
	if (!object)
		fail_msg("%s: %s", error.text, text);
	enum kube_verdict verdict = kube_route_decode(object, rules, route, why);
	json_decref(object);
	return verdict;
}

/* An object of spec and status, with the metadata put in front. */
static enum kube_verdict decode(const char *rest, const struct kube_route_rules *rules, struct observed_route *route,
                                char why[static KUBE_WHY_MAX])
{
	char text[8192];
	snprintf(text, sizeof(text), "{" META ",%s}", "", rest);
	return verdict_of(text, rules, route, why);
}

static void admission(void **state)
{
	static const struct {
		const char *rest;
		const char *host; /* NULL: does not serve */
	} cases[] = {
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(ENTRY("default", "a.test", "True")), "a.test"},
	    {"\"spec\":{\"host\":\"A.test\"}," STATUS(ENTRY("default", "a.TEST", "True")), "a.test"},
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(ENTRY("default", "a.test", "False")), NULL},
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(ENTRY("default", "a.test", "Unknown")), NULL},
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(ENTRY("shard", "a.test", "True")), NULL},
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(
	         ENTRY("shard", "a.test", "True") "," ENTRY("default", "a.test", "True")),
	     "a.test"},
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(
	         ENTRY("shard", "a.test", "True") "," ENTRY("default", "a.test", "False")),
	     NULL},
	    /* The status has not followed a change of the host yet. */
	    {"\"spec\":{\"host\":\"new.test\"}," STATUS(ENTRY("default", "old.test", "True")), NULL},
	    {"\"spec\":{\"host\":\"a.test\"}", NULL},
	    {"\"spec\":{\"host\":\"a.test\"},\"status\":{}", NULL},
	    {"\"spec\":{\"host\":\"a.test\"},\"status\":{\"ingress\":null}", NULL},
	    {"\"spec\":{\"host\":\"a.test\"},\"status\":{\"ingress\":[null,5,{}]}", NULL},
	    /* Only the status knows the host of a subdomain. */
	    {"\"spec\":{\"subdomain\":\"front\"}," STATUS(ENTRY("default", "front.apps.test", "True")),
	     "front.apps.test"},
	    {"\"spec\":{\"host\":\"\",\"subdomain\":\"front\"}," STATUS(ENTRY("default", "front.apps.test", "True")),
	     "front.apps.test"},
	    {"\"spec\":{\"subdomain\":\"front\"}", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX];
		enum kube_verdict verdict = decode(cases[i].rest, &by_status, &route, why);
		assert_int_equal(verdict, cases[i].host ? KUBE_SERVES : KUBE_SERVES_NOT);
		assert_string_equal(why, "");
		if (cases[i].host)
			assert_string_equal(route.host.text, cases[i].host);
	}
}

static void without_admission(void **state)
{
	struct observed_route route;
	char why[KUBE_WHY_MAX];
	assert_int_equal(decode("\"spec\":{\"host\":\"a.test\"}", &ignored, &route, why), KUBE_SERVES);
	assert_string_equal(route.host.text, "a.test");
	assert_int_equal(decode("\"spec\":{\"host\":\"a.test\"}," STATUS(ENTRY("default", "a.test", "False")), &ignored,
	                        &route, why),
	                 KUBE_SERVES);
	assert_int_equal(decode("\"spec\":{\"subdomain\":\"x\"}", &ignored, &route, why), KUBE_SERVES_NOT);
	assert_string_equal(why, "spec.host is empty, and without admission nothing else names the host");
}

static void identity(void **state)
{
	struct observed_route route;
	char why[KUBE_WHY_MAX];
	assert_int_equal(decode("\"spec\":{\"host\":\"a.test\"}", &ignored, &route, why), KUBE_SERVES);
	assert_string_equal(route.uid, "u");
	assert_string_equal(route.namespace, "shop");
	assert_string_equal(route.name, "web");
	assert_int_equal(route.created, 1767323045000);
	assert_string_equal(route.warning, "");
	assert_false(route.wildcard);
	assert_false(route.weight_given);
}

static void wildcards(void **state)
{
	static const struct {
		const char *spec, *host;
		bool wildcard;
		const char *why;
	} cases[] = {
	    {"{\"host\":\"any.w.test\",\"wildcardPolicy\":\"Subdomain\"}", "w.test", true, ""},
	    {"{\"host\":\"any.w.test\",\"wildcardPolicy\":\"None\"}", "any.w.test", false, ""},
	    {"{\"host\":\"any.w.test\",\"wildcardPolicy\":\"\"}", "any.w.test", false, ""},
	    {"{\"host\":\"any.w.test\",\"wildcardPolicy\":null}", "any.w.test", false, ""},
	    {"{\"host\":\"test\",\"wildcardPolicy\":\"Subdomain\"}", NULL, false,
	     "a wildcard needs a host with at least two labels"},
	    {"{\"host\":\"a.test\",\"wildcardPolicy\":\"All\"}", NULL, false,
	     "spec.wildcardPolicy \"All\" is not known"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX], rest[300];
		snprintf(rest, sizeof(rest), "\"spec\":%s", cases[i].spec);
		enum kube_verdict verdict = decode(rest, &ignored, &route, why);
		assert_int_equal(verdict, cases[i].host ? KUBE_SERVES : KUBE_SERVES_NOT);
		assert_string_equal(why, cases[i].why);
		if (!cases[i].host)
			continue;
		assert_string_equal(route.host.text, cases[i].host);
		assert_int_equal(route.host.len, strlen(cases[i].host));
		assert_int_equal(route.wildcard, cases[i].wildcard);
	}
}

/* Every line of the router's table. */
static void ports(void **state)
{
	static const struct {
		const char *tls;
		bool http, https;
		const char *warning;
	} cases[] = {
	    {"null", true, false, ""},
	    {"{\"termination\":\"edge\"}", false, true, ""},
	    {"{\"termination\":\"\"}", false, true, ""},
	    {"{}", false, true, ""},
	    {"{\"termination\":\"edge\",\"insecureEdgeTerminationPolicy\":\"\"}", false, true, ""},
	    {"{\"termination\":\"edge\",\"insecureEdgeTerminationPolicy\":\"None\"}", false, true, ""},
	    {"{\"termination\":\"edge\",\"insecureEdgeTerminationPolicy\":\"Allow\"}", true, true, ""},
	    {"{\"termination\":\"edge\",\"insecureEdgeTerminationPolicy\":\"Redirect\"}", true, true, ""},
	    {"{\"termination\":\"reencrypt\",\"insecureEdgeTerminationPolicy\":\"None\"}", false, true, ""},
	    {"{\"termination\":\"reencrypt\",\"insecureEdgeTerminationPolicy\":\"Allow\"}", true, true, ""},
	    {"{\"termination\":\"reencrypt\",\"insecureEdgeTerminationPolicy\":\"Redirect\"}", true, true, ""},
	    {"{\"termination\":\"passthrough\"}", false, true, ""},
	    {"{\"termination\":\"passthrough\",\"insecureEdgeTerminationPolicy\":\"None\"}", false, true, ""},
	    {"{\"termination\":\"passthrough\",\"insecureEdgeTerminationPolicy\":\"Redirect\"}", true, true, ""},
	    {"{\"termination\":\"passthrough\",\"insecureEdgeTerminationPolicy\":\"Allow\"}", false, true,
	     "taken as None, for it does not go with the termination: insecureEdgeTerminationPolicy \"Allow\""},
	    {"{\"termination\":\"edge\",\"insecureEdgeTerminationPolicy\":\"Maybe\"}", false, true,
	     "taken as None, for it does not go with the termination: insecureEdgeTerminationPolicy \"Maybe\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX], rest[300];
		snprintf(rest, sizeof(rest), "\"spec\":{\"host\":\"a.test\",\"tls\":%s}", cases[i].tls);
		assert_int_equal(decode(rest, &ignored, &route, why), KUBE_SERVES);
		assert_int_equal(route.http, cases[i].http);
		assert_int_equal(route.https, cases[i].https);
		assert_string_equal(route.warning, cases[i].warning);
	}
	struct observed_route route;
	char why[KUBE_WHY_MAX];
	assert_int_equal(
	    decode("\"spec\":{\"host\":\"a.test\",\"tls\":{\"termination\":\"magic\"}}", &ignored, &route, why),
	    KUBE_SERVES_NOT);
	assert_string_equal(why, "spec.tls.termination \"magic\" is not known");
}

static void where_tls_ends(void **state)
{
	static const struct {
		const char *tls, *termination, *insecure;
	} cases[] = {
	    {"null", "none", "None"},
	    {"{}", "edge", "None"},
	    {"{\"termination\":\"edge\",\"insecureEdgeTerminationPolicy\":\"Allow\"}", "edge", "Allow"},
	    {"{\"termination\":\"reencrypt\",\"insecureEdgeTerminationPolicy\":\"Redirect\"}", "reencrypt", "Redirect"},
	    {"{\"termination\":\"passthrough\",\"insecureEdgeTerminationPolicy\":\"Allow\"}", "passthrough", "None"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX], rest[300];
		snprintf(rest, sizeof(rest), "\"spec\":{\"host\":\"a.test\",\"tls\":%s}", cases[i].tls);
		assert_int_equal(decode(rest, &ignored, &route, why), KUBE_SERVES);
		assert_string_equal(observed_termination_name(route.termination), cases[i].termination);
		assert_string_equal(observed_insecure_name(route.insecure), cases[i].insecure);
	}
}

/* What one is told of a Route that serves nothing. */
static void what_the_router_says(void **state)
{
	static const struct {
		const char *rest, *host, *words;
		bool wildcard;
	} cases[] = {
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(
	         "{\"routerName\":\"default\",\"host\":\"a.test\",\"conditions\":[{\"type\":\"Admitted\",\"status\":"
	         "\"False\",\"reason\":\"HostAlreadyClaimed\",\"message\":\"route b already exposes it\"}]}"),
	     "a.test", "not admitted by router default: HostAlreadyClaimed: route b already exposes it", false},
	    {"\"spec\":{\"host\":\"any.a.test\",\"wildcardPolicy\":\"Subdomain\"}," STATUS(
	         ENTRY("default", "any.a.test", "False")),
	     "a.test", "not admitted by router default: no reason given: no message given", true},
	    {"\"spec\":{\"host\":\"a.test\"}," STATUS(ENTRY("shard", "a.test", "True")), "a.test",
	     "router default has not admitted it (yet), or does not select it", false},
	    {"\"spec\":{\"subdomain\":\"a\"}", "", "router default has not admitted it (yet), or does not select it",
	     false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX];
		assert_int_equal(decode(cases[i].rest, &by_status, &route, why), KUBE_SERVES_NOT);
		assert_string_equal(why, "");
		assert_string_equal(route.host.text, cases[i].host);
		assert_int_equal(route.wildcard, cases[i].wildcard);
		assert_string_equal(route.warning, cases[i].words);
	}
}

static void weights(void **state)
{
#define BAD "annotation %s is ignored, it is no number from 0 to 100 but "
	static const struct {
		const char *annotations;
		int weight; /* -1: none */
		const char *warning;
	} cases[] = {
	    {"null", -1, ""},
	    {"{}", -1, ""},
	    {"{\"pointsman.io/weight\":\"0\"}", 0, ""},
	    {"{\"pointsman.io/weight\":\"100\"}", 100, ""},
	    {"{\"smartlb-weight\":\"20\"}", 20, ""},
	    {"{\"smartlb-weight\":\"20\",\"pointsman.io/weight\":\"30\"}", 30, ""},
	    {"{\"smartlb-weight\":\"bad\",\"pointsman.io/weight\":\"30\"}", 30, ""},
	    {"{\"pointsman.io/weight\":\"101\"}", -1,
	     "annotation pointsman.io/weight is ignored, it is no number from 0 to 100 but \"101\""},
	    {"{\"smartlb-weight\":\"20\",\"pointsman.io/weight\":\"-1\"}", 20,
	     "annotation pointsman.io/weight is ignored, it is no number from 0 to 100 but \"-1\""},
	    {"{\"smartlb-weight\":\"\"}", -1,
	     "annotation smartlb-weight is ignored, it is no number from 0 to 100 but \"\""},
	    {"{\"smartlb-weight\":\" 1\"}", -1,
	     "annotation smartlb-weight is ignored, it is no number from 0 to 100 but \" 1\""},
	    {"{\"smartlb-weight\":\"1.5\"}", -1,
	     "annotation smartlb-weight is ignored, it is no number from 0 to 100 but \"1.5\""},
	    {"{\"smartlb-weight\":\"0000\"}", -1,
	     "annotation smartlb-weight is ignored, it is no number from 0 to 100 but \"0000\""},
	    {"{\"smartlb-weight\":7}", -1,
	     "annotation smartlb-weight is ignored, it is no number from 0 to 100 but a number"},
	    {"{\"smartlb-weight\":\"7\\u0000\"}", -1,
	     "annotation smartlb-weight is ignored, it is no number from 0 to 100 but a string"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX], text[1000], annotations[300];
		snprintf(annotations, sizeof(annotations), ",\"annotations\":%s", cases[i].annotations);
		snprintf(text, sizeof(text), "{" META ",\"spec\":{\"host\":\"a.test\"}}", annotations);
		assert_int_equal(verdict_of(text, &ignored, &route, why), KUBE_SERVES);
		assert_int_equal(route.weight_given, cases[i].weight >= 0);
		assert_int_equal(route.weight, cases[i].weight < 0 ? 0 : cases[i].weight);
		assert_string_equal(route.warning, cases[i].warning);
	}
}

/* Long values must neither be cut in the middle of a character nor run over. */
static void long_warnings(void **state)
{
	struct observed_route route;
	char why[KUBE_WHY_MAX], value[600];
	for (size_t shift = 0; shift < 4; shift++) {
		memset(value, 'x', sizeof(value));
		for (size_t i = shift; i + 3 < 500; i += 3)
			memcpy(value + i, "\xe2\x82\xac", 3);
		value[500] = '\0';
		json_t *object = json_pack("{s:{s:s,s:s,s:s,s:s,s:{s:s,s:s}},s:{s:s,s:{s:s}}}", "metadata", "uid", "u",
		                           "namespace", "n", "name", "x", "creationTimestamp", "2026-01-02T03:04:05Z",
		                           "annotations", "smartlb-weight", value, "pointsman.io/weight", value, "spec",
		                           "host", "a.test", "tls", "insecureEdgeTerminationPolicy", value);
		assert_non_null(object);
		assert_int_equal(kube_route_decode(object, &ignored, &route, why), KUBE_SERVES);
		json_t *check = json_string(route.warning); /* NULL: no UTF-8 */
		assert_non_null(check);
		json_decref(check);
		json_decref(object);
	}
}

static void hosts_that_are_none(void **state)
{
	static const char *const hosts[] = {"a..test", "a b.test", "*.test", "a/b", "\\u00e9.test", "-"};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts) - 1; i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX], rest[400];
		snprintf(rest, sizeof(rest), "\"spec\":{\"host\":\"%s\"}", hosts[i]);
		assert_int_equal(decode(rest, &ignored, &route, why), KUBE_SERVES_NOT);
		assert_non_null(strstr(why, "is no host name"));
	}
	char long_host[400], why[KUBE_WHY_MAX], rest[500];
	struct observed_route route;
	memset(long_host, 'a', 300);
	long_host[300] = '\0';
	snprintf(rest, sizeof(rest), "\"spec\":{\"host\":\"%s\"}", long_host);
	assert_int_equal(decode(rest, &ignored, &route, why), KUBE_SERVES_NOT);
	/* The same host in the status does not admit it either. */
	snprintf(rest, sizeof(rest), "\"spec\":{\"host\":\"a..b\"}," STATUS(ENTRY("default", "a..b", "True")));
	assert_int_equal(decode(rest, &by_status, &route, why), KUBE_SERVES_NOT);
}

static void broken(void **state)
{
	static const struct {
		const char *rest, *why;
	} cases[] = {
	    {"\"spec\":null", "spec is missing"},
	    {"\"x\":1", "spec is missing"},
	    {"\"spec\":[]", "spec is an array"},
	    {"\"spec\":{\"host\":5}", "spec.host is a number"},
	    {"\"spec\":{\"host\":\"a\\u0000.test\"}", "spec.host has a NUL inside"},
	    {"\"spec\":{\"host\":\"a.test\",\"wildcardPolicy\":{}}", "spec.wildcardPolicy is an object"},
	    {"\"spec\":{\"host\":\"a.test\",\"tls\":\"edge\"}," STATUS(ENTRY("default", "a.test", "True")),
	     "spec.tls is a string"},
	    {"\"spec\":{\"host\":\"a.test\",\"tls\":{\"termination\":1}}," STATUS(ENTRY("default", "a.test", "True")),
	     "spec.tls.termination is a number"},
	    {"\"spec\":{\"host\":\"a.test\"},\"status\":5", "status is a number"},
	    {"\"spec\":{\"host\":\"a.test\"},\"status\":{\"ingress\":{}}", "status.ingress is an object"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct observed_route route;
		char why[KUBE_WHY_MAX];
		assert_int_equal(decode(cases[i].rest, &by_status, &route, why), KUBE_BROKEN);
		assert_string_equal(why, cases[i].why);
	}
	struct observed_route route;
	char why[KUBE_WHY_MAX];
	assert_int_equal(verdict_of("[]", &by_status, &route, why), KUBE_BROKEN);
	assert_int_equal(verdict_of("{}", &by_status, &route, why), KUBE_BROKEN);
	assert_string_equal(why, "metadata.uid is missing");
}

struct seen {
	char text[4096];
};

static void note(void *context, json_t *item, const char *why)
{
	struct seen *seen = context;
	struct observed_route route;
	char reason[KUBE_WHY_MAX];
	enum kube_verdict verdict = kube_route_decode(item, &ignored, &route, reason);
	size_t len = strlen(seen->text);
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s:%s%s:%s%s:%d\n",
	         json_string_value(json_object_get(json_object_get(item, "metadata"), "name")),
	         verdict == KUBE_SERVES ? route.wildcard ? "*." : "" : reason,
	         verdict == KUBE_SERVES ? route.host.text : "", verdict == KUBE_SERVES && route.http ? "80" : "",
	         verdict == KUBE_SERVES && route.https ? "443" : "",
	         verdict == KUBE_SERVES && route.weight_given ? route.weight : -1);
}

static void recorded_list(void **state)
{
	struct recorded recorded = recorded_load("routes-list");
	struct kube_page page = {0};
	struct kube_page_head head;
	struct seen seen = {""};
	char why[KUBE_WHY_MAX];
	assert_true(kube_page_feed(&page, recorded.body, recorded.body_len, note, &seen));
	assert_true(kube_page_end(&page, "RouteList", &head, why));
	assert_string_equal(head.version, "221");
	assert_null(head.continue_from);
	assert_string_equal(seen.text,
	                    "generated:generated-shop.apps.cluster1.test:80:-1\n"
	                    "pass:secure.shop.test:443:-1\n"
	                    "subdom:spec.host is empty, and without admission nothing else names the host::-1\n"
	                    "web:www.shop.test:80:20\n"
	                    "web-api:www.shop.test:80443:-1\n"
	                    "wild:*.wild.test:80:-1\n");
	kube_page_head_free(&head);
	kube_page_clear(&page);
	recorded_free(&recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(admission),     cmocka_unit_test(without_admission),
	    cmocka_unit_test(identity),      cmocka_unit_test(wildcards),
	    cmocka_unit_test(ports),         cmocka_unit_test(where_tls_ends),
	    cmocka_unit_test(weights),       cmocka_unit_test(what_the_router_says),
	    cmocka_unit_test(long_warnings), cmocka_unit_test(hosts_that_are_none),
	    cmocka_unit_test(broken),        cmocka_unit_test(recorded_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* kube_spec: defaults of each preset, every field there and back, all faults at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_spec.h"

static struct kube_spec *read_text(const char *text, struct json_faults *faults)
{
	json_t *value = json_loads(text, 0, NULL);
	assert_non_null(value);
	struct kube_spec *spec = kube_spec_read(value, faults, "$.watch");
	json_decref(value);
	return spec;
}

static struct kube_spec *read_good(const char *text)
{
	struct json_faults faults = {0};
	struct kube_spec *spec = read_text(text, &faults);
	for (size_t i = 0; i < faults.count; i++)
		print_error("%s %s\n", faults.list[i].path, faults.list[i].reason);
	assert_non_null(spec);
	return spec;
}

static void assert_written(const struct kube_spec *spec, const char *expected)
{
	json_t *value = kube_spec_write(spec);
	char *text = json_dumps(value, JSON_COMPACT);
	assert_string_equal(text, expected);
	/* What is written is read as the same. */
	struct json_faults faults = {0};
	struct kube_spec *again = kube_spec_read(value, &faults, "$");
	assert_non_null(again);
	assert_memory_equal(again, spec, sizeof(*spec));
	free(again);
	free(text);
	json_decref(value);
}

static void defaults(void **state)
{
	struct kube_spec *spec = read_good("{\"server\":\"https://api.ose1:6443/\"}");
	assert_written(spec, "{\"server\":\"https://api.ose1:6443\",\"insecure_skip_tls_verify\":false,\"routes\":"
	                     "{\"namespaces\":[],\"label_selector\":\"\",\"router_name\":\"default\",\"admission\":"
	                     "\"status\"},\"routers\":{\"preset\":\"openshift4\",\"namespace\":\"openshift-ingress\","
	                     "\"label_selector\":\"ingresscontroller.operator.openshift.io/"
	                     "deployment-ingresscontroller=default\",\"address\":\"hostIP\",\"container\":\"router\"},"
	                     "\"relist_minutes\":20}");
	free(spec);
	spec = read_good("{\"kubeconfig\":\"/etc/k\",\"routers\":{\"preset\":\"openshift3\"}}");
	assert_written(spec, "{\"kubeconfig\":\"/etc/k\",\"routes\":{\"namespaces\":[],\"label_selector\":\"\","
	                     "\"router_name\":\"router\",\"admission\":\"status\"},\"routers\":{\"preset\":"
	                     "\"openshift3\",\"namespace\":\"default\",\"label_selector\":\"router=router\","
	                     "\"address\":\"hostIP\",\"container\":\"router\"},\"relist_minutes\":20}");
	free(spec);
	spec = read_good(
	    "{\"server\":\"https://a\",\"routers\":{\"preset\":\"static\"},\"routes\":{\"router_name\":\"s\"}}");
	assert_written(spec,
	               "{\"server\":\"https://a\",\"insecure_skip_tls_verify\":false,\"routes\":{\"namespaces\":[],"
	               "\"label_selector\":\"\",\"router_name\":\"s\",\"admission\":\"status\"},\"routers\":"
	               "{\"preset\":\"static\"},\"relist_minutes\":20}");
	free(spec);
}

static void every_field(void **state)
{
	struct kube_spec *spec = read_good("{\"server\":\"https://a\",\"token_file\":\"/t\",\"ca_file\":\"/"
	                                   "c\",\"routes\":{\"namespaces\":[\"a\",\"b-2\"],"
	                                   "\"label_selector\":\"type=public\",\"router_name\":\"shard\",\"admission\":"
	                                   "\"ignore\"},\"routers\":{\"preset\":"
	                                   "\"openshift4\",\"namespace\":\"ns\",\"label_selector\":\"\",\"address\":"
	                                   "\"podIP\",\"container\":\"haproxy\"},"
	                                   "\"relist_minutes\":30}");
	assert_string_equal(spec->token_file, "/t");
	assert_string_equal(spec->ca_file, "/c");
	assert_int_equal(spec->namespace_count, 2);
	assert_string_equal(spec->namespaces[1], "b-2");
	assert_string_equal(spec->route_selector, "type=public");
	assert_true(spec->admission_ignored);
	assert_string_equal(spec->router_namespace, "ns");
	assert_string_equal(spec->router_selector, "");
	assert_true(spec->pod_ip);
	assert_string_equal(spec->container, "haproxy");
	assert_int_equal(spec->relist_minutes, 30);
	assert_written(spec, "{\"server\":\"https://a\",\"token_file\":\"/t\",\"ca_file\":\"/c\","
	                     "\"insecure_skip_tls_verify\":false,\"routes\":{\"namespaces\":[\"a\",\"b-2\"],"
	                     "\"label_selector\":\"type=public\",\"router_name\":\"shard\",\"admission\":\"ignore\"},"
	                     "\"routers\":{\"preset\":\"openshift4\",\"namespace\":\"ns\",\"label_selector\":\"\","
	                     "\"address\":\"podIP\",\"container\":\"haproxy\"},\"relist_minutes\":30}");
	free(spec);
	spec = read_good("{\"kubeconfig\":\"/k\",\"context\":\"admin\"}");
	assert_string_equal(spec->context, "admin");
	free(spec);
	/* The selector of a shard's pods follows the router's name. */
	spec = read_good("{\"server\":\"https://a\",\"routes\":{\"router_name\":\"shard\"}}");
	assert_string_equal(spec->router_selector,
	                    "ingresscontroller.operator.openshift.io/deployment-ingresscontroller=shard");
	free(spec);
	spec = read_good("{\"server\":\"https://a\",\"insecure_skip_tls_verify\":true}");
	assert_true(spec->insecure_skip_tls_verify);
	free(spec);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *path, *reason;
	} cases[] = {
	    {"{}", "$.watch.server", "is missing"},
	    {"{\"server\":\"api\"}", "$.watch.server", "is no such address"},
	    {"{\"server\":\"http://api\"}", "$.watch.server", "is no such address"},
	    {"{\"server\":\"https://a\",\"token_file\":\"t\"}", "$.watch.token_file", "is none"},
	    {"{\"server\":\"https://a\",\"ca_file\":\"c\"}", "$.watch.ca_file", "is none"},
	    {"{\"server\":\"https://a\",\"ca_file\":\"/c\",\"insecure_skip_tls_verify\":true}",
	     "$.watch.insecure_skip_tls_verify", "is true, so \"ca_file\" would not be used"},
	    {"{\"kubeconfig\":\"k\"}", "$.watch.kubeconfig", "is none"},
	    {"{\"kubeconfig\":\"/k\",\"server\":\"https://a\"}", "$.watch.server",
	     "does not go with \"kubeconfig\", which says it"},
	    {"{\"kubeconfig\":\"/k\",\"token_file\":\"/t\"}", "$.watch.token_file",
	     "does not go with \"kubeconfig\", which says it"},
	    {"{\"server\":\"https://a\",\"context\":\"c\"}", "$.watch.context", "belongs to \"kubeconfig\""},
	    {"{\"server\":\"https://a\",\"tokenfile\":\"/t\"}", "$.watch", "unknown field \"tokenfile\""},
	    {"{\"server\":\"https://a\",\"relist_minutes\":5}", "$.watch.relist_minutes", "5 is out of range"},
	    {"{\"server\":\"https://a\",\"routes\":[]}", "$.watch.routes", "is an array"},
	    {"{\"server\":\"https://a\",\"routes\":{\"namespaces\":[\"A\"]}}", "$.watch.routes.namespaces[0]",
	     "\"A\" is none"},
	    {"{\"server\":\"https://a\",\"routes\":{\"namespaces\":[5]}}", "$.watch.routes.namespaces[0]",
	     "a number is none"},
	    {"{\"server\":\"https://a\",\"routes\":{\"namespaces\":[\"a\",\"a\"]}}", "$.watch.routes.namespaces[1]",
	     "\"a\" is there before"},
	    {"{\"server\":\"https://a\",\"routes\":{\"admission\":\"no\"}}", "$.watch.routes.admission",
	     "\"no\" is not known"},
	    {"{\"server\":\"https://a\",\"routers\":{\"preset\":\"aks\"}}", "$.watch.routers.preset",
	     "\"aks\" is not known"},
	    {"{\"server\":\"https://a\",\"routers\":{\"address\":\"ip\"}}", "$.watch.routers.address",
	     "\"ip\" is not known"},
	    {"{\"server\":\"https://a\",\"routers\":{\"namespace\":\"a/b\"}}", "$.watch.routers.namespace",
	     "\"a/b\" is none"},
	    {"{\"server\":\"https://a\",\"routers\":{\"preset\":\"static\",\"namespace\":\"x\"}}",
	     "$.watch.routers.namespace", "does not go with \"preset\": \"static\", which watches no pods"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_faults faults = {0};
		assert_null(read_text(cases[i].text, &faults));
		if (faults.count != 1 || strcmp(faults.list[0].path, cases[i].path) != 0)
			fail_msg("%s: %zu faults, %s %s", cases[i].text, faults.count, faults.list[0].path,
			         faults.list[0].reason);
		assert_string_equal(faults.list[0].reason, cases[i].reason);
		json_faults_free(&faults);
	}
}

static void all_faults_at_once(void **state)
{
	struct json_faults faults = {0};
	assert_null(read_text("{\"server\":5,\"token_file\":\"t\",\"routes\":{\"admission\":1},\"routers\":{\"x\":1},"
	                      "\"relist_minutes\":\"20\"}",
	                      &faults));
	assert_int_equal(faults.count, 5);
	json_faults_free(&faults);
	assert_null(kube_spec_read(NULL, &faults, "$.watch"));
	assert_string_equal(faults.list[0].reason, "is missing");
	json_faults_free(&faults);
	assert_null(read_text("[]", &faults));
	assert_string_equal(faults.list[0].reason, "is an array");
	json_faults_free(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(every_field),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(all_faults_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

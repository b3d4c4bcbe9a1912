/* cluster: names, ids, order of routes, defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/cluster.h"

static struct route_spec route(const char *text)
{
	struct route_spec r = {.wildcard = strncmp(text, "*.", 2) == 0};
	const char *name = text + (r.wildcard ? 2 : 0);
	assert_true(hostname_set(&r.name, (const uint8_t *)name, strlen(name)));
	return r;
}

static struct host_spec host(const char *address, uint16_t http_port)
{
	struct host_spec h = {.http_port = http_port, .https_port = 443};
	assert_true(address_parse(address, &h.address));
	return h;
}

static void defaults(void **state)
{
	struct cluster_spec *spec = cluster_create();
	struct address loopback;
	assert_int_equal(spec->default_weight, 100);
	assert_int_equal(spec->health.port, 1936);
	assert_string_equal(spec->health.path, "/healthz/ready");
	assert_int_equal(spec->health.interval, 5000);
	assert_int_equal(spec->health.timeout, 2000);
	assert_int_equal(spec->health.rise, 2);
	assert_int_equal(spec->health.fall, 2);
	address_parse("127.0.0.1", &loopback);
	assert_true(prefix_contains(&spec->push_from[0], &loopback));
	address_parse("::1", &loopback);
	assert_true(prefix_contains(&spec->push_from[1], &loopback));
	cluster_free(spec);
	cluster_free(NULL);
}

static void names(void **state)
{
	char longest[CLUSTER_NAME_MAX + 2];
	memset(longest, 'a', sizeof(longest));
	longest[CLUSTER_NAME_MAX + 1] = '\0';
	assert_false(cluster_name_valid(longest));
	longest[CLUSTER_NAME_MAX] = '\0';
	assert_true(cluster_name_valid(longest));
	assert_true(cluster_name_valid("OSE-1_a.b"));
	static const char *const wrong[] = {"", "-a", ".a", "_a", "a b", "a/b", "a%62", "\xc3\xa9", ".."};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(cluster_name_valid(wrong[i]));
}

static void host_ids_hang_on_cluster_address_and_ports(void **state)
{
	struct host_spec a = host("203.0.113.11", 80), b = host("203.0.113.12", 80), c = host("203.0.113.11", 81);
	uint64_t id = cluster_host_id("ose1", &a);
	assert_int_not_equal(id, 0);
	assert_int_not_equal(id, cluster_host_id("ose2", &a));
	assert_int_not_equal(id, cluster_host_id("ose1", &b));
	assert_int_not_equal(id, cluster_host_id("ose1", &c));
	strcpy(a.name, "another-label");
	assert_int_equal(id, cluster_host_id("ose1", &a));
}

static void route_and_pair_ids(void **state)
{
	struct route_spec exact = route("wild.ch"), wildcard = route("*.wild.ch");
	uint64_t a = cluster_route_id(&exact), b = cluster_route_id(&wildcard);
	assert_int_not_equal(a, b);
	assert_int_not_equal(cluster_pair_id(a, "ose1"), cluster_pair_id(a, "ose2"));
	assert_int_not_equal(cluster_pair_id(a, "ose1"), cluster_pair_id(b, "ose1"));
	assert_int_equal(cluster_pair_id(a, "ose1"), cluster_pair_id(a, "ose1"));
	assert_int_not_equal(cluster_default_pair_id("http", "ose1"), cluster_default_pair_id("https", "ose1"));
}

/* Ids stand in shared memory and in files: they must never change. */
static void ids_are_stable(void **state)
{
	struct host_spec a = host("203.0.113.11", 80);
	struct route_spec r = route("app1.ch");
	assert_int_equal(cluster_host_id("ose1", &a), 0xa318c72106032572);
	assert_int_equal(cluster_route_id(&r), cluster_route_id(&r));
}

static void order_and_text_of_routes(void **state)
{
	char text[ROUTE_TEXT_MAX];
	struct route_spec a = route("a.ch"), b = route("b.ch"), wild = route("*.a.ch"), upper = route("A.ch");
	assert_true(route_compare(&a, &b) < 0);
	assert_true(route_compare(&a, &wild) < 0);
	assert_int_equal(route_compare(&a, &upper), 0);
	assert_string_equal(route_format(&wild, text), "*.a.ch");
	assert_string_equal(route_format(&a, text), "a.ch");
}

static void copies_own_their_watch(void **state)
{
	struct cluster_spec *spec = cluster_create();
	spec->source = SOURCE_WATCH;
	spec->watch = calloc(1, sizeof(*spec->watch));
	strcpy(spec->watch->server, "https://api:6443");
	assert_true(cluster_hosts_are_observed(spec));
	struct cluster_spec *copy = cluster_copy_settings(spec);
	cluster_free(spec);
	assert_string_equal(copy->watch->server, "https://api:6443");
	copy->watch->preset = KUBE_PRESET_STATIC;
	assert_false(cluster_hosts_are_observed(copy));
	cluster_free(copy);
}

static void namespaces_of_the_system(void **state)
{
	assert_true(cluster_namespace_is_system("openshift-console"));
	assert_true(cluster_namespace_is_system("openshift"));
	assert_true(cluster_namespace_is_system("kube-system"));
	assert_true(cluster_namespace_is_system("default"));
	assert_false(cluster_namespace_is_system("default-app"));
	assert_false(cluster_namespace_is_system("kubeflow"));
	assert_false(cluster_namespace_is_system(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(names),
	    cmocka_unit_test(host_ids_hang_on_cluster_address_and_ports),
	    cmocka_unit_test(route_and_pair_ids),
	    cmocka_unit_test(ids_are_stable),
	    cmocka_unit_test(order_and_text_of_routes),
	    cmocka_unit_test(copies_own_their_watch),
	    cmocka_unit_test(namespaces_of_the_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

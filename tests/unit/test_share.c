/* share: sums are exact for thousands of random weights, and what makes a share effective. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/state/share.h"
#include "control/state/state.h"
#include "control_fixture.h"
#include "seeded_random.h"

static struct state state;
static struct share_view view;
static struct shares shares;

static int setup(void **unused)
{
	state_put(&state, fixture_cluster(FIXTURE_OSE1), 0, 100);
	state_put(&state, fixture_cluster(FIXTURE_OSE2), 0, 100);
	return 0;
}

static int teardown(void **unused)
{
	state_free(&state);
	return 0;
}

static struct name *find(const char *text)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	return names_find_host(&state.names, &host, wildcard);
}

static void look(const char *text)
{
	share_view_make(&view, &state);
	share_of(&view, find(text), &shares);
}

static void set_health(unsigned cluster, enum health_state health)
{
	for (size_t i = 0; i < state.clusters[cluster]->spec->host_count; i++)
		state.clusters[cluster]->health[i].state = health;
}

static void sums_are_exact(void **unused)
{
	struct seeded_random random = {.state = 7};
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t weights[CLUSTERS_MAX], parts[CLUSTERS_MAX], whole = (uint32_t)(random_next(&random) % 10001);
		unsigned count = 1 + (unsigned)(random_next(&random) % CLUSTERS_MAX);
		uint64_t sum = 0, all = 0;
		for (unsigned i = 0; i < count; i++)
			sum += weights[i] = (uint32_t)(random_next(&random) % (round % 3 ? 10001 : 3));
		share_split(weights, count, whole, parts);
		for (unsigned i = 0; i < count; i++) {
			all += parts[i];
			if (sum == 0 || weights[i] == 0)
				assert_int_equal(parts[i], 0);
			else /* less than 1 from the exact value */
				assert_true((uint64_t)parts[i] * sum < (uint64_t)weights[i] * whole + sum &&
				            (uint64_t)(parts[i] + 1) * sum > (uint64_t)weights[i] * whole);
		}
		assert_int_equal(all, sum > 0 ? whole : 0);
	}
}

static void thirds(void **unused)
{
	static const uint32_t weights[] = {1, 1, 1};
	uint32_t parts[3];
	share_split(weights, 3, HUNDREDTHS_ALL, parts);
	assert_int_equal(parts[0], 3334);
	assert_int_equal(parts[1], 3333);
	assert_int_equal(parts[2], 3333);
}

static void planned_by_weights_effective_by_hosts(void **unused)
{
	look("app1.ch");
	assert_int_equal(shares.pair[0].planned, 1111); /* 10 of 90 */
	assert_int_equal(shares.pair[1].planned, 8889);
	assert_int_equal(shares.pair[0].effective + shares.pair[1].effective, 0);
	assert_true(shares.unserved);
	set_health(0, HEALTH_UP);
	look("app1.ch");
	assert_int_equal(shares.pair[0].planned, 1111);
	assert_int_equal(shares.pair[0].effective, HUNDREDTHS_ALL);
	assert_int_equal(shares.pair[0].hosts, 2);
	assert_int_equal(shares.pair[1].hosts, 0);
	assert_false(shares.unserved);
	state.clusters[0]->health[1].state = HEALTH_DOWN;
	look("app1.ch");
	assert_int_equal(shares.pair[0].hosts, 1);
}

/* ose2 serves app1.ch on https alone. */
static void http_and_https_differ(void **unused)
{
	set_health(0, HEALTH_UP);
	set_health(1, HEALTH_UP);
	look("app1.ch");
	assert_true(shares.serves_http && shares.serves_https && shares.differ);
	assert_int_equal(shares.pair[0].effective, 1111);
	assert_int_equal(shares.pair[0].http, HUNDREDTHS_ALL);
	assert_int_equal(shares.pair[1].http, 0);
	assert_int_equal(shares.pair[0].https, 1111);
	assert_int_equal(shares.pair[1].https, 8889);
	look("*.wild.ch");
	assert_false(shares.differ);
}

static void a_port_that_is_not_served(void **unused)
{
	set_health(0, HEALTH_UP);
	state.clusters[0]->spec->hosts[0].http_port = state.clusters[0]->spec->hosts[1].http_port = 0;
	look("*.wild.ch");
	assert_int_equal(shares.pair[0].http, 0);
	assert_int_equal(shares.pair[0].https, HUNDREDTHS_ALL);
	assert_true(shares.differ);
	assert_false(shares.unserved);
}

static void clusters_that_are_not_active(void **unused)
{
	set_health(0, HEALTH_UP);
	set_health(1, HEALTH_UP);
	state.clusters[1]->spec->state = CLUSTER_DRAINING;
	look("app1.ch");
	assert_int_equal(shares.pair[0].planned, HUNDREDTHS_ALL);
	assert_int_equal(shares.pair[1].planned, 0);
	assert_int_equal(shares.pair[1].weight.bar, WEIGHT_NOT_ACTIVE);
	state.clusters[0]->spec->state = CLUSTER_OFFLINE;
	look("app1.ch");
	assert_int_equal(shares.pair[0].planned + shares.pair[1].planned, 0);
	assert_true(shares.unserved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sums_are_exact),
	    cmocka_unit_test(thirds),
	    TEST(planned_by_weights_effective_by_hosts),
	    TEST(http_and_https_differ),
	    TEST(a_port_that_is_not_served),
	    TEST(clusters_that_are_not_active),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* source_ports.c: oldest first, 60 s of rest, and each worker its own ports. */
#include "dataplane/source_ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "seeded_random.h"

static struct config *config_of(const char *first, const char *second, uint16_t port_first, uint16_t port_last)
{
	static struct config config;
	memset(&config, 0, sizeof(config));
	config.pool.port_first = port_first;
	config.pool.port_last = port_last;
	assert_true(prefix_parse(first, &config.pool.prefixes[config.pool.prefix_count++]));
	if (second)
		assert_true(prefix_parse(second, &config.pool.prefixes[config.pool.prefix_count++]));
	return &config;
}

struct bench {
	struct source_pool pool;
	struct source_ports ports;
};

/* Two addresses with `ports` ports each. */
static struct bench bench_of(uint16_t ports)
{
	struct bench bench;
	const struct config *config = config_of("203.0.113.64/31", NULL, 2000, (uint16_t)(2000 + ports - 1));
	assert_true(source_pool_init(&bench.pool, config, 0, 1));
	assert_true(source_ports_open(&bench.ports, &bench.pool));
	return bench;
}

static void bench_end(struct bench *bench)
{
	source_ports_close(&bench->ports, &bench->pool);
	source_pool_free(&bench->pool);
}

static uint32_t take(struct bench *bench, uint32_t now, bool expect_rested)
{
	uint32_t pair;
	bool rested;
	assert_true(source_ports_take(&bench->ports, &bench->pool, now, &pair, &rested));
	assert_int_equal(rested, expect_rested);
	assert_true(pair < bench->pool.pair_count);
	return pair;
}

static void expect_none(struct bench *bench, uint32_t now)
{
	uint32_t pair;
	bool rested;
	assert_false(source_ports_take(&bench->ports, &bench->pool, now, &pair, &rested));
}

static void every_address_and_port_is_there_once(void **state)
{
	struct source_pool pool;
	const struct config *config = config_of("203.0.113.64/30", "192.0.2.7", 1024, 1033);
	assert_true(source_pool_init(&pool, config, 0, 1));
	assert_int_equal(pool.address_count, 5);
	assert_int_equal(pool.pair_count, 50);
	bool seen[5][10] = {{false}};
	for (uint32_t pair = 0; pair < pool.pair_count; pair++) {
		const struct address *address = &pool.addresses[pair / pool.port_count];
		unsigned last = address->bytes[15], which = last == 7 ? 4 : last - 64;
		uint16_t port = source_pool_port(&pool, pair);
		assert_true(which < 5 && port >= 1024 && port <= 1033);
		assert_false(seen[which][port - 1024]);
		seen[which][port - 1024] = true;
	}
	source_pool_free(&pool);
}

/* port % workers == index: from the port alone one knows the worker. */
static void the_workers_share_the_ports_out(void **state)
{
	for (unsigned workers = 1; workers <= 7; workers++) {
		unsigned owners[100] = {0};
		for (unsigned worker = 0; worker < workers; worker++) {
			struct source_pool pool;
			const struct config *config = config_of("203.0.113.64/32", NULL, 1025, 1124);
			assert_true(source_pool_init(&pool, config, worker, workers));
			for (uint32_t pair = 0; pair < pool.pair_count; pair++) {
				uint16_t port = source_pool_port(&pool, pair);
				assert_int_equal(port % workers, worker);
				assert_in_range(port, 1025, 1124);
				owners[port - 1025]++;
			}
			source_pool_free(&pool);
		}
		for (unsigned i = 0; i < 100; i++)
			assert_int_equal(owners[i], 1);
	}
}

static void a_worker_without_a_port_is_refused(void **state)
{
	struct source_pool pool;
	const struct config *config = config_of("203.0.113.64/32", NULL, 1024, 1026);
	assert_true(source_pool_init(&pool, config, 0, 4)); /* 1024 */
	source_pool_free(&pool);
	assert_false(source_pool_init(&pool, config, 3, 4)); /* 1027 */
}

static void the_last_port_is_not_passed(void **state)
{
	struct source_pool pool;
	const struct config *config = config_of("203.0.113.64/32", NULL, 65530, 65535);
	assert_true(source_pool_init(&pool, config, 2, 4)); /* 65530 and 65534 */
	assert_int_equal(pool.pair_count, 2);
	assert_int_equal(source_pool_port(&pool, 0), 65530);
	assert_int_equal(source_pool_port(&pool, 1), 65534);
	source_pool_free(&pool);
}

static void unused_pairs_come_first_then_the_oldest(void **state)
{
	struct bench bench = bench_of(2); /* 4 pairs */
	uint32_t first = take(&bench, 0, true), second = take(&bench, 0, true);
	assert_int_not_equal(first, second);
	source_ports_release(&bench.ports, &bench.pool, second, 1000);
	source_ports_release(&bench.ports, &bench.pool, first, 2000);
	uint32_t third = take(&bench, 100000, true), fourth = take(&bench, 100000, true);
	assert_true(third != first && third != second && fourth != first && fourth != second && third != fourth);
	assert_int_equal(take(&bench, 100000, true), second);
	assert_int_equal(take(&bench, 100000, true), first);
	expect_none(&bench, 200000);
	bench_end(&bench);
}

static void rest_lasts_sixty_seconds(void **state)
{
	static const uint32_t starts[] = {0, 0xffffffff, 0xffffffff - 59999, 0xffffffff - 30000};
	for (unsigned i = 0; i < 4; i++) {
		struct bench bench = bench_of(1); /* 2 pairs */
		uint32_t t = starts[i], a = take(&bench, t, true), b = take(&bench, t, true);
		source_ports_release(&bench.ports, &bench.pool, a, t);
		assert_int_equal(take(&bench, t + 59999, false), a);
		source_ports_release(&bench.ports, &bench.pool, b, t + 1);
		assert_int_equal(take(&bench, t + 60001, true), b);
		bench_end(&bench);
	}
}

static void none_is_left_until_one_is_released(void **state)
{
	struct bench bench = bench_of(3);
	for (unsigned i = 0; i < 6; i++)
		take(&bench, 0, true);
	expect_none(&bench, 0);
	source_ports_release(&bench.ports, &bench.pool, 4, 5);
	assert_int_equal(take(&bench, 6, false), 4);
	expect_none(&bench, 7);
	bench_end(&bench);
}

/* Two router hosts' ports do not know of each other: a pair may be in use toward both. */
static void each_router_host_has_its_own_order(void **state)
{
	struct bench bench = bench_of(4);
	struct source_ports other;
	assert_true(source_ports_open(&other, &bench.pool));
	uint32_t pair;
	bool rested;
	assert_true(source_ports_take(&other, &bench.pool, 0, &pair, &rested));
	assert_int_equal(pair, take(&bench, 0, true));
	source_ports_close(&other, &bench.pool);
	assert_null(other.rested);
	source_ports_close(&other, &bench.pool); /* again: nothing happens */
	bench_end(&bench);
}

/* Against a list: no pair is out twice, and the one that comes is the one that has rested longest. */
static void random_use_keeps_the_order(void **state)
{
	enum { PORTS = 20, PAIRS = 2 * PORTS };
	struct bench bench = bench_of(PORTS);
	struct seeded_random random = {3};
	bool out[PAIRS] = {false}, used[PAIRS] = {false};
	uint32_t released[PAIRS] = {0}, order[PAIRS] = {0}, releases = 0, now = 0u - 5000000u;
	for (unsigned round = 0; round < 50000; round++) {
		now += (uint32_t)(random_next(&random) % 4000);
		uint32_t pair;
		bool rested;
		if (random_next(&random) % 2) {
			pair = (uint32_t)(random_next(&random) % PAIRS);
			if (out[pair]) {
				source_ports_release(&bench.ports, &bench.pool, pair, now);
				out[pair] = false;
				released[pair] = now;
				order[pair] = ++releases;
			}
			continue;
		}
		bool some = source_ports_take(&bench.ports, &bench.pool, now, &pair, &rested);
		unsigned fresh = 0, waiting = 0;
		for (unsigned i = 0; i < PAIRS; i++) {
			fresh += !used[i];
			waiting += used[i] && !out[i];
		}
		assert_int_equal(some, fresh + waiting > 0);
		if (!some)
			continue;
		assert_false(out[pair]);
		assert_int_equal(used[pair], fresh == 0);
		for (unsigned i = 0; fresh == 0 && i < PAIRS; i++)
			assert_true(out[i] || order[i] >= order[pair]);
		assert_int_equal(rested, !used[pair] || now - released[pair] >= SOURCE_PORT_REST_MS);
		out[pair] = used[pair] = true;
	}
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_address_and_port_is_there_once),
	    cmocka_unit_test(the_workers_share_the_ports_out),
	    cmocka_unit_test(a_worker_without_a_port_is_refused),
	    cmocka_unit_test(the_last_port_is_not_passed),
	    cmocka_unit_test(unused_pairs_come_first_then_the_oldest),
	    cmocka_unit_test(rest_lasts_sixty_seconds),
	    cmocka_unit_test(none_is_left_until_one_is_released),
	    cmocka_unit_test(each_router_host_has_its_own_order),
	    cmocka_unit_test(random_use_keeps_the_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

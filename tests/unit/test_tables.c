/* tables.c: names, limits, and what a change or a resync keeps. */
#include "exchange.h"

enum { HOSTS = 300, ROUTES = 8, PAIRS = 20 };

static int setup(void **state)
{
	static struct tables tables;
	struct siphash_key key = {1, 2};
	tables = (struct tables){0};
	*state = &tables;
	return tables_init(&tables, HOSTS, ROUTES, PAIRS, &key) ? 0 : -1;
}

static int teardown(void **state)
{
	tables_free(*state);
	return 0;
}

static struct message_share share(uint32_t pair, uint16_t cluster, uint16_t weight)
{
	return (struct message_share){.pair = pair, .cluster = cluster, .weight = weight, .http = 1, .https = 1};
}

static bool add_route_to(struct tables *tables, struct table *table, uint64_t id, const char *name, bool wildcard)
{
	struct message_share one = share((uint32_t)id, 0, 100);
	struct message message = route_message(id, name, 1, &one);
	message.route.wildcard = wildcard;
	return table_apply(tables, table, &message);
}

static bool add_route(struct tables *tables, uint64_t id, const char *name, bool wildcard)
{
	return add_route_to(tables, tables->active, id, name, wildcard);
}

static void remove_route(struct tables *tables, const char *name, bool wildcard)
{
	struct message message = plain_message(MESSAGE_ROUTE_GONE);
	message.route_gone.wildcard = wildcard;
	assert_true(hostname_set(&message.route_gone.name, (const uint8_t *)name, strlen(name)));
	assert_true(table_apply(tables, tables->active, &message));
}

static bool add_host(struct tables *tables, unsigned slot, uint16_t cluster)
{
	struct message message = host_message(0, true);
	message.host.slot = slot;
	message.host.cluster = cluster;
	return table_apply(tables, tables->active, &message);
}

static void remove_host(struct tables *tables, unsigned slot)
{
	struct message message = plain_message(MESSAGE_HOST_GONE);
	message.host_gone.slot = slot;
	assert_true(table_apply(tables, tables->active, &message));
}

static struct table_route *route(struct tables *tables, const char *text)
{
	struct hostname name;
	assert_true(hostname_set(&name, (const uint8_t *)text, strlen(text)));
	return tables_route(tables, &name);
}

/* The id of the route for a name; 0: none. */
static uint64_t id_of(struct tables *tables, const char *text)
{
	const struct table_route *found = route(tables, text);
	return found ? found->id : 0;
}

static void expect_hosts(const struct tables *tables, uint16_t cluster, unsigned count, const uint32_t *slots)
{
	const struct table_cluster *c = &tables->active->clusters[cluster];
	assert_int_equal(c->host_count, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(c->hosts[i], slots[i]);
}

static void names_are_found_exactly(void **state)
{
	assert_int_equal(id_of(*state, "app.test"), 0);
	assert_true(add_route(*state, 1, "app.test", false));
	assert_true(add_route(*state, 2, "test", false));
	assert_int_equal(id_of(*state, "app.test"), 1);
	assert_int_equal(id_of(*state, "APP.Test."), 1);
	assert_int_equal(id_of(*state, "test"), 2);
	assert_int_equal(id_of(*state, "x.app.test"), 0);
	assert_int_equal(id_of(*state, "app.tes"), 0);
	assert_int_equal(id_of(*state, "pp.test"), 0);
}

static void a_wildcard_covers_one_label(void **state)
{
	assert_true(add_route(*state, 1, "wild.test", true));
	assert_int_equal(id_of(*state, "a.wild.test"), 1);
	assert_int_equal(id_of(*state, "b.wild.test"), 1);
	assert_int_equal(id_of(*state, "wild.test"), 0);
	assert_int_equal(id_of(*state, "a.b.wild.test"), 0);
	assert_int_equal(id_of(*state, "awild.test"), 0);
	assert_int_equal(id_of(*state, "test"), 0);
}

static void exact_names_come_before_wildcards(void **state)
{
	assert_true(add_route(*state, 1, "wild.test", true));
	assert_true(add_route(*state, 2, "wild.test", false));
	assert_true(add_route(*state, 3, "a.wild.test", false));
	assert_true(add_route(*state, 4, "a.wild.test", true));
	assert_int_equal(id_of(*state, "wild.test"), 2);
	assert_int_equal(id_of(*state, "a.wild.test"), 3);
	assert_int_equal(id_of(*state, "b.wild.test"), 1);
	assert_int_equal(id_of(*state, "x.a.wild.test"), 4);
	remove_route(*state, "a.wild.test", false);
	assert_int_equal(id_of(*state, "a.wild.test"), 1);
	assert_int_equal(id_of(*state, "x.a.wild.test"), 4);
	remove_route(*state, "wild.test", true);
	assert_int_equal(id_of(*state, "a.wild.test"), 0);
	assert_int_equal(id_of(*state, "wild.test"), 2);
}

static void the_routes_have_a_limit(void **state)
{
	struct tables *tables = *state;
	char name[16] = "a.test";
	for (unsigned i = 0; i < ROUTES; i++, name[0]++)
		assert_true(add_route(tables, i + 1, name, false));
	assert_false(add_route(tables, 90, "one.more.test", false));
	assert_int_equal(id_of(tables, "one.more.test"), 0);
	assert_true(add_route(tables, 3, "c.test", false)); /* a change needs no room */
	remove_route(tables, "e.test", true);               /* there is none: nothing happens */
	assert_int_equal(id_of(tables, "e.test"), 5);
	remove_route(tables, "e.test", false);
	assert_int_equal(id_of(tables, "e.test"), 0);
	assert_true(add_route(tables, 19, "one.more.test", false));
	assert_int_equal(id_of(tables, "one.more.test"), 19);
	for (unsigned i = 0; i < ROUTES; i++) {
		name[0] = (char)('a' + i);
		assert_int_equal(id_of(tables, name), i == 4 ? 0 : i + 1);
	}
}

static void routes_come_and_go_without_end(void **state)
{
	struct tables *tables = *state;
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < ROUTES; i++) {
			char name[16] = {(char)('a' + i), (char)('a' + round % 26), '\0'};
			assert_true(add_route(tables, i + 1, name, i & 1));
		}
		assert_false(add_route(tables, 9, "full", false));
		for (unsigned i = 0; i < ROUTES; i++) { /* a wildcard is not the name itself */
			char name[16] = {(char)('a' + i), (char)('a' + round % 26), '\0'};
			assert_int_equal(id_of(tables, name), i & 1 ? 0 : i + 1);
		}
		for (unsigned i = 0; i < ROUTES; i++) {
			unsigned n = (i * 3 + round) % ROUTES;
			char name[16] = {(char)('a' + n), (char)('a' + round % 26), '\0'};
			remove_route(tables, name, n & 1);
			remove_route(tables, name, n & 1);
		}
	}
	for (uint32_t b = 0; b <= tables->bucket_mask; b++)
		assert_int_equal(tables->active->buckets[b].first, TABLE_END);
}

static void slots_out_of_range_are_refused(void **state)
{
	struct tables *tables = *state;
	assert_false(add_host(tables, HOSTS, 0));
	assert_true(add_host(tables, HOSTS - 1, 0));
	remove_host(tables, HOSTS); /* nothing happens */
	remove_host(tables, SLOT_NONE);
	struct message_share shares[2] = {share(0, 0, 1), share(PAIRS, 1, 1)};
	struct message message = route_message(1, "app.test", 2, shares);
	assert_false(table_apply(tables, tables->active, &message));
	assert_null(route(tables, "app.test"));
	message.route.shares[1].pair = PAIRS - 1;
	assert_true(table_apply(tables, tables->active, &message));
	message.route.shares[1].pair = SLOT_NONE; /* not counted */
	assert_true(table_apply(tables, tables->active, &message));
	message = plain_message(MESSAGE_LISTENER);
	message.listener = (struct message_listener){.listener = 1, .cluster = 2, .pair = PAIRS};
	assert_false(table_apply(tables, tables->active, &message));
	assert_int_equal(tables->active->defaults[1].share_count, 0);
}

static void a_cluster_lists_its_hosts(void **state)
{
	struct tables *tables = *state;
	assert_true(add_host(tables, 7, 3));
	assert_true(add_host(tables, 2, 3));
	assert_true(add_host(tables, 9, 4));
	assert_true(add_host(tables, 7, 3)); /* again: a change of health */
	expect_hosts(tables, 3, 2, (const uint32_t[]){7, 2});
	expect_hosts(tables, 4, 1, (const uint32_t[]){9});
	assert_true(add_host(tables, 7, 4)); /* moves */
	expect_hosts(tables, 3, 1, (const uint32_t[]){2});
	expect_hosts(tables, 4, 2, (const uint32_t[]){9, 7});
	remove_host(tables, 9);
	remove_host(tables, 9);
	expect_hosts(tables, 4, 1, (const uint32_t[]){7});
	assert_false(tables->active->hosts[9].present);
	assert_true(tables->active->hosts[7].present);
}

static void a_cluster_has_a_limit(void **state)
{
	struct tables *tables = *state;
	for (unsigned slot = 0; slot < CLUSTER_HOSTS_MAX; slot++)
		assert_true(add_host(tables, slot, 5));
	assert_false(add_host(tables, CLUSTER_HOSTS_MAX, 5));
	assert_false(tables->active->hosts[CLUSTER_HOSTS_MAX].present);
	assert_true(add_host(tables, CLUSTER_HOSTS_MAX, 6));
	assert_false(add_host(tables, CLUSTER_HOSTS_MAX, 5)); /* a move into it */
	assert_true(add_host(tables, 17, 5));                 /* a change needs no room */
	assert_int_equal(tables->active->clusters[5].host_count, CLUSTER_HOSTS_MAX);
	remove_host(tables, 17);
	assert_true(add_host(tables, 299, 5));
}

/* What is refused changes nothing. */
static void a_refused_move_leaves_the_host_where_it_is(void **state)
{
	struct tables *tables = *state;
	for (unsigned slot = 0; slot < CLUSTER_HOSTS_MAX; slot++)
		assert_true(add_host(tables, slot, 5));
	assert_true(add_host(tables, 280, 6));
	assert_false(add_host(tables, 280, 5));
	assert_true(tables->active->hosts[280].present);
	expect_hosts(tables, 6, 1, (const uint32_t[]){280});
}

/* Numbers that differ may mean the same place, one after the other. */
static void a_cluster_takes_the_place_of_another(void **state)
{
	struct tables *tables = *state;
	assert_true(add_host(tables, 7, 5));
	remove_host(tables, 7);
	assert_true(add_host(tables, 8, 5 + CLUSTERS_MAX));
	expect_hosts(tables, 5, 1, (const uint32_t[]){8});
	assert_int_equal(tables->active->hosts[8].cluster, 5 + CLUSTERS_MAX);
	assert_true(add_host(tables, 8, 5 + 2 * CLUSTERS_MAX));
	expect_hosts(tables, 5, 1, (const uint32_t[]){8});
	assert_int_equal(tables->active->hosts[8].cluster, 5 + 2 * CLUSTERS_MAX);
	assert_true(add_host(tables, 8, CLUSTER_NUMBERS - 1));
	expect_hosts(tables, CLUSTERS_MAX - 1, 1, (const uint32_t[]){8});
	remove_host(tables, 8);
	expect_hosts(tables, CLUSTERS_MAX - 1, 0, NULL);
	/* Also when it is full. */
	for (unsigned slot = 0; slot < CLUSTER_HOSTS_MAX; slot++)
		assert_true(add_host(tables, slot, 6));
	for (unsigned slot = 0; slot < CLUSTER_HOSTS_MAX; slot++)
		assert_true(add_host(tables, slot, 6 + CLUSTERS_MAX));
}

static void a_host_keeps_what_its_message_says(void **state)
{
	struct tables *tables = *state;
	struct message message = host_message(2, false);
	message.host.slot = 11;
	message.host.generation = 8;
	message.host.http_port = 8080;
	message.host.https_port = 0;
	assert_true(table_apply(tables, tables->active, &message));
	const struct table_host *host = &tables->active->hosts[11];
	assert_true(host->present);
	assert_false(host->healthy);
	assert_int_equal(host->http_port, 8080);
	assert_int_equal(host->https_port, 0);
	assert_int_equal(host->cluster, 1);
	assert_int_equal(host->generation, 8);
	assert_true(address_equal(&host->address, &message.host.address));
}

static void a_listener_gets_and_loses_its_default(void **state)
{
	struct tables *tables = *state;
	struct message message = plain_message(MESSAGE_LISTENER);
	message.listener = (struct message_listener){.listener = 1, .cluster = 2, .pair = 3};
	assert_true(table_apply(tables, tables->active, &message));
	assert_int_equal(tables->active->defaults[0].share_count, 0);
	assert_int_equal(tables->active->defaults[1].share_count, 1);
	const struct message_share *only = &tables->active->defaults[1].shares[0];
	assert_int_equal(only->cluster, 2);
	assert_int_equal(only->pair, 3);
	assert_true(only->weight > 0 && only->http && only->https);
	message.listener.cluster = CLUSTER_NONE;
	message.listener.pair = SLOT_NONE;
	assert_true(table_apply(tables, tables->active, &message));
	assert_int_equal(tables->active->defaults[1].share_count, 0);
}

static void only_what_belongs_into_a_table_is_applied(void **state)
{
	struct tables *tables = *state;
	static const enum message_type ends[] = {MESSAGE_SYNC_BEGIN, MESSAGE_SYNC_END, MESSAGE_BATCH_END};
	for (unsigned i = 0; i < 3; i++) {
		struct message message = plain_message(ends[i]);
		assert_false(table_apply(tables, tables->active, &message));
	}
}

/* ---- credit of the weights ---- */

static int32_t *credit(struct tables *tables, unsigned share)
{
	return tables_credit(tables, route(tables, "app.test"), share);
}

static void same_shares_keep_their_credit(void **state)
{
	struct tables *tables = *state;
	struct message_share shares[2] = {share(0, 0, 10), share(1, 1, 80)};
	struct message message = route_message(1, "app.test", 2, shares);
	assert_true(table_apply(tables, tables->active, &message));
	*credit(tables, 0) = 30;
	*credit(tables, 1) = -30;
	message.route.id = 6; /* the id may change, the shares are what counts */
	assert_true(table_apply(tables, tables->active, &message));
	assert_int_equal(route(tables, "app.test")->id, 6);
	assert_int_equal(*credit(tables, 0), 30);
	assert_int_equal(*credit(tables, 1), -30);
	message.route.shares[1].weight = 81;
	assert_true(table_apply(tables, tables->active, &message));
	assert_int_equal(*credit(tables, 0), 0);
	assert_int_equal(*credit(tables, 1), 0);
	assert_int_equal(route(tables, "app.test")->shares[1].weight, 81);
}

static void begin_filling(struct tables *tables)
{
	tables->filling = tables->active == &tables->table[0] ? &tables->table[1] : &tables->table[0];
	table_clear(tables->filling);
}

static void a_resync_replaces_everything(void **state)
{
	struct tables *tables = *state;
	assert_true(add_route(tables, 1, "old.test", false));
	assert_true(add_route(tables, 2, "both.test", false));
	assert_true(add_host(tables, 4, 1));
	assert_false(tables->ready);
	begin_filling(tables);
	assert_true(add_route_to(tables, tables->filling, 2, "both.test", false));
	assert_true(add_route_to(tables, tables->filling, 3, "new.test", false));
	/* Not yet. */
	assert_int_equal(id_of(tables, "old.test"), 1);
	assert_int_equal(id_of(tables, "new.test"), 0);
	expect_hosts(tables, 1, 1, (const uint32_t[]){4});
	tables_swap(tables);
	assert_true(tables->ready);
	assert_null(tables->filling);
	assert_int_equal(id_of(tables, "old.test"), 0);
	assert_int_equal(id_of(tables, "both.test"), 2);
	assert_int_equal(id_of(tables, "new.test"), 3);
	expect_hosts(tables, 1, 0, NULL);
}

/* What happened between the route's message and the swap counts too. */
static void a_resync_keeps_the_election_as_it_is_at_the_swap(void **state)
{
	struct tables *tables = *state;
	assert_true(add_route(tables, 1, "app.test", false));
	assert_true(add_host(tables, 4, 0));
	assert_true(add_host(tables, 5, 0));
	*credit(tables, 0) = 5;
	begin_filling(tables);
	assert_true(add_route_to(tables, tables->filling, 1, "app.test", false));
	*credit(tables, 0) = 9;
	tables->active->clusters[0].turn = 1;
	tables_swap(tables);
	assert_int_equal(tables->active->clusters[0].turn, 1);
	assert_int_equal(*credit(tables, 0), 9);
}

/* Twice in a row, so that both halves have been both. */
static void a_second_resync_starts_from_nothing(void **state)
{
	struct tables *tables = *state;
	for (unsigned round = 0; round < 4; round++) {
		begin_filling(tables);
		for (unsigned i = 0; i < ROUTES; i++) {
			char name[16] = {(char)('a' + i), (char)('a' + round), '\0'};
			assert_true(add_route_to(tables, tables->filling, i + 1, name, false));
		}
		tables_swap(tables);
		assert_int_equal(tables->active->routes_used, ROUTES);
		char now[3] = {'a', (char)('a' + round), '\0'}, before[3] = {'a', (char)('a' + round - 1), '\0'};
		assert_int_equal(id_of(tables, now), 1);
		if (round > 0)
			assert_int_equal(id_of(tables, before), 0);
	}
}

/* Clearing does not touch the routes: none of them may be found again, and each has its room again. */
static void a_cleared_table_is_empty(void **state)
{
	struct tables *tables = *state;
	char name[16] = "a.test";
	for (unsigned i = 0; i < ROUTES; i++, name[0]++)
		assert_true(add_route(tables, i + 1, name, i & 1));
	remove_route(tables, "c.test", false);
	assert_true(add_host(tables, 4, 1));
	assert_true(add_host(tables, 5, 2));
	struct message message = plain_message(MESSAGE_LISTENER);
	message.listener = (struct message_listener){.listener = 1, .cluster = 2, .pair = 3};
	assert_true(table_apply(tables, tables->active, &message));
	tables->active->clusters[1].turn = 7;

	table_clear(tables->active);
	assert_int_equal(id_of(tables, "a.test"), 0);
	assert_int_equal(id_of(tables, "x.b.test"), 0);
	remove_route(tables, "e.test", false); /* there is none: nothing happens */
	assert_false(tables->active->hosts[4].present || tables->active->hosts[5].present);
	expect_hosts(tables, 1, 0, NULL);
	expect_hosts(tables, 2, 0, NULL);
	assert_int_equal(tables->active->clusters[1].turn, 0);
	assert_int_equal(tables->active->defaults[1].share_count, 0);
	for (name[0] = 'a'; name[0] < 'a' + ROUTES; name[0]++)
		assert_true(add_route(tables, 19, name, false));
	assert_false(add_route(tables, 18, "one.more.test", false));
	assert_int_equal(id_of(tables, "a.test"), 19);
	assert_int_equal(id_of(tables, "x.b.test"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(names_are_found_exactly),
	    TEST(a_wildcard_covers_one_label),
	    TEST(exact_names_come_before_wildcards),
	    TEST(the_routes_have_a_limit),
	    TEST(routes_come_and_go_without_end),
	    TEST(slots_out_of_range_are_refused),
	    TEST(a_cluster_lists_its_hosts),
	    TEST(a_cluster_has_a_limit),
	    TEST(a_refused_move_leaves_the_host_where_it_is),
	    TEST(a_cluster_takes_the_place_of_another),
	    TEST(a_host_keeps_what_its_message_says),
	    TEST(a_listener_gets_and_loses_its_default),
	    TEST(only_what_belongs_into_a_table_is_applied),
	    TEST(same_shares_keep_their_credit),
	    TEST(a_resync_replaces_everything),
	    TEST(a_resync_keeps_the_election_as_it_is_at_the_swap),
	    TEST(a_second_resync_starts_from_nothing),
	    TEST(a_cleared_table_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

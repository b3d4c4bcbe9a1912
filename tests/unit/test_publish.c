/* publish: from a table to messages, from one table to another; random changes arrive as what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/feed/publish.h"
#include "seeded_random.h"

static struct table_host host(uint32_t slot, uint32_t generation, uint8_t healthy)
{
	return (struct table_host){
	    .message = {.slot = slot, .generation = generation, .http_port = 80, .healthy = healthy}};
}

static struct message_route route(uint64_t id, uint16_t weight)
{
	struct message_route r = {.id = id, .share_count = 1, .name = {.len = 1}};
	r.name.text[0] = (char)('a' + id % 26);
	r.shares[0].weight = weight;
	return r;
}

/* A table over borrowed arrays. */
static struct table table_of(uint64_t revision, struct table_host *hosts, size_t host_count,
                             struct message_route *routes, size_t route_count)
{
	return (struct table){.revision = revision,
	                      .hosts = hosts,
	                      .host_count = host_count,
	                      .routes = routes,
	                      .route_count = route_count};
}

static void assert_types(const struct message_list *list, size_t count, const enum message_type *types)
{
	assert_int_equal(list->count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(list->messages[i].type, types[i]);
}

static void a_resync_is_the_whole_table(void **state)
{
	struct table_host hosts[] = {host(0, 1, 1), host(5, 2, 0)};
	struct message_route routes[] = {route(3, 100)};
	struct table table = table_of(9, hosts, 2, routes, 1);
	struct message_list list = {0};
	table.listener_count = 1;
	table.listeners[0].cluster = 7;
	publish_sync(&table, &list);
	static const enum message_type types[] = {MESSAGE_SYNC_BEGIN, MESSAGE_HOST,     MESSAGE_HOST,
	                                          MESSAGE_ROUTE,      MESSAGE_LISTENER, MESSAGE_SYNC_END};
	assert_types(&list, 6, types);
	assert_int_equal(list.messages[2].host.slot, 5);
	assert_int_equal(list.messages[3].route.id, 3);
	assert_int_equal(list.messages[4].listener.cluster, 7);
	assert_int_equal(list.messages[5].end.revision, 9);
	message_list_free(&list);
}

static void no_difference_is_only_an_end(void **state)
{
	struct table_host hosts[] = {host(0, 1, 1)};
	struct table before = table_of(1, hosts, 1, NULL, 0), after = table_of(2, hosts, 1, NULL, 0);
	struct message_list list = {0};
	publish_difference(&before, &after, &list);
	static const enum message_type types[] = {MESSAGE_BATCH_END};
	assert_types(&list, 1, types);
	assert_int_equal(list.messages[0].end.revision, 2);
	message_list_free(&list);
}

static void gone_ones_come_first(void **state)
{
	struct table_host old[] = {host(0, 1, 1), host(1, 1, 1), host(2, 1, 1), host(3, 1, 1)};
	struct table_host new[] = {host(0, 1, 1), host(1, 2, 1), host(3, 1, 0), host(4, 1, 1)};
	struct message_route routes[] = {route(1, 6), route(4, 5)};
	struct message_route_gone gone[] = {{.id = 2, .name = route(2, 5).name}};
	struct table before = table_of(1, old, 4, NULL, 0), after = table_of(2, new, 4, routes, 2);
	struct message_list list = {0};
	after.gone = gone;
	after.gone_count = 1;
	after.listener_count = before.listener_count = 2;
	after.listeners[1].cluster = 3;
	publish_difference(&before, &after, &list);
	static const enum message_type types[] = {
	    MESSAGE_HOST_GONE, MESSAGE_HOST_GONE, MESSAGE_ROUTE_GONE, MESSAGE_HOST,     MESSAGE_HOST,
	    MESSAGE_HOST,      MESSAGE_ROUTE,     MESSAGE_ROUTE,      MESSAGE_LISTENER, MESSAGE_BATCH_END};
	assert_types(&list, 10, types);
	assert_int_equal(list.messages[0].host_gone.slot, 1); /* the slot has a new owner */
	assert_int_equal(list.messages[0].host_gone.generation, 1);
	assert_int_equal(list.messages[1].host_gone.slot, 2);
	assert_int_equal(list.messages[2].route_gone.id, 2);
	assert_string_equal(list.messages[2].route_gone.name.text, "c");
	assert_int_equal(list.messages[3].host.slot, 1);
	assert_int_equal(list.messages[3].host.generation, 2);
	assert_int_equal(list.messages[4].host.slot, 3);
	assert_int_equal(list.messages[5].host.slot, 4);
	assert_int_equal(list.messages[6].route.id, 1);
	assert_int_equal(list.messages[7].route.id, 4);
	assert_int_equal(list.messages[8].listener.cluster, 3);
	message_list_free(&list);
}

static void an_announced_host_is_sent_unchanged(void **state)
{
	struct table_host old[] = {host(0, 1, 1), host(1, 1, 1)}, new[] = {host(0, 1, 1), host(1, 1, 1)};
	struct table before = table_of(1, old, 2, NULL, 0), after = table_of(1, new, 2, NULL, 0);
	struct message_list list = {0};
	new[1].announce = true;
	publish_difference(&before, &after, &list);
	static const enum message_type types[] = {MESSAGE_HOST, MESSAGE_BATCH_END};
	assert_types(&list, 2, types);
	assert_int_equal(list.messages[0].host.slot, 1);
	message_list_free(&list);
}

static void many_changes_become_several_batches(void **state)
{
	struct table_host old[MESSAGE_BATCH_MAX + 1], new[MESSAGE_BATCH_MAX + 1];
	struct message_list list = {0};
	for (uint32_t i = 0; i <= MESSAGE_BATCH_MAX; i++) {
		old[i] = host(i, 1, 0);
		new[i] = host(i, 1, 1);
	}
	struct table before = table_of(1, old, MESSAGE_BATCH_MAX, NULL, 0);
	struct table after = table_of(2, new, MESSAGE_BATCH_MAX, NULL, 0);
	publish_difference(&before, &after, &list);
	assert_int_equal(list.count, MESSAGE_BATCH_MAX + 1);
	assert_int_equal(list.messages[MESSAGE_BATCH_MAX].type, MESSAGE_BATCH_END);
	list.count = 0;
	before.host_count = after.host_count = MESSAGE_BATCH_MAX + 1;
	publish_difference(&before, &after, &list);
	assert_int_equal(list.count, MESSAGE_BATCH_MAX + 3);
	assert_int_equal(list.messages[MESSAGE_BATCH_MAX].type, MESSAGE_BATCH_END);
	assert_int_equal(list.messages[MESSAGE_BATCH_MAX].end.revision, 1);
	assert_int_equal(list.messages[MESSAGE_BATCH_MAX + 1].host.slot, MESSAGE_BATCH_MAX);
	assert_int_equal(list.messages[MESSAGE_BATCH_MAX + 2].type, MESSAGE_BATCH_END);
	assert_int_equal(list.messages[MESSAGE_BATCH_MAX + 2].end.revision, 2);
	message_list_free(&list);
}

enum { SLOTS = 12 };

/* What a worker would hold. */
struct model {
	struct message_host hosts[SLOTS];
	struct message_route routes[SLOTS];
};

static void apply(struct model *model, const struct message *message)
{
	switch (message->type) {
	case MESSAGE_SYNC_BEGIN:
		memset(model, 0, sizeof(*model));
		break;
	case MESSAGE_HOST:
		model->hosts[message->host.slot] = message->host;
		break;
	case MESSAGE_HOST_GONE:
		assert_int_equal(model->hosts[message->host_gone.slot].generation, message->host_gone.generation);
		memset(&model->hosts[message->host_gone.slot], 0, sizeof(model->hosts[0]));
		break;
	case MESSAGE_ROUTE:
		model->routes[message->route.id] = message->route;
		break;
	case MESSAGE_ROUTE_GONE:
		memset(&model->routes[message->route_gone.id], 0, sizeof(model->routes[0]));
		break;
	}
}

static void random_tables_arrive(void **state)
{
	struct seeded_random random;
	random.state = 20261120;
	struct table_host hosts[2][SLOTS];
	struct message_route routes[SLOTS];
	struct message_route_gone gone[SLOTS];
	struct model model = {0};
	struct table tables[2] = {0};
	for (unsigned round = 0; round < 2000; round++) {
		struct table *before = &tables[round % 2], *after = &tables[1 - round % 2];
		struct model wanted = {0};
		memcpy(wanted.routes, model.routes, sizeof(wanted.routes));
		*after = table_of(round, hosts[1 - round % 2], 0, routes, 0);
		after->gone = gone;
		for (uint32_t i = 0; i < SLOTS; i++) {
			if ((random_next(&random) % 3) > 0) {
				after->hosts[after->host_count] = host(i, 1 + (uint32_t)(random_next(&random) % 2),
				                                       (uint8_t)(random_next(&random) % 2));
				wanted.hosts[i] = after->hosts[after->host_count++].message;
			}
			switch (random_next(&random) % 3) {
			case 0:
				routes[after->route_count] = route(i, (uint16_t)(random_next(&random) % 3));
				wanted.routes[i] = routes[after->route_count++];
				break;
			case 1:
				gone[after->gone_count++] =
				    (struct message_route_gone){.id = i, .name = route(i, 0).name};
				memset(&wanted.routes[i], 0, sizeof(wanted.routes[i]));
				break;
			}
		}
		struct message_list list = {0};
		publish_difference(before, after, &list);
		for (size_t i = 0; i < list.count; i++)
			apply(&model, &list.messages[i]);
		message_list_free(&list);
		assert_memory_equal(&model, &wanted, sizeof(model));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_resync_is_the_whole_table),
	    cmocka_unit_test(no_difference_is_only_an_end),
	    cmocka_unit_test(gone_ones_come_first),
	    cmocka_unit_test(an_announced_host_is_sent_unchanged),
	    cmocka_unit_test(many_changes_become_several_batches),
	    cmocka_unit_test(random_tables_arrive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

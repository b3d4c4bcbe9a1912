/* message: sizes, seal, and each thing that message_check refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/message.h"

static struct message host_message(void)
{
	struct message m = {.type = MESSAGE_HOST};
	m.host = (struct message_host){.slot = 3, .generation = 9, .http_port = 80, .https_port = 443, .healthy = 1};
	message_seal(&m, 0x1122334455667788, 5);
	return m;
}

static struct message route_message(void)
{
	struct message m = {.type = MESSAGE_ROUTE};
	m.route.id = 77;
	m.route.share_count = 2;
	strcpy(m.route.name.text, "app1.ch");
	m.route.name.len = 7;
	m.route.shares[0] = (struct message_share){.pair = 1, .cluster = 0, .weight = 1000, .http = 1, .https = 1};
	m.route.shares[1] = (struct message_share){.pair = 2, .cluster = 63, .weight = 10000, .http = 1};
	message_seal(&m, 1, 1);
	return m;
}

static void assert_resealed(struct message m, enum message_fault fault)
{
	message_seal(&m, 1, 1);
	assert_int_equal(message_check(&m), fault);
}

static void sizes(void **state)
{
	size_t header = offsetof(struct message, end);
	assert_int_equal(message_size(0), 0);
	assert_int_equal(message_size(MESSAGE_EXPLAIN + 1), 0);
	assert_int_equal(message_size(0xffff), 0);
	assert_int_equal(message_size(MESSAGE_SYNC_BEGIN), header);
	assert_int_equal(message_size(MESSAGE_SYNC_END), header + sizeof(struct message_end));
	assert_int_equal(message_size(MESSAGE_HOST), header + sizeof(struct message_host));
	assert_int_equal(message_size(MESSAGE_ROUTE), header + sizeof(struct message_route));
	assert_int_equal(message_size(MESSAGE_LOG), header + sizeof(struct message_log));
	assert_int_equal(message_size(MESSAGE_EXPLAIN), header + sizeof(struct message_explain));
	for (uint16_t type = MESSAGE_SYNC_BEGIN; type <= MESSAGE_EXPLAIN; type++)
		assert_true(message_size(type) >= header && message_size(type) <= sizeof(struct message));
}

static void sealed_messages_pass(void **state)
{
	struct message m = host_message();
	assert_int_equal(message_check(&m), MESSAGE_OK);
	assert_int_equal(m.version, MESSAGE_VERSION);
	assert_int_equal(m.start, 0x1122334455667788);
	assert_int_equal(m.sequence, 5);
	m = route_message();
	assert_int_equal(message_check(&m), MESSAGE_OK);
	for (uint16_t type = MESSAGE_SYNC_BEGIN; type <= MESSAGE_LOG; type++) {
		if (type == MESSAGE_HOST || type == MESSAGE_ROUTE || type == MESSAGE_ROUTE_GONE)
			continue;
		struct message other = {.type = type};
		assert_resealed(other, MESSAGE_OK);
	}
}

static void every_changed_bit_is_seen(void **state)
{
	struct message good = route_message();
	size_t size = message_size(good.type);
	for (size_t bit = 0; bit < size * 8; bit++) {
		struct message m = good;
		((uint8_t *)&m)[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		assert_int_not_equal(message_check(&m), MESSAGE_OK);
	}
	/* What lies behind the message is not part of it. */
	struct message host = host_message();
	memset((uint8_t *)&host + message_size(MESSAGE_HOST), 0xee, sizeof(host) - message_size(MESSAGE_HOST));
	assert_int_equal(message_check(&host), MESSAGE_OK);
}

static void versions_and_types(void **state)
{
	struct message m = host_message();
	m.version++;
	assert_int_equal(message_check(&m), MESSAGE_BAD_VERSION);
	m = host_message();
	m.type = 0;
	assert_int_equal(message_check(&m), MESSAGE_BAD_TYPE);
	m.type = MESSAGE_EXPLAIN + 1;
	assert_int_equal(message_check(&m), MESSAGE_BAD_TYPE);
	struct message zero = {0};
	assert_int_not_equal(message_check(&zero), MESSAGE_OK);
}

static void host_values(void **state)
{
	struct message m = host_message();
	m.host.cluster = CLUSTER_NUMBERS;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m.host.cluster = CLUSTER_NUMBERS - 1;
	assert_resealed(m, MESSAGE_OK);
	m.host.healthy = 2;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m.host.healthy = 0;
	m.host.http_port = 0;
	assert_resealed(m, MESSAGE_OK);
	m.host.https_port = 0;
	assert_resealed(m, MESSAGE_BAD_VALUE);
}

static void route_values(void **state)
{
	struct message m = route_message();
	m.route.share_count = ROUTE_CLUSTERS_MAX + 1;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = route_message();
	m.route.wildcard = 2;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = route_message();
	m.route.shares[1].weight = 10001;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = route_message();
	m.route.shares[1].cluster = CLUSTER_NUMBERS;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = route_message();
	m.route.shares[0].https = 2;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = route_message();
	m.route.shares[2].cluster = CLUSTER_NUMBERS; /* behind share_count: not read */
	assert_resealed(m, MESSAGE_OK);
}

static void route_names(void **state)
{
	static const char *const names[] = {"App1.ch", "app1.ch.", "", "a..b", "a b"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct message m = route_message();
		strcpy(m.route.name.text, names[i]);
		m.route.name.len = (uint8_t)strlen(names[i]);
		assert_resealed(m, MESSAGE_BAD_VALUE);
	}
	struct message m = route_message();
	m.route.name.len = 255;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = route_message();
	m.route.name.text[m.route.name.len] = 'x'; /* no terminator where the length says */
	assert_resealed(m, MESSAGE_BAD_VALUE);
}

static void route_gone_values(void **state)
{
	struct message m = {.type = MESSAGE_ROUTE_GONE};
	strcpy(m.route_gone.name.text, "wild.ch");
	m.route_gone.name.len = 7;
	m.route_gone.wildcard = 1;
	assert_resealed(m, MESSAGE_OK);
	m.route_gone.wildcard = 2;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m.route_gone.wildcard = 0;
	m.route_gone.name.len = 6;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m.route_gone.name.len = 0;
	assert_resealed(m, MESSAGE_BAD_VALUE);
}

static void listener_values(void **state)
{
	struct message m = {.type = MESSAGE_LISTENER};
	m.listener =
	    (struct message_listener){.listener = LISTENERS_MAX - 1, .cluster = CLUSTER_NONE, .pair = SLOT_NONE};
	assert_resealed(m, MESSAGE_OK);
	m.listener.listener = LISTENERS_MAX;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m.listener.listener = 0;
	m.listener.cluster = CLUSTER_NUMBERS;
	assert_resealed(m, MESSAGE_BAD_VALUE);
}

static void commands_are_told_from_tables(void **state)
{
	for (uint16_t type = 0; type <= MESSAGE_EXPLAIN + 1; type++)
		assert_int_equal(message_is_command(type),
		                 type == MESSAGE_LOG || type == MESSAGE_CONNECTIONS || type == MESSAGE_EXPLAIN);
}

static void connections_values(void **state)
{
	struct message good = {.type = MESSAGE_CONNECTIONS};
	good.connections =
	    (struct message_connections){.query = 1, .cluster = CLUSTER_NONE, .pair = SLOT_NONE, .host = SLOT_NONE};
	assert_resealed(good, MESSAGE_OK);
	struct message m = good;
	m.connections.query = 0;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = good;
	m.connections.action = CONNECTIONS_CLOSE;
	assert_resealed(m, MESSAGE_OK);
	m.connections.action = CONNECTIONS_CLOSE + 1;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = good;
	m.connections.client_length = 128;
	assert_resealed(m, MESSAGE_OK);
	m.connections.client_length = 129;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = good;
	m.connections.cluster = CLUSTER_NUMBERS - 1;
	assert_resealed(m, MESSAGE_OK);
	m.connections.cluster = CLUSTER_NUMBERS;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = good;
	m.connections.states = (1 << CONNECTION_STATES) - 1;
	assert_resealed(m, MESSAGE_OK);
	m.connections.states = 1 << CONNECTION_STATES;
	assert_resealed(m, MESSAGE_BAD_VALUE);
}

static void explain_values(void **state)
{
	struct message good = {.type = MESSAGE_EXPLAIN};
	good.explain.query = 9;
	assert_resealed(good, MESSAGE_OK); /* no name */
	strcpy(good.explain.name.text, "app1.ch");
	good.explain.name.len = 7;
	assert_resealed(good, MESSAGE_OK);
	struct message m = good;
	m.explain.query = 0;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = good;
	m.explain.listener = LISTENERS_MAX;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = good;
	m.explain.name.text[0] = 'A';
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m = good;
	m.explain.name.len = 255;
	assert_resealed(m, MESSAGE_BAD_VALUE);
	m.explain.name.len = 0; /* a name, and none */
	assert_resealed(m, MESSAGE_BAD_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(sealed_messages_pass),
	    cmocka_unit_test(every_changed_bit_is_seen),
	    cmocka_unit_test(versions_and_types),
	    cmocka_unit_test(host_values),
	    cmocka_unit_test(route_values),
	    cmocka_unit_test(route_names),
	    cmocka_unit_test(route_gone_values),
	    cmocka_unit_test(listener_values),
	    cmocka_unit_test(commands_are_told_from_tables),
	    cmocka_unit_test(connections_values),
	    cmocka_unit_test(explain_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

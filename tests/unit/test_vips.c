/* vips: numbers that stay, pairs that close and open again, the end of the table, and readers while it
 * changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"

static struct address ip(const char *text)
{
	struct address address;
	assert_true(address_parse(text, &address));
	return address;
}

static void add(struct config *config, const char *address, uint16_t port, enum listener_mode mode)
{
	struct config_listener *listener = &config->listeners[config->listener_count++];
	*listener = (struct config_listener){.mode = mode, .port = port, .address_count = 1};
	listener->addresses[0] = ip(address);
}

static void numbers_follow_the_configuration(void **state)
{
	struct config config = {0};
	struct vip_table vips = {0};
	add(&config, "198.51.100.10", 80, LISTENER_HTTP);
	add(&config, "198.51.100.10", 443, LISTENER_TLS);
	config.listeners[1].address_count = 2;
	config.listeners[1].addresses[1] = ip("198.51.100.11");
	assert_true(vips_update(&vips, &config));
	assert_int_equal(vips.count, 3);
	struct address second = ip("198.51.100.11");
	assert_int_equal(vips_find(&vips, &second, 443), 2);
	assert_int_equal(vips_find(&vips, &second, 80), -1);
	assert_int_equal(vips.entries[2].listener, 1);
	assert_true(vips.entries[2].tls);
	assert_false(vips.entries[0].tls);
}

static void numbers_stay(void **state)
{
	struct config before = {0}, after = {0}, again = {0};
	struct vip_table vips = {0};
	add(&before, "198.51.100.10", 80, LISTENER_HTTP);
	add(&before, "198.51.100.10", 443, LISTENER_TLS);
	assert_true(vips_update(&vips, &before));
	add(&after, "198.51.100.12", 80, LISTENER_HTTP);
	add(&after, "198.51.100.10", 80, LISTENER_HTTP);
	assert_true(vips_update(&vips, &after));
	assert_int_equal(vips.count, 3);
	assert_int_equal(vips.entries[0].listener, 1);
	assert_int_equal(vips.entries[1].listener, VIP_CLOSED);
	assert_true(vips.entries[1].tls); /* its young flows still peek as before */
	assert_int_equal(vips.entries[2].listener, 0);
	add(&again, "198.51.100.10", 443, LISTENER_HTTP);
	assert_true(vips_update(&vips, &again));
	assert_int_equal(vips.count, 3);
	assert_int_equal(vips.entries[1].listener, 0);
	assert_false(vips.entries[1].tls);
	assert_int_equal(vips.entries[0].listener, VIP_CLOSED);
}

static void a_full_table_changes_nothing(void **state)
{
	struct vip_table vips = {0}, kept;
	for (unsigned i = 0; i < VIPS_MAX; i++) {
		struct config config = {0};
		add(&config, "198.51.100.10", (uint16_t)(1000 + i), LISTENER_HTTP);
		assert_true(vips_update(&vips, &config));
	}
	kept = vips;
	struct config more = {0};
	add(&more, "198.51.100.10", 1005, LISTENER_HTTP);
	add(&more, "198.51.100.10", 80, LISTENER_HTTP);
	assert_false(vips_update(&vips, &more));
	assert_memory_equal(&vips, &kept, sizeof(vips));
}

static struct vip_table shown;

static void *publish_all(void *context)
{
	struct vip_table next = {0};
	for (unsigned i = 0; i < VIPS_MAX; i++) {
		struct config config = {0};
		for (unsigned l = 0; l < 2; l++)
			add(&config, l == 0 ? "198.51.100.10" : "198.51.100.11", (uint16_t)(1000 + i / 2),
			    LISTENER_HTTP);
		assert_true(vips_update(&next, &config));
		vips_publish(&shown, &next);
	}
	return context;
}

static void a_reader_sees_whole_pairs(void **state)
{
	pthread_t writer;
	struct address first = ip("198.51.100.10");
	assert_int_equal(pthread_create(&writer, NULL, publish_all, NULL), 0);
	for (uint16_t port = 1000; port < 1000 + VIPS_MAX / 2; port++) {
		int found = -1;
		while (found < 0)
			found = vips_find(&shown, &first, port);
		assert_int_equal(found, (port - 1000) * 2);
		assert_int_equal(vips_find(&shown, &first, 1000), 0);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(shown.count, VIPS_MAX);
}

static void what_is_published_is_what_was_updated(void **state)
{
	struct config before = {0}, after = {0};
	struct vip_table table = {0}, next;
	add(&before, "198.51.100.10", 80, LISTENER_HTTP);
	add(&before, "198.51.100.10", 443, LISTENER_TLS);
	assert_true(vips_update(&table, &before));
	add(&after, "198.51.100.12", 80, LISTENER_HTTP);
	add(&after, "198.51.100.10", 80, LISTENER_TLS);
	next = table;
	assert_true(vips_update(&next, &after));
	vips_publish(&table, &next);
	assert_memory_equal(&table, &next, sizeof(table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_follow_the_configuration), cmocka_unit_test(numbers_stay),
	    cmocka_unit_test(a_full_table_changes_nothing),     cmocka_unit_test(what_is_published_is_what_was_updated),
	    cmocka_unit_test(a_reader_sees_whole_pairs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

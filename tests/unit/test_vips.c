/* vips: numbers that stay, pairs that close and open again, and the end of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_follow_the_configuration),
	    cmocka_unit_test(numbers_stay),
	    cmocka_unit_test(a_full_table_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

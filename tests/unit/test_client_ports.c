/* Which ports are those of clients: the loopback interface stands for one here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/config.h"
#include "common/shared.h"
#include "control/api/client_ports.h"

static struct config config;
static struct shared_header shared;

static int setup(void **state)
{
	memset(&config, 0, sizeof(config));
	memset(&shared, 0, sizeof(shared));
	config.listener_count = 1;
	config.listeners[0].address_count = 2;
	assert_true(address_parse("198.51.100.10", &config.listeners[0].addresses[0]));
	assert_true(address_parse("198.51.100.11", &config.listeners[0].addresses[1]));
	shared.port_count = 3;
	memcpy(shared.ports[0].interface, "pm-none0", 9);
	memcpy(shared.ports[1].interface, "lo", 3);
	memcpy(shared.ports[2].interface, "pm-none-15chars", 15);
	return 0;
}

static void ports_that_hold_a_vip(void **state)
{
	assert_true(address_parse("127.0.0.1", &config.listeners[0].addresses[1]));
	assert_int_equal(client_ports(&config, &shared, 0), 2);
	assert_int_equal(client_ports(&config, &shared, 1), 2);
}

static void all_ports_if_none_does(void **state)
{
	assert_int_equal(client_ports(&config, &shared, 0), 7);
}

static void the_answer_stays_while_the_vip_is_away(void **state)
{
	assert_int_equal(client_ports(&config, &shared, 2), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(ports_that_hold_a_vip, setup),
	    cmocka_unit_test_setup(all_ports_if_none_does, setup),
	    cmocka_unit_test_setup(the_answer_stays_while_the_vip_is_away, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

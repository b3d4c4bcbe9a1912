/* config: defaults, every field read, and each rule broken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>

#include "common/config.h"

#define PORTS     "\"ports\":[{\"interface\":\"north\"}]"
#define LISTENERS "\"listeners\":[{\"name\":\"web\",\"mode\":\"http\",\"addresses\":[\"198.51.100.10\"]}]"
#define POOL      "\"source_pool\":{\"prefixes\":[\"203.0.113.64/28\"]}"
#define MINIMAL   PORTS "," LISTENERS "," POOL

static struct config *parse(const char *text, struct config_errors *errors)
{
	return config_parse(text, strlen(text), "test.json", errors);
}

static struct config *parse_good(const char *text)
{
	struct config_errors errors = {0};
	struct config *config = parse(text, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.lines[i]);
	assert_non_null(config);
	assert_int_equal(errors.count, 0);
	return config;
}

/* The text has exactly this one error. */
static void assert_refused(const char *text, const char *line)
{
	struct config_errors errors = {0};
	assert_null(parse(text, &errors));
	if (errors.count != 1 || strcmp(errors.lines[0], line) != 0)
		for (size_t i = 0; i < errors.count; i++)
			print_error("%s\n", errors.lines[i]);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], line);
	config_errors_free(&errors);
}

static void assert_address(const struct address *address, const char *text)
{
	char formatted[ADDRESS_TEXT_MAX];
	assert_string_equal(address_format(address, formatted), text);
}

/* The text is refused, and this is how its first error begins. */
static void assert_first_error(const char *text, const char *begin)
{
	struct config_errors errors = {0};
	assert_null(config_parse(text, strlen(text), "test", &errors));
	if (strncmp(errors.lines[0], begin, strlen(begin)) != 0)
		print_error("%s\n", errors.lines[0]);
	assert_int_equal(strncmp(errors.lines[0], begin, strlen(begin)), 0);
	config_errors_free(&errors);
}

static void defaults(void **state)
{
	struct config *config = parse_good("{" MINIMAL "}");
	assert_int_equal(config->port_count, 1);
	assert_string_equal(config->ports[0].interface, "north");
	assert_string_equal(config->ports[0].device, "");
	assert_int_equal(config->listeners[0].mode, LISTENER_HTTP);
	assert_int_equal(config->listeners[0].port, 80);
	assert_string_equal(config->listeners[0].default_cluster, "");
	assert_int_equal(config->pool.port_first, 1024);
	assert_int_equal(config->pool.port_last, 65535);
	assert_string_equal(config->dataplane.lcores, "0,1");
	assert_int_equal(config->dataplane.idle, IDLE_POLL);
	assert_int_equal(config->dataplane.memory_mb, 256);
	assert_int_equal(config->dataplane.mbufs, 32768);
	assert_int_equal(config->dataplane.eal_arg_count, 0);
	assert_string_equal(config->dataplane.xdp_program, "");
	assert_int_equal(config->timeouts.head, 10000);
	assert_int_equal(config->timeouts.connect_attempt, 1000);
	assert_int_equal(config->timeouts.connect_total, 5000);
	assert_int_equal(config->timeouts.idle, 3900000);
	assert_int_equal(config->timeouts.half_closed, 60000);
	assert_int_equal(config->timeouts.linger, 2000);
	assert_int_equal(config->timeouts.shutdown_grace, 0);
	assert_int_equal(config->limits.head_bytes, 16384);
	assert_int_equal(config->limits.client_mss, 1460);
	assert_int_equal(config->limits.connections, 65536);
	assert_int_equal(config->limits.young, 8192);
	assert_int_equal(config->limits.large_heads, 1024);
	assert_int_equal(config->limits.connection_rate, 20000);
	assert_int_equal(config->limits.hosts, 1024);
	assert_int_equal(config->limits.routes, 10000);
	assert_int_equal(config->limits.pairs, 20000);
	assert_int_equal(config->limits.neighbours, 65536);
	assert_string_equal(config->admin.listen, "127.0.0.1:8089");
	assert_address(&config->admin.listen_address, "127.0.0.1");
	assert_int_equal(config->admin.listen_port, 8089);
	assert_int_equal(config->admin.allow_from_count, 0);
	assert_int_equal(config->admin.metrics_from_count, 0);
	assert_int_equal(config->admin.loopback, 0); /* nobody without a token */
	assert_string_equal(config->admin.tokens, "");
	assert_string_equal(config->admin.tls_certificate, "");
	assert_string_equal(config->admin.tls_key, "");
	assert_int_equal(config->admin.requests_per_second, 200);
	assert_false(config->log.json);
	assert_int_equal(config->log.connections, CONNECTION_LOG_OFF);
	assert_int_equal(config->log.sample, 100);
	assert_string_equal(config->log.connections_file, "");
	assert_string_equal(config->paths.run, "/run/pointsman");
	assert_string_equal(config->paths.state, "/var/lib/pointsman");
	assert_int_equal(json_array_size(config->clusters), 0);
	config_free(config);
}

static void every_field(void **state)
{
	struct config *config = parse_good(
	    "{\"ports\":[{\"interface\":\"north\"},{\"interface\":\"tap0\",\"device\":\"net_memif0\"}],"
	    "\"listeners\":[{\"name\":\"web\",\"mode\":\"http\",\"port\":8080,\"addresses\":[\"198.51.100.10\","
	    "\"198.51.100.11\"],\"default_cluster\":\"ose1\"},"
	    "{\"name\":\"secure\",\"mode\":\"tls\",\"addresses\":[\"198.51.100.10\"]}],"
	    "\"source_pool\":{\"prefixes\":[\"203.0.113.64/28\",\"203.0.113.9\"],\"ports\":[2000,2063]},"
	    "\"dataplane\":{\"lcores\":\"0,(1-2)@1\",\"idle\":\"sleep\",\"memory_mb\":128,\"mbufs\":4096,"
	    "\"eal_args\":[\"--no-pci\",\"--vdev=net_memif0\"],\"xdp_program\":\"/opt/x.o\"},"
	    "\"timeouts\":{\"head\":101,\"connect_attempt\":102,\"connect_total\":103,\"idle\":1004,"
	    "\"half_closed\":105,\"linger\":106,\"shutdown_grace\":107},"
	    "\"limits\":{\"head_bytes\":2049,\"client_mss\":1400,\"connections\":1001,\"young\":1000,"
	    "\"large_heads\":12,\"connection_rate\":13,\"hosts\":14,\"routes\":15,\"pairs\":16,\"neighbours\":17},"
	    "\"admin\":{\"listen\":\"192.0.2.1:9000\",\"allow_from\":[\"192.0.2.0/24\",\"2001:db8::/32\"],"
	    "\"allowed_hosts\":[\"LB.example.com\",\"[::1]\"],\"metrics_from\":[\"192.0.2.200\",\"2001:db8:1::/48\"],"
	    "\"loopback\":\"operator\",\"tokens\":\"/etc/pointsman/tokens\",\"requests_per_second\":77,"
	    "\"tls\":{\"certificate\":\"/etc/c.pem\",\"key\":\"/etc/k.pem\"}},"
	    "\"log\":{\"format\":\"json\",\"connections\":\"sampled\",\"sample\":7,\"connections_file\":\"/var/log/"
	    "c\"},"
	    "\"paths\":{\"run\":\"/tmp/run\",\"state\":\"/tmp/state\"},"
	    "\"clusters\":[{\"name\":\"ose1\"}]}");
	assert_int_equal(config->port_count, 2);
	assert_string_equal(config->ports[1].device, "net_memif0");
	assert_int_equal(config->listener_count, 2);
	assert_int_equal(config->listeners[0].port, 8080);
	assert_int_equal(config->listeners[0].address_count, 2);
	assert_address(&config->listeners[0].addresses[1], "198.51.100.11");
	assert_string_equal(config->listeners[0].default_cluster, "ose1");
	assert_int_equal(config->listeners[1].mode, LISTENER_TLS);
	assert_int_equal(config->listeners[1].port, 443);
	assert_int_equal(config->pool.prefix_count, 2);
	assert_int_equal(config->pool.prefixes[0].length, 124);
	assert_int_equal(config->pool.port_first, 2000);
	assert_int_equal(config->pool.port_last, 2063);
	assert_string_equal(config->dataplane.lcores, "0,(1-2)@1");
	assert_int_equal(config->dataplane.idle, IDLE_SLEEP);
	assert_int_equal(config->dataplane.memory_mb, 128);
	assert_int_equal(config->dataplane.mbufs, 4096);
	assert_int_equal(config->dataplane.eal_arg_count, 2);
	assert_string_equal(config->dataplane.eal_args[1], "--vdev=net_memif0");
	assert_string_equal(config->dataplane.xdp_program, "/opt/x.o");
	assert_int_equal(config->timeouts.head, 101);
	assert_int_equal(config->timeouts.connect_attempt, 102);
	assert_int_equal(config->timeouts.connect_total, 103);
	assert_int_equal(config->timeouts.idle, 1004);
	assert_int_equal(config->timeouts.half_closed, 105);
	assert_int_equal(config->timeouts.linger, 106);
	assert_int_equal(config->timeouts.shutdown_grace, 107);
	assert_int_equal(config->limits.head_bytes, 2049);
	assert_int_equal(config->limits.client_mss, 1400);
	assert_int_equal(config->limits.connections, 1001);
	assert_int_equal(config->limits.young, 1000);
	assert_int_equal(config->limits.large_heads, 12);
	assert_int_equal(config->limits.connection_rate, 13);
	assert_int_equal(config->limits.hosts, 14);
	assert_int_equal(config->limits.routes, 15);
	assert_int_equal(config->limits.pairs, 16);
	assert_int_equal(config->limits.neighbours, 17);
	assert_address(&config->admin.listen_address, "192.0.2.1");
	assert_int_equal(config->admin.listen_port, 9000);
	assert_int_equal(config->admin.allow_from_count, 2);
	assert_int_equal(config->admin.allowed_host_count, 2);
	assert_string_equal(config->admin.allowed_hosts[0], "lb.example.com");
	assert_int_equal(config->admin.metrics_from_count, 2);
	assert_int_equal(config->admin.metrics_from[0].length, 128);
	assert_int_equal(config->admin.metrics_from[1].length, 48);
	assert_int_equal(config->admin.loopback, 2);
	assert_string_equal(config->admin.tokens, "/etc/pointsman/tokens");
	assert_int_equal(config->admin.requests_per_second, 77);
	assert_string_equal(config->admin.tls_certificate, "/etc/c.pem");
	assert_string_equal(config->admin.tls_key, "/etc/k.pem");
	assert_true(config->log.json);
	assert_int_equal(config->log.connections, CONNECTION_LOG_SAMPLED);
	assert_int_equal(config->log.sample, 7);
	assert_string_equal(config->log.connections_file, "/var/log/c");
	assert_string_equal(config->paths.run, "/tmp/run");
	assert_string_equal(config->paths.state, "/tmp/state");
	assert_int_equal(json_array_size(config->clusters), 1);
	config_free(config);
}

static void all_errors_at_once(void **state)
{
	struct config_errors errors = {0};
	assert_null(parse("{\"listners\":[],\"ports\":[{\"interface\":7}],\"source_pool\":{\"ports\":[5]},"
	                  "\"timeouts\":{\"head\":1},\"paths\":{\"run\":\"x\"},\"clusters\":{}}",
	                  &errors));
	assert_int_equal(errors.count, 8);
	assert_string_equal(errors.lines[0], "$.ports[0].interface: is a number; expected a string of 1 to 15 bytes");
	assert_string_equal(errors.lines[1], "$.listeners: is missing; expected an array of 1 to 64 listeners");
	assert_string_equal(errors.lines[7], "$: unknown field \"listners\"; expected \"listeners\"");
	config_errors_free(&errors);
}

static void syntax_errors(void **state)
{
	struct config_errors errors = {0};
	assert_null(parse("{\n\"ports\": [,]}", &errors));
	assert_int_equal(errors.count, 1);
	assert_ptr_equal(strstr(errors.lines[0], "test.json: line 2, column"), errors.lines[0]);
	config_errors_free(&errors);
	assert_refused("[]", "$: is an array; expected an object");
}

static void wrong_ports(void **state)
{
	assert_refused("{\"ports\":[]," LISTENERS "," POOL "}",
	               "$.ports: has 0 elements; expected an array of 1 to 16 ports");
	assert_refused(
	    "{\"ports\":[{\"interface\":\"a/b\"}]," LISTENERS "," POOL "}",
	    "$.ports[0].interface: is not a name; expected the name of a network interface, such as \"eth0\"");
	assert_refused("{\"ports\":[{\"interface\":\"a\"},{\"interface\":\"a\"}]," LISTENERS "," POOL "}",
	               "$.ports[1].interface: a is listed twice; expected each interface once");
	assert_refused("{\"ports\":[{\"interface\":\"abcdefghijklmnop\"}]," LISTENERS "," POOL "}",
	               "$.ports[0].interface: has 16 bytes; expected a string of 1 to 15 bytes");
}

#define LISTENER(fields) "{" PORTS "," POOL ",\"listeners\":[" fields "]}"

static void wrong_listeners(void **state)
{
	assert_refused(LISTENER("{\"name\":\"a\",\"mode\":\"http\",\"port\":70000,\"addresses\":[\"192.0.2.1\"]}"),
	               "$.listeners[0].port: 70000 is out of range; expected a number from 1 to 65535");
	assert_refused(LISTENER("{\"name\":\"a\",\"mode\":\"tcp\",\"addresses\":[\"192.0.2.1\"]}"),
	               "$.listeners[0].mode: \"tcp\" is not known; expected \"http\" or \"tls\"");
	assert_refused(
	    LISTENER("{\"name\":\"a\",\"mode\":\"tls\",\"addresses\":[\"2001:db8::1\"]}"),
	    "$.listeners[0].addresses[0]: \"2001:db8::1\" is not an IPv4 address; expected an IPv4 address of a "
	    "host, such as \"198.51.100.10\"");
	assert_refused(
	    LISTENER("{\"name\":\"a\",\"mode\":\"tls\",\"addresses\":[\"224.0.0.1\"]}"),
	    "$.listeners[0].addresses[0]: \"224.0.0.1\" can be no host's address; expected an IPv4 address of a "
	    "host, such as \"198.51.100.10\"");
	assert_refused(
	    LISTENER("{\"name\":\"a\",\"mode\":\"tls\",\"addresses\":[\"192.0.2.1\"]},"
	             "{\"name\":\"b\",\"mode\":\"http\",\"port\":443,\"addresses\":[\"192.0.2.1\"]}"),
	    "$.listeners[1].addresses[0]: \"192.0.2.1\" is already listed for this port; expected each address "
	    "and port once");
	assert_refused(LISTENER("{\"name\":\"a\",\"mode\":\"tls\",\"addresses\":[\"192.0.2.1\"]},"
	                        "{\"name\":\"a\",\"mode\":\"http\",\"addresses\":[\"192.0.2.1\"]}"),
	               "$.listeners[1].name: another listener has this name; expected a name of its own");
}

static void too_many_addresses(void **state)
{
	char text[16384] = "{" PORTS "," POOL ",\"listeners\":[";
	size_t len = strlen(text);
	for (int i = 0; i < 17; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		                        "%s{\"name\":\"l%d\",\"mode\":\"http\",\"addresses\":[", i ? "," : "", i);
		for (int j = 0; j < 16; j++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"10.0.%d.%d\"", j ? "," : "", i,
			                        j + 1);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "]}");
	}
	snprintf(text + len, sizeof(text) - len, "]}");
	assert_refused(text, "$.listeners: have 272 addresses in all; expected at most 256");
}

#define WITH_POOL(fields) "{" PORTS "," LISTENERS ",\"source_pool\":{" fields "}}"

static void wrong_pool(void **state)
{
	assert_refused("{" PORTS "," LISTENERS "}",
	               "$.source_pool: is missing; expected {\"prefixes\": [\"203.0.113.64/28\"]}");
	assert_refused(
	    WITH_POOL("\"prefixes\":[\"203.0.113.65/28\"]"),
	    "$.source_pool.prefixes[0]: \"203.0.113.65/28\" is not a prefix; expected a prefix without host bits, "
	    "such as \"203.0.113.64/28\"");
	assert_refused(
	    WITH_POOL("\"prefixes\":[\"2001:db8::/64\"]"),
	    "$.source_pool.prefixes[0]: \"2001:db8::/64\" is not IPv4; expected a prefix without host bits, such "
	    "as \"203.0.113.64/28\"");
	assert_refused(
	    WITH_POOL("\"prefixes\":[\"203.0.113.64/28\",\"203.0.113.70\"]"),
	    "$.source_pool.prefixes[1]: \"203.0.113.70\" overlaps an earlier one; expected prefixes that do not "
	    "overlap");
	assert_refused(
	    WITH_POOL("\"prefixes\":[\"198.51.100.0/24\"]"),
	    "$.source_pool.prefixes: contain an address of $.listeners[0]; expected addresses that are used for "
	    "nothing else");
	assert_refused(WITH_POOL("\"prefixes\":[\"10.0.0.0/8\"]"),
	               "$.source_pool.prefixes: have 16777216 addresses in all; expected at most 4096");
	assert_refused(
	    WITH_POOL("\"prefixes\":[\"203.0.113.64/28\"],\"ports\":[9,8]"),
	    "$.source_pool.ports: 9 to 8 is not a range of ports; expected [first, last] with 1 <= first <= last "
	    "<= 65535");
}

#define WITH(section) "{" MINIMAL "," section "}"

static void wrong_dataplane(void **state)
{
	assert_refused(WITH("\"dataplane\":{\"idle\":\"nap\"}"),
	               "$.dataplane.idle: \"nap\" is not known; expected \"poll\" or \"yield\" or \"sleep\"");
	assert_refused(
	    WITH("\"dataplane\":{\"lcores\":\"0;reboot\"}"),
	    "$.dataplane.lcores: is not a list of cores; expected the main thread's core, then the workers', such as "
	    "\"0,1\" or \"0,(1-4)@1\"");
	assert_refused(
	    WITH("\"dataplane\":{\"eal_args\":[\"--file-prefix=x\"]}"),
	    "$.dataplane.eal_args[0]: \"--file-prefix=x\" is set by the dataplane itself; expected other arguments");
	assert_refused(WITH("\"dataplane\":{\"eal_args\":[3]}"),
	               "$.dataplane.eal_args[0]: is a number; expected an argument of EAL, a string");
	assert_refused(WITH("\"dataplane\":{\"xdp_program\":\"x.o\"}"),
	               "$.dataplane.xdp_program: is not absolute; expected a path that begins with \"/\"");
}

static void wrong_numbers(void **state)
{
	assert_refused(
	    WITH("\"timeouts\":{\"connect_attempt\":6000}"),
	    "$.timeouts.connect_attempt: 6000 is more than connect_total (5000); expected at most connect_total");
	assert_refused(WITH("\"limits\":{\"young\":70000}"),
	               "$.limits.young: 70000 is more than connections (65536); expected at most connections");
	assert_refused(WITH("\"limits\":{\"client_mss\":87}"),
	               "$.limits.client_mss: 87 is out of range; expected a number from 88 to 8960");
	assert_refused(WITH("\"limits\":{\"host\":5}"), "$.limits: unknown field \"host\"; expected \"hosts\"");
}

static void wrong_admin(void **state)
{
	assert_refused(
	    WITH("\"admin\":{\"listen\":\"0.0.0.0:8089\"}"),
	    "$.admin.listen: 0.0.0.0:8089 is not loopback and $.admin.allow_from is empty; expected a loopback "
	    "address, or prefixes in $.admin.allow_from");
	static const char *const endpoints[] = {"127.0.0.1",    "127.0.0.1:",     "127.0.0.1:0", "127.0.0.1:65536",
	                                        "::1:80",       "[127.0.0.1]:80", "[::1:80",     ":80",
	                                        "localhost:80", "[]:1",           "127.0.0.1:8a"};
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		char text[512];
		snprintf(text, sizeof(text), WITH("\"admin\":{\"listen\":\"%s\"}"), endpoints[i]);
		assert_refused(text, "$.admin.listen: is not an address with a port; expected address:port, such as "
		                     "\"127.0.0.1:8089\" or \"[::1]:8089\"");
	}
	assert_refused(
	    WITH("\"admin\":{\"allowed_hosts\":[\"a:80\"]}"),
	    "$.admin.allowed_hosts[0]: \"a:80\" is not a host name; expected a host name or an address without a "
	    "port, such as \"lb.example.com\"");
	static const char *const missing[][2] = {
	    {WITH("\"admin\":{\"tls\":{\"certificate\":\"/c\"}}"),
	     "$.admin.tls.key: is missing; expected the path of a PEM file"},
	    {WITH("\"admin\":{\"tls\":{\"key\":\"/k\"}}"),
	     "$.admin.tls.certificate: is missing; expected the path of a PEM file"},
	    {WITH("\"admin\":{\"tls\":{}}"), "$.admin.tls.certificate: is missing; expected the path of a PEM file"},
	    {WITH("\"admin\":{\"tls\":{\"certificate\":\"c\",\"key\":\"/k\"}}"),
	     "$.admin.tls.certificate: is not absolute; expected a path that begins with \"/\""},
	    {WITH("\"admin\":{\"tls\":{\"certificate\":\"/c\",\"key\":\"/k\",\"chain\":\"/d\"}}"),
	     "$.admin.tls: unknown field \"chain\"; expected one of certificate, key"},
	};
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
		assert_first_error(missing[i][0], missing[i][1]);
	assert_first_error(WITH("\"admin\":{\"tls\":\"/c.pem\"}"), "$.admin.tls: is a string");
	assert_first_error(WITH("\"admin\":{\"loopback\":\"root\"}"), "$.admin.loopback: \"root\" is not known");
	assert_first_error(WITH("\"admin\":{\"tokens\":\"tokens\"}"), "$.admin.tokens: is not absolute");
	assert_first_error(WITH("\"admin\":{\"requests_per_second\":0}"),
	                   "$.admin.requests_per_second: 0 is out of range");
	assert_first_error(WITH("\"admin\":{\"metrics_from\":[\"10.0.0.1/8\"]}"), "$.admin.metrics_from[0]:");
	config_free(parse_good(WITH("\"admin\":{\"listen\":\"[::1]:8089\"}")));
	config_free(parse_good(WITH("\"admin\":{\"listen\":\"0.0.0.0:8089\",\"allow_from\":[\"10.0.0.0/8\"]}")));
}

static void wrong_log(void **state)
{
	assert_first_error(WITH("\"log\":{\"format\":\"xml\"}"), "$.log.format: \"xml\" is not known");
	assert_first_error(WITH("\"log\":{\"connections\":\"some\"}"), "$.log.connections: \"some\" is not known");
	assert_first_error(WITH("\"log\":{\"sample\":0}"), "$.log.sample: 0 is out of range");
	assert_first_error(WITH("\"log\":{\"connections_file\":\"c\"}"), "$.log.connections_file: is not absolute");
	assert_first_error(WITH("\"log\":{\"level\":1}"), "$.log: unknown field \"level\"");
}

static void files(void **state)
{
	struct config_errors errors = {0};
	assert_null(config_read("/nonexistent/pointsman.json", &errors));
	assert_string_equal(errors.lines[0],
	                    "/nonexistent/pointsman.json: cannot be opened: No such file or directory");
	config_errors_free(&errors);
	assert_null(config_read("/", &errors));
	assert_string_equal(errors.lines[0], "/: cannot be read: Is a directory");
	config_errors_free(&errors);

	char path[] = "/tmp/pm-test-config-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_true(write(fd, "{" MINIMAL "}", strlen("{" MINIMAL "}")) > 0);
	close(fd);
	struct config *config = config_read(path, &errors);
	assert_non_null(config);
	config_free(config);
	unlink(path);
}

static void every_truncation_is_refused(void **state)
{
	const char *text = WITH("\"admin\":{\"listen\":\"[::1]:8089\"}");
	for (size_t len = 0; len < strlen(text); len++) {
		struct config_errors errors = {0};
		char *copy = malloc(len + 1);
		memcpy(copy, text, len);
		assert_null(config_parse(copy, len, "x", &errors));
		assert_true(errors.count > 0);
		config_errors_free(&errors);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(every_field),
	    cmocka_unit_test(all_errors_at_once),
	    cmocka_unit_test(syntax_errors),
	    cmocka_unit_test(wrong_ports),
	    cmocka_unit_test(wrong_listeners),
	    cmocka_unit_test(too_many_addresses),
	    cmocka_unit_test(wrong_pool),
	    cmocka_unit_test(wrong_dataplane),
	    cmocka_unit_test(wrong_numbers),
	    cmocka_unit_test(wrong_admin),
	    cmocka_unit_test(wrong_log),
	    cmocka_unit_test(files),
	    cmocka_unit_test(every_truncation_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

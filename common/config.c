/* The configuration file: defaults, reading and checks. docs/configuration.md lists the same fields. */
#include "common/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/hostname.h"
#include "common/json_reader.h"

enum { POOL_ADDRESSES_MAX = 4096, CONFIG_BYTES_MAX = 16 << 20 };

void config_error(struct config_errors *errors, const char *json_path, const char *format, ...)
{
	char *text, *line;
	va_list args;
	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	char **lines = realloc(errors->lines, (errors->count + 1) * sizeof(*lines));
	if (len < 0 || !lines || asprintf(&line, "%s: %s", json_path, text) < 0)
		abort();
	free(text);
	errors->lines = lines;
	lines[errors->count++] = line;
}

void config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->lines[i]);
	free(errors->lines);
	*errors = (struct config_errors){0};
}

void config_faults(struct config_errors *errors, const struct json_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct json_fault *fault = &faults->list[i];
		config_error(errors, fault->path, "%s; expected %s", fault->reason, fault->expected);
	}
	if (faults->more > 0)
		config_error(errors, "$", "%zu more errors", faults->more);
}

static void set_defaults(struct config *config)
{
	config->pool.port_first = 1024;
	config->pool.port_last = 65535;
	strcpy(config->dataplane.lcores, "0,1");
	config->dataplane.idle = IDLE_POLL;
	config->dataplane.memory_mb = 256;
	config->dataplane.mbufs = 32768;
	config->timeouts.head = 10000;
	config->timeouts.connect_attempt = 1000;
	config->timeouts.connect_total = 5000;
	config->timeouts.idle = 3900000;
	config->timeouts.half_closed = 60000;
	config->timeouts.linger = 2000;
	config->limits.head_bytes = 16384;
	config->limits.client_mss = 1460;
	config->limits.connections = 65536;
	config->limits.young = 8192;
	config->limits.large_heads = 1024;
	config->limits.connection_rate = 20000;
	config->limits.hosts = 1024;
	config->limits.routes = 10000;
	config->limits.pairs = 20000;
	config->limits.neighbours = 65536;
	strcpy(config->admin.listen, "127.0.0.1:8089");
	config->admin.listen_address = address_from_v4(htonl(INADDR_LOOPBACK));
	config->admin.listen_port = 8089;
	config->admin.requests_per_second = 200;
	config->log.sample = 100;
	strcpy(config->paths.run, "/run/pointsman");
	strcpy(config->paths.state, "/var/lib/pointsman");
}

/* Copies the string field into `out` of `size` bytes; true if it was there and right. */
static bool read_text(struct reader *reader, const char *name, char *out, size_t size, bool required)
{
	const char *text;
	if (!reader_string(reader, name, size - 1, required, &text))
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

/* The string at array[i], or NULL with a fault. */
static const char *element_text(json_t *array, size_t i, struct reader *reader, const char *name, const char *expected)
{
	json_t *value = json_array_get(array, i);
	if (json_is_string(value))
		return json_string_value(value);
	char element[80];
	snprintf(element, sizeof(element), "%s[%zu]", name, i);
	reader_fault(reader, element, expected, "is %s", json_kind(value));
	return NULL;
}

static void element_fault(struct reader *reader, const char *name, size_t i, const char *text, const char *expected,
                          const char *reason)
{
	char element[80], quoted[READER_TEXT_MAX];
	snprintf(element, sizeof(element), "%s[%zu]", name, i);
	reader_fault(reader, element, expected, "%s %s", json_quote(text, quoted), reason);
}

/* Prefixes that do not overlap. Returns how many are right. */
static unsigned read_prefixes(struct reader *reader, const char *name, bool required, bool v4_only, struct prefix *out,
                              unsigned max)
{
	static const char expected[] = "a prefix without host bits, such as \"203.0.113.64/28\"";
	unsigned count = 0;
	json_t *array = reader_array(reader, name, required ? 1 : 0, max, "prefixes");
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = element_text(array, i, reader, name, expected);
		if (!text)
			continue;
		struct prefix *prefix = &out[count];
		if (!prefix_parse(text, prefix)) {
			element_fault(reader, name, i, text, expected, "is not a prefix");
			continue;
		}
		if (v4_only && !address_is_v4(&prefix->address)) {
			element_fault(reader, name, i, text, expected, "is not IPv4");
			continue;
		}
		bool overlaps = false;
		for (unsigned j = 0; j < count; j++)
			overlaps |=
			    prefix_contains(&out[j], &prefix->address) || prefix_contains(prefix, &out[j].address);
		if (overlaps)
			element_fault(reader, name, i, text, "prefixes that do not overlap", "overlaps an earlier one");
		else
			count++;
	}
	return count;
}

static bool interface_name_valid(const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name >= 0x7f || *name == '/' || *name == ':')
			return false;
	return true;
}

static void read_port(struct config *config, json_t *value, size_t i, struct json_faults *faults)
{
	struct reader reader;
	struct config_port *port = &config->ports[config->port_count];
	reader_open(&reader, value, faults, "$.ports[%zu]", i);
	bool named = read_text(&reader, "interface", port->interface, sizeof(port->interface), true);
	read_text(&reader, "device", port->device, sizeof(port->device), false);
	reader_close(&reader);
	if (!named)
		return;
	if (!interface_name_valid(port->interface)) {
		reader_fault(&reader, "interface", "the name of a network interface, such as \"eth0\"",
		             "is not a name");
		return;
	}
	for (unsigned j = 0; j < config->port_count; j++) {
		if (strcmp(config->ports[j].interface, port->interface) == 0)
			reader_fault(&reader, "interface", "each interface once", "%s is listed twice",
			             port->interface);
		if (port->device[0] != '\0' && strcmp(config->ports[j].device, port->device) == 0)
			reader_fault(&reader, "device", "each device once", "%s is listed twice", port->device);
	}
	config->port_count++;
}

static void read_ports(struct config *config, struct reader *root)
{
	json_t *array = reader_array(root, "ports", 1, PORTS_MAX, "ports");
	for (size_t i = 0; i < json_array_size(array); i++)
		read_port(config, json_array_get(array, i), i, root->faults);
}

/* True if another listener, or this one so far, has the address on the port. */
static bool address_taken(const struct config *config, const struct config_listener *listener,
                          const struct address *address)
{
	for (const struct config_listener *other = config->listeners; other <= listener; other++)
		for (unsigned i = 0; other->port == listener->port && i < other->address_count; i++)
			if (address_equal(&other->addresses[i], address))
				return true;
	return false;
}

static void read_listener_addresses(struct config *config, struct config_listener *listener, struct reader *reader)
{
	static const char expected[] = "an IPv4 address of a host, such as \"198.51.100.10\"";
	json_t *array = reader_array(reader, "addresses", 1, CONFIG_LISTENER_ADDRESSES_MAX, "addresses");
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct address address;
		const char *text = element_text(array, i, reader, "addresses", expected);
		if (!text)
			continue;
		if (!address_parse(text, &address) || !address_is_v4(&address))
			element_fault(reader, "addresses", i, text, expected, "is not an IPv4 address");
		else if (!config_address_is_host(&address))
			element_fault(reader, "addresses", i, text, expected, "can be no host's address");
		else if (address_taken(config, listener, &address))
			element_fault(reader, "addresses", i, text, "each address and port once",
			              "is already listed for this port");
		else
			listener->addresses[listener->address_count++] = address;
	}
}

static void read_listener(struct config *config, json_t *value, size_t i, struct json_faults *faults)
{
	static const char *const modes[] = {"http", "tls", NULL};
	struct config_listener *listener = &config->listeners[config->listener_count];
	struct reader reader;
	reader_open(&reader, value, faults, "$.listeners[%zu]", i);
	read_text(&reader, "name", listener->name, sizeof(listener->name), true);
	int mode = LISTENER_HTTP;
	reader_choice(&reader, "mode", modes, true, &mode);
	listener->mode = (enum listener_mode)mode;
	uint64_t port = mode == LISTENER_TLS ? 443 : 80;
	reader_number(&reader, "port", 1, 65535, &port);
	listener->port = (uint16_t)port;
	read_listener_addresses(config, listener, &reader);
	read_text(&reader, "default_cluster", listener->default_cluster, sizeof(listener->default_cluster), false);
	reader_close(&reader);
	for (unsigned j = 0; j < config->listener_count; j++)
		if (listener->name[0] != '\0' && strcmp(config->listeners[j].name, listener->name) == 0)
			reader_fault(&reader, "name", "a name of its own", "another listener has this name");
	config->listener_count++;
}

static void read_listeners(struct config *config, struct reader *root)
{
	unsigned vips = 0;
	json_t *array = reader_array(root, "listeners", 1, LISTENERS_MAX, "listeners");
	for (size_t i = 0; i < json_array_size(array); i++) {
		read_listener(config, json_array_get(array, i), i, root->faults);
		vips += config->listeners[i].address_count;
	}
	if (vips > VIPS_MAX) {
		char expected[64];
		snprintf(expected, sizeof(expected), "at most %d", VIPS_MAX);
		reader_fault(root, "listeners", expected, "have %u addresses in all", vips);
	}
}

static void read_pool_ports(struct config *config, struct reader *reader)
{
	static const char expected[] = "[first, last] with 1 <= first <= last <= 65535";
	json_t *array = reader_field(reader, "ports");
	if (!array)
		return;
	json_t *first = json_array_get(array, 0), *last = json_array_get(array, 1);
	if (json_array_size(array) != 2 || !json_is_integer(first) || !json_is_integer(last)) {
		reader_fault(reader, "ports", expected, "is not a pair of numbers");
		return;
	}
	json_int_t from = json_integer_value(first), to = json_integer_value(last);
	if (from < 1 || to > 65535 || from > to) {
		reader_fault(reader, "ports", expected,
		             "%" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " is not a range of ports", from, to);
		return;
	}
	config->pool.port_first = (uint16_t)from;
	config->pool.port_last = (uint16_t)to;
}

static void check_pool(struct config *config, struct reader *reader)
{
	uint64_t addresses = 0;
	for (unsigned i = 0; i < config->pool.prefix_count; i++) {
		addresses += 1ULL << (128 - config->pool.prefixes[i].length);
		for (unsigned j = 0; j < config->listener_count; j++)
			for (unsigned k = 0; k < config->listeners[j].address_count; k++)
				if (prefix_contains(&config->pool.prefixes[i], &config->listeners[j].addresses[k]))
					reader_fault(reader, "prefixes", "addresses that are used for nothing else",
					             "contain an address of $.listeners[%u]", j);
	}
	if (addresses > POOL_ADDRESSES_MAX) {
		char expected[64];
		snprintf(expected, sizeof(expected), "at most %d", POOL_ADDRESSES_MAX);
		reader_fault(reader, "prefixes", expected, "have %llu addresses in all", (unsigned long long)addresses);
	}
}

static void read_pool(struct config *config, struct reader *root)
{
	struct reader reader;
	json_t *value = reader_field(root, "source_pool");
	if (!value && root->object)
		reader_fault(root, "source_pool", "{\"prefixes\": [\"203.0.113.64/28\"]}", "is missing");
	reader_open(&reader, value, root->faults, "$.source_pool");
	config->pool.prefix_count =
	    read_prefixes(&reader, "prefixes", true, true, config->pool.prefixes, CONFIG_POOL_PREFIXES_MAX);
	read_pool_ports(config, &reader);
	reader_close(&reader);
	check_pool(config, &reader);
}

/* Options that the dataplane gives to EAL itself. */
static bool eal_arg_reserved(const char *arg)
{
	static const char *const reserved[] = {"--file-prefix", "--proc-type", "--lcores", "--base-virtaddr"};
	for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		size_t len = strlen(reserved[i]);
		if (strncmp(arg, reserved[i], len) == 0 && (arg[len] == '\0' || arg[len] == '='))
			return true;
	}
	return false;
}

static void read_eal_args(struct config *config, struct reader *reader)
{
	json_t *array = reader_array(reader, "eal_args", 0, CONFIG_EAL_ARGS_MAX, "arguments");
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = element_text(array, i, reader, "eal_args", "an argument of EAL, a string");
		if (!text)
			continue;
		if (eal_arg_reserved(text))
			element_fault(reader, "eal_args", i, text, "other arguments", "is set by the dataplane itself");
		char *copy = strdup(text);
		if (!copy)
			abort();
		config->dataplane.eal_args[config->dataplane.eal_arg_count++] = copy;
	}
}

static void read_path(struct reader *reader, const char *name, char *out, size_t size)
{
	if (read_text(reader, name, out, size, false) && out[0] != '/')
		reader_fault(reader, name, "a path that begins with \"/\"", "is not absolute");
}

static void read_dataplane(struct config *config, struct reader *root)
{
	static const char *const idles[] = {"poll", "yield", "sleep", NULL};
	struct reader reader;
	reader_open(&reader, reader_field(root, "dataplane"), root->faults, "$.dataplane");
	char *lcores = config->dataplane.lcores;
	if (read_text(&reader, "lcores", lcores, sizeof(config->dataplane.lcores), false) &&
	    lcores[strspn(lcores, "0123456789,-()@")] != '\0')
		reader_fault(&reader, "lcores",
		             "the main thread's core, then the workers', such as \"0,1\" or \"0,(1-4)@1\"",
		             "is not a list of cores");
	int idle = (int)config->dataplane.idle;
	reader_choice(&reader, "idle", idles, false, &idle);
	config->dataplane.idle = (enum idle_mode)idle;
	uint64_t memory = config->dataplane.memory_mb, mbufs = config->dataplane.mbufs;
	reader_number(&reader, "memory_mb", 32, 1 << 20, &memory);
	reader_number(&reader, "mbufs", 1024, 16 << 20, &mbufs);
	config->dataplane.memory_mb = (unsigned)memory;
	config->dataplane.mbufs = (unsigned)mbufs;
	read_eal_args(config, &reader);
	read_path(&reader, "xdp_program", config->dataplane.xdp_program, sizeof(config->dataplane.xdp_program));
	reader_close(&reader);
}

struct number_field {
	const char *name;
	size_t offset; /* of a uint32_t in struct config */
	uint32_t min, max;
};

#define TIMEOUT(name, min, max)                                                                                        \
	{                                                                                                              \
#name, offsetof(struct config, timeouts.name), min, max                                                \
	}
#define LIMIT(name, min, max)                                                                                          \
	{                                                                                                              \
#name, offsetof(struct config, limits.name), min, max                                                  \
	}

static const struct number_field timeout_fields[] = {
    TIMEOUT(head, 100, 600000),          TIMEOUT(connect_attempt, 50, 60000), TIMEOUT(connect_total, 50, 300000),
    TIMEOUT(idle, 1000, 604800000),      TIMEOUT(half_closed, 100, 86400000), TIMEOUT(linger, 0, 60000),
    TIMEOUT(shutdown_grace, 0, 3600000),
};

static const struct number_field limit_fields[] = {
    LIMIT(head_bytes, 2048, 65535), LIMIT(connections, 64, 1 << 24),    LIMIT(young, 16, 1 << 24),
    LIMIT(large_heads, 1, 1 << 20), LIMIT(connection_rate, 1, 1000000), LIMIT(hosts, 1, 65536),
    LIMIT(routes, 1, 1000000),      LIMIT(pairs, 1, 4000000),           LIMIT(neighbours, 16, 1 << 20),
};

static void read_numbers(struct config *config, struct reader *reader, const struct number_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value;
		if (reader_number(reader, fields[i].name, fields[i].min, fields[i].max, &value)) {
			uint32_t narrow = (uint32_t)value;
			memcpy((char *)config + fields[i].offset, &narrow, sizeof(narrow));
		}
	}
}

static void read_timeouts(struct config *config, struct reader *root)
{
	struct reader reader;
	reader_open(&reader, reader_field(root, "timeouts"), root->faults, "$.timeouts");
	read_numbers(config, &reader, timeout_fields, sizeof(timeout_fields) / sizeof(timeout_fields[0]));
	reader_close(&reader);
	if (config->timeouts.connect_attempt > config->timeouts.connect_total)
		reader_fault(&reader, "connect_attempt", "at most connect_total", "%u is more than connect_total (%u)",
		             config->timeouts.connect_attempt, config->timeouts.connect_total);
}

static void read_limits(struct config *config, struct reader *root)
{
	struct reader reader;
	reader_open(&reader, reader_field(root, "limits"), root->faults, "$.limits");
	read_numbers(config, &reader, limit_fields, sizeof(limit_fields) / sizeof(limit_fields[0]));
	uint64_t mss = config->limits.client_mss;
	reader_number(&reader, "client_mss", 88, 8960, &mss);
	config->limits.client_mss = (uint16_t)mss;
	reader_close(&reader);
	if (config->limits.young > config->limits.connections)
		reader_fault(&reader, "young", "at most connections", "%u is more than connections (%u)",
		             config->limits.young, config->limits.connections);
}

/* "127.0.0.1:8089" or "[::1]:8089" */
static bool parse_endpoint(const char *text, struct address *address, uint16_t *port)
{
	char host[ADDRESS_TEXT_MAX];
	const char *colon = strrchr(text, ':');
	if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
		return false;
	unsigned long number = strtoul(colon + 1, NULL, 10);
	bool brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
	const char *begin = text + brackets, *end = colon - brackets;
	if (number < 1 || number > 65535 || end <= begin || (size_t)(end - begin) >= sizeof(host))
		return false;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	*port = (uint16_t)number;
	return address_parse(host, address) && brackets == !address_is_v4(address);
}

bool config_address_is_loopback(const struct address *address)
{
	static const struct address loopback6 = {.bytes = {[15] = 1}};
	return address_is_v4(address) ? address->bytes[12] == 127 : address_equal(address, &loopback6);
}

bool config_address_is_host(const struct address *address)
{
	if (!address_is_v4(address))
		return address->bytes[0] != 0xff && (address->halves[0] != 0 || address->halves[1] != 0);
	uint8_t first = address->bytes[12];
	return first != 0 && first != 127 && first < 224;
}

static void read_allowed_hosts(struct config *config, struct reader *reader)
{
	static const char expected[] = "a host name or an address without a port, such as \"lb.example.com\"";
	json_t *array = reader_array(reader, "allowed_hosts", 0, CONFIG_CIDRS_MAX, "names");
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct hostname name;
		const char *text = element_text(array, i, reader, "allowed_hosts", expected);
		if (!text)
			continue;
		bool port = text[0] != '[' && strchr(text, ':');
		if (port || !hostname_set_authority(&name, (const uint8_t *)text, strlen(text))) {
			element_fault(reader, "allowed_hosts", i, text, expected, "is not a host name");
			continue;
		}
		char *copy = strdup(name.text);
		if (!copy)
			abort();
		config->admin.allowed_hosts[config->admin.allowed_host_count++] = copy;
	}
}

static void read_tls(struct config *config, struct reader *admin)
{
	static const char *const both[] = {"certificate", "key"};
	struct reader reader;
	json_t *value = reader_field(admin, "tls");
	if (!value)
		return;
	reader_open(&reader, value, admin->faults, "$.admin.tls");
	read_path(&reader, "certificate", config->admin.tls_certificate, sizeof(config->admin.tls_certificate));
	read_path(&reader, "key", config->admin.tls_key, sizeof(config->admin.tls_key));
	for (unsigned i = 0; i < 2; i++)
		if (json_is_object(value) && !reader_field(&reader, both[i]))
			reader_fault(&reader, both[i], "the path of a PEM file", "is missing");
	reader_close(&reader);
}

static void read_log(struct config *config, struct reader *root)
{
	static const char *const formats[] = {"text", "json", NULL};
	static const char *const modes[] = {"off", "sampled", "full", NULL};
	struct reader reader;
	int json = config->log.json, mode = (int)config->log.connections;
	uint64_t sample = config->log.sample;
	reader_open(&reader, reader_field(root, "log"), root->faults, "$.log");
	reader_choice(&reader, "format", formats, false, &json);
	reader_choice(&reader, "connections", modes, false, &mode);
	reader_number(&reader, "sample", 1, 1000000, &sample);
	read_path(&reader, "connections_file", config->log.connections_file, sizeof(config->log.connections_file));
	reader_close(&reader);
	config->log.json = json;
	config->log.connections = (unsigned)mode;
	config->log.sample = (uint32_t)sample;
}

static void read_admin(struct config *config, struct reader *root)
{
	static const char *const roles[] = {"none", "viewer", "operator", "admin", NULL};
	struct reader reader;
	reader_open(&reader, reader_field(root, "admin"), root->faults, "$.admin");
	if (read_text(&reader, "listen", config->admin.listen, sizeof(config->admin.listen), false) &&
	    !parse_endpoint(config->admin.listen, &config->admin.listen_address, &config->admin.listen_port)) {
		reader_fault(&reader, "listen", "address:port, such as \"127.0.0.1:8089\" or \"[::1]:8089\"",
		             "is not an address with a port");
		config->admin.listen_address = address_from_v4(htonl(INADDR_LOOPBACK));
	}
	config->admin.allow_from_count =
	    read_prefixes(&reader, "allow_from", false, false, config->admin.allow_from, CONFIG_CIDRS_MAX);
	read_allowed_hosts(config, &reader);
	config->admin.metrics_from_count =
	    read_prefixes(&reader, "metrics_from", false, false, config->admin.metrics_from, CONFIG_CIDRS_MAX);
	int loopback = (int)config->admin.loopback;
	reader_choice(&reader, "loopback", roles, false, &loopback);
	config->admin.loopback = (unsigned)loopback;
	read_path(&reader, "tokens", config->admin.tokens, sizeof(config->admin.tokens));
	uint64_t rate = config->admin.requests_per_second;
	reader_number(&reader, "requests_per_second", 1, 100000, &rate);
	config->admin.requests_per_second = (uint32_t)rate;
	read_tls(config, &reader);
	reader_close(&reader);
	if (!config_address_is_loopback(&config->admin.listen_address) && config->admin.allow_from_count == 0)
		reader_fault(&reader, "listen", "a loopback address, or prefixes in $.admin.allow_from",
		             "%s is not loopback and $.admin.allow_from is empty", config->admin.listen);
}

static void read_paths(struct config *config, struct reader *root)
{
	struct reader reader;
	reader_open(&reader, reader_field(root, "paths"), root->faults, "$.paths");
	read_path(&reader, "run", config->paths.run, sizeof(config->paths.run));
	read_path(&reader, "state", config->paths.state, sizeof(config->paths.state));
	reader_close(&reader);
}

static void read_clusters(struct config *config, struct reader *root)
{
	json_t *array = reader_array(root, "clusters", 0, CLUSTERS_MAX, "clusters");
	config->clusters = array ? json_incref(array) : json_array();
}

static void read_root(struct config *config, json_t *value, struct json_faults *faults)
{
	struct reader root;
	reader_open(&root, value, faults, "$");
	read_ports(config, &root);
	read_listeners(config, &root);
	read_pool(config, &root);
	read_dataplane(config, &root);
	read_timeouts(config, &root);
	read_limits(config, &root);
	read_admin(config, &root);
	read_log(config, &root);
	read_paths(config, &root);
	read_clusters(config, &root);
	reader_close(&root);
}

struct config *config_parse(const char *text, size_t len, const char *name, struct config_errors *errors)
{
	struct json_faults faults = {0};
	json_t *value = json_text_parse(text, len, &faults);
	if (!value) {
		config_error(errors, name, "%s; expected %s", faults.list[0].reason, faults.list[0].expected);
		json_faults_free(&faults);
		return NULL;
	}
	struct config *config = calloc(1, sizeof(*config));
	if (!config)
		abort();
	set_defaults(config);
	config->print = (uint64_t)crc32c(text, len) << 32 | (uint32_t)len | 1;
	read_root(config, value, &faults);
	json_decref(value);
	bool failed = faults.count > 0;
	config_faults(errors, &faults);
	json_faults_free(&faults);
	if (!failed)
		return config;
	config_free(config);
	return NULL;
}

char *config_load(const char *path, size_t *len, struct config_errors *errors)
{
	FILE *file = fopen(path, "re");
	if (!file) {
		config_error(errors, path, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	char *text = malloc(CONFIG_BYTES_MAX);
	if (!text)
		abort();
	*len = fread(text, 1, CONFIG_BYTES_MAX, file);
	bool good = !ferror(file) && *len < CONFIG_BYTES_MAX;
	if (ferror(file))
		config_error(errors, path, "cannot be read: %s", strerror(errno));
	else if (!good)
		config_error(errors, path, "is too large; expected less than 16 MiB");
	fclose(file);
	if (good)
		return text;
	free(text);
	return NULL;
}

struct config *config_read(const char *path, struct config_errors *errors)
{
	size_t len;
	char *text = config_load(path, &len, errors);
	struct config *config = text ? config_parse(text, len, path, errors) : NULL;
	free(text);
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (unsigned i = 0; i < config->dataplane.eal_arg_count; i++)
		free(config->dataplane.eal_args[i]);
	for (unsigned i = 0; i < config->admin.allowed_host_count; i++)
		free(config->admin.allowed_hosts[i]);
	json_decref(config->clusters);
	free(config);
}

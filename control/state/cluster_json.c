/* Clusters to and from JSON: see the header. */
#include "control/state/cluster_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sources[] = {"static", "push", "watch", NULL};
static const char *const states[] = {"staged", "active", "draining", "offline", NULL};
static const char *const new_routes[] = {"active", "parked", NULL};
static const char name_form[] = "1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or digit";
static const char address_form[] = "an IPv4 address of a host, such as \"203.0.113.11\"";
static const char route_form[] = "a host name, such as \"app1.ch\" or \"*.wild.ch\"";

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

static bool read_name(struct reader *reader, const char *field, bool required, char out[static CLUSTER_NAME_MAX + 1])
{
	const char *text;
	char quoted[READER_TEXT_MAX];
	if (!reader_string(reader, field, CLUSTER_NAME_MAX, required, &text))
		return false;
	if (!cluster_name_valid(text)) {
		reader_fault(reader, field, name_form, "%s is no such name", json_quote(text, quoted));
		return false;
	}
	strcpy(out, text);
	return true;
}

static void read_address(struct reader *reader, const char *field, struct address *out)
{
	const char *text;
	char quoted[READER_TEXT_MAX];
	if (!reader_string(reader, field, ADDRESS_TEXT_MAX, true, &text))
		return;
	if (!address_parse(text, out) || !address_is_v4(out) || !config_address_is_host(out))
		reader_fault(reader, field, address_form, "%s is none", json_quote(text, quoted));
}

static void read_ports(struct reader *reader, const char *http_field, const char *https_field, struct host_spec *host)
{
	uint64_t http = 80, https = 443;
	reader_number(reader, http_field, 0, 65535, &http);
	reader_number(reader, https_field, 0, 65535, &https);
	host->http_port = (uint16_t)http;
	host->https_port = (uint16_t)https;
	if (http == 0 && https == 0)
		reader_fault(reader, http_field, "at least one port above 0", "and %s are both 0", https_field);
}

static void read_weight(struct reader *reader, const char *field, struct route_spec *route)
{
	uint64_t weight;
	route->weight_given = reader_number(reader, field, 0, WEIGHT_MAX, &weight);
	if (route->weight_given)
		route->weight = (uint8_t)weight;
}

static void read_route_name(struct reader *reader, const char *field, struct route_spec *route)
{
	const char *text;
	char quoted[READER_TEXT_MAX];
	if (!reader_string(reader, field, HOSTNAME_MAX + 2, true, &text))
		return;
	if (!name_parse(text, &route->name, &route->wildcard)) {
		route->name.len = 0;
		reader_fault(reader, field, route_form, "%s is none", json_quote(text, quoted));
	}
}

static void read_hosts(struct cluster_spec *spec, struct reader *cluster)
{
	json_t *array = reader_array(cluster, "hosts", 0, CLUSTER_HOSTS_MAX, "router hosts");
	spec->hosts = allocate(json_array_size(array), sizeof(*spec->hosts));
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct reader reader;
		struct host_spec *host = &spec->hosts[spec->host_count++];
		reader_open(&reader, json_array_get(array, i), cluster->faults, "%s.hosts[%zu]", cluster->path, i);
		read_name(&reader, "name", true, host->name);
		read_address(&reader, "address", &host->address);
		read_ports(&reader, "http_port", "https_port", host);
		reader_close(&reader);
		host->id = cluster_host_id(spec->name, host);
		for (size_t j = 0; j < i; j++) {
			if (spec->hosts[j].id == host->id && address_is_v4(&host->address))
				reader_fault(&reader, "address", "each address with its ports once",
				             "is the same host as hosts[%zu]", j);
			else if (spec->source != SOURCE_PUSH && host->name[0] != '\0' &&
			         strcmp(spec->hosts[j].name, host->name) == 0)
				reader_fault(&reader, "name", "a name of its own", "is also the name of hosts[%zu]", j);
		}
	}
}

static int compare_places(const void *a, const void *b)
{
	const struct route_spec *x = *(const struct route_spec *const *)a, *y = *(const struct route_spec *const *)b;
	int order = route_compare(x, y);
	return order ? order : (x > y) - (x < y);
}

static void check_routes_unique(const struct cluster_spec *spec, struct reader *cluster)
{
	const struct route_spec **places = allocate(spec->route_count, sizeof(*places));
	for (size_t i = 0; i < spec->route_count; i++)
		places[i] = &spec->routes[i];
	qsort(places, spec->route_count, sizeof(*places), compare_places);
	for (size_t i = 1; i < spec->route_count; i++) {
		if (places[i]->name.len == 0 || route_compare(places[i - 1], places[i]) != 0)
			continue;
		char field[48], text[ROUTE_TEXT_MAX], quoted[READER_TEXT_MAX];
		snprintf(field, sizeof(field), "routes[%zu].host", (size_t)(places[i] - spec->routes));
		reader_fault(cluster, field, "each host name once", "%s is also the host of routes[%zu]",
		             json_quote(route_format(places[i], text), quoted), (size_t)(places[i - 1] - spec->routes));
	}
	free(places);
}

static void read_routes(struct cluster_spec *spec, struct reader *cluster)
{
	json_t *array = reader_array(cluster, "routes", 0, CLUSTER_ROUTES_MAX, "routes");
	spec->routes = allocate(json_array_size(array), sizeof(*spec->routes));
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct reader reader;
		struct route_spec *route = &spec->routes[spec->route_count++];
		route->http = route->https = true;
		reader_open(&reader, json_array_get(array, i), cluster->faults, "%s.routes[%zu]", cluster->path, i);
		read_route_name(&reader, "host", route);
		read_weight(&reader, "weight", route);
		reader_bool(&reader, "http", &route->http);
		reader_bool(&reader, "https", &route->https);
		reader_close(&reader);
	}
	check_routes_unique(spec, cluster);
}

static bool path_valid(const char *path)
{
	if (path[0] != '/')
		return false;
	for (; *path != '\0'; path++)
		if (*path <= ' ' || *path >= 0x7f || *path == '#')
			return false;
	return true;
}

static void read_health(struct cluster_spec *spec, struct reader *cluster)
{
	struct health_spec *health = &spec->health;
	struct reader reader;
	const char *path;
	reader_open(&reader, reader_field(cluster, "health"), cluster->faults, "%s.health", cluster->path);
	uint64_t port = health->port, interval = health->interval, timeout = health->timeout;
	uint64_t rise = health->rise, fall = health->fall;
	reader_number(&reader, "port", 1, 65535, &port);
	if (reader_string(&reader, "path", HEALTH_PATH_MAX, false, &path)) {
		if (path_valid(path))
			strcpy(health->path, path);
		else
			reader_fault(&reader, "path", "a path that begins with \"/\", printable and without spaces",
			             "is no such path");
	}
	reader_number(&reader, "interval", 100, 3600000, &interval);
	reader_number(&reader, "timeout", 50, 60000, &timeout);
	reader_number(&reader, "rise", 1, 10, &rise);
	reader_number(&reader, "fall", 1, 10, &fall);
	reader_close(&reader);
	health->port = (uint16_t)port;
	health->interval = (uint32_t)interval;
	health->timeout = (uint32_t)timeout;
	health->rise = (uint8_t)rise;
	health->fall = (uint8_t)fall;
}

static void read_push_from(struct cluster_spec *spec, struct reader *cluster)
{
	static const char form[] = "a prefix without host bits, such as \"192.0.2.0/24\"";
	json_t *array = reader_array(cluster, "push_from", 1, CLUSTER_PUSH_FROM_MAX, "prefixes");
	if (!array)
		return;
	spec->push_from_count = 0;
	for (size_t i = 0; i < json_array_size(array); i++) {
		char field[32];
		json_t *value = json_array_get(array, i);
		snprintf(field, sizeof(field), "push_from[%zu]", i);
		if (!json_is_string(value))
			reader_fault(cluster, field, form, "is %s", json_kind(value));
		else if (!prefix_parse(json_string_value(value), &spec->push_from[spec->push_from_count]))
			reader_fault(cluster, field, form, "is no prefix");
		else
			spec->push_from_count++;
	}
}

static void read_push_settings(struct cluster_spec *spec, struct reader *cluster)
{
	static const char *const fields[] = {"key", "push_from"};
	for (unsigned i = 0; i < 2; i++)
		if (reader_field(cluster, fields[i]) && spec->source != SOURCE_PUSH)
			reader_fault(cluster, fields[i], "no such field", "belongs to \"source\": \"push\" only");
	if (spec->source != SOURCE_PUSH)
		return;
	if (!reader_field(cluster, "key"))
		strcpy(spec->key, spec->name);
	else
		read_name(cluster, "key", true, spec->key);
	if (reader_field(cluster, "push_from"))
		read_push_from(spec, cluster);
}

static void read_own_name(struct cluster_spec *spec, struct reader *reader, const char *name)
{
	bool given = read_name(reader, "name", name == NULL, spec->name);
	if (!name)
		return;
	if (given && strcmp(spec->name, name) != 0)
		reader_fault(reader, "name", "the name in the address, or no name", "\"%s\" is another name",
		             spec->name);
	strcpy(spec->name, name);
}

static void read_state(struct cluster_spec *spec, struct reader *reader)
{
	int state;
	spec->state_given = reader_choice(reader, "state", states, false, &state);
	if (spec->state_given)
		spec->state = (enum cluster_state)state;
}

static void read_watch_settings(struct cluster_spec *spec, struct reader *reader)
{
	static const char *const fields[] = {"watch", "new_routes"};
	char path[READER_PATH_MAX + 8];
	json_t *watch = reader_field(reader, "watch");
	int parks = spec->parks_routes;
	reader_choice(reader, "new_routes", new_routes, false, &parks);
	spec->parks_routes = parks;
	for (unsigned i = 0; i < 2; i++)
		if (spec->source != SOURCE_WATCH && reader_field(reader, fields[i]))
			reader_fault(reader, fields[i], "no such field", "belongs to \"source\": \"watch\" only");
	if (spec->source != SOURCE_WATCH)
		return;
	snprintf(path, sizeof(path), "%s.watch", reader->path);
	spec->watch = kube_spec_read(watch, reader->faults, path);
}

static void read_hold_minutes(struct cluster_spec *spec, struct reader *reader)
{
	uint64_t minutes = spec->hold_minutes;
	reader_number(reader, "hold_minutes", 0, HOLD_MINUTES_MAX, &minutes);
	spec->hold_minutes = (uint16_t)minutes;
	if (spec->source == SOURCE_STATIC && reader_field(reader, "hold_minutes"))
		reader_fault(reader, "hold_minutes", "no such field",
		             "belongs to \"source\": \"push\" and \"watch\" only");
}

struct cluster_spec *cluster_read(json_t *value, const char *name, struct json_faults *faults, const char *path)
{
	size_t faults_before = faults->count + faults->more;
	struct cluster_spec *spec = cluster_create();
	struct reader reader;
	reader_open(&reader, value, faults, "%s", path);
	if (!value)
		json_faults_add(faults, path, "an object", "is missing");
	read_own_name(spec, &reader, name);
	int source = SOURCE_STATIC;
	reader_choice(&reader, "source", sources, true, &source);
	spec->source = (enum cluster_source)source;
	uint64_t weight = spec->default_weight;
	reader_number(&reader, "default_weight", 0, WEIGHT_MAX, &weight);
	spec->default_weight = (uint8_t)weight;
	read_state(spec, &reader);
	read_push_settings(spec, &reader);
	read_watch_settings(spec, &reader);
	read_hold_minutes(spec, &reader);
	read_hosts(spec, &reader);
	read_health(spec, &reader);
	read_routes(spec, &reader);
	reader_close(&reader);
	if (faults->count + faults->more == faults_before)
		return spec;
	cluster_free(spec);
	return NULL;
}

static void check_against_earlier(struct cluster_spec *const *clusters, size_t count, struct json_faults *faults)
{
	const struct cluster_spec *spec = clusters[count];
	char path[64];
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "$.clusters[%zu].name", count);
		if (strcmp(clusters[i]->name, spec->name) == 0)
			json_faults_add(faults, path, "a name of its own", "\"%s\" is also $.clusters[%zu]", spec->name,
			                i);
		snprintf(path, sizeof(path), "$.clusters[%zu].key", count);
		if (spec->key[0] != '\0' && strcmp(clusters[i]->key, spec->key) == 0)
			json_faults_add(faults, path, "a key of its own", "\"%s\" is also that of $.clusters[%zu]",
			                spec->key, i);
	}
	snprintf(path, sizeof(path), "$.clusters[%zu]", count);
	if (spec->source == SOURCE_PUSH && spec->host_count + spec->route_count > 0)
		json_faults_add(faults, path, "neither hosts nor routes with \"source\": \"push\"",
		                "has hosts or routes, which its pushes bring");
	if (spec->source == SOURCE_WATCH && spec->route_count > 0)
		json_faults_add(faults, path, "no routes with \"source\": \"watch\"",
		                "has routes, which its API brings");
	if (cluster_hosts_are_observed(spec) && spec->host_count > 0)
		json_faults_add(faults, path, "no hosts, or \"preset\": \"static\" in \"routers\"",
		                "has hosts, which its API brings");
}

size_t clusters_read(json_t *array, struct cluster_spec *out[static CLUSTERS_MAX], struct json_faults *faults)
{
	size_t count = 0, faults_before = faults->count + faults->more;
	for (size_t i = 0; i < json_array_size(array) && i < CLUSTERS_MAX; i++) {
		char path[64];
		snprintf(path, sizeof(path), "$.clusters[%zu]", i);
		out[count] = cluster_read(json_array_get(array, i), NULL, faults, path);
		if (!out[count])
			continue;
		check_against_earlier(out, count, faults);
		count++;
	}
	if (faults->count + faults->more == faults_before)
		return count;
	while (count > 0)
		cluster_free(out[--count]);
	return 0;
}

static json_t *write_hosts(const struct cluster_spec *spec)
{
	json_t *array = json_array();
	for (size_t i = 0; i < spec->host_count; i++) {
		const struct host_spec *host = &spec->hosts[i];
		char text[ADDRESS_TEXT_MAX];
		json_array_append_new(array, json_pack("{s:s, s:s, s:i, s:i}", "name", host->name, "address",
		                                       address_format(&host->address, text), "http_port",
		                                       host->http_port, "https_port", host->https_port));
	}
	return array;
}

static void add_route(struct json_text *text, const struct route_spec *route)
{
	json_text_put(text, "{\"host\":");
	json_text_host(text, &route->name, route->wildcard);
	if (route->weight_given)
		json_text_format(text, ",\"weight\":%u", route->weight);
	json_text_put(text, route->http ? ",\"http\":true" : ",\"http\":false");
	json_text_put(text, route->https ? ",\"https\":true}" : ",\"https\":false}");
}

static void add_routes(struct json_text *text, const struct cluster_spec *spec)
{
	json_text_put(text, "[");
	for (size_t i = 0; i < spec->route_count; i++) {
		json_text_put(text, i > 0 ? ",\n" : "\n");
		add_route(text, &spec->routes[i]);
	}
	json_text_put(text, "]");
}

static json_t *write_routes(const struct cluster_spec *spec)
{
	struct json_text text = {0};
	add_routes(&text, spec);
	json_t *array = json_loadb(text.bytes, text.len, 0, NULL);
	json_text_free(&text);
	return array;
}

static json_t *write_push_from(const struct cluster_spec *spec)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < spec->push_from_count; i++) {
		const struct prefix *prefix = &spec->push_from[i];
		char address[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 8];
		snprintf(text, sizeof(text), "%s/%d", address_format(&prefix->address, address),
		         prefix->length - (address_is_v4(&prefix->address) ? 96 : 0));
		json_array_append_new(array, json_string(text));
	}
	return array;
}

/* All but the routes. */
static json_t *write_settings(const struct cluster_spec *spec)
{
	const struct health_spec *health = &spec->health;
	json_t *object =
	    json_pack("{s:s, s:s, s:s, s:i}", "name", spec->name, "source", cluster_source_name(spec->source), "state",
	              cluster_state_name(spec->state), "default_weight", spec->default_weight);
	if (spec->source == SOURCE_PUSH) {
		json_object_set_new(object, "key", json_string(spec->key));
		json_object_set_new(object, "push_from", write_push_from(spec));
	}
	if (spec->source != SOURCE_STATIC)
		json_object_set_new(object, "hold_minutes", json_integer(spec->hold_minutes));
	if (spec->source == SOURCE_WATCH) {
		json_object_set_new(object, "new_routes", json_string(new_routes[spec->parks_routes]));
		json_object_set_new(object, "watch", kube_spec_write(spec->watch));
	}
	json_object_set_new(object, "health",
	                    json_pack("{s:i, s:s, s:I, s:I, s:i, s:i}", "port", health->port, "path", health->path,
	                              "interval", (json_int_t)health->interval, "timeout", (json_int_t)health->timeout,
	                              "rise", health->rise, "fall", health->fall));
	if (!cluster_hosts_are_observed(spec))
		json_object_set_new(object, "hosts", write_hosts(spec));
	return object;
}

json_t *cluster_write(const struct cluster_spec *spec)
{
	json_t *object = write_settings(spec);
	if (spec->source != SOURCE_WATCH)
		json_object_set_new(object, "routes", write_routes(spec));
	return object;
}

void cluster_write_text(struct json_text *text, const struct cluster_spec *spec)
{
	json_t *settings = write_settings(spec);
	json_text_value(text, settings);
	json_decref(settings);
	if (spec->source == SOURCE_WATCH)
		return;
	text->len--; /* the brace */
	json_text_put(text, ",\"routes\":");
	add_routes(text, spec);
	json_text_put(text, "}");
}

static bool settings_equal(const struct cluster_spec *a, const struct cluster_spec *b)
{
	json_t *x = write_settings(a), *y = write_settings(b);
	bool equal = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	for (size_t i = 0; equal && i < a->host_count && i < b->host_count; i++)
		equal = a->hosts[i].hold.reason == b->hosts[i].hold.reason;
	return equal;
}

static bool routes_equal(const struct route_spec *a, const struct route_spec *b)
{
	return route_compare(a, b) == 0 && a->weight_given == b->weight_given &&
	       (!a->weight_given || a->weight == b->weight) && a->http == b->http && a->https == b->https &&
	       a->hold.reason == b->hold.reason;
}

bool cluster_equal(const struct cluster_spec *a, const struct cluster_spec *b)
{
	bool equal = settings_equal(a, b) && a->route_count == b->route_count;
	for (size_t i = 0; equal && i < a->route_count; i++)
		equal = routes_equal(&a->routes[i], &b->routes[i]);
	return equal;
}

/* The object in a field of a push; Go writes an empty map as null. */
static json_t *push_map(struct reader *reader, const char *field, size_t max)
{
	json_t *value = reader_field(reader, field);
	if (!value || json_is_null(value))
		return NULL;
	if (!json_is_object(value)) {
		reader_fault(reader, field, "an object", "is %s", json_kind(value));
		return NULL;
	}
	if (json_object_size(value) <= max)
		return value;
	char expected[48];
	snprintf(expected, sizeof(expected), "at most %zu entries", max);
	reader_fault(reader, field, expected, "has %zu", json_object_size(value));
	return NULL;
}

static int compare_hosts(const void *a, const void *b)
{
	return strcmp(((const struct host_spec *)a)->name, ((const struct host_spec *)b)->name);
}

/* A label from the plugin may be anything; what no name may have is replaced. */
static void set_label(char out[static CLUSTER_NAME_MAX + 1], const char *text)
{
	snprintf(out, CLUSTER_NAME_MAX + 1, "%s", text[0] != '\0' ? text : "host");
	for (char *c = out; *c != '\0'; c++) {
		char one[] = {'x', *c, '\0'};
		if (!cluster_name_valid(c == out ? one + 1 : one))
			*c = c == out ? 'x' : '_';
	}
}

static void read_pushed_hosts(struct cluster_spec *spec, struct reader *push)
{
	json_t *map = push_map(push, "routerHosts", CLUSTER_HOSTS_MAX), *value;
	const char *label;
	char quoted[READER_TEXT_MAX];
	spec->hosts = allocate(json_object_size(map), sizeof(*spec->hosts));
	json_object_foreach(map, label, value)
	{
		struct reader reader;
		struct host_spec *host = &spec->hosts[spec->host_count];
		const char *name = label;
		reader_open(&reader, value, push->faults, "$.routerHosts[%s]", json_quote(label, quoted));
		reader_string(&reader, "name", 1000, false, &name);
		read_address(&reader, "hostIP", &host->address);
		read_ports(&reader, "httpPort", "httpsPort", host);
		set_label(host->name, name);
		host->id = cluster_host_id(spec->name, host);
		bool repeated = false;
		for (size_t i = 0; i < spec->host_count; i++)
			repeated |= spec->hosts[i].id == host->id;
		if (!repeated)
			spec->host_count++;
	}
	qsort(spec->hosts, spec->host_count, sizeof(*spec->hosts), compare_hosts);
}

static void read_pushed_routes(struct cluster_spec *spec, struct reader *push)
{
	json_t *map = push_map(push, "routes", CLUSTER_ROUTES_MAX), *value;
	const char *label;
	char quoted[READER_TEXT_MAX];
	struct route_spec *read = allocate(json_object_size(map), sizeof(*read));
	size_t count = 0;
	json_object_foreach(map, label, value)
	{
		struct reader reader;
		struct route_spec *route = &read[count++];
		route->http = route->https = true;
		reader_open(&reader, value, push->faults, "$.routes[%s]", json_quote(label, quoted));
		read_route_name(&reader, "url", route);
		read_weight(&reader, "weight", route);
	}
	const struct route_spec **places = allocate(count, sizeof(*places));
	for (size_t i = 0; i < count; i++)
		places[i] = &read[i];
	qsort(places, count, sizeof(*places), compare_places);
	spec->routes = allocate(count, sizeof(*spec->routes));
	for (size_t i = 0; i < count; i++)
		if (i == 0 || route_compare(places[i - 1], places[i]) != 0)
			spec->routes[spec->route_count++] = *places[i];
	free(places);
	free(read);
}

struct cluster_spec *cluster_read_push(json_t *value, const struct cluster_spec *cluster, struct json_faults *faults)
{
	struct cluster_spec *spec = cluster_copy_settings(cluster);
	struct reader reader;
	reader_open(&reader, value, faults, "$");
	static const char *const fields[] = {"routes", "routerHosts"};
	for (unsigned i = 0; reader.object && i < 2; i++)
		if (!reader_field(&reader, fields[i]))
			reader_fault(&reader, fields[i], "an object", "is missing");
	read_pushed_hosts(spec, &reader);
	read_pushed_routes(spec, &reader);
	if (faults->count + faults->more == 0)
		return spec;
	cluster_free(spec);
	return NULL;
}

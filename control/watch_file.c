/* The file of a watched cluster: see the header. Written by hand, not through jansson's objects: 100,000 routes are
 * written while the loop waits. */
#include "control/watch_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/state_facts.h"

/* In quotes and escaped: what an API said may hold anything. */
static void put_text(FILE *file, const char *field, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-./_ :";
	if (text[strspn(text, plain)] == '\0') {
		fprintf(file, ",\"%s\":\"%s\"", field, text);
		return;
	}
	json_t *string = json_string(text);
	char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
	if (quoted)
		fprintf(file, ",\"%s\":%s", field, quoted);
	free(quoted);
	json_decref(string);
}

static void put_hold(FILE *file, const struct hold *hold)
{
	if (hold->reason == HOLD_NONE)
		return;
	json_t *value = state_facts_write_hold(hold);
	char *text = json_dumps(value, JSON_COMPACT);
	if (text)
		fprintf(file, ",\"held\":%s", text);
	free(text);
	json_decref(value);
}

static void put_flag(FILE *file, const char *field, bool value)
{
	if (value)
		fprintf(file, ",\"%s\":true", field);
}

static void put_route(FILE *file, const struct name *name, const struct pair *pair)
{
	char text[ROUTE_TEXT_MAX];
	fprintf(file, "{\"host\":\"%s\"", name_format(&name->host, name->wildcard, text));
	if (pair->weight_given)
		fprintf(file, ",\"weight\":%u", pair->weight);
	fprintf(file, ",\"http\":%s,\"https\":%s,\"created\":%" PRId64, pair->http ? "true" : "false",
	        pair->https ? "true" : "false", pair->created);
	put_text(file, "namespace", pair->namespace);
	if (pair->termination != TERMINATION_UNKNOWN)
		fprintf(file, ",\"termination\":%u,\"insecure\":%u", pair->termination, pair->insecure);
	put_flag(file, "parked", pair->parked);
	put_flag(file, "conflict", pair->conflict);
	put_flag(file, "initial", pair->initial);
	put_hold(file, &pair->hold);
	if (pair->warning)
		put_text(file, "warning", pair->warning);
	fputc('}', file);
}

static void put_host(FILE *file, const struct host_spec *host)
{
	char text[ADDRESS_TEXT_MAX];
	fprintf(file,
	        "{\"name\":\"%s\",\"address\":\"%s\",\"http_port\":%u,\"https_port\":%u,\"check_port\":%u,\"state\":%d,"
	        "\"pods\":%u",
	        host->name, address_format(&host->address, text), host->http_port, host->https_port, host->check_port,
	        (int)host->state, host->pods);
	put_hold(file, &host->hold);
	fputc('}', file);
}

char *watch_file_write(const struct state *state, const struct cluster *cluster, size_t *len)
{
	char *text;
	const struct cluster_spec *spec = cluster->spec;
	const char *separator = "";
	FILE *file = open_memstream(&text, len);
	if (!file)
		abort();
	fprintf(file, "{\"cluster\":\"%s\",\"revision\":%" PRIu64 ",\n\"hosts\":[", spec->name, state->revision);
	for (size_t i = 0; i < spec->host_count && cluster_hosts_are_observed(spec); i++, separator = ",") {
		fprintf(file, "%s\n", separator);
		put_host(file, &spec->hosts[i]);
	}
	fputs("],\n\"routes\":[", file);
	separator = "";
	for (const struct name *name = names_next(&state->names, NULL); name; name = names_next(&state->names, name)) {
		const struct pair *pair = names_pair(name, cluster->index);
		if (!pair || !pair->present)
			continue;
		fprintf(file, "%s\n", separator);
		put_route(file, name, pair);
		separator = ",";
	}
	fputs("]}\n", file);
	if (fclose(file) != 0)
		abort();
	return text;
}

static void read_route(struct state *state, const struct cluster *cluster, json_t *value)
{
	const char *text, *namespace = "", *warning = NULL;
	int http, https, parked = 0, conflict = 0, initial = 0, weight = -1, termination = 0, insecure = 0;
	json_int_t created;
	json_t *held = NULL;
	struct hostname host;
	bool wildcard;
	if (json_unpack(value, "{s:s, s?i, s:b, s:b, s:I, s?s, s?b, s?b, s?b, s?o, s?s, s?i, s?i}", "host", &text,
	                "weight", &weight, "http", &http, "https", &https, "created", &created, "namespace", &namespace,
	                "parked", &parked, "conflict", &conflict, "initial", &initial, "held", &held, "warning",
	                &warning, "termination", &termination, "insecure", &insecure) != 0 ||
	    !name_parse(text, &host, &wildcard) || weight > WEIGHT_MAX || strlen(namespace) > OBSERVED_NAMESPACE_MAX)
		return;
	struct name *name = names_add(&state->names, &host, wildcard);
	struct pair *pair = names_pair_add(&state->names, name, cluster->index);
	names_pair_set_present(&state->names, name, pair, true);
	pair->weight_given = weight >= 0;
	pair->weight = weight >= 0 ? (uint8_t)weight : 0;
	pair->http = http;
	pair->https = https;
	pair->created = created;
	if (termination >= 0 && termination < termination_count && insecure >= 0 && insecure < insecure_count) {
		pair->termination = (uint8_t)termination;
		pair->insecure = (uint8_t)insecure;
	}
	strcpy(pair->namespace, namespace);
	pair->parked = parked;
	pair->conflict = conflict;
	pair->initial = initial;
	pair->hold = state_facts_read_hold(held);
	names_pair_warn(pair, warning);
}

static bool read_host(const struct cluster *cluster, json_t *value, struct host_spec *host)
{
	const char *name, *address;
	int http, https, check, state, pods;
	json_t *held = NULL;
	*host = (struct host_spec){0};
	if (json_unpack(value, "{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s?o}", "name", &name, "address", &address,
	                "http_port", &http, "https_port", &https, "check_port", &check, "state", &state, "pods", &pods,
	                "held", &held) != 0 ||
	    !cluster_name_valid(name) || !address_parse(address, &host->address) || state < HOST_ACTIVE ||
	    state > HOST_GONE)
		return false;
	strcpy(host->name, name);
	host->http_port = (uint16_t)http;
	host->https_port = (uint16_t)https;
	host->check_port = (uint16_t)check;
	host->state = (enum host_state)state;
	host->pods = (uint16_t)pods;
	host->hold = state_facts_read_hold(held);
	host->id = cluster_host_id(cluster->spec->name, host);
	return true;
}

static void read_hosts(struct state *state, struct cluster *cluster, json_t *array, uint64_t now)
{
	size_t room = json_array_size(array) < CLUSTER_HOSTS_MAX ? json_array_size(array) : CLUSTER_HOSTS_MAX;
	struct host_spec *hosts = calloc(room + 1, sizeof(*hosts));
	size_t count = 0;
	if (!hosts)
		abort();
	for (size_t i = 0; i < room; i++)
		count += read_host(cluster, json_array_get(array, i), &hosts[count]);
	state_set_hosts(state, cluster, hosts, count, now);
}

bool watch_file_read(struct state *state, struct cluster *cluster, json_t *value, uint64_t now, const char **why)
{
	const char *name = json_string_value(json_object_get(value, "cluster"));
	json_int_t revision = json_integer_value(json_object_get(value, "revision"));
	json_t *hosts = json_object_get(value, "hosts"), *routes = json_object_get(value, "routes");
	*why = "it is of another cluster";
	if (!name || strcmp(name, cluster->spec->name) != 0)
		return false;
	*why = "it has no routes or no hosts";
	if (!json_is_array(hosts) || !json_is_array(routes))
		return false;
	for (size_t i = 0; i < json_array_size(routes); i++)
		read_route(state, cluster, json_array_get(routes, i));
	if (cluster_hosts_are_observed(cluster->spec))
		read_hosts(state, cluster, hosts, now);
	/* It counts what the API did, too: it never goes back for that. */
	if (revision > 0 && (uint64_t)revision > state->revision)
		state->revision = (uint64_t)revision;
	cluster->known = true;
	return true;
}

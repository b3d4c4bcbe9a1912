/* The admin API: the configuration that runs, and reading it again. */
#include <stdio.h>
#include <stdlib.h>

#include "control/api/admin_json.h"
#include "control/api/endpoint.h"
#include "control/reload.h"

/* Why fields cannot change now, as the errors of a problem. */
static struct api_reply needs_restart(const struct config_changes *changes)
{
	struct api_reply reply = {.status = 409};
	struct json_faults none = {0};
	char detail[ENDPOINT_DETAIL_MAX];
	const struct config_change *first = NULL;
	json_t *errors = json_array();
	for (size_t i = 0; i < changes->count; i++) {
		const struct config_change *change = &changes->list[i];
		if (!change->restart)
			continue;
		first = first ? first : change;
		json_array_append_new(errors, json_pack("{s:s, s:s, s:s}", "path", change->path, "reason", change->why,
		                                        "expected", "no change, or a restart of both programs"));
	}
	snprintf(detail, sizeof(detail), "%s cannot change while the programs run: %s; nothing was changed",
	         first->path, first->why);
	reply.json = admin_problem(409, detail, &none);
	json_object_set_new(reply.json, "errors", errors);
	return reply;
}

static struct api_reply wrong(struct config_errors *lines)
{
	struct json_faults none = {0};
	json_t *errors = json_array();
	struct api_reply reply = {.status = 400, .json = admin_problem(400, lines->lines[0], &none)};
	for (size_t i = 0; i < lines->count; i++)
		json_array_append_new(errors, json_pack("{s:s, s:s, s:s}", "path", "configuration file", "reason",
		                                        lines->lines[i], "expected", "a file without errors"));
	json_object_set_new(reply.json, "errors", errors);
	return reply;
}

struct pending_reload {
	struct api_later *later;
	struct control *control;
	bool dry_run;
};

static struct api_reply reloaded(struct pending_reload *pending, const struct reload_outcome *outcome)
{
	json_t *changed = json_array();
	const struct call call = {.control = pending->control, .dry_run = pending->dry_run};
	for (size_t i = 0; i < outcome->changes.count; i++)
		json_array_append_new(changed, json_string(outcome->changes.list[i].path));
	return reply_written(&call, 200, outcome->result == RELOAD_DONE, json_pack("{s:o}", "changes", changed));
}

static void done(void *context, struct reload_outcome *outcome)
{
	struct pending_reload *pending = context;
	struct api_reply reply;
	switch (outcome->result) {
	case RELOAD_DONE:
	case RELOAD_NOTHING:
		reply = reloaded(pending, outcome);
		break;
	case RELOAD_WRONG:
		reply = wrong(&outcome->errors);
		break;
	case RELOAD_RESTART:
		reply = needs_restart(&outcome->changes);
		break;
	case RELOAD_REFUSED:
		reply = reply_problem(409,
		                      "the dataplane refuses the configuration; its log says why; nothing was changed");
		break;
	case RELOAD_NO_ANSWER:
		reply = reply_problem(503, "the dataplane does not answer; control has changed nothing; see its log");
		break;
	case RELOAD_UNDER_WAY:
		reply = reply_problem(409, "the configuration is being read again already");
		break;
	}
	config_errors_free(&outcome->errors);
	api_later_answer(pending->later, reply);
	free(pending);
}

static struct api_reply post_reload(struct call *call)
{
	struct pending_reload *pending = malloc(sizeof(*pending));
	if (!pending)
		abort();
	struct api_later *later = api_later_create();
	*pending = (struct pending_reload){.later = later, .control = call->control, .dry_run = call->dry_run};
	reload_begin(call->control->reload, call->dry_run, &call->actor, done, pending);
	return api_later_reply(later);
}

/* ---- what runs ---- */

static json_t *prefixes_json(const struct prefix *prefixes, unsigned count)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < count; i++) {
		char address[ADDRESS_TEXT_MAX];
		unsigned less = address_is_v4(&prefixes[i].address) ? 96 : 0;
		json_array_append_new(array, json_sprintf("%s/%u", address_format(&prefixes[i].address, address),
		                                          prefixes[i].length - less));
	}
	return array;
}

static json_t *listeners_json(const struct config *config)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		json_t *addresses = json_array();
		for (unsigned j = 0; j < listener->address_count; j++) {
			char text[ADDRESS_TEXT_MAX];
			json_array_append_new(addresses, json_string(address_format(&listener->addresses[j], text)));
		}
		json_t *object = json_pack("{s:s, s:s, s:i, s:o}", "name", listener->name, "mode",
		                           listener->mode == LISTENER_TLS ? "tls" : "http", "port", listener->port,
		                           "addresses", addresses);
		if (listener->default_cluster[0] != '\0')
			json_object_set_new(object, "default_cluster", json_string(listener->default_cluster));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *timeouts_json(const struct config *config)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "head", (int)config->timeouts.head, "connect_attempt",
	                 (int)config->timeouts.connect_attempt, "connect_total", (int)config->timeouts.connect_total,
	                 "idle", (int)config->timeouts.idle, "half_closed", (int)config->timeouts.half_closed, "linger",
	                 (int)config->timeouts.linger, "shutdown_grace", (int)config->timeouts.shutdown_grace);
}

static json_t *limits_json(const struct config *config)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "head_bytes",
	                 (int)config->limits.head_bytes, "client_mss", (int)config->limits.client_mss, "connections",
	                 (int)config->limits.connections, "young", (int)config->limits.young, "large_heads",
	                 (int)config->limits.large_heads, "connection_rate", (int)config->limits.connection_rate,
	                 "hosts", (int)config->limits.hosts, "routes", (int)config->limits.routes, "pairs",
	                 (int)config->limits.pairs, "neighbours", (int)config->limits.neighbours);
}

static json_t *admin_json(const struct config *config)
{
	json_t *hosts = json_array();
	for (unsigned i = 0; i < config->admin.allowed_host_count; i++)
		json_array_append_new(hosts, json_string(config->admin.allowed_hosts[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:b, s:i}", "listen", config->admin.listen, "allow_from",
	                 prefixes_json(config->admin.allow_from, config->admin.allow_from_count), "allowed_hosts",
	                 hosts, "metrics_from",
	                 prefixes_json(config->admin.metrics_from, config->admin.metrics_from_count), "loopback",
	                 role_name((enum role)config->admin.loopback), "tls", config->admin.tls_certificate[0] != '\0',
	                 "requests_per_second", (int)config->admin.requests_per_second);
}

static json_t *log_json(const struct config *config)
{
	static const char *const modes[] = {"off", "sampled", "full"};
	return json_pack("{s:s, s:s, s:i, s:s}", "format", config->log.json ? "json" : "text", "connections",
	                 modes[config->log.connections], "sample", (int)config->log.sample, "connections_file",
	                 config->log.connections_file);
}

static json_t *ports_json(const struct config *config)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < config->port_count; i++)
		json_array_append_new(array, json_pack("{s:s, s:s}", "interface", config->ports[i].interface, "device",
		                                       config->ports[i].device));
	return array;
}

static struct api_reply get_config(struct call *call)
{
	const struct config *config = call->control->config;
	json_t *object = json_object();
	json_object_set_new(object, "ports", ports_json(config));
	json_object_set_new(object, "listeners", listeners_json(config));
	json_object_set_new(object, "source_pool",
	                    json_pack("{s:o, s:[i, i]}", "prefixes",
	                              prefixes_json(config->pool.prefixes, config->pool.prefix_count), "ports",
	                              config->pool.port_first, config->pool.port_last));
	json_object_set_new(object, "timeouts", timeouts_json(config));
	json_object_set_new(object, "limits", limits_json(config));
	json_object_set_new(object, "admin", admin_json(config));
	json_object_set_new(object, "log", log_json(config));
	json_object_set_new(object, "paths",
	                    json_pack("{s:s, s:s}", "run", config->paths.run, "state", config->paths.state));
	return (struct api_reply){.status = 200, .json = object};
}

static const struct endpoint endpoints[] = {
    {"/api/v1/config", "GET", ROLE_VIEWER, 0, NULL, get_config, NULL},
    {"/api/v1/reload", "POST", ROLE_ADMIN, ENDPOINT_WRITE, NULL, post_reload, NULL},
};

const struct endpoint_table api_config_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};

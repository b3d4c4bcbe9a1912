/* Router pods: see the header. */
#include "control/kube/kube_pod.h"

#include <stdio.h>
#include <string.h>

#include "common/json_reader.h"

static bool same(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

/* The words that the OpenShift router takes for true. */
static bool is_true(const char *text)
{
	static const char *const words[] = {"1", "t", "T", "true", "True", "TRUE"};
	for (unsigned i = 0; text && i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/* Any container's: newer releases run HAProxy beside the router's own. */
static bool asks_for_proxy_protocol(const json_t *containers)
{
	size_t i, j;
	json_t *container, *variable;
	json_array_foreach(containers, i, container)
	    json_array_foreach(json_object_get(container, "env"), j,
	                       variable) if (same(kube_text(variable, "name"), "ROUTER_USE_PROXY_PROTOCOL") &&
	                                     is_true(kube_text(variable, "value"))) return true;
	return false;
}

static const json_t *find_container(const json_t *containers, const char *name)
{
	size_t i;
	json_t *container;
	json_array_foreach(containers, i, container) if (same(kube_text(container, "name"), name)) return container;
	return NULL;
}

static uint16_t port_number(const json_t *port, const char *field)
{
	json_int_t number = json_integer_value(json_object_get(port, field));
	return number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
}

/* Where a port of the container is reached, 0: nowhere. */
static uint16_t reached_at(const json_t *port, bool container_port)
{
	const char *protocol = kube_text(port, "protocol");
	if (protocol && strcmp(protocol, "TCP") != 0)
		return 0;
	return port_number(port, container_port ? "containerPort" : "hostPort");
}

/* By name; the router of OpenShift 3 names only its statistics, so a nameless port goes by its usual number. */
static uint16_t find_port(const json_t *ports, const char *name, const char *other_name, uint16_t usual,
                          bool container_port)
{
	size_t i;
	json_t *port;
	json_array_foreach(ports, i, port)
	{
		const char *port_name = kube_text(port, "name");
		if (same(port_name, name) || same(port_name, other_name))
			return reached_at(port, container_port);
	}
	json_array_foreach(ports, i, port) if (!kube_text(port, "name") && port_number(port, "containerPort") ==
	                                                                       usual) return reached_at(port,
	                                                                                                container_port);
	return 0;
}

static enum kube_verdict take_ports(const json_t *spec, const json_t *containers, const struct kube_pod_rules *rules,
                                    struct observed_router *router, char why[static KUBE_WHY_MAX])
{
	const json_t *container = find_container(containers, rules->container);
	if (!container) {
		char quoted[READER_TEXT_MAX];
		snprintf(why, KUBE_WHY_MAX, "has no container %s", json_quote(rules->container, quoted));
		return KUBE_SERVES_NOT;
	}
	json_t *ports;
	if (!kube_get_array(container, "spec.containers[].ports", &ports, why))
		return KUBE_BROKEN;
	bool container_port = rules->pod_ip || json_is_true(json_object_get(spec, "hostNetwork"));
	router->http_port = find_port(ports, "http", "http", 80, container_port);
	router->https_port = find_port(ports, "https", "https", 443, container_port);
	router->stats_port = find_port(ports, "metrics", "stats", 1936, container_port);
	if (router->http_port != 0 || router->https_port != 0)
		return KUBE_SERVES;
	snprintf(why, KUBE_WHY_MAX, "%s",
	         container_port ? "its container has neither a port http nor a port https"
	                        : "its container has no host port: set the routers' \"address\" to \"podIP\"");
	return KUBE_SERVES_NOT;
}

static enum kube_verdict take_status(const json_t *status, const struct kube_pod_rules *rules,
                                     struct observed_router *router, char why[static KUBE_WHY_MAX])
{
	const char *phase, *address;
	json_t *conditions;
	const char *field = rules->pod_ip ? "status.podIP" : "status.hostIP";
	if (!kube_get_text(status, "status.phase", &phase, why) || !kube_get_text(status, field, &address, why) ||
	    !kube_get_array(status, "status.conditions", &conditions, why))
		return KUBE_BROKEN;
	/* A pod that has ended stays listed until it is cleaned up, with the address of a node that has a new one. */
	if (!address || address[0] == '\0' || same(phase, "Succeeded") || same(phase, "Failed"))
		return KUBE_SERVES_NOT;
	if (!address_parse(address, &router->address)) {
		char quoted[READER_TEXT_MAX];
		snprintf(why, KUBE_WHY_MAX, "%s %s is no address", field, json_quote(address, quoted));
		return KUBE_BROKEN;
	}
	router->ready = same(phase, "Running") && kube_condition_true(conditions, "Ready");
	return KUBE_SERVES;
}

enum kube_verdict kube_pod_decode(const json_t *object, const struct kube_pod_rules *rules, struct observed_router *out,
                                  char why[static KUBE_WHY_MAX])
{
	struct kube_meta meta;
	json_t *spec, *status, *containers;
	const char *node;
	why[0] = '\0';
	memset(out, 0, sizeof(*out));
	if (!kube_meta_read(object, &meta, why) || !kube_get_object(object, "spec", &spec, why) ||
	    !kube_get_object(object, "status", &status, why) ||
	    !kube_get_array(spec, "spec.containers", &containers, why) ||
	    !kube_get_text(spec, "spec.nodeName", &node, why))
		return KUBE_BROKEN;
	if (!containers) {
		snprintf(why, KUBE_WHY_MAX, "spec.containers is missing");
		return KUBE_BROKEN;
	}
	strcpy(out->uid, meta.uid);
	strcpy(out->name, meta.name);
	if (node && strlen(node) <= OBSERVED_NAME_MAX)
		strcpy(out->node, node);
	out->terminating = meta.deleting;
	out->proxy_protocol = asks_for_proxy_protocol(containers);
	enum kube_verdict verdict = take_status(status, rules, out, why);
	if (verdict == KUBE_SERVES)
		verdict = take_ports(spec, containers, rules, out, why);
	return verdict;
}

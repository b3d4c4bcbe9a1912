/* The object "watch": see the header. */
#include "control/kube/kube_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kubeconfig.h"

enum { RELIST_DEFAULT = 20, RELIST_MIN = 10, RELIST_MAX = 30 };

static const char *const presets[] = {"openshift4", "openshift3", "static", NULL};
static const char *const admissions[] = {"status", "ignore", NULL};
static const char *const addresses[] = {"hostIP", "podIP", NULL};

static void read_text(struct reader *reader, const char *name, bool required, char out[static KUBE_TEXT_MAX + 1])
{
	const char *text;
	if (reader_string(reader, name, KUBE_TEXT_MAX, required, &text))
		strcpy(out, text);
}

/* A selector may also be empty: it then selects everything. */
static void read_selector(struct reader *reader, char out[static KUBE_TEXT_MAX + 1])
{
	const json_t *value = reader_field(reader, "label_selector");
	if (json_is_string(value) && json_string_length(value) == 0)
		out[0] = '\0';
	else
		read_text(reader, "label_selector", false, out);
}

static void read_path(struct reader *reader, const char *name, char out[static KUBE_TEXT_MAX + 1])
{
	read_text(reader, name, false, out);
	if (out[0] != '\0' && out[0] != '/')
		reader_fault(reader, name, "an absolute path", "is none");
}

static void read_label(struct reader *reader, const char *name, char out[static KUBE_LABEL_MAX + 1])
{
	const char *text;
	if (reader_string(reader, name, KUBE_LABEL_MAX, false, &text))
		strcpy(out, text);
}

/* RFC 1123 label, as the API demands of a namespace. */
static bool is_namespace(const char *text)
{
	size_t len = strlen(text);
	return len >= 1 && len <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static const char namespace_form[] = "the name of a namespace";

static void read_namespace(struct reader *reader, const char *name, char out[static 64])
{
	const char *text;
	char quoted[READER_TEXT_MAX];
	if (!reader_string(reader, name, 63, false, &text))
		return;
	if (is_namespace(text))
		strcpy(out, text);
	else
		reader_fault(reader, name, namespace_form, "%s is none", json_quote(text, quoted));
}

static void read_connection(struct kube_spec *spec, struct reader *reader)
{
	static const char *const explicit_fields[] = {"server", "token_file", "ca_file", "insecure_skip_tls_verify"};
	bool by_file = reader_field(reader, "kubeconfig") != NULL;
	for (unsigned i = 0; i < 4 && by_file; i++)
		if (reader_field(reader, explicit_fields[i]))
			reader_fault(reader, explicit_fields[i], "either it or \"kubeconfig\"",
			             "does not go with \"kubeconfig\", which says it");
	if (!by_file && reader_field(reader, "context"))
		reader_fault(reader, "context", "\"kubeconfig\" beside it", "belongs to \"kubeconfig\"");
	read_path(reader, "kubeconfig", spec->kubeconfig);
	read_label(reader, "context", spec->context);
	if (by_file)
		return;
	read_text(reader, "server", true, spec->server);
	const char *expected = spec->server[0] != '\0' ? kube_server_check(spec->server) : NULL;
	if (expected)
		reader_fault(reader, "server", expected, "is no such address");
	read_path(reader, "token_file", spec->token_file);
	read_path(reader, "ca_file", spec->ca_file);
	reader_bool(reader, "insecure_skip_tls_verify", &spec->insecure_skip_tls_verify);
	if (spec->insecure_skip_tls_verify && spec->ca_file[0] != '\0')
		reader_fault(reader, "insecure_skip_tls_verify", "false, or no \"ca_file\"",
		             "is true, so \"ca_file\" would not be used");
}

static void read_namespaces(struct kube_spec *spec, struct reader *routes)
{
	json_t *array = reader_array(routes, "namespaces", 0, KUBE_NAMESPACES_MAX, "namespaces");
	for (size_t i = 0; i < json_array_size(array); i++) {
		char field[48], quoted[READER_TEXT_MAX];
		const char *text = json_string_value(json_array_get(array, i));
		bool again = false;
		snprintf(field, sizeof(field), "namespaces[%zu]", i);
		if (!text || !is_namespace(text)) {
			reader_fault(routes, field, namespace_form, "%s is none",
			             text ? json_quote(text, quoted) : json_kind(json_array_get(array, i)));
			continue;
		}
		for (unsigned j = 0; j < spec->namespace_count; j++)
			again |= strcmp(spec->namespaces[j], text) == 0;
		if (again)
			reader_fault(routes, field, "each namespace once", "\"%s\" is there before", text);
		else
			strcpy(spec->namespaces[spec->namespace_count++], text);
	}
}

static void read_routes(struct kube_spec *spec, struct reader *watch)
{
	struct reader routes;
	int admission = 0;
	reader_open(&routes, reader_field(watch, "routes"), watch->faults, "%s.routes", watch->path);
	read_namespaces(spec, &routes);
	read_selector(&routes, spec->route_selector);
	strcpy(spec->router_name, spec->preset == KUBE_PRESET_OPENSHIFT3 ? "router" : "default");
	read_label(&routes, "router_name", spec->router_name);
	reader_choice(&routes, "admission", admissions, false, &admission);
	spec->admission_ignored = admission == 1;
	reader_close(&routes);
}

/* What the preset stands for. */
static void set_router_defaults(struct kube_spec *spec)
{
	strcpy(spec->container, "router");
	if (spec->preset == KUBE_PRESET_OPENSHIFT3) {
		strcpy(spec->router_namespace, "default");
		strcpy(spec->router_selector, "router=router");
		return;
	}
	strcpy(spec->router_namespace, "openshift-ingress");
	snprintf(spec->router_selector, sizeof(spec->router_selector),
	         "ingresscontroller.operator.openshift.io/deployment-ingresscontroller=%s", spec->router_name);
}

static void read_routers(struct kube_spec *spec, struct reader *routers)
{
	static const char *const fields[] = {"namespace", "label_selector", "container", "address"};
	if (spec->preset == KUBE_PRESET_STATIC) {
		for (unsigned i = 0; i < 4; i++)
			if (reader_field(routers, fields[i]))
				reader_fault(routers, fields[i], "no such field",
				             "does not go with \"preset\": \"static\", which watches no pods");
		return;
	}
	int address = 0;
	set_router_defaults(spec);
	read_namespace(routers, "namespace", spec->router_namespace);
	read_selector(routers, spec->router_selector);
	read_label(routers, "container", spec->container);
	reader_choice(routers, "address", addresses, false, &address);
	spec->pod_ip = address == 1;
}

struct kube_spec *kube_spec_read(json_t *value, struct json_faults *faults, const char *path)
{
	size_t faults_before = faults->count + faults->more;
	struct kube_spec *spec = calloc(1, sizeof(*spec));
	struct reader watch, routers;
	if (!spec)
		abort();
	if (!value)
		json_faults_add(faults, path, "an object with the API's address", "is missing");
	reader_open(&watch, value, faults, "%s", path);
	reader_open(&routers, reader_field(&watch, "routers"), faults, "%s.routers", path);
	int preset = KUBE_PRESET_OPENSHIFT4;
	reader_choice(&routers, "preset", presets, false, &preset);
	spec->preset = (enum kube_preset)preset;
	read_connection(spec, &watch);
	read_routes(spec, &watch);
	read_routers(spec, &routers);
	uint64_t minutes = RELIST_DEFAULT;
	reader_number(&watch, "relist_minutes", RELIST_MIN, RELIST_MAX, &minutes);
	spec->relist_minutes = (uint32_t)minutes;
	reader_close(&routers);
	reader_close(&watch);
	if (faults->count + faults->more == faults_before)
		return spec;
	free(spec);
	return NULL;
}

static void write_text(json_t *object, const char *name, const char *text)
{
	if (text[0] != '\0')
		json_object_set_new(object, name, json_string(text));
}

static json_t *write_routers(const struct kube_spec *spec)
{
	json_t *object = json_pack("{s:s}", "preset", presets[spec->preset]);
	if (spec->preset == KUBE_PRESET_STATIC)
		return object;
	json_object_set_new(object, "namespace", json_string(spec->router_namespace));
	json_object_set_new(object, "label_selector", json_string(spec->router_selector));
	json_object_set_new(object, "address", json_string(addresses[spec->pod_ip]));
	json_object_set_new(object, "container", json_string(spec->container));
	return object;
}

json_t *kube_spec_write(const struct kube_spec *spec)
{
	json_t *object = json_object(), *namespaces = json_array();
	write_text(object, "kubeconfig", spec->kubeconfig);
	write_text(object, "context", spec->context);
	write_text(object, "server", spec->server);
	write_text(object, "token_file", spec->token_file);
	write_text(object, "ca_file", spec->ca_file);
	if (spec->kubeconfig[0] == '\0')
		json_object_set_new(object, "insecure_skip_tls_verify", json_boolean(spec->insecure_skip_tls_verify));
	for (unsigned i = 0; i < spec->namespace_count; i++)
		json_array_append_new(namespaces, json_string(spec->namespaces[i]));
	json_object_set_new(object, "routes",
	                    json_pack("{s:o, s:s, s:s, s:s}", "namespaces", namespaces, "label_selector",
	                              spec->route_selector, "router_name", spec->router_name, "admission",
	                              admissions[spec->admission_ignored]));
	json_object_set_new(object, "routers", write_routers(spec));
	json_object_set_new(object, "relist_minutes", json_integer(spec->relist_minutes));
	return object;
}

/* YAML over libyaml's events: see the header. Aliases are refused: they could make a small text large. */
#include "control/kube/kube_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct level {
	json_t *container;
	char *key; /* of a mapping whose value is to come; owned */
};

struct builder {
	struct level levels[KUBE_YAML_DEPTH_MAX];
	unsigned depth;
	json_t *root;
	unsigned documents;
	const char *wrong; /* NULL: nothing yet */
};

static json_t *scalar(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "TRUE") == 0)
			return json_true();
		if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0 || strcmp(text, "FALSE") == 0)
			return json_false();
		if (len == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
			return json_null();
	}
	return json_stringn(text, len); /* NULL if it is no UTF-8, which libyaml has checked */
}

/* Puts a value where it belongs. Takes the reference. */
static void add(struct builder *builder, json_t *value)
{
	struct level *level = builder->depth > 0 ? &builder->levels[builder->depth - 1] : NULL;
	if (!level) {
		builder->root = value;
		return;
	}
	if (json_is_array(level->container)) {
		json_array_append_new(level->container, value);
		return;
	}
	if (json_object_get(level->container, level->key)) {
		builder->wrong = "the same key twice";
		json_decref(value);
	} else if (json_object_set_new(level->container, level->key, value) != 0) {
		builder->wrong = "a key with odd bytes";
	}
	free(level->key);
	level->key = NULL;
}

static bool wants_key(const struct builder *builder)
{
	if (builder->depth == 0)
		return false;
	const struct level *level = &builder->levels[builder->depth - 1];
	return json_is_object(level->container) && !level->key;
}

static void begin(struct builder *builder, json_t *container)
{
	if (builder->depth == KUBE_YAML_DEPTH_MAX || wants_key(builder)) {
		builder->wrong = builder->depth == KUBE_YAML_DEPTH_MAX ? "too many levels" : "a key that is no text";
		json_decref(container);
		return;
	}
	add(builder, container);
	if (builder->wrong)
		return;
	builder->levels[builder->depth++] = (struct level){container, NULL}; /* its owner keeps it alive */
}

static void take_scalar(struct builder *builder, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	if (!wants_key(builder)) {
		json_t *value = scalar(event);
		if (value)
			add(builder, value);
		else
			builder->wrong = "a text with odd bytes";
		return;
	}
	if (strlen(text) != event->data.scalar.length) {
		builder->wrong = "a key with odd bytes";
		return;
	}
	builder->levels[builder->depth - 1].key = strdup(text);
	if (!builder->levels[builder->depth - 1].key)
		abort();
}

static void take(struct builder *builder, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (builder->documents++ > 0)
			builder->wrong = "a second document";
		break;
	case YAML_MAPPING_START_EVENT:
		begin(builder, json_object());
		break;
	case YAML_SEQUENCE_START_EVENT:
		begin(builder, json_array());
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		builder->depth--;
		break;
	case YAML_SCALAR_EVENT:
		take_scalar(builder, event);
		break;
	case YAML_ALIAS_EVENT:
		builder->wrong = "an alias (*name), write out what it stands for";
		break;
	default:
		break;
	}
}

json_t *kube_yaml_parse(const char *text, size_t len, struct json_faults *faults)
{
	yaml_parser_t parser;
	yaml_event_t event;
	struct builder builder = {0};
	bool ended = false;
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (!ended && !builder.wrong) {
		if (!yaml_parser_parse(&parser, &event)) {
			json_faults_add(faults, "$", "YAML", "line %zu, column %zu: %s", parser.problem_mark.line + 1,
			                parser.problem_mark.column + 1, parser.problem ? parser.problem : "is no YAML");
			break;
		}
		take(&builder, &event);
		if (builder.wrong)
			json_faults_add(faults, "$", "YAML without it", "line %zu, column %zu: %s",
			                event.start_mark.line + 1, event.start_mark.column + 1, builder.wrong);
		ended = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	for (unsigned i = 0; i < KUBE_YAML_DEPTH_MAX; i++)
		free(builder.levels[i].key);
	if (ended && !builder.root)
		json_faults_add(faults, "$", "a kubeconfig", "is empty");
	if (ended && builder.root)
		return builder.root;
	json_decref(builder.root);
	return NULL;
}

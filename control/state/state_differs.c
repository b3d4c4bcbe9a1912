/* Differences of state documents: see the header. */
#include "control/state/state_differs.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_TEXT_MAX = 120, PATH_MAX_LEN = 160 };

struct lines {
	json_t *array;
	size_t more;
};

__attribute__((format(printf, 2, 3))) static void add(struct lines *lines, const char *format, ...)
{
	va_list args;
	if (json_array_size(lines->array) == STATE_DIFFERS_MAX) {
		lines->more++;
		return;
	}
	va_start(args, format);
	json_array_append_new(lines->array, json_vsprintf(format, args));
	va_end(args);
}

static const char *text_of(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));
	return text ? text : "";
}

/* "nothing" for what is absent. */
static const char *value_text(const json_t *value, char text[static VALUE_TEXT_MAX])
{
	char *dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(5)) : NULL;
	snprintf(text, VALUE_TEXT_MAX, "%s", dump ? dump : "nothing");
	free(dump);
	return text;
}

/* ---- settings ---- */

static void compare_values(struct lines *lines, const char *cluster, const char *path, const json_t *now,
                           const json_t *then);

static void compare_field(struct lines *lines, const char *cluster, const char *path, const char *field,
                          const json_t *now, const json_t *then)
{
	char longer[PATH_MAX_LEN];
	snprintf(longer, sizeof(longer), "%s%s%s", path, path[0] != '\0' ? "." : "", field);
	compare_values(lines, cluster, longer, json_object_get(now, field), json_object_get(then, field));
}

static void compare_values(struct lines *lines, const char *cluster, const char *path, const json_t *now,
                           const json_t *then)
{
	const char *field;
	json_t *value;
	char now_text[VALUE_TEXT_MAX], then_text[VALUE_TEXT_MAX];
	if (json_equal((json_t *)(uintptr_t)now, (json_t *)(uintptr_t)then))
		return;
	if (!json_is_object(now) || !json_is_object(then)) {
		add(lines, "cluster %s: %s %s -> %s", cluster, path, value_text(now, now_text),
		    value_text(then, then_text));
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)now, field, value)
	    compare_field(lines, cluster, path, field, now, then);
	json_object_foreach((json_t *)(uintptr_t)then, field, value) if (!json_object_get(now, field))
	    compare_field(lines, cluster, path, field, now, then);
}

/* All but hosts and routes, which have lines of their own. */
static void compare_settings(struct lines *lines, const char *cluster, const json_t *now, const json_t *then)
{
	static const char *const own[] = {"hosts", "routes"};
	json_t *a = json_copy((json_t *)(uintptr_t)now), *b = json_copy((json_t *)(uintptr_t)then);
	for (unsigned i = 0; i < 2; i++) {
		json_object_del(a, own[i]);
		json_object_del(b, own[i]);
	}
	compare_values(lines, cluster, "", a, b);
	json_decref(a);
	json_decref(b);
}

/* ---- lists ---- */

/* An object by the text that names each element. */
static json_t *keyed(const json_t *array, const char *(*key)(const json_t *element, char text[static VALUE_TEXT_MAX]))
{
	json_t *object = json_object();
	for (size_t i = 0; i < json_array_size(array); i++) {
		char text[VALUE_TEXT_MAX];
		json_t *element = json_array_get(array, i);
		json_object_set(object, key(element, text), element);
	}
	return object;
}

static const char *host_key(const json_t *host, char text[static VALUE_TEXT_MAX])
{
	snprintf(text, VALUE_TEXT_MAX, "%.60s (%.40s)", text_of(host, "name"), text_of(host, "address"));
	return text;
}

static const char *route_key(const json_t *route, char text[static VALUE_TEXT_MAX])
{
	return text_of(route, "host");
}

static const char *name_key(const json_t *name, char text[static VALUE_TEXT_MAX])
{
	return json_string_value(name) ? json_string_value(name) : "";
}

/* Two objects, by key. `what`: "router host %s", for one that is in both and differs also the values. */
static void compare_keyed(struct lines *lines, const char *cluster, const char *what, const json_t *now,
                          const json_t *then)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)now, key, value)
	{
		char now_text[VALUE_TEXT_MAX], then_text[VALUE_TEXT_MAX];
		const json_t *other = json_object_get(then, key);
		if (!other)
			add(lines, "cluster %s: %s %s would be gone", cluster, what, key);
		else if (!json_equal(value, (json_t *)(uintptr_t)other))
			add(lines, "cluster %s: %s %s: %s -> %s", cluster, what, key, value_text(value, now_text),
			    value_text(other, then_text));
	}
	json_object_foreach((json_t *)(uintptr_t)then, key, value)
	{
		char then_text[VALUE_TEXT_MAX];
		if (json_object_get(now, key))
			continue;
		if (json_is_object(value) || json_is_string(value))
			add(lines, "cluster %s: %s %s would be there", cluster, what, key);
		else
			add(lines, "cluster %s: %s %s would be %s", cluster, what, key, value_text(value, then_text));
	}
}

static void compare_lists(struct lines *lines, const char *cluster, const char *what, const json_t *now,
                          const json_t *then,
                          const char *(*key)(const json_t *element, char text[static VALUE_TEXT_MAX]))
{
	json_t *a = keyed(now, key), *b = keyed(then, key);
	compare_keyed(lines, cluster, what, a, b);
	json_decref(a);
	json_decref(b);
}

/* Names of hosts with their modes. */
static json_t *modes_of(const json_t *entry)
{
	json_t *object = json_object();
	const json_t *array = json_object_get(entry, "host_modes");
	for (size_t i = 0; i < json_array_size(array); i++) {
		char text[VALUE_TEXT_MAX];
		const json_t *one = json_array_get(array, i);
		json_object_set(object, host_key(one, text), json_object_get(one, "mode"));
	}
	return object;
}

static void compare_modes(struct lines *lines, const char *cluster, const json_t *now, const json_t *then)
{
	const char *host;
	json_t *mode, *a = modes_of(now), *b = modes_of(then);
	json_object_foreach(a, host, mode)
	{
		const char *other = json_string_value(json_object_get(b, host));
		if (!other || strcmp(other, json_string_value(mode)) != 0)
			add(lines, "cluster %s: router host %s: %s -> %s", cluster, host, json_string_value(mode),
			    other ? other : "enabled");
	}
	json_object_foreach(b, host, mode) if (!json_object_get(a, host))
	    add(lines, "cluster %s: router host %s: enabled -> %s", cluster, host, json_string_value(mode));
	json_decref(a);
	json_decref(b);
}

/* ---- whole ---- */

static const json_t *find_cluster(const json_t *document, const char *name)
{
	const json_t *clusters = json_object_get(document, "clusters");
	for (size_t i = 0; i < json_array_size(clusters); i++) {
		const json_t *entry = json_array_get(clusters, i);
		if (strcmp(text_of(json_object_get(entry, "cluster"), "name"), name) == 0)
			return entry;
	}
	return NULL;
}

static void compare_entries(struct lines *lines, const char *name, const json_t *now, const json_t *then)
{
	const json_t *a = json_object_get(now, "cluster"), *b = json_object_get(then, "cluster");
	bool same_source = strcmp(text_of(a, "source"), text_of(b, "source")) == 0;
	bool owned = same_source && strcmp(text_of(a, "source"), "push") == 0;
	compare_settings(lines, name, a, b);
	/* What was pushed stays. */
	if (!owned) {
		compare_lists(lines, name, "router host", json_object_get(a, "hosts"), json_object_get(b, "hosts"),
		              host_key);
		compare_lists(lines, name, "route", json_object_get(a, "routes"), json_object_get(b, "routes"),
		              route_key);
	}
	compare_modes(lines, name, now, then);
	compare_keyed(lines, name, "weight of route", json_object_get(now, "overrides"),
	              json_object_get(then, "overrides"));
	compare_lists(lines, name, "parking of route", json_object_get(now, "parked"), json_object_get(then, "parked"),
	              name_key);
}

json_t *state_differs(const json_t *now, const json_t *then)
{
	struct lines lines = {.array = json_array()};
	const json_t *before = json_object_get(now, "clusters"), *after = json_object_get(then, "clusters");
	for (size_t i = 0; i < json_array_size(before); i++) {
		const json_t *entry = json_array_get(before, i);
		const char *name = text_of(json_object_get(entry, "cluster"), "name");
		const json_t *other = find_cluster(then, name);
		if (other)
			compare_entries(&lines, name, entry, other);
		else
			add(&lines, "cluster %s would be gone", name);
	}
	for (size_t i = 0; i < json_array_size(after); i++) {
		const char *name = text_of(json_object_get(json_array_get(after, i), "cluster"), "name");
		if (!find_cluster(now, name))
			add(&lines, "cluster %s would be there again", name);
	}
	if (lines.more > 0)
		json_array_append_new(lines.array, json_sprintf("... and %zu more", lines.more));
	return lines.array;
}

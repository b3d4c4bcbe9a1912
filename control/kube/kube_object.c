/* Objects of a Kubernetes API: see the header. */
#include "control/kube/kube_object.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json_reader.h"

/* The length of the UTF-8 sequence that begins here (RFC 3629), 0 if none does. */
static size_t utf8_sequence(const unsigned char *byte, size_t left)
{
	size_t len = byte[0] < 0x80 ? 1 : byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	if (len == 0 || byte[0] > 0xf4 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
	if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] >= 0xa0) ||
	    (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] >= 0x90))
		return 0;
	return len;
}

static char *without_odd_bytes(const char *text, size_t len)
{
	char *copy = malloc(len);
	if (!copy)
		abort();
	memcpy(copy, text, len);
	for (size_t at = 0; at < len;) {
		size_t step = utf8_sequence((const unsigned char *)copy + at, len - at);
		if (step == 0) {
			copy[at] = '?';
			step = 1;
		}
		at += step;
	}
	return copy;
}

json_t *kube_json_parse(const char *text, size_t len, char why[static KUBE_WHY_MAX])
{
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, &error);
	if (!root && json_error_code(&error) == json_error_invalid_utf8) {
		char *mended = without_odd_bytes(text, len);
		root = json_loadb(mended, len, JSON_ALLOW_NUL, &error);
		free(mended);
	}
	if (!root)
		snprintf(why, KUBE_WHY_MAX, "is no JSON from byte %d of %zu on", error.position, len);
	return root;
}

static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot ? dot + 1 : path;
}

/* NULL for absent and null. */
static json_t *field_of(const json_t *object, const char *path)
{
	json_t *value = json_object_get(object, last_part(path));
	return json_is_null(value) ? NULL : value;
}

static bool wrong_type(const json_t *value, const char *path, char why[static KUBE_WHY_MAX])
{
	snprintf(why, KUBE_WHY_MAX, "%s is %s", path, json_kind(value));
	return false;
}

static bool has_nul(const json_t *string)
{
	return strlen(json_string_value(string)) != json_string_length(string);
}

bool kube_get_text(const json_t *object, const char *path, const char **out, char why[static KUBE_WHY_MAX])
{
	json_t *value = field_of(object, path);
	*out = NULL;
	if (value && !json_is_string(value))
		return wrong_type(value, path, why);
	if (value && has_nul(value)) {
		snprintf(why, KUBE_WHY_MAX, "%s has a NUL inside", path);
		return false;
	}
	*out = json_string_value(value);
	return true;
}

bool kube_get_object(const json_t *object, const char *path, json_t **out, char why[static KUBE_WHY_MAX])
{
	*out = field_of(object, path);
	return !*out || json_is_object(*out) || wrong_type(*out, path, why);
}

bool kube_get_array(const json_t *object, const char *path, json_t **out, char why[static KUBE_WHY_MAX])
{
	*out = field_of(object, path);
	return !*out || json_is_array(*out) || wrong_type(*out, path, why);
}

const char *kube_text(const json_t *object, const char *field)
{
	json_t *value = json_object_get(object, field);
	return json_is_string(value) && !has_nul(value) ? json_string_value(value) : NULL;
}

const json_t *kube_condition(const json_t *conditions, const char *type)
{
	size_t i;
	json_t *condition;
	json_array_foreach(conditions, i, condition)
	{
		const char *name = kube_text(condition, "type");
		if (name && strcmp(name, type) == 0)
			return condition;
	}
	return NULL;
}

bool kube_condition_true(const json_t *conditions, const char *type)
{
	const char *status = kube_text(kube_condition(conditions, type), "status");
	return status && strcmp(status, "True") == 0;
}

static bool plain(const char *text, size_t max)
{
	size_t len = strlen(text);
	if (len == 0 || len > max)
		return false;
	for (; *text != '\0'; text++)
		if (!isgraph((unsigned char)*text) || *text == '/')
			return false;
	return true;
}

/* A field of the metadata that has to be there and plain. */
static bool read_name(const json_t *metadata, const char *path, size_t max, const char **out,
                      char why[static KUBE_WHY_MAX])
{
	if (!kube_get_text(metadata, path, out, why))
		return false;
	if (*out && plain(*out, max))
		return true;
	if (!*out)
		snprintf(why, KUBE_WHY_MAX, "%s is missing", path);
	else
		snprintf(why, KUBE_WHY_MAX, "%s is empty, longer than %zu bytes, or not plain", path, max);
	return false;
}

bool kube_meta_read(const json_t *object, struct kube_meta *out, char why[static KUBE_WHY_MAX])
{
	json_t *metadata;
	const char *created, *deleted;
	if (!json_is_object(object)) {
		snprintf(why, KUBE_WHY_MAX, "is no object");
		return false;
	}
	if (!kube_get_object(object, "metadata", &metadata, why) ||
	    !read_name(metadata, "metadata.uid", OBSERVED_UID_MAX, &out->uid, why) ||
	    !read_name(metadata, "metadata.namespace", OBSERVED_NAMESPACE_MAX, &out->namespace, why) ||
	    !read_name(metadata, "metadata.name", OBSERVED_NAME_MAX, &out->name, why) ||
	    !kube_get_text(metadata, "metadata.creationTimestamp", &created, why) ||
	    !kube_get_text(metadata, "metadata.deletionTimestamp", &deleted, why) ||
	    !kube_get_object(metadata, "metadata.annotations", &out->annotations, why))
		return false;
	out->deleting = deleted != NULL;
	if (created && kube_time_parse(created, &out->created))
		return true;
	snprintf(why, KUBE_WHY_MAX, "metadata.creationTimestamp is %s", created ? "no time" : "missing");
	return false;
}

const char *kube_object_uid(const json_t *object)
{
	const char *uid = kube_text(json_object_get(object, "metadata"), "uid");
	return uid && plain(uid, OBSERVED_UID_MAX) ? uid : NULL;
}

const char *kube_object_version(const json_t *object)
{
	return kube_text(json_object_get(object, "metadata"), "resourceVersion");
}

const char *kube_object_name(const json_t *object, char text[static KUBE_OBJECT_NAME_MAX])
{
	static const char *const fields[] = {"namespace", "name"};
	json_t *metadata = json_object_get(object, "metadata");
	size_t len = 0;
	for (unsigned i = 0; i < 2; i++) {
		const char *part = kube_text(metadata, fields[i]);
		char quoted[READER_TEXT_MAX];
		json_quote(part && part[0] != '\0' ? part : "?", quoted);
		len += (size_t)snprintf(text + len, KUBE_OBJECT_NAME_MAX - len, "%.*s%s", (int)strlen(quoted) - 2,
		                        quoted + 1, i == 0 ? "/" : "");
	}
	return text;
}

void kube_words_trim(char *text)
{
	size_t len = strlen(text), start = len;
	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && utf8_sequence((const unsigned char *)text + start - 1, len - start + 1) == 0)
		text[start - 1] = '\0';
}

bool kube_time_parse(const char *text, int64_t *unix_ms)
{
	struct tm parts = {0};
	int milliseconds = 0, scale = 100;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	if (!end)
		return false;
	if (*end == '.')
		for (end++; isdigit((unsigned char)*end); end++, scale /= 10)
			milliseconds += scale * (*end - '0');
	if (strcmp(end, "Z") != 0)
		return false;
	*unix_ms = (int64_t)timegm(&parts) * 1000 + milliseconds;
	return true;
}

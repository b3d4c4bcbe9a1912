/* Reading answers of the API: see the header. */
#include "control/cli/fields.h"

#include <string.h>

#include "control/cli/units.h"

json_t *field(const json_t *object, const char *path)
{
	json_t *value = (json_t *)object;
	while (value && *path != '\0') {
		size_t len = strcspn(path, ".");
		value = json_object_getn(value, path, len);
		path += len + (path[len] == '.');
	}
	return json_is_null(value) ? NULL : value;
}

const char *field_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(field(object, path));
	return text ? text : "";
}

int64_t field_int(const json_t *object, const char *path)
{
	return (int64_t)json_number_value(field(object, path));
}

double field_real(const json_t *object, const char *path)
{
	return json_number_value(field(object, path));
}

bool field_true(const json_t *object, const char *path)
{
	return json_is_true(field(object, path));
}

int64_t field_time(const json_t *object, const char *path)
{
	return time_parse(field_text(object, path));
}

/* Small forms of views: see the header. */
#include "control/api/view.h"

#include <stdio.h>
#include <time.h>

json_t *view_number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

json_t *view_time(int64_t unix_ms)
{
	char text[40];
	struct tm parts;
	time_t seconds = (time_t)(unix_ms / 1000);
	if (unix_ms == 0 || !gmtime_r(&seconds, &parts))
		return json_null();
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(unix_ms % 1000));
	return json_string(text);
}

json_t *view_hold(const struct hold *hold)
{
	return json_pack("{s:s, s:o}", "reason", cluster_hold_text(hold->reason), "since", view_time(hold->since));
}

json_t *view_page(const struct control *control, struct api_page page, size_t total, const char *name, json_t *array)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "revision", view_number(control->state.revision), "total",
	                 view_number(total), "offset", view_number(page.offset), name, array);
}

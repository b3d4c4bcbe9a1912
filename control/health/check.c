/* Names and texts of check results. */
#include "control/health/check.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *text; /* %d in the text: the detail */
} kinds[check_kind_count] = {
    [CHECK_NONE] = {"none", "not checked yet"},
    [CHECK_OK] = {"ok", "status 200"},
    [CHECK_STATUS] = {"status", "status %d instead of 200"},
    [CHECK_REDIRECT] = {"redirect", "redirect (status %d), not followed"},
    [CHECK_REFUSED] = {"refused", "connection refused"},
    [CHECK_UNREACHABLE] = {"unreachable", "host unreachable"},
    [CHECK_CONNECT_TIMEOUT] = {"connect_timeout", "no answer to the connect in time"},
    [CHECK_ANSWER_TIMEOUT] = {"answer_timeout", "connected, but no complete answer in time"},
    [CHECK_NOT_HTTP] = {"not_http", "the answer is not HTTP"},
    [CHECK_INCOMPLETE] = {"incomplete", "connection closed before the answer was complete"},
    [CHECK_RESET] = {"reset", "connection reset during the answer"},
    [CHECK_TOO_LARGE] = {"too_large", "answer of more than 64 KiB"},
    [CHECK_FAILED] = {"failed", "the check itself failed (curl error %d)"},
    [CHECK_TRAFFIC] = {"traffic", "three connects of clients in a row failed"},
};

const char *check_kind_name(enum check_kind kind)
{
	return kinds[kind].name;
}

enum check_kind check_kind_from_name(const char *name)
{
	for (int i = 0; i < check_kind_count; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return (enum check_kind)i;
	return CHECK_NONE;
}

const char *check_result_text(struct check_result result, char text[static CHECK_TEXT_MAX])
{
	const char *format = kinds[result.kind].text;
	const char *place = strstr(format, "%d");
	if (place)
		snprintf(text, CHECK_TEXT_MAX, "%.*s%d%s", (int)(place - format), format, result.detail, place + 2);
	else
		snprintf(text, CHECK_TEXT_MAX, "%s", format);
	return text;
}

/* Messages of the API in the words of the command line: see the header. */
#include "control/cli/wording.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 2, VALUE_LEN_MAX = 300 };

/* "{}" stands for a value. The first that fits counts. */
static const struct wording {
	const char *call, *command;
} wordings[] = {
    {"GET /api/v1/clusters", "pointsman clusters"},
    {"GET /api/v1/hosts?cluster={}", "pointsman hosts -c {}"},
    {"GET /api/v1/hosts", "pointsman hosts"},
    {"GET /api/v1/routes", "pointsman routes"},
    {"GET /api/v1/diff?from={}&to={}", "pointsman diff {} {}"},
    {"GET /api/v1/connections", "pointsman conns"},
    {"GET /api/v1/revisions", "pointsman revision list"},
    {"GET /api/v1/tokens", "pointsman token list"},
    {"GET /api/v1/events", "pointsman events"},
    {"POST /api/v1/clusters/{}/activate", "pointsman cluster activate {}"},
    {"POST /api/v1/clusters/{}/drain", "pointsman cluster drain {}"},
    {"POST /api/v1/clusters/{}/offline with {\"close\": true}", "pointsman cluster offline {} --close"},
    {"POST /api/v1/clusters/{}/held/confirm", "pointsman held confirm {}"},
    {"If-Match is \"{}\"", "--if-revision is {}"},
    {"If-Match: \"{}\"", "--if-revision {}"},
    {"Authorization: Bearer TOKEN", "--token-file FILE"},
};

struct values {
	unsigned count;
	char list[VALUES_MAX][VALUE_LEN_MAX];
};

/* The bytes of `text` that the call takes; 0: it does not stand there. */
static size_t match(const char *call, const char *text, struct values *values)
{
	const char *begin = text;
	values->count = 0;
	while (*call != '\0') {
		if (strncmp(call, "{}", 2) != 0) {
			if (*call++ != *text++)
				return 0;
			continue;
		}
		call += 2;
		size_t len = strcspn(text, " ,;()\"&/");
		if (len == 0 || len >= VALUE_LEN_MAX || values->count == VALUES_MAX)
			return 0;
		memcpy(values->list[values->count], text, len);
		values->list[values->count++][len] = '\0';
		text += len;
	}
	/* "/clusters" does not begin "/clusters/v1". */
	return isalnum((unsigned char)*text) || (*text != '\0' && strchr("/?&-_", *text)) ? 0 : (size_t)(text - begin);
}

static void put(FILE *out, const char *command, const struct values *values)
{
	unsigned next = 0;
	for (; *command != '\0'; command++) {
		if (strncmp(command, "{}", 2) != 0) {
			fputc(*command, out);
			continue;
		}
		fputs(values->list[next++], out);
		command++;
	}
}

char *wording_make(const char *text)
{
	char *made;
	size_t size;
	FILE *out = open_memstream(&made, &size);
	if (!out)
		abort();
	while (*text != '\0') {
		struct values values;
		size_t len = 0;
		for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]) && len == 0; i++)
			if ((len = match(wordings[i].call, text, &values)) > 0)
				put(out, wordings[i].command, &values);
		if (len == 0)
			fputc(*text, out);
		text += len > 0 ? len : 1;
	}
	if (fclose(out) != 0)
		abort();
	return made;
}

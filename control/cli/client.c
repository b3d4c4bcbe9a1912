/* One call of the admin API at a time: see the header. */
#include "control/cli/client.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	CONNECT_TIMEOUT_MS = 5000,
	TIMEOUT_MS = 60000, /* a probe or an import of many routes takes a while */
	ANSWER_MAX = 1 << 30,
};

struct client {
	const struct settings *settings;
	CURL *curl;
	atomic_bool stopped;
};

struct client *client_new(const struct settings *settings)
{
	struct client *client = calloc(1, sizeof(*client));
	if (!client || !(client->curl = curl_easy_init()))
		abort();
	client->settings = settings;
	return client;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	free(client);
}

void client_stop(struct client *client)
{
	atomic_store(&client->stopped, true);
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	return atomic_load(&((struct client *)context)->stopped);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	size_t len = size * count;
	if (answer->len + len > ANSWER_MAX)
		return 0;
	char *text = realloc(answer->text, answer->len + len + 1);
	if (!text)
		abort();
	memcpy(text + answer->len, bytes, len);
	answer->text = text;
	answer->len += len;
	text[answer->len] = '\0';
	return len;
}

/* Of the fields only ETag matters: "12" with its quotes. */
static size_t on_field(char *bytes, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	size_t len = size * count;
	if (len < 5 || strncasecmp(bytes, "ETag:", 5) != 0)
		return len;
	const char *from = memchr(bytes, '"', len),
	           *to = from ? memchr(from + 1, '"', len - (size_t)(from + 1 - bytes)) : NULL;
	if (to) {
		free(answer->revision);
		answer->revision = strndup(from + 1, (size_t)(to - from - 1));
	}
	return len;
}

static void add_field(struct curl_slist **fields, const char *format, const char *value)
{
	char *line;
	if (asprintf(&line, format, value) < 0 || !(*fields = curl_slist_append(*fields, line)))
		abort();
	explicit_bzero(line, strlen(line));
	free(line);
}

static struct curl_slist *fields_of(const struct client *client, const struct request *request)
{
	struct curl_slist *fields = NULL;
	add_field(&fields, "Accept: %s", "application/json");
	add_field(&fields, "%s", "Expect:"); /* no "100-continue": bodies are sent at once */
	if (client->settings->token)
		add_field(&fields, "Authorization: Bearer %s", client->settings->token);
	if (request->body)
		add_field(&fields, "Content-Type: %s", "application/json");
	if (request->if_match)
		add_field(&fields, "If-Match: \"%s\"", request->if_match);
	return fields;
}

static void set_security(CURL *curl, const struct settings *settings)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (settings_are_local(settings)) /* a proxy of the environment cannot know this machine */
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	if (settings->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca);
	if (settings->insecure) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_body(CURL *curl, const struct request *request)
{
	if (strcmp(request->method, "GET") == 0)
		return;
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (!request->body && strcmp(request->method, "DELETE") == 0)
		return;
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->body ? strlen(request->body) : 0));
}

bool client_call(struct client *client, const struct request *request, struct answer *answer)
{
	char *url;
	CURL *curl = client->curl;
	*answer = (struct answer){0};
	if (asprintf(&url, "%s%s", client->settings->url, request->target) < 0)
		abort();
	struct curl_slist *fields = fields_of(client, request);
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "pointsman/" PM_VERSION);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms > 0 ? request->timeout_ms : (long)TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_field);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
	set_security(curl, client->settings);
	set_body(curl, request);
	answer->failure = curl_easy_perform(curl);
	if (answer->failure == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	else if (answer->error[0] == '\0')
		snprintf(answer->error, sizeof(answer->error), "%s", curl_easy_strerror(answer->failure));
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(fields);
	free(url);
	if (answer->text)
		answer->json = json_loadb(answer->text, answer->len, JSON_ALLOW_NUL, NULL);
	return answer->status != 0;
}

void answer_free(struct answer *answer)
{
	free(answer->text);
	free(answer->revision);
	json_decref(answer->json);
	*answer = (struct answer){0};
}

/* ---- targets ---- */

static void put_encoded(FILE *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~*:@";
	for (; *text != '\0'; text++)
		if (strchr(plain, *text))
			fputc(*text, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*text);
}

char *target_make(const char *format, ...)
{
	va_list list;
	char *target = NULL;
	size_t size;
	FILE *out = open_memstream(&target, &size);
	if (!out)
		abort();
	va_start(list, format);
	for (; *format != '\0'; format++) {
		if (format[0] == '%' && format[1] == 's') {
			put_encoded(out, va_arg(list, const char *));
			format++;
		} else
			fputc(*format, out);
	}
	va_end(list);
	if (fclose(out) != 0)
		abort();
	return target;
}

char *target_add(char *target, const char *name, const char *value)
{
	if (!value)
		return target;
	char *pair = target_make("%s=%s", name, value), *longer;
	if (asprintf(&longer, "%s%c%s", target, strchr(target, '?') ? '&' : '?', pair) < 0)
		abort();
	free(pair);
	free(target);
	return longer;
}

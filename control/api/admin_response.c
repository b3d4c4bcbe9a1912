/* Responses: see the header. */
#include "control/api/admin_response.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_BLOCK = 64 << 10 };

/* Nothing but our own files, no inline script, no frame around us. */
static const char security_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src "
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static struct MHD_Response *from_json(const json_t *json)
{
	size_t len = json_dumpb(json, NULL, 0, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	char *text = malloc(len + 1);
	if (!text)
		return NULL;
	json_dumpb(json, text, len, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	text[len++] = '\n'; /* for people at a terminal */
	return MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
}

static ssize_t read_source(void *context, uint64_t at, char *out, size_t size)
{
	struct api_source *source = context;
	size_t len = source->read(source, out, size);
	return len > 0 ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_source(void *context)
{
	struct api_source *source = context;
	source->free(source);
}

static struct MHD_Response *from_source(struct api_reply *reply)
{
	struct api_source *source = reply->source;
	reply->source = NULL;
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SOURCE_BLOCK, read_source, source, free_source);
}

static struct MHD_Response *from_body(struct api_reply *reply)
{
	if (reply->json)
		return from_json(reply->json);
	if (reply->bytes)
		return MHD_create_response_from_buffer(reply->len, (void *)(uintptr_t)reply->bytes,
		                                       MHD_RESPMEM_PERSISTENT);
	if (reply->source)
		return from_source(reply);
	if (reply->owned) {
		char *text = reply->owned;
		reply->owned = NULL;
		return MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	}
	const char *text = reply->text ? reply->text : "";
	return MHD_create_response_from_buffer(strlen(text), (char *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
}

void admin_response_harden(struct MHD_Response *response)
{
	MHD_add_response_header(response, "Content-Security-Policy", security_policy);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "X-Frame-Options", "DENY");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

static void add_type(struct MHD_Response *response, const struct api_reply *reply)
{
	const char *type = reply->type ? reply->type : "text/plain; charset=utf-8";
	if (reply->json)
		type = reply->status >= 400 ? "application/problem+json" : "application/json";
	if (reply->status != 304)
		MHD_add_response_header(response, "Content-Type", type);
}

static void add_tag(struct MHD_Response *response, const struct api_reply *reply)
{
	char revision[32];
	snprintf(revision, sizeof(revision), "\"%" PRIu64 "\"", reply->revision);
	if (reply->etag)
		MHD_add_response_header(response, "ETag", reply->etag);
	else if (reply->revision != 0)
		MHD_add_response_header(response, "ETag", revision);
	/* A page file may be kept, if it is asked each time whether it is still the same. */
	MHD_add_response_header(response, "Cache-Control", reply->etag ? "no-cache" : "no-store");
}

struct MHD_Response *admin_response(struct api_reply *reply)
{
	char seconds[16];
	struct MHD_Response *response = from_body(reply);
	if (!response)
		return NULL;
	add_type(response, reply);
	add_tag(response, reply);
	admin_response_harden(response);
	snprintf(seconds, sizeof(seconds), "%u", reply->retry_after);
	if (reply->allow[0] != '\0')
		MHD_add_response_header(response, "Allow", reply->allow);
	if (reply->cookie[0] != '\0')
		MHD_add_response_header(response, "Set-Cookie", reply->cookie);
	if (reply->retry_after > 0)
		MHD_add_response_header(response, "Retry-After", seconds);
	if (reply->status == 401)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"pointsman\"");
	if (reply->status == 426)
		MHD_add_response_header(response, "Sec-WebSocket-Version", "13");
	return response;
}

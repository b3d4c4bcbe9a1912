/* Answers that are trouble: see the header. */
#include "control/kube/kube_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/json_reader.h"
#include "control/kube/kube_object.h"

void kube_trouble_set(struct kube_trouble *out, const char *format, ...)
{
	va_list args;
	*out = (struct kube_trouble){.kind = KUBE_AWAY};
	va_start(args, format);
	vsnprintf(out->words, sizeof(out->words), format, args);
	va_end(args);
	kube_words_trim(out->words);
}

static enum kube_trouble_kind kind_of(int code)
{
	if (code == 429)
		return KUBE_BUSY;
	if (code == 410)
		return KUBE_GONE;
	return code >= 400 && code < 500 && code != 408 ? KUBE_DENIED : KUBE_AWAY;
}

/* What a code means for whoever runs this, NULL: the API's own words have to do. */
static const char *meaning_of(int code)
{
	switch (code) {
	case 401:
		return "the API does not accept the token: put a valid one into the token file";
	case 403:
		return "the API forbids it: give the token's account the rights to list and watch";
	case 404:
		return "the API does not know this resource";
	case 410:
		return "the API has forgotten this version";
	case 429:
		return "the API asks for fewer requests";
	default:
		return code >= 300 && code < 400 ? "the API redirects, which is not followed: give its own address"
		                                 : NULL;
	}
}

/* `status`: a Status object, or anything else. */
static void set_trouble(int code, const json_t *status, uint64_t retry_after, struct kube_trouble *out)
{
	const char *meaning = meaning_of(code), *message = kube_text(status, "message");
	const json_t *details = json_object_get(status, "details");
	char quoted[READER_TEXT_MAX] = "";
	if (message && message[0] != '\0')
		json_quote(message, quoted);
	kube_trouble_set(out, "status %d%s%s%s%s", code, meaning ? ": " : "", meaning ? meaning : "",
	                 quoted[0] != '\0' ? ": " : "", quoted);
	if (retry_after == 0 && json_integer_value(json_object_get(details, "retryAfterSeconds")) > 0)
		retry_after = (uint64_t)json_integer_value(json_object_get(details, "retryAfterSeconds"));
	out->kind = kind_of(code);
	out->answered = true;
	out->unauthorized = code == 401;
	out->retry_after_ms = retry_after > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)retry_after * 1000;
}

void kube_answer_trouble(int status, const char *body, size_t len, uint64_t retry_after, struct kube_trouble *out)
{
	json_t *root = json_loadb(body, len, 0, NULL);
	set_trouble(status, root, retry_after, out);
	json_decref(root);
}

void kube_status_trouble(const json_t *status, struct kube_trouble *out)
{
	json_int_t code = json_integer_value(json_object_get(status, "code"));
	const char *reason = kube_text(status, "reason");
	if (reason && (strcmp(reason, "Expired") == 0 || strcmp(reason, "Gone") == 0))
		code = 410;
	set_trouble(code > 0 && code < 1000 ? (int)code : 0, status, 0, out);
}

/* Any bytes as the stream of a watch, and as a list: no answer depends on how they are cut, every line is an event or
 * garbage, and every object is decoded or refused with words. */
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_line.h"
#include "control/kube/kube_page.h"
#include "control/kube/kube_pod.h"
#include "control/kube/kube_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

/* What was handed over, as one number. */
struct digest {
	uint64_t sum;
	size_t count;
};

static void add(struct digest *digest, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		digest->sum = (digest->sum ^ (unsigned char)bytes[i]) * 0x100000001b3;
	digest->sum = (digest->sum ^ 0x100) * 0x100000001b3;
	digest->count++;
}

static void check_words(const char *words)
{
	json_t *text = json_string(words); /* NULL: no UTF-8 */
	require(text && strlen(words) < KUBE_WHY_MAX);
	json_decref(text);
}

static void decode(const json_t *object)
{
	struct observed_route route;
	struct observed_router router;
	char why[KUBE_WHY_MAX], name[KUBE_OBJECT_NAME_MAX];
	for (unsigned ignored = 0; ignored < 2; ignored++) {
		enum kube_verdict verdict =
		    kube_route_decode(object, &(struct kube_route_rules){"default", ignored == 1}, &route, why);
		check_words(why);
		require(verdict != KUBE_BROKEN || why[0] != '\0');
		if (verdict == KUBE_SERVES) {
			require(route.host.len > 0 && strlen(route.host.text) == route.host.len);
			require(route.uid[0] != '\0' && route.weight <= 100 && (route.http || route.https));
			check_words(route.warning);
		}
		verdict = kube_pod_decode(object, &(struct kube_pod_rules){"router", ignored == 1}, &router, why);
		check_words(why);
		require(verdict != KUBE_BROKEN || why[0] != '\0');
		require(verdict != KUBE_SERVES || (router.uid[0] != '\0' && (router.http_port || router.https_port)));
	}
	require(strlen(kube_object_name(object, name)) < KUBE_OBJECT_NAME_MAX);
}

static bool take_line(void *context, const char *text, size_t len)
{
	struct kube_event event;
	char why[KUBE_WHY_MAX] = "";
	add(context, text, len);
	if (!kube_event_decode(text, len, &event, why)) {
		check_words(why);
		return true;
	}
	decode(event.object);
	json_decref(event.object);
	return true;
}

static void take_item(void *context, json_t *item, const char *why)
{
	char *text = item ? json_dumps(item, JSON_ENCODE_ANY) : NULL;
	if (item)
		decode(item);
	else
		check_words(why);
	add(context, text ? text : "-", text ? strlen(text) : 1);
	free(text);
}

static void stream(const char *text, size_t size, size_t cut)
{
	struct kube_lines lines = {0};
	struct digest whole = {0}, pieces = {0};
	kube_lines_feed(&lines, text, size, take_line, &whole);
	kube_lines_clear(&lines);
	kube_lines_feed(&lines, text, cut, take_line, &pieces);
	kube_lines_feed(&lines, text + cut, size - cut, take_line, &pieces);
	kube_lines_clear(&lines);
	require(whole.sum == pieces.sum && whole.count == pieces.count);
}

static bool list(const char *text, size_t size, size_t cut, struct digest *digest)
{
	struct kube_page page = {0};
	struct kube_page_head head;
	char why[KUBE_WHY_MAX] = "";
	kube_page_feed(&page, text, cut, take_item, digest);
	kube_page_feed(&page, text + cut, size - cut, take_item, digest);
	bool good = kube_page_end(&page, "RouteList", &head, why);
	check_words(why);
	require(good == (head.version != NULL));
	kube_page_head_free(&head);
	kube_page_clear(&page);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest whole = {0}, pieces = {0};
	size_t cut = size > 0 ? data[0] * size / 256 : 0;
	stream((const char *)data, size, cut);
	bool good = list((const char *)data, size, 0, &whole);
	require(list((const char *)data, size, cut, &pieces) == good);
	require(whole.sum == pieces.sum && whole.count == pieces.count);
	return 0;
}

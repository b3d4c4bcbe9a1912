/* kube_page: items out of pages cut anywhere, bad items, limits, and what is no list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_page.h"
#include "tests/unit/recorded.h"

struct seen {
	char text[8192];
	unsigned count;
};

static void note(void *context, json_t *item, const char *why)
{
	struct seen *seen = context;
	size_t len = strlen(seen->text);
	char *dump = item ? json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : strdup(why);
	const char *name = kube_text(json_object_get(item, "metadata"), "name");
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s|", name ? name : dump);
	free(dump);
	seen->count++;
}

#define HEAD "\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"5\"}"

/* Items, then the outcome: the version, "+token", or why it is no list. */
static void read_page(const char *text, size_t cut, struct seen *seen)
{
	struct kube_page page = {0};
	struct kube_page_head head;
	char why[KUBE_WHY_MAX] = "";
	size_t len = strlen(text);
	*seen = (struct seen){{0}, 0};
	bool fits =
	    kube_page_feed(&page, text, cut, note, seen) && kube_page_feed(&page, text + cut, len - cut, note, seen);
	bool good = kube_page_end(&page, "L", &head, why);
	assert_true(fits || !good);
	size_t at = strlen(seen->text);
	if (good)
		snprintf(seen->text + at, sizeof(seen->text) - at, "%s%s%s", head.version,
		         head.continue_from ? "+" : "", head.continue_from ? head.continue_from : "");
	else
		snprintf(seen->text + at, sizeof(seen->text) - at, "%s", why);
	kube_page_head_free(&head);
	kube_page_clear(&page);
}

static void pages(void **state)
{
	static const struct {
		const char *text, *seen;
	} cases[] = {
	    {"{" HEAD ",\"items\":[]}", "5"},
	    {"{" HEAD ",\"items\":null}", "5"},
	    {" {\n\"items\" : [ {\"a\" : 1} ,\n{\"b\":[1,{\"c\":\"]}\"}]} ] , " HEAD " }\n",
	     "{\"a\":1}|{\"b\":[1,{\"c\":\"]}\"}]}|5"},
	    {"{\"items\":[{\"a\":\"\\\"]\\\\\"},{}],\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"5\","
	     "\"continue\":\"t\"}}",
	     "{\"a\":\"\\\"]\\\\\"}|{}|5+t"},
	    {"{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"\"},\"kind\":\"L\",\"items\":[]}", "5"},
	    /* Only the top object's items count. */
	    {"{\"x\":{\"items\":[1,2]},\"y\":\"items\",\"z\":[3]," HEAD ",\"items\":[{}]}", "{}|5"},
	    {"{" HEAD ",\"items\":[null,5,\"a,]b\",[1],{}]}", "is no JSON from byte 4 of 4 on|"},
	    {"{" HEAD ",\"items\":[{\"a\":},{\"b\":1}]}", ""},
	    /* No lists. */
	    {"", "is no JSON from byte 0 of 0 on"},
	    {"<html>", ""},
	    {"404 page not found\n", ""},
	    {"[]", "is no L"},
	    {"{}", "is no L"},
	    {"{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}", "is no L"},
	    {"{" HEAD "}", "is a L without items"},
	    {"{" HEAD ",\"items\":{}}", "is a L without items"},
	    {"{\"kind\":\"L\",\"items\":[]}", "is a L without a resourceVersion"},
	    {"{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}",
	     "is a L without a resourceVersion"},
	    {"{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"0\"},\"items\":[]}",
	     "is a L without a resourceVersion"},
	    {"{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":5},\"items\":[]}", "is a L without a resourceVersion"},
	    /* Cut. */
	    {"{" HEAD ",\"items\":[{\"a\":1},{\"b\"", "{\"a\":1}|was cut"},
	    {"{" HEAD ",\"items\":[{\"a\":1},", "{\"a\":1}|was cut"},
	    {"{" HEAD ",\"items\":[{\"a\":1}]", "{\"a\":1}|was cut"},
	    {"{" HEAD ",\"items\":[}", "was cut"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct seen whole, seen;
		read_page(cases[i].text, 0, &whole);
		if (cases[i].seen[0] != '\0')
			assert_true(strstr(whole.text, cases[i].seen) || strcmp(whole.text, cases[i].seen) == 0);
		for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
			read_page(cases[i].text, cut, &seen);
			assert_string_equal(seen.text, whole.text);
		}
	}
}

/* What cannot be read is one item; the others come. */
static void bad_items(void **state)
{
	struct seen seen;
	read_page("{" HEAD ",\"items\":[{\"a\":},{\"b\":1},{\"c\":\"\xff\"},5]}", 0, &seen);
	assert_string_equal(seen.text,
	                    "is no JSON from byte 6 of 6 on|{\"b\":1}|{\"c\":\"?\"}|is no JSON from byte 1 of 1 on|5");
}

static void recorded_pages(void **state)
{
	static const struct {
		const char *name, *items, *token;
	} cases[] = {
	    {"routes-list-page1", "generated|pass|subdom|",
	     "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjIxLCJzdGFydCI6InNob3Avc3ViZG9tXHUwMDAwIn0"},
	    {"routes-list-page2", "web|web-api|wild|", NULL},
	    {"routes-list", "generated|pass|subdom|web|web-api|wild|", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct recorded recorded = recorded_load(cases[i].name);
		for (size_t cut = 0; cut <= recorded.body_len; cut += i == 1 ? 1 : 97) {
			struct kube_page page = {0};
			struct kube_page_head head;
			struct seen seen = {{0}, 0};
			char why[KUBE_WHY_MAX];
			assert_true(kube_page_feed(&page, recorded.body, cut, note, &seen));
			assert_true(kube_page_feed(&page, recorded.body + cut, recorded.body_len - cut, note, &seen));
			assert_true(kube_page_end(&page, "RouteList", &head, why));
			assert_string_equal(seen.text, cases[i].items);
			assert_string_equal(head.version, "221");
			if (cases[i].token)
				assert_string_equal(head.continue_from, cases[i].token);
			else
				assert_null(head.continue_from);
			kube_page_head_free(&head);
			kube_page_clear(&page);
		}
		recorded_free(&recorded);
	}
}

static void feed(struct kube_page *page, const char *text, struct seen *seen)
{
	kube_page_feed(page, text, strlen(text), note, seen);
}

/* A megabyte of annotation is taken, an endless item is left out, endless other bytes end the page. */
static void limits(void **state)
{
	char *filler = malloc(1 << 20), why[KUBE_WHY_MAX];
	struct kube_page page = {0};
	struct kube_page_head head;
	struct seen seen = {{0}, 0};
	memset(filler, 'x', 1 << 20);
	feed(&page, "{" HEAD ",\"items\":[{\"metadata\":{\"name\":\"large\",\"a\":\"", &seen);
	assert_true(kube_page_feed(&page, filler, 1 << 20, note, &seen));
	feed(&page, "\"}},{\"b\":\"", &seen);
	for (unsigned i = 0; i < 5; i++)
		assert_true(kube_page_feed(&page, filler, 1 << 20, note, &seen));
	feed(&page, "\"},{\"metadata\":{\"name\":\"next\"}}]}", &seen);
	assert_true(kube_page_end(&page, "L", &head, why));
	assert_string_equal(seen.text, "large|is longer than 4194304 bytes|next|");
	kube_page_head_free(&head);
	kube_page_clear(&page);

	feed(&page, "{\"x\":\"", &seen);
	assert_false(kube_page_feed(&page, filler, 1 << 20, note, &seen));
	assert_false(kube_page_end(&page, "L", &head, why));
	assert_string_equal(why, "has more than 262144 bytes beside its items");
	kube_page_clear(&page);
	free(filler);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pages),
	    cmocka_unit_test(bad_items),
	    cmocka_unit_test(recorded_pages),
	    cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

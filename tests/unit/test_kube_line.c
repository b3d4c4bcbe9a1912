/* kube_line: lines cut anywhere, the limit, events of every type, and the recorded watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_line.h"
#include "tests/unit/recorded.h"

struct seen {
	char *text;
	size_t len, size;
	unsigned stop_at; /* line; 0: never */
	unsigned count;
};

static void append(struct seen *seen, const char *text, size_t len)
{
	if (seen->len + len + 2 > seen->size) {
		seen->size = (seen->len + len + 2) * 2;
		seen->text = realloc(seen->text, seen->size);
	}
	memcpy(seen->text + seen->len, text, len);
	seen->len += len;
	seen->text[seen->len++] = '|';
	seen->text[seen->len] = '\0';
}

static bool note(void *context, const char *text, size_t len)
{
	struct seen *seen = context;
	append(seen, text, len);
	return ++seen->count != seen->stop_at;
}

static void lines(void **state)
{
	struct kube_lines lines = {0};
	struct seen seen = {0};
	assert_true(kube_lines_feed(&lines, "", 0, note, &seen));
	assert_true(kube_lines_feed(&lines, "a\nbc\r\n\n\r\nd", 10, note, &seen));
	assert_string_equal(seen.text, "a|bc|");
	assert_true(kube_lines_feed(&lines, "e", 1, note, &seen));
	assert_true(kube_lines_feed(&lines, "\nf\n", 3, note, &seen));
	assert_string_equal(seen.text, "a|bc|de|f|");
	kube_lines_clear(&lines);
	free(seen.text);
}

static void stopping(void **state)
{
	struct kube_lines lines = {0};
	struct seen seen = {.stop_at = 2};
	assert_false(kube_lines_feed(&lines, "a\nb\nc\n", 6, note, &seen));
	assert_string_equal(seen.text, "a|b|");
	assert_false(lines.too_long);
	kube_lines_clear(&lines);
	free(seen.text);
}

/* A line of 1.2 MB in pieces, the longest there may be, and one byte more. */
static void long_lines(void **state)
{
	const size_t lengths[] = {1200000, KUBE_LINE_MAX, KUBE_LINE_MAX + 1};
	for (unsigned i = 0; i < 3; i++) {
		struct kube_lines lines = {0};
		struct seen seen = {0};
		char *text = malloc(lengths[i] + 1);
		memset(text, 'x', lengths[i]);
		text[lengths[i]] = '\n';
		bool good = true;
		for (size_t at = 0; good && at <= lengths[i]; at += 16384) {
			size_t left = lengths[i] + 1 - at;
			good = kube_lines_feed(&lines, text + at, left < 16384 ? left : 16384, note, &seen);
		}
		assert_int_equal(good, i < 2);
		assert_int_equal(lines.too_long, i == 2);
		assert_int_equal(seen.count, i < 2);
		/* In one piece it is no different. */
		kube_lines_clear(&lines);
		assert_int_equal(kube_lines_feed(&lines, text, lengths[i] + 1, note, &seen), i < 2);
		kube_lines_clear(&lines);
		free(seen.text);
		free(text);
	}
}

/* The recorded stream, its chunks cut in two at every byte. */
static void every_cut(void **state)
{
	struct recorded recorded = recorded_load("routes-watch");
	struct seen whole = {0};
	struct kube_lines lines = {0};
	assert_true(kube_lines_feed(&lines, recorded.body, recorded.body_len, note, &whole));
	assert_int_equal(whole.count, 11);
	for (size_t cut = 0; cut <= recorded.body_len; cut++) {
		struct seen seen = {0};
		assert_true(kube_lines_feed(&lines, recorded.body, cut, note, &seen));
		assert_true(kube_lines_feed(&lines, recorded.body + cut, recorded.body_len - cut, note, &seen));
		assert_int_equal(lines.len, 0);
		assert_string_equal(seen.text, whole.text);
		free(seen.text);
	}
	struct seen seen = {0};
	for (size_t i = 0; i < recorded.body_len; i++)
		assert_true(kube_lines_feed(&lines, recorded.body + i, 1, note, &seen));
	assert_string_equal(seen.text, whole.text);
	free(seen.text);
	free(whole.text);
	kube_lines_clear(&lines);
	recorded_free(&recorded);
}

static bool decode(const char *text, struct kube_event *event, char why[static KUBE_WHY_MAX])
{
	return kube_event_decode(text, strlen(text), event, why);
}

static void event_types(void **state)
{
	static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "RENAMED"};
	for (int i = 0; i <= KUBE_TYPE_UNKNOWN; i++) {
		char text[100], why[KUBE_WHY_MAX];
		struct kube_event event;
		snprintf(text, sizeof(text), "{\"type\":\"%s\",\"object\":{\"a\":%d},\"more\":1}", names[i], i);
		assert_true(decode(text, &event, why));
		assert_int_equal(event.type, i);
		assert_int_equal(json_integer_value(json_object_get(event.object, "a")), i);
		json_decref(event.object);
	}
}

static void garbage(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"SECRET", "is no JSON from byte 1 of 6 on"},
	    {"{\"type\":\"ADDED\",\"object\":{", "is no JSON from byte 26 of 26 on"},
	    {"[]", "is JSON without a type"},
	    {"{}", "is JSON without a type"},
	    {"{\"type\":5,\"object\":{}}", "is JSON without a type"},
	    {"{\"type\":\"ADDED\"}", "is JSON without an object"},
	    {"{\"type\":\"ADDED\",\"object\":[]}", "is JSON without an object"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kube_event event;
		char why[KUBE_WHY_MAX];
		assert_false(decode(cases[i].text, &event, why));
		assert_null(strstr(why, "SECRET"));
		if (cases[i].text[0] != 'S')
			assert_string_equal(why, cases[i].why);
	}
}

static bool note_event(void *context, const char *text, size_t len)
{
	static const char *const types[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "?"};
	struct seen *seen = context;
	struct kube_event event;
	char why[KUBE_WHY_MAX], line[200];
	assert_true(kube_event_decode(text, len, &event, why));
	const char *name = kube_text(json_object_get(event.object, "metadata"), "name");
	snprintf(line, sizeof(line), "%s %s %s", types[event.type], name ? name : "-",
	         kube_object_version(event.object));
	append(seen, line, strlen(line));
	json_decref(event.object);
	return true;
}

static void recorded_events(void **state)
{
	struct recorded recorded = recorded_load("routes-watch");
	struct kube_lines lines = {0};
	struct seen seen = {0};
	assert_true(kube_lines_feed(&lines, recorded.body, recorded.body_len, note_event, &seen));
	assert_string_equal(seen.text,
	                    "ADDED subdom 212|MODIFIED web 213|MODIFIED web 216|DELETED pass 217|ADDED pass 220|"
	                    "MODIFIED web 221|MODIFIED web 223|MODIFIED web 224|MODIFIED web 225|DELETED wild 226|"
	                    "BOOKMARK - 226|");
	free(seen.text);
	kube_lines_clear(&lines);
	recorded_free(&recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),           cmocka_unit_test(stopping),    cmocka_unit_test(long_lines),
	    cmocka_unit_test(every_cut),       cmocka_unit_test(event_types), cmocka_unit_test(garbage),
	    cmocka_unit_test(recorded_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

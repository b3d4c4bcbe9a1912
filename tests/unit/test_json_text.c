/* json_text: pieces become one JSON text, however much it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/json_text.h"

static void pieces(void **state)
{
	struct json_text text = {0};
	struct hostname host = {.len = 6, .text = "app.ch"};
	size_t len;
	json_text_put(&text, "{");
	json_text_host(&text, &host, false);
	json_text_format(&text, ":%u,", 7);
	json_text_host(&text, &host, true);
	json_text_put(&text, ":");
	json_t *value = json_pack("{s:s, s:f}", "why", "a \"reason\"\n", "weight", 12.34);
	json_text_value(&text, value);
	json_decref(value);
	json_text_member(&text, "none", NULL);
	json_text_member(&text, "list", json_pack("[i]", 1));
	json_text_put(&text, "}");
	char *taken = json_text_take(&text, &len);
	assert_string_equal(taken, "{\"app.ch\":7,\"*.app.ch\":{\"why\":\"a \\\"reason\\\"\\n\",\"weight\":12.34},"
	                           "\"list\":[1]}");
	assert_int_equal(len, strlen(taken));
	free(taken);
	assert_null(text.bytes);
	assert_int_equal(text.len + text.room, 0);
}

static void it_grows(void **state)
{
	static char large[100000];
	struct json_text text = {0};
	memset(large, 'x', sizeof(large));
	for (unsigned i = 0; i < 30000; i++)
		json_text_add(&text, "0123456", 7);
	json_text_add(&text, large, sizeof(large));
	assert_int_equal(text.len, 30000 * 7 + sizeof(large));
	for (unsigned i = 0; i < 30000; i++)
		assert_memory_equal(text.bytes + i * 7, "0123456", 7);
	assert_memory_equal(text.bytes + 30000 * 7, large, sizeof(large));
	json_text_free(&text);
	json_text_free(&text);
}

static void nothing_is_a_text(void **state)
{
	struct json_text text = {0};
	size_t len;
	char *taken = json_text_take(&text, &len);
	assert_string_equal(taken, "");
	assert_int_equal(len, 0);
	free(taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pieces),
	    cmocka_unit_test(it_grows),
	    cmocka_unit_test(nothing_is_a_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

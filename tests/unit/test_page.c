/* The embedded files of the web page: each is found, whole, with its type; nothing else is. */
#include "control/api/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool has(const struct page_file *file, const char *text)
{
	return memmem(file->data, file->length, text, strlen(text)) != NULL;
}

static void finds_the_frame_under_the_root(void **state)
{
	const struct page_file *file = page_find("/");
	assert_non_null(file);
	assert_string_equal(file->content_type, "text/html; charset=utf-8");
	assert_memory_equal(file->data, "<!doctype html>", 15);
	assert_memory_equal(file->data + file->length - 8, "</html>\n", 8);
}

static void knows_the_types(void **state)
{
	assert_string_equal(page_find("/style.css")->content_type, "text/css; charset=utf-8");
	assert_string_equal(page_find("/app.js")->content_type, "text/javascript; charset=utf-8");
	assert_string_equal(page_find("/logo.svg")->content_type, "image/svg+xml");
}

static void holds_chart_js(void **state)
{
	const struct page_file *file = page_find("/chart.js");
	assert_non_null(file);
	assert_true(file->length > 100000);
	assert_true(has(file, "Chart.js v3"));
}

static void finds_nothing_else(void **state)
{
	static const char *const paths[] = {"",          "app.js",     "/app.js/", "//app.js", "/index.html",
	                                    "/embed.py", "/../app.js", "/APP.JS",  "/api/v1"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_null(page_find(paths[i]));
}

static void gives_each_content_its_own_tag(void **state)
{
	for (size_t i = 0; i < page_file_count; i++) {
		size_t length = strlen(page_files[i].etag);
		assert_true(length > 10 && page_files[i].etag[0] == '"' && page_files[i].etag[length - 1] == '"');
		assert_ptr_equal(page_find(page_files[i].path), &page_files[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(page_files[i].etag, page_files[j].etag);
	}
}

/* The policy that the server sends forbids inline code and styles: a page with any would be broken. */
static void has_nothing_inline(void **state)
{
	static const char *const inline_code[] = {"<style", " style=", " onclick=", " onload=", "<script>"};
	for (size_t i = 0; i < sizeof(inline_code) / sizeof(inline_code[0]); i++)
		assert_false(has(page_find("/"), inline_code[i]));
}

/* Names from clusters must never become markup. */
static void makes_no_markup_of_text(void **state)
{
	static const char *const ways[] = {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("};
	for (size_t i = 0; i < page_file_count; i++)
		for (size_t j = 0; strcmp(page_files[i].path, "/chart.js") != 0 && j < sizeof(ways) / sizeof(ways[0]);
		     j++)
			assert_false(has(&page_files[i], ways[j]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_the_frame_under_the_root),
	    cmocka_unit_test(knows_the_types),
	    cmocka_unit_test(holds_chart_js),
	    cmocka_unit_test(finds_nothing_else),
	    cmocka_unit_test(gives_each_content_its_own_tag),
	    cmocka_unit_test(has_nothing_inline),
	    cmocka_unit_test(makes_no_markup_of_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

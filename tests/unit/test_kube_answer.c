/* kube_answer: what each status means, with and without a Status object, and the recorded answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/kube/kube_answer.h"
#include "tests/unit/recorded.h"

static void kinds(void **state)
{
	static const struct {
		int status;
		enum kube_trouble_kind kind;
	} cases[] = {
	    {204, KUBE_AWAY},   {302, KUBE_AWAY}, {400, KUBE_DENIED}, {401, KUBE_DENIED}, {403, KUBE_DENIED},
	    {404, KUBE_DENIED}, {408, KUBE_AWAY}, {410, KUBE_GONE},   {422, KUBE_DENIED}, {429, KUBE_BUSY},
	    {500, KUBE_AWAY},   {503, KUBE_AWAY}, {504, KUBE_AWAY},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kube_trouble trouble;
		kube_answer_trouble(cases[i].status, NULL, 0, 0, &trouble);
		assert_int_equal(trouble.kind, cases[i].kind);
		assert_int_equal(trouble.unauthorized, cases[i].status == 401);
		assert_int_equal(trouble.retry_after_ms, 0);
		assert_int_equal(strncmp(trouble.words, "status ", 7), 0);
	}
}

static void words(void **state)
{
	struct kube_trouble trouble;
	kube_answer_trouble(429, "too many requests\n", 18, 1, &trouble); /* no Status object */
	assert_string_equal(trouble.words, "status 429: the API asks for fewer requests");
	assert_int_equal(trouble.retry_after_ms, 1000);
	kube_answer_trouble(503, "<html>SECRET</html>", 19, 5, &trouble);
	assert_string_equal(trouble.words, "status 503");
	assert_int_equal(trouble.retry_after_ms, 5000);
	kube_answer_trouble(302, "", 0, 0, &trouble);
	assert_string_equal(trouble.words,
	                    "status 302: the API redirects, which is not followed: give its own address");
	static const char odd[] = "{\"message\":\"a\\nb\",\"details\":{\"retryAfterSeconds\":3}}";
	kube_answer_trouble(500, odd, strlen(odd), 0, &trouble);
	assert_string_equal(trouble.words, "status 500: \"a?b\"");
	assert_int_equal(trouble.retry_after_ms, 3000);
	kube_answer_trouble(500, odd, strlen(odd), 2, &trouble); /* the field wins */
	assert_int_equal(trouble.retry_after_ms, 2000);
	kube_answer_trouble(503, "", 0, UINT64_MAX, &trouble);
	assert_int_equal(trouble.retry_after_ms, UINT32_MAX);
	static const char wrong[] = "{\"message\":5,\"details\":[],\"code\":\"x\"}";
	kube_answer_trouble(500, wrong, strlen(wrong), 0, &trouble);
	assert_string_equal(trouble.words, "status 500");
}

static void recorded_answers(void **state)
{
	static const struct {
		const char *name, *words;
		enum kube_trouble_kind kind;
		uint32_t retry_after_ms;
	} cases[] = {
	    {"unauthorized-401",
	     "status 401: the API does not accept the token: put a valid one into the token file: \"Unauthorized\"",
	     KUBE_DENIED, 0},
	    {"forbidden-403",
	     "status 403: the API forbids it: give the token's account the rights to list and watch: \"pods is "
	     "forbidden: User \"system:serviceaccount:lb-system:lb\" cannot list resource \"pods\" in AP...\"",
	     KUBE_DENIED, 0},
	    {"route-crd-404", "status 404: the API does not know this resource", KUBE_DENIED, 0},
	    {"list-continue-410",
	     "status 410: the API has forgotten this version: \"The provided continue parameter is too old to "
	     "display a consistent list result. You can start ...\"",
	     KUBE_GONE, 0},
	    {"list-future-rv-504", "status 504: \"Timeout: Too large resource version: 99999999, current: 226\"",
	     KUBE_AWAY, 1000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct recorded recorded = recorded_load(cases[i].name);
		struct kube_trouble trouble;
		kube_answer_trouble(recorded.status, recorded.body, recorded.body_len, 0, &trouble);
		assert_string_equal(trouble.words, cases[i].words);
		assert_int_equal(trouble.kind, cases[i].kind);
		assert_int_equal(trouble.retry_after_ms, cases[i].retry_after_ms);
		recorded_free(&recorded);
	}
}

static void status_objects(void **state)
{
	static const struct {
		const char *text, *words;
		enum kube_trouble_kind kind;
	} cases[] = {
	    {"{\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}",
	     "status 410: the API has forgotten this version: \"too old\"", KUBE_GONE},
	    {"{\"reason\":\"Gone\"}", "status 410: the API has forgotten this version", KUBE_GONE}, /* old servers */
	    {"{\"code\":500,\"message\":\"etcd\"}", "status 500: \"etcd\"", KUBE_AWAY},
	    {"{}", "status 0", KUBE_AWAY},
	    {"{\"code\":-7}", "status 0", KUBE_AWAY},
	    {"{\"code\":99999}", "status 0", KUBE_AWAY},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kube_trouble trouble;
		json_t *status = json_loads(cases[i].text, 0, NULL);
		kube_status_trouble(status, &trouble);
		assert_string_equal(trouble.words, cases[i].words);
		assert_int_equal(trouble.kind, cases[i].kind);
		json_decref(status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(kinds),
	    cmocka_unit_test(words),
	    cmocka_unit_test(recorded_answers),
	    cmocka_unit_test(status_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

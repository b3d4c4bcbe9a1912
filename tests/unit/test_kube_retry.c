/* kube_retry: doubling, caps, jitter, patience, Retry-After, and forgetting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/kube/kube_retry.h"

static struct kube_trouble trouble_of(enum kube_trouble_kind kind)
{
	return (struct kube_trouble){.kind = kind};
}

/* The shortest and the longest wait of many, from this state on. */
static void range_of(enum kube_trouble_kind kind, struct kube_retry from, uint32_t *min, uint32_t *max)
{
	struct kube_trouble trouble = trouble_of(kind);
	*min = UINT32_MAX;
	*max = 0;
	for (unsigned i = 0; i < 2000; i++) {
		struct kube_retry retry = from;
		uint32_t wait = kube_retry_wait(&retry, kube_timing_default(), &trouble, 1000);
		*min = wait < *min ? wait : *min;
		*max = wait > *max ? wait : *max;
	}
}

static void waits(void **state)
{
	static const struct {
		enum kube_trouble_kind kind;
		struct kube_retry from;
		uint32_t min, max; /* ms */
	} cases[] = {
	    {KUBE_AWAY, {.failures = 0}, 800, 1600},
	    {KUBE_AWAY, {.failures = 1}, 1500, 3000},
	    {KUBE_AWAY, {.failures = 2}, 1500, 3000},
	    {KUBE_AWAY, {.failures = 1000, .denied = 1000}, 1500, 3000}, /* for as long as it takes */
	    {KUBE_BUSY, {.failures = 0}, 800, 1600},
	    {KUBE_GONE, {.failures = 0}, 0, 800},
	    {KUBE_GONE, {.failures = 5, .gone = 1}, 0, 800},
	    {KUBE_GONE, {.failures = 0, .gone = 2}, 800, 1600},
	    {KUBE_GONE, {.failures = 1, .gone = 2}, 1500, 3000},
	    {KUBE_DENIED, {.failures = 0}, 800, 1600},
	    {KUBE_DENIED, {.failures = 1000, .denied = 9}, 1500, 3000},
	    {KUBE_DENIED, {.failures = 1000, .denied = 10}, 30000, 60000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t min, max, span = cases[i].max - cases[i].min;
		range_of(cases[i].kind, cases[i].from, &min, &max);
		assert_in_range(min, cases[i].min, cases[i].min + span / 20); /* and it is spread over all of it */
		assert_in_range(max, cases[i].max - span / 20, cases[i].max);
	}
}

/* Only what has worked for a while ends the doubling: a loop of good and bad does not. */
static void forgets(void **state)
{
	struct kube_trouble trouble = trouble_of(KUBE_AWAY);
	struct kube_retry retry = {.failures = 5};
	kube_retry_wait(&retry, kube_timing_default(), &trouble, 1000000);
	assert_int_equal(retry.failures, 6);
	kube_retry_good(&retry, 1000000);
	kube_retry_good(&retry, 1009000);
	kube_retry_wait(&retry, kube_timing_default(), &trouble, 1009999);
	assert_int_equal(retry.failures, 7);
	kube_retry_good(&retry, 2000000);
	kube_retry_wait(&retry, kube_timing_default(), &trouble, 2010000);
	assert_int_equal(retry.failures, 1);
}

static void retry_after(void **state)
{
	struct kube_trouble trouble = trouble_of(KUBE_BUSY);
	struct kube_retry retry = {0};
	trouble.retry_after_ms = 5000;
	assert_int_equal(kube_retry_wait(&retry, kube_timing_default(), &trouble, 1), 5000);
	trouble.retry_after_ms = 1; /* less than we wait anyway */
	assert_true(kube_retry_wait(&retry, kube_timing_default(), &trouble, 1) >= 800);
	trouble.retry_after_ms = UINT32_MAX;
	assert_int_equal(kube_retry_wait(&retry, kube_timing_default(), &trouble, 1), 60000);
}

/* One answer of another kind shows that something is being done about it. */
static void patience(void **state)
{
	struct kube_trouble denied = trouble_of(KUBE_DENIED), away = trouble_of(KUBE_AWAY);
	struct kube_retry retry = {0};
	for (unsigned i = 0; i < 10; i++)
		assert_true(kube_retry_wait(&retry, kube_timing_default(), &denied, 1) <= 3000);
	assert_true(kube_retry_wait(&retry, kube_timing_default(), &denied, 1) >= 30000);
	assert_true(kube_retry_wait(&retry, kube_timing_default(), &away, 1) <= 3000);
	assert_true(kube_retry_wait(&retry, kube_timing_default(), &denied, 1) <= 3000);
}

static void forgotten_versions(void **state)
{
	struct kube_trouble trouble = trouble_of(KUBE_GONE);
	struct kube_retry retry = {0};
	for (unsigned i = 0; i < 2; i++)
		assert_true(kube_retry_wait(&retry, kube_timing_default(), &trouble, 1) <= 800);
	assert_int_equal(retry.failures, 0);
	assert_true(kube_retry_wait(&retry, kube_timing_default(), &trouble, 1) >= 800);
	kube_retry_good(&retry, 2);
	assert_true(kube_retry_wait(&retry, kube_timing_default(), &trouble, 3) <= 800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waits),
	    cmocka_unit_test(forgets),
	    cmocka_unit_test(retry_after),
	    cmocka_unit_test(patience),
	    cmocka_unit_test(forgotten_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

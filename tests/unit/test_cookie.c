/* cookie.c: what a cookie carries, how long it lives, and what a wrong one is told apart by. */
#include "dataplane/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/tcp_options.h"
#include "seeded_random.h"

enum { EPOCH = 1000, ISN = 0x89abcdef };

static const struct siphash_key secret = {0x1122334455667788, 0x99aabbccddeeff00};
static const struct cookie_options plain = {1460, 7, true};

static struct cookie_tuple tuple(void)
{
	struct cookie_tuple tuple = {.client_port = 40000, .vip_port = 80};
	assert_true(address_parse("198.51.100.2", &tuple.client));
	assert_true(address_parse("198.51.100.10", &tuple.vip));
	return tuple;
}

static void expect_verdict(enum cookie_verdict expected, const struct cookie_tuple *of, uint32_t isn, uint32_t cookie,
                           uint64_t epoch)
{
	struct cookie_options options;
	assert_int_equal(cookie_check(&secret, of, isn, cookie, epoch, &options), expected);
}

static void the_classes_round_down(void **state)
{
	static const uint16_t classes[] = {88, 216, 536, 1200, 1360, 1400, 1440, 1460};
	for (unsigned mss = COOKIE_MSS_MIN; mss <= UINT16_MAX; mss++) {
		uint16_t expected = 0;
		for (unsigned i = 0; i < 8; i++)
			if (classes[i] <= mss)
				expected = classes[i];
		assert_int_equal(cookie_mss_class((uint16_t)mss), expected);
	}
}

static void every_option_comes_back(void **state)
{
	static const uint16_t offered[] = {88, 100, 216, 536, 1199, 1200, 1380, 1400, 1440, 1460, 8960};
	struct cookie_tuple of = tuple();
	for (unsigned m = 0; m < sizeof(offered) / sizeof(offered[0]); m++) {
		for (unsigned n = 0; n < 64; n++) {
			uint8_t scale = n / 4 == 15 ? TCP_WINDOW_SCALE_NONE : (uint8_t)(n / 4);
			struct cookie_options in = {offered[m], scale, n & 1}, out;
			uint64_t epoch = EPOCH + (n >> 1 & 1);
			uint32_t cookie = cookie_make(&secret, &of, ISN + n, &in, epoch);
			assert_int_equal(cookie_check(&secret, &of, ISN + n, cookie, epoch, &out), COOKIE_VALID);
			assert_int_equal(out.mss, cookie_mss_class(offered[m]));
			assert_int_equal(out.window_scale, scale);
			assert_int_equal(out.sack_permitted, n & 1);
		}
	}
}

/* High bits first: window scale, MSS class, SACK, epoch. */
static void the_layout_is_the_documented_one(void **state)
{
	struct cookie_tuple of = tuple();
	struct cookie_options options = {536, 9, true};
	assert_int_equal(cookie_make(&secret, &of, ISN, &options, EPOCH) >> 23, 9 << 5 | 2 << 2 | 1 << 1 | 0);
	options = (struct cookie_options){1460, TCP_WINDOW_SCALE_NONE, false};
	assert_int_equal(cookie_make(&secret, &of, ISN, &options, EPOCH + 1) >> 23, 15 << 5 | 7 << 2 | 0 << 1 | 1);
}

static void it_lives_for_this_epoch_and_the_next(void **state)
{
	struct cookie_tuple of = tuple();
	for (uint64_t made = EPOCH; made < EPOCH + 4; made++) {
		uint32_t cookie = cookie_make(&secret, &of, ISN, &plain, made);
		expect_verdict(COOKIE_VALID, &of, ISN, cookie, made);
		expect_verdict(COOKIE_VALID, &of, ISN, cookie, made + 1);
		struct cookie_options options;
		for (uint64_t later = 2; later < 200; later++)
			assert_int_not_equal(cookie_check(&secret, &of, ISN, cookie, made + later, &options),
			                     COOKIE_VALID);
		assert_int_not_equal(cookie_check(&secret, &of, ISN, cookie, made - 1, &options), COOKIE_VALID);
	}
}

static void it_is_bound_to_the_connection(void **state)
{
	struct cookie_tuple of = tuple(), other;
	uint32_t cookie = cookie_make(&secret, &of, ISN, &plain, EPOCH);
	other = of;
	other.client_port++;
	expect_verdict(COOKIE_NONE, &other, ISN, cookie, EPOCH);
	other = of;
	other.vip_port = 443;
	expect_verdict(COOKIE_NONE, &other, ISN, cookie, EPOCH);
	other = of;
	other.client.bytes[15] ^= 1;
	expect_verdict(COOKIE_NONE, &other, ISN, cookie, EPOCH);
	other = of;
	other.vip.bytes[15] ^= 1;
	expect_verdict(COOKIE_NONE, &other, ISN, cookie, EPOCH);
	struct cookie_options options;
	struct siphash_key foreign = {secret.k0, secret.k1 ^ 1};
	assert_int_equal(cookie_check(&foreign, &of, ISN, cookie, EPOCH, &options), COOKIE_NONE);
}

/* A forged scale or MSS is as wrong as a forged hash. */
static void the_options_cannot_be_changed(void **state)
{
	struct cookie_tuple of = tuple();
	uint32_t cookie = cookie_make(&secret, &of, ISN, &plain, EPOCH);
	unsigned believed = 0;
	for (uint32_t bits = 0; bits < 512; bits++) {
		struct cookie_options options;
		uint32_t forged = (cookie & 0x7fffff) | bits << 23;
		if (forged != cookie)
			believed += cookie_check(&secret, &of, ISN, forged, EPOCH, &options) == COOKIE_VALID;
	}
	assert_int_equal(believed, 0);
}

static void another_isn_is_stale_not_foreign(void **state)
{
	struct cookie_tuple of = tuple();
	uint32_t cookie = cookie_make(&secret, &of, ISN, &plain, EPOCH);
	unsigned valid = 0;
	for (uint32_t later = 1; later <= 4000; later++) {
		struct cookie_options options = {0};
		enum cookie_verdict verdict = cookie_check(&secret, &of, ISN + later, cookie, EPOCH, &options);
		assert_int_not_equal(verdict, COOKIE_NONE);
		assert_int_equal(options.window_scale, plain.window_scale);
		valid += verdict == COOKIE_VALID; /* 1 in 4,096 by chance */
	}
	assert_in_range(valid, 0, 6);
}

/* Of all 2^23 hashes one is right: the first 11 bits decide between nothing and ours, the last 12 between stale and
 * valid. */
static void eleven_bits_and_twelve_bits(void **state)
{
	struct cookie_tuple of = tuple();
	uint32_t cookie = cookie_make(&secret, &of, ISN, &plain, EPOCH);
	for (uint32_t first = 1; first < 1 << 11; first++)
		expect_verdict(COOKIE_NONE, &of, ISN, cookie ^ first << 12, EPOCH);
	for (uint32_t last = 1; last < 1 << 12; last++)
		expect_verdict(COOKIE_STALE, &of, ISN, cookie ^ last, EPOCH);
}

/* Random acknowledgements: 1 of 2,048 has the first part right. Of 10^8, 12 would have both. */
static void random_cookies_are_rarely_believed(void **state)
{
	enum { TRIES = 1 << 21 };
	struct seeded_random random = {77};
	struct cookie_tuple of = tuple();
	unsigned stale = 0, valid = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		struct cookie_options options;
		of.client_port = (uint16_t)random_next(&random);
		uint32_t isn = (uint32_t)random_next(&random), cookie = (uint32_t)random_next(&random);
		enum cookie_verdict verdict = cookie_check(&secret, &of, isn, cookie, EPOCH, &options);
		stale += verdict == COOKIE_STALE;
		valid += verdict == COOKIE_VALID;
	}
	assert_in_range(stale, 1024 - 160, 1024 + 160); /* 5 standard deviations */
	assert_in_range(valid, 0, 3);
}

/* No bit of the hash is stuck, and neither part is a copy of the other. */
static void the_hash_is_spread(void **state)
{
	enum { TRIES = 20000 };
	unsigned ones[23] = {0}, equal = 0;
	struct cookie_tuple of = tuple();
	for (uint32_t i = 0; i < TRIES; i++) {
		of.client_port = (uint16_t)i;
		uint32_t hash = cookie_make(&secret, &of, i * 64000, &plain, EPOCH) & 0x7fffff;
		for (unsigned bit = 0; bit < 23; bit++)
			ones[bit] += hash >> bit & 1;
		equal += (hash >> 12) == (hash & 0x7ff);
	}
	for (unsigned bit = 0; bit < 23; bit++)
		assert_in_range(ones[bit], TRIES / 2 - 400, TRIES / 2 + 400);
	assert_in_range(equal, 0, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_classes_round_down),
	    cmocka_unit_test(every_option_comes_back),
	    cmocka_unit_test(the_layout_is_the_documented_one),
	    cmocka_unit_test(it_lives_for_this_epoch_and_the_next),
	    cmocka_unit_test(it_is_bound_to_the_connection),
	    cmocka_unit_test(the_options_cannot_be_changed),
	    cmocka_unit_test(another_isn_is_stale_not_foreign),
	    cmocka_unit_test(eleven_bits_and_twelve_bits),
	    cmocka_unit_test(random_cookies_are_rarely_believed),
	    cmocka_unit_test(the_hash_is_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The option walker on right and on hostile options, and the options of a SYN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/tcp_options.h"
#include "guarded_buffer.h"
#include "seeded_random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct guarded_buffer guarded;

/* A TCP header that ends with these options, at the unreadable page. */
static uint8_t *header_with(const uint8_t *options, size_t len)
{
	uint8_t *tcp = guarded_place(&guarded, 20 + len);

	memset(tcp, 0, 20);
	memcpy(tcp + 20, options, len);
	return tcp;
}

static void walks(void **state)
{
	static const struct {
		const char *what;
		uint8_t len, options[40];
		const char *kinds; /* in order */
	} cases[] = {
	    {"none", 0, {0}, ""},
	    {"linux syn", 20, {2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}, "\2\4\10\3"},
	    {"nops alone", 4, {1, 1, 1, 1}, ""},
	    {"end hides the rest", 8, {0, 4, 2, 1, 2, 4, 5, 180}, ""},
	    {"end after an option", 8, {2, 4, 5, 180, 0, 3, 3, 7}, "\2"},
	    {"unknown kinds are passed over", 8, {254, 6, 1, 2, 3, 4, 4, 2}, "\376\4"},
	    {"misaligned", 8, {1, 2, 4, 5, 180, 4, 2, 1}, "\2\4"},
	    {"length 0", 8, {2, 4, 5, 180, 8, 0, 4, 2}, "\2"},
	    {"length 1", 8, {2, 4, 5, 180, 8, 1, 4, 2}, "\2"},
	    {"kind as last byte", 4, {1, 1, 1, 2}, ""},
	    {"one byte beyond", 8, {4, 2, 1, 1, 2, 5, 5, 180}, "\4"},
	    {"length 255", 4, {2, 255, 5, 180}, ""},
	    {"40 bytes in one", 40, {254, 40}, "\376"},
	    {"41 bytes in 40", 40, {254, 41}, ""},
	    {"shortest options", 40, {4, 2, 4, 2, 4, 2, 4, 2}, "\4\4\4\4"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t *tcp = header_with(cases[i].options, cases[i].len);
		struct tcp_options walk = tcp_options_begin(tcp, (uint8_t)(20 + cases[i].len));
		struct tcp_option option;
		size_t n = 0;
		for (; tcp_options_next(&walk, &option); n++) {
			if (option.kind != (uint8_t)cases[i].kinds[n])
				fail_msg("%s: option %zu is of kind %d", cases[i].what, n, option.kind);
			assert_int_equal(option.kind, option.at[0]);
			assert_int_equal(option.len, option.at[1]);
		}
		if (cases[i].kinds[n] != '\0')
			fail_msg("%s: %zu options", cases[i].what, n);
		assert_false(tcp_options_next(&walk, &option));
	}
}

static void syn_options(void **state)
{
	static const struct {
		const char *what;
		uint8_t len, options[40];
		struct tcp_syn_options expected;
	} cases[] = {
	    {"none", 0, {0}, {0, TCP_WINDOW_SCALE_NONE, false}},
	    {"all", 12, {2, 4, 5, 180, 4, 2, 1, 3, 3, 7, 1, 1}, {1460, 7, true}},
	    {"scale 0", 4, {3, 3, 0, 0}, {0, 0, false}},
	    {"scale 14", 4, {3, 3, 14, 0}, {0, 14, false}},
	    {"scale 15 counts as 14", 4, {3, 3, 15, 0}, {0, 14, false}},
	    {"scale 255 counts as 14", 4, {3, 3, 255, 0}, {0, 14, false}},
	    {"MSS of length 3", 4, {2, 3, 5, 1}, {0, TCP_WINDOW_SCALE_NONE, false}},
	    {"MSS of length 2 before another", 8, {2, 2, 4, 2, 3, 3, 2, 0}, {0, 2, true}},
	    {"MSS cut off", 4, {1, 2, 4, 5}, {0, TCP_WINDOW_SCALE_NONE, false}},
	    {"MSS 65535", 4, {2, 4, 255, 255}, {65535, TCP_WINDOW_SCALE_NONE, false}},
	    {"scale of length 4", 4, {3, 4, 7, 7}, {0, TCP_WINDOW_SCALE_NONE, false}},
	    {"SACK permitted of length 3", 4, {4, 3, 0, 0}, {0, TCP_WINDOW_SCALE_NONE, false}},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tcp_syn_options out;
		tcp_options_read_syn(header_with(cases[i].options, cases[i].len), (uint8_t)(20 + cases[i].len), &out);
		if (out.mss != cases[i].expected.mss || out.window_scale != cases[i].expected.window_scale ||
		    out.sack_permitted != cases[i].expected.sack_permitted)
			fail_msg("%s: %d %d %d", cases[i].what, out.mss, out.window_scale, out.sack_permitted);
	}
}

static void what_is_written_reads_back(void **state)
{
	for (uint8_t scale = 0; scale <= TCP_WINDOW_SCALE_NONE; scale++) {
		for (int sack = 0; sack < 2; sack++) {
			struct tcp_syn_options in = {1360, scale, sack}, out;
			uint8_t bytes[12];
			uint8_t len = tcp_options_write_syn(bytes, &in);

			assert_true(len <= sizeof(bytes) && len % 4 == 0);
			tcp_options_read_syn(header_with(bytes, len), (uint8_t)(20 + len), &out);
			assert_int_equal(out.mss, in.mss);
			assert_int_equal(out.window_scale, in.window_scale);
			assert_int_equal(out.sack_permitted, in.sack_permitted);
		}
	}
}

static void shortest_form(void **state)
{
	static const uint8_t expected[] = {2, 4, 5, 180};
	struct tcp_syn_options options = {1460, TCP_WINDOW_SCALE_NONE, false};
	uint8_t bytes[12];

	assert_int_equal(tcp_options_write_syn(bytes, &options), sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));
}

/* Whatever the bytes are, the walk ends and stays inside; the unreadable page watches the end. */
static void random_options(void **state)
{
	struct seeded_random seed = {5};
	uint8_t options[40];

	for (int n = 0; n < 200000; n++) {
		size_t len = random_next(&seed) % 11 * 4;
		for (size_t i = 0; i < len; i++)
			options[i] = (uint8_t)(random_next(&seed) % 12);
		uint8_t *tcp = header_with(options, len), *last = tcp + 20;
		struct tcp_options walk = tcp_options_begin(tcp, (uint8_t)(20 + len));
		struct tcp_option option;
		while (tcp_options_next(&walk, &option)) {
			assert_true(option.at >= last && option.at + option.len <= tcp + 20 + len);
			last = option.at + option.len;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(walks),
	    cmocka_unit_test(syn_options),
	    cmocka_unit_test(what_is_written_reads_back),
	    cmocka_unit_test(shortest_form),
	    cmocka_unit_test(random_options),
	};

	guarded = guarded_create();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	guarded_destroy(&guarded);
	return failed;
}

/* Any bytes as TCP options: the walk stays inside and goes forward; what is read can be written and read again. */
#include <stdlib.h>
#include <string.h>

#include "common/tcp_options.h"

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void check_walk(uint8_t *tcp, uint8_t header_len)
{
	struct tcp_options walk = tcp_options_begin(tcp, header_len);
	struct tcp_option option;
	uint8_t *last = tcp + 20, *end = tcp + header_len;

	while (tcp_options_next(&walk, &option)) {
		require(option.at >= last && option.len >= 2 && option.len <= end - option.at);
		require(option.at[0] == option.kind && option.at[1] == option.len);
		require(option.kind != TCP_OPTION_END && option.kind != TCP_OPTION_NOP);
		last = option.at + option.len;
	}
	require(!tcp_options_next(&walk, &option));
}

static void check_syn(uint8_t *tcp, uint8_t header_len)
{
	struct tcp_syn_options first, second;
	uint8_t written[20 + 12] = {0};

	tcp_options_read_syn(tcp, header_len, &first);
	require(first.window_scale <= TCP_WINDOW_SCALE_MAX || first.window_scale == TCP_WINDOW_SCALE_NONE);
	uint8_t len = tcp_options_write_syn(written + 20, &first);
	require(len <= 12 && len % 4 == 0);
	tcp_options_read_syn(written, (uint8_t)(20 + len), &second);
	if (first.mss == 0) /* absent; written it is there, and nobody can use it */
		first.mss = 1;
	require(first.mss == second.mss && first.window_scale == second.window_scale &&
	        first.sack_permitted == second.sack_permitted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t header_len = (uint8_t)(20 + (size < 40 ? size : 40) / 4 * 4);
	uint8_t *tcp = calloc(1, header_len); /* of just this size, so that a byte too many is seen */

	if (size > 0)
		memcpy(tcp + 20, data, header_len - 20u);
	check_walk(tcp, header_len);
	check_syn(tcp, header_len);
	free(tcp);
	return 0;
}

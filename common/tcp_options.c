/* Walks TCP options and reads and writes those of a SYN. */
#include "common/tcp_options.h"

#include "common/bytes.h"

enum { LEN_MSS = 4, LEN_WINDOW_SCALE = 3, LEN_SACK_PERMITTED = 2 };

bool tcp_options_next(struct tcp_options *walk, struct tcp_option *option)
{
	while (walk->next < walk->end && *walk->next == TCP_OPTION_NOP)
		walk->next++;

	uint8_t *at = walk->next;
	if (walk->end - at < 2 || at[0] == TCP_OPTION_END || at[1] < 2 || at[1] > walk->end - at) {
		walk->next = walk->end;
		return false;
	}
	*option = (struct tcp_option){.kind = at[0], .len = at[1], .at = at};
	walk->next = at + at[1];
	return true;
}

void tcp_options_read_syn(uint8_t *tcp, uint8_t header_len, struct tcp_syn_options *out)
{
	struct tcp_options walk = tcp_options_begin(tcp, header_len);
	struct tcp_option option;

	*out = (struct tcp_syn_options){.window_scale = TCP_WINDOW_SCALE_NONE};
	while (tcp_options_next(&walk, &option)) {
		if (option.kind == TCP_OPTION_MSS && option.len == LEN_MSS)
			out->mss = get_be16(option.at + 2) ? get_be16(option.at + 2) : 1;
		else if (option.kind == TCP_OPTION_WINDOW_SCALE && option.len == LEN_WINDOW_SCALE)
			out->window_scale = option.at[2] < TCP_WINDOW_SCALE_MAX ? option.at[2] : TCP_WINDOW_SCALE_MAX;
		else if (option.kind == TCP_OPTION_SACK_PERMITTED && option.len == LEN_SACK_PERMITTED)
			out->sack_permitted = true;
	}
}

uint8_t tcp_options_write_syn(uint8_t bytes[static 12], const struct tcp_syn_options *options)
{
	uint8_t *p = bytes;

	*p++ = TCP_OPTION_MSS;
	*p++ = LEN_MSS;
	put_be16(p, options->mss);
	p += 2;
	if (options->window_scale != TCP_WINDOW_SCALE_NONE) {
		*p++ = TCP_OPTION_WINDOW_SCALE;
		*p++ = LEN_WINDOW_SCALE;
		*p++ = options->window_scale;
	}
	if (options->sack_permitted) {
		*p++ = TCP_OPTION_SACK_PERMITTED;
		*p++ = LEN_SACK_PERMITTED;
	}
	while ((p - bytes) % 4 != 0)
		*p++ = TCP_OPTION_NOP;
	return (uint8_t)(p - bytes);
}

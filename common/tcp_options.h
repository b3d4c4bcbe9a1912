/* The one walker over TCP options (RFC 9293 3.1), and the options of a SYN. */
#ifndef PM_TCP_OPTIONS_H
#define PM_TCP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum tcp_option_kind {
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_WINDOW_SCALE = 3,
	TCP_OPTION_SACK_PERMITTED = 4,
	TCP_OPTION_SACK = 5,
	TCP_OPTION_TIMESTAMPS = 8,
};

enum { TCP_WINDOW_SCALE_NONE = 15, TCP_WINDOW_SCALE_MAX = 14 };

struct tcp_option {
	uint8_t kind;
	uint8_t len; /* the whole option, kind and length bytes included */
	uint8_t *at; /* its kind byte */
};

/* Where the walk stands. */
struct tcp_options {
	uint8_t *next, *end;
};

/* Starts at the options of the TCP header at `tcp`, `header_len` bytes long (20 to 60, checked by packet_parse). */
static inline struct tcp_options tcp_options_begin(uint8_t *tcp, uint8_t header_len)
{
	return (struct tcp_options){.next = tcp + 20, .end = tcp + header_len};
}

/* The next option other than NOP. False at the end, and also at an option whose length is below 2 or goes
 * beyond the header: what follows it is not read. */
bool tcp_options_next(struct tcp_options *walk, struct tcp_option *option);

/* What we use of a SYN's or SYN-ACK's options. */
struct tcp_syn_options {
	uint16_t mss;         /* 0 if absent or of wrong length; a value of 0 reads as 1, which nobody can use either */
	uint8_t window_scale; /* at most 14 (RFC 7323 2.3), or TCP_WINDOW_SCALE_NONE */
	bool sack_permitted;
};

void tcp_options_read_syn(uint8_t *tcp, uint8_t header_len, struct tcp_syn_options *out);

/* Writes MSS, then window scale and SACK permitted if they are in `options`, padded with NOP to a multiple of 4.
 * Returns the length, at most 12. */
uint8_t tcp_options_write_syn(uint8_t bytes[static 12], const struct tcp_syn_options *options);

#endif

/* A TCP segment as a line of text, so that a test reads like a packet script:
 *
 *     FLAGS SEQ[:END] [ack N] win N [mss N] [ws N] [sackok] [sack A-B[,C-D]...] [nop[N]] [raw HEX] [fwd | ttl N]
 *
 * FLAGS are letters of "FSRPUEC" and "." for ACK, "-" for none. Numbers are relative to what the caller says, and may
 * be negative. Options stand in the order of the bytes; NOPs that only fill up to four bytes are not written. "fwd"
 * stands for a frame that went through (its TTL is one below the sender's); a segment of our own has TTL 64 and no
 * mark. Written apart from common/packet.c and common/tcp_options.c, so that the two check each other. Knows no
 * addresses. */
#ifndef PM_SEGMENT_TEXT_H
#define PM_SEGMENT_TEXT_H

#include <stdint.h>

enum {
	SEGMENT_TTL_OWN = 64,
	SEGMENT_TTL_SENT = 61, /* of what the peers of a test send */
	SEGMENT_TEXT_MAX = 400,
	SEGMENT_OPTIONS_MAX = 40,
};

/* What absolute numbers are counted from. */
struct segment_bases {
	uint32_t seq, ack, sack;
};

struct segment_line {
	uint32_t seq, ack; /* absolute */
	uint16_t payload_len;
	uint16_t window;
	uint8_t flags, ttl;
	uint8_t options_len; /* a multiple of 4 */
	uint8_t options[SEGMENT_OPTIONS_MAX];
};

/* Fails the test if the text is not understood. */
struct segment_line segment_line_read(const char *text, const struct segment_bases *bases);
void segment_line_write(char text[static SEGMENT_TEXT_MAX], const struct segment_line *line,
                        const struct segment_bases *bases);

/* The Internet checksum of `len` bytes on top of `sum`, written as RFC 1071 says it, without tricks. */
uint32_t plain_sum(uint32_t sum, const uint8_t *bytes, unsigned len);
uint16_t plain_fold(uint32_t sum);

#endif

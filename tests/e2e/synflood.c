/* Sends SYNs with spoofed sources out of a network interface, at a given rate and for a given time, and says how many
 * it were. For the flood tests and for measuring the rig; it is no traffic generator for anything else. */
#include <errno.h>
#include <net/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/address.h"
#include "common/packet.h"

enum {
	FRAME_MAX = PACKET_HEADERS_LEN + 4,
	BATCH = 64,
	SECONDS_MAX = 60,
	RATE_MAX = 10000000,
	PORT_FIRST = 1024,
	PORT_COUNT = 64512,
};

static const uint8_t mss_option[] = {2, 4, 0x05, 0xb4}; /* 1,460 */

struct flood {
	const char *interface;
	uint8_t next_hop[6], own[6];
	struct prefix sources;
	struct segment syn; /* source, port and seq change */
	uint64_t rate;      /* per second; 0: as many as possible */
	double seconds;
	uint64_t sent, refused; /* refused: not taken by the interface */
	uint8_t frames[BATCH][FRAME_MAX];
	struct iovec pieces[BATCH];
	struct mmsghdr messages[BATCH];
};

static void usage(void)
{
	fprintf(stderr, "usage: synflood INTERFACE NEXT-HOP-MAC SOURCES DESTINATION PORT RATE SECONDS\n"
	                "such as: synflood eth0 02:00:00:00:00:01 198.18.0.0/15 198.51.100.10 80 50000 10\n"
	                "RATE in packets per second, 0 for as many as possible\n");
}

static bool read_mac(const char *text, uint8_t mac[static 6])
{
	char end;
	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
	              &mac[5], &end) == 6;
}

static bool read_number(const char *text, double max, double *out)
{
	char *end;
	*out = strtod(text, &end);
	return end != text && *end == '\0' && *out >= 0 && *out <= max;
}

static bool read_arguments(struct flood *flood, char **argv)
{
	double port, rate;
	bool good = read_mac(argv[2], flood->next_hop) && prefix_parse(argv[3], &flood->sources) &&
	            address_is_v4(&flood->sources.address) && flood->sources.length >= 96 &&
	            address_parse(argv[4], &flood->syn.destination) && address_is_v4(&flood->syn.destination) &&
	            read_number(argv[5], 65535, &port) && read_number(argv[6], RATE_MAX, &rate) &&
	            read_number(argv[7], SECONDS_MAX, &flood->seconds);
	if (!good)
		return false;
	flood->interface = argv[1];
	flood->rate = (uint64_t)rate;
	flood->syn.destination_port = (uint16_t)port;
	flood->syn.flags = TCP_SYN;
	flood->syn.window = 64240;
	flood->syn.options = mss_option;
	flood->syn.options_len = sizeof(mss_option);
	return true;
}

/* A raw socket on the interface that leaves out the kernel's queues; -1: said on standard error. */
static int open_interface(struct flood *flood)
{
	struct ifreq request = {0};
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(flood->interface)};
	int bypass = 1;
	int fd = socket(AF_PACKET, SOCK_RAW, 0); /* 0: it receives nothing */
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", flood->interface);
	if (fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0 &&
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) == 0 &&
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		memcpy(flood->own, request.ifr_hwaddr.sa_data, sizeof(flood->own));
		return fd;
	}
	fprintf(stderr, "synflood: interface %s: %s\n", flood->interface, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void prepare_batch(struct flood *flood)
{
	for (int i = 0; i < BATCH; i++) {
		packet_write_ethernet(flood->frames[i], flood->next_hop, flood->own);
		flood->pieces[i] = (struct iovec){.iov_base = flood->frames[i], .iov_len = FRAME_MAX};
		flood->messages[i].msg_hdr = (struct msghdr){.msg_iov = &flood->pieces[i], .msg_iovlen = 1};
	}
}

/* xorshift64*: fast, never the same tuple soon again. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static void write_syns(struct flood *flood, unsigned count, uint64_t *random)
{
	uint32_t base = __builtin_bswap32(address_v4(&flood->sources.address));
	uint32_t mask = flood->sources.length == 128 ? 0 : UINT32_MAX >> (flood->sources.length - 96);
	for (unsigned i = 0; i < count; i++) {
		uint64_t bits = next_random(random);
		uint32_t source = base | ((uint32_t)bits & mask);
		flood->syn.source = address_from_v4(__builtin_bswap32(source));
		flood->syn.source_port = (uint16_t)(PORT_FIRST + (bits >> 48) % PORT_COUNT);
		flood->syn.seq = (uint32_t)(next_random(random) >> 32);
		packet_write(flood->frames[i], &flood->syn);
	}
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* How many may be sent now so that the rate holds; 0 after a short pause. */
static unsigned due(const struct flood *flood, double elapsed)
{
	static const struct timespec pause = {.tv_nsec = 200000};
	if (flood->rate == 0)
		return BATCH;
	uint64_t wanted = (uint64_t)(elapsed * (double)flood->rate), done = flood->sent + flood->refused;
	if (wanted > done)
		return wanted - done < BATCH ? (unsigned)(wanted - done) : BATCH;
	nanosleep(&pause, NULL);
	return 0;
}

static bool send_all(struct flood *flood, int fd)
{
	uint64_t random = (uint64_t)(now() * 1e9) | 1;
	double begin = now(), elapsed;
	prepare_batch(flood);
	while ((elapsed = now() - begin) < flood->seconds) {
		unsigned count = due(flood, elapsed);
		if (count == 0)
			continue;
		write_syns(flood, count, &random);
		int taken = sendmmsg(fd, flood->messages, count, 0);
		if (taken > 0) {
			flood->sent += (unsigned)taken;
		} else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) {
			flood->refused++;
		} else {
			fprintf(stderr, "synflood: %s\n", strerror(errno));
			return false;
		}
	}
	printf("%llu sent, %llu refused, %.3f s\n", (unsigned long long)flood->sent, (unsigned long long)flood->refused,
	       elapsed);
	return true;
}

int main(int argc, char **argv)
{
	static struct flood flood;
	if (argc != 8 || !read_arguments(&flood, argv)) {
		usage();
		return 2;
	}
	int fd = open_interface(&flood);
	if (fd < 0)
		return 1;
	bool done = send_all(&flood, fd);
	close(fd);
	return done ? 0 : 1;
}

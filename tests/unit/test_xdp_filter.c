/* xdp_filter.bpf.c, run by the kernel on made-up frames (BPF_PROG_TEST_RUN): what the dataplane gets and what Linux
 * keeps. Needs root; without it the test is skipped. The argument is the object file. */
#include "dataplane/xdp_filter.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77, ETHERNET = 14, FRAME = 256, ICMP = 1, TCP = 6, UDP = 17, MORE_FRAGMENTS = 0x2000 };

#define CLIENT "198.51.100.2"
#define VIP    "198.51.100.10"
#define POOL   "203.0.113.70"
#define ROUTER "203.0.113.11"

static const char *object_path;
static struct bpf_object *object;
static int program, services, vips, pool, sockets, test_socket;

struct frame {
	uint8_t bytes[FRAME];
	uint32_t len;
};

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* IPv4 with `words` * 4 bytes of header, then two port numbers and zeros: 20 bytes in all. */
static uint32_t put_ip(uint8_t *at, unsigned words, uint8_t protocol, const char *source, unsigned source_port,
                       const char *destination, unsigned destination_port, unsigned fragment)
{
	at[0] = (uint8_t)(0x40 | words);
	put16(at + 2, words * 4 + 20);
	put16(at + 6, fragment);
	at[8] = 64;
	at[9] = protocol;
	inet_pton(AF_INET, source, at + 12);
	inet_pton(AF_INET, destination, at + 16);
	put16(at + words * 4, source_port);
	put16(at + words * 4 + 2, destination_port);
	return words * 4 + 20;
}

static struct frame ip_frame(uint8_t protocol, const char *destination, unsigned port, unsigned fragment)
{
	struct frame frame = {0};
	put16(frame.bytes + 12, 0x0800);
	frame.len = ETHERNET + put_ip(frame.bytes + ETHERNET, 5, protocol, CLIENT, 40000, destination, port, fragment);
	return frame;
}

/* An ICMP message of this type that quotes a packet. */
static struct frame icmp_frame(uint8_t type, uint8_t protocol, const char *source, unsigned port)
{
	struct frame frame = {0};
	uint8_t *ip = frame.bytes + ETHERNET;
	put16(frame.bytes + 12, 0x0800);
	put_ip(ip, 5, ICMP, ROUTER, type << 8, VIP, 0, 0);
	frame.len = ETHERNET + 20 + 8 + put_ip(ip + 28, 5, protocol, source, port, CLIENT, 40000, 0);
	put16(ip + 2, frame.len - ETHERNET);
	return frame;
}

static uint32_t run(const struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes, .data_size_in = frame->len, .repeat = 1);
	assert_int_equal(bpf_prog_test_run_opts(program, &options), 0);
	return options.retval;
}

static void expect_ours(struct frame frame)
{
	assert_int_equal(run(&frame), XDP_REDIRECT);
}

static void expect_kernel(struct frame frame)
{
	assert_int_equal(run(&frame), XDP_PASS);
}

static void tcp_to_a_service_is_ours(void **state)
{
	(void)state;
	expect_ours(ip_frame(TCP, VIP, 80, 0));
	expect_ours(ip_frame(TCP, VIP, 443, 0x4000)); /* don't fragment */
	expect_kernel(ip_frame(TCP, VIP, 22, 0));
	expect_kernel(ip_frame(TCP, VIP, 0, 0));
	expect_kernel(ip_frame(UDP, VIP, 443, 0));
	expect_kernel(ip_frame(TCP, "198.51.100.11", 80, 0));
}

static void tcp_to_the_pool_is_ours(void **state)
{
	(void)state;
	expect_ours(ip_frame(TCP, "203.0.113.64", 1024, 0));
	expect_ours(ip_frame(TCP, "203.0.113.79", 65535, 0));
	expect_kernel(ip_frame(TCP, "203.0.113.63", 1024, 0));
	expect_kernel(ip_frame(TCP, "203.0.113.80", 1024, 0));
	expect_kernel(ip_frame(UDP, POOL, 1024, 0));
}

static void options_do_not_hide_the_ports(void **state)
{
	(void)state;
	struct frame frame = {0};
	put16(frame.bytes + 12, 0x0800);
	frame.len = ETHERNET + put_ip(frame.bytes + ETHERNET, 15, TCP, CLIENT, 40000, VIP, 80, 0);
	expect_ours(frame);
	put_ip(frame.bytes + ETHERNET, 15, TCP, CLIENT, 80, VIP, 22, 0);
	expect_kernel(frame);
}

static void fragments_of_tcp_are_ours(void **state)
{
	(void)state;
	expect_ours(ip_frame(TCP, VIP, 80, MORE_FRAGMENTS));
	expect_kernel(ip_frame(TCP, VIP, 22, MORE_FRAGMENTS));
	expect_ours(ip_frame(TCP, VIP, 22, 100)); /* no port stands in a later fragment */
	expect_ours(ip_frame(TCP, POOL, 1, 100 | MORE_FRAGMENTS));
	expect_kernel(ip_frame(UDP, VIP, 80, 100));
	expect_kernel(ip_frame(TCP, ROUTER, 80, 100));
}

static void icmp_errors_about_our_tcp_are_ours(void **state)
{
	(void)state;
	static const uint8_t errors[] = {3, 4, 11, 12}, others[] = {0, 5, 8, 9, 13};
	for (size_t i = 0; i < sizeof(errors); i++) {
		expect_ours(icmp_frame(errors[i], TCP, VIP, 443));
		expect_ours(icmp_frame(errors[i], TCP, POOL, 5000));
		expect_kernel(icmp_frame(errors[i], TCP, VIP, 22));
		expect_kernel(icmp_frame(errors[i], TCP, CLIENT, 80));
		expect_kernel(icmp_frame(errors[i], UDP, VIP, 443));
	}
	for (size_t i = 0; i < sizeof(others); i++)
		expect_kernel(icmp_frame(others[i], TCP, VIP, 443));
}

static void other_protocols_are_the_kernels(void **state)
{
	(void)state;
	static const unsigned types[] = {0x0806, 0x86dd, 0x8100, 0x88cc};
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct frame frame = ip_frame(TCP, VIP, 80, 0);
		put16(frame.bytes + 12, types[i]);
		expect_kernel(frame);
	}
	struct frame frame = ip_frame(TCP, VIP, 80, 0);
	frame.bytes[ETHERNET] = 0x65; /* version 6 */
	expect_kernel(frame);
	frame.bytes[ETHERNET] = 0x44; /* 16 bytes of header */
	expect_kernel(frame);
}

static void what_is_cut_off_is_the_kernels(void **state)
{
	(void)state;
	struct frame tcp = ip_frame(TCP, VIP, 80, 0), icmp = icmp_frame(3, TCP, VIP, 443);
	for (tcp.len = ETHERNET; tcp.len < ETHERNET + 20 + 4; tcp.len++)
		expect_kernel(tcp);
	expect_ours(tcp);
	for (icmp.len = ETHERNET; icmp.len < ETHERNET + 20 + 8 + 20 + 4; icmp.len++)
		expect_kernel(icmp);
	expect_ours(icmp);
}

/* Last: the socket goes. */
static void without_a_socket_everything_is_the_kernels(void **state)
{
	(void)state;
	expect_ours(ip_frame(TCP, VIP, 80, 0));
	close(test_socket);
	expect_kernel(ip_frame(TCP, VIP, 80, 0));
	expect_kernel(ip_frame(TCP, POOL, 1024, 0));
}

static int setup(void **state)
{
	(void)state;
	const uint32_t value = 1, queue = 0;
	struct xdp_service http = {.address = inet_addr(VIP), .port = htons(80)};
	struct xdp_service https = {.address = inet_addr(VIP), .port = htons(443)};
	struct xdp_pool_prefix prefix = {.length = 28, .address = inet_addr("203.0.113.64")};
	int ring_size = 64;

	object = bpf_object__open_file(object_path, NULL);
	if (!object || bpf_object__load(object) != 0)
		return -1;
	program = bpf_program__fd(bpf_object__find_program_by_name(object, XDP_PROGRAM_NAME));
	services = bpf_object__find_map_fd_by_name(object, "services");
	vips = bpf_object__find_map_fd_by_name(object, "vips");
	pool = bpf_object__find_map_fd_by_name(object, "pool");
	sockets = bpf_object__find_map_fd_by_name(object, "xsks_map");
	/* A socket with a receive ring may stand in the map, bound or not. */
	test_socket = socket(AF_XDP, SOCK_RAW, 0);
	if (setsockopt(test_socket, SOL_XDP, XDP_RX_RING, &ring_size, sizeof(ring_size)) != 0)
		return -1;
	return bpf_map_update_elem(services, &http, &value, BPF_ANY) |
	       bpf_map_update_elem(services, &https, &value, BPF_ANY) |
	       bpf_map_update_elem(vips, &http.address, &value, BPF_ANY) |
	       bpf_map_update_elem(pool, &prefix, &value, BPF_ANY) |
	       bpf_map_update_elem(sockets, &queue, &test_socket, BPF_ANY);
}

static int teardown(void **state)
{
	(void)state;
	bpf_object__close(object);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tcp_to_a_service_is_ours),
	    cmocka_unit_test(tcp_to_the_pool_is_ours),
	    cmocka_unit_test(options_do_not_hide_the_ports),
	    cmocka_unit_test(fragments_of_tcp_are_ours),
	    cmocka_unit_test(icmp_errors_about_our_tcp_are_ours),
	    cmocka_unit_test(other_protocols_are_the_kernels),
	    cmocka_unit_test(what_is_cut_off_is_the_kernels),
	    cmocka_unit_test(without_a_socket_everything_is_the_kernels),
	};
	if (argc != 2 || geteuid() != 0) {
		puts(argc != 2 ? "usage: test_xdp_filter OBJECT" : "skipped: needs root");
		return argc != 2 ? EXIT_FAILURE : SKIPPED;
	}
	object_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}

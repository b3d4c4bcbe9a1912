// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* Decides in the kernel, frame by frame, what the dataplane gets: TCP to a served (VIP, port), TCP to the source pool,
 * fragments of such TCP, and ICMP errors about packets that came from either. Everything else goes up into Linux as if
 * nobody were here, and so does everything when no dataplane has a socket in xsks_map.
 *
 * Knows no connections, and judges nothing: what is broken beyond what is read here is for the dataplane to count. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp_filter.h"

enum {
	FRAGMENT_OFFSET = 0x1fff,
	ICMP_UNREACHABLE = 3,
	ICMP_QUENCH = 4,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

/* The AF_XDP sockets by receive queue; the name is what DPDK's driver looks for. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, XDP_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, XDP_SERVICES_MAX);
	__type(key, struct xdp_service);
	__type(value, __u32);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, XDP_SERVICES_MAX);
	__type(key, __be32);
	__type(value, __u32);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, XDP_POOL_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct xdp_pool_prefix);
	__type(value, __u32);
} pool SEC(".maps");

/* The first 4 bytes of every TCP header. */
struct ports {
	__be16 source, destination;
};

struct icmp_error {
	__u8 type, code;
	__be16 checksum;
	__be32 rest;
	struct iphdr quoted;
};

static __always_inline bool in_pool(__be32 address)
{
	struct xdp_pool_prefix key = {.length = 32, .address = address};
	return bpf_map_lookup_elem(&pool, &key) != NULL;
}

static __always_inline bool is_service(__be32 address, __be16 port)
{
	struct xdp_service key = {.address = address, .port = port};
	return bpf_map_lookup_elem(&services, &key) != NULL;
}

static __always_inline bool is_vip(__be32 address)
{
	return bpf_map_lookup_elem(&vips, &address) != NULL;
}

static __always_inline bool tcp_is_ours(const struct iphdr *ip, const void *end)
{
	const struct ports *ports = (const void *)ip + ip->ihl * 4;

	if (in_pool(ip->daddr))
		return true;
	if (ip->frag_off & bpf_htons(FRAGMENT_OFFSET))
		return is_vip(ip->daddr);
	return (const void *)(ports + 1) <= end && is_service(ip->daddr, ports->destination);
}

/* The quoted packet is one that we have sent. */
static __always_inline bool icmp_is_ours(const struct iphdr *ip, const void *end)
{
	const struct icmp_error *error = (const void *)ip + ip->ihl * 4;

	if ((ip->frag_off & bpf_htons(FRAGMENT_OFFSET)) || (const void *)(error + 1) > end)
		return false;
	if (error->type != ICMP_UNREACHABLE && error->type != ICMP_QUENCH && error->type != ICMP_TIME_EXCEEDED &&
	    error->type != ICMP_PARAMETER_PROBLEM)
		return false;
	if (error->quoted.ihl < 5 || error->quoted.protocol != IPPROTO_TCP)
		return false;
	const struct ports *ports = (const void *)&error->quoted + error->quoted.ihl * 4;
	if ((const void *)(ports + 1) > end)
		return false;
	return in_pool(error->quoted.saddr) || is_service(error->quoted.saddr, ports->source);
}

SEC("xdp")
int pointsman_xdp(struct xdp_md *context)
{
	const void *start = (const void *)(long)context->data;
	const void *end = (const void *)(long)context->data_end;
	const struct ethhdr *ethernet = start;
	const struct iphdr *ip = (const void *)(ethernet + 1);
	bool ours = false;

	if ((const void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl < 5)
		return XDP_PASS;
	if (ip->protocol == IPPROTO_TCP)
		ours = tcp_is_ours(ip, end);
	else if (ip->protocol == IPPROTO_ICMP)
		ours = icmp_is_ours(ip, end);
	/* Without a socket for the queue the redirect falls back to XDP_PASS: Linux answers. */
	return ours ? bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS) : XDP_PASS;
}

char program_license[] SEC("license") = "Dual BSD/GPL";

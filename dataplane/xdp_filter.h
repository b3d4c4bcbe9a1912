/* The maps that xdp_filter.bpf.c and xdp.c share: names and layouts. Integers that come from a packet are in
 * network byte order. Compiled for the kernel's BPF machine as well: nothing but linux/types.h in here. */
#ifndef PM_XDP_FILTER_H
#define PM_XDP_FILTER_H

#include <linux/types.h>

/* The program's name in the kernel, by which a program of ours is recognised. */
#define XDP_PROGRAM_NAME "pointsman_xdp"

enum {
	XDP_QUEUES_MAX = 256,
	XDP_SERVICES_MAX = 256,
	XDP_POOL_MAX = 16,
};

/* Map "services": what the dataplane serves now. The value is 1. */
struct xdp_service {
	__be32 address;
	__be16 port;
	__u16 zero;
};

/* Map "vips": the addresses of "services", for fragments without ports. Key __be32, value 1. */

/* Map "pool": prefixes of the source pool, longest prefix match. The value is 1. */
struct xdp_pool_prefix {
	__u32 length; /* bits, host byte order */
	__be32 address;
};

/* The value of the map in which the process stands that an interface belongs to. */
struct xdp_owner {
	__u64 pid;
	__u64 start_time; /* as /proc/PID/stat has it */
};

#endif

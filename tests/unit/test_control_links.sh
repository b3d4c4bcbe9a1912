#!/bin/sh
# pointsman-control contains EAL and rings, statically, and nothing of DPDK that knows devices: a secondary process with
# drivers would hold copies of the dataplane's AF_XDP sockets and keep the VIP silent after the dataplane has died.
set -eu
program=$1
symbols=$(nm "$program" | awk '{ print $NF }')

fail() {
	echo "$1" >&2
	exit 1
}

echo "$symbols" | grep -qx rte_eal_init || fail "$program: rte_eal_init is not in it: is DPDK linked dynamically?"
found=$(echo "$symbols" | grep -E '^(rte_eth_|rte_pci_|rte_vdev_|rte_mempool_|rte_pktmbuf_|eth_dev_)|_pmd_|af_xdp' || true)
[ -z "$found" ] || fail "$program: drivers, buses or packet buffers are in it: $found"
found=$(ldd "$program" | grep librte || true)
[ -z "$found" ] || fail "$program: linked dynamically: $found"

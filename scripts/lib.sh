# shellcheck shell=bash disable=SC1091,SC2034
# What scripts/demo, scripts/test and scripts/bench share: words, needs, packages, the lock, hugepages.
# Sourced, never run. What it changes on the machine, packages aside, it can put back.

export PATH=$PATH:/usr/sbin:/sbin # su without a dash leaves them out
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DEMO_RUN=/run/pointsman-demo
LOCK_FILE=/run/lock/pointsman.lock
HUGEPAGES=${POINTSMAN_HUGEPAGES:-512} # of 2 MB
HUGEPAGES_NR=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

PACKAGES_BUILD=(gcc libc6-dev meson ninja-build pkg-config clang llvm libdpdk-dev libbpf-dev libelf-dev libjansson-dev libyaml-dev
	libmicrohttpd-dev libgnutls28-dev libwslay-dev libjs-chart.js libcurl4-openssl-dev libmnl-dev libcmocka-dev zlib1g-dev)
PACKAGES_DEMO=(python3 iproute2 ethtool procps util-linux curl openssl haproxy nginx-light)
PACKAGES_TEST=(libclang-rt-dev nftables wrk dpdk-dev chromium chromium-driver python3-jsonschema python3-prometheus-client
	python3-selenium python3-yaml fonts-inter prometheus)
PACKAGES_BENCH=(dpdk-dev wrk libnginx-mod-stream)

say() {
	printf '%s\n' "$*"
}

fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# --- needs: all are checked, then all that fail are named -----------------------------------------------------------

NEEDS=()

need() {
	NEEDS+=("$1")
}

need_system() {
	local id version
	id=$(. /etc/os-release && echo "${ID:-}")
	version=$(. /etc/os-release && echo "${VERSION_ID:-999}") # testing has none
	if [ "$id" != debian ] || [ "${version%%.*}" -lt 12 ]; then
		need "Debian 12 or newer is needed, this is $id $version: use such a machine, virtual ones do"
	fi
	if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
		need "an amd64 system is needed, this is $(uname -m)"
	elif ! grep -qw sse4_2 /proc/cpuinfo; then
		need "a CPU with SSE4.2 is needed (DPDK asks for it): in a virtual machine, choose the CPU type \"host\""
	fi
}

need_kernel() {
	# 44 is AF_XDP, 3 is SOCK_RAW.
	if ! perl -e 'socket(my $s, 44, 3, 0) or exit 1'; then
		need "kernel $(uname -r) has no AF_XDP here: boot Debian's own kernel (linux-image-amd64), outside of a container"
	fi
	if ! unshare -n true 2>/dev/null; then
		need "network namespaces cannot be made here: run this on a machine of its own, not in a container"
	elif [ -x /sbin/ip ] && ! unshare -n sh -c 'ip link add x0 type veth peer name x1 && ip link add x2 type bridge' \
		2>/dev/null; then
		need "kernel $(uname -r) has no veth or no bridge: boot Debian's own kernel (linux-image-amd64)"
	fi
	[ -e "$HUGEPAGES_NR" ] || need "kernel $(uname -r) has no 2 MB hugepages: boot Debian's own kernel (linux-image-amd64)"
}

# need_resources HUGEPAGES
need_resources() {
	local available wanted=$(($1 * 2 + 500))
	if [ "$(nproc)" -lt 2 ]; then
		need "2 cores are needed (the poll-mode worker takes one), here $(nproc) can be used"
	fi
	available=$(awk '/^MemAvailable:/ {print int($2 / 1024)} /^HugePages_Free:/ {print $2 * 2}' /proc/meminfo |
		awk '{sum += $1} END {print sum}')
	if [ "$available" -lt "$wanted" ]; then
		need "$wanted MB of free memory are needed, there are $available: end something large, or add memory"
	fi
	if [ "$(df --output=avail -m "$ROOT" | tail -n 1)" -lt 500 ]; then
		need "500 MB of free disk are needed in $ROOT"
	fi
}

# needs_check HUGEPAGES: ends the script when something is missing; so many hugepages are still to be taken.
needs_check() {
	if [ "$(id -u)" -ne 0 ]; then
		need "root is needed: sudo ${0}"
	else
		need_kernel
	fi
	need_system
	need_resources "$1"
	[ ${#NEEDS[@]} -eq 0 ] || {
		printf '%s: cannot start:\n' "${0##*/}" >&2
		printf '  - %s\n' "${NEEDS[@]}" >&2
		exit 1
	}
}

# --- packages -------------------------------------------------------------------------------------------------------

package_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Runs a command while Debian may start no service.
without_services() {
	local policy=/usr/sbin/policy-rc.d status=0
	if [ -e "$policy" ]; then
		"$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	"$@" || status=$?
	rm -f "$policy"
	trap - EXIT
	return "$status"
}

INSTALL_LOG=$ROOT/build/install.log

apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update && apt-get -qy install --no-install-recommends "$@"
}

# packages_install NAME...: installs what is missing; nothing that comes with it is started, now or at the next boot.
packages_install() {
	local missing=() name
	for name in "$@"; do
		package_installed "$name" || missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "Installing ${#missing[@]} Debian packages and what they depend on (log: $INSTALL_LOG)"
	mkdir -p "${INSTALL_LOG%/*}"
	if ! without_services apt_install "${missing[@]}" >"$INSTALL_LOG" 2>&1 </dev/null; then
		tail -n 5 "$INSTALL_LOG" >&2
		fail "apt-get failed, see $INSTALL_LOG: mend /etc/apt/sources.list or the network, then try again"
	fi
	for name in haproxy nginx-light; do
		case " ${missing[*]} " in
		*" $name "*) systemctl -q disable "${name%-light}" 2>/dev/null || true ;;
		esac
	done
}

# --- building -------------------------------------------------------------------------------------------------------

# build DIRECTORY [MESON OPTION...]: configures once and builds; the output goes to DIRECTORY/build.log.
build() {
	local directory=$1 status=0
	shift
	mkdir -p "$directory"
	{
		{ [ -e "$directory/build.ninja" ] || meson setup "$directory" "$ROOT" "$@"; } && ninja -C "$directory"
	} >"$directory/build.log" 2>&1 || status=$?
	# Whoever owns the sources can also remove what root built.
	chown -R --reference="$ROOT" "$directory"
	[ "$status" -eq 0 ] || {
		tail -n 20 "$directory/build.log" >&2
		fail "building failed, see $directory/build.log"
	}
}

# --- one at a time --------------------------------------------------------------------------------------------------

# Demo, tests and benches share names and cores. Held until the script ends; started daemons must not inherit fd 9.
# Nested calls find POINTSMAN_LOCK_HELD set.
lock_take() {
	[ -z "${POINTSMAN_LOCK_HELD:-}" ] || return 0
	exec 9>"$LOCK_FILE"
	flock -n 9 || fail "another of scripts/demo, scripts/test and scripts/bench is at work: wait until it has ended"
}

# Ends what runs under a run directory and puts back what was changed for it; nothing to do is fine.
rig_down() {
	local run=$1
	[ -d "$run" ] || return 0
	python3 "$ROOT/scripts/demo_network.py" --run "$run" down 9>&-
	hugepages_restore "$run/host"
	rm -rf "$run"
}

# --- hugepages ------------------------------------------------------------------------------------------------------

hugepages_free() {
	cat "${HUGEPAGES_NR%nr_*}free_hugepages"
}

# hugepages_reserve DIRECTORY: makes $HUGEPAGES pages of 2 MB free for use; remembers in DIRECTORY how it was.
hugepages_reserve() {
	local directory=$1 before wanted
	mkdir -p "$directory"
	if ! grep -q ' hugetlbfs ' /proc/mounts; then
		if [ ! -d /dev/hugepages ]; then
			mkdir /dev/hugepages
			touch "$directory/hugepages.made"
		fi
		mount -t hugetlbfs hugetlbfs /dev/hugepages
		touch "$directory/hugepages.mounted"
	fi
	[ "$(hugepages_free)" -lt "$HUGEPAGES" ] || return 0
	before=$(cat "$HUGEPAGES_NR")
	wanted=$((before + HUGEPAGES - $(hugepages_free)))
	echo "$before" >"$directory/hugepages.before"
	echo "$wanted" >"$HUGEPAGES_NR"
	if [ "$(hugepages_free)" -lt "$HUGEPAGES" ]; then
		echo 1 >/proc/sys/vm/drop_caches
		echo 1 >/proc/sys/vm/compact_memory
		echo "$wanted" >"$HUGEPAGES_NR"
	fi
	[ "$(hugepages_free)" -ge "$HUGEPAGES" ] ||
		fail "the kernel gave only $(hugepages_free) of $HUGEPAGES hugepages of 2 MB: free some memory, or reboot"
}

# Removes what dataplanes that were killed have left: files hold their pages. A living one keeps its own.
hugepages_clean() {
	local file name pid
	for file in /dev/hugepages/pm-*map_* /var/run/dpdk/pm-*; do
		[ -e "$file" ] || continue
		name=${file##*/pm-}
		pid=${name%%-*}
		[ -e "/proc/$pid" ] || rm -rf "$file"
	done
}

# hugepages_restore DIRECTORY: puts back what hugepages_reserve changed; nothing to do is fine.
hugepages_restore() {
	local directory=$1
	hugepages_clean
	if [ -e "$directory/hugepages.before" ]; then
		cat "$directory/hugepages.before" >"$HUGEPAGES_NR"
	fi
	if [ -e "$directory/hugepages.mounted" ]; then
		umount /dev/hugepages
	fi
	if [ -e "$directory/hugepages.made" ]; then
		rmdir /dev/hugepages
	fi
	rm -rf "$directory"
}

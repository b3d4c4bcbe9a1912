/* Stands before DPDK's allocators: the dynamic linker finds the program's own functions first, for the calls of DPDK's
 * libraries and drivers among themselves as well. Part of debug builds only. */
#include "dataplane/allocation_guard.h"

#include <dlfcn.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_memzone.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/log.h"

static atomic_bool armed;

void allocation_guard_arm(void)
{
	atomic_store(&armed, true);
}

/* DPDK's own function of this name. */
static void *next(const char *name)
{
	if (atomic_load(&armed)) {
		log_error("%s was called after the start: control may hold its lock for ever", name);
		abort();
	}
	return dlsym(RTLD_NEXT, name);
}

#define GUARDED(type, name, parameters, arguments)                                                                     \
	type name parameters                                                                                           \
	{                                                                                                              \
		return ((type(*) parameters)next(#name))arguments;                                                     \
	}

GUARDED(void *, rte_malloc, (const char *type, size_t size, unsigned align), (type, size, align))
GUARDED(void *, rte_zmalloc, (const char *type, size_t size, unsigned align), (type, size, align))
GUARDED(void *, rte_calloc, (const char *type, size_t n, size_t size, unsigned align), (type, n, size, align))
GUARDED(void *, rte_realloc, (void *pointer, size_t size, unsigned align), (pointer, size, align))
GUARDED(void *, rte_malloc_socket, (const char *type, size_t size, unsigned align, int socket),
        (type, size, align, socket))
GUARDED(void *, rte_zmalloc_socket, (const char *type, size_t size, unsigned align, int socket),
        (type, size, align, socket))
GUARDED(void *, rte_calloc_socket, (const char *type, size_t n, size_t size, unsigned align, int socket),
        (type, n, size, align, socket))
GUARDED(void *, rte_realloc_socket, (void *pointer, size_t size, unsigned align, int socket),
        (pointer, size, align, socket))
GUARDED(void, rte_free, (void *pointer), (pointer))
GUARDED(const struct rte_memzone *, rte_memzone_reserve, (const char *name, size_t size, int socket, unsigned flags),
        (name, size, socket, flags))
GUARDED(const struct rte_memzone *, rte_memzone_reserve_aligned,
        (const char *name, size_t size, int socket, unsigned flags, unsigned align), (name, size, socket, flags, align))
GUARDED(int, rte_memzone_free, (const struct rte_memzone *zone), (zone))
GUARDED(int, rte_mp_sendmsg, (struct rte_mp_msg * message), (message))
GUARDED(int, rte_mp_request_sync,
        (struct rte_mp_msg * request, struct rte_mp_reply *reply, const struct timespec *limit),
        (request, reply, limit))

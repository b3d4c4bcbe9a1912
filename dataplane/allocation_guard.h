/* A rule, and its watchdog in debug builds (meson setup --buildtype debug): once packets flow the dataplane takes no
 * memory from DPDK's heap, gives none back and sends no message to other DPDK processes. All of that takes locks that
 * control shares, and control may be stopped or killed while it holds one. */
#ifndef PM_ALLOCATION_GUARD_H
#define PM_ALLOCATION_GUARD_H

#ifdef PM_ALLOCATION_GUARD
/* From now on such a call aborts the program. */
void allocation_guard_arm(void);
#else
static inline void allocation_guard_arm(void)
{
}
#endif

#endif

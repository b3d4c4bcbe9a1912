/* How a router host is checked: one GET over libcurl, without blocking, any number at once. When to check and what a
 * result means is not its business. */
#ifndef PM_CHECK_HTTP_H
#define PM_CHECK_HTTP_H

#include <stdint.h>

#include "common/address.h"
#include "control/health/check.h"

struct event_loop;
struct checker;

/* `done` is called from the loop, once per check, with the id that was given. NULL: libcurl has no memory. */
struct checker *checker_create(struct event_loop *loop, void (*done)(void *context, uint64_t id, struct check_result),
                               void *context);
/* Ends running checks without a result. */
void checker_destroy(struct checker *checker);

/* GET http://address:port/path on a fresh connection; the answer must be complete within timeout_ms. */
void checker_start(struct checker *checker, uint64_t id, const struct address *address, uint16_t port, const char *path,
                   uint32_t timeout_ms);

#endif

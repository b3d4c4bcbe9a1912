/* Health checks that reach nobody, for tests of control: implements control/check_http.h. A test reads which checks
 * were begun and gives their results. */
#ifndef PM_FAKE_CHECKER_H
#define PM_FAKE_CHECKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "control/health/check.h"

enum { FAKE_CHECKS_MAX = 64 };

struct fake_check {
	uint64_t id;
	struct address address;
	uint16_t port;
	char path[256];
	uint32_t timeout_ms;
};

struct fake_checker {
	unsigned count; /* running */
	struct fake_check checks[FAKE_CHECKS_MAX];
};

extern struct fake_checker fake_checker;

/* Ends the running check of this address. False: there is none. */
bool fake_checker_finish(const char *address, enum check_kind kind, int detail);
/* The running check of this address, or NULL. */
const struct fake_check *fake_checker_running(const char *address);

#endif

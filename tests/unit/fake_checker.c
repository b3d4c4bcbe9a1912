/* Health checks that reach nobody: see the header. */
#include "fake_checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/health/check_http.h"

struct fake_checker fake_checker;
static void (*done)(void *context, uint64_t id, struct check_result result);
static void *done_context;

struct checker *checker_create(struct event_loop *loop,
                               void (*callback)(void *context, uint64_t id, struct check_result), void *context)
{
	done = callback;
	done_context = context;
	fake_checker.count = 0;
	return (struct checker *)&fake_checker;
}

void checker_destroy(struct checker *checker)
{
}

void checker_start(struct checker *checker, uint64_t id, const struct address *address, uint16_t port, const char *path,
                   uint32_t timeout_ms)
{
	if (fake_checker.count == FAKE_CHECKS_MAX)
		abort();
	struct fake_check *check = &fake_checker.checks[fake_checker.count++];
	*check = (struct fake_check){.id = id, .address = *address, .port = port, .timeout_ms = timeout_ms};
	snprintf(check->path, sizeof(check->path), "%s", path);
}

const struct fake_check *fake_checker_running(const char *address)
{
	struct address wanted;
	address_parse(address, &wanted);
	for (unsigned i = 0; i < fake_checker.count; i++)
		if (address_equal(&fake_checker.checks[i].address, &wanted))
			return &fake_checker.checks[i];
	return NULL;
}

bool fake_checker_finish(const char *address, enum check_kind kind, int detail)
{
	const struct fake_check *check = fake_checker_running(address);
	if (!check)
		return false;
	size_t i = (size_t)(check - fake_checker.checks);
	uint64_t id = check->id;
	fake_checker.checks[i] = fake_checker.checks[--fake_checker.count];
	done(done_context, id, (struct check_result){kind, detail});
	return true;
}

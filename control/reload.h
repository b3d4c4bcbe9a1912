/* The configuration file is read again while both programs run: everything is checked first, then the dataplane takes
 * it (SIGHUP), and only when it has said so does control. A file that is wrong, or has a field that needs a restart,
 * changes nothing. */
#ifndef PM_RELOAD_H
#define PM_RELOAD_H

#include <stdbool.h>

#include "common/config.h"
#include "common/config_change.h"
#include "control/api/role.h"

struct control;

enum reload_result {
	RELOAD_DONE,
	RELOAD_NOTHING,   /* the file is as it was, and the dataplane has it */
	RELOAD_WRONG,     /* `errors` */
	RELOAD_RESTART,   /* `changes` has fields that need a restart */
	RELOAD_REFUSED,   /* by the dataplane; its log says why */
	RELOAD_NO_ANSWER, /* of the dataplane; nothing has changed here */
	RELOAD_UNDER_WAY, /* another one is */
};

struct reload;

struct reload_outcome {
	enum reload_result result;
	struct config_changes changes;
	struct config_errors errors; /* the receiver's to free */
};

/* `path`: of the configuration file. Never NULL. */
struct reload *reload_create(struct control *control, const char *path);
void reload_destroy(struct reload *reload);
/* Reads and checks the file. With `dry_run` that is all; else changes everything and then calls `done`, perhaps at
 * once.
 */
void reload_begin(struct reload *reload, bool dry_run, const struct actor *actor,
                  void (*done)(void *context, struct reload_outcome *outcome), void *context);
/* True while the dataplane and control may have different listeners: no table may be sent. */
bool reload_pending(const struct reload *reload);

#endif

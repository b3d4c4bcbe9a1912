/* Reading the configuration again: see the header. */
#include "control/reload.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/control.h"
#include "control/observe/journal.h"
#include "control/api/tls.h"

enum { LOOK_MS = 5, PATIENCE_MS = 6000, TEXT_MAX = 400, WHO_MAX = 127, REASON_MAX = 200 };

struct reload {
	struct control *control;
	char path[CONFIG_PATH_MAX + 1];
	struct config *own; /* the configuration that runs, if it is not the first one */
	struct event_timer timer;

	/* The one that is under way; `wanted` NULL: none. */
	struct config *wanted;
	bool told; /* the dataplane has been */
	struct reload_outcome outcome;
	uint64_t give_up; /* monotonic ms */
	char who[WHO_MAX + 1], reason[REASON_MAX + 1];
	void (*done)(void *context, struct reload_outcome *outcome);
	void *context;
};

bool reload_pending(const struct reload *reload)
{
	return reload && reload->wanted;
}

static void finish(struct reload *reload, enum reload_result result)
{
	struct reload_outcome outcome = reload->outcome;
	if (result != RELOAD_DONE)
		config_free(reload->wanted);
	reload->wanted = NULL;
	reload->outcome = (struct reload_outcome){0};
	outcome.result = result;
	reload->done(reload->context, &outcome);
}

static void note(struct reload *reload)
{
	char text[TEXT_MAX];
	const struct config_changes *changes = &reload->outcome.changes;
	int len = snprintf(text, sizeof(text), "configuration read again: %zu changes", changes->count);
	for (size_t i = 0; i < changes->count && len < TEXT_MAX; i++)
		len += snprintf(text + len, TEXT_MAX - (size_t)len, "%s %s", i == 0 ? ":" : ",", changes->list[i].path);
	journal_add(reload->control->journal,
	            &(struct journal_entry){.kind = "reloaded",
	                                    .who = reload->who,
	                                    .reason = reload->reason[0] ? reload->reason : NULL,
	                                    .object = "config",
	                                    .text = text});
}

/* Both programs have it from here on. */
static void adopt(struct reload *reload)
{
	struct control *control = reload->control;
	struct config *before = reload->own;
	reload->own = reload->wanted;
	control->config = reload->own;
	control_config_changed(control);
	config_free(before);
	note(reload);
	finish(reload, RELOAD_DONE);
}

/* Default clusters are sent by the numbers of listeners, which may be others afterwards: what has been sent must have
 * been applied before, and nothing more is sent meanwhile (reload_pending). */
static void tell_dataplane(struct reload *reload)
{
	const struct control *control = reload->control;
	if (!control->shared || !feed_idle(&control->feed) ||
	    !dataplane_link_drained(control->link, control->shared->worker_count))
		return;
	/* 0, when it has just ended, would be our whole process group. */
	pid_t pid = dataplane_link_pid(control->link);
	if (pid > 0)
		kill(pid, SIGHUP);
	reload->told = true;
}

static void look(void *context)
{
	struct reload *reload = context;
	const struct shared_header *shared = reload->control->shared;
	if (!reload->told)
		tell_dataplane(reload);
	if (!shared || shared_get(&shared->config_print) == reload->wanted->print)
		adopt(reload); /* a dataplane that starts now reads the new file */
	else if (shared_get(&shared->config_refused) == reload->wanted->print)
		finish(reload, RELOAD_REFUSED);
	else if (clock_monotonic_ms() >= reload->give_up)
		finish(reload, RELOAD_NO_ANSWER);
	else
		event_timer_set(reload->control->loop, &reload->timer, clock_monotonic_ms() + LOOK_MS);
}

struct reload *reload_create(struct control *control, const char *path)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	if (!reload)
		abort();
	reload->control = control;
	reload->timer = (struct event_timer){.fire = look, .context = reload};
	snprintf(reload->path, sizeof(reload->path), "%s", path);
	return reload;
}

void reload_destroy(struct reload *reload)
{
	if (!reload)
		return;
	event_timer_cancel(reload->control->loop, &reload->timer);
	if (reload->wanted)
		finish(reload, RELOAD_NO_ANSWER);
	config_free(reload->own);
	free(reload);
}

/* Refused, or nothing to do: the outcome at once. */
static void answer(struct reload *reload, struct config *wanted, struct reload_outcome *outcome,
                   enum reload_result result, void (*done)(void *context, struct reload_outcome *outcome),
                   void *context)
{
	config_free(wanted);
	outcome->result = result;
	done(context, outcome);
}

/* Else the API would go on without TLS where TLS was asked for. */
static bool tls_usable(const struct config *wanted, struct config_errors *errors)
{
	char why[TLS_WHY_MAX];
	if (wanted->admin.tls_certificate[0] == '\0')
		return true;
	struct tls *tls = tls_open(wanted->admin.tls_certificate, wanted->admin.tls_key, why);
	if (!tls) {
		config_error(errors, "$.admin.tls", "%s", why);
		return false;
	}
	tls_close(tls);
	return true;
}

static bool dataplane_has(const struct control *control, uint64_t print)
{
	return !control->shared || shared_get(&control->shared->config_print) == print;
}

void reload_begin(struct reload *reload, bool dry_run, const struct actor *actor,
                  void (*done)(void *context, struct reload_outcome *outcome), void *context)
{
	struct control *control = reload->control;
	struct reload_outcome outcome = {0};
	if (reload->wanted) {
		answer(reload, NULL, &outcome, RELOAD_UNDER_WAY, done, context);
		return;
	}
	struct config *wanted = config_read(reload->path, &outcome.errors);
	if (!wanted) {
		answer(reload, NULL, &outcome, RELOAD_WRONG, done, context);
		return;
	}
	if (!tls_usable(wanted, &outcome.errors)) {
		answer(reload, wanted, &outcome, RELOAD_WRONG, done, context);
		return;
	}
	config_compare(control->config, wanted, &outcome.changes);
	bool nothing = outcome.changes.count == 0 && dataplane_has(control, wanted->print);
	if (outcome.changes.restart || nothing || dry_run) {
		answer(reload, wanted, &outcome,
		       outcome.changes.restart ? RELOAD_RESTART
		       : nothing               ? RELOAD_NOTHING
		                               : RELOAD_DONE,
		       done, context);
		return;
	}
	reload->wanted = wanted;
	reload->outcome = outcome;
	reload->give_up = clock_monotonic_ms() + PATIENCE_MS;
	snprintf(reload->who, sizeof(reload->who), "%s", actor->who);
	snprintf(reload->reason, sizeof(reload->reason), "%s", actor->reason ? actor->reason : "");
	reload->done = done;
	reload->context = context;
	reload->told = false;
	look(reload);
}

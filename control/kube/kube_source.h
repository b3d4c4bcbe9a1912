/* Watches the API of one cluster: Routes and, unless its router hosts are static, router pods. Lists, then watches,
 * for each resource (and each namespace, if namespaces are given) by itself, so that trouble with one does not hold up
 * the other. Keeps what the API showed last in memory. Decides nothing: what is held, parked or elected is the state's
 * business, and so is what serves while the API is away.
 *
 * What an owner may rely on:
 * - Nothing is reported before every resource of the source has been listed completely once ("complete"); until then
 *   kube_source_observed is NULL. The first report is KUBE_LIST.
 * - An API that is away, slow, denies access or sends garbage changes nothing: no report comes, the status says why.
 * - A list counts when all of its pages are there. Changes by events are collected for a moment (kube_timing.collect,
 *   more if the owner needs long for them) and reported together.
 * - A Route that cannot be read (wrong types, no uid) stays as it was last seen, with a warning; a new one is left out.
 *
 * One thread, that of the event loop. Nothing here blocks: names are resolved by libcurl's thread. */
#ifndef PM_KUBE_SOURCE_H
#define PM_KUBE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/kube/kube_spec.h"
#include "control/kube/kube_timing.h"
#include "control/kube/observed.h"

struct event_loop;
struct kube_source;

/* Why `changed` is called. */
enum kube_change {
	KUBE_LIST,  /* a complete list of a resource: what it does not name is gone. Comes also if nothing is different:
	             * every relist_minutes, and after trouble or a broken connection */
	KUBE_EVENT, /* events of a watch */
};

/* Called from the loop, never from inside kube_source_start. It may call kube_source_observed and
 * kube_source_status, but must not call kube_source_stop. */
typedef void kube_changed(void *context, enum kube_change change);

/* Begins to watch. `cluster` is its name, for log lines; `spec` is copied. `timing`: NULL for the defaults. Reads the
 * files that the spec names when they are needed, and again when they change: a missing file is an error in the status,
 * tried again, not a failure of this. NULL: libcurl has no memory. */
struct kube_source *kube_source_start(struct event_loop *loop, const char *cluster, const struct kube_spec *spec,
                                      const struct kube_timing *timing, kube_changed *changed, void *context);
/* Ends every request and frees the source; `changed` is not called any more. NULL is fine. */
void kube_source_stop(struct kube_source *source);

/* What the API shows, ordered by uid (strcmp), each uid once; NULL until the source is complete. Valid until control
 * returns to the event loop: copy what must last. */
const struct observed *kube_source_observed(const struct kube_source *source);

enum kube_watch_state {
	KUBE_STATE_WAITING, /* for the next try, after trouble */
	KUBE_STATE_LISTING,
	KUBE_STATE_CONNECTING, /* the watch is asked for */
	KUBE_STATE_WATCHING,
};
/* "listing", as it stands in JSON. */
const char *kube_watch_state_name(enum kube_watch_state state);

enum { KUBE_WHAT_MAX = 80, KUBE_ERROR_MAX = 300, KUBE_VERSION_MAX = 127, KUBE_WARNINGS_MAX = 100 };

/* One list and watch. Times are Unix ms, 0: never. */
struct kube_watch_status {
	char what[KUBE_WHAT_MAX]; /* "routes", "routes of shop", "router pods" */
	enum kube_watch_state state;
	int64_t state_since;
	char words[KUBE_ERROR_MAX + 60]; /* the state for people: "watching", "waiting 3 s to list again: 401: ..." */
	bool listed;                     /* at least one complete list */
	int64_t listed_at;               /* the last complete list */
	int64_t event_at;                /* the last ADDED, MODIFIED or DELETED */
	int64_t
	    confirmed_at; /* the last list, event or bookmark: what we have was current then; now - this is the age */
	char resource_version[KUBE_VERSION_MAX + 1]; /* of the last list, event or bookmark; "": none */
	size_t objects;                              /* that count now */
	bool failing;                                /* `error` has not been followed by an answer that was good */
	char error[KUBE_ERROR_MAX + 1];              /* the last one, in words; "": none */
	int64_t error_at;
	uint64_t lists, watches, events, bookmarks, errors; /* since the start: complete lists, opened watches, ... */
};

/* Why a Route that asks for this name (cluster_name_id) serves nothing: not admitted, or left out. NULL: there is none,
 * or none that is known. Valid until control returns to the event loop. */
const char *kube_source_rejection(const struct kube_source *source, uint64_t name_id);

/* Of one cluster. */
struct kube_status {
	bool complete;
	bool insecure; /* the server's certificate is not checked */
	size_t watch_count;
	struct kube_watch_status watches[KUBE_NAMESPACES_MAX + 1]; /* routes first, router pods last */
	/* Objects that are left out or wrong, each a line for people that names namespace/name and the reason; they go
	 * when the object is mended or gone. Valid like kube_source_observed. */
	size_t warning_count, warnings_more; /* kept and shown; over the limit */
	const char *warnings[KUBE_WARNINGS_MAX];
};

void kube_source_status(const struct kube_source *source, struct kube_status *out);

#endif

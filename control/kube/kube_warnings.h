/* What is wrong with objects of an API, one line for each, kept while it is so and logged once. */
#ifndef PM_KUBE_WARNINGS_H
#define PM_KUBE_WARNINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/kube/kube_source.h"

struct kube_warning {
	char *uid; /* "": of an object without one */
	char *text;
	unsigned group; /* the watch it comes from */
	bool stale;     /* from before the list that is being read */
};

/* All zero to begin with. At most KUBE_WARNINGS_MAX are kept, the rest is counted until the next list of its group. */
struct kube_warnings {
	size_t count;
	struct kube_warning list[KUBE_WARNINGS_MAX]; /* owned */
	size_t more[KUBE_NAMESPACES_MAX + 1];        /* by group */
};

/* True if this is new and should be logged. One uid has one warning. */
bool kube_warnings_set(struct kube_warnings *warnings, unsigned group, const char *uid, const char *text);
/* The object is mended or gone. */
void kube_warnings_drop(struct kube_warnings *warnings, unsigned group, const char *uid);

/* Around a list: what was warned of before and is not again, goes with its end; a list that fails changes nothing. */
void kube_warnings_list_begin(struct kube_warnings *warnings, unsigned group);
void kube_warnings_list_end(struct kube_warnings *warnings, unsigned group);

size_t kube_warnings_more(const struct kube_warnings *warnings);
void kube_warnings_free(struct kube_warnings *warnings);

#endif

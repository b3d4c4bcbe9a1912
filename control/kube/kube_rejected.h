/* Routes that are there and serve nothing: not admitted by the router, or left out; with the name that they ask for and
 * the reason, so that one can be told why a name is missing. Bounded; what does not fit is not known. */
#ifndef PM_KUBE_REJECTED_H
#define PM_KUBE_REJECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KUBE_REJECTED_MAX = 1000 };

struct kube_rejection {
	uint64_t uid_hash; /* most comparisons end with it */
	char *uid, *text;  /* owned */
	uint64_t name_id;  /* cluster_name_id of what it asks for */
	unsigned group;    /* the watch it comes from */
	bool stale;        /* from before the list that is being read */
};

/* All zero to begin with. */
struct kube_rejected {
	size_t count, room;
	struct kube_rejection *list; /* owned */
};

/* One uid has one reason. */
void kube_rejected_set(struct kube_rejected *rejected, unsigned group, const char *uid, uint64_t name_id,
                       const char *text);
/* The object serves now, or is gone. */
void kube_rejected_drop(struct kube_rejected *rejected, unsigned group, const char *uid);

/* Around a list: what it does not reject again goes with its end; a list that fails changes nothing. */
void kube_rejected_list_begin(struct kube_rejected *rejected, unsigned group);
void kube_rejected_list_end(struct kube_rejected *rejected, unsigned group);

/* NULL: none asks for the name. */
const char *kube_rejected_why(const struct kube_rejected *rejected, uint64_t name_id);
void kube_rejected_free(struct kube_rejected *rejected);

#endif

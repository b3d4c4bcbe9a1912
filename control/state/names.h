/* Every host name that any cluster serves, with what each cluster says about it, found by id; and which of them have
 * changed since the workers were told. Decides nothing. One thread. */
#ifndef PM_NAMES_H
#define PM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"
#include "control/state/cluster.h"
#include "control/state/name_order.h"
#include "control/kube/observed.h"
#include "control/state/rollback.h"

/* One host name on one cluster. */
struct pair {
	uint16_t cluster; /* its index */
	bool present;     /* the cluster serves the name; false: only the override is remembered */
	bool http, https;
	bool weight_given, overridden;
	uint8_t weight;    /* 0 to WEIGHT_MAX, by the cluster: annotation, push, static */
	uint16_t override; /* in hundredths, by the operator */
	/* Of the oldest Route with this name: enum route_termination, enum route_insecure. */
	uint8_t termination, insecure;
	bool parked;   /* waits for a weight, because another cluster served the name first */
	bool conflict; /* as parked, for the namespace's sake: only an override ends it */
	bool initial;  /* of the first list of a cluster with which the very first start began */
	uint32_t seen; /* the last look at the cluster that found it: see names_look */
	struct hold hold;
	int64_t created;                            /* Unix ms: the oldest Route with this name; 0: unknown */
	char namespace[OBSERVED_NAMESPACE_MAX + 1]; /* of that Route; "": unknown */
	char *warning;                              /* owned; NULL: none */
};

struct name {
	uint64_t id; /* cluster_name_id */
	struct hostname host;
	bool wildcard;
	bool dirty;          /* in names.dirty */
	bool published;      /* the workers have been given it, with these pairs */
	bool ordered, moved; /* for name_order.h alone */
	uint8_t pair_count, published_count;
	uint8_t uncounted;         /* published pairs for whose counters there is no room */
	struct pair *pairs;        /* by cluster; owned. Valid until a pair is added or removed */
	uint64_t *published_pairs; /* cluster_pair_id of each; owned */
	struct rollback *rollback; /* owned; NULL: nothing to take back */
	struct name *next;         /* in its bucket */
};

/* All zero to begin with. */
struct names {
	size_t count;                      /* with at least one present pair */
	size_t pair_count;                 /* present ones */
	size_t of_cluster[CLUSTERS_MAX];   /* present ones */
	size_t overrides_of[CLUSTERS_MAX]; /* overridden ones */
	size_t published_count, uncounted; /* sums over the names */
	uint32_t look;
	struct name_order order;
	size_t dirty_count, dirty_room;
	struct name **dirty; /* owned; each once */
	size_t total, bucket_count;
	struct name **buckets; /* owned */
};

void names_free(struct names *names);

/* NULL: there is no such name. */
struct name *names_find(const struct names *names, uint64_t id);
struct name *names_find_host(const struct names *names, const struct hostname *host, bool wildcard);
/* Finds or makes it. A name that gets no pair goes with the next names_clean. */
struct name *names_add(struct names *names, const struct hostname *host, bool wildcard);
/* All names, in no order: the first one, or the one behind `after`; NULL at the end. */
struct name *names_next(const struct names *names, const struct name *after);

/* NULL: there is none. */
struct pair *names_pair(const struct name *name, uint16_t cluster);
/* Finds or makes it, not present. */
struct pair *names_pair_add(struct names *names, struct name *name, uint16_t cluster);
/* The only way to set `present`. */
void names_pair_set_present(struct names *names, struct name *name, struct pair *pair, bool present);
/* The only way to set `override` and `overridden`: a weight in hundredths, or below 0 for
 * none. */
void names_pair_override(struct names *names, struct name *name, struct pair *pair, int weight);
/* Takes the pair out. */
void names_pair_remove(struct names *names, struct name *name, uint16_t cluster);
/* True if any cluster serves the name. */
bool names_is_served(const struct name *name);

/* A warning of its own, or NULL. True if it is another one than before. */
bool names_pair_warn(struct pair *pair, const char *warning);

/* The name has changed. */
void names_touch(struct names *names, struct name *name);
/* The workers have been told: nothing is dirty any more, and names without pairs are freed. */
void names_clean(struct names *names);
/* The workers are given the name with these pairs, of which some are uncounted; none of it if `pairs` is NULL. */
void names_publish(struct names *names, struct name *name, const uint64_t *pairs, uint8_t count, uint8_t uncounted);
/* Touches what found no room before. */
void names_touch_left_out(struct names *names);

/* Begins a look at a whole cluster: returns the number that `seen` gets. */
uint32_t names_look(struct names *names);

/* A walk over such a list, which is in no order of memory, is at place `i`: fetches what it will need soon. */
static inline void names_fetch_ahead(struct name *const *list, size_t i, size_t count)
{
	enum { FAR = 24, NEAR = 8 };
	if (i + FAR < count) {
		__builtin_prefetch(list[i + FAR]);
		__builtin_prefetch(&list[i + FAR]->pairs);
		__builtin_prefetch(list[i + NEAR]->pairs);
	}
}

/* Order by name, exact names before wildcards; 0 for the same name. */
int names_compare(const struct name *a, const struct name *b);
/* The served names in that order. Valid until a name comes or goes. */
struct name *const *names_ordered(struct names *names, size_t *count);

#endif

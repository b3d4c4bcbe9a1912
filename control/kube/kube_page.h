/* One page of a list, {"kind": "RouteList", "metadata": {...}, "items": [{...}, ...]}, as it comes in: hands over each
 * item by itself, so that neither the whole page is in memory nor one bad item spoils it. Knows neither HTTP nor what
 * an item means. */
#ifndef PM_KUBE_PAGE_H
#define PM_KUBE_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/kube/kube_object.h"

enum {
	KUBE_ITEM_MAX = 4 * 1024 * 1024, /* a longer item is left out */
	KUBE_ENVELOPE_MAX = 256 * 1024,  /* of everything but the items */
};

/* `item` is NULL if it is no JSON or too long; `why` says so. Borrowed. */
typedef void kube_page_item(void *context, json_t *item, const char *why);

struct kube_page_text {
	char *bytes;
	size_t len, size;
};

/* All zero to begin with. */
struct kube_page {
	struct kube_page_text envelope, item; /* owned */
	unsigned depth;
	bool in_string, escaped;
	bool in_items; /* in the array "items" */
	bool in_item;
	bool item_too_long;
	bool too_long;          /* the envelope is */
	size_t key_at, key_len; /* the last string at depth 1, in the envelope */
};

/* False: too much beside the items. */
bool kube_page_feed(struct kube_page *page, const char *bytes, size_t len, kube_page_item *item, void *context);

struct kube_page_head {
	char *version;       /* never empty */
	char *continue_from; /* NULL: this was the last page */
};

/* At the end of the answer: was it a complete list of that kind? False: `why` says what it was instead. */
bool kube_page_end(struct kube_page *page, const char *kind, struct kube_page_head *out, char why[static KUBE_WHY_MAX]);
void kube_page_head_free(struct kube_page_head *head);
/* Can be used again. */
void kube_page_clear(struct kube_page *page);

#endif

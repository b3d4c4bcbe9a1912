/* Host names by name: see the header. */
#include "control/state/name_order.h"

#include <stdlib.h>
#include <string.h>

#include "control/state/names.h"

enum { ROOM_MIN = 64 };

static void reserve(struct name ***list, size_t *room, size_t count)
{
	if (count <= *room)
		return;
	*room = count + count / 2 + ROOM_MIN;
	*list = reallocarray(*list, *room, sizeof(**list));
	if (!*list)
		abort();
}

void name_order_free(struct name_order *order)
{
	free(order->list);
	free(order->moved);
	*order = (struct name_order){0};
}

void name_order_moved(struct name_order *order, struct name *name)
{
	if (name->moved)
		return;
	reserve(&order->moved, &order->moved_room, order->moved_count + 1);
	order->moved[order->moved_count++] = name;
	name->moved = true;
}

static int compare(const void *a, const void *b)
{
	return names_compare(*(const struct name *const *)a, *(const struct name *const *)b);
}

/* The first of the first `end` names that is not before this one. */
static size_t lower_bound(const struct name_order *order, size_t end, const struct name *name)
{
	size_t low = 0;
	while (low < end) {
		size_t middle = low + (end - low) / 2;
		if (names_compare(order->list[middle], name) < 0)
			low = middle + 1;
		else
			end = middle;
	}
	return low;
}

/* Keeps in `moved` those that are to be put in, and returns those to take out. Free the array. */
static size_t *sort_out(struct name_order *order, size_t *gone_count)
{
	size_t kept = 0, *gone = malloc(order->moved_count * sizeof(*gone) + 1);
	if (!gone)
		abort();
	*gone_count = 0;
	qsort(order->moved, order->moved_count, sizeof(struct name *), compare);
	for (size_t i = 0; i < order->moved_count; i++) {
		struct name *name = order->moved[i];
		bool served = names_is_served(name);
		name->moved = false;
		if (name->ordered && !served)
			gone[(*gone_count)++] = lower_bound(order, order->count, name);
		else if (!name->ordered && served)
			order->moved[kept++] = name;
		name->ordered = served;
	}
	order->moved_count = kept;
	return gone;
}

static void take_out(struct name_order *order, const size_t *gone, size_t gone_count)
{
	size_t to = gone_count > 0 ? gone[0] : 0;
	for (size_t i = 0; i < gone_count; i++) {
		size_t from = gone[i] + 1, end = i + 1 < gone_count ? gone[i + 1] : order->count;
		memmove(order->list + to, order->list + from, (end - from) * sizeof(struct name *));
		to += end - from;
	}
	order->count -= gone_count;
}

/* From the end on, so that each name moves once. */
static void put_in(struct name_order *order)
{
	size_t end = order->count, count = order->moved_count;
	reserve(&order->list, &order->room, end + count);
	for (size_t i = count; i-- > 0;) {
		size_t place = lower_bound(order, end, order->moved[i]);
		memmove(order->list + place + i + 1, order->list + place, (end - place) * sizeof(struct name *));
		order->list[place + i] = order->moved[i];
		end = place;
	}
	order->count += count;
	order->moved_count = 0;
}

void name_order_mend(struct name_order *order)
{
	size_t gone_count;
	if (order->moved_count == 0)
		return;
	size_t *gone = sort_out(order, &gone_count);
	take_out(order, gone, gone_count);
	put_in(order);
	free(gone);
}

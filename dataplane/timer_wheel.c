/* Hierarchical timer wheel, see timer_wheel.h. */
#include "dataplane/timer_wheel.h"

#include <stdlib.h>

enum { DELAY_MAX = (1 << 24) - (1 << 16) };

static uint32_t head_of(const struct timer_wheel *wheel, unsigned level, uint32_t deadline)
{
	return wheel->capacity + level * TIMER_SLOTS + (deadline >> (8 * level) & (TIMER_SLOTS - 1));
}

static void unlink_node(struct timer_wheel *wheel, uint32_t index)
{
	struct timer_node *node = &wheel->nodes[index];
	wheel->nodes[node->previous].next = node->next;
	wheel->nodes[node->next].previous = node->previous;
	node->next = node->previous = index;
}

static void link_node(struct timer_wheel *wheel, uint32_t index)
{
	struct timer_node *node = &wheel->nodes[index];
	uint32_t delay = node->deadline - wheel->now;
	unsigned level = delay < TIMER_SLOTS ? 0 : delay < TIMER_SLOTS * TIMER_SLOTS ? 1 : 2;
	uint32_t head = head_of(wheel, level, node->deadline);
	node->previous = wheel->nodes[head].previous;
	node->next = head;
	wheel->nodes[node->previous].next = index;
	wheel->nodes[head].previous = index;
}

bool timer_wheel_init(struct timer_wheel *wheel, uint32_t capacity, uint32_t now)
{
	uint32_t total = capacity + TIMER_LEVELS * TIMER_SLOTS;
	wheel->nodes = calloc(total, sizeof(*wheel->nodes));
	if (!wheel->nodes)
		return false;
	for (uint32_t i = 0; i < total; i++)
		wheel->nodes[i].next = wheel->nodes[i].previous = i;
	wheel->capacity = capacity;
	wheel->now = now;
	return true;
}

void timer_wheel_free(struct timer_wheel *wheel)
{
	free(wheel->nodes);
}

void timer_wheel_set(struct timer_wheel *wheel, uint32_t index, uint32_t delay)
{
	unlink_node(wheel, index);
	delay = delay == 0 ? 1 : delay > DELAY_MAX ? DELAY_MAX : delay;
	wheel->nodes[index].deadline = wheel->now + delay;
	link_node(wheel, index);
}

void timer_wheel_stop(struct timer_wheel *wheel, uint32_t index)
{
	unlink_node(wheel, index);
}

/* Spreads a slot of a higher level over the levels below. */
static void cascade(struct timer_wheel *wheel, unsigned level)
{
	uint32_t head = head_of(wheel, level, wheel->now);
	uint32_t index = wheel->nodes[head].next;
	wheel->nodes[head].next = wheel->nodes[head].previous = head;
	while (index != head) {
		uint32_t next = wheel->nodes[index].next;
		link_node(wheel, index);
		index = next;
	}
}

uint32_t timer_wheel_expire(struct timer_wheel *wheel, uint32_t now)
{
	for (;;) {
		uint32_t head = head_of(wheel, 0, wheel->now);
		uint32_t index = wheel->nodes[head].next;
		if (index != head) {
			unlink_node(wheel, index);
			return index;
		}
		if ((int32_t)(now - wheel->now) <= 0)
			return TIMER_NONE;
		wheel->now++;
		if ((wheel->now & 0xffff) == 0)
			cascade(wheel, 2);
		if ((wheel->now & 0xff) == 0)
			cascade(wheel, 1);
	}
}

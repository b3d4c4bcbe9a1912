/* The rules of held deletions: see the header. */
#include "control/state/hold.h"

void hold_window_add(struct hold_window *window, int64_t now_ms, size_t count)
{
	int64_t second = now_ms / 1000;
	size_t place = (size_t)(second % HOLD_WINDOW_S);
	if (window->seconds[place] != second)
		window->counts[place] = 0;
	window->seconds[place] = second;
	window->counts[place] += count;
}

size_t hold_window_sum(const struct hold_window *window, int64_t now_ms)
{
	int64_t second = now_ms / 1000;
	size_t sum = 0;
	for (size_t i = 0; i < HOLD_WINDOW_S; i++)
		if (window->seconds[i] > second - HOLD_WINDOW_S && window->seconds[i] <= second)
			sum += window->counts[i];
	return sum;
}

static enum hold_reason decide(const struct hold_question *question, size_t least, size_t percent)
{
	size_t gone = question->counted_going + question->counted_gone;
	size_t before = question->counted + question->counted_gone;
	if (question->going_to_serve > 0 && question->staying == 0)
		return HOLD_ALL;
	if (question->counted_going > 0 && gone >= least && gone * 100 > before * percent)
		return HOLD_MANY;
	return HOLD_NONE;
}

enum hold_reason hold_routes(const struct hold_question *question)
{
	return decide(question, HOLD_ROUTES_MIN, HOLD_ROUTES_PERCENT);
}

enum hold_reason hold_hosts(const struct hold_question *question)
{
	return decide(question, HOLD_HOSTS_MIN, HOLD_HOSTS_PERCENT);
}

bool hold_listed(struct hold *hold, uint16_t minutes, int64_t now_ms)
{
	if (hold->listed == 0)
		hold->listed = now_ms;
	return hold->reason == HOLD_MANY && minutes > 0 && now_ms - hold->listed >= (int64_t)minutes * 60000;
}

/* Questions to the workers: see the header. */
#include "control/traffic/queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/control_feed.h"

enum {
	ASKED_MAX = 8, /* messages with the workers at once: these take QUERIES_AT_ONCE + QUERIES_WAITING */
	LOOK_MS = 50,  /* who is silent? */
};
_Static_assert(ASKED_MAX <= QUERIES_AT_ONCE + QUERIES_WAITING, "a worker refuses none");

struct question {
	struct question *next;
	struct queries_reader reader;
	size_t count, sent;        /* messages */
	struct message *messages;  /* owned */
	unsigned asked;            /* with the workers now */
	uint64_t began_at;         /* monotonic ms */
	uint64_t answered_workers; /* bits: have answered each message so far */
	bool over;
	struct queries_result result;
};

/* A message that is with the workers. */
struct asked {
	uint32_t query; /* 0: free */
	struct question *question;
	uint64_t answered; /* bits of workers */
	uint64_t heard_at; /* monotonic ms */
};

struct queries {
	struct control *control;
	struct event_timer timer;
	uint64_t look_at; /* monotonic ms: what the timer was set to */
	bool gone;        /* no dataplane any more, until the process is replaced */
	uint32_t last_query;
	unsigned count;
	struct question *first; /* in the order in which they came */
	struct asked asked[ASKED_MAX];
};

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

static uint64_t all_workers(const struct queries *queries)
{
	return UINT64_MAX >> (WORKERS_MAX - queries->control->shared->worker_count);
}

/* ---- the end of a question ---- */

static void free_asked(struct queries *queries, const struct question *question)
{
	for (unsigned i = 0; i < ASKED_MAX; i++)
		if (queries->asked[i].question == question)
			queries->asked[i] = (struct asked){0};
}

static void fail(struct queries *queries, struct question *question, const char *why)
{
	if (question->over)
		return;
	question->over = true;
	snprintf(question->result.why, sizeof(question->result.why), "%s", why);
	free_asked(queries, question);
}

static struct question *take_over_one(struct queries *queries)
{
	for (struct question **link = &queries->first; *link; link = &(*link)->next) {
		struct question *question = *link;
		if (!question->over)
			continue;
		*link = question->next;
		queries->count--;
		return question;
	}
	return NULL;
}

/* Tells those who asked. They may ask again from inside. */
static void tell_over(struct queries *queries)
{
	struct question *question;
	while ((question = take_over_one(queries))) {
		question->result.answered = (unsigned)__builtin_popcountll(question->answered_workers);
		question->reader.done(question->reader.context, &question->result);
		free(question->messages);
		free(question);
	}
}

/* ---- sending ---- */

static uint32_t next_query(struct queries *queries)
{
	if (++queries->last_query == 0)
		queries->last_query = 1;
	return queries->last_query;
}

static struct asked *free_place(struct queries *queries)
{
	for (unsigned i = 0; i < ASKED_MAX; i++)
		if (queries->asked[i].query == 0)
			return &queries->asked[i];
	return NULL;
}

static void set_query(struct message *message, uint32_t query)
{
	if (message->type == MESSAGE_EXPLAIN)
		message->explain.query = query;
	else
		message->connections.query = query;
}

/* Gives the workers as much as may be with them at once. */
static void send(struct queries *queries)
{
	struct question *question = queries->first;
	struct asked *place = free_place(queries);
	while (place && question) {
		if (question->over || question->sent == question->count) {
			question = question->next;
			continue;
		}
		struct message *message = &question->messages[question->sent];
		uint32_t query = next_query(queries);
		set_query(message, query);
		if (!feed_command(&queries->control->feed, message))
			return; /* the timer tries again */
		*place = (struct asked){query, question, 0, clock_monotonic_ms()};
		question->sent++;
		question->asked++;
		place = free_place(queries);
	}
}

static unsigned first_silent(const struct queries *queries, const struct asked *asked)
{
	return (unsigned)__builtin_ctzll(all_workers(queries) & ~asked->answered);
}

static void look_for_silent(struct queries *queries, uint64_t now)
{
	char why[QUERY_WHY_MAX];
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		const struct asked *asked = &queries->asked[i];
		if (asked->query == 0 || now - asked->heard_at < QUERY_SILENCE_MS)
			continue;
		asked->question->answered_workers &= asked->answered;
		snprintf(why, sizeof(why), "worker %u of the dataplane has not answered within %u s",
		         first_silent(queries, asked), QUERY_SILENCE_MS / 1000);
		fail(queries, asked->question, why);
	}
	snprintf(why, sizeof(why), "the dataplane has not answered all of it within %u s", QUERY_TOTAL_MS / 1000);
	for (struct question *question = queries->first; question; question = question->next)
		if (!question->over && now - question->began_at >= QUERY_TOTAL_MS) {
			question->answered_workers = 0;
			fail(queries, question, why);
		}
}

static void look_again(struct queries *queries, uint64_t at)
{
	queries->look_at = at;
	event_timer_set(queries->control->loop, &queries->timer, at);
}

static void put_off(uint64_t *since, uint64_t late, uint64_t now)
{
	*since = *since + late < now ? *since + late : now;
}

/* While the loop itself stood still nobody was silent: questions may not have left yet, and answers lie in the rings.
 */
static void leave_out_stall(struct queries *queries, uint64_t now)
{
	uint64_t late = now > queries->look_at ? now - queries->look_at : 0;
	for (unsigned i = 0; i < ASKED_MAX; i++)
		put_off(&queries->asked[i].heard_at, late, now);
	for (struct question *question = queries->first; question; question = question->next)
		put_off(&question->began_at, late, now);
	queries->look_at += late;
}

static void look(void *context)
{
	struct queries *queries = context;
	uint64_t now = clock_monotonic_ms();
	leave_out_stall(queries, now);
	look_for_silent(queries, now);
	tell_over(queries);
	send(queries);
	if (queries->first)
		look_again(queries, now + LOOK_MS);
}

/* ---- asking ---- */

static bool may_ask(const struct queries *queries, char why[static QUERY_WHY_MAX])
{
	const struct control *control = queries->control;
	if (queries->gone || !control->shared || dataplane_link_state(control->link) != LINK_READY)
		snprintf(why, QUERY_WHY_MAX, "no dataplane is ready");
	else if (queries->count >= QUERIES_WAITING_MAX)
		snprintf(why, QUERY_WHY_MAX, "%u questions to the dataplane are waiting already: try again in a second",
		         queries->count);
	else
		return true;
	return false;
}

/* Takes the messages. */
static void ask(struct queries *queries, struct message *messages, size_t count, const struct queries_reader *reader)
{
	struct question **end = &queries->first;
	struct question *question = allocate(1, sizeof(*question));
	leave_out_stall(queries, clock_monotonic_ms());
	*question = (struct question){
	    .reader = *reader,
	    .count = count,
	    .messages = messages,
	    .began_at = clock_monotonic_ms(),
	    .answered_workers = all_workers(queries),
	    .over = count == 0,
	    .result.complete = count == 0,
	};
	while (*end)
		end = &(*end)->next;
	*end = question;
	queries->count++;
	send(queries);
	look_again(queries, question->began_at + (count == 0 ? 0 : LOOK_MS));
	control_feed_wake(queries->control);
}

/* ---- filters ---- */

struct filtered {
	struct message base;
	size_t count;
	struct message *messages;
};

static struct message *append(struct filtered *filtered)
{
	struct message *message = &filtered->messages[filtered->count++];
	*message = filtered->base;
	return message;
}

static void add_pairs(struct filtered *filtered, const struct control *control, const struct queries_filter *filter)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (!cluster || (filter->cluster && strcmp(filter->cluster, cluster->spec->name) != 0))
			continue;
		uint32_t slot = slots_find(&control->pairs, cluster_pair_id(filter->route, cluster->spec->name));
		if (slot != SLOT_NONE)
			append(filtered)->connections.pair = slot;
	}
}

/* What of the filter stands in every message. False: nothing can fit it. */
static bool fill_base(struct message *base, const struct control *control, const struct queries_filter *filter)
{
	base->type = MESSAGE_CONNECTIONS;
	base->connections = (struct message_connections){
	    .cluster = CLUSTER_NONE, .pair = SLOT_NONE, .host = SLOT_NONE, .min_age = filter->min_age};
	base->connections.states = filter->states;
	base->connections.client = filter->client.address;
	base->connections.client_length = filter->client.length;
	if (filter->cluster) {
		const struct cluster *cluster = state_cluster(&control->state, filter->cluster);
		if (!cluster)
			return false;
		base->connections.cluster = cluster->number;
	}
	if (filter->host != 0)
		base->connections.host = slots_find(&control->hosts, filter->host);
	return filter->host == 0 || base->connections.host != SLOT_NONE;
}

static bool ask_filtered(struct control *control, const struct queries_filter *filter, uint8_t action, uint32_t limit,
                         const struct queries_reader *reader, char why[static QUERY_WHY_MAX])
{
	if (!may_ask(control->queries, why))
		return false;
	size_t room = filter->id_count > CLUSTERS_MAX ? filter->id_count : CLUSTERS_MAX;
	struct filtered filtered = {.messages = allocate(room, sizeof(struct message))};
	bool possible = fill_base(&filtered.base, control, filter);
	filtered.base.connections.action = action;
	filtered.base.connections.limit = limit;
	if (possible && filter->id_count > 0)
		for (size_t i = 0; i < filter->id_count; i++)
			append(&filtered)->connections.id = filter->ids[i];
	else if (possible && filter->route != 0)
		add_pairs(&filtered, control, filter);
	else if (possible)
		append(&filtered);
	ask(control->queries, filtered.messages, filtered.count, reader);
	return true;
}

bool queries_list(struct control *control, const struct queries_filter *filter, const struct queries_reader *reader,
                  char why[static QUERY_WHY_MAX])
{
	return ask_filtered(control, filter, CONNECTIONS_LIST, QUERY_LISTED_MAX, reader, why);
}

bool queries_count(struct control *control, const struct queries_filter *filter, const struct queries_reader *reader,
                   char why[static QUERY_WHY_MAX])
{
	return ask_filtered(control, filter, CONNECTIONS_LIST, 0, reader, why);
}

bool queries_close(struct control *control, const struct queries_filter *filter, const struct queries_reader *reader,
                   char why[static QUERY_WHY_MAX])
{
	return ask_filtered(control, filter, CONNECTIONS_CLOSE, 0, reader, why);
}

bool queries_explain(struct control *control, uint16_t listener, const struct address *client,
                     const struct hostname *name, const struct queries_reader *reader, char why[static QUERY_WHY_MAX])
{
	if (!may_ask(control->queries, why))
		return false;
	struct message *message = allocate(1, sizeof(*message));
	message->type = MESSAGE_EXPLAIN;
	message->explain = (struct message_explain){.listener = listener, .client = *client, .name = *name};
	ask(control->queries, message, 1, reader);
	return true;
}

/* ---- answers ---- */

static void take_end(struct queries *queries, struct asked *asked, unsigned worker, const struct record_query_end *end)
{
	struct question *question = asked->question;
	char why[QUERY_WHY_MAX];
	if (end->refused) {
		question->answered_workers &= ~(1ULL << worker);
		snprintf(why, sizeof(why), "worker %u of the dataplane has refused the question", worker);
		fail(queries, question, why);
		return;
	}
	question->result.matched += end->matched;
	question->result.closed += end->closed;
	asked->answered |= 1ULL << worker;
	if (asked->answered != all_workers(queries))
		return;
	*asked = (struct asked){0};
	if (--question->asked == 0 && question->sent == question->count)
		question->over = question->result.complete = true;
}

void queries_take(struct queries *queries, unsigned worker, const struct record *record)
{
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		struct asked *asked = &queries->asked[i];
		if (asked->query == 0 || asked->query != record->query)
			continue;
		const struct queries_reader *reader = &asked->question->reader;
		asked->heard_at = clock_monotonic_ms();
		if (record->type == RECORD_QUERY_END)
			take_end(queries, asked, worker, &record->end);
		else if (reader->record)
			reader->record(reader->context, worker, record);
		break;
	}
	if (record->type == RECORD_QUERY_END) {
		tell_over(queries);
		send(queries);
	}
}

bool queries_busy(const struct queries *queries)
{
	for (unsigned i = 0; i < ASKED_MAX; i++)
		if (queries->asked[i].query != 0)
			return true;
	return false;
}

/* ---- life ---- */

struct queries *queries_create(struct control *control)
{
	struct queries *queries = allocate(1, sizeof(*queries));
	queries->control = control;
	queries->timer = (struct event_timer){.fire = look, .context = queries};
	return queries;
}

void queries_cancel(struct queries *queries, const char *why)
{
	queries->gone = true;
	for (struct question *question = queries->first; question; question = question->next) {
		question->answered_workers &= question->over ? UINT64_MAX : 0;
		fail(queries, question, why);
	}
	tell_over(queries);
}

void queries_destroy(struct queries *queries)
{
	queries_cancel(queries, "control ends");
	event_timer_cancel(queries->control->loop, &queries->timer);
	free(queries);
}

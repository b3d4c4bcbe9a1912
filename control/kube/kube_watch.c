/* List and watch: see the header. */
#include "control/kube/kube_watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/event_loop.h"
#include "control/kube/kube_client.h"
#include "control/kube/kube_page.h"
#include "control/kube/kube_retry.h"

enum {
	LIST_PATIENCE = 10, /* a page may take so many times list_silence, if bytes keep coming */
	LIST_SHARE = 20,    /* lists that nobody needs at once take at most one in so many parts of the time */
	BARREN_MAX = 3,     /* watches; then lists in between get rarer */
};

struct kube_watch {
	struct event_loop *loop;
	struct kube_client *client;
	const struct kube_timing *timing;
	struct kube_watch_target target;
	const struct kube_watch_sink *sink;
	void *context;

	struct kube_watch_status status; /* its words and `objects` are made by others */
	struct kube_call *call;
	struct event_timer timer;  /* waiting: the next try; else: silence */
	struct event_timer relist; /* the safety net */
	uint64_t timer_from;

	bool resumable; /* a watch can begin at status.resource_version */
	bool broken;    /* the last stream did not end as it should: what came meanwhile may be missing */
	bool read_anew; /* the next call reads the credentials' files in any case: the API did not like them */
	struct kube_retry retry;

	struct kube_page page;
	unsigned pages; /* of this list that have come */
	size_t items;   /* of this list */
	uint64_t list_began;
	uint64_t list_due;   /* before, a list that nobody needs at once would come too soon after the last one */
	char *continue_from; /* owned; NULL: the first page */
	char list_version[KUBE_VERSION_MAX + 1];

	struct kube_lines lines;
	uint64_t opened_at; /* when the stream's head came */
	bool settled;       /* the stream has said something, or lasted for a while */
	unsigned barren;    /* watches in a row that ended before that */
	bool bookmarks_seen;
	unsigned silence_shift;         /* watch_silence is doubled so often: a server that knows no bookmarks */
	struct kube_trouble stopped_by; /* why we ended a call from within */
};

static const struct kube_call_handler list_handler, watch_handler;

static void list(struct kube_watch *watch);
static void open_stream(struct kube_watch *watch);

const char *kube_watch_state_name(enum kube_watch_state state)
{
	static const char *const names[] = {"waiting", "listing", "connecting", "watching"};
	return names[state];
}

static void set_state(struct kube_watch *watch, enum kube_watch_state state)
{
	if (watch->status.state != state)
		watch->status.state_since = clock_unix_ms();
	watch->status.state = state;
}

static void set_timer(struct kube_watch *watch, uint32_t after_ms)
{
	event_timer_set(watch->loop, &watch->timer, clock_monotonic_ms() + after_ms);
}

static void end_call(struct kube_watch *watch)
{
	kube_call_cancel(watch->call);
	watch->call = NULL;
}

/* --- trouble ----------------------------------------------------------------------------------------------------- */

/* Notes it; the same words are logged once. */
static void note_trouble(struct kube_watch *watch, const struct kube_trouble *trouble)
{
	struct kube_watch_status *status = &watch->status;
	if (!status->failing || strcmp(status->error, trouble->words) != 0)
		log_warning("cluster %s: %s: %s", watch->target.cluster, watch->target.what, trouble->words);
	snprintf(status->error, sizeof(status->error), "%s", trouble->words);
	status->error_at = clock_unix_ms();
	status->errors++;
	status->failing = true;
}

static void note_good(struct kube_watch *watch)
{
	if (watch->status.failing)
		log_info("cluster %s: %s: the API answers again", watch->target.cluster, watch->target.what);
	watch->status.failing = false;
}

static void wait_after(struct kube_watch *watch, const struct kube_trouble *trouble)
{
	end_call(watch);
	note_trouble(watch, trouble);
	watch->read_anew |= trouble->unauthorized;
	set_state(watch, KUBE_STATE_WAITING);
	set_timer(watch, kube_retry_wait(&watch->retry, watch->timing, trouble, clock_monotonic_ms()));
}

static void set_relist(struct kube_watch *watch, uint32_t after_ms)
{
	uint32_t jitter = after_ms / 4;
	uint64_t at = clock_monotonic_ms() + after_ms - jitter + kube_random_up_to(2 * jitter);
	event_timer_set(watch->loop, &watch->relist, at);
}

/* A list has failed. Where there is a watch to go back to, it goes on, and the list is tried again in a while. */
static void list_failed(struct kube_watch *watch, const struct kube_trouble *trouble)
{
	watch->resumable &= trouble->answered; /* who was away may have been restored from a backup */
	if (watch->resumable)
		set_relist(watch, watch->timing->backoff_cap_denied);
	wait_after(watch, trouble);
}

/* A watch has failed. The same request again makes sense only if the API said so. */
static void watch_failed(struct kube_watch *watch, const struct kube_trouble *reason)
{
	struct kube_trouble trouble = *reason;
	watch->resumable = trouble.kind == KUBE_BUSY;
	/* An API that lists but never watches is not asked for everything every few seconds. */
	if (++watch->barren > BARREN_MAX && !watch->resumable)
		trouble.kind = KUBE_DENIED;
	wait_after(watch, &trouble);
}

static bool stop_call(struct kube_watch *watch, const struct kube_trouble *trouble)
{
	watch->stopped_by = *trouble;
	return false;
}

__attribute__((format(printf, 2, 3))) static bool stop_with(struct kube_watch *watch, const char *format, ...)
{
	char words[KUBE_WORDS_MAX + 1];
	va_list args;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	kube_trouble_set(&watch->stopped_by, "%s", words);
	return false;
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

static void forget_list(struct kube_watch *watch)
{
	kube_page_clear(&watch->page);
	free(watch->continue_from);
	watch->continue_from = NULL;
	watch->pages = 0;
	watch->items = 0;
}

static struct kube_call *get(struct kube_watch *watch, const char *query, uint32_t limit_ms,
                             const struct kube_call_handler *handler)
{
	char *selector = kube_query_escape(watch->target.selector), *path;
	bool selects = selector[0] != '\0', anew = watch->read_anew;
	if (asprintf(&path, "%s?%s%s%s", watch->target.path, query, selects ? "&labelSelector=" : "", selector) < 0)
		abort();
	watch->read_anew = false;
	struct kube_call *call = kube_client_get(watch->client, path, limit_ms, anew, handler, watch);
	free(path);
	free(selector);
	return call;
}

static void ask_page(struct kube_watch *watch)
{
	char *token = kube_query_escape(watch->continue_from ? watch->continue_from : ""), *query;
	if (asprintf(&query, "limit=%d%s%s", KUBE_PAGE_LIMIT, token[0] != '\0' ? "&continue=" : "", token) < 0)
		abort();
	set_state(watch, KUBE_STATE_LISTING);
	set_timer(watch, watch->timing->list_silence);
	watch->call = get(watch, query, watch->timing->list_silence * LIST_PATIENCE, &list_handler);
	free(query);
	free(token);
}

/* Without a resourceVersion: what is newest, from all of etcd. */
static void list(struct kube_watch *watch)
{
	end_call(watch);
	kube_lines_clear(&watch->lines);
	forget_list(watch);
	watch->list_began = clock_monotonic_ms();
	watch->sink->list_begin(watch->context);
	ask_page(watch);
}

static void on_item(void *context, json_t *item, const char *why)
{
	struct kube_watch *watch = context;
	if (++watch->items <= KUBE_LIST_MAX)
		watch->sink->list_item(watch->context, item, why);
}

static bool on_list_bytes(void *context, const char *bytes, size_t len)
{
	struct kube_watch *watch = context;
	set_timer(watch, watch->timing->list_silence);
	bool fits = kube_page_feed(&watch->page, bytes, len, on_item, watch);
	if (watch->items > KUBE_LIST_MAX)
		return stop_with(watch, "the list has more than %d objects", KUBE_LIST_MAX);
	return fits || stop_with(watch, "the answer is no list");
}

static void set_version(struct kube_watch *watch, const char *version)
{
	strcpy(watch->status.resource_version, version);
	watch->status.confirmed_at = clock_unix_ms();
}

static void list_complete(struct kube_watch *watch)
{
	forget_list(watch);
	set_version(watch, watch->list_version);
	watch->status.lists++;
	watch->status.listed = true;
	watch->status.listed_at = watch->status.confirmed_at;
	watch->resumable = true;
	watch->broken = false;
	uint64_t now = clock_monotonic_ms();
	watch->list_due = now + watch->timing->list_rest + (now - watch->list_began) * LIST_SHARE;
	if (watch->barren == 0)
		note_good(watch);
	set_relist(watch, watch->target.relist_ms);
	watch->sink->list_end(watch->context);
	open_stream(watch);
}

/* A page has come whole; false with the trouble if it is none, or does not go with the others. */
static bool take_page(struct kube_watch *watch, struct kube_trouble *trouble)
{
	struct kube_page_head head;
	char why[KUBE_WHY_MAX];
	if (!kube_page_end(&watch->page, watch->target.list_kind, &head, why)) {
		kube_trouble_set(trouble, "the answer %s", why);
		return false;
	}
	kube_page_clear(&watch->page);
	bool fits = strlen(head.version) <= KUBE_VERSION_MAX &&
	            (watch->pages == 0 || strcmp(head.version, watch->list_version) == 0);
	if (fits)
		strcpy(watch->list_version, head.version);
	else
		kube_trouble_set(trouble, "page %u of the list is of another version than the first", watch->pages + 1);
	free(watch->continue_from);
	watch->continue_from = head.continue_from;
	head.continue_from = NULL;
	kube_page_head_free(&head);
	watch->pages++;
	return fits;
}

static void on_list_done(void *context, const struct kube_call_result *result)
{
	struct kube_watch *watch = context;
	struct kube_trouble trouble = result->outcome == KUBE_CALL_STOPPED ? watch->stopped_by : result->trouble;
	watch->call = NULL;
	bool good = result->outcome == KUBE_CALL_COMPLETE && take_page(watch, &trouble);
	trouble.answered |= result->outcome == KUBE_CALL_COMPLETE || result->outcome == KUBE_CALL_STOPPED;
	if (!good)
		list_failed(watch, &trouble);
	else if (watch->continue_from)
		ask_page(watch);
	else
		list_complete(watch);
}

static const struct kube_call_handler list_handler = {on_list_bytes, on_list_done};

/* --- the watch --------------------------------------------------------------------------------------------------- */

static uint32_t silence_limit(const struct kube_watch *watch)
{
	return watch->timing->watch_silence << watch->silence_shift;
}

static void open_stream(struct kube_watch *watch)
{
	const struct kube_timing *timing = watch->timing;
	uint32_t seconds =
	    timing->watch_seconds_min + kube_random_up_to(timing->watch_seconds_max - timing->watch_seconds_min);
	char *version = kube_query_escape(watch->status.resource_version), *query;
	if (asprintf(&query, "watch=1&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%u", version,
	             seconds) < 0)
		abort();
	kube_lines_clear(&watch->lines);
	watch->settled = false;
	watch->opened_at = 0;
	set_state(watch, KUBE_STATE_CONNECTING);
	set_timer(watch, timing->list_silence);
	watch->call = get(watch, query, seconds * 1000 + timing->watch_grace, &watch_handler);
	free(query);
	free(version);
}

/* A version is opaque; but where both are numbers, a smaller one says that something is wrong with the order. */
static bool goes_back(const char *version, const char *last)
{
	size_t len = strlen(version), last_len = strlen(last);
	if (strspn(version, "0123456789") != len || strspn(last, "0123456789") != last_len)
		return false;
	return len != last_len ? len < last_len : strcmp(version, last) < 0;
}

static void take_version(struct kube_watch *watch, const json_t *object)
{
	const char *version = kube_object_version(object);
	watch->status.confirmed_at = clock_unix_ms();
	if (version && version[0] != '\0' && strlen(version) <= KUBE_VERSION_MAX &&
	    !goes_back(version, watch->status.resource_version))
		set_version(watch, version);
}

static bool take_event(struct kube_watch *watch, const struct kube_event *event)
{
	struct kube_trouble trouble;
	const char *version = kube_object_version(event->object);
	if (event->type == KUBE_TYPE_ERROR) {
		kube_status_trouble(event->object, &trouble);
		return stop_call(watch, &trouble);
	}
	/* Old servers give a deletion the version that the object had last; it is final at any place. */
	if (event->type != KUBE_TYPE_DELETED && version && goes_back(version, watch->status.resource_version))
		return stop_with(watch, "events out of order: version %.40s after %.40s", version,
		                 watch->status.resource_version);
	if (event->type == KUBE_TYPE_BOOKMARK) {
		watch->bookmarks_seen = true;
		watch->silence_shift = 0;
		watch->status.bookmarks++;
	} else {
		watch->status.events++;
		watch->status.event_at = clock_unix_ms();
		watch->sink->event(watch->context, event->type, event->object);
	}
	take_version(watch, event->object);
	return true;
}

/* The stream is of use: whatever was wrong before is mended. */
static void settle(struct kube_watch *watch)
{
	watch->settled = true;
	watch->barren = 0;
	kube_retry_good(&watch->retry, clock_monotonic_ms());
	note_good(watch);
	set_timer(watch, silence_limit(watch));
}

static bool on_line(void *context, const char *text, size_t len)
{
	struct kube_watch *watch = context;
	struct kube_event event;
	char why[KUBE_WHY_MAX];
	if (!kube_event_decode(text, len, &event, why))
		return stop_with(watch, "a line of the watch %s", why);
	bool more = take_event(watch, &event);
	json_decref(event.object);
	if (more)
		settle(watch);
	return more;
}

static void stream_opened(struct kube_watch *watch)
{
	watch->opened_at = clock_monotonic_ms();
	watch->status.watches++;
	set_state(watch, KUBE_STATE_WATCHING);
	set_timer(watch, watch->timing->short_stream);
}

static bool on_watch_bytes(void *context, const char *bytes, size_t len)
{
	struct kube_watch *watch = context;
	if (watch->opened_at == 0)
		stream_opened(watch);
	bool more = kube_lines_feed(&watch->lines, bytes, len, on_line, watch);
	if (watch->lines.too_long)
		return stop_with(watch, "a line of the watch is longer than %d bytes", KUBE_LINE_MAX);
	return more;
}

/* Goes on with the watch where it ended. Behind a connection that broke a list comes first, for who breaks it may have
 * lost more, even its memory of our version; a large one waits until the last one is far enough back. */
static void resume(struct kube_watch *watch)
{
	uint64_t now = clock_monotonic_ms();
	if (watch->broken && now >= watch->list_due) {
		list(watch);
		return;
	}
	if (watch->broken && watch->relist.at > watch->list_due)
		event_timer_set(watch->loop, &watch->relist, watch->list_due);
	watch->broken = false;
	open_stream(watch);
}

/* The stream is at its end, as announced or not, which is normal at any time. If it ends at once, time and again, it
 * is not. */
static void stream_ended(struct kube_watch *watch, const struct kube_call_result *result)
{
	uint64_t next = watch->opened_at + watch->timing->short_stream;
	struct kube_trouble trouble;
	watch->broken = result->outcome == KUBE_CALL_CUT;
	const char *how = watch->broken ? result->trouble.words : "as announced";
	if (!watch->settled && watch->barren++ > 0) {
		kube_trouble_set(&trouble, "the watch ended at once, without an event: %s", how);
		wait_after(watch, &trouble);
		return;
	}
	if (watch->broken)
		log_info("cluster %s: %s: %s", watch->target.cluster, watch->target.what, how);
	if (clock_monotonic_ms() >= next) {
		resume(watch);
		return;
	}
	set_state(watch, KUBE_STATE_WAITING); /* not as often as the API can */
	event_timer_set(watch->loop, &watch->timer, next);
}

static void on_watch_done(void *context, const struct kube_call_result *result)
{
	struct kube_watch *watch = context;
	watch->call = NULL;
	switch (result->outcome) {
	case KUBE_CALL_COMPLETE:
	case KUBE_CALL_CUT:
		stream_ended(watch, result);
		break;
	case KUBE_CALL_STOPPED:
		watch_failed(watch, &watch->stopped_by);
		break;
	case KUBE_CALL_FAILED:
		watch_failed(watch, &result->trouble);
		break;
	}
}

static const struct kube_call_handler watch_handler = {on_watch_bytes, on_watch_done};

/* --- time -------------------------------------------------------------------------------------------------------- */

static void go_on(struct kube_watch *watch)
{
	if (watch->resumable)
		resume(watch);
	else
		list(watch);
}

/* No event and no bookmark: the version may be one that the API has yet to reach, or the stream is dead. */
static void stream_silent(struct kube_watch *watch)
{
	struct kube_trouble trouble;
	kube_trouble_set(&trouble, "neither an event nor a bookmark for %u s: listing again",
	                 silence_limit(watch) / 1000);
	note_trouble(watch, &trouble);
	if (!watch->bookmarks_seen && silence_limit(watch) < watch->target.relist_ms)
		watch->silence_shift++;
	watch->resumable = false;
	list(watch);
}

static void on_timer(void *context)
{
	struct kube_watch *watch = context;
	struct kube_trouble trouble;
	kube_trouble_set(&trouble, "the API says nothing for %u s", watch->timing->list_silence / 1000);
	switch (watch->status.state) {
	case KUBE_STATE_WAITING:
		go_on(watch);
		break;
	case KUBE_STATE_LISTING:
		list_failed(watch, &trouble);
		break;
	case KUBE_STATE_CONNECTING:
		watch_failed(watch, &trouble);
		break;
	case KUBE_STATE_WATCHING:
		if (watch->settled)
			stream_silent(watch);
		else
			settle(watch);
		break;
	}
}

static void on_relist(void *context)
{
	struct kube_watch *watch = context;
	if (watch->status.state == KUBE_STATE_WAITING && watch->resumable)
		set_relist(watch, watch->timing->backoff_cap_denied);
	else if (watch->status.state == KUBE_STATE_CONNECTING || watch->status.state == KUBE_STATE_WATCHING)
		list(watch);
}

void kube_watch_retry(struct kube_watch *watch)
{
	if (watch->status.state == KUBE_STATE_WAITING)
		set_timer(watch, 0);
}

bool kube_watch_is_waiting(const struct kube_watch *watch)
{
	return watch->status.state == KUBE_STATE_WAITING;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct kube_watch *kube_watch_start(struct event_loop *loop, struct kube_client *client,
                                    const struct kube_timing *timing, const struct kube_watch_target *target,
                                    const struct kube_watch_sink *sink, void *context)
{
	struct kube_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		abort();
	*watch = (struct kube_watch){
	    .loop = loop, .client = client, .timing = timing, .target = *target, .sink = sink, .context = context};
	watch->timer = (struct event_timer){.fire = on_timer, .context = watch};
	watch->relist = (struct event_timer){.fire = on_relist, .context = watch};
	watch->status.state_since = clock_unix_ms();
	snprintf(watch->status.what, sizeof(watch->status.what), "%s", target->what);
	list(watch);
	return watch;
}

void kube_watch_stop(struct kube_watch *watch)
{
	end_call(watch);
	event_timer_cancel(watch->loop, &watch->timer);
	event_timer_cancel(watch->loop, &watch->relist);
	kube_lines_clear(&watch->lines);
	forget_list(watch);
	free(watch);
}

static void set_words(const struct kube_watch *watch, struct kube_watch_status *out)
{
	uint64_t now = clock_monotonic_ms();
	unsigned long left = watch->timer.at > now ? (unsigned long)((watch->timer.at - now + 999) / 1000) : 0;
	switch (out->state) {
	case KUBE_STATE_WAITING:
		snprintf(out->words, sizeof(out->words), "waiting %lu s to %s again%s%s", left,
		         watch->resumable ? "watch" : "list", out->failing ? ": " : "", out->failing ? out->error : "");
		break;
	case KUBE_STATE_LISTING:
		snprintf(out->words, sizeof(out->words), "listing, page %u", watch->pages + 1);
		break;
	case KUBE_STATE_CONNECTING:
		snprintf(out->words, sizeof(out->words), "asking for the watch");
		break;
	case KUBE_STATE_WATCHING:
		snprintf(out->words, sizeof(out->words), "watching");
		break;
	}
}

void kube_watch_status(const struct kube_watch *watch, struct kube_watch_status *out)
{
	*out = watch->status;
	set_words(watch, out);
}

/* kube_watch: every way from one state to another, against a scripted API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/event_loop.h"
#include "control/kube/kube_client.h"
#include "control/kube/kube_watch.h"
#include "tests/unit/api_server.h"
#include "tests/unit/recorded.h"

#define PATH   "/apis/route.openshift.io/v1/routes"
#define LIST   PATH "?limit=500"
#define STREAM PATH "?watch=1"

struct fixture {
	struct event_loop *loop;
	struct api_server *server;
	struct kube_timing timing;
	struct kube_watch_target target;
	struct kube_credentials *credentials;
	struct kube_client *client;
	struct kube_watch *watch;
	char seen[8192]; /* what the sink was told */
};

static void note(void *context, const char *word, const json_t *object)
{
	struct fixture *fixture = context;
	const char *name = kube_text(json_object_get(object, "metadata"), "name");
	size_t len = strlen(fixture->seen);
	snprintf(fixture->seen + len, sizeof(fixture->seen) - len, "%s%s%s|", word, name ? " " : "", name ? name : "");
}

static void list_begin(void *context)
{
	note(context, "begin", NULL);
}

static void list_item(void *context, json_t *item, const char *why)
{
	note(context, item ? "item" : why, item);
}

static void list_end(void *context)
{
	note(context, "end", NULL);
}

static void event(void *context, enum kube_type type, json_t *object)
{
	static const char *const words[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "UNKNOWN"};
	note(context, words[type], object);
}

static const struct kube_watch_sink sink = {list_begin, list_item, list_end, event};

/* Short enough to be waited for, long enough to be told apart. */
static const struct kube_timing quick = {
    .backoff_first = 20,
    .backoff_cap_away = 40,
    .backoff_cap_denied = 400,
    .backoff_patience = 3,
    .backoff_reset = 600,
    .retry_after_cap = 1000,
    .files = 20,
    .connect = 1000,
    .list_silence = 5000,
    .list_rest = 60000, /* no list that is not needed */
    .watch_seconds_min = 300,
    .watch_seconds_max = 600,
    .watch_grace = 30000,
    .watch_silence = 60000,
    .short_stream = 60,
    .collect = 1,
};

static int setup(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){.timing = quick,
	                           .target = {.cluster = "test",
	                                      .what = "routes",
	                                      .path = PATH,
	                                      .list_kind = "RouteList",
	                                      .selector = "",
	                                      .relist_ms = 1200000}};
	fixture.loop = event_loop_create();
	fixture.server = api_server_start(fixture.loop);
	*state = &fixture;
	return 0;
}

static void start(struct fixture *fixture)
{
	struct kube_spec spec = {.server = ""};
	strcpy(spec.server, api_server_url(fixture->server));
	fixture->credentials = kube_credentials_create(&spec);
	fixture->client = kube_client_create(fixture->loop, fixture->credentials, &fixture->timing);
	fixture->watch =
	    kube_watch_start(fixture->loop, fixture->client, &fixture->timing, &fixture->target, &sink, fixture);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	kube_watch_stop(fixture->watch);
	kube_client_destroy(fixture->client);
	kube_credentials_free(fixture->credentials);
	api_server_stop(fixture->server);
	event_loop_destroy(fixture->loop);
	return 0;
}

static struct kube_watch_status status_of(const struct fixture *fixture)
{
	struct kube_watch_status status;
	kube_watch_status(fixture->watch, &status);
	return status;
}

static void assert_error(const struct fixture *fixture, const char *part)
{
	struct kube_watch_status status = status_of(fixture);
	if (!strstr(status.error, part))
		fail_msg("error: %s", status.error);
}

static void assert_seen(struct fixture *fixture, const char *expected)
{
	assert_string_equal(fixture->seen, expected);
	fixture->seen[0] = '\0';
}

struct expected_end {
	struct fixture *fixture;
	const char *end;
};

static bool ends_so(void *context)
{
	const struct expected_end *expected = context;
	size_t len = strlen(expected->fixture->seen), end = strlen(expected->end);
	return len >= end && strcmp(expected->fixture->seen + len - end, expected->end) == 0;
}

/* Waits until the sink was told this last. */
static void await_seen(struct fixture *fixture, const char *end)
{
	run_until(fixture->loop, ends_so, &(struct expected_end){fixture, end}, end);
}

#define PAGE(version, token, items)                                                                                    \
	"{\"kind\":\"RouteList\",\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token              \
	"\"},\"items\":[" items "]}"
#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define EVENT(type, name, version)                                                                                     \
	"{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version        \
	"\"}}}\n"
#define BOOKMARK(version)                                                                                              \
	"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Route\",\"metadata\":{\"resourceVersion\":\"" version "\"}}}\n"

/* An empty list at version 10, then the watch from there, open. */
static struct api_call *reach_stream(struct fixture *fixture)
{
	start(fixture);
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("10", "", ""));
	struct api_call *call = api_await(fixture->server, STREAM);
	api_stream(call);
	fixture->seen[0] = '\0';
	return call;
}

static struct api_call *await_stream_from(struct fixture *fixture, const char *version)
{
	char target[200];
	snprintf(target, sizeof(target), STREAM "&allowWatchBookmarks=true&resourceVersion=%s&", version);
	return api_await(fixture->server, target);
}

static void list_then_watch(void **state)
{
	struct fixture *fixture = *state;
	fixture->target.selector = "type in (a,b)";
	start(fixture);
	struct api_call *call = api_await(fixture->server, LIST);
	assert_string_equal(api_target(call), LIST "&labelSelector=type%20in%20%28a%2Cb%29");
	assert_int_equal(status_of(fixture).state, KUBE_STATE_LISTING);
	assert_string_equal(status_of(fixture).words, "listing, page 1");
	api_reply(call, 200, "", PAGE("10", "t+/=", ITEM("a") "," ITEM("b")));
	call = api_await(fixture->server, LIST "&continue=");
	assert_string_equal(api_target(call), LIST "&continue=t%2B%2F%3D&labelSelector=type%20in%20%28a%2Cb%29");
	assert_string_equal(status_of(fixture).words, "listing, page 2");
	assert_false(status_of(fixture).listed);
	api_reply(call, 200, "", PAGE("10", "", ITEM("c")));
	call = api_await(fixture->server, STREAM);
	assert_seen(fixture, "begin|item a|item b|item c|end|");
	unsigned seconds;
	assert_int_equal(
	    sscanf(api_target(call),
	           STREAM "&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=%u&labelSelector=", &seconds),
	    1);
	assert_in_range(seconds, 300, 600);
	assert_int_equal(status_of(fixture).state, KUBE_STATE_CONNECTING);
	api_stream(call);
	api_send(call, EVENT("ADDED", "d", "11") EVENT("MODIFIED", "a", "12") "{\"type\":\"DEL");
	await_seen(fixture, "MODIFIED a|");
	struct kube_watch_status status = status_of(fixture);
	assert_int_equal(status.state, KUBE_STATE_WATCHING);
	assert_string_equal(status.words, "watching");
	assert_string_equal(status.resource_version, "12");
	assert_true(status.listed && status.listed_at > 0 && status.event_at >= status.listed_at);
	assert_int_equal(status.lists, 1);
	assert_int_equal(status.watches, 1);
	assert_int_equal(status.events, 2);
	assert_false(status.failing);
	api_send(call, "ETED\",\"object\":{\"metadata\":{\"name\":\"b\",\"resourceVersion\":\"13\"}}}\n");
	await_seen(fixture, "DELETED b|");
	assert_seen(fixture, "ADDED d|MODIFIED a|DELETED b|");
}

/* A bookmark has no name, and is where the next watch begins. */
static void resumes_where_it_ended(void **state)
{
	struct fixture *fixture = *state;
	struct api_call *call = reach_stream(fixture);
	api_send(call, EVENT("ADDED", "a", "11") BOOKMARK("90"));
	api_end(call); /* as timeoutSeconds does it */
	call = await_stream_from(fixture, "90");
	assert_seen(fixture, "ADDED a|");
	assert_false(status_of(fixture).failing);
	assert_int_equal(status_of(fixture).bookmarks, 1);
	api_stream(call);
	api_send(call, EVENT("ADDED", "b", "91") "{\"type\":\"ADDED\",\"obj");
	await_seen(fixture, "ADDED b|");
	api_cut(call); /* in the middle of a line */
	call = await_stream_from(fixture, "91");
	api_stream(call);
	api_send(call, EVENT("ADDED", "c", "92"));
	await_seen(fixture, "ADDED c|");
	assert_seen(fixture, "ADDED b|ADDED c|");
	assert_false(status_of(fixture).failing);
	assert_int_equal(status_of(fixture).lists, 1);
}

static void expired_as_event(void **state)
{
	struct fixture *fixture = *state;
	struct api_call *call = reach_stream(fixture);
	api_send(call, EVENT("ADDED", "a", "11"));
	api_send(call,
	         "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":"
	         "\"too old resource version: 5 (211)\"}}\n");
	call = api_await(fixture->server, LIST);
	assert_error(fixture, "status 410: the API has forgotten this version: \"too old resource version: 5 (211)\"");
	assert_seen(fixture, "ADDED a|begin|");
	api_reply(call, 200, "", PAGE("300", "", ITEM("a")));
	/* The recorded form of it, at the start of a watch. */
	struct recorded recorded = recorded_load("watch-too-old-410-event");
	api_reply_raw(await_stream_from(fixture, "300"), recorded.bytes, recorded.len);
	recorded_free(&recorded);
	api_await(fixture->server, LIST);
	assert_int_equal(status_of(fixture).lists, 2);
}

static void expired_as_status(void **state)
{
	struct fixture *fixture = *state;
	struct api_call *call = reach_stream(fixture);
	api_end(call);
	struct recorded recorded = recorded_load("list-continue-410");
	call = api_await(fixture->server, STREAM); /* after a moment: the stream was short */
	api_reply_raw(call, recorded.bytes, recorded.len);
	call = api_await(fixture->server, LIST);
	/* And at the second page of a list: again from the first, not with the token that the answer offers. */
	api_reply(call, 200, "", PAGE("20", "t", ITEM("a")));
	api_reply_raw(api_await(fixture->server, LIST "&continue=t"), recorded.bytes, recorded.len);
	recorded_free(&recorded);
	call = api_await(fixture->server, LIST);
	assert_string_equal(api_target(call), LIST);
	api_reply(call, 200, "", PAGE("21", "", ITEM("b")));
	await_stream_from(fixture, "21");
	assert_seen(fixture, "begin|item a|begin|item b|end|");
}

static void second_page_fails(void **state)
{
	struct fixture *fixture = *state;
	start(fixture);
	for (unsigned i = 0; i < 3; i++) {
		api_reply(api_await(fixture->server, LIST), 200, "", PAGE("20", "t", ITEM("a")));
		struct api_call *call = api_await(fixture->server, LIST "&continue=t");
		if (i == 0)
			api_reply(call, 500, "", "");
		else if (i == 1)
			api_reply_raw(call, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", 40);
		else
			api_reply(call, 200, "", PAGE("21", "", ITEM("b"))); /* another version: not one list */
	}
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("22", "", ITEM("c")));
	await_stream_from(fixture, "22");
	assert_seen(fixture, "begin|item a|begin|item a|begin|item a|item b|begin|item c|end|");
	assert_error(fixture, "page 2 of the list is of another version than the first");
	assert_int_equal(status_of(fixture).errors, 3);
}

/* What has status 200 and is no list must not be taken for an empty one. */
static void what_is_no_list(void **state)
{
	static const char *const bodies[] = {
	    "",
	    "{}",
	    "<html>login</html>",
	    "{\"kind\":\"Status\",\"metadata\":{},\"status\":\"Failure\"}",
	    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}",
	    "{\"kind\":\"RouteList\",\"metadata\":{\"resourceVersion\":\"5\"}}",
	    "{\"kind\":\"RouteList\",\"metadata\":{},\"items\":[]}",
	    "{\"kind\":\"RouteList\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[",
	};
	struct fixture *fixture = *state;
	start(fixture);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		api_reply(api_await(fixture->server, LIST), 200, "", bodies[i]);
	api_await(fixture->server, LIST);
	assert_null(strstr(fixture->seen, "end"));
	assert_error(fixture, "the answer was cut");
	assert_int_equal(status_of(fixture).errors, sizeof(bodies) / sizeof(*bodies));
}

static void api_away(void **state)
{
	struct fixture *fixture = *state;
	api_server_down(fixture->server);
	start(fixture); /* down at the start */
	while (status_of(fixture).errors < 3)
		event_loop_turn(fixture->loop, 10);
	assert_error(fixture, "no connection to the API");
	struct kube_watch_status status = status_of(fixture);
	assert_int_equal(status.state, KUBE_STATE_WAITING);
	assert_int_equal(strncmp(status.words, "waiting 1 s to list again: no connection to the API: ", 52), 0);
	api_server_up(fixture->server);
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("10", "", ""));
	struct api_call *call = await_stream_from(fixture, "10");
	api_stream(call);
	api_send(call, EVENT("ADDED", "a", "11"));
	await_seen(fixture, "ADDED a|");
	/* Down later: who has been away may have been restored from a backup, so its versions count for nothing. */
	api_server_down(fixture->server);
	while (status_of(fixture).errors < 6)
		event_loop_turn(fixture->loop, 10);
	api_server_up(fixture->server);
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("3", "", ITEM("a")));
	await_stream_from(fixture, "3");
}

/* Who breaks a connection may have been restored from a backup, or have lost what came meanwhile: a list comes first.
 */
static void broken_connection(void **state)
{
	struct fixture *fixture = *state;
	fixture->timing.list_rest = 50;
	struct api_call *call = reach_stream(fixture);
	api_send(call, EVENT("ADDED", "a", "11"));
	await_seen(fixture, "ADDED a|");
	api_expect_none(fixture->server, PATH, 100);
	uint64_t before = clock_monotonic_ms();
	api_cut(call);
	call = api_await(fixture->server, LIST);
	assert_true(clock_monotonic_ms() - before < 500);
	assert_false(status_of(fixture).failing); /* it is normal at any time */
	api_reply(call, 200, "", PAGE("9", "", ITEM("b")));
	call = await_stream_from(fixture, "9");
	assert_seen(fixture, "ADDED a|begin|item b|end|");
	/* If that list finds nobody, there is no going back to the watch: who was away, may have been restored, too. */
	api_stream(call);
	api_expect_none(fixture->server, PATH, 100);
	api_server_down(fixture->server);
	while (!status_of(fixture).failing)
		event_loop_turn(fixture->loop, 10);
	api_server_up(fixture->server);
	call = api_await(fixture->server, PATH);
	assert_string_equal(api_target(call), LIST);
	/* Lists that took long are not repeated each time. */
	api_stream(call);
	api_expect_none(fixture->server, PATH, 30);
	api_send(call, PAGE("12", "", ""));
	api_end(call);
	for (unsigned i = 0; i < 2; i++) {
		call = await_stream_from(fixture, "12");
		api_stream(call);
		api_expect_none(fixture->server, PATH, 80);
		api_cut(call);
	}
	call = await_stream_from(fixture, "12");
	api_stream(call);
	api_await(fixture->server, LIST); /* but it comes later, without another reason */
	api_await_close(call);
}

static void retry_after(void **state)
{
	struct fixture *fixture = *state;
	start(fixture);
	uint64_t before = clock_monotonic_ms();
	api_reply(api_await(fixture->server, LIST), 503, "Retry-After: 1\r\n", "");
	struct api_call *call = api_await(fixture->server, LIST);
	assert_true(clock_monotonic_ms() - before >= 990);
	fixture->timing.retry_after_cap = 100; /* of an API that asks for days */
	before = clock_monotonic_ms();
	api_reply(call, 503, "Retry-After: 100000\r\n", "");
	call = api_await(fixture->server, LIST);
	assert_in_range(clock_monotonic_ms() - before, 99, 5000);
	api_reply(call, 200, "", PAGE("10", "", ""));
	/* 429: the same watch again, not a list. */
	call = await_stream_from(fixture, "10");
	before = clock_monotonic_ms();
	api_reply(call, 429, "Retry-After: 1\r\n", "later");
	await_stream_from(fixture, "10");
	assert_true(clock_monotonic_ms() - before >= 99);
	assert_int_equal(status_of(fixture).lists, 1);
}

static void denied(void **state)
{
	static const char *const names[] = {"unauthorized-401", "forbidden-403", "route-crd-404"};
	static const char *const words[] = {"status 401: the API does not accept the token",
	                                    "status 403: the API forbids it",
	                                    "status 404: the API does not know this resource"};
	struct fixture *fixture = *state;
	fixture->timing.backoff_first = 100000; /* only a retry from outside helps */
	fixture->timing.backoff_cap_away = 100000;
	start(fixture);
	for (unsigned i = 0; i < 3; i++) {
		struct recorded recorded = recorded_load(names[i]);
		api_reply_raw(api_await(fixture->server, LIST), recorded.bytes, recorded.len);
		recorded_free(&recorded);
		while (!kube_watch_is_waiting(fixture->watch))
			event_loop_turn(fixture->loop, 10);
		assert_error(fixture, words[i]);
		api_expect_none(fixture->server, PATH, 50);
		kube_watch_retry(fixture->watch);
	}
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("10", "", ""));
	struct api_call *call = await_stream_from(fixture, "10");
	api_stream(call);
	kube_watch_retry(fixture->watch); /* nothing to retry */
	api_expect_none(fixture->server, PATH, 50);
	assert_false(kube_watch_is_waiting(fixture->watch));
}

static void bad_lines(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
	    {"garbage\n", "a line of the watch is no JSON"},
	    {"{\"type\":\"ADDED\"}\n", "a line of the watch is JSON without an object"},
	    {"{}\n", "a line of the watch is JSON without a type"},
	    {"{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"etcd\"}}\n", "status 500: \"etcd\""},
	    {EVENT("MODIFIED", "late", "9"), "events out of order: version 9 after 11"},
	    {BOOKMARK("8"), "events out of order: version 8 after 11"},
	};
	struct fixture *fixture = *state;
	struct api_call *call = reach_stream(fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		api_send(call, EVENT("ADDED", "a", "11"));
		api_send(call, cases[i].line);
		call = api_await(fixture->server, LIST);
		assert_error(fixture, cases[i].words);
		assert_seen(fixture, "ADDED a|begin|");
		api_reply(call, 200, "", PAGE("10", "", ""));
		call = await_stream_from(fixture, "10");
		api_stream(call);
		while (status_of(fixture).state != KUBE_STATE_WATCHING)
			event_loop_turn(fixture->loop, 10);
		assert_seen(fixture, "end|");
	}
}

static void endless_line(void **state)
{
	struct fixture *fixture = *state;
	struct api_call *call = reach_stream(fixture);
	static char filler[1 << 20];
	memset(filler, 'x', sizeof(filler));
	for (unsigned i = 0; i < 5; i++)
		api_send_bytes(call, filler, sizeof(filler));
	api_await(fixture->server, LIST);
	assert_error(fixture, "a line of the watch is longer than 4194304 bytes");
}

static void long_line(void **state)
{
	struct fixture *fixture = *state;
	struct api_call *call = reach_stream(fixture);
	static char filler[1200000];
	memset(filler, 'x', sizeof(filler));
	api_send(call, "{\"type\":\"ADDED\",\"object\":{\"x\":\"");
	api_send_bytes(call, filler, sizeof(filler));
	api_send(call, "\",\"metadata\":{\"name\":\"big\",\"resourceVersion\":\"11\"}}}\n");
	await_seen(fixture, "ADDED big|");
}

/* Repeated events, deletions with an old version (old servers), types and versions that nobody knows. */
static void odd_events(void **state)
{
	struct fixture *fixture = *state;
	struct api_call *call = reach_stream(fixture);
	api_send(call, EVENT("ADDED", "a", "11") EVENT("ADDED", "a", "11") EVENT("DELETED", "b", "5")
	                   EVENT("RENAMED", "c", "12") BOOKMARK("12") BOOKMARK("12"));
	api_send(call, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"d\"}}}\n"
	               "{\"type\":\"ADDED\",\"object\":{}}\n");
	await_seen(fixture, "ADDED|");
	assert_seen(fixture, "ADDED a|ADDED a|DELETED b|UNKNOWN c|ADDED d|ADDED|");
	assert_string_equal(status_of(fixture).resource_version, "12");
	api_send(call, EVENT("ADDED", "e", "opaque-1") EVENT("ADDED", "f", "opaque-0"));
	await_seen(fixture, "ADDED f|");
	assert_string_equal(status_of(fixture).resource_version, "opaque-0");
	assert_int_equal(status_of(fixture).errors, 0);
}

/* As from a version that is yet to come: accepted, and nothing ever comes. */
static void silence_leads_to_a_list(void **state)
{
	struct fixture *fixture = *state;
	fixture->timing.watch_silence = 500;
	struct api_call *call = reach_stream(fixture);
	uint64_t before = clock_monotonic_ms();
	for (unsigned i = 0; i < 3; i++) { /* each bookmark is a sign of life */
		api_expect_none(fixture->server, PATH, 200);
		api_send(call, BOOKMARK("11"));
	}
	struct api_call *list = api_await(fixture->server, LIST);
	assert_true(clock_monotonic_ms() - before >= 1000);
	assert_error(fixture, "neither an event nor a bookmark for 0 s");
	api_await_close(call);
	api_reply(list, 200, "", PAGE("5", "", "")); /* restored from a backup */
	api_stream(await_stream_from(fixture, "5"));
}

/* A server that knows no bookmarks is not asked for everything all the time. */
static void silence_without_bookmarks(void **state)
{
	struct fixture *fixture = *state;
	fixture->timing.watch_silence = 100;
	reach_stream(fixture);
	static const unsigned silences[] = {100, 200, 400};
	for (unsigned i = 0; i < 3; i++) {
		uint64_t before = clock_monotonic_ms();
		api_reply(api_await(fixture->server, LIST), 200, "", PAGE("10", "", ""));
		assert_true(clock_monotonic_ms() - before >= silences[i] - 20);
		api_stream(await_stream_from(fixture, "10"));
	}
}

static void hung_server(void **state)
{
	struct fixture *fixture = *state;
	fixture->timing.list_silence = 400;
	start(fixture);
	struct api_call *call = api_await(fixture->server, LIST); /* nothing comes */
	struct api_call *again = api_await(fixture->server, LIST);
	assert_error(fixture, "the API says nothing for 0 s");
	api_await_close(call);
	/* Slow is not hung. */
	api_stream(again);
	static const char page[] = PAGE("10", "", ITEM("a"));
	for (size_t at = 0; at < sizeof(page) - 1; at += 10) {
		api_send_bytes(again, page + at, at + 10 < sizeof(page) - 1 ? 10 : sizeof(page) - 1 - at);
		api_expect_none(fixture->server, PATH, 30);
	}
	api_end(again);
	/* The watch is accepted by nobody. */
	call = await_stream_from(fixture, "10");
	api_await_close(call);
	api_await(fixture->server, LIST);
}

static void relist(void **state)
{
	struct fixture *fixture = *state;
	fixture->target.relist_ms = 200;
	fixture->timing.backoff_cap_denied = 150;
	struct api_call *call = reach_stream(fixture);
	api_send(call, EVENT("ADDED", "a", "11"));
	uint64_t before = clock_monotonic_ms();
	struct api_call *list = api_await(fixture->server, LIST);
	assert_in_range(clock_monotonic_ms() - before, 100, 5000);
	api_await_close(call);
	/* It fails: the watch goes on from where it was, the list is tried again later. */
	api_reply(list, 500, "", "");
	call = await_stream_from(fixture, "11");
	api_stream(call);
	api_send(call, EVENT("ADDED", "b", "12"));
	await_seen(fixture, "ADDED b|");
	list = api_await(fixture->server, LIST);
	api_reply(list, 200, "", PAGE("40", "", ITEM("a") "," ITEM("b")));
	await_stream_from(fixture, "40");
	assert_seen(fixture, "ADDED a|begin|ADDED b|begin|item a|item b|end|");
	assert_int_equal(status_of(fixture).errors, 1);
}

/* A server that ends each watch at once is asked less and less often. */
static void short_streams(void **state)
{
	struct fixture *fixture = *state;
	fixture->timing.short_stream = 5000;
	start(fixture);
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("10", "", ""));
	uint64_t before = clock_monotonic_ms();
	for (unsigned i = 0; i < 6; i++) {
		struct api_call *call = await_stream_from(fixture, "10");
		api_stream(call);
		api_end(call);
	}
	assert_true(clock_monotonic_ms() - before >= 20 + 40 * 4);
	while (status_of(fixture).state != KUBE_STATE_WAITING)
		event_loop_turn(fixture->loop, 10);
	assert_error(fixture, "the watch ended at once, without an event");
	assert_int_equal(status_of(fixture).lists, 1);
	/* One that says something each time is not asked at once either. */
	fixture->timing.short_stream = 150;
	struct api_call *call = await_stream_from(fixture, "10");
	api_stream(call);
	api_send(call, EVENT("ADDED", "a", "11"));
	api_end(call);
	before = clock_monotonic_ms();
	await_stream_from(fixture, "11");
	assert_true(clock_monotonic_ms() - before >= 140);
}

/* An API that lists and never watches: back-off grows although every list is fine. */
static void barren_watches(void **state)
{
	struct fixture *fixture = *state;
	start(fixture);
	uint64_t before = 0;
	for (unsigned i = 0; i < 9; i++) {
		before = clock_monotonic_ms();
		api_reply(api_await(fixture->server, LIST), 200, "", PAGE("10", "", ""));
		api_reply(await_stream_from(fixture, "10"), 500, "", "");
	}
	assert_true(clock_monotonic_ms() - before >= 300);
}

static void back_off_forgets(void **state)
{
	struct fixture *fixture = *state;
	fixture->timing.backoff_cap_away = 800;
	fixture->timing.backoff_reset = 600;
	start(fixture);
	uint64_t before = clock_monotonic_ms();
	for (unsigned i = 0; i < 5; i++)
		api_reply(api_await(fixture->server, LIST), 500, "", "");
	assert_true(clock_monotonic_ms() - before >= 20 + 40 + 80 + 160);
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("10", "", ""));
	struct api_call *call = await_stream_from(fixture, "10");
	api_stream(call);
	api_expect_none(fixture->server, PATH, 800);
	before = clock_monotonic_ms();
	api_send(call, "garbage\n");
	api_await(fixture->server, LIST);
	assert_true(clock_monotonic_ms() - before < 350);
}

static void recorded_list_and_watch(void **state)
{
	struct fixture *fixture = *state;
	struct recorded page1 = recorded_load("routes-list-page1"), page2 = recorded_load("routes-list-page2");
	struct recorded stream = recorded_load("routes-watch"), silent = recorded_load("watch-future-rv-silent");
	start(fixture);
	api_reply_raw(api_await(fixture->server, LIST), page1.bytes, page1.len);
	api_reply_raw(api_await(fixture->server, LIST "&continue=eyJ2"), page2.bytes, page2.len);
	api_reply_raw(await_stream_from(fixture, "221"), silent.bytes, silent.len);
	/* It was recorded from an earlier version: 212 after 221 is out of order. */
	api_reply_raw(await_stream_from(fixture, "221"), stream.bytes, stream.len);
	api_reply(api_await(fixture->server, LIST), 200, "", PAGE("211", "", ""));
	api_reply_raw(await_stream_from(fixture, "211"), stream.bytes, stream.len);
	await_stream_from(fixture, "226");
	assert_seen(fixture, "begin|item generated|item pass|item subdom|item web|item web-api|item wild|end|begin|end|"
	                     "ADDED subdom|MODIFIED web|MODIFIED web|DELETED pass|ADDED pass|MODIFIED web|MODIFIED web|"
	                     "MODIFIED web|MODIFIED web|DELETED wild|");
	recorded_free(&page1);
	recorded_free(&page2);
	recorded_free(&stream);
	recorded_free(&silent);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(list_then_watch),
	    TEST(resumes_where_it_ended),
	    TEST(expired_as_event),
	    TEST(expired_as_status),
	    TEST(second_page_fails),
	    TEST(what_is_no_list),
	    TEST(api_away),
	    TEST(broken_connection),
	    TEST(retry_after),
	    TEST(denied),
	    TEST(bad_lines),
	    TEST(endless_line),
	    TEST(long_line),
	    TEST(odd_events),
	    TEST(silence_leads_to_a_list),
	    TEST(silence_without_bookmarks),
	    TEST(hung_server),
	    TEST(relist),
	    TEST(short_streams),
	    TEST(barren_watches),
	    TEST(back_off_forgets),
	    TEST(recorded_list_and_watch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

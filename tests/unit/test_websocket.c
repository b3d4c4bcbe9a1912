/* websocket: the handshake, frames in both directions over a socket pair, broken and too large ones, slow and silent
 * clients, tokens that go, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/api/auth.h"
#include "control/control.h"
#include "control/event_loop.h"
#include "control/api/websocket.h"
#include "control_fixture.h"

enum { RECEIVED_MAX = 4 << 20 };

static struct control control;
static struct config *config;
static struct websockets *sockets;

/* What the hub has seen. */
static struct {
	unsigned opened, closed, messages, released;
	struct websocket_client *client; /* the last one */
	char text[WEBSOCKET_MESSAGE_MAX + 1];
	size_t len;
	bool echo;
} seen;

static void hub_opened(void *context, struct websocket_client *client)
{
	seen.opened++;
	seen.client = client;
	assert_null(websocket_data(client));
	websocket_set_data(client, &seen);
}

static void hub_message(void *context, struct websocket_client *client, const char *text, size_t len)
{
	seen.messages++;
	memcpy(seen.text, text, len + 1);
	seen.len = len;
	assert_int_equal(text[len], '\0');
	if (seen.echo)
		websocket_send(client, text, len);
}

static void hub_closed(void *context, struct websocket_client *client)
{
	seen.closed++;
	assert_ptr_equal(websocket_data(client), &seen);
}

static void release(void *context)
{
	seen.released++;
	close(*(int *)context);
}

/* ---- the other side ---- */

struct peer {
	int fd, own_fd;
	uint8_t *received; /* RECEIVED_MAX bytes */
	size_t len;
	bool closed;
};

static struct peer peer;

static void receive(struct peer *from)
{
	ssize_t n = recv(from->fd, from->received + from->len, RECEIVED_MAX - from->len, MSG_DONTWAIT);
	from->len += n > 0 ? (size_t)n : 0;
	from->closed |= n == 0 || (n < 0 && errno != EAGAIN);
}

static void turn(struct peer *from)
{
	event_loop_turn(control.loop, 2);
	receive(from);
}

static void open_peer(struct peer *out, const struct identity *identity, const void *early, size_t early_len)
{
	int pair[2];
	struct address address;
	assert_true(address_parse("127.0.0.1", &address));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	*out = (struct peer){.fd = pair[1], .own_fd = pair[0], .received = malloc(RECEIVED_MAX)};
	websockets_adopt(sockets, pair[0], identity, &address, early, early_len, release, &out->own_fd);
}

static void close_peer(struct peer *from)
{
	close(from->fd);
	free(from->received);
}

static const struct identity loopback = {.role = ROLE_ADMIN, .name = "loopback", .by = BY_LOOPBACK};

static int setup(void **state)
{
	memset(&seen, 0, sizeof(seen));
	config = fixture_config("/tmp", "/tmp", NULL);
	control = (struct control){.config = config, .loop = event_loop_create()};
	sockets = websockets_create(&control);
	websockets_set_hub(sockets, &(struct websocket_hub){NULL, hub_opened, hub_message, hub_closed});
	open_peer(&peer, &loopback, NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	websockets_destroy(sockets);
	assert_int_equal(seen.opened, seen.closed);
	assert_int_equal(seen.opened, seen.released);
	close_peer(&peer);
	event_loop_destroy(control.loop);
	config_free(config);
	return 0;
}

/* A frame of a client: masked. */
static size_t make_frame(uint8_t *out, uint8_t first, const void *payload, size_t len)
{
	static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
	size_t at = 0;
	out[at++] = first;
	if (len < 126) {
		out[at++] = (uint8_t)(0x80 | len);
	} else {
		out[at++] = 0x80 | 126;
		out[at++] = (uint8_t)(len >> 8);
		out[at++] = (uint8_t)len;
	}
	memcpy(out + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < len; i++)
		out[at++] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
	return at;
}

static void send_frame(struct peer *to, uint8_t first, const void *payload, size_t len)
{
	uint8_t frame[20000];
	size_t size = make_frame(frame, first, payload, len);
	assert_int_equal(send(to->fd, frame, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void send_text(struct peer *to, const char *text)
{
	send_frame(to, 0x81, text, strlen(text));
}

/* Waits for a good-bye with this status, answers it, and for the end. */
static void assert_good_bye(struct peer *from, unsigned status)
{
	for (int i = 0; from->len < 4 || from->len < 2U + from->received[1]; i++) {
		assert_true(i < 5000);
		turn(from);
	}
	assert_int_equal(from->received[0], 0x88);
	assert_int_equal(from->received[2] << 8 | from->received[3], status);
	send_frame(from, 0x88, from->received + 2, 2);
	for (int i = 0; seen.closed == 0; i++) {
		assert_true(i < 5000);
		turn(from);
	}
}

/* ---- tests ---- */

static void handshake(void **state)
{
	const struct websocket_handshake good = {"WebSocket", "keep-alive, Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13"};
	struct api_reply reply;
	char accept[WEBSOCKET_ACCEPT_MAX];
	assert_true(websocket_check(sockets, &good, &reply, accept));
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455 1.3 */
	const struct {
		struct websocket_handshake handshake;
		unsigned status;
	} wrong[] = {
	    {{NULL, "Upgrade", good.key, "13"}, 426},
	    {{"websocket", NULL, good.key, "13"}, 426},
	    {{"websockets", "Upgrade", good.key, "13"}, 426},
	    {{"websocket", "Upgrade", good.key, NULL}, 426},
	    {{"websocket", "Upgrade", good.key, "12"}, 426},
	    {{"websocket", "Upgrade", NULL, "13"}, 400},
	    {{"websocket", "Upgrade", "", "13"}, 400},
	    {{"websocket", "Upgrade", "dGhlIHNhbXBsZSBub25jZQ=", "13"}, 400},
	    {{"websocket", "Upgrade", "dGhlIHNhbXBsZSBub25j\r\n==", "13"}, 400},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(websocket_check(sockets, &wrong[i].handshake, &reply, accept));
		assert_int_equal(reply.status, wrong[i].status);
		api_reply_free(&reply);
	}
}

static void texts_both_ways(void **state)
{
	seen.echo = true;
	assert_int_equal(seen.opened, 1);
	assert_int_equal(websockets_count(sockets), 1);
	assert_string_equal(websocket_identity(seen.client)->name, "loopback");
	send_text(&peer, "hello");
	while (peer.len < 7)
		turn(&peer);
	assert_string_equal(seen.text, "hello");
	assert_memory_equal(peer.received, "\x81\x05hello", 7);
	peer.len = 0;
	send_text(&peer, "");
	while (peer.len < 2)
		turn(&peer);
	assert_memory_equal(peer.received, "\x81\x00", 2);
	/* In two fragments, with a ping between them, byte by byte. */
	uint8_t bytes[100];
	size_t len = make_frame(bytes, 0x01, "ab", 2);
	len += make_frame(bytes + len, 0x89, "?", 1);
	len += make_frame(bytes + len, 0x80, "cd", 2);
	peer.len = 0;
	for (size_t i = 0; i < len; i++) {
		send(peer.fd, bytes + i, 1, 0);
		turn(&peer);
	}
	while (peer.len < 9)
		turn(&peer);
	assert_memory_equal(peer.received,
	                    "\x8a\x01?\x81\x04"
	                    "abcd",
	                    9);
}

static void what_came_with_the_handshake(void **state)
{
	uint8_t bytes[100];
	struct peer other;
	size_t len = make_frame(bytes, 0x81, "early", 5);
	open_peer(&other, &loopback, bytes, len - 2);
	assert_int_equal(seen.messages, 0);
	send(other.fd, bytes + len - 2, 2, 0);
	while (seen.messages == 0)
		turn(&other);
	assert_string_equal(seen.text, "early");
	websockets_close_all(sockets);
	close_peer(&other);
}

static void the_largest_message_and_one_more(void **state)
{
	char text[WEBSOCKET_MESSAGE_MAX + 2];
	memset(text, 'x', sizeof(text));
	send_frame(&peer, 0x81, text, WEBSOCKET_MESSAGE_MAX);
	while (seen.messages == 0)
		turn(&peer);
	assert_int_equal(seen.len, WEBSOCKET_MESSAGE_MAX);
	send_frame(&peer, 0x81, text, WEBSOCKET_MESSAGE_MAX + 1);
	assert_good_bye(&peer, 1009);
	assert_int_equal(seen.messages, 1);
}

static void fragments_count_together(void **state)
{
	char text[3000] = {0};
	memset(text, 'x', sizeof(text));
	send_frame(&peer, 0x01, text, sizeof(text));
	send_frame(&peer, 0x00, text, sizeof(text));
	assert_good_bye(&peer, 1009);
	assert_int_equal(seen.messages, 0);
}

static void binary_is_not_understood(void **state)
{
	send_frame(&peer, 0x82, "ab", 2);
	assert_good_bye(&peer, 1003);
}

static void broken_frames(void **state)
{
	static const uint8_t unmasked[] = {0x81, 0x01, 'x'};
	send(peer.fd, unmasked, sizeof(unmasked), 0);
	assert_good_bye(&peer, 1002);
}

static void no_utf8(void **state)
{
	send_frame(&peer, 0x81, "\xff\xfe", 2);
	assert_good_bye(&peer, 1007);
}

static void too_many_messages(void **state)
{
	for (int i = 0; i <= WEBSOCKET_RATE_MAX; i++)
		send_text(&peer, "again");
	assert_good_bye(&peer, 1008);
	assert_int_equal(seen.messages, WEBSOCKET_RATE_MAX);
}

static void pings_count_as_messages(void **state)
{
	static const uint8_t pong[] = {0x8a, 0};
	for (int i = 0; i < WEBSOCKET_RATE_MAX - 1; i++)
		send_frame(&peer, 0x89, "", 0);
	send_text(&peer, "the last one");
	for (int i = 0; seen.messages == 0 || peer.len < (WEBSOCKET_RATE_MAX - 1) * sizeof(pong); i++) {
		assert_true(i < 5000);
		turn(&peer);
	}
	for (size_t at = 0; at < peer.len; at += sizeof(pong))
		assert_memory_equal(peer.received + at, pong, sizeof(pong));
	peer.len = 0;
	/* More than there may be in two seconds. */
	for (int i = 0; i < 3 * WEBSOCKET_RATE_MAX; i++)
		send_frame(&peer, i % 2 ? 0x89 : 0x8a, "", 0);
	for (size_t at = 0;; at += sizeof(pong)) {
		for (int i = 0; peer.len < at + sizeof(pong); i++) {
			assert_true(i < 1000);
			turn(&peer);
		}
		if (peer.received[at] == 0x88) {
			memmove(peer.received, peer.received + at, peer.len -= at);
			break;
		}
	}
	assert_good_bye(&peer, 1008);
	assert_int_equal(seen.messages, 1);
}

static void one_text_for_many(void **state)
{
	struct peer others[5];
	for (size_t i = 0; i < 5; i++)
		open_peer(&others[i], &loopback, NULL, 0);
	char *long_text = malloc(100000);
	memset(long_text, 'y', 100000);
	struct websocket_text *text = websocket_text_create(long_text, 100000);
	websockets_broadcast(sockets, text);
	websocket_text_release(text);
	for (size_t i = 0; i < 5; i++) {
		while (others[i].len < 100010)
			turn(&others[i]);
		assert_memory_equal(others[i].received, "\x81\x7f\0\0\0\0\0\x01\x86\xa0", 10);
		assert_memory_equal(others[i].received + 10, long_text, 100000);
	}
	free(long_text);
	websockets_close_all(sockets);
	assert_int_equal(websockets_count(sockets), 0);
	for (size_t i = 0; i < 5; i++)
		close_peer(&others[i]);
}

static void who_reads_too_slowly_is_closed(void **state)
{
	char *text = calloc(1, 300001);
	memset(text, 'z', 300000);
	unsigned sent = 0;
	while (sent < 100 && seen.closed == 0) {
		websocket_send(seen.client, text, 300000);
		sent++;
		event_loop_turn(control.loop, 0);
		if (sent == 20)
			break;
	}
	/* Now it reads: whole texts, then the good-bye. */
	while (seen.closed == 0 && !peer.closed) {
		turn(&peer);
		if (peer.len >= 4 && memcmp(peer.received + peer.len - 22, "\x88\x16\x03\xf5", 4) == 0)
			break;
	}
	size_t at = 0;
	unsigned texts = 0;
	while (at < peer.len && peer.received[at] == 0x81) {
		at += 10 + 300000;
		texts++;
	}
	assert_in_range(texts, 1, 8);
	assert_int_equal(at + 2 + peer.received[at + 1], peer.len);
	assert_int_equal(peer.received[at], 0x88);
	assert_int_equal(peer.received[at + 2] << 8 | peer.received[at + 3], 1013);
	free(text);
}

static void the_first_message_may_be_long(void **state)
{
	size_t len = 3 << 20;
	char *text = malloc(len);
	memset(text, 'h', len);
	websocket_send(seen.client, text, len);
	websocket_send(seen.client, "next", 4);
	while (peer.len < len + 10 + 6)
		turn(&peer);
	assert_memory_equal(peer.received + len + 10, "\x81\x04next", 6);
	free(text);
}

static void good_byes(void **state)
{
	send_frame(&peer, 0x88, "\x03\xe8", 2);
	while (seen.closed == 0)
		turn(&peer);
	receive(&peer);
	assert_memory_equal(peer.received, "\x88\x02\x03\xe8", 4);
	assert_int_equal(seen.released, 1);
}

static void an_end_without_good_bye(void **state)
{
	shutdown(peer.fd, SHUT_RDWR);
	while (seen.closed == 0)
		event_loop_turn(control.loop, 2);
	assert_int_equal(websockets_count(sockets), 0);
}

static void our_good_bye(void **state)
{
	websocket_close(seen.client, 1008, "because");
	websocket_send(seen.client, "too late", 8);
	websocket_close(seen.client, 1000, "again");
	assert_int_equal(seen.closed, 0);
	assert_good_bye(&peer, 1008);
	assert_int_equal(peer.len, 2 + 2 + 7);
}

static void who_does_not_answer_a_good_bye(void **state)
{
	uint64_t begin = clock_monotonic_ms();
	websocket_close(seen.client, 1000, "");
	while (seen.closed == 0)
		turn(&peer);
	assert_in_range(clock_monotonic_ms() - begin, WEBSOCKET_LEAVE_MS, WEBSOCKET_LEAVE_MS + 3000);
}

static void a_role_that_has_changed(void **state)
{
	config->admin.loopback = ROLE_VIEWER;
	assert_good_bye(&peer, WEBSOCKET_UNKNOWN);
}

static void a_session_that_is_over(void **state)
{
	struct peer other;
	const struct identity expired = {
	    .role = ROLE_VIEWER, .by = BY_SESSION, .token = "x", .expires_at = clock_unix_ms() - 1};
	open_peer(&other, &expired, NULL, 0);
	assert_good_bye(&other, WEBSOCKET_UNKNOWN);
	close_peer(&other);
}

/* A reload has narrowed it. */
static void a_peer_that_allow_from_no_longer_has(void **state)
{
	config->admin.allow_from_count = 1;
	assert_true(prefix_parse("127.0.0.0/8", &config->admin.allow_from[0]));
	for (uint64_t begun = clock_monotonic_ms(); clock_monotonic_ms() - begun < 1500;)
		turn(&peer);
	assert_int_equal(peer.len, 0);
	assert_true(prefix_parse("192.0.2.0/24", &config->admin.allow_from[0]));
	assert_good_bye(&peer, 1008);
}

static void our_end(void **state)
{
	websockets_close_all(sockets);
	assert_int_equal(seen.closed, 1);
	receive(&peer);
	assert_int_equal(peer.received[0], 0x88);
	assert_int_equal(peer.received[2] << 8 | peer.received[3], 1001);
}

static void no_more_than_the_limit(void **state)
{
	const struct websocket_handshake good = {"websocket", "Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13"};
	struct peer *others = calloc(WEBSOCKET_CLIENTS_MAX, sizeof(*others));
	struct api_reply reply;
	char accept[WEBSOCKET_ACCEPT_MAX];
	for (unsigned i = 1; i < WEBSOCKET_CLIENTS_MAX; i++) {
		assert_true(websocket_check(sockets, &good, &reply, accept));
		open_peer(&others[i], &loopback, NULL, 0);
	}
	assert_false(websocket_check(sockets, &good, &reply, accept));
	assert_int_equal(reply.status, 503);
	api_reply_free(&reply);
	websockets_close_all(sockets);
	for (unsigned i = 1; i < WEBSOCKET_CLIENTS_MAX; i++)
		close_peer(&others[i]);
	free(others);
}

static void without_a_hub_nobody_comes(void **state)
{
	const struct websocket_handshake good = {"websocket", "Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13"};
	struct api_reply reply;
	char accept[WEBSOCKET_ACCEPT_MAX];
	struct websockets *lonely = websockets_create(&control);
	assert_false(websocket_check(lonely, &good, &reply, accept));
	assert_int_equal(reply.status, 503);
	api_reply_free(&reply);
	websockets_destroy(lonely);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(handshake),
	    TEST(texts_both_ways),
	    TEST(what_came_with_the_handshake),
	    TEST(the_largest_message_and_one_more),
	    TEST(fragments_count_together),
	    TEST(binary_is_not_understood),
	    TEST(broken_frames),
	    TEST(no_utf8),
	    TEST(too_many_messages),
	    TEST(pings_count_as_messages),
	    TEST(one_text_for_many),
	    TEST(who_reads_too_slowly_is_closed),
	    TEST(the_first_message_may_be_long),
	    TEST(good_byes),
	    TEST(an_end_without_good_bye),
	    TEST(our_good_bye),
	    TEST(who_does_not_answer_a_good_bye),
	    TEST(a_role_that_has_changed),
	    TEST(a_session_that_is_over),
	    TEST(a_peer_that_allow_from_no_longer_has),
	    TEST(our_end),
	    TEST(no_more_than_the_limit),
	    TEST(without_a_hub_nobody_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

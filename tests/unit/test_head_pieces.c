/* head.c, head_take: random pieces of a head, in any order and with other bytes each time, against a plain model. */
#include "exchange.h"

#include "seeded_random.h"

enum { SMALL_LIMIT = 2048 };

struct model {
	bool seen[SMALL_LIMIT + 128];
	uint8_t bytes[SMALL_LIMIT + 128];
	uint32_t capacity;
	bool fin;
	uint32_t fin_at;
};

static uint32_t model_received(const struct model *m)
{
	uint32_t n = 0;
	while (n < m->capacity && m->seen[n])
		n++;
	return n;
}

/* Pieces behind the contiguous part. */
static unsigned model_pieces(const struct model *m)
{
	unsigned pieces = 0;
	for (uint32_t i = model_received(m); i < m->capacity; i++)
		pieces += m->seen[i] && !m->seen[i - 1];
	return pieces;
}

static uint32_t model_next(const struct model *m)
{
	uint32_t received = model_received(m);
	return received + (m->fin && m->fin_at == received);
}

static enum head_taken model_take(struct model *m, int64_t first, uint32_t len, bool fin, const uint8_t *bytes)
{
	uint32_t known = model_next(m), received = model_received(m);
	int64_t end = first + len;
	if (len == 0 && !fin)
		return HEAD_NOTHING;
	if (end + fin <= known)
		return HEAD_DUPLICATE;
	if (first > m->capacity || (first == m->capacity && len > 0))
		return HEAD_BEYOND;
	if (first > received && model_pieces(m) == YOUNG_RANGES)
		return HEAD_PIECES;
	for (int64_t i = first; i < end && i < m->capacity; i++) {
		if (i >= 0 && !m->seen[i]) {
			m->seen[i] = true;
			m->bytes[i] = bytes[i - first];
		}
	}
	if (fin && end <= m->capacity) {
		m->fin = true;
		m->fin_at = (uint32_t)end;
	}
	return model_next(m) > known ? HEAD_GREW : HEAD_HELD;
}

static void compare(const struct model *m, const struct young *young)
{
	uint32_t received = model_received(m);
	assert_int_equal(young->received, received);
	assert_int_equal(head_next(young) - young->client_isn - 1, model_next(m));
	assert_int_equal(young->range_count, model_pieces(m));
	assert_int_equal(young->fin_seen, m->fin);
	assert_int_equal(young->fin_at, m->fin_at);
	uint32_t at = received;
	for (unsigned i = 0; i < young->range_count; i++) {
		while (at < m->capacity && !m->seen[at])
			at++;
		assert_int_equal(young->ranges[i].first, at);
		while (at < m->capacity && m->seen[at])
			at++;
		assert_int_equal(young->ranges[i].end, at);
	}
	for (uint32_t i = 0; i < m->capacity; i++)
		if (m->seen[i])
			assert_int_equal(young->head[i], m->bytes[i]);
}

/* One segment of a stream of `total` bytes and FIN; now and then one that no sane sender would send. */
static void random_segment(struct worker *worker, struct young *young, struct model *m, struct seeded_random *random,
                           uint32_t total)
{
	uint8_t bytes[400];
	uint32_t received = model_received(m);
	int64_t first = (int64_t)(random_next(random) % (total + 1));
	if (random_next(random) % 3 == 0)
		first = (int64_t)received - (int64_t)(random_next(random) % 20);
	if (random_next(random) % 50 == 0)
		first = (int64_t)(random_next(random) % 3) - 1 + m->capacity;
	if (random_next(random) % 100 == 0)
		first = (int32_t)random_next(random);
	uint32_t len = (uint32_t)(random_next(random) % (random_next(random) % 3 ? 30 : sizeof(bytes)));
	if (first <= total && first + len > total)
		len = (uint32_t)(total - first);
	bool fin = first + len == total;
	random_fill(random, bytes, sizeof(bytes)); /* other bytes each time: the first one received wins */
	struct packet packet = {
	    .seq = young->client_isn + 1 + (uint32_t)first,
	    .flags = TCP_ACK | (fin ? TCP_FIN : 0),
	    .payload = bytes,
	    .payload_len = (uint16_t)len,
	};
	enum head_taken expected = model_take(m, first, len, fin, bytes);
	assert_int_equal(head_take(worker, young, &packet), expected);
	compare(m, young);
}

static void random_pieces_match_a_model(void **state)
{
	static const uint32_t isns[] = {0, 0xffffffff, 0xffffff00, 0x7fffff00};
	struct exchange *x = *state;
	unsigned grown_large = 0, finished = 0;
	x->config.limits.head_bytes = SMALL_LIMIT;
	exchange_start(x);
	for (uint16_t run = 0; run < 300; run++) {
		struct seeded_random random = {run + 1u};
		struct conn *c = conn_new(x, 20000 + run);
		c->client_isn = isns[run % 4];
		conn_handshake(c);
		struct young *young = flow_young(x->worker, conn_flow(c));
		struct model m = {.capacity = head_capacity(x->worker)};
		uint32_t total = (uint32_t)(1 + random_next(&random) % (run % 5 ? 300 : SMALL_LIMIT + 200));
		if (run % 10 == 0) /* ends near the end of the buffer */
			total = m.capacity - 20 + (uint32_t)(random_next(&random) % 40);
		for (unsigned i = 0; i < 300; i++)
			random_segment(x->worker, young, &m, &random, total);
		grown_large += young->large != YOUNG_NONE;
		finished += m.fin && model_next(&m) == total + 1;
		flow_destroy(x->worker, conn_flow(c));
	}
	assert_true(grown_large > 10);
	assert_true(finished > 100);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(random_pieces_match_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

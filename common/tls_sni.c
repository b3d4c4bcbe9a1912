/* Reads a ClientHello where it lies: first the frames around it (records), then, when it is all there, its fields. */
#include "common/tls_sni.h"

#include "common/bytes.h"

enum {
	RECORD_HEADER_LEN = 5,
	RECORD_MAX = 1 << 14, /* RFC 8446 5.1 */
	RECORD_HANDSHAKE = 22,
	HANDSHAKE_HEADER_LEN = 4,
	HANDSHAKE_CLIENT_HELLO = 1,
	CLIENT_HELLO_MAX = 65535,
	RANDOM_LEN = 32,
	SESSION_ID_MAX = 32,
	EXTENSION_SERVER_NAME = 0,
	NAME_TYPE_HOST_NAME = 0,
	NAME_MAX_LEN = HOSTNAME_MAX + 1, /* with a trailing dot */
};

/* The records from the first byte of the connection on. */
struct records {
	const uint8_t *bytes;
	size_t len;
	size_t at;    /* header of the first record that is not all there */
	size_t count; /* of the complete records before it */
};

/* Reads handshake bytes across records whose headers were checked. `left` counts those of the enclosing field. */
struct cursor {
	const uint8_t *next_record;
	const uint8_t *at;
	size_t in_record;
	size_t left;
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct cursor begin(const uint8_t *bytes, size_t left)
{
	return (struct cursor){.next_record = bytes, .at = bytes, .left = left};
}

static void open_record(struct cursor *c)
{
	c->in_record = get_be16(c->next_record + 3);
	c->at = c->next_record + RECORD_HEADER_LEN;
	c->next_record = c->at + c->in_record;
}

/* Copies `len` bytes to `out`, or skips them if it is NULL. False if the field has fewer. */
static bool take(struct cursor *c, uint8_t *out, size_t len)
{
	if (len > c->left)
		return false;
	c->left -= len;
	while (len > 0) {
		if (c->in_record == 0)
			open_record(c);
		size_t part = least(len, c->in_record);
		if (out != NULL) {
			memcpy(out, c->at, part);
			out += part;
		}
		c->at += part;
		c->in_record -= part;
		len -= part;
	}
	return true;
}

/* A big-endian number of 1 or 2 bytes. */
static bool take_number(struct cursor *c, size_t bytes, size_t *out)
{
	uint8_t raw[2];

	if (!take(c, raw, bytes))
		return false;
	*out = bytes == 1 ? raw[0] : get_be16(raw);
	return true;
}

/* Skips a vector with a length of `length_bytes`, which must say `min` to `max`, a multiple of `unit`. */
static bool skip_vector(struct cursor *c, size_t length_bytes, size_t min, size_t max, size_t unit)
{
	size_t len;

	return take_number(c, length_bytes, &len) && len >= min && len <= max && len % unit == 0 && take(c, NULL, len);
}

/* The body of the server_name extension, all of `c->left`: a list of exactly one host_name. */
static bool read_server_name(struct cursor *c, struct hostname *name)
{
	size_t list_len, type, len;
	uint8_t text[NAME_MAX_LEN];

	if (!take_number(c, 2, &list_len) || list_len != c->left)
		return false;
	if (!take_number(c, 1, &type) || type != NAME_TYPE_HOST_NAME)
		return false;
	if (!take_number(c, 2, &len) || len != c->left || len > sizeof(text) || !take(c, text, len))
		return false;
	return hostname_set(name, text, len) && !hostname_is_ip_literal(name);
}

static enum peek_result read_extensions(struct cursor *c, struct hostname *name)
{
	enum peek_result result = PEEK_NO_NAME;
	size_t all, type, len;

	if (c->left == 0) /* a hello from before RFC 3546 */
		return PEEK_NO_NAME;
	if (!take_number(c, 2, &all) || all != c->left)
		return PEEK_MALFORMED;
	while (c->left > 0) {
		if (!take_number(c, 2, &type) || !take_number(c, 2, &len))
			return PEEK_MALFORMED;
		struct cursor body = *c;
		body.left = len;
		if (!take(c, NULL, len))
			return PEEK_MALFORMED;
		if (type != EXTENSION_SERVER_NAME)
			continue;
		if (result == PEEK_FOUND || !read_server_name(&body, name))
			return PEEK_MALFORMED;
		result = PEEK_FOUND;
	}
	return result;
}

static enum peek_result read_client_hello(struct cursor *c, struct hostname *name)
{
	bool right = take(c, NULL, 2 + RANDOM_LEN) &&             /* legacy_version, random */
	             skip_vector(c, 1, 0, SESSION_ID_MAX, 1) &&   /* legacy_session_id */
	             skip_vector(c, 2, 2, CLIENT_HELLO_MAX, 2) && /* cipher_suites */
	             skip_vector(c, 1, 1, UINT8_MAX, 1);          /* legacy_compression_methods */

	return right ? read_extensions(c, name) : PEEK_MALFORMED;
}

/* The header of the record at r->at: PEEK_FOUND if it is whole and right. */
static enum peek_result check_record(const struct records *r)
{
	const uint8_t *header = r->bytes + r->at;
	size_t have = r->len - r->at;

	if ((have > 0 && header[0] != RECORD_HANDSHAKE) || (have > 1 && header[1] != 3))
		return PEEK_MALFORMED;
	if (have < RECORD_HEADER_LEN)
		return PEEK_NEED_MORE;
	uint16_t len = get_be16(header + 3);
	return len == 0 || len > RECORD_MAX ? PEEK_MALFORMED : PEEK_FOUND;
}

/* What the first `have` handshake bytes say about the length of the ClientHello, header included: PEEK_FOUND if it
 * is in them. */
static enum peek_result check_handshake(const uint8_t *bytes, size_t have, size_t *hello_len)
{
	uint8_t header[HANDSHAKE_HEADER_LEN];
	struct cursor c = begin(bytes, have);

	take(&c, header, least(have, sizeof(header)));
	if (have > 0 && header[0] != HANDSHAKE_CLIENT_HELLO)
		return PEEK_MALFORMED;
	if (have < sizeof(header))
		return PEEK_NEED_MORE;
	*hello_len = sizeof(header) + get_be24(header + 1);
	return *hello_len > sizeof(header) + CLIENT_HELLO_MAX ? PEEK_MALFORMED : PEEK_FOUND;
}

/* Walks the records until the ClientHello is all there (PEEK_FOUND). */
static enum peek_result collect(struct records *r, size_t *hello_len)
{
	for (;;) {
		enum peek_result result = check_record(r);
		if (result != PEEK_FOUND)
			return result;
		size_t body = get_be16(r->bytes + r->at + 3), start = r->at + RECORD_HEADER_LEN;
		size_t here = least(body, r->len - start);
		size_t have = r->at - r->count * RECORD_HEADER_LEN + here;

		result = check_handshake(r->bytes, have, hello_len);
		if (result == PEEK_MALFORMED || (result == PEEK_FOUND && have >= *hello_len))
			return result;
		if (here < body)
			return PEEK_NEED_MORE;
		r->at = start + body;
		r->count++;
	}
}

/* `*scanned` holds the offset of a record in its lower half and the number of records before it in the upper. A
 * caller that kept only the offset loses time and nothing else: the walk begins at the first record again. */
enum { OFFSET_BITS = 32 };

enum peek_result tls_sni_peek(const uint8_t *bytes, size_t len, size_t *scanned, struct hostname *name)
{
	struct records r = {.bytes = bytes, .len = len, .count = *scanned >> OFFSET_BITS};
	size_t hello_len;

	if (r.count > 0)
		r.at = *scanned & UINT32_MAX;
	enum peek_result result = collect(&r, &hello_len);
	*scanned = r.count << OFFSET_BITS | r.at;
	if (result != PEEK_FOUND)
		return result;
	struct cursor c = begin(bytes, hello_len);
	take(&c, NULL, HANDSHAKE_HEADER_LEN);
	return read_client_hello(&c, name);
}

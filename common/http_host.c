/* A byte-wise reader of the head of an HTTP/1.x request: it says at which byte a head goes wrong, and when the head
 * is there, whose it is. Looks at the request line and at Host; all other fields belong to the servers. */
#include "common/http_host.h"

#include <string.h>
#include <strings.h>

/* What the next byte belongs to. A CR changes nothing by itself: the byte after it must be LF. */
enum state {
	NO_LINE,
	ONE_EMPTY_LINE,
	TWO_EMPTY_LINES,
	METHOD,
	BEFORE_TARGET,
	TARGET,
	BEFORE_VERSION,
	VERSION,
	LINE_START,
	NAME,
	VALUE,
	HOST_VALUE,
	END,
};

struct reader {
	const uint8_t *bytes;
	size_t at; /* the byte to read */
	enum state state;
	bool host_seen;
};

struct span {
	const uint8_t *at;
	size_t len;
};

/* RFC 9110 5.6.2 */
static const bool token_bytes[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
    ['%'] = true,         ['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true, ['-'] = true,
    ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true, ['|'] = true, ['~'] = true,
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static const uint8_t *skip_spaces(const uint8_t *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* From `start` to the next space or, where that comes first, to `end`. */
static struct span word(const uint8_t *start, const uint8_t *end)
{
	const uint8_t *space = memchr(start, ' ', (size_t)(end - start));

	return (struct span){start, (size_t)((space == NULL ? end : space) - start)};
}

static struct span read_method(const uint8_t *bytes, const uint8_t *end)
{
	while (*bytes == '\r' || *bytes == '\n')
		bytes++;
	return word(bytes, end);
}

static struct span read_target(const uint8_t *bytes, const uint8_t *end)
{
	struct span method = read_method(bytes, end);

	return word(skip_spaces(method.at + method.len), end);
}

static bool is_absolute(struct span target)
{
	return is_letter(target.at[0]);
}

/* RFC 3986 3.1; the first byte was seen to be a letter. */
static bool scheme_is_right(const uint8_t *p, const uint8_t *colon)
{
	for (; p < colon; p++)
		if (!is_letter(*p) && !is_digit(*p) && *p != '+' && *p != '-' && *p != '.')
			return false;
	return true;
}

/* The authority of an absolute-form target without its userinfo; of length 0 if there is none, or if a fragment, which
 * no target has, follows it. A second '@' stays in it and makes it invalid. */
static struct span read_authority(struct span target)
{
	const uint8_t *end = target.at + target.len, *p = memchr(target.at, ':', target.len);

	if (p == NULL || !scheme_is_right(target.at, p) || end - p < 3 || p[1] != '/' || p[2] != '/')
		return (struct span){target.at, 0};
	const uint8_t *start = p + 3;
	for (p = start; p < end && *p != '/' && *p != '?' && *p != '#'; p++)
		;
	if (p < end && *p == '#')
		return (struct span){start, 0};
	const uint8_t *at_sign = memchr(start, '@', (size_t)(p - start));
	if (at_sign != NULL)
		start = at_sign + 1;
	return (struct span){start, (size_t)(p - start)};
}

/* The digits behind the last colon of a valid authority, or nothing for the default port. */
static struct span read_port(struct span authority, const char *default_port)
{
	const uint8_t *colon = memrchr(authority.at, ':', authority.len), *end = authority.at + authority.len;
	struct span port = {end, 0};

	if (colon != NULL && end[-1] != ']')
		port = (struct span){colon + 1, (size_t)(end - colon - 1)};
	if (span_is(port, default_port))
		port.len = 0;
	return port;
}

/* True if an absolute-form target names the host `name`, which was read from `host`. */
static bool target_names(struct span target, struct span host, const struct hostname *name)
{
	bool https = target.len > 6 && strncasecmp((const char *)target.at, "https:", 6) == 0;
	const char *default_port = https ? "443" : "80";
	struct span authority = read_authority(target);
	struct hostname other;

	if (!hostname_set_authority(&other, authority.at, authority.len) || strcmp(other.text, name->text) != 0)
		return false;
	struct span a = read_port(authority, default_port), b = read_port(host, default_port);
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* The target stands in full in front of the space at r->at. */
static bool target_is_right(const struct reader *r)
{
	const uint8_t *end = r->bytes + r->at;
	struct span target = read_target(r->bytes, end);
	struct hostname ignored;

	if (target.at[0] == '/')
		return true;
	if (target.at[0] == '*')
		return target.len == 1 && span_is(read_method(r->bytes, end), "OPTIONS");
	struct span authority = read_authority(target);
	return hostname_set_authority(&ignored, authority.at, authority.len);
}

/* The field value that ends at `end` (its line feed), without the space around it; the line's colon is there. */
static struct span read_value(const uint8_t *line, const uint8_t *end)
{
	const uint8_t *start = (const uint8_t *)memchr(line, ':', (size_t)(end - line)) + 1;

	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	return (struct span){start, (size_t)(end - start)};
}

static const uint8_t *line_start(const struct reader *r)
{
	return (const uint8_t *)memrchr(r->bytes, '\n', r->at) + 1;
}

/* At the colon of a field. A second Host field is one too many even if it says the same (RFC 9112 3.2). */
static bool end_name(struct reader *r)
{
	const uint8_t *start = line_start(r);
	size_t len = (size_t)(r->bytes + r->at - start);
	bool is_host = len == 4 && strncasecmp((const char *)start, "host", len) == 0;

	if (is_host && r->host_seen)
		return false;
	r->state = is_host ? HOST_VALUE : VALUE;
	r->host_seen |= is_host;
	return true;
}

/* At the line feed of the Host field. */
static bool host_is_right(const struct reader *r)
{
	const uint8_t *end = r->bytes + r->at;
	struct span value = read_value(line_start(r), end), target = read_target(r->bytes, end);
	struct hostname name;

	if (!hostname_set_authority(&name, value.at, value.len))
		return false;
	return !is_absolute(target) || target_names(target, value, &name);
}

static bool step_version(struct reader *r, uint8_t c)
{
	static const char expected[] = "HTTP/1.";
	const uint8_t *start = (const uint8_t *)memrchr(r->bytes, ' ', r->at) + 1;
	size_t i = (size_t)(r->bytes + r->at - start), digit = sizeof(expected) - 1;

	if (i < digit)
		return c == expected[i];
	if (i == digit)
		return is_digit(c);
	if (c == '\n')
		r->state = LINE_START;
	return c == '\r' || c == '\n';
}

static bool step_request_line(struct reader *r, uint8_t c)
{
	switch (r->state) {
	case METHOD:
		if (c != ' ')
			return token_bytes[c];
		r->state = BEFORE_TARGET;
		return !span_is(read_method(r->bytes, r->bytes + r->at), "CONNECT");
	case BEFORE_TARGET:
		if (c == ' ')
			return true;
		r->state = TARGET;
		return c == '/' || c == '*' || is_letter(c);
	case TARGET:
		if (c != ' ')
			return c > ' ' && c < 0x7f;
		r->state = BEFORE_VERSION;
		return target_is_right(r);
	case BEFORE_VERSION:
		if (c == ' ')
			return true;
		r->state = VERSION;
		return step_version(r, c);
	default:
		return step_version(r, c);
	}
}

static bool step_field(struct reader *r, uint8_t c)
{
	switch (r->state) {
	case LINE_START:
		if (c == '\r')
			return true;
		r->state = c == '\n' ? END : NAME;
		return c == '\n' || token_bytes[c];
	case NAME:
		return c == ':' ? end_name(r) : token_bytes[c];
	default:
		if (c != '\n')
			return c != '\0';
		bool right = r->state == VALUE || host_is_right(r);
		r->state = LINE_START;
		return right;
	}
}

/* False if the byte at r->at cannot stand there. */
static bool step(struct reader *r)
{
	uint8_t c = r->bytes[r->at];

	if (r->at > 0 && r->bytes[r->at - 1] == '\r' && c != '\n')
		return false;
	if (r->state >= LINE_START)
		return step_field(r, c);
	if (r->state >= METHOD)
		return step_request_line(r, c);
	if (r->state < TWO_EMPTY_LINES && c == '\n')
		r->state++;
	else if (r->state == TWO_EMPTY_LINES || c != '\r')
		r->state = METHOD;
	return r->state != METHOD || token_bytes[c];
}

/* Most of a head are values that say nothing to us: passes over bytes that step() would only count. */
static void skip_value(struct reader *r, size_t len)
{
	if (r->state == VALUE && r->bytes[r->at - 1] != '\r')
		while (r->at < len && r->bytes[r->at] > '\r')
			r->at++;
}

/* The value of the Host field of a head that is known to have one. */
static struct span find_host(const uint8_t *bytes, const uint8_t *end)
{
	const uint8_t *line = bytes, *feed;

	for (;; line = feed + 1) {
		feed = memchr(line, '\n', (size_t)(end - line));
		if (feed - line >= 5 && strncasecmp((const char *)line, "host:", 5) == 0)
			return read_value(line, feed);
	}
}

/* The head is complete and each of its bytes right. */
static enum peek_result finish(const struct reader *r, struct hostname *name)
{
	const uint8_t *end = r->bytes + r->at;
	struct span target = read_target(r->bytes, end), source;

	if (r->host_seen) {
		source = find_host(r->bytes, end);
	} else {
		const uint8_t *version = skip_spaces(target.at + target.len);
		if (version[sizeof("HTTP/1.") - 1] != '0')
			return PEEK_MALFORMED;
		if (!is_absolute(target))
			return PEEK_NO_NAME;
		source = read_authority(target);
	}
	return hostname_set_authority(name, source.at, source.len) ? PEEK_FOUND : PEEK_MALFORMED;
}

/* `*scanned` holds the count in its lower half; above it state + 1 and the flag. A caller that kept only the count
 * loses time and nothing else: the head is read from its beginning. */
enum { COUNT_BITS = 32, HOST_SEEN_BIT = 1 << 8 };

static struct reader restore(const uint8_t *bytes, size_t scanned)
{
	size_t kept = scanned >> COUNT_BITS;

	if (kept == 0)
		return (struct reader){.bytes = bytes};
	return (struct reader){
	    .bytes = bytes,
	    .at = scanned & UINT32_MAX,
	    .state = (enum state)((kept & (HOST_SEEN_BIT - 1)) - 1),
	    .host_seen = (kept & HOST_SEEN_BIT) != 0,
	};
}

static size_t save(const struct reader *r)
{
	size_t kept = (size_t)r->state + 1;

	return (r->host_seen ? kept | HOST_SEEN_BIT : kept) << COUNT_BITS | r->at;
}

enum peek_result http_host_peek(const uint8_t *bytes, size_t len, size_t *scanned, struct hostname *name)
{
	struct reader r = restore(bytes, *scanned);

	while (r.at < len) {
		if (!step(&r))
			return PEEK_MALFORMED;
		if (r.state == END)
			return finish(&r, name);
		r.at++;
		skip_value(&r, len);
	}
	*scanned = save(&r);
	return PEEK_NEED_MORE;
}

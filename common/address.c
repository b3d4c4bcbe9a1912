/* Text forms of addresses and prefixes, and prefix matching. Resolves no names. */
#include "common/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { V4_PREFIX_START = 96 }; /* where the bits of an IPv4 address begin in the 128 */

static bool parse(const char *text, struct address *out, bool *v4)
{
	uint32_t word;

	*v4 = inet_pton(AF_INET, text, &word) == 1;
	if (*v4) {
		*out = address_from_v4(word);
		return true;
	}
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

bool address_parse(const char *text, struct address *out)
{
	bool v4;

	return parse(text, out, &v4);
}

const char *address_format(const struct address *a, char text[static ADDRESS_TEXT_MAX])
{
	if (address_is_v4(a))
		inet_ntop(AF_INET, &a->words[3], text, ADDRESS_TEXT_MAX);
	else
		inet_ntop(AF_INET6, a->bytes, text, ADDRESS_TEXT_MAX);
	return text;
}

/* One to three digits and nothing else; -1 if it is not that. */
static int parse_length(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 3 || text[digits] != '\0')
		return -1;
	return atoi(text);
}

/* The bits of byte number `i` that a prefix of `length` bits covers. */
static uint8_t byte_mask(unsigned i, unsigned length)
{
	if (length >= 8 * (i + 1))
		return 0xff;
	return length <= 8 * i ? 0 : (uint8_t)(0xff << (8 * (i + 1) - length));
}

static bool host_bits_clear(const struct prefix *p)
{
	uint8_t set = 0;

	for (unsigned i = 0; i < sizeof(p->address.bytes); i++)
		set |= p->address.bytes[i] & (uint8_t)~byte_mask(i, p->length);
	return set == 0;
}

bool prefix_parse(const char *text, struct prefix *out)
{
	char address[ADDRESS_TEXT_MAX];
	const char *slash = strchrnul(text, '/');
	size_t len = (size_t)(slash - text);
	bool v4;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!parse(address, &out->address, &v4))
		return false;

	int most = v4 ? 32 : 128;
	int length = *slash == '/' ? parse_length(slash + 1) : most;
	if (length < 0 || length > most)
		return false;
	out->length = (uint8_t)(v4 ? length + V4_PREFIX_START : length);
	return host_bits_clear(out);
}

bool prefix_contains(const struct prefix *p, const struct address *a)
{
	uint8_t differ = 0;

	for (unsigned i = 0; i < sizeof(a->bytes); i++)
		differ |= (uint8_t)(p->address.bytes[i] ^ a->bytes[i]) & byte_mask(i, p->length);
	return differ == 0;
}

/* Checks and normalises host names. Resolves nothing and knows no routes. */
#include "common/hostname.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/address.h"

enum { LABEL_MAX = 63 };

/* The byte as it stands in a normalised name, or 0 if no name contains it. */
static char normal(uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return (char)(byte | 0x20);
	if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.')
		return (char)byte;
	return 0;
}

bool hostname_set(struct hostname *out, const uint8_t *bytes, size_t len)
{
	size_t label = 0;

	if (len > 0 && bytes[len - 1] == '.')
		len--;
	if (len == 0 || len > HOSTNAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = normal(bytes[i]);

		if (c == 0 || (c == '.' && label == 0))
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
		out->text[i] = c;
	}
	out->text[len] = '\0';
	out->len = (uint8_t)len;
	return label > 0;
}

/* Nothing, or a colon and any number of digits. */
static bool port_is_right(const uint8_t *bytes, size_t len)
{
	if (len > 0 && bytes[0] != ':')
		return false;
	for (size_t i = 1; i < len; i++)
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
	return true;
}

/* `len` bytes with both brackets. */
static bool set_ipv6(struct hostname *out, const uint8_t *bytes, size_t len)
{
	char inner[ADDRESS_TEXT_MAX];
	struct in6_addr ignored;

	if (len < 2 || len - 2 >= sizeof(inner))
		return false;
	for (size_t i = 0; i < len; i++)
		out->text[i] = bytes[i] >= 'A' && bytes[i] <= 'F' ? (char)(bytes[i] | 0x20) : (char)bytes[i];
	out->text[len] = '\0';
	out->len = (uint8_t)len;
	memcpy(inner, out->text + 1, len - 2);
	inner[len - 2] = '\0';
	return memchr(inner, '\0', len - 2) == NULL && inet_pton(AF_INET6, inner, &ignored) == 1;
}

bool hostname_set_authority(struct hostname *out, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return false;

	bool bracketed = bytes[0] == '[';
	const uint8_t *end = memchr(bytes, bracketed ? ']' : ':', len);
	if (bracketed && end == NULL)
		return false;
	size_t name_len = end == NULL ? len : (size_t)(end - bytes) + bracketed;
	if (!port_is_right(bytes + name_len, len - name_len))
		return false;
	return bracketed ? set_ipv6(out, bytes, name_len) : hostname_set(out, bytes, name_len);
}

bool hostname_is_ip_literal(const struct hostname *name)
{
	struct in_addr ignored;

	return inet_pton(AF_INET, name->text, &ignored) == 1;
}

/* What the clients of an exchange say first: HTTP requests and ClientHellos. See exchange.h. */
#include "exchange.h"

#include "common/bytes.h"

const char request[REQUEST_LEN + 1] = "GET / HTTP/1.1\r\nHost: " ONE_NAME "\r\n"
                                      "X-Padding: .....................................................\r\n\r\n";

void request_write(char *out, const char *name, size_t len)
{
	static const char format[] = "GET / HTTP/1.1\r\nHost: %s\r\nX-Padding: ";
	size_t used = (size_t)sprintf(out, format, name);
	assert_true(used + 4 <= len);
	memset(out + used, '.', len - used - 4);
	memcpy(out + len - 4, "\r\n\r\n", 4);
}

size_t hello_write(uint8_t out[static HELLO_MAX], const char *name)
{
	uint8_t *p = out + 43; /* behind record header, handshake header, version and random */
	size_t name_len = name ? strlen(name) : 0;
	memset(out, 0x5a, 43);
	static const uint8_t middle[] = {0, 0, 2, 0x13, 0x01, 1, 0}; /* session id, one suite, null compression */
	memcpy(p, middle, sizeof(middle));
	p += sizeof(middle);
	uint8_t *extensions = p;
	p += 2;
	if (name) {
		put_be16(p, 0); /* server_name: extension, list, type, name */
		put_be16(p + 2, (uint16_t)(name_len + 5));
		put_be16(p + 4, (uint16_t)(name_len + 3));
		p[6] = 0;
		put_be16(p + 7, (uint16_t)name_len);
		memcpy(p + 9, name, name_len);
		p += 9 + name_len;
	}
	put_be16(p, 43); /* supported_versions: TLS 1.3 */
	memcpy(p + 2, ((const uint8_t[]){0, 3, 2, 3, 4}), 5);
	p += 7;
	size_t len = (size_t)(p - out);
	put_be16(extensions, (uint16_t)(p - extensions - 2));
	memcpy(out, ((const uint8_t[]){22, 3, 1}), 3);
	put_be16(out + 3, (uint16_t)(len - 5));
	memcpy(out + 5, ((const uint8_t[]){1, 0}), 2);
	put_be16(out + 7, (uint16_t)(len - 9));
	put_be16(out + 9, 0x0303);
	return len;
}

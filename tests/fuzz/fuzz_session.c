/* Any bytes as a Cookie field: no session comes out of it but the one that was made. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_key key = {.bytes = "a key that nobody knows"};
	char made[SESSION_TEXT_MAX], id[TOKEN_ID_MAX + 1];
	int64_t expires;
	size_t len = 0;
	char *cookies = malloc(size + 1);
	if (!cookies)
		return 0;
	memcpy(cookies, data, size);
	cookies[size] = '\0';
	session_make(&key, "0123456789abcdef", 2000000000, made);
	const char *value = session_find(cookies, &len);
	if (value && (value < cookies || value + len > cookies + size))
		abort();
	if (value && session_read(&key, value, len, 0, id, &expires) &&
	    (len != strlen(made) || memcmp(value, made, len) != 0))
		abort();
	/* The same bytes without the name in front of them. */
	if (session_read(&key, cookies, size, 0, id, &expires) &&
	    (size != strlen(made) || memcmp(cookies, made, size) != 0))
		abort();
	free(cookies);
	return 0;
}

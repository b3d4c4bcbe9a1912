/* Any bytes as a connection and as a handshake message: the answer must not depend on cuts, nor on records. */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/tls_sni.h"

static void require(bool truth)
{
	if (!truth)
		abort();
}

static enum peek_result peek_byte_by_byte(const uint8_t *data, size_t size, struct hostname *name)
{
	enum peek_result result = PEEK_NEED_MORE;
	size_t scanned = 0;

	for (size_t len = 0; len <= size && result == PEEK_NEED_MORE; len++)
		result = tls_sni_peek(data, len, &scanned, name);
	return result;
}

static enum peek_result check_stream(const uint8_t *data, size_t size, struct hostname *name)
{
	struct hostname other, again;
	enum peek_result result = tls_sni_peek(data, size, &(size_t){0}, name);

	require(peek_byte_by_byte(data, size, &other) == result);
	if (result == PEEK_FOUND) {
		require(strcmp(other.text, name->text) == 0);
		require(name->len == strlen(name->text) && !hostname_is_ip_literal(name));
		require(hostname_set(&again, (const uint8_t *)name->text, name->len));
		require(strcmp(again.text, name->text) == 0);
	}
	return result;
}

/* The answer to `data` as a handshake message in records of `record_len` bytes. */
static enum peek_result check_message(const uint8_t *data, size_t size, size_t record_len, struct hostname *name)
{
	size_t records = (size + record_len - 1) / record_len, len = 0;
	uint8_t *stream = malloc(size + 5 * records + 1);

	for (size_t done = 0; done < size;) {
		size_t part = size - done < record_len ? size - done : record_len;
		memcpy(stream + len, "\x16\x03\x01", 3);
		put_be16(stream + len + 3, (uint16_t)part);
		memcpy(stream + len + 5, data + done, part);
		len += 5 + part;
		done += part;
	}
	enum peek_result result = check_stream(stream, len, name);
	free(stream);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hostname name, same;

	check_stream(data, size, &name);
	if (size == 0)
		return 0;
	enum peek_result result = check_message(data + 1, size - 1, 16384, &name);
	require(check_message(data + 1, size - 1, 1u + data[0], &same) == result);
	require(result != PEEK_FOUND || strcmp(name.text, same.text) == 0);
	return 0;
}

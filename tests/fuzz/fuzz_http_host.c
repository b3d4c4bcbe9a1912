/* Any bytes as the head of a request: the answer must not depend on how they are cut. */
#include <stdlib.h>
#include <string.h>

#include "common/http_host.h"

static void require(bool truth)
{
	if (!truth)
		abort();
}

/* A name found is one that a Host field could have carried, in its final form. */
static void check_name(const struct hostname *name)
{
	struct hostname again;

	require(name->len == strlen(name->text));
	require(hostname_set_authority(&again, (const uint8_t *)name->text, name->len));
	require(strcmp(again.text, name->text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hostname whole_name, name;
	size_t scanned = 0, len = 0;
	enum peek_result result = PEEK_NEED_MORE, whole = http_host_peek(data, size, &(size_t){0}, &whole_name);

	for (; len <= size && result == PEEK_NEED_MORE; len++)
		result = http_host_peek(data, len, &scanned, &name);
	require(result == whole);
	if (result == PEEK_NEED_MORE)
		return 0;

	/* The loop ended behind the byte that decides: with one byte less, nothing was decided. */
	require(len < 2 || http_host_peek(data, len - 2, &(size_t){0}, &name) == PEEK_NEED_MORE);
	if (result == PEEK_FOUND) {
		check_name(&whole_name);
		require(http_host_peek(data, len - 1, &(size_t){0}, &name) == PEEK_FOUND);
		require(strcmp(name.text, whole_name.text) == 0);
	}
	return 0;
}

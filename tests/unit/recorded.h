/* Recorded answers of an API server (tests/data/kube): the whole as it came, and its body without chunk framing. */
#ifndef PM_RECORDED_H
#define PM_RECORDED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recorded {
	char *bytes; /* the whole answer, with a NUL behind it */
	size_t len;
	int status;
	char *body;
	size_t body_len;
};

static inline void recorded_dechunk(struct recorded *recorded, const char *from)
{
	const char *end = recorded->bytes + recorded->len;
	while (from < end) {
		char *data;
		size_t size = strtoul(from, &data, 16);
		data += 2;
		if (size == 0 || size > (size_t)(end - data))
			return;
		memcpy(recorded->body + recorded->body_len, data, size);
		recorded->body_len += size;
		from = data + size + 2;
	}
}

/* `name` without directory and ".http". Ends the test program if it is not there. */
static inline struct recorded recorded_load(const char *name)
{
	char path[200];
	struct recorded recorded = {0};
	snprintf(path, sizeof(path), "data/kube/%s.http", name);
	FILE *file = fopen(path, "r");
	if (!file)
		abort();
	recorded.bytes = calloc(1, 65536);
	recorded.len = fread(recorded.bytes, 1, 65535, file);
	fclose(file);
	recorded.body = calloc(1, recorded.len + 1);
	recorded.status = atoi(recorded.bytes + strlen("HTTP/1.1 "));
	const char *body = strstr(recorded.bytes, "\r\n\r\n") + 4;
	if (strstr(recorded.bytes, "Transfer-Encoding: chunked\r\n")) {
		recorded_dechunk(&recorded, body);
	} else {
		recorded.body_len = recorded.len - (size_t)(body - recorded.bytes);
		memcpy(recorded.body, body, recorded.body_len);
	}
	return recorded;
}

static inline void recorded_free(struct recorded *recorded)
{
	free(recorded->bytes);
	free(recorded->body);
}

#endif

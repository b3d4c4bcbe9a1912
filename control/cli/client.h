/* One call of the admin API at a time, over one connection that is kept open. Says what came, not what it means. Not
 * shared between threads: each has its own. */
#ifndef PM_CLI_CLIENT_H
#define PM_CLI_CLIENT_H

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/cli/settings.h"

struct client;

struct request {
	const char *method;   /* "GET" */
	const char *target;   /* from "/api/v1" on, encoded */
	const char *body;     /* JSON, NULL: none */
	const char *if_match; /* a revision, NULL: none */
	long timeout_ms;      /* 0: the usual one */
};

struct answer {
	long status; /* 0: none came, see `failure` and `error` */
	char *text;  /* as it came, terminated */
	size_t len;
	json_t *json;   /* NULL: it is none */
	char *revision; /* of the ETag, NULL: none */
	CURLcode failure;
	char error[CURL_ERROR_SIZE];
};

/* `settings` must live as long. curl_global_init is the caller's. */
struct client *client_new(const struct settings *settings);
void client_free(struct client *client);

/* True: an answer of any status came. Either way it is freed with answer_free. */
bool client_call(struct client *client, const struct request *request, struct answer *answer);
void answer_free(struct answer *answer);

/* A call that runs ends within a second as failed, and so does each later one. From any thread. */
void client_stop(struct client *client);

/* A target: each "%s" of the format is replaced by a text, percent-encoded as one segment of a path or as a value of a
 * query. To be freed. */
char *target_make(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Adds "?name=value", or "&name=value" if there is a query already; nothing for NULL. Takes and returns `target`. */
char *target_add(char *target, const char *name, const char *value);

#endif

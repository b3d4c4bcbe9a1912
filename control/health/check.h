/* What one health check of a router host found. */
#ifndef PM_CHECK_H
#define PM_CHECK_H

#include <stdbool.h>

enum check_kind {
	CHECK_NONE,            /* not checked yet */
	CHECK_OK,              /* status 200 and a complete answer */
	CHECK_STATUS,          /* another status; detail: which */
	CHECK_REDIRECT,        /* 3xx, not followed; detail: which */
	CHECK_REFUSED,         /* RST in answer to the SYN */
	CHECK_UNREACHABLE,     /* no route to the host, or ICMP says so */
	CHECK_CONNECT_TIMEOUT, /* no answer to the SYN in time */
	CHECK_ANSWER_TIMEOUT,  /* connected, but no complete answer in time */
	CHECK_NOT_HTTP,        /* the answer is not HTTP/1.x */
	CHECK_INCOMPLETE,      /* the connection ended before the answer was complete */
	CHECK_RESET,           /* RST during the answer */
	CHECK_TOO_LARGE,       /* more than 64 KiB of answer */
	CHECK_FAILED,          /* anything else: no file descriptor, ... */
	CHECK_TRAFFIC,         /* no check: three connects of clients in a row failed */
	check_kind_count,
};

struct check_result {
	enum check_kind kind;
	int detail;
};

/* "refused", as it stands in JSON. */
const char *check_kind_name(enum check_kind kind);
/* CHECK_NONE for an unknown name. */
enum check_kind check_kind_from_name(const char *name);

enum { CHECK_TEXT_MAX = 80 };
/* A reason for people: "status 500", "no answer to the connect". */
const char *check_result_text(struct check_result result, char text[static CHECK_TEXT_MAX]);

#endif

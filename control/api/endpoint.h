/* What the files of the admin API share: an endpoint is an address, a method, the least role, and what it does. Each
 * api_*.c has a table of its own; api.c knows them all. */
#ifndef PM_ENDPOINT_H
#define PM_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hostname.h"
#include "common/json_reader.h"
#include "control/api/api.h"
#include "control/control.h"
#include "control/api/role.h"

enum {
	ENDPOINT_NAMES_MAX = 2,
	ENDPOINT_NAME_TEXT_MAX = HOSTNAME_MAX + 3,
	ENDPOINT_DETAIL_MAX = 900,
	PAGE_LIMIT_DEFAULT = 1000,
	PAGE_LIMIT_MAX = 10000,
};

struct cluster_plan;

/* One accepted request. */
struct call {
	struct control *control;
	const struct api_request *request;
	struct identity identity;
	struct actor actor;                                     /* of a write: who and why */
	bool dry_run;                                           /* of a write: check everything, change nothing */
	char names[ENDPOINT_NAMES_MAX][ENDPOINT_NAME_TEXT_MAX]; /* what stands for {} in the address, decoded */
	char who[API_WHO_MAX + 1];
};

enum endpoint_flag {
	ENDPOINT_BODY = 0x01,     /* takes a JSON body, which must be there */
	ENDPOINT_MAY_BODY = 0x02, /* takes one that may be absent; without either flag it must be absent or {} */
	ENDPOINT_WRITE = 0x04,    /* takes dry_run, reason and If-Match */
	ENDPOINT_OPEN = 0x08,     /* needs no role (but a peer of allow_from) */
	ENDPOINT_PUSH = 0x10,     /* a plugin's: neither role nor allow_from */
	ENDPOINT_METRICS = 0x20,  /* also for peers of admin.metrics_from */
	ENDPOINT_STREAM = 0x40,   /* a GET that begins something: like a write, not for pages of others */
	ENDPOINT_LARGE = 0x80,    /* its body may have API_BODY_MAX */
};

struct endpoint {
	const char *path, *method; /* "/api/v1/clusters/{}", "GET" */
	enum role role;
	unsigned flags;
	const char *queries; /* names that it takes, apart by spaces; NULL: none */
	struct api_reply (*handle)(struct call *call);
	/* Looks at the names before the body is read; NULL: nothing to look at. False: `reply`. */
	bool (*accept)(struct call *call, struct api_reply *reply);
};

struct endpoint_table {
	const struct endpoint *endpoints;
	unsigned count;
};

extern const struct endpoint_table api_access_table, api_config_table, api_status_table, api_cluster_table,
    api_host_table, api_cluster_state_table, api_system_table, api_diff_table, api_route_table, api_shift_table,
    api_traffic_table, api_stats_table;

/* ---- reading a call ---- */

/* The value of a query parameter, or NULL. */
const char *call_query(const struct call *call, const char *name);
/* `limit` and `offset`. False: `reply`. */
struct api_page {
	size_t offset, limit;
};
bool call_page(const struct call *call, struct api_page *page, struct api_reply *reply);
/* The body as JSON, an empty object if there is none; NULL: `reply`. */
json_t *call_body(const struct call *call, struct api_reply *reply);
/* The cluster that the name number `i` of the address means; NULL: `reply` (404). */
struct cluster *call_cluster(const struct call *call, unsigned i, struct api_reply *reply);
/* The same for a name from elsewhere. */
struct cluster *call_cluster_named(const struct call *call, const char *name, struct api_reply *reply);
/* The route that the first name of the address means, whether it is served or only remembered; NULL: `reply` (404). */
struct name *call_route(const struct call *call, struct api_reply *reply);

/* The router host that both names of the address mean, copied, and its cluster. False: `reply` (404, 409). */
bool call_host(struct call *call, struct cluster **cluster, struct host_spec *host, struct api_reply *reply);

/* ---- making a reply ---- */

__attribute__((format(printf, 2, 3))) struct api_reply reply_problem(unsigned status, const char *format, ...);
/* 400 with all faults, which are freed. The first one is the detail. */
struct api_reply reply_faulty(struct json_faults *faults);
/* 200 with a body that shows the state at its present revision. Takes the reference. */
struct api_reply reply_state(const struct control *control, json_t *json);
/* After a write: `json` (may be NULL) gets "revision", "changed", "applied" and "dry_run". Takes the reference. */
struct api_reply reply_written(const struct call *call, unsigned status, bool changed, json_t *json);
/* What speaks against a write, which `plan` (taken) shows: the refusal, as it was made; of a dry run 200 and the plan,
 * with "level", "notes" and "refused". */
struct api_reply reply_refused(const struct call *call, struct api_reply refusal, json_t *plan);
/* The refusal (409) says that "force" overcomes it. */
struct api_reply reply_forceable(struct api_reply refusal);
/* 409, needs force: the plan (its JSON is taken) leaves routes without any cluster. `name`: of the cluster. */
struct api_reply reply_leaves_routes(const struct call *call, const struct cluster_plan *plan, const char *name);
/* 507: it could not be saved. */
struct api_reply reply_not_saved(struct control *control);

#endif

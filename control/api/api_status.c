/* The admin API: what there is, read only. */
#include "control/api/admin_json.h"
#include "control/api/endpoint.h"

static struct api_reply get_status(struct call *call)
{
	return reply_state(call->control, admin_status(call->control));
}

static struct api_reply get_held(struct call *call)
{
	struct api_page page;
	struct api_reply reply;
	if (!call_page(call, &page, &reply))
		return reply;
	return reply_state(call->control, admin_held(call->control, page));
}

static const struct endpoint endpoints[] = {
    {"/api/v1/status", "GET", ROLE_VIEWER, 0, NULL, get_status, NULL},
    {"/api/v1/held", "GET", ROLE_VIEWER, 0, "limit offset", get_held, NULL},
};

const struct endpoint_table api_status_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};

/* From a reply of the API to a response of libmicrohttpd: body, type, and the header fields that every answer has. */
#ifndef PM_ADMIN_RESPONSE_H
#define PM_ADMIN_RESPONSE_H

#include <microhttpd.h>

#include "control/api/api.h"

/* NULL: no memory. What the reply owns stays the caller's, but for `owned`, which is taken. */
struct MHD_Response *admin_response(struct api_reply *reply);
/* The fields that keep a browser from doing with an answer what it is not meant for. */
void admin_response_harden(struct MHD_Response *response);

#endif

/* What two state documents (state_document.h) say differently, as lines for people. Pure. */
#ifndef PM_STATE_DIFFERS_H
#define PM_STATE_DIFFERS_H

#include <jansson.h>

enum { STATE_DIFFERS_MAX = 200 };

/* An array of texts, at most STATE_DIFFERS_MAX and one that counts the rest: what would change if `then` took the place
 * of `now`. New reference. */
json_t *state_differs(const json_t *now, const json_t *then);

#endif

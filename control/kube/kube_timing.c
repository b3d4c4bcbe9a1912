/* The defaults: see the header. */
#include "control/kube/kube_timing.h"

const struct kube_timing *kube_timing_default(void)
{
	static const struct kube_timing defaults = {
	    .backoff_first = 800, /* client-go's, as are doubling, jitter and the higher cap */
	    .backoff_cap_away = 1500,
	    .backoff_cap_denied = 30000,
	    .backoff_patience = 10,
	    .backoff_reset = 10000,
	    .retry_after_cap = 60000,
	    .files = 1000,
	    .connect = 10000,
	    .list_silence = 60000,
	    .list_rest = 1000,
	    .relist = 0,
	    .watch_seconds_min = 300,
	    .watch_seconds_max = 600,
	    .watch_grace = 30000,
	    .watch_silence = 180000,
	    .short_stream = 1000,
	    .collect = 10,
	};
	return &defaults;
}

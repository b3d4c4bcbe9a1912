/* Names and checks of the records of record.h. */
#include "common/record.h"

static const char *const why_names[record_why_count] = {
    [RECORD_OPEN] = "open",
    [RECORD_FIN] = "fin",
    [RECORD_RST] = "rst",
    [RECORD_IDLE] = "idle",
    [RECORD_CLOSED] = "closed",
    [RECORD_VIP_LOST] = "vip_lost",
    [RECORD_JOIN] = "join",
    [RECORD_SHUTDOWN] = "shutdown",
    [RECORD_UNKNOWN_NAME] = "unknown_name",
    [RECORD_NO_NAME] = "no_name",
    [RECORD_NOT_SERVED] = "not_served",
    [RECORD_UNHEALTHY] = "unhealthy",
    [RECORD_CONNECT_FAILED] = "connect_failed",
    [RECORD_MALFORMED] = "malformed",
    [RECORD_TOO_LARGE] = "too_large",
    [RECORD_TIMEOUT] = "timeout",
};

static const char *const state_names[record_state_count] = {
    [RECORD_HEAD] = "head",       [RECORD_ANSWER] = "answer",   [RECORD_CONNECTING] = "connecting",
    [RECORD_JOINING] = "joining", [RECORD_SPLICED] = "spliced", [RECORD_LINGERING] = "lingering",
};

const char *record_why_name(enum record_why why)
{
	return why_names[why];
}

const char *record_state_name(enum record_state state)
{
	return state_names[state];
}

static bool connection_valid(const struct record_connection *connection)
{
	return connection->why < record_why_count && connection->state < record_state_count &&
	       (connection->listener < LISTENERS_MAX || connection->listener == LISTENER_NONE) &&
	       connection->name.len <= HOSTNAME_MAX && connection->name.text[connection->name.len] == '\0' &&
	       (connection->cluster < CLUSTER_NUMBERS || connection->cluster == CLUSTER_NONE);
}

static bool explain_valid(const struct record_explain *explain)
{
	return explain->decision <= DECISION_UNHEALTHY && explain->share_count <= ROUTE_CLUSTERS_MAX &&
	       explain->route.len <= HOSTNAME_MAX && explain->route.text[explain->route.len] == '\0' &&
	       (explain->cluster < CLUSTER_NUMBERS || explain->cluster == CLUSTER_NONE);
}

bool record_valid(const struct record *record)
{
	if (record->version != RECORD_VERSION)
		return false;
	switch (record->type) {
	case RECORD_ENDED:
	case RECORD_REFUSED:
	case RECORD_LISTED:
		return connection_valid(&record->connection);
	case RECORD_EXPLAIN:
		return explain_valid(&record->explain);
	case RECORD_EXPLAIN_SHARE:
		return record->share.cluster < CLUSTER_NUMBERS;
	case RECORD_EXPLAIN_HOST:
		return record->host.cluster < CLUSTER_NUMBERS;
	case RECORD_QUERY_END:
		return true;
	default:
		return false;
	}
}

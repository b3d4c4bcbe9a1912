/* One frame of `pointsman top`: what was fetched, as lines of a terminal. Pure: no terminal, no API. */
#ifndef PM_CLI_TOP_VIEW_H
#define PM_CLI_TOP_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Answers of the API, owned; NULL: did not come. */
struct top_data {
	json_t *status, *clusters, *hosts, *routes, *stats;
	char error[300]; /* "": all came */
};

enum top_sort { TOP_BY_ACTIVE, TOP_BY_NEW, TOP_BY_REFUSED, TOP_BY_NAME, TOP_SORTS };

struct top_view {
	const struct top_data *data;
	enum top_sort sort;
	bool paused, colour;
	const char *url;
	unsigned rows, columns;
	/* First line of the list that is shown; put right if it is too large. */
	size_t scroll;
};

/* How many lines of the list fit. */
size_t top_page(const struct top_view *view);

/* The whole screen, to be written at once; to be freed. */
char *top_frame(struct top_view *view);

/* How the API calls the order of routes. */
const char *top_route_sort(enum top_sort sort);

void top_data_free(struct top_data *data);

#endif

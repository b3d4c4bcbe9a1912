/* One frame of `pointsman top`: see the header. */
#include "control/cli/top_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/fields.h"
#include "control/cli/output.h"
#include "control/cli/spark.h"
#include "control/cli/state.h"
#include "control/cli/table.h"
#include "control/cli/text.h"
#include "control/cli/units.h"

enum {
	HEAD_LINES = 6, /* title, four totals, an empty line */
	FOOT_LINES = 1,
	LABEL_COLUMNS = 20, /* before a line of bars */
	SPARK_MAX = 120,
};

static const char *const sort_names[TOP_SORTS] = {"active", "new", "refused", "name"};

const char *top_route_sort(enum top_sort sort)
{
	return sort == TOP_BY_NAME ? "name" : sort == TOP_BY_NEW ? "recent" : "active";
}

size_t top_page(const struct top_view *view)
{
	return view->rows > HEAD_LINES + FOOT_LINES ? view->rows - HEAD_LINES - FOOT_LINES : 1;
}

void top_data_free(struct top_data *data)
{
	json_decref(data->status);
	json_decref(data->clusters);
	json_decref(data->hosts);
	json_decref(data->routes);
	json_decref(data->stats);
	free(data);
}

/* ---- order of router hosts ---- */

/* -1: not known yet */
static int64_t created(const json_t *host)
{
	const json_t *value = field(host, "new_per_second");
	return json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
}

static int compare(const void *a, const void *b, void *context)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	enum top_sort sort = *(const enum top_sort *)context;
	int64_t difference = 0;
	if (sort == TOP_BY_ACTIVE)
		difference = field_int(y, "active") - field_int(x, "active");
	else if (sort == TOP_BY_NEW)
		difference = created(y) - created(x);
	else if (sort == TOP_BY_REFUSED)
		difference = field_int(y, "refused") - field_int(x, "refused");
	if (difference != 0)
		return difference > 0 ? 1 : -1;
	int order = strcmp(field_text(x, "cluster"), field_text(y, "cluster"));
	return order != 0 ? order : strcmp(field_text(x, "name"), field_text(y, "name"));
}

/* ---- the list ---- */

static void print_clusters(const struct top_view *view, const struct output *out)
{
	static const struct column columns[] = {
	    {.title = "CLUSTER", .flexible = true}, {.title = "STATE"},
	    {.title = "HOSTS", .right = true},      {.title = "ROUTES", .right = true},
	    {.title = "ACTIVE", .right = true},     {.title = "NEW/S", .right = true},
	    {.title = "NOTES", .flexible = true},
	};
	size_t i;
	const json_t *cluster;
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach(field(view->data->clusters, "clusters"), i, cluster)
	{
		char number[UNITS_TEXT_MAX];
		char *notes = state_cluster_notes(cluster);
		table_cell(table, TONE_PLAIN, "%s", field_text(cluster, "name"));
		table_cell(table, state_tone(field_text(cluster, "state")), "%s", field_text(cluster, "state"));
		table_cell(table, state_hosts_tone(cluster), "%lld/%lld",
		           (long long)field_int(cluster, "healthy_hosts"), (long long)field_int(cluster, "hosts"));
		table_cell(table, TONE_PLAIN, "%s", count_format(field_int(cluster, "routes"), number));
		table_cell(table, TONE_PLAIN, "%s", count_format(field_int(cluster, "active"), number));
		table_cell(table, TONE_PLAIN, "%s", count_format(field_int(cluster, "new_per_second"), number));
		table_cell(table, TONE_WARN, "%s", notes);
		free(notes);
	}
	table_print(table, out);
	table_free(table);
}

static void host_row(struct table *table, const json_t *host)
{
	char number[UNITS_TEXT_MAX];
	int64_t new = created(host);
	bool healthy = field_true(host, "healthy");
	const char *mode = state_host_mode(host);
	char *notes = state_host_notes(host);
	table_cell(table, TONE_PLAIN, "%s/%s", field_text(host, "cluster"), field_text(host, "name"));
	table_cell(table, TONE_PLAIN, "%s", field_text(host, "address"));
	table_cell(table, healthy ? TONE_GOOD : TONE_BAD, "%s", healthy ? "healthy" : "unhealthy");
	table_cell(table, state_tone(mode), "%s", mode);
	table_cell(table, TONE_STRONG, "%s", count_format(field_int(host, "active"), number));
	table_cell(table, new < 0 ? TONE_DIM : TONE_PLAIN, "%s", new < 0 ? "-" : count_format(new, number));
	table_cell(table, field_int(host, "refused") > 0 ? TONE_WARN : TONE_PLAIN, "%s",
	           count_format(field_int(host, "refused"), number));
	table_cell(table, TONE_WARN, "%s", notes);
	free(notes);
}

static void print_hosts(const struct top_view *view, const struct output *out)
{
	static const struct column columns[] = {
	    {.title = "HOST", .flexible = true},
	    {.title = "ADDRESS"},
	    {.title = "HEALTH"},
	    {.title = "MODE"},
	    {.title = "ACTIVE", .right = true},
	    {.title = "NEW/S", .right = true},
	    {.title = "REFUSED", .right = true},
	    {.title = "NOTES", .flexible = true},
	};
	const json_t *hosts = field(view->data->hosts, "hosts");
	size_t count = json_array_size(hosts);
	enum top_sort sort = view->sort;
	const json_t **sorted = calloc(count + 1, sizeof(json_t *));
	if (!sorted)
		abort();
	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(hosts, i);
	qsort_r(sorted, count, sizeof(json_t *), compare, &sort);
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < count; i++)
		host_row(table, sorted[i]);
	table_print(table, out);
	table_free(table);
	free(sorted);
}

/* Planned and real: "v1 90/89.7%, v2 10/10.3%" */
static char *shares_text(const json_t *route)
{
	size_t i, size;
	char *text = NULL, number[UNITS_TEXT_MAX];
	const json_t *share;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	json_array_foreach(field(route, "clusters"), i, share)
	{
		fprintf(out, "%s%s %s/", i > 0 ? ", " : "", field_text(share, "cluster"),
		        percent_format(field_real(share, "planned_share"), number));
		if (field(share, "real_share"))
			fprintf(out, "%s%%", percent_format(field_real(share, "real_share"), number));
		else
			fputc('-', out);
	}
	if (fclose(out) != 0)
		abort();
	return text;
}

static void print_routes(const struct top_view *view, const struct output *out)
{
	static const struct column columns[] = {
	    {.title = "ROUTE", .flexible = true},
	    {.title = "ACTIVE", .right = true},
	    {.title = "120 S", .right = true},
	    {.title = "PLANNED/REAL", .flexible = true},
	};
	size_t i;
	const json_t *route;
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach(field(view->data->routes, "routes"), i, route)
	{
		char number[UNITS_TEXT_MAX];
		char *shares = shares_text(route);
		table_cell(table, TONE_PLAIN, "%s", field_text(route, "host"));
		table_cell(table, TONE_STRONG, "%s", count_format(field_int(route, "active"), number));
		table_cell(table, TONE_PLAIN, "%s", count_format(field_int(route, "recent"), number));
		table_cell(table, TONE_PLAIN, "%s", shares);
		free(shares);
	}
	table_print(table, out);
	table_free(table);
}

/* ---- the head ---- */

static int64_t last_point(const json_t *points)
{
	for (size_t i = json_array_size(points); i > 0; i--)
		if (json_is_number(json_array_get(points, i - 1)))
			return (int64_t)json_number_value(json_array_get(points, i - 1));
	return 0;
}

static void print_total(const struct top_view *view, const struct output *out, const char *label, const char *name,
                        enum tone tone)
{
	char number[UNITS_TEXT_MAX], left[LABEL_COLUMNS + UNITS_TEXT_MAX];
	const json_t *points = field(view->data->stats, name);
	unsigned room = view->columns > LABEL_COLUMNS ? view->columns - LABEL_COLUMNS : 0;
	char *spark = spark_make(points, room < SPARK_MAX ? room : SPARK_MAX);
	snprintf(left, sizeof(left), "%-10s%8s  ", label, count_format(last_point(points), number));
	room = view->columns;
	output_piece(out, TONE_PLAIN, left, text_fit(left, &room));
	output_piece(out, tone, spark, text_fit(spark, &room));
	fputc('\n', out->file);
	free(spark);
}

/* A line that is cut to the width. */
static void print_cut(const struct top_view *view, const struct output *out, enum tone tone, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void print_cut(const struct top_view *view, const struct output *out, enum tone tone, const char *format, ...)
{
	char *text;
	va_list list;
	unsigned room = view->columns;
	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		abort();
	va_end(list);
	char *clean = text_clean(text);
	output_piece(out, tone, clean, text_fit(clean, &room));
	fputc('\n', out->file);
	free(clean);
	free(text);
}

static void print_head(const struct top_view *view, const struct output *out)
{
	char now[UNITS_TEXT_MAX];
	struct tm parts;
	time_t seconds = time(NULL);
	const struct top_data *data = view->data;
	const char *dataplane = field_text(data->status, "dataplane.state");
	long long revision = (long long)field_int(data->status, "control.revision");
	long long applied = (long long)field_int(data->status, "applied_revision");
	strftime(now, sizeof(now), "%H:%M:%S", localtime_r(&seconds, &parts));
	if (data->error[0] != '\0')
		print_cut(view, out, TONE_BAD, "%s  no answer, what is shown is old: %s", now, data->error);
	else
		print_cut(view, out, strcmp(dataplane, "ready") == 0 ? TONE_STRONG : TONE_BAD,
		          "%s  dataplane %s, revision %lld%s  %s%s", now, dataplane, revision,
		          applied >= revision ? "" : " (not applied)", view->url, view->paused ? "  PAUSED" : "");
	print_total(view, out, "active", "totals.active", TONE_GOOD);
	print_total(view, out, "new/s", "totals.new", TONE_GOOD);
	print_total(view, out, "refused/s", "totals.refused", TONE_BAD);
	print_cut(view, out, last_point(field(data->stats, "totals.unhealthy_hosts")) > 0 ? TONE_WARN : TONE_PLAIN,
	          "hosts     %8lld  healthy, %lld unhealthy",
	          (long long)last_point(field(data->stats, "totals.healthy_hosts")),
	          (long long)last_point(field(data->stats, "totals.unhealthy_hosts")));
	fputc('\n', out->file);
}

/* ---- the screen ---- */

static size_t count_lines(const char *text)
{
	size_t lines = 0;
	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

/* `count` lines from number `first` on, each ended so that nothing old is left behind it. */
static void put_lines(FILE *out, const char *text, size_t first, size_t count)
{
	for (; first > 0; first--)
		text = strchr(text, '\n') + 1;
	for (; count > 0 && *text != '\0'; count--) {
		size_t len = strcspn(text, "\n");
		fprintf(out, "%.*s\033[K\r\n", (int)len, text);
		text += len + 1;
	}
}

static char *render(struct top_view *view, void (*print)(const struct top_view *view, const struct output *out))
{
	char *text = NULL;
	size_t size;
	struct output out = {.terminal = true, .colour = view->colour, .width = view->columns};
	out.file = open_memstream(&text, &size);
	if (!out.file)
		abort();
	print(view, &out);
	if (fclose(out.file) != 0)
		abort();
	return text;
}

static void print_list(const struct top_view *view, const struct output *out)
{
	print_clusters(view, out);
	fputc('\n', out->file);
	print_hosts(view, out);
	fputc('\n', out->file);
	print_routes(view, out);
}

static void print_foot(const struct top_view *view, const struct output *out, size_t lines)
{
	size_t last = view->scroll + top_page(view);
	print_cut(view, out, TONE_DIM, "q quit  p pause  s sort (%s)  arrows PgUp PgDn: %zu-%zu of %zu lines",
	          sort_names[view->sort], view->scroll + 1, last < lines ? last : lines, lines);
}

char *top_frame(struct top_view *view)
{
	char *text = NULL, *head = render(view, print_head), *list = render(view, print_list);
	size_t size, lines = count_lines(list), page = top_page(view);
	if (view->scroll + page > lines)
		view->scroll = lines > page ? lines - page : 0;
	struct output out = {.terminal = true, .colour = view->colour, .width = view->columns};
	out.file = open_memstream(&text, &size);
	if (!out.file)
		abort();
	fputs("\033[H", out.file);
	put_lines(out.file, head, 0, view->rows > FOOT_LINES ? view->rows - FOOT_LINES : 1);
	put_lines(out.file, list, view->scroll, view->rows > HEAD_LINES + FOOT_LINES ? page : 0);
	fprintf(out.file, "\033[J\033[%u;1H", view->rows);
	print_foot(view, &out, lines);
	if (fclose(out.file) != 0)
		abort();
	text[strlen(text) - 1] = '\0'; /* a line end in the last row would scroll */
	free(head);
	free(list);
	return text;
}

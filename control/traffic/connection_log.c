/* The connection log: see the header. */
#include "control/traffic/connection_log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/traffic/connection_names.h"
#include "control/control.h"
#include "control/traffic/line_sink.h"
#include "control/traffic/records.h"

struct connection_log {
	struct line_sink *sink; /* NULL: off */
	bool json, prefixed;    /* prefixed: among the lines of the program, told apart by a word and a level */
	uint32_t sample;        /* of refused ones each so many-th; the workers choose the others */
	uint64_t refused;
	struct line_sink_counts before; /* of sinks that are closed */
};

/* ---- a line ---- */

struct line {
	char bytes[LINE_SINK_LINE_MAX];
	size_t len;
	bool json;
};

static void put_bytes(struct line *line, const char *bytes, size_t len)
{
	size_t room = sizeof(line->bytes) - 2 - line->len; /* for "}\n" */
	len = len < room ? len : room;
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

static void put_name(struct line *line, const char *name)
{
	if (line->len > 0 && line->bytes[line->len - 1] != '{' && line->bytes[line->len - 1] != ' ')
		put_bytes(line, line->json ? "," : " ", 1);
	if (line->json)
		put_bytes(line, "\"", 1);
	put_bytes(line, name, strlen(name));
	put_bytes(line, line->json ? "\":" : "=", line->json ? 2 : 1);
}

static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\' || *text == '=')
			return false;
	return true;
}

/* Names come from the network: nothing of them may end a value or a line. */
static void put_quoted(struct line *line, const char *text)
{
	char escaped[8];
	put_bytes(line, "\"", 1);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		int len = 1;
		if (c == '"' || c == '\\')
			len = snprintf(escaped, sizeof(escaped), "\\%c", c);
		else if (c < ' ' || c > '~')
			len = snprintf(escaped, sizeof(escaped), "\\u%04x", c);
		else
			escaped[0] = (char)c;
		put_bytes(line, escaped, (size_t)len);
	}
	put_bytes(line, "\"", 1);
}

/* NULL or "": absent. */
static void put_text(struct line *line, const char *name, const char *value)
{
	put_name(line, name);
	if (!value || value[0] == '\0')
		put_bytes(line, line->json ? "null" : "-", line->json ? 4 : 1);
	else if (!line->json && is_plain(value))
		put_bytes(line, value, strlen(value));
	else
		put_quoted(line, value);
}

static void put_number(struct line *line, const char *name, uint64_t value)
{
	char text[24];
	put_name(line, name);
	put_bytes(line, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, value));
}

static void put_time(struct line *line, int64_t unix_ms)
{
	char text[40];
	struct tm parts;
	time_t seconds = (time_t)(unix_ms / 1000);
	gmtime_r(&seconds, &parts);
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(unix_ms % 1000));
	put_text(line, "at", text);
}

static void put_start(struct line *line, const struct connection_log *log)
{
	static const char text[] = "<6>pointsman-control: connection ";
	line->json = log->json;
	if (log->json)
		put_bytes(line, "{", 1);
	else if (log->prefixed)
		put_bytes(line, text, sizeof(text) - 1);
}

static void put_end(struct line *line)
{
	if (line->json)
		line->bytes[line->len++] = '}';
	line->bytes[line->len++] = '\n';
}

static void put_connection(struct line *line, const struct control *control, const struct record_connection *connection)
{
	struct connection_names names;
	char client[ENDPOINT_TEXT_MAX], router[ENDPOINT_TEXT_MAX] = "";
	connection_names(control, connection, &names);
	if (connection->router_port != 0)
		endpoint_format(&connection->router, connection->router_port, router);
	put_number(line, "id", connection->id);
	put_text(line, "client", endpoint_format(&connection->client, connection->client_port, client));
	put_text(line, "listener", names.listener);
	put_text(line, "name", connection->name.text);
	put_text(line, "route", names.route);
	put_text(line, "cluster", names.cluster);
	put_text(line, "host", names.host);
	put_text(line, "router", router);
	put_number(line, "bytes_in", connection->bytes_in);
	put_number(line, "bytes_out", connection->bytes_out);
	put_number(line, "duration_ms", connection->age);
	put_number(line, "head_ms", connection->head);
	put_number(line, "connect_ms", connection->connect);
	put_number(line, "attempts", connection->attempts);
	put_text(line, "why", record_why_name((enum record_why)connection->why));
}

void connection_log_take(struct connection_log *log, const struct control *control, const struct record *record)
{
	struct line line = {.len = 0};
	if (!log->sink)
		return;
	if (record->type == RECORD_REFUSED && log->refused++ % log->sample != 0)
		return;
	put_start(&line, log);
	put_time(&line, records_unix_ms(record->at_us));
	if (line.json) {
		put_text(&line, "level", "info");
		put_text(&line, "program", "pointsman-control");
		put_text(&line, "text", "connection");
	}
	put_connection(&line, control, &record->connection);
	put_end(&line);
	line_sink_put(log->sink, line.bytes, line.len);
}

/* ---- life ---- */

struct connection_log *connection_log_create(void)
{
	struct connection_log *log = calloc(1, sizeof(*log));
	if (!log)
		abort();
	return log;
}

static void close_sink(struct connection_log *log)
{
	if (!log->sink)
		return;
	line_sink_flush(log->sink);
	struct line_sink_counts counts = line_sink_counts(log->sink);
	log->before.written += counts.written;
	log->before.lost += counts.lost + counts.waiting;
	line_sink_destroy(log->sink);
	log->sink = NULL;
}

void connection_log_free(struct connection_log *log)
{
	close_sink(log);
	free(log);
}

void connection_log_configure(struct connection_log *log, const struct control *control)
{
	const struct config *config = control->config;
	close_sink(log);
	log->json = config->log.json;
	log->prefixed = config->log.connections_file[0] == '\0';
	log->sample = config->log.connections == CONNECTION_LOG_SAMPLED ? config->log.sample : 1;
	if (config->log.connections != CONNECTION_LOG_OFF)
		log->sink = line_sink_create(control->loop, config->log.connections_file);
}

void connection_log_reopen(struct connection_log *log)
{
	if (log->sink)
		line_sink_reopen(log->sink);
}

struct connection_log_counts connection_log_counts(const struct control *control)
{
	const struct connection_log *log = control->connection_log;
	struct line_sink_counts now = log->sink ? line_sink_counts(log->sink) : (struct line_sink_counts){0};
	return (struct connection_log_counts){
	    .written = log->before.written + now.written,
	    .lost_writing = log->before.lost + now.lost,
	    .lost_ring = records_lost(control),
	};
}

const char *connection_log_why(const struct connection_log *log)
{
	return log->sink ? line_sink_why(log->sink) : "";
}

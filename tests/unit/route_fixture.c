/* See the header. */
#include "route_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/observe/journal.h"
#include "control_fixture.h"

struct control fixture_control;
const char *fixture_if_match;

static char directory[] = "/tmp/pm-test-routes-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct api_reply last;

static void remove_state(void)
{
	fixture_empty(directory);
}

static void begin(void)
{
	loop = event_loop_create();
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]");
	config->admin.loopback = ROLE_ADMIN;
	assert_true(control_init(&fixture_control, config, loop));
	control_start(&fixture_control);
}

static void end(void)
{
	control_stop(&fixture_control);
	config_free(config);
	event_loop_destroy(loop);
}

int fixture_setup(void **state)
{
	remove_state();
	fixture_if_match = NULL;
	begin();
	return 0;
}

int fixture_teardown(void **state)
{
	api_reply_free(&last);
	end();
	return 0;
}

void fixture_restart(void)
{
	struct state *state = &fixture_control.state;
	state->unsaved = false; /* nothing is saved at the end */
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (state->clusters[i])
			state->clusters[i]->unsaved = false;
	end();
	begin();
}

void fixture_saved(void)
{
	char why[STATE_FILE_TEXT_MAX];
	json_t *file, *memory = state_write(&fixture_control.state, NULL);
	assert_int_equal(state_file_read(fixture_control.state_file.path, &file, why), STATE_FILE_OK);
	char *saved = json_dumps(file, JSON_SORT_KEYS), *held = json_dumps(memory, JSON_SORT_KEYS);
	assert_string_equal(saved, held);
	free(saved);
	free(held);
	json_decref(file);
	json_decref(memory);
}

void fixture_health(const char *cluster, enum health_state health)
{
	struct cluster *found = state_cluster(&fixture_control.state, cluster);
	for (size_t i = 0; i < found->spec->host_count; i++)
		found->health[i].state = health;
}

void fixture_put(const char *text)
{
	assert_true(control_put(&fixture_control, fixture_cluster(text), 0, &fixture_actor));
}

struct name *fixture_route(const char *text)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	return names_find_host(&fixture_control.state.names, &host, wildcard);
}

struct pair *fixture_pair(const char *route, const char *cluster)
{
	const struct name *name = fixture_route(route);
	return name ? names_pair(name, state_cluster(&fixture_control.state, cluster)->index) : NULL;
}

/* Takes what stands behind the ? off the path. */
static void split_queries(struct api_request *request, char *path)
{
	char *query = strchr(path, '?');
	request->path = path;
	while (query) {
		*query++ = '\0';
		char *next = strchr(query, '&'), *value = strchr(query, '=');
		if (next)
			*next++ = '\0';
		if (value)
			*value++ = '\0';
		request->queries[request->query_count++] = (struct api_query){query, value ? value : ""};
		query = next ? next - 1 : NULL;
	}
}

static void call(const char *method, const char *path, const char *body)
{
	struct api_request request = {
	    .method = method, .content_type = "application/json", .if_match = fixture_if_match, .same_origin = true};
	char *address = strdup(path), *text = strdup(body ? body : "");
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	split_queries(&request, address);
	address_parse("127.0.0.1", &request.peer);
	api_reply_free(&last);
	if (api_accept(&fixture_control, &request, &last)) {
		request.body = text;
		request.body_len = strlen(text);
		last = api_handle(&fixture_control, &request);
	}
	free(text);
	free(address);
}

static void assert_status(unsigned status)
{
	if (last.status != status)
		print_error("%u %s\n", last.status, fixture_at("detail") ? fixture_text("detail") : "");
	assert_int_equal(last.status, status);
}

int fixture_ask(unsigned status, const char *method, const char *path, const char *body)
{
	call(method, path, body);
	assert_status(status);
	return (int)json_integer_value(fixture_at("total"));
}

void fixture_refused(unsigned status, const char *part, const char *method, const char *path, const char *body)
{
	uint64_t revision = fixture_control.state.revision;
	call(method, path, body);
	assert_status(status);
	if (!strstr(fixture_text("detail"), part))
		print_error("%s\n", fixture_text("detail"));
	assert_non_null(strstr(fixture_text("detail"), part));
	assert_int_equal(fixture_control.state.revision, revision);
}

static void answered(bool dry_run, bool changed, const char *method, const char *path, const char *body)
{
	uint64_t revision = fixture_control.state.revision;
	call(method, path, body);
	assert_true(last.status == 200 || last.status == 201 || (assert_status(200), false));
	assert_int_equal(json_is_true(fixture_at("changed")), changed);
	assert_int_equal(json_is_true(fixture_at("dry_run")), dry_run);
	assert_int_equal(fixture_control.state.revision, revision + (changed && !dry_run));
	assert_int_equal(json_integer_value(fixture_at("revision")), fixture_control.state.revision);
	assert_int_equal(last.revision, fixture_control.state.revision);
}

void fixture_written(bool changed, const char *method, const char *path, const char *body)
{
	answered(false, changed, method, path, body);
}

void fixture_planned(bool changed, const char *method, const char *path, const char *body)
{
	answered(true, changed, method, path, body);
}

const json_t *fixture_at(const char *path)
{
	char name[64];
	const json_t *value = last.json;
	while (*path != '\0' && value) {
		if (*path == '[') {
			value = json_array_get(value, strtoul(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
		} else {
			path += *path == '.';
			size_t len = strcspn(path, ".[");
			snprintf(name, sizeof(name), "%.*s", (int)len, path);
			value = json_object_get(value, name);
			path += len;
		}
	}
	return value;
}

const char *fixture_text(const char *path)
{
	const char *text = json_string_value(fixture_at(path));
	assert_non_null(text);
	return text;
}

double fixture_number(const char *path)
{
	assert_true(json_is_number(fixture_at(path)));
	return json_number_value(fixture_at(path));
}

void fixture_journal(const char *kind, const char *text, const char *reason)
{
	const struct journal *journal = fixture_control.journal;
	const struct journal_entry *entry = journal_find(journal, journal_last(journal));
	assert_non_null(entry);
	assert_string_equal(entry->kind, kind);
	assert_string_equal(entry->text, text);
	assert_string_equal(entry->reason ? entry->reason : "", reason ? reason : "");
	assert_int_equal(entry->revision, fixture_control.state.revision);
	assert_non_null(entry->who);
}

int fixture_run_tests(const struct CMUnitTest *tests, size_t count)
{
	if (!mkdtemp(directory))
		return 1;
	int failed = _cmocka_run_group_tests("routes", tests, count, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}

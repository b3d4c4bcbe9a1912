/* The admin API: the operator's state as a whole: revisions, export, import. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/endpoint.h"
#include "control/observe/journal.h"
#include "control/state/revisions.h"
#include "control/state/state_differs.h"
#include "control/state/state_document.h"
#include "control/observe/tell.h"
#include "control/api/view.h"

#define REVISION_PATH "/api/v1/revisions/{}"

static const char format_name[] = "pointsman-state";
/* The writes that follow an import count on from here. */
static const uint64_t revision_max = INT64_MAX / 2;

/* ---- revisions ---- */

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *revision_json(const struct revision *revision)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:s, s:o, s:o, s:b}", "id", (json_int_t)revision->id, "revision",
	                 (json_int_t)revision->revision, "name", text_or_null(revision->name), "at",
	                 view_time(revision->at), "by", revision->by, "reason", text_or_null(revision->reason), "what",
	                 text_or_null(revision->what), "automatic", revision->automatic);
}

static struct api_reply get_revisions(struct call *call)
{
	const struct revision *revision;
	json_t *array = json_array();
	for (size_t i = 0; (revision = revisions_at(call->control->revisions, i)); i++)
		json_array_append_new(array, revision_json(revision));
	return reply_state(call->control, json_pack("{s:o}", "revisions", array));
}

static const struct revision *find_revision(struct call *call, struct api_reply *reply)
{
	char *end, quoted[READER_TEXT_MAX];
	const char *text = call->names[0];
	uint64_t id = text[0] >= '1' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
	const struct revision *found = id > 0 && *end == '\0' ? revisions_find(call->control->revisions, id) : NULL;
	if (!found)
		*reply = reply_problem(404, "there is no saved revision %s; GET /api/v1/revisions lists them",
		                       json_quote(text, quoted));
	return found;
}

/* Its state; NULL: `reply`. */
static json_t *load_state(struct call *call, const struct revision *revision, struct api_reply *reply)
{
	char why[STATE_FILE_TEXT_MAX];
	json_t *state = revisions_load(call->control->revisions, revision->id, why);
	if (!state)
		*reply = reply_problem(409, "revision %" PRIu64 " cannot be read: %s", revision->id, why);
	return state;
}

static json_t *differences(const struct control *control, const json_t *then)
{
	json_t *now = state_document(&control->state, false), *lines = state_differs(now, then);
	json_decref(now);
	return lines;
}

static struct api_reply get_revision(struct call *call)
{
	struct api_reply reply;
	const struct revision *revision = find_revision(call, &reply);
	json_t *state = revision ? load_state(call, revision, &reply) : NULL;
	if (!state)
		return reply;
	json_t *json = revision_json(revision);
	json_object_set_new(json, "differs", differences(call->control, state));
	json_object_set_new(json, "state", state);
	return reply_state(call->control, json);
}

static bool read_name(struct call *call, char name[static REVISION_NAME_MAX + 1], struct api_reply *reply)
{
	const char *text;
	struct json_faults faults = {0};
	struct reader reader;
	json_t *body = call_body(call, reply);
	if (!body)
		return false;
	reader_open(&reader, body, &faults, "$");
	if (reader_string(&reader, "name", REVISION_NAME_MAX, true, &text))
		snprintf(name, REVISION_NAME_MAX + 1, "%s", text);
	reader_close(&reader);
	json_decref(body);
	if (faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

static struct api_reply post_revision(struct call *call)
{
	uint64_t id = 0;
	struct api_reply reply;
	char name[REVISION_NAME_MAX + 1], why[STATE_FILE_TEXT_MAX];
	struct control *control = call->control;
	if (!read_name(call, name, &reply))
		return reply;
	if (revisions_named(control->revisions) >= REVISIONS_NAMED_MAX)
		return reply_problem(409, "there are %d named revisions already; remove one first",
		                     REVISIONS_NAMED_MAX);
	if (!call->dry_run && (id = revisions_save(control, &call->actor, name, why)) == 0)
		return reply_problem(507, "the revision could not be saved: %s", why);
	json_t *json = json_pack("{s:s, s:o}", "name", name, "id", id > 0 ? json_integer((json_int_t)id) : json_null());
	return reply_written(call, call->dry_run ? 200 : 201, true, json);
}

static struct api_reply delete_revision(struct call *call)
{
	char why[STATE_FILE_TEXT_MAX];
	struct api_reply reply;
	const struct revision *revision = find_revision(call, &reply);
	if (!revision)
		return reply;
	uint64_t id = revision->id;
	if (!call->dry_run) {
		if (!revisions_delete(call->control->revisions, id, why))
			return reply_problem(507, "the revision could not be removed: %s", why);
		tell(call->control->journal, &call->actor,
		     (struct journal_entry){.kind = "revision_deleted", .object = "config"},
		     "saved revision %" PRIu64 " was deleted", id);
	}
	return reply_written(call, 200, true, NULL);
}

/* ---- the way back ---- */

/* Checks the document, and makes it the state. `kind`: of the entry in the journal. */
static struct api_reply apply(struct call *call, const json_t *document, const char *path, uint64_t revision,
                              const char *kind, const char *what)
{
	char before[REVISION_WHAT_MAX];
	struct json_faults faults = {0};
	struct control *control = call->control;
	if (!state_document_check(control, document, path, &faults))
		return reply_faulty(&faults);
	json_t *lines = differences(control, document);
	bool changed = json_array_size(lines) > 0;
	json_t *json = json_pack("{s:o}", "differs", lines);
	snprintf(before, sizeof(before), "before %.150s", what);
	if (changed && !call->dry_run) {
		if (!revisions_before(control, &call->actor, before, true) ||
		    !state_document_apply(control, document, revision)) {
			json_decref(json);
			return reply_not_saved(control);
		}
		tell(control->journal, &call->actor,
		     (struct journal_entry){
		         .kind = kind, .level = JOURNAL_WARNING, .object = "config", .revision = revision},
		     "the operator's state was replaced: %s; %zu difference%s", what, json_array_size(lines),
		     plural(json_array_size(lines)));
	}
	return reply_written(call, 200, changed, json);
}

static struct api_reply post_rollback(struct call *call)
{
	char what[120];
	struct api_reply reply;
	const struct revision *revision = find_revision(call, &reply);
	json_t *state = revision ? load_state(call, revision, &reply) : NULL;
	if (!state)
		return reply;
	snprintf(what, sizeof(what), "rollback to revision %" PRIu64 "%s%.60s", revision->id,
	         revision->name[0] != '\0' ? " " : "", revision->name);
	reply = apply(call, state, "$.state", call->control->state.revision + 1, "rolled_back", what);
	json_decref(state);
	return reply;
}

static struct api_reply get_export(struct call *call)
{
	const struct control *control = call->control;
	return reply_state(control, json_pack("{s:s, s:i, s:I, s:o, s:o}", "format", format_name, "version",
	                                      STATE_DOCUMENT_VERSION, "revision", (json_int_t)control->state.revision,
	                                      "exported_at", view_time(clock_unix_ms()), "state",
	                                      state_document(&control->state, true)));
}

/* Nobody has said anything here yet: the appliance becomes the one that the document is from. */
static bool is_fresh(const struct state *state)
{
	if (state->untouched)
		return true;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (state->clusters[i])
			return false;
	return true;
}

/* The frame around the document. False: `reply`. */
static bool read_frame(const json_t *body, uint64_t *revision, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct reader reader;
	const char *format, *exported_at;
	uint64_t version = 0;
	reader_open(&reader, (json_t *)(uintptr_t)body, &faults, "$");
	if (reader_string(&reader, "format", 100, true, &format) && strcmp(format, format_name) != 0)
		reader_fault(&reader, "format", "\"pointsman-state\"", "is another format");
	if (!reader_number(&reader, "version", 1, STATE_DOCUMENT_VERSION, &version) &&
	    !reader_field(&reader, "version"))
		reader_fault(&reader, "version", "a number", "is missing");
	if (!reader_number(&reader, "revision", 0, revision_max, revision) && !reader_field(&reader, "revision"))
		reader_fault(&reader, "revision", "a number", "is missing");
	reader_string(&reader, "exported_at", 100, false, &exported_at);
	reader_field(&reader, "state");
	reader_close(&reader);
	if (faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

/* Without a frame it is the document that has the revision. False: `reply`. */
static bool read_revision(const json_t *document, uint64_t *revision, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct reader reader;
	reader_open(&reader, (json_t *)(uintptr_t)document, &faults, "$");
	reader_number(&reader, "revision", 0, revision_max, revision);
	if (faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

static struct api_reply post_import(struct call *call)
{
	uint64_t revision = 0;
	struct api_reply reply;
	const struct state *state = &call->control->state;
	json_t *body = call_body(call, &reply);
	if (!body)
		return reply;
	/* A saved form without its frame is one of a state file. */
	bool framed = json_object_get(body, "format") || !json_object_get(body, "clusters");
	if (!(framed ? read_frame : read_revision)(body, &revision, &reply)) {
		json_decref(body);
		return reply;
	}
	if (!is_fresh(state) || revision <= state->revision) /* what differs has another revision */
		revision = state->revision + 1;
	reply = apply(call, framed ? json_object_get(body, "state") : body, framed ? "$.state" : "$", revision,
	              "imported", "import of a saved state");
	json_decref(body);
	return reply;
}

static const struct endpoint endpoints[] = {
    {"/api/v1/revisions", "GET", ROLE_VIEWER, 0, NULL, get_revisions, NULL},
    {"/api/v1/revisions", "POST", ROLE_ADMIN, ENDPOINT_WRITE | ENDPOINT_BODY, NULL, post_revision, NULL},
    {REVISION_PATH, "GET", ROLE_VIEWER, 0, NULL, get_revision, NULL},
    {REVISION_PATH, "DELETE", ROLE_ADMIN, ENDPOINT_WRITE, NULL, delete_revision, NULL},
    {REVISION_PATH "/rollback", "POST", ROLE_ADMIN, ENDPOINT_WRITE, NULL, post_rollback, NULL},
    {"/api/v1/export", "GET", ROLE_ADMIN, 0, NULL, get_export, NULL},
    {"/api/v1/import", "POST", ROLE_ADMIN, ENDPOINT_WRITE | ENDPOINT_BODY | ENDPOINT_LARGE, NULL, post_import, NULL},
};

const struct endpoint_table api_system_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};

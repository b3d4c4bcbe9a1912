/* Saved states of the past: see the header. Each has a file of its own, ID.state; index.state lists them, so that a
 * start need not read them all. A file without a line in the list, or the other way round, is a crash between the two
 * writes: such files are removed, such lines dropped. A file that is not understood (of a newer release) stays. */
#include "control/state/revisions.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/utf8.h"
#include "control/control.h"
#include "control/control_store.h"
#include "control/state/json_text.h"
#include "control/state/state_text.h"
#include "control/observe/tell.h"

enum { REVISIONS_MAX = REVISIONS_AUTOMATIC_MAX + REVISIONS_NAMED_MAX + 1, FILE_NAME_MAX = 40 };

struct revisions {
	char directory[CONTROL_PATH_MAX];
	uint64_t last; /* the last id that was given */
	size_t count;
	struct revision list[REVISIONS_MAX]; /* newest first */
};

/* ---- files ---- */

static const char *path_of(const struct revisions *revisions, const char *name, char path[static CONTROL_PATH_MAX + 40])
{
	snprintf(path, CONTROL_PATH_MAX + FILE_NAME_MAX, "%s/%s.state", revisions->directory, name);
	return path;
}

static const char *path_of_id(const struct revisions *revisions, uint64_t id,
                              char path[static CONTROL_PATH_MAX + FILE_NAME_MAX])
{
	char name[24];
	snprintf(name, sizeof(name), "%" PRIu64, id);
	return path_of(revisions, name, path);
}

static json_t *revision_write(const struct revision *revision)
{
	return json_pack("{s:I, s:I, s:I, s:b, s:s, s:s, s:s, s:s}", "id", (json_int_t)revision->id, "revision",
	                 (json_int_t)revision->revision, "at", (json_int_t)revision->at, "automatic",
	                 revision->automatic, "name", revision->name, "what", revision->what, "by", revision->by,
	                 "reason", revision->reason);
}

static bool revision_read(json_t *value, struct revision *out)
{
	json_int_t id, revision, at;
	int automatic;
	const char *name, *what, *by, *reason;
	*out = (struct revision){0};
	if (json_unpack(value, "{s:I, s:I, s:I, s:b, s:s, s:s, s:s, s:s}", "id", &id, "revision", &revision, "at", &at,
	                "automatic", &automatic, "name", &name, "what", &what, "by", &by, "reason", &reason) != 0 ||
	    id <= 0 || revision < 0)
		return false;
	out->id = (uint64_t)id;
	out->revision = (uint64_t)revision;
	out->at = at;
	out->automatic = automatic;
	utf8_copy(out->name, sizeof(out->name), name);
	utf8_copy(out->what, sizeof(out->what), what);
	utf8_copy(out->by, sizeof(out->by), by);
	utf8_copy(out->reason, sizeof(out->reason), reason);
	return true;
}

static bool write_index(const struct revisions *revisions, char why[static STATE_FILE_TEXT_MAX])
{
	char path[CONTROL_PATH_MAX + FILE_NAME_MAX];
	json_t *array = json_array();
	for (size_t i = 0; i < revisions->count; i++)
		json_array_append_new(array, revision_write(&revisions->list[i]));
	json_t *index = json_pack("{s:I, s:o}", "last", (json_int_t)revisions->last, "revisions", array);
	bool good = state_file_write(path_of(revisions, "index", path), index, true, why);
	json_decref(index);
	return good;
}

/* ---- the list ---- */

/* Newest first; the list is in order but for this one. */
static void insert(struct revisions *revisions, const struct revision *revision)
{
	size_t place = 0;
	if (revisions->count == REVISIONS_MAX)
		return;
	while (place < revisions->count && revisions->list[place].id > revision->id)
		place++;
	memmove(&revisions->list[place + 1], &revisions->list[place],
	        (revisions->count - place) * sizeof(revisions->list[0]));
	revisions->list[place] = *revision;
	revisions->count++;
	if (revision->id > revisions->last)
		revisions->last = revision->id;
}

static void take_out(struct revisions *revisions, size_t place)
{
	revisions->count--;
	memmove(&revisions->list[place], &revisions->list[place + 1],
	        (revisions->count - place) * sizeof(revisions->list[0]));
}

size_t revisions_count(const struct revisions *revisions)
{
	return revisions->count;
}

size_t revisions_named(const struct revisions *revisions)
{
	size_t named = 0;
	for (size_t i = 0; i < revisions->count; i++)
		named += !revisions->list[i].automatic;
	return named;
}

const struct revision *revisions_at(const struct revisions *revisions, size_t index)
{
	return index < revisions->count ? &revisions->list[index] : NULL;
}

const struct revision *revisions_find(const struct revisions *revisions, uint64_t id)
{
	for (size_t i = 0; i < revisions->count; i++)
		if (revisions->list[i].id == id)
			return &revisions->list[i];
	return NULL;
}

/* ---- at start ---- */

/* The number that a file is named by; 0: it is none of these. */
static uint64_t id_of_file(const char *name)
{
	char *end;
	if (name[0] < '1' || name[0] > '9')
		return 0;
	uint64_t id = strtoull(name, &end, 10);
	return strcmp(end, ".state") == 0 ? id : 0;
}

/* From the files themselves, when the list is lost. */
static void read_files(struct revisions *revisions)
{
	struct dirent *file;
	DIR *directory = opendir(revisions->directory);
	while (directory && (file = readdir(directory))) {
		json_t *value;
		struct revision revision;
		char path[CONTROL_PATH_MAX + FILE_NAME_MAX], why[STATE_FILE_TEXT_MAX];
		uint64_t id = id_of_file(file->d_name);
		if (id == 0 || state_file_read(path_of_id(revisions, id, path), &value, why) != STATE_FILE_OK)
			continue;
		if (revision_read(value, &revision) && revision.id == id)
			insert(revisions, &revision);
		json_decref(value);
	}
	if (directory)
		closedir(directory);
}

static void read_index(struct revisions *revisions)
{
	json_t *index;
	char path[CONTROL_PATH_MAX + FILE_NAME_MAX], why[STATE_FILE_TEXT_MAX];
	enum state_file_result result = state_file_read(path_of(revisions, "index", path), &index, why);
	if (result != STATE_FILE_OK) {
		if (result != STATE_FILE_NONE)
			log_warning("%s is not used: %s; the revisions are listed anew", path, why);
		read_files(revisions);
		return;
	}
	const json_t *array = json_object_get(index, "revisions");
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct revision revision;
		if (revision_read(json_array_get(array, i), &revision) &&
		    access(path_of_id(revisions, revision.id, path), R_OK) == 0)
			insert(revisions, &revision);
	}
	uint64_t last = (uint64_t)json_integer_value(json_object_get(index, "last"));
	if (last > revisions->last)
		revisions->last = last;
	json_decref(index);
}

/* Is this one that a crash has left? Not what cannot be read just now, or is of a newer release. */
static bool is_stray(const char *path)
{
	json_t *value;
	char why[STATE_FILE_TEXT_MAX];
	enum state_file_result result = state_file_read(path, &value, why);
	if (result == STATE_FILE_OK)
		json_decref(value);
	return result == STATE_FILE_OK || result == STATE_FILE_BROKEN;
}

static void remove_strays(struct revisions *revisions)
{
	struct dirent *file;
	DIR *directory = opendir(revisions->directory);
	while (directory && (file = readdir(directory))) {
		char path[CONTROL_PATH_MAX + FILE_NAME_MAX];
		uint64_t id = id_of_file(file->d_name);
		if (id == 0 || revisions_find(revisions, id))
			continue;
		if (is_stray(path_of_id(revisions, id, path)))
			unlink(path);
		else if (id > revisions->last)
			revisions->last = id; /* it is not written over */
	}
	if (directory)
		closedir(directory);
}

struct revisions *revisions_open(const char *state_directory)
{
	struct revisions *revisions = calloc(1, sizeof(*revisions));
	if (!revisions)
		abort();
	snprintf(revisions->directory, sizeof(revisions->directory), "%s/revisions", state_directory);
	if (mkdir(revisions->directory, 0700) != 0 && errno != EEXIST)
		log_error("%s cannot be made: %s; no change that needs a saved revision will be possible",
		          revisions->directory, strerror(errno));
	read_index(revisions);
	remove_strays(revisions);
	return revisions;
}

void revisions_close(struct revisions *revisions)
{
	free(revisions);
}

/* ---- keeping ---- */

static void remove_file(const struct revisions *revisions, uint64_t id)
{
	static const char *const suffixes[] = {"", ".previous"};
	char path[CONTROL_PATH_MAX + FILE_NAME_MAX], name[CONTROL_PATH_MAX + FILE_NAME_MAX + 16];
	path_of_id(revisions, id, path);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

/* The oldest automatic ones make room. */
static void prune(struct revisions *revisions)
{
	size_t automatic = revisions->count - revisions_named(revisions);
	for (size_t i = revisions->count; i-- > 0 && automatic > REVISIONS_AUTOMATIC_MAX;) {
		if (!revisions->list[i].automatic)
			continue;
		remove_file(revisions, revisions->list[i].id);
		take_out(revisions, i);
		automatic--;
	}
}

/* The revision and the state as it is. */
static bool write_revision(const struct revisions *revisions, const struct revision *revision,
                           const struct state *state, bool watched, char why[static STATE_FILE_TEXT_MAX])
{
	char path[CONTROL_PATH_MAX + FILE_NAME_MAX];
	struct json_text text = {0};
	size_t len;
	json_t *about = revision_write(revision);
	char *document = state_text(state, NULL, watched ? STATE_DOCUMENT_WATCHED : STATE_DOCUMENT, &len);
	json_text_value(&text, about);
	text.len--; /* the brace */
	json_text_put(&text, ",\"state\":");
	json_text_add(&text, document, len);
	json_text_put(&text, "}");
	bool good =
	    state_file_write_text(path_of_id(revisions, revision->id, path), text.bytes, text.len, true, true, why);
	json_text_free(&text);
	free(document);
	json_decref(about);
	return good;
}

/* 0: `why`. */
static uint64_t keep(struct control *control, struct revision *revision, const struct actor *actor, bool watched,
                     char why[static STATE_FILE_TEXT_MAX])
{
	struct revisions *revisions = control->revisions;
	revision->id = revisions->last + 1;
	revision->revision = control->state.revision;
	revision->at = clock_unix_ms();
	utf8_copy(revision->by, sizeof(revision->by), actor->who ? actor->who : "control");
	if (actor->reason)
		utf8_copy(revision->reason, sizeof(revision->reason), actor->reason);
	if (!write_revision(revisions, revision, &control->state, watched, why))
		return 0;
	insert(revisions, revision);
	prune(revisions);
	if (write_index(revisions, why))
		return revision->id;
	take_out(revisions, 0);
	remove_file(revisions, revision->id);
	return 0;
}

bool revisions_before(struct control *control, const struct actor *actor, const char *what, bool watched)
{
	const struct revisions *revisions = control->revisions;
	const struct revision *newest = revisions_at(revisions, 0);
	struct revision revision = {.automatic = true};
	if (!watched && newest && newest->automatic && newest->revision == control->state.revision)
		return true;
	utf8_copy(revision.what, sizeof(revision.what), what);
	if (keep(control, &revision, actor, watched, control->state_file.why) > 0)
		return true;
	control->state_file.good = false;
	control_not_saved(control);
	return false;
}

uint64_t revisions_save(struct control *control, const struct actor *actor, const char *name,
                        char why[static STATE_FILE_TEXT_MAX])
{
	struct revision revision = {.automatic = false};
	utf8_copy(revision.name, sizeof(revision.name), name);
	uint64_t id = keep(control, &revision, actor, true, why);
	if (id > 0)
		tell(control->journal, actor,
		     (struct journal_entry){
		         .kind = "revision_saved", .object = "config", .revision = control->state.revision},
		     "the present state is saved as revision %" PRIu64 " \"%s\"", id, name);
	return id;
}

json_t *revisions_load(const struct revisions *revisions, uint64_t id, char why[static STATE_FILE_TEXT_MAX])
{
	json_t *file;
	char path[CONTROL_PATH_MAX + FILE_NAME_MAX];
	if (state_file_read(path_of_id(revisions, id, path), &file, why) != STATE_FILE_OK)
		return NULL;
	json_t *state = json_incref(json_object_get(file, "state"));
	if (!state)
		snprintf(why, STATE_FILE_TEXT_MAX, "%s has no state", path);
	json_decref(file);
	return state;
}

bool revisions_delete(struct revisions *revisions, uint64_t id, char why[static STATE_FILE_TEXT_MAX])
{
	const struct revision *found = revisions_find(revisions, id);
	if (!found)
		return true;
	size_t place = (size_t)(found - revisions->list);
	struct revision kept = *found;
	take_out(revisions, place);
	if (!write_index(revisions, why)) {
		insert(revisions, &kept);
		return false;
	}
	remove_file(revisions, id);
	return true;
}

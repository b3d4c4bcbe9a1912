/* The journal: see the header. On disk it is JSON lines, appended as they come and not synced: a line that a crash cuts
 * is skipped by the next start. The file is written anew, with the entries that
 * are still held, at start and when it has twice as many lines. */
#include "control/observe/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/utf8.h"
#include "control/event_loop.h"

enum {
	LINES_MAX = 2 * JOURNAL_MAX,
	OBJECT_MAX = 31,
	CLUSTER_MAX = 127,
	NAME_MAX_LEN = 300,
	REASON_MAX = 200,
	LOG_TEXT_MAX = JOURNAL_TEXT_MAX + JOURNAL_WHO_MAX + REASON_MAX + 80,
};

static const char *const level_names[] = {"info", "warning", "error"};

/* An entry and its texts in one piece of memory. */
struct kept {
	struct journal_entry entry;
	char texts[];
};

struct journal {
	struct kept *ring[JOURNAL_MAX]; /* by id; NULL: none */
	uint64_t last, oldest;
	char path[PATH_MAX]; /* "": memory only */
	int fd;              /* -1: cannot be written */
	size_t lines;        /* in the file */
	bool failing;        /* and that was logged */
	unsigned count_count;
	struct journal_count counts[JOURNAL_COUNTS_MAX];
	void (*added)(void *context, const struct journal_entry *entry);
	void *context;
};

/* ---- memory ---- */

static const char *keep_text(char **at, const char *text, size_t max)
{
	if (!text)
		return NULL;
	char *copy = *at;
	*at += utf8_copy(copy, max + 1, text) + 1;
	return copy;
}

static size_t text_room(const char *text, size_t max)
{
	size_t len = text ? strlen(text) : 0;
	return (len < max ? len : max) + 1;
}

static struct kept *keep(const struct journal_entry *entry)
{
	size_t room = text_room(entry->kind, JOURNAL_KIND_MAX) + text_room(entry->who, JOURNAL_WHO_MAX) +
	              text_room(entry->object, OBJECT_MAX) + text_room(entry->cluster, CLUSTER_MAX) +
	              text_room(entry->name, NAME_MAX_LEN) + text_room(entry->reason, REASON_MAX) +
	              text_room(entry->text, JOURNAL_TEXT_MAX);
	struct kept *kept = malloc(sizeof(*kept) + room);
	if (!kept)
		abort();
	char *at = kept->texts;
	kept->entry = *entry;
	kept->entry.kind = keep_text(&at, entry->kind, JOURNAL_KIND_MAX);
	kept->entry.who = keep_text(&at, entry->who, JOURNAL_WHO_MAX);
	kept->entry.object = keep_text(&at, entry->object, OBJECT_MAX);
	kept->entry.cluster = keep_text(&at, entry->cluster, CLUSTER_MAX);
	kept->entry.name = keep_text(&at, entry->name, NAME_MAX_LEN);
	kept->entry.reason = keep_text(&at, entry->reason, REASON_MAX);
	kept->entry.text = keep_text(&at, entry->text, JOURNAL_TEXT_MAX);
	return kept;
}

static struct kept **place_of(const struct journal *journal, uint64_t id)
{
	return (struct kept **)&journal->ring[id % JOURNAL_MAX];
}

/* The entry has a number above all others. Those between are not there. */
static const struct journal_entry *store(struct journal *journal, const struct journal_entry *entry)
{
	struct kept **place = place_of(journal, entry->id);
	free(*place);
	*place = keep(entry);
	journal->last = entry->id;
	if (journal->oldest == 0)
		journal->oldest = entry->id;
	if (journal->last - journal->oldest >= JOURNAL_MAX)
		journal->oldest = journal->last - JOURNAL_MAX + 1;
	while (!journal_find(journal, journal->oldest))
		journal->oldest++;
	return &(*place)->entry;
}

const struct journal_entry *journal_find(const struct journal *journal, uint64_t id)
{
	const struct kept *kept = *place_of(journal, id);
	return id != 0 && id >= journal->oldest && kept && kept->entry.id == id ? &kept->entry : NULL;
}

uint64_t journal_oldest(const struct journal *journal)
{
	return journal->oldest;
}

uint64_t journal_last(const struct journal *journal)
{
	return journal->last;
}

const struct journal_count *journal_count(const struct journal *journal, unsigned i)
{
	return i < journal->count_count ? &journal->counts[i] : NULL;
}

const char *journal_level_name(enum journal_level level)
{
	return level_names[level];
}

/* ---- the file ---- */

static char *line_of(const struct journal_entry *entry)
{
	json_t *object =
	    json_pack("{s:I, s:I, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:I, s:s*}", "id", (json_int_t)entry->id,
	              "at", (json_int_t)entry->at, "level", level_names[entry->level], "kind", entry->kind, "who",
	              entry->who, "object", entry->object, "cluster", entry->cluster, "name", entry->name, "reason",
	              entry->reason, "revision", (json_int_t)entry->revision, "text", entry->text);
	char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
	if (!line)
		abort();
	json_decref(object);
	return line;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, bytes, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		len -= (size_t)written;
	}
	return true;
}

/* Said once until it works again. */
static void report(struct journal *journal, bool good)
{
	if (!good && !journal->failing)
		log_error("%s cannot be written: %s; events are kept in memory only", journal->path, strerror(errno));
	journal->failing = !good;
}

static bool open_file(struct journal *journal)
{
	if (journal->fd < 0)
		journal->fd = open(journal->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return journal->fd >= 0;
}

static bool append(struct journal *journal, const struct journal_entry *entry)
{
	char *line = line_of(entry);
	size_t len = strlen(line);
	line[len] = '\n'; /* in place of the zero */
	/* What failed may have left half a line. */
	bool good = open_file(journal) && (!journal->failing || write_all(journal->fd, "\n", 1)) &&
	            write_all(journal->fd, line, len + 1);
	free(line);
	journal->lines++;
	return good;
}

/* Writes what is held into a new file, which takes the place of the old one. */
static bool compact(struct journal *journal)
{
	char temporary[PATH_MAX + 4];
	snprintf(temporary, sizeof(temporary), "%s.new", journal->path);
	FILE *file = fopen(temporary, "we");
	bool good = file != NULL;
	size_t lines = 0;
	for (uint64_t id = journal->oldest; good && id != 0 && id <= journal->last; id++) {
		const struct journal_entry *entry = journal_find(journal, id);
		if (!entry)
			continue;
		char *line = line_of(entry);
		good = fprintf(file, "%s\n", line) > 0;
		free(line);
		lines++;
	}
	good = file && fchmod(fileno(file), 0640) == 0 && good;
	good = file && fclose(file) == 0 && good && rename(temporary, journal->path) == 0;
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
	journal->lines = lines;
	return open_file(journal) && good;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* False: not a line of ours, or out of order. */
static bool read_line(struct journal *journal, const char *line, size_t len)
{
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *level = text_of(object, "level");
	struct journal_entry entry = {
	    .id = (uint64_t)json_integer_value(json_object_get(object, "id")),
	    .at = json_integer_value(json_object_get(object, "at")),
	    .revision = (uint64_t)json_integer_value(json_object_get(object, "revision")),
	    .kind = text_of(object, "kind"),
	    .who = text_of(object, "who"),
	    .object = text_of(object, "object"),
	    .cluster = text_of(object, "cluster"),
	    .name = text_of(object, "name"),
	    .reason = text_of(object, "reason"),
	    .text = text_of(object, "text"),
	};
	while (level && entry.level < JOURNAL_ERROR && strcmp(level_names[entry.level], level) != 0)
		entry.level++;
	/* A number that leaves no room for others would end the journal. */
	bool good = entry.id > journal->last && entry.id < INT64_MAX && entry.kind && entry.text && level;
	if (good)
		store(journal, &entry);
	json_decref(object);
	return good;
}

/* Reads the file, and writes it anew: that shortens it, mends it, and shows early whether it can be written. */
static void load(struct journal *journal)
{
	char *line = NULL;
	size_t room = 0, broken = 0;
	ssize_t len;
	FILE *file = fopen(journal->path, "re");
	if (!file && errno != ENOENT)
		log_warning("%s cannot be read: %s; events begin anew", journal->path, strerror(errno));
	while (file && (len = getline(&line, &room, file)) > 0) {
		bool whole = line[len - 1] == '\n';
		broken += !whole || (len > 1 && !read_line(journal, line, (size_t)len));
	}
	free(line);
	if (file)
		fclose(file);
	if (broken > 0)
		log_warning("%s: %zu broken lines were left out", journal->path, broken);
	report(journal, compact(journal));
}

struct journal *journal_open(const char *path)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	if (!journal)
		abort();
	journal->fd = -1;
	if (!path)
		return journal;
	snprintf(journal->path, sizeof(journal->path), "%s", path);
	load(journal);
	return journal;
}

void journal_close(struct journal *journal)
{
	for (size_t i = 0; i < JOURNAL_MAX; i++)
		free(journal->ring[i]);
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal);
}

/* ---- adding ---- */

static struct journal_count *find_count(struct journal *journal, const char *kind, enum journal_level level)
{
	unsigned i = 0;
	while (i < journal->count_count &&
	       (journal->counts[i].level != level || strcmp(journal->counts[i].kind, kind) != 0))
		i++;
	return i < JOURNAL_COUNTS_MAX ? &journal->counts[i] : NULL;
}

static void add_count(struct journal *journal, const char *kind, enum journal_level level)
{
	struct journal_count *count = find_count(journal, kind, level);
	/* Room is kept for "other" at each level. */
	if (!count || (count->count == 0 && journal->count_count >= JOURNAL_COUNTS_MAX - JOURNAL_ERROR - 1)) {
		kind = "other";
		count = find_count(journal, kind, level);
	}
	if (count->count++ > 0)
		return;
	snprintf(count->kind, sizeof(count->kind), "%s", kind);
	count->level = level;
	journal->count_count++;
}

static void write_log(const struct journal_entry *entry)
{
	static const enum log_level levels[] = {LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR};
	char text[LOG_TEXT_MAX], revision[24];
	int len = snprintf(text, sizeof(text), "%s", entry->text);
	if (entry->who)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "; by %s", entry->who);
	if (entry->reason)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " (%s)", entry->reason);
	if (entry->revision > 0)
		snprintf(text + len, sizeof(text) - (size_t)len, "; revision %" PRIu64, entry->revision);
	snprintf(revision, sizeof(revision), "%" PRIu64, entry->revision);
	const struct log_field fields[] = {
	    {"kind", entry->kind, false},
	    {"who", entry->who ? entry->who : "control", false},
	    {"object", entry->object, false},
	    {"cluster", entry->cluster, false},
	    {"name", entry->name, false},
	    {"reason", entry->reason, false},
	    {"revision", entry->revision > 0 ? revision : NULL, true},
	};
	log_fields(levels[entry->level], text, fields, sizeof(fields) / sizeof(fields[0]));
}

void journal_add(struct journal *journal, const struct journal_entry *entry)
{
	struct journal_entry numbered = *entry;
	numbered.id = journal->last + 1;
	numbered.at = clock_unix_ms();
	const struct journal_entry *kept = store(journal, &numbered);
	add_count(journal, kept->kind, kept->level);
	write_log(kept);
	if (journal->path[0] != '\0')
		report(journal, journal->lines < LINES_MAX ? append(journal, kept) : compact(journal));
	if (journal->added)
		journal->added(journal->context, kept);
}

void journal_listen(struct journal *journal, void (*added)(void *context, const struct journal_entry *entry),
                    void *context)
{
	journal->added = added;
	journal->context = context;
}

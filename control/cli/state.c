/* How the states of clusters and router hosts are told to people: see the header. */
#include "control/cli/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/fields.h"
#include "control/cli/units.h"

enum tone state_tone(const char *state)
{
	static const struct {
		const char *state;
		enum tone tone;
	} tones[] = {
	    {"active", TONE_GOOD}, {"enabled", TONE_GOOD}, {"up", TONE_GOOD},           {"healthy", TONE_GOOD},
	    {"ready", TONE_GOOD},  {"staged", TONE_WARN},  {"draining", TONE_WARN},     {"disabled", TONE_WARN},
	    {"parked", TONE_WARN}, {"offline", TONE_BAD},  {"down", TONE_BAD},          {"unhealthy", TONE_BAD},
	    {"absent", TONE_BAD},  {"gone", TONE_DIM},     {"misconfigured", TONE_BAD},
	};
	for (size_t i = 0; i < sizeof(tones) / sizeof(tones[0]); i++)
		if (strcmp(tones[i].state, state) == 0)
			return tones[i].tone;
	return TONE_PLAIN;
}

enum tone state_hosts_tone(const json_t *cluster)
{
	int64_t healthy = field_int(cluster, "healthy_hosts"), all = field_int(cluster, "hosts");
	if (healthy == 0)
		return TONE_BAD;
	return healthy < all ? TONE_WARN : TONE_GOOD;
}

const char *state_host_mode(const json_t *host)
{
	const char *admin = field_text(host, "admin");
	return admin[0] != '\0' && strcmp(admin, "enabled") != 0 ? admin : field_text(host, "state");
}

/* Notes are put together with "; " between them. */
struct notes {
	FILE *out;
	char *text;
	size_t size;
	bool some;
};

static void notes_begin(struct notes *notes)
{
	*notes = (struct notes){0};
	notes->out = open_memstream(&notes->text, &notes->size);
	if (!notes->out)
		abort();
}

static void note(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct notes *notes, const char *format, ...)
{
	va_list list;
	if (notes->some)
		fputs("; ", notes->out);
	notes->some = true;
	va_start(list, format);
	vfprintf(notes->out, format, list);
	va_end(list);
}

static char *notes_end(struct notes *notes)
{
	if (fclose(notes->out) != 0)
		abort();
	return notes->text;
}

/* {since, deadline, by, reason} */
static void note_drain(struct notes *notes, const json_t *drain)
{
	char text[UNITS_TEXT_MAX];
	int64_t deadline = field_time(drain, "deadline");
	const char *reason = field_text(drain, "reason"), *by = field_text(drain, "by");
	if (!drain)
		return;
	int64_t rest = deadline / 1000 - (int64_t)time(NULL);
	if (deadline >= 0 && rest > 0)
		note(notes, "rest closed in %s", duration_format(rest, text));
	else if (deadline >= 0)
		note(notes, "its time is over");
	if (by[0] != '\0' || reason[0] != '\0')
		note(notes, "by %s%s%s", by, reason[0] != '\0' ? ": " : "", reason);
}

static void note_watches(struct notes *notes, const json_t *cluster)
{
	size_t i, failing = 0;
	const json_t *watch;
	json_array_foreach(field(cluster, "watches"), i, watch)
	{
		failing += field_true(watch, "failing");
	}

	if (failing > 0)
		note(notes, "its API fails");
	else if (field_true(cluster, "stale"))
		note(notes, "not listed since the start");
}

char *state_cluster_notes(const json_t *cluster)
{
	struct notes notes;
	notes_begin(&notes);
	int64_t warnings = (int64_t)json_array_size(field(cluster, "warnings")) + field_int(cluster, "more_warnings");
	note_drain(&notes, field(cluster, "drain"));
	note_watches(&notes, cluster);
	if (field_int(cluster, "held") > 0)
		note(&notes, "%lld held", (long long)field_int(cluster, "held"));
	if (field_true(cluster, "insecure"))
		note(&notes, "API's certificate is not checked");
	if (warnings > 0)
		note(&notes, "%lld warning%s", (long long)warnings, warnings == 1 ? "" : "s");
	return notes_end(&notes);
}

char *state_host_notes(const json_t *host)
{
	struct notes notes;
	notes_begin(&notes);
	note_drain(&notes, field(host, "drain"));
	if (!field_true(host, "healthy"))
		note(&notes, "%s", field_text(host, "health.reason"));
	if (field(host, "held"))
		note(&notes, "held: %s", field_text(host, "held.reason"));
	if (field_text(host, "why")[0] != '\0')
		note(&notes, "%s", field_text(host, "why"));
	return notes_end(&notes);
}

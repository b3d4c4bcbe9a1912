/* What overrides were before: see the header. Of each route one line is saved, "0=75.5 1=- 2=-p": on cluster 0 an
 * override of 75.5, on 1 none, on 2 none and parked. */
#include "control/state/rollback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "control/state/hundredths.h"
#include "control/state/names.h"

/* As UTF-8, which alone can be saved. */
static char *copy(const char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;
	char *result = text ? malloc(size) : NULL;
	if (text && !result)
		abort();
	if (text)
		utf8_copy(result, size, text);
	return result;
}

struct rollback_change *rollback_change_create(uint64_t revision, int64_t at, const struct actor *actor)
{
	struct rollback_change *change = malloc(sizeof(*change));
	if (!change)
		abort();
	*change = (struct rollback_change){
	    .users = 1, .revision = revision, .at = at, .by = copy(actor->who), .reason = copy(actor->reason)};
	return change;
}

void rollback_change_release(struct rollback_change *change)
{
	if (--change->users > 0)
		return;
	free(change->by);
	free(change->reason);
	free(change);
}

static struct rollback *allocate(struct rollback_change *change, unsigned room)
{
	struct rollback *rollback = malloc(sizeof(*rollback) + room * sizeof(rollback->entries[0]));
	if (!rollback)
		abort();
	*rollback = (struct rollback){.change = change};
	change->users++;
	return rollback;
}

struct rollback *rollback_make(const struct name *name, struct rollback_change *change)
{
	struct rollback *rollback = allocate(change, name->pair_count);
	for (unsigned i = 0; i < name->pair_count; i++) {
		const struct pair *pair = &name->pairs[i];
		rollback->entries[rollback->count++] = (struct rollback_entry){
		    pair->cluster, pair->overridden ? (int16_t)pair->override : -1, pair->parked};
	}
	return rollback;
}

void rollback_free(struct rollback *rollback)
{
	if (!rollback)
		return;
	rollback_change_release(rollback->change);
	free(rollback);
}

void rollback_forget_cluster(struct name *name, uint16_t cluster)
{
	struct rollback *rollback = name->rollback;
	for (unsigned i = 0; rollback && i < rollback->count; i++) {
		struct rollback_entry *entry = &rollback->entries[i];
		if (entry->cluster != cluster)
			continue;
		rollback->count--;
		memmove(entry, entry + 1, (rollback->count - i) * sizeof(*entry));
		break;
	}
	if (rollback && rollback->count == 0) {
		rollback_free(rollback);
		name->rollback = NULL;
	}
}

/* ---- saved ---- */

static void write_route(struct json_text *routes, const struct name *name)
{
	char weight[HUNDREDTHS_TEXT_MAX];
	json_text_put(routes, routes->len > 0 ? ",\n" : "\n");
	json_text_host(routes, &name->host, name->wildcard);
	json_text_put(routes, ":\"");
	for (unsigned i = 0; i < name->rollback->count; i++) {
		const struct rollback_entry *entry = &name->rollback->entries[i];
		json_text_format(routes, "%s%u=%s%s", i > 0 ? " " : "", entry->cluster,
		                 entry->weight < 0 ? "-" : hundredths_text((unsigned)entry->weight, weight),
		                 entry->parked ? "p" : "");
	}
	json_text_put(routes, "\"");
}

void rollback_gather(struct rollback_gathered *gathered, const struct name *name)
{
	struct rollback_change *change = name->rollback ? name->rollback->change : NULL;
	if (!change)
		return;
	if (change->saved.len == 0) {
		*(gathered->last ? &gathered->last->next : &gathered->first) = change;
		gathered->last = change;
	}
	write_route(&change->saved, name);
}

void rollback_forget_gathered(struct rollback_gathered *gathered)
{
	for (struct rollback_change *change = gathered->first, *next; change; change = next) {
		next = change->next;
		change->next = NULL;
		json_text_free(&change->saved);
	}
	*gathered = (struct rollback_gathered){0};
}

static void write_change(struct json_text *text, const struct rollback_change *change)
{
	json_t *about = json_pack("{s:I, s:I, s:s, s:s*}", "revision", (json_int_t)change->revision, "at",
	                          (json_int_t)change->at, "by", change->by, "reason", change->reason);
	json_text_value(text, about);
	json_decref(about);
	text->len--; /* the brace */
	json_text_put(text, ",\"routes\":{");
	json_text_add(text, change->saved.bytes, change->saved.len);
	json_text_put(text, "}}");
}

void rollback_write(struct json_text *text, const struct rollback_gathered *gathered)
{
	if (!gathered->first)
		return;
	json_text_put(text, ",\"rollbacks\":[");
	for (const struct rollback_change *change = gathered->first; change; change = change->next) {
		json_text_put(text, change != gathered->first ? ",\n" : "\n");
		write_change(text, change);
	}
	json_text_put(text, "]");
}

/* The next entry of the line; false: there is none that is right. */
static bool read_entry(const char **at, struct rollback_entry *entry)
{
	char *end;
	unsigned long cluster = strtoul(*at, &end, 10);
	if (end == *at || *end++ != '=' || cluster >= CLUSTERS_MAX)
		return false;
	*entry = (struct rollback_entry){.cluster = (uint16_t)cluster, .weight = -1};
	if (*end == '-') {
		end++;
	} else {
		char *behind;
		double weight = strtod(end, &behind);
		if (behind == end || !(weight >= 0 && weight <= 100))
			return false;
		entry->weight = (int16_t)(weight * HUNDREDTHS + 0.5);
		end = behind;
	}
	entry->parked = *end == 'p';
	end += entry->parked;
	*at = end + strspn(end, " ");
	return *end == ' ' || *end == '\0';
}

static void read_route(struct names *names, const char *host_text, const char *line, uint64_t clusters,
                       struct rollback_change *change)
{
	struct hostname host;
	bool wildcard;
	struct rollback_entry entry;
	if (!line || !name_parse(host_text, &host, &wildcard))
		return;
	struct rollback *rollback = allocate(change, CLUSTERS_MAX);
	while (*line != '\0' && rollback->count < CLUSTERS_MAX && read_entry(&line, &entry))
		if (clusters >> entry.cluster & 1)
			rollback->entries[rollback->count++] = entry;
	if (*line != '\0' || rollback->count == 0) {
		rollback_free(rollback);
		return;
	}
	struct name *name = names_add(names, &host, wildcard);
	rollback_free(name->rollback);
	name->rollback = realloc(rollback, sizeof(*rollback) + rollback->count * sizeof(entry));
	if (!name->rollback)
		abort();
}

static void read_change(struct names *names, json_t *value, uint64_t clusters)
{
	json_int_t revision, at;
	const char *host, *reason = NULL;
	struct actor actor = {0};
	json_t *routes, *line;
	if (json_unpack(value, "{s:I, s:I, s:s, s?s, s:o}", "revision", &revision, "at", &at, "by", &actor.who,
	                "reason", &reason, "routes", &routes) != 0)
		return;
	actor.reason = reason;
	struct rollback_change *change = rollback_change_create((uint64_t)revision, at, &actor);
	json_object_foreach(routes, host, line)
	{
		read_route(names, host, json_string_value(line), clusters, change);
	}
	rollback_change_release(change);
}

void rollback_read(struct reader *reader, struct names *names, uint64_t clusters)
{
	size_t i;
	json_t *value;
	json_array_foreach(reader_field(reader, "rollbacks"), i, value)
	{
		read_change(names, value, clusters);
	}
}

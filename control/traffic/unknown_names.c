/* Names that were refused: see the header. */
#include "control/traffic/unknown_names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/siphash.h"

/* What is looked at for every record stands close together. */
struct key {
	uint64_t hash, source;
	uint64_t used; /* in the order of use */
};

struct unknown_names {
	size_t count;
	uint64_t total, left_out, uses;
	struct key keys[UNKNOWN_NAMES_MAX];
	struct unknown_name entries[UNKNOWN_NAMES_MAX]; /* the same order */
};

enum { NONE = UNKNOWN_NAMES_MAX };

struct unknown_names *unknown_names_create(void)
{
	struct unknown_names *names = calloc(1, sizeof(*names));
	if (!names)
		abort();
	return names;
}

void unknown_names_free(struct unknown_names *names)
{
	free(names);
}

static uint64_t hash_of(const struct record_connection *connection, const char *listener)
{
	static const struct siphash_key key = {0x756e6b6e6f776e20, 0x6e616d65732e2e2e};
	const struct siphash_key mixed = {siphash(&key, listener, strlen(listener)), connection->why};
	return siphash(&mixed, connection->name.text, connection->name.len);
}

static uint64_t source_of(const struct address *client)
{
	return address_is_v4(client) ? ntohl(address_v4(client)) >> 8 : client->halves[0];
}

static bool is_of(const struct unknown_name *entry, const struct record_connection *connection, const char *listener)
{
	return entry->why == connection->why && strcmp(entry->listener, listener) == 0 &&
	       entry->name.len == connection->name.len &&
	       memcmp(entry->name.text, connection->name.text, entry->name.len) == 0;
}

/* A connection, and what it is found by. */
struct refused {
	const struct record_connection *connection;
	const char *listener;
	uint64_t hash, source;
};

/* The place of the entry, or NONE; then `*place` is where a new one goes: behind the others or instead of an old one.
 */
static size_t find(const struct unknown_names *names, const struct refused *refused, size_t *place)
{
	size_t oldest = NONE, oldest_of_source = NONE, of_source = 0;
	for (size_t i = 0; i < names->count; i++) {
		const struct key *key = &names->keys[i];
		if (key->hash == refused->hash && is_of(&names->entries[i], refused->connection, refused->listener))
			return i;
		if (oldest == NONE || key->used < names->keys[oldest].used)
			oldest = i;
		if (key->source != refused->source)
			continue;
		of_source++;
		if (oldest_of_source == NONE || key->used < names->keys[oldest_of_source].used)
			oldest_of_source = i;
	}
	if (of_source >= UNKNOWN_NAMES_OF_SOURCE)
		*place = oldest_of_source;
	else
		*place = names->count < UNKNOWN_NAMES_MAX ? names->count : oldest;
	return NONE;
}

static void begin(struct unknown_names *names, size_t place, const struct refused *refused, int64_t at)
{
	struct unknown_name *entry = &names->entries[place];
	if (place == names->count)
		names->count++;
	else
		names->left_out += entry->count;
	*entry = (struct unknown_name){
	    .name = refused->connection->name, .why = (enum record_why)refused->connection->why, .first_at = at};
	snprintf(entry->listener, sizeof(entry->listener), "%s", refused->listener);
	names->keys[place].hash = refused->hash;
	names->keys[place].source = refused->source;
}

void unknown_names_take(struct unknown_names *names, const struct record_connection *connection, const char *listener,
                        int64_t at)
{
	size_t place = 0;
	const struct refused refused = {connection, listener, hash_of(connection, listener),
	                                source_of(&connection->client)};
	size_t found = find(names, &refused, &place);
	if (found == NONE) {
		found = place;
		begin(names, found, &refused, at);
	}
	struct unknown_name *entry = &names->entries[found];
	entry->count++;
	entry->last_at = at;
	entry->last_client = connection->client;
	names->keys[found].used = ++names->uses;
	names->total++;
}

size_t unknown_names_count(const struct unknown_names *names)
{
	return names->count;
}

uint64_t unknown_names_left_out(const struct unknown_names *names)
{
	return names->left_out;
}

uint64_t unknown_names_total(const struct unknown_names *names)
{
	return names->total;
}

static int newest_first(const void *a, const void *b, void *context)
{
	const struct unknown_names *names = context;
	const struct unknown_name *const *x = a, *const *y = b;
	uint64_t used_x = names->keys[*x - names->entries].used, used_y = names->keys[*y - names->entries].used;
	return (used_x < used_y) - (used_x > used_y);
}

const struct unknown_name **unknown_names_sorted(const struct unknown_names *names, size_t *count)
{
	const struct unknown_name **sorted = calloc(names->count + 1, sizeof(*sorted));
	if (!sorted)
		abort();
	for (size_t i = 0; i < names->count; i++)
		sorted[i] = &names->entries[i];
	qsort_r(sorted, names->count, sizeof(*sorted), newest_first, (void *)names);
	*count = names->count;
	return sorted;
}

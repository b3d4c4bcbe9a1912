/* The names that were asked for and refused: the last ones, each with how often, when, and by whom, for the people who
 * look for a forgotten route or a scanner. A name, the reason and the listener together are one entry. Bounded, also
 * for each source network, so that one scanner cannot push out what others asked for. Pure memory; one thread. */
#ifndef PM_UNKNOWN_NAMES_H
#define PM_UNKNOWN_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/config.h"
#include "common/hostname.h"
#include "common/record.h"

enum {
	UNKNOWN_NAMES_MAX = 1000,
	UNKNOWN_NAMES_OF_SOURCE = 100, /* entries that one source network began: IPv4 /24, IPv6 /64 */
};

struct unknown_name {
	struct hostname name; /* len 0: none was given, or it was not readable */
	enum record_why why;
	char listener[CONFIG_NAME_MAX + 1];
	uint64_t count;
	int64_t first_at, last_at; /* Unix ms */
	struct address last_client;
};

struct unknown_names;

struct unknown_names *unknown_names_create(void);
void unknown_names_free(struct unknown_names *names);

/* A connection that was refused by the listener of that name. A new entry takes the place of the one of its network
 * that is out of use longest if that has UNKNOWN_NAMES_OF_SOURCE, else of all. */
void unknown_names_take(struct unknown_names *names, const struct record_connection *connection, const char *listener,
                        int64_t at);

size_t unknown_names_count(const struct unknown_names *names);
/* Refused connections that are in no entry any more: with them, the counts of all entries make up all of them. */
uint64_t unknown_names_left_out(const struct unknown_names *names);
/* All refused connections. */
uint64_t unknown_names_total(const struct unknown_names *names);
/* The entries, newest first. Free the array; its elements are valid until the next unknown_names_take. */
const struct unknown_name **unknown_names_sorted(const struct unknown_names *names, size_t *count);

#endif

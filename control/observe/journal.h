/* The journal: everything that has changed the state or that an operator should know, in order, each with a number:
 * who, what, why, when. Shown as "events" by the API, the page and the log. Keeps the last JOURNAL_MAX entries, also
 * over restarts. One thread. */
#ifndef PM_JOURNAL_H
#define PM_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JOURNAL_MAX = 10000, JOURNAL_KIND_MAX = 31, JOURNAL_WHO_MAX = 127, JOURNAL_TEXT_MAX = 600 };

enum journal_level { JOURNAL_INFO, JOURNAL_WARNING, JOURNAL_ERROR };

/* One entry. Texts that are NULL are absent; journal_add copies what it is given. */
struct journal_entry {
	uint64_t id; /* 1 up; set by journal_add */
	int64_t at;  /* Unix ms; set by journal_add */
	enum journal_level level;
	const char *kind;    /* "weight_set": a word of its own for each sort of event, see docs/api.md */
	const char *who;     /* "anna@192.0.2.7"; NULL: control itself */
	const char *object;  /* "cluster", "host", "route", "control", "dataplane", "token", "connections", "config" */
	const char *cluster; /* of the object */
	const char *name;    /* of the object, beside its cluster */
	const char *reason;  /* given by `who` */
	uint64_t revision;   /* that the change made; 0: none */
	const char *text;    /* one line for people */
};

struct journal;

/* Reads what the file has (it need not exist); NULL path: memory only. Never NULL. */
struct journal *journal_open(const char *path);
void journal_close(struct journal *journal);

/* Adds an entry, writes its line to the log, and tells the listener. */
void journal_add(struct journal *journal, const struct journal_entry *entry);
/* Called with each new entry. One listener. */
void journal_listen(struct journal *journal, void (*added)(void *context, const struct journal_entry *entry),
                    void *context);

/* Entries by number, from journal_oldest to journal_last (0: none); NULL: there is no such one (any more). Valid until
 * the next journal_add. */
const struct journal_entry *journal_find(const struct journal *journal, uint64_t id);
uint64_t journal_oldest(const struct journal *journal);
uint64_t journal_last(const struct journal *journal);

/* How many entries of a kind and level were added since journal_open. Kinds beyond JOURNAL_COUNTS_MAX are
 * counted together as "other". */
enum { JOURNAL_COUNTS_MAX = 200 };
struct journal_count {
	char kind[JOURNAL_KIND_MAX + 1];
	enum journal_level level;
	uint64_t count;
};
/* `i` from 0 on, in no order; NULL: there are no more. */
const struct journal_count *journal_count(const struct journal *journal, unsigned i);
/* "warning" */
const char *journal_level_name(enum journal_level level);

#endif

/* Reads JSON objects field by field and collects what is wrong with them: every error at once, each with its JSON
 * path, a reason and the expected form. Used for the configuration file, for clusters and for request bodies.
 * Knows no meaning of any field. */
#ifndef PM_JSON_READER_H
#define PM_JSON_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_fault {
	char *path;     /* "$.listeners[0].port" */
	char *reason;   /* "70000 is out of range" */
	char *expected; /* "a number from 1 to 65535" */
};

enum { JSON_FAULTS_MAX = 100 };

/* At most JSON_FAULTS_MAX are kept, the rest is counted in `more`. Starts as all zero. */
struct json_faults {
	size_t count, more;
	struct json_fault *list; /* owned */
};

__attribute__((format(printf, 4, 5))) void json_faults_add(struct json_faults *faults, const char *path,
                                                           const char *expected, const char *reason, ...);
void json_faults_free(struct json_faults *faults);

/* Parses a text that must be an object. NULL with one fault: its path is "$", its reason names line and column. The
 * caller owns the result. Double keys are refused. */
json_t *json_text_parse(const char *text, size_t len, struct json_faults *faults);

enum { READER_PATH_MAX = 256, READER_FIELDS_MAX = 24, READER_TEXT_MAX = 100 };

/* One object that is being read. Every field that is asked for counts as known; reader_close reports the others. */
struct reader {
	json_t *object; /* borrowed; NULL: absent or no object, so every field is absent */
	struct json_faults *faults;
	char path[READER_PATH_MAX];
	unsigned known_count;
	const char *known[READER_FIELDS_MAX];
};

/* Begins with `value`, which lies at the path. NULL is an absent object and no fault; what is no object is one. */
__attribute__((format(printf, 4, 5))) void reader_open(struct reader *reader, json_t *value, struct json_faults *faults,
                                                       const char *path, ...);
/* Reports the fields that nobody asked for, each with the nearest known name. */
void reader_close(struct reader *reader);

/* The field as it is, or NULL. Borrowed. */
json_t *reader_field(struct reader *reader, const char *name);
/* The readers below leave `*out` alone and return false if the field is absent or wrong; only the latter (and an
 * absent required one) is a fault. */
bool reader_number(struct reader *reader, const char *name, uint64_t min, uint64_t max, uint64_t *out);
bool reader_bool(struct reader *reader, const char *name, bool *out);
/* A string of 1 to max_len bytes; borrowed from the object. */
bool reader_string(struct reader *reader, const char *name, size_t max_len, bool required, const char **out);
/* One of `choices`, which end with NULL: its index. */
bool reader_choice(struct reader *reader, const char *name, const char *const *choices, bool required, int *out);
/* An array with min to max elements, or NULL. `what` names the elements in messages. Absent is a fault if min > 0. */
json_t *reader_array(struct reader *reader, const char *name, size_t min, size_t max, const char *what);

/* A fault at a field of this object. */
__attribute__((format(printf, 4, 5))) void reader_fault(struct reader *reader, const char *name, const char *expected,
                                                        const char *reason, ...);

/* What a value is, for messages: "a string", "null", ... */
const char *json_kind(const json_t *value);
/* Text for a message: in quotes, shortened, all but printable ASCII replaced. It may come from anywhere. */
const char *json_quote(const char *value, char text[static READER_TEXT_MAX]);

#endif

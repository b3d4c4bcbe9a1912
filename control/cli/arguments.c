/* The command line: see the header. */
#include "control/cli/arguments.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { DISTANCE_MAX = 3, NAME_MAX_LEN = 63 };

struct parser {
	struct arguments *out;
	const struct command *commands;
	size_t count;
	char *error;
	int argc;
	char **argv;
};

bool choices_are(const char *list)
{
	if (!strchr(list, '|'))
		return false;
	for (; *list != '\0'; list++)
		if (isupper((unsigned char)*list))
			return false;
	return true;
}

bool choices_have(const char *list, const char *word)
{
	size_t len = strlen(word);
	while (list) {
		size_t part = strcspn(list, "|");
		if (part == len && strncmp(list, word, len) == 0)
			return true;
		list = list[part] == '|' ? list + part + 1 : NULL;
	}
	return false;
}

bool command_takes(const struct command *command, enum option option)
{
	if (option < OPTIONS_GLOBAL)
		return true;
	if (option < OPTIONS_WRITE && command->writes)
		return true;
	for (const enum option *own = command->options; own && *own != OPTIONS_END; own++)
		if (*own == option)
			return true;
	return false;
}

/* ---- what was meant ---- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Changes of one letter from `a` to `b` (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], len = strnlen(b, NAME_MAX_LEN);
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t above = row[j + 1];
			row[j + 1] = least(diagonal + (a[i] != b[j]), least(above, row[j]) + 1);
			diagonal = above;
		}
	}
	return row[len];
}

/* Keeps the nearest of the names that are offered. */
struct guess {
	const char *wanted, *nearest;
	size_t distance;
};

static void offer(struct guess *guess, const char *name)
{
	size_t d = distance(guess->wanted, name);
	if (d < guess->distance && d < strlen(name)) {
		guess->distance = d;
		guess->nearest = name;
	}
}

static bool unknown_option(struct parser *parser, const char *given, const char *name)
{
	const struct command *command = parser->out->command;
	struct guess guess = {.wanted = name, .distance = DISTANCE_MAX};
	for (enum option i = 0; i < OPTIONS_END; i++)
		if (command ? command_takes(command, i) : i < OPTIONS_GLOBAL)
			offer(&guess, option_specs[i].name);
	int len = snprintf(parser->error, ARGUMENTS_ERROR_MAX, "unknown option %.100s%s%s", given,
	                   command ? " of " : " before the command", command ? command->words : "");
	if (guess.nearest)
		snprintf(parser->error + len, (size_t)(ARGUMENTS_ERROR_MAX - len), "; did you mean --%s?",
		         guess.nearest);
	else
		snprintf(parser->error + len, (size_t)(ARGUMENTS_ERROR_MAX - len), "; see pointsman %s%s--help",
		         command ? command->words : "", command ? " " : "");
	return false;
}

/* ---- the command ---- */

/* Do the words of the command begin so? `whole`: are they exactly these? */
static bool begins(const struct command *command, const char *words, bool *whole)
{
	size_t len = strlen(words);
	*whole = strcmp(command->words, words) == 0;
	return *whole || (strncmp(command->words, words, len) == 0 && command->words[len] == ' ');
}

/* Some command begins so; `*exact` is the one with exactly these words, or NULL. */
static bool find(const struct parser *parser, const char *words, const struct command **exact)
{
	bool found = false, whole;
	*exact = NULL;
	for (size_t i = 0; i < parser->count; i++) {
		if (!begins(&parser->commands[i], words, &whole))
			continue;
		found = true;
		if (whole)
			*exact = &parser->commands[i];
	}
	return found;
}

/* What may follow `words` ("" for the first word) in a command, each once. */
static void each_next(const struct parser *parser, const char *words, void (*see)(void *context, const char *word),
                      void *context)
{
	char last[WORDS_MAX] = "";
	size_t skip = words[0] != '\0' ? strlen(words) + 1 : 0;
	for (size_t i = 0; i < parser->count; i++) {
		bool whole;
		if (skip > 0 && (!begins(&parser->commands[i], words, &whole) || whole))
			continue;
		char word[WORDS_MAX];
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(parser->commands[i].words + skip, " "),
		         parser->commands[i].words + skip);
		if (strcmp(word, last) != 0)
			see(context, word);
		strcpy(last, word);
	}
}

struct next_words {
	struct guess guess;
	char nearest[WORDS_MAX], list[ARGUMENTS_ERROR_MAX / 2];
};

static void see_next(void *context, const char *word)
{
	struct next_words *next = context;
	size_t used = strlen(next->list);
	snprintf(next->list + used, sizeof(next->list) - used, "%s%s", used > 0 ? ", " : "", word);
	next->guess.nearest = NULL;
	offer(&next->guess, word);
	if (next->guess.nearest)
		snprintf(next->nearest, sizeof(next->nearest), "%s", word);
}

static bool unknown_command(struct parser *parser, const char *words, const char *word)
{
	struct next_words next = {.guess = {.wanted = word, .distance = DISTANCE_MAX}};
	each_next(parser, words, see_next, &next);
	if (next.nearest[0] != '\0')
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "unknown command %s%s%.80s; did you mean %s?", words,
		         words[0] != '\0' ? " " : "", word, next.nearest);
	else if (words[0] != '\0')
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "unknown command %s %.80s; expected one of: %s", words,
		         word, next.list);
	else
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "unknown command %.80s; see pointsman --help", word);
	return false;
}

static bool missing_word(struct parser *parser, const char *words)
{
	struct next_words next = {.guess = {.wanted = "", .distance = 0}};
	each_next(parser, words, see_next, &next);
	snprintf(parser->error, ARGUMENTS_ERROR_MAX, "%s needs one of: %s", words, next.list);
	return false;
}

/* ---- options ---- */

/* The option that is meant by "--name", "--name=value" or "-n", whatever the command: all with one name are alike in
 * whether an argument follows. OPTIONS_END: none. */
static enum option any_of(const char *given, size_t len)
{
	for (enum option i = 0; i < OPTIONS_END; i++) {
		const struct option_spec *spec = &option_specs[i];
		if (len == 2 && given[1] != '-'
		        ? spec->letter == given[1] && spec->letter != '\0'
		        : strlen(spec->name) == len - 2 && strncmp(spec->name, given + 2, len - 2) == 0)
			return i;
	}
	return OPTIONS_END;
}

/* The same among those that the command takes. Behind the command its own ones come first, in front of it those of
 * every command. */
static enum option own_of(const struct command *command, const char *name, bool behind)
{
	enum option found = OPTIONS_END;
	for (enum option i = 0; i < OPTIONS_END; i++) {
		bool taken = command ? command_takes(command, i) : i < OPTIONS_GLOBAL;
		if (taken && strcmp(option_specs[i].name, name) == 0 && (found == OPTIONS_END || behind))
			found = i;
	}
	return found;
}

static bool is_option(const char *argument)
{
	return argument[0] == '-' && argument[1] != '\0';
}

/* Passes over the options and finds the command and where its last word stands. */
static bool find_command(struct parser *parser, char *words, int *last)
{
	const struct command *exact = NULL;
	*last = 0;
	for (int i = 1; i < parser->argc; i++) {
		char longer[WORDS_MAX];
		const char *argument = parser->argv[i];
		if (is_option(argument)) {
			enum option option = any_of(argument, strcspn(argument, "="));
			if (option != OPTIONS_END && option_specs[option].argument && !strchr(argument, '='))
				i++;
			continue;
		}
		snprintf(longer, sizeof(longer), "%s%s%.40s", words, words[0] != '\0' ? " " : "", argument);
		if (!find(parser, longer, &exact)) {
			find(parser, words, &exact);
			if (words[0] == '\0' || !exact)
				return unknown_command(parser, words, argument);
			break;
		}
		strcpy(words, longer);
		*last = i;
	}
	parser->out->command = exact;
	return true;
}

static bool take_option(struct parser *parser, bool behind, int *index)
{
	char name[NAME_MAX_LEN + 1];
	const char *argument = parser->argv[*index], *value = strchr(argument, '=');
	size_t len = value ? (size_t)(value - argument) : strlen(argument);
	enum option any = any_of(argument, len);
	snprintf(name, sizeof(name), "%.*s", (int)(len > 2 ? len - 2 : 0), argument + 2);
	enum option option = any == OPTIONS_END ? any : own_of(parser->out->command, option_specs[any].name, behind);
	if (option == OPTIONS_END)
		return unknown_option(parser, argument, any == OPTIONS_END ? name : option_specs[any].name);
	const struct option_spec *spec = &option_specs[option];
	if (!spec->argument && value) {
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "--%s takes no value", spec->name);
		return false;
	}
	if (spec->argument && !value && *index + 1 >= parser->argc) {
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "--%s needs a value: --%s %s", spec->name, spec->name,
		         spec->argument);
		return false;
	}
	const char *given = !spec->argument ? "" : value ? value + 1 : parser->argv[++*index];
	if (spec->argument && choices_are(spec->argument) && !choices_have(spec->argument, given)) {
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "--%s %.80s: expected %s", spec->name, given,
		         spec->argument);
		return false;
	}
	parser->out->options[option] = given;
	return true;
}

/* ---- what follows the command ---- */

static bool check_words(struct parser *parser)
{
	const struct command *command = parser->out->command;
	const char *spec = command->arguments;
	size_t least_words = 0, most = 0;
	for (; *spec != '\0'; spec += strspn(spec, " ")) {
		size_t len = strcspn(spec, " ");
		least_words += spec[0] != '[';
		most = len > 3 && memmem(spec, len, "...", 3) ? ARGUMENTS_MAX : most + 1;
		spec += len;
	}
	if (parser->out->word_count >= least_words && parser->out->word_count <= most)
		return true;
	if (parser->out->word_count > most)
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "%.80s is too much; usage: pointsman %s%s%s",
		         parser->out->words[most], command->words, command->arguments[0] != '\0' ? " " : "",
		         command->arguments);
	else
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "something is missing; usage: pointsman %s %s",
		         command->words, command->arguments);
	return false;
}

static bool add_word(struct parser *parser, const char *word)
{
	struct arguments *out = parser->out;
	if (out->word_count == ARGUMENTS_MAX) {
		snprintf(parser->error, ARGUMENTS_ERROR_MAX, "more than %d arguments", ARGUMENTS_MAX);
		return false;
	}
	out->words[out->word_count++] = word;
	return true;
}

/* `last`: where the last word of the command stands. Options in front of it are the global ones. */
static bool take_all(struct parser *parser, const char *words, int last)
{
	size_t left = 0; /* words of the command that are still to come */
	for (const char *word = words; *word != '\0'; word += strcspn(word, " "), word += *word == ' ')
		left++;
	bool only_words = false;
	for (int i = 1; i < parser->argc; i++) {
		const char *argument = parser->argv[i];
		if (!only_words && strcmp(argument, "--") == 0 && i > last)
			only_words = true;
		else if (!only_words && is_option(argument)) {
			if (!take_option(parser, i > last, &i))
				return false;
		} else if (left > 0)
			left--;
		else if (!add_word(parser, argument))
			return false;
	}
	return true;
}

bool arguments_parse(struct arguments *out, int argc, char **argv, const struct command *commands, size_t count,
                     char group[static WORDS_MAX], char error[static ARGUMENTS_ERROR_MAX])
{
	struct parser parser = {
	    .out = out, .commands = commands, .count = count, .error = error, .argc = argc, .argv = argv};
	int last;
	memset(out, 0, sizeof(*out));
	group[0] = '\0';
	if (!find_command(&parser, group, &last) || !take_all(&parser, group, last))
		return false;
	if (out->options[OPTION_HELP] || out->options[OPTION_VERSION] || group[0] == '\0')
		return true;
	if (!out->command)
		return missing_word(&parser, group);
	return check_words(&parser);
}

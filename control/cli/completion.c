/* Completion for bash: a script made from the table of commands, and the names that it asks for while somebody types.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"

/* ---- the script ---- */

static const char head[] = "# bash completion for pointsman, made by: pointsman completion bash\n"
                           "\n"
                           "# Those of the words $1 that begin with the present one.\n"
                           "_pointsman_words() {\n"
                           "\tlocal word\n"
                           "\tfor word in $1; do\n"
                           "\t\tif [[ $word == \"$cur\"* ]]; then COMPREPLY+=(\"$word\"); fi\n"
                           "\tdone\n"
                           "}\n"
                           "\n"
                           "# What may stand for the placeholder $1 of the help.\n"
                           "_pointsman_value() {\n"
                           "\tcase $1 in\n"
                           "\tCLUSTER) mapfile -t COMPREPLY < <(\"${ask[@]}\" clusters \"$cur\" 2>/dev/null) ;;\n"
                           "\tCLUSTER/HOST) mapfile -t COMPREPLY < <(\"${ask[@]}\" hosts \"$cur\" 2>/dev/null) ;;\n"
                           "\tROUTE) mapfile -t COMPREPLY < <(\"${ask[@]}\" routes \"$cur\" 2>/dev/null) ;;\n"
                           "\tFILE)\n"
                           "\t\tcompopt -o filenames 2>/dev/null\n"
                           "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                           "\t\t;;\n"
                           "\t*[[:upper:]]*) ;;\n"
                           "\t*'|'*) _pointsman_words \"${1//|/ }\" ;;\n"
                           "\tesac\n"
                           "}\n"
                           "\n";

static const char body[] =
    "_pointsman() {\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} command='' option='' word next options arguments value i\n"
    "\tlocal -a ask=(\"${COMP_WORDS[0]}\") values=()\n"
    "\tlocal -i count=0\n"
    "\tCOMPREPLY=()\n"
    "\tif [[ $cur == = ]]; then cur=''; fi\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tword=${COMP_WORDS[i]}\n"
    "\t\tif [[ $word == = ]]; then\n"
    "\t\t\tcontinue\n"
    "\t\telif [[ -n $option ]]; then\n"
    "\t\t\tif [[ -z $command ]]; then ask+=(\"$option\" \"$word\"); fi\n"
    "\t\t\toption=''\n"
    "\t\telif [[ $word == -* ]]; then\n"
    "\t\t\t_pointsman_option \"$command\" \"$word\"\n"
    "\t\t\tif [[ -n $value ]]; then\n"
    "\t\t\t\toption=$word\n"
    "\t\t\telif [[ -z $command && $word == --insecure ]]; then\n"
    "\t\t\t\task+=(\"$word\")\n"
    "\t\t\tfi\n"
    "\t\telse\n"
    "\t\t\t_pointsman_command \"$command\"\n"
    "\t\t\tif [[ $count -eq 0 && \" $next \" == *\" $word \"* ]]; then\n"
    "\t\t\t\tcommand=${command:+$command }$word\n"
    "\t\t\telse\n"
    "\t\t\t\tcount+=1\n"
    "\t\t\tfi\n"
    "\t\tfi\n"
    "\tdone\n"
    "\task+=(completion names)\n"
    "\tif [[ -n $option ]]; then\n"
    "\t\t_pointsman_option \"$command\" \"$option\"\n"
    "\t\t_pointsman_value \"$value\"\n"
    "\t\treturn\n"
    "\tfi\n"
    "\t_pointsman_command \"$command\"\n"
    "\tif [[ $cur == -* ]]; then\n"
    "\t\t_pointsman_words \"$options\"\n"
    "\t\treturn\n"
    "\tfi\n"
    "\tread -ra values <<<\"$arguments\"\n"
    "\tif [[ $count -lt ${#values[@]} ]]; then\n"
    "\t\tvalue=${values[count]#[}\n"
    "\t\t_pointsman_value \"${value%]}\"\n"
    "\tfi\n"
    "\tif [[ $count -eq 0 ]]; then _pointsman_words \"$next\"; fi\n"
    "}\n"
    "complete -F _pointsman pointsman\n";

/* The word of a command after `skip` bytes. */
static size_t word_at(const struct command *command, size_t skip)
{
	return strcspn(command->words + skip, " ");
}

/* Do the first `len` bytes of both agree, and does a word end there? */
static bool same_group(const struct command *a, const char *words, size_t len)
{
	return strncmp(a->words, words, len) == 0 && (len == 0 || a->words[len] == ' ');
}

/* Was this word after `words` printed for a command before number `index`? They stand together in the table. */
static bool is_repeated(size_t index, const char *words, size_t len)
{
	size_t skip = len > 0 ? len + 1 : 0;
	return index > 0 && same_group(&commands[index - 1], words, len) &&
	       strncmp(commands[index].words, commands[index - 1].words, skip + word_at(&commands[index], skip) + 0) ==
	           0 &&
	       word_at(&commands[index], skip) == word_at(&commands[index - 1], skip);
}

static void print_next(FILE *out, const char *words, size_t len)
{
	fputs(" next='", out);
	size_t skip = len > 0 ? len + 1 : 0, printed = 0;
	for (size_t i = 0; i < command_count; i++)
		if (same_group(&commands[i], words, len) && !is_repeated(i, words, len))
			fprintf(out, "%s%.*s", printed++ > 0 ? " " : "", (int)word_at(&commands[i], skip),
			        commands[i].words + skip);
	fputc('\'', out);
}

static void print_options(FILE *out, const struct command *command)
{
	fputs(" options='", out);
	for (enum option i = 0, printed = 0; i < OPTIONS_END; i++)
		if (command ? command_takes(command, i) : i < OPTIONS_GLOBAL)
			fprintf(out, "%s--%s", printed++ > 0 ? " " : "", option_specs[i].name);
	fputc('\'', out);
}

static const struct command *command_of(const char *words, size_t len)
{
	for (size_t i = 0; i < command_count; i++)
		if (strlen(commands[i].words) == len && strncmp(commands[i].words, words, len) == 0)
			return &commands[i];
	return NULL;
}

static void print_case(FILE *out, const char *words, size_t len)
{
	const struct command *command = command_of(words, len);
	fprintf(out, "\t'%.*s')", (int)len, words);
	print_next(out, words, len);
	print_options(out, command);
	fprintf(out, " arguments='%s' ;;\n", command ? command->arguments : "");
}

/* What may follow each command, and each word that begins one. */
static void print_command_function(FILE *out)
{
	fputs("# Sets next, options and arguments for the words $1.\n_pointsman_command() {\n"
	      "\tnext='' options='' arguments=''\n\tcase $1 in\n",
	      out);
	print_case(out, "", 0);
	for (size_t i = 0; i < command_count; i++) {
		size_t first = word_at(&commands[i], 0);
		bool grouped = commands[i].words[first] == ' ';
		if (grouped && !is_repeated(i, "", 0) && !command_of(commands[i].words, first))
			print_case(out, commands[i].words, first);
		print_case(out, commands[i].words, strlen(commands[i].words));
	}
	fputs("\tesac\n}\n\n", out);
}

/* Does another option have this name and another argument? */
static bool is_ambiguous(enum option option)
{
	for (enum option i = 0; i < OPTIONS_END; i++)
		if (i != option && option_specs[i].argument &&
		    strcmp(option_specs[i].name, option_specs[option].name) == 0 &&
		    strcmp(option_specs[i].argument, option_specs[option].argument) != 0)
			return true;
	return false;
}

/* One before it has the same name and argument. */
static bool is_told(enum option option)
{
	for (enum option i = 0; i < option; i++)
		if (strcmp(option_specs[i].name, option_specs[option].name) == 0 && !is_ambiguous(option))
			return true;
	return false;
}

static void print_option_cases(FILE *out, enum option option)
{
	const struct option_spec *spec = &option_specs[option];
	if (!is_ambiguous(option)) {
		fprintf(out, "\t*' --%s'", spec->name);
		if (spec->letter != '\0')
			fprintf(out, " | *' -%c'", spec->letter);
		fprintf(out, ") value='%s' ;;\n", spec->argument);
		return;
	}
	for (size_t i = 0; i < command_count; i++)
		if (command_takes(&commands[i], option))
			fprintf(out, "\t'%s --%s') value='%s' ;;\n", commands[i].words, spec->name, spec->argument);
}

static void print_option_function(FILE *out)
{
	fputs(
	    "# Sets value to what follows the option $2 of the command $1, '' if nothing does.\n_pointsman_option() {\n"
	    "\tvalue=''\n\tcase \"$1 $2\" in\n",
	    out);
	for (enum option i = 0; i < OPTIONS_END; i++)
		if (option_specs[i].argument && !is_told(i))
			print_option_cases(out, i);
	fputs("\tesac\n}\n\n", out);
}

int completion_bash(struct cli *cli)
{
	FILE *out = cli->out.file;
	fputs(head, out);
	print_command_function(out);
	print_option_function(out);
	fputs(body, out);
	return CLI_DONE;
}

/* ---- names ---- */

enum { NAMES_TIMEOUT_MS = 2000 };

/* What a shell takes as it is: anything else is not offered. */
static bool is_plain(const char *name)
{
	return name[0] != '\0' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._*/:-") == strlen(name);
}

static void print_names(struct cli *cli, const char *items, const json_t *answer, const char *prefix)
{
	size_t i;
	const json_t *item;
	json_array_foreach(field(answer, items), i, item)
	{
		char name[600];
		if (strcmp(items, "hosts") == 0)
			snprintf(name, sizeof(name), "%s/%s", field_text(item, "cluster"), field_text(item, "name"));
		else
			snprintf(name, sizeof(name), "%s",
			         field_text(item, strcmp(items, "routes") == 0 ? "host" : "name"));
		if (is_plain(name) && strncmp(name, prefix, strlen(prefix)) == 0)
			fprintf(cli->out.file, "%s\n", name);
	}
}

/* Says nothing about errors: somebody is typing. */
int completion_names(struct cli *cli)
{
	struct answer answer;
	const char *kind = cli_word(cli, 0), *prefix = cli_word(cli, 1) ? cli_word(cli, 1) : "";
	if (!choices_have("clusters|hosts|routes", kind))
		return cli_misuse(cli, "%.80s: expected clusters, hosts or routes", kind);
	char *target = target_make("/api/v1/%s", kind);
	if (strcmp(kind, "routes") == 0 && prefix[0] != '\0')
		target = target_add(target, "search", prefix);
	if (strcmp(kind, "clusters") != 0)
		target = target_add(target, "limit", "1000");
	struct request request = {.method = "GET", .target = target, .timeout_ms = NAMES_TIMEOUT_MS};
	bool good = client_call(cli->client, &request, &answer) && answer.status == 200;
	if (good)
		print_names(cli, kind, answer.json, prefix);
	answer_free(&answer);
	free(target);
	return good ? CLI_DONE : CLI_FAILED;
}

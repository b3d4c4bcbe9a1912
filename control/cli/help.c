/* Help, from the table of commands: see the header. */
#include "control/cli/help.h"

#include <stdio.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/text.h"

enum { LEFT = 30 }; /* columns before a description */

/* "  left  text", with the text broken at spaces so that it fits. */
static void print_entry(const struct output *output, const char *left, const char *text)
{
	size_t width = output->width > 60 && output->width < 120 ? output->width : 100;
	size_t room = width - LEFT - 1, used = strlen(left) + 4;
	fprintf(output->file, "  %s", left);
	if (used > LEFT)
		fprintf(output->file, "\n%*s", LEFT, "");
	else
		fprintf(output->file, "%*s", (int)(LEFT - used + 2), "");
	while (strlen(text) > room) {
		size_t end = room;
		while (end > 0 && text[end] != ' ')
			end--;
		if (end == 0)
			break;
		fprintf(output->file, "%.*s\n%*s", (int)end, text, LEFT, "");
		text += end + 1;
	}
	fprintf(output->file, "%s\n", text);
}

static void print_title(const struct output *output, const char *title)
{
	fputc('\n', output->file);
	output_piece(output, TONE_STRONG, title, strlen(title));
	fputs(":\n", output->file);
}

static void print_option(const struct output *output, enum option option)
{
	char left[100], letter[8] = "";
	const struct option_spec *spec = &option_specs[option];
	if (spec->letter != '\0')
		snprintf(letter, sizeof(letter), "-%c, ", spec->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, spec->name, spec->argument ? " " : "",
	         spec->argument ? spec->argument : "");
	print_entry(output, left, spec->help);
}

static void print_statuses(const struct output *output)
{
	print_title(output, "Exit status");
	print_entry(output, "0", "done");
	print_entry(output, "1",
	            "failed or refused; of status, diff, cluster check, probe and --plan: something is red");
	print_entry(output, "2", "--wait waited long enough");
	print_entry(output, "64", "wrong usage");
}

static void print_commands(const struct output *output, const char *group)
{
	size_t len = strlen(group);
	const char *title = NULL;
	for (size_t i = 0; i < command_count; i++) {
		char left[200];
		const struct command *command = &commands[i];
		if (command->group && len == 0)
			print_title(output, command->group);
		else if (len > 0 && !title)
			print_title(output, title = "Commands");
		if (strncmp(command->words, group, len) != 0 ||
		    (len > 0 && command->words[len] != ' ' && command->words[len]))
			continue;
		snprintf(left, sizeof(left), "%s%s%s", command->words, command->arguments[0] != '\0' ? " " : "",
		         command->arguments);
		print_entry(output, left, command->help);
	}
}

static void print_all(const struct output *output, const char *group)
{
	if (group[0] == '\0')
		fputs("usage: pointsman [OPTION...] COMMAND [ARGUMENT...]\n"
		      "       pointsman COMMAND --help\n\n"
		      "Shows and changes a running pointsman through its admin API.\n",
		      output->file);
	else
		fprintf(output->file, "usage: pointsman %s COMMAND [ARGUMENT...]\n", group);
	print_commands(output, group);
	if (group[0] != '\0')
		return;
	print_title(output, "Options of every command");
	for (enum option i = 0; i < OPTIONS_GLOBAL; i++)
		print_option(output, i);
	print_title(output, "Options of every command that changes something");
	for (enum option i = OPTIONS_GLOBAL; i < OPTIONS_WRITE; i++)
		print_option(output, i);
	print_title(output, "Environment and file");
	print_entry(output, "POINTSMAN_URL", "address of the API, default " SETTINGS_URL_DEFAULT);
	print_entry(output, "POINTSMAN_TOKEN", "the token; never an argument, which other users could read");
	print_entry(output, "~/.config/pointsman/config", "lines such as url = URL, token_file = FILE, ca = FILE");
	print_statuses(output);
}

/* Commands that begin with the words of this one. */
static void print_longer(const struct output *output, const struct command *command)
{
	size_t len = strlen(command->words);
	for (size_t i = 0; i < command_count; i++)
		if (strncmp(commands[i].words, command->words, len) == 0 && commands[i].words[len] == ' ')
			fprintf(output->file, "There is also: pointsman %s %s\n", commands[i].words,
			        commands[i].arguments);
}

static void print_one(const struct output *output, const struct command *command)
{
	fprintf(output->file, "usage: pointsman %s%s%s%s\n\n%s\n", command->words,
	        command->options || command->writes ? " [OPTION...]" : "", command->arguments[0] != '\0' ? " " : "",
	        command->arguments, command->help);
	if (command->details)
		fprintf(output->file, "%s\n", command->details);
	print_longer(output, command);
	if (command->options || command->writes)
		print_title(output, "Options");
	for (const enum option *own = command->options; own && *own != OPTIONS_END; own++)
		print_option(output, *own);
	for (enum option i = OPTIONS_GLOBAL; command->writes && i < OPTIONS_WRITE; i++)
		print_option(output, i);
	print_title(output, "Options of every command");
	for (enum option i = 0; i < OPTIONS_GLOBAL; i++)
		print_option(output, i);
}

void help_print(const struct output *output, const struct command *command, const char *group)
{
	if (command)
		print_one(output, command);
	else
		print_all(output, group);
}

int help_command(struct cli *cli)
{
	char words[WORDS_MAX] = "";
	size_t len = 0;
	bool some = cli->arguments->word_count == 0;
	for (size_t i = 0; i < cli->arguments->word_count; i++)
		len += (size_t)snprintf(words + (len < WORDS_MAX ? len : WORDS_MAX - 1),
		                        len < WORDS_MAX ? WORDS_MAX - len : 1, "%s%s", i > 0 ? " " : "",
		                        cli->arguments->words[i]);
	for (size_t i = 0; i < command_count && words[0] != '\0'; i++) {
		if (strcmp(commands[i].words, words) == 0) {
			help_print(&cli->out, &commands[i], words);
			return CLI_DONE;
		}
		some |=
		    strncmp(commands[i].words, words, strlen(words)) == 0 && commands[i].words[strlen(words)] == ' ';
	}
	if (!some)
		return cli_misuse(cli, "no command %s; see pointsman --help", words);
	help_print(&cli->out, NULL, words);
	return CLI_DONE;
}

/* Where the admin API is: see the header. */
#include "control/cli/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { TOKEN_MAX = 4096, LINE_SIZE = 8192 };

struct reader {
	struct settings *settings;
	const struct output *warnings;
	char *error;
	char *token_file; /* of the configuration file */
};

static char *copy(const char *text)
{
	char *out = strdup(text);
	if (!out)
		abort();
	return out;
}

static void set(char **field, const char *value)
{
	char *before = *field;
	*field = copy(value);
	free(before);
}

/* Cuts white space at both ends, in place. */
static char *trim(char *text)
{
	static const char white[] = " \t\r\n";
	text += strspn(text, white);
	size_t len = strlen(text);
	while (len > 0 && strchr(white, text[len - 1]))
		text[--len] = '\0';
	return text;
}

static void warn_if_open(const struct reader *reader, FILE *file, const char *path)
{
	struct stat status;
	if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & (S_IRGRP | S_IROTH)))
		output_toned(reader->warnings, TONE_WARN,
		             "warning: %s holds a token and other users may read it: chmod 600 %s", path, path);
}

/* ---- the configuration file ---- */

static bool set_flag(bool *flag, const char *value)
{
	*flag = strcmp(value, "true") == 0;
	return *flag || strcmp(value, "false") == 0;
}

/* One "name = value". False: what is wrong with it is in `error`. */
static bool take_setting(struct reader *reader, unsigned number, const char *name, const char *value)
{
	struct settings *settings = reader->settings;
	if (strcmp(name, "url") == 0)
		set(&settings->url, value);
	else if (strcmp(name, "token") == 0)
		set(&settings->token, value);
	else if (strcmp(name, "token_file") == 0)
		set(&reader->token_file, value);
	else if (strcmp(name, "ca") == 0)
		set(&settings->ca, value);
	else if (strcmp(name, "insecure") != 0) {
		snprintf(reader->error, SETTINGS_ERROR_MAX,
		         "%s:%u: unknown setting %.40s; expected url, token_file, token, ca or insecure",
		         settings->path, number, name);
		return false;
	} else if (!set_flag(&settings->insecure, value)) {
		snprintf(reader->error, SETTINGS_ERROR_MAX, "%s:%u: insecure = %.40s; expected true or false",
		         settings->path, number, value);
		return false;
	}
	return true;
}

static bool take_line(struct reader *reader, unsigned number, char *line)
{
	char *text = trim(line), *equals = strchr(text, '=');
	if (*text == '\0' || *text == '#')
		return true;
	if (!equals) {
		snprintf(reader->error, SETTINGS_ERROR_MAX, "%s:%u: %.40s; expected name = value",
		         reader->settings->path, number, text);
		return false;
	}
	*equals = '\0';
	return take_setting(reader, number, trim(text), trim(equals + 1));
}

static char *find_path(void)
{
	char *path = NULL;
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	bool has_base = base && base[0] == '/';
	if (!has_base && (!home || home[0] == '\0'))
		return NULL;
	if (asprintf(&path, "%s%s/pointsman/config", has_base ? base : home, has_base ? "" : "/.config") < 0)
		abort();
	return path;
}

static bool read_file(struct reader *reader)
{
	struct settings *settings = reader->settings;
	char line[LINE_SIZE];
	unsigned number = 0;
	bool good = true;
	FILE *file = settings->path ? fopen(settings->path, "re") : NULL;
	if (!file && settings->path && errno != ENOENT && errno != ENOTDIR) {
		snprintf(reader->error, SETTINGS_ERROR_MAX, "%s cannot be read: %s", settings->path, strerror(errno));
		return false;
	}
	while (file && good && fgets(line, sizeof(line), file))
		good = take_line(reader, ++number, line);
	if (file && settings->token) {
		set(&settings->token_from, settings->path);
		warn_if_open(reader, file, settings->path);
	}
	if (file)
		fclose(file);
	explicit_bzero(line, sizeof(line));
	return good;
}

/* ---- the token ---- */

static bool check_token(const char *token)
{
	for (; *token != '\0'; token++)
		if (*token <= ' ' || *token > '~')
			return false;
	return true;
}

static bool read_token(struct reader *reader, const char *path)
{
	char text[TOKEN_MAX + 2];
	FILE *file = fopen(path, "re");
	if (!file) {
		snprintf(reader->error, SETTINGS_ERROR_MAX, "the token file %s cannot be read: %s", path,
		         strerror(errno));
		return false;
	}
	warn_if_open(reader, file, path);
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	const char *token = trim(text);
	bool good = len <= TOKEN_MAX && token[0] != '\0' && check_token(token);
	if (good) {
		set(&reader->settings->token, token);
		set(&reader->settings->token_from, path);
	} else
		snprintf(reader->error, SETTINGS_ERROR_MAX, "%s holds no token; expected one line without spaces",
		         path);
	explicit_bzero(text, sizeof(text));
	return good;
}

static bool take_environment_token(struct reader *reader, const char *token)
{
	if (!check_token(token)) {
		snprintf(reader->error, SETTINGS_ERROR_MAX,
		         "POINTSMAN_TOKEN is no token; expected letters without spaces");
		return false;
	}
	set(&reader->settings->token, token);
	set(&reader->settings->token_from, "POINTSMAN_TOKEN");
	return true;
}

static bool find_token(struct reader *reader, const struct arguments *arguments)
{
	const char *given = arguments->options[OPTION_TOKEN_FILE], *variable = getenv("POINTSMAN_TOKEN");
	if (given)
		return read_token(reader, given);
	if (variable && variable[0] != '\0')
		return take_environment_token(reader, variable);
	if (reader->token_file)
		return read_token(reader, reader->token_file);
	if (reader->settings->token && !check_token(reader->settings->token)) {
		snprintf(reader->error, SETTINGS_ERROR_MAX, "%s: token is none; expected letters without spaces",
		         reader->settings->path);
		return false;
	}
	return true;
}

/* ---- all ---- */

/* A good URL has a host after its scheme; its slashes at the end go. */
static bool check_url(char *url, char *error)
{
	bool https = strncasecmp(url, "https://", 8) == 0;
	size_t scheme = https ? 8 : 7, len = strlen(url);
	if ((!https && strncasecmp(url, "http://", 7) != 0) || len == scheme || url[scheme] == '/' ||
	    strpbrk(url, " ?#@")) {
		snprintf(error, SETTINGS_ERROR_MAX, "%.200s is no address of the API; expected such as %s", url,
		         SETTINGS_URL_DEFAULT);
		return false;
	}
	while (len > scheme && url[len - 1] == '/')
		url[--len] = '\0';
	return true;
}

bool settings_read(struct settings *settings, const struct arguments *arguments, const struct output *warnings,
                   char error[static SETTINGS_ERROR_MAX])
{
	struct reader reader = {.settings = settings, .warnings = warnings, .error = error};
	const char *url = arguments->options[OPTION_URL], *variable = getenv("POINTSMAN_URL");
	*settings = (struct settings){.url = copy(SETTINGS_URL_DEFAULT), .path = find_path()};
	bool good = read_file(&reader);
	if (url || (variable && variable[0] != '\0'))
		set(&settings->url, url ? url : variable);
	if (arguments->options[OPTION_CA])
		set(&settings->ca, arguments->options[OPTION_CA]);
	settings->insecure |= arguments->options[OPTION_INSECURE] != NULL;
	good = good && check_url(settings->url, error) && find_token(&reader, arguments);
	free(reader.token_file);
	return good;
}

void settings_free(struct settings *settings)
{
	if (settings->token)
		explicit_bzero(settings->token, strlen(settings->token));
	free(settings->url);
	free(settings->token);
	free(settings->token_from);
	free(settings->ca);
	free(settings->path);
	*settings = (struct settings){0};
}

bool settings_are_local(const struct settings *settings)
{
	const char *host = strstr(settings->url, "://") + 3;
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	return strncmp(host, "127.", 4) == 0 || (len == 9 && strncasecmp(host, "localhost", len) == 0) ||
	       (len == 5 && strncmp(host, "[::1]", len) == 0);
}

/* See the header. */
#include "control_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/cluster_json.h"
#include "control/api/role.h"

const struct actor fixture_actor = {.who = "test"};

/* A copy with " for '. */
static char *quoted(const char *text)
{
	char *copy = strdup(text);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

struct cluster_spec *fixture_cluster(const char *text)
{
	struct json_faults faults = {0};
	char *copy = quoted(text);
	json_t *value = json_loads(copy, JSON_REJECT_DUPLICATES, NULL);
	struct cluster_spec *spec = cluster_read(value, NULL, &faults, "$");
	if (!spec) {
		fprintf(stderr, "fixture: %s: %s\n", faults.list[0].path, faults.list[0].reason);
		abort();
	}
	json_decref(value);
	free(copy);
	return spec;
}

struct config *fixture_config(const char *run, const char *state, const char *sections)
{
	char *text;
	struct config_errors errors = {0};
	if (asprintf(
	        &text,
	        "{'ports': [{'interface': 'north'}], 'listeners': [{'name': 'http', 'mode': 'http', 'addresses': "
	        "['198.51.100.10']}, {'name': 'https', 'mode': 'tls', 'addresses': ['198.51.100.10', '198.51.100.11'], "
	        "'default_cluster': 'ose2'}], 'source_pool': {'prefixes': ['203.0.113.64/28'], 'ports': [2000, 2999]}, "
	        "'paths': {'run': '%s', 'state': '%s'}%s%s}",
	        run, state, sections ? ", " : "", sections ? sections : "") < 0)
		abort();
	char *copy = quoted(text);
	struct config *config = config_parse(copy, strlen(copy), "fixture", &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "fixture: %s\n", errors.lines[i]);
	if (!config)
		abort();
	config->admin.loopback = ROLE_ADMIN; /* tests of tokens say otherwise */
	free(copy);
	free(text);
	return config;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
	return place->level > 0 ? remove(path) : 0;
}

void fixture_empty(const char *directory)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

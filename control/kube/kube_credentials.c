/* Credentials of an API: see the header. */
#include "control/kube/kube_credentials.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_file.h"
#include "control/kube/kubeconfig.h"

enum part { PART_CA, PART_CERT, PART_KEY, PART_TOKEN, part_count };

/* One credential, from a file or from the kubeconfig itself. */
struct source {
	struct kube_file file; /* path NULL: none */
	char *value;           /* owned; the last good one, NULL: none yet */
};

struct kube_credentials {
	struct kube_spec spec;
	struct kube_file kubeconfig; /* path NULL: the spec has explicit fields */
	struct kubeconfig *config;   /* as read, or made from the explicit fields; NULL: never */
	bool config_broken;          /* what the file holds now is not what `config` is from */
	struct source parts[part_count];
	struct kube_access access;
	char why[KUBE_FILE_WHY_MAX + 200];
};

static char *copy(const char *text)
{
	char *result = strdup(text);
	if (!result)
		abort();
	return result;
}

static void forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* Files that other parts of the configuration name than before are read anew; a value stays until there is another. */
static void set_source(struct source *source, const char *path, const char *value)
{
	if (source->file.path && (!path || strcmp(source->file.path, path) != 0))
		kube_file_close(&source->file);
	if (path && !source->file.path)
		kube_file_open(&source->file, path);
	if (path)
		return;
	forget(source->value);
	source->value = value ? copy(value) : NULL;
}

/* Inline data wins over a file, a token file over a token. */
static void set_sources(struct kube_credentials *credentials)
{
	const struct kubeconfig *config = credentials->config;
	struct source *parts = credentials->parts;
	set_source(&parts[PART_CA], config->ca_data ? NULL : config->ca_file, config->ca_data);
	set_source(&parts[PART_CERT], config->cert_data ? NULL : config->cert_file, config->cert_data);
	set_source(&parts[PART_KEY], config->key_data ? NULL : config->key_file, config->key_data);
	set_source(&parts[PART_TOKEN], config->token_file, config->token);
}

static struct kubeconfig *explicit_fields(const struct kube_spec *spec)
{
	struct kubeconfig *config = calloc(1, sizeof(*config));
	if (!config)
		abort();
	config->server = copy(spec->server);
	config->insecure_skip_tls_verify = spec->insecure_skip_tls_verify;
	config->ca_file = spec->ca_file[0] != '\0' ? copy(spec->ca_file) : NULL;
	config->token_file = spec->token_file[0] != '\0' ? copy(spec->token_file) : NULL;
	return config;
}

struct kube_credentials *kube_credentials_create(const struct kube_spec *spec)
{
	struct kube_credentials *credentials = calloc(1, sizeof(*credentials));
	if (!credentials)
		abort();
	credentials->spec = *spec;
	if (spec->kubeconfig[0] != '\0') {
		kube_file_open(&credentials->kubeconfig, spec->kubeconfig);
	} else {
		credentials->config = explicit_fields(spec);
		set_sources(credentials);
	}
	return credentials;
}

void kube_credentials_free(struct kube_credentials *credentials)
{
	if (!credentials)
		return;
	for (int i = 0; i < part_count; i++) {
		kube_file_close(&credentials->parts[i].file);
		forget(credentials->parts[i].value);
	}
	kube_file_close(&credentials->kubeconfig);
	kubeconfig_free(credentials->config);
	free(credentials);
}

/* The first complaint stays. */
__attribute__((format(printf, 2, 3))) static void complain(struct kube_credentials *credentials, const char *format,
                                                           ...)
{
	va_list args;
	if (credentials->why[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(credentials->why, sizeof(credentials->why), format, args);
	va_end(args);
}

static void read_kubeconfig(struct kube_credentials *credentials, bool anyway)
{
	struct kube_file *file = &credentials->kubeconfig;
	const struct kube_spec *spec = &credentials->spec;
	struct json_faults faults = {0};
	char directory[KUBE_TEXT_MAX + 1];
	bool changed = kube_file_refresh(file, anyway);
	if (file->why[0] != '\0')
		complain(credentials, "%s", file->why);
	if (!file->content || (!changed && credentials->config && !credentials->config_broken))
		return;
	strcpy(directory, spec->kubeconfig);
	char *slash = strrchr(directory, '/');
	if (slash)
		*slash = '\0';
	struct kubeconfig *config = kubeconfig_parse(file->content, file->len, directory,
	                                             spec->context[0] != '\0' ? spec->context : NULL, &faults);
	credentials->config_broken = !config;
	if (config) {
		kubeconfig_free(credentials->config);
		credentials->config = config;
		set_sources(credentials);
	} else {
		complain(credentials, "%.120s: %.60s %.80s; expected %.80s", file->path, faults.list[0].path,
		         faults.list[0].reason, faults.list[0].expected);
	}
	json_faults_free(&faults);
}

/* The token without white space around it: NULL if it is empty or could not stand in a header field. */
static char *token_of(const char *content)
{
	while (isspace((unsigned char)*content))
		content++;
	size_t len = strlen(content);
	while (len > 0 && isspace((unsigned char)content[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)content[i]))
			return NULL;
	return len > 0 ? strndup(content, len) : NULL;
}

/* What the file is good for, or NULL and a complaint. */
static char *value_of(struct kube_credentials *credentials, enum part part, const struct kube_file *file)
{
	bool whole = strlen(file->content) == file->len;
	char *value = NULL;
	if (part == PART_TOKEN)
		value = whole ? token_of(file->content) : NULL;
	else if (whole && strstr(file->content, "-----BEGIN "))
		value = copy(file->content);
	if (!value)
		complain(credentials, "%.120s holds no %s", file->path, part == PART_TOKEN ? "token" : "PEM");
	return value;
}

/* True if the part is there, or not asked for. */
static bool read_part(struct kube_credentials *credentials, enum part part, bool anyway)
{
	struct source *source = &credentials->parts[part];
	if (!source->file.path)
		return true;
	kube_file_refresh(&source->file, anyway);
	if (source->file.why[0] != '\0') {
		complain(credentials, "%s", source->file.why);
		return source->value != NULL;
	}
	char *value = value_of(credentials, part, &source->file);
	if (value) {
		forget(source->value);
		source->value = value;
	}
	return source->value != NULL;
}

const struct kube_access *kube_credentials_get(struct kube_credentials *credentials, bool anyway)
{
	credentials->why[0] = '\0';
	if (credentials->kubeconfig.path)
		read_kubeconfig(credentials, anyway);
	const struct kubeconfig *config = credentials->config;
	if (!config)
		return NULL;
	bool there = true;
	for (int i = 0; i < part_count; i++)
		there &= read_part(credentials, (enum part)i, anyway);
	if (!there)
		return NULL;
	credentials->access = (struct kube_access){
	    .server = config->server,
	    .tls_server_name = config->tls_server_name,
	    .insecure = config->insecure_skip_tls_verify,
	    .ca = credentials->parts[PART_CA].value,
	    .cert = credentials->parts[PART_CERT].value,
	    .key = credentials->parts[PART_KEY].value,
	    .token = credentials->parts[PART_TOKEN].value,
	};
	return &credentials->access;
}

const char *kube_credentials_complaint(const struct kube_credentials *credentials)
{
	return credentials->why;
}

bool kube_credentials_insecure(const struct kube_credentials *credentials)
{
	return credentials->config && credentials->config->insecure_skip_tls_verify;
}

bool kube_credentials_changed(const struct kube_credentials *credentials)
{
	bool changed = credentials->kubeconfig.path && kube_file_changed(&credentials->kubeconfig);
	for (int i = 0; i < part_count; i++)
		changed |= credentials->parts[i].file.path && kube_file_changed(&credentials->parts[i].file);
	return changed;
}

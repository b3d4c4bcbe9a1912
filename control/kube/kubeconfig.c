/* kubeconfig files: see the header. */
#include "control/kube/kubeconfig.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hostname.h"
#include "control/kube/kube_yaml.h"

static char *copy(const char *text)
{
	char *result = strdup(text);
	if (!result)
		abort();
	return result;
}

/* A string that is not empty, or NULL. Another type is a fault. */
static const char *text_of(struct reader *reader, const char *name)
{
	const json_t *value = reader_field(reader, name);
	if (!value || json_is_null(value))
		return NULL;
	if (!json_is_string(value)) {
		reader_fault(reader, name, "a string", "is %s", json_kind(value));
		return NULL;
	}
	const char *text = json_string_value(value);
	if (strlen(text) != json_string_length(value))
		reader_fault(reader, name, "a text", "has a NUL inside");
	return text[0] != '\0' ? text : NULL;
}

/* The same for one that has to be there. */
static const char *needed_text(struct reader *reader, const char *name, const char *expected)
{
	const char *text = text_of(reader, name);
	const json_t *value = reader_field(reader, name);
	if (!text && reader->object && (!value || json_is_null(value) || json_is_string(value)))
		reader_fault(reader, name, expected, "is missing");
	return text;
}

static void refuse(struct reader *reader, const char *name, const char *expected, const char *why)
{
	const json_t *value = reader_field(reader, name);
	bool empty = !value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0);
	if (!empty)
		reader_fault(reader, name, expected, "%s", why);
}

static char *path_of(struct reader *reader, const char *name, const char *directory)
{
	const char *path = text_of(reader, name);
	char *joined;
	if (!path || path[0] == '/')
		return path ? copy(path) : NULL;
	if (asprintf(&joined, "%s/%s", directory, path) < 0)
		abort();
	return joined;
}

/* 0 to 63, or -1. */
static int base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* RFC 4648 4, line ends are allowed; NULL: it is none. The result has a NUL behind it. */
static char *base64_decode(const char *text)
{
	char *out = malloc(strlen(text) / 4 * 3 + 4);
	size_t len = 0;
	unsigned bits = 0, count = 0;
	if (!out)
		abort();
	for (; *text != '\0' && *text != '='; text++) {
		if (*text == '\n' || *text == '\r' || *text == ' ')
			continue;
		int value = base64_value(*text);
		if (value < 0)
			break;
		bits = bits << 6 | (unsigned)value;
		if (++count % 4 != 1)
			out[len++] = (char)(bits >> (6 - 2 * ((count - 1) % 4)));
	}
	out[len] = '\0';
	bool good = strspn(text, "=\n\r ") == strlen(text) && count % 4 != 1 && strlen(out) == len;
	if (good)
		return out;
	free(out);
	return NULL;
}

static char *pem_of(struct reader *reader, const char *name)
{
	static const char form[] = "PEM in base64";
	const char *text = text_of(reader, name);
	char *pem = text ? base64_decode(text) : NULL;
	if (text && !pem)
		reader_fault(reader, name, form, "is no base64");
	if (!pem || strstr(pem, "-----BEGIN "))
		return pem;
	reader_fault(reader, name, form, "holds no PEM");
	free(pem);
	return NULL;
}

static bool host_is_here(const char *host)
{
	struct in_addr address;
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

static bool has_part(CURLU *parsed, CURLUPart part)
{
	char *text = NULL;
	bool there = curl_url_get(parsed, part, &text, 0) == CURLUE_OK;
	curl_free(text);
	return there;
}

/* The scheme is https, or http to this machine. */
static bool scheme_fits(CURLU *parsed)
{
	char *scheme = NULL, *host = NULL;
	bool good = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	            curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	            (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && host_is_here(host)));
	curl_free(scheme);
	curl_free(host);
	return good;
}

const char *kube_server_check(char *url)
{
	static const char form[] =
	    "the API's address, such as \"https://api.ose1.example:6443\"; http only for this machine";
	CURLU *parsed = curl_url();
	if (!parsed)
		abort();
	bool good = curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK && scheme_fits(parsed) &&
	            !has_part(parsed, CURLUPART_USER) && !has_part(parsed, CURLUPART_PASSWORD) &&
	            !has_part(parsed, CURLUPART_QUERY) && !has_part(parsed, CURLUPART_FRAGMENT);
	curl_url_cleanup(parsed);
	for (size_t len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
	return good ? NULL : form;
}

/* Opens the object `part` of the entry with this name in the list `list`; an empty one with a fault if there is none.
 */
static void open_named(struct reader *entry, json_t *root, const char *list, const char *part, const char *name,
                       struct json_faults *faults)
{
	json_t *array = json_object_get(root, list), *element;
	size_t i;
	char quoted[READER_TEXT_MAX], path[64];
	json_array_foreach(array, i, element)
	{
		const char *found = json_string_value(json_object_get(element, "name"));
		if (!found || strcmp(found, name) != 0)
			continue;
		json_t *value = json_object_get(element, part);
		reader_open(entry, json_is_null(value) ? NULL : value, faults, "$.%s[%zu].%s", list, i, part);
		return;
	}
	snprintf(path, sizeof(path), "$.%s", list);
	json_faults_add(faults, path, "an entry with that name", "has no %s", json_quote(name, quoted));
	reader_open(entry, NULL, faults, "%s", path);
}

static void read_cluster(struct kubeconfig *config, struct reader *cluster, const char *directory)
{
	const char *server = needed_text(cluster, "server", "the API's address");
	const char *name = text_of(cluster, "tls-server-name");
	if (server) {
		config->server = copy(server);
		const char *expected = kube_server_check(config->server);
		if (expected)
			reader_fault(cluster, "server", expected, "is no such address");
	}
	struct hostname ignored;
	if (name && !hostname_set(&ignored, (const uint8_t *)name, strlen(name)))
		reader_fault(cluster, "tls-server-name", "a host name", "is none");
	else if (name)
		config->tls_server_name = copy(name);
	if (!json_is_null(reader_field(cluster, "insecure-skip-tls-verify")))
		reader_bool(cluster, "insecure-skip-tls-verify", &config->insecure_skip_tls_verify);
	config->ca_file = path_of(cluster, "certificate-authority", directory);
	config->ca_data = pem_of(cluster, "certificate-authority-data");
	refuse(cluster, "proxy-url", "a server that is reached without a proxy", "proxies are not used");
}

/* What may stand in a header field as one word. */
static bool is_token(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isgraph((unsigned char)*text))
			return false;
	return true;
}

static void read_user(struct kubeconfig *config, struct reader *user, const char *directory)
{
	static const char expected[] = "a token, a tokenFile or a client certificate";
	const char *token = text_of(user, "token");
	if (token && !is_token(token))
		reader_fault(user, "token", "a token", "has bytes that no token has");
	else if (token)
		config->token = copy(token);
	config->token_file = path_of(user, "tokenFile", directory);
	config->cert_file = path_of(user, "client-certificate", directory);
	config->cert_data = pem_of(user, "client-certificate-data");
	config->key_file = path_of(user, "client-key", directory);
	config->key_data = pem_of(user, "client-key-data");
	refuse(user, "exec", expected, "programs are not run to get a credential");
	refuse(user, "auth-provider", expected, "auth-provider plugins are not used");
	refuse(user, "username", expected, "user name and password are not used");
	refuse(user, "password", expected, "user name and password are not used");
	refuse(user, "as", expected, "nobody else is impersonated");
	bool cert = config->cert_file || config->cert_data, key = config->key_file || config->key_data;
	if (cert != key)
		reader_fault(user, cert ? "client-key" : "client-certificate", "both or neither",
		             "is missing, the other is there");
}

static void read_context(struct kubeconfig *config, json_t *root, const char *context, const char *directory,
                         struct json_faults *faults)
{
	struct reader entry, cluster, user;
	open_named(&entry, root, "contexts", "context", context, faults);
	if (!entry.object)
		return;
	const char *cluster_name = needed_text(&entry, "cluster", "the name of a cluster");
	const char *user_name = text_of(&entry, "user");
	if (cluster_name) {
		open_named(&cluster, root, "clusters", "cluster", cluster_name, faults);
		read_cluster(config, &cluster, directory);
	}
	if (!user_name)
		return;
	open_named(&user, root, "users", "user", user_name, faults);
	read_user(config, &user, directory);
}

struct kubeconfig *kubeconfig_parse(const char *text, size_t len, const char *directory, const char *context,
                                    struct json_faults *faults)
{
	size_t faults_before = faults->count + faults->more;
	json_t *root = kube_yaml_parse(text, len, faults);
	if (!root)
		return NULL;
	struct kubeconfig *config = calloc(1, sizeof(*config));
	struct reader reader;
	if (!config)
		abort();
	reader_open(&reader, root, faults, "$");
	if (!context)
		context = needed_text(&reader, "current-context", "the name of a context, here or in \"context\"");
	if (context && reader.object)
		read_context(config, root, context, directory, faults);
	json_decref(root);
	if (faults->count + faults->more == faults_before && config->server)
		return config;
	if (faults->count + faults->more == faults_before)
		json_faults_add(faults, "$", "a server", "names no server");
	kubeconfig_free(config);
	return NULL;
}

static void forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void kubeconfig_free(struct kubeconfig *config)
{
	if (!config)
		return;
	char *const texts[] = {
	    config->server,    config->tls_server_name, config->ca_file,  config->ca_data,    config->cert_file,
	    config->cert_data, config->key_file,        config->key_data, config->token_file, config->token};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		forget(texts[i]);
	free(config);
}

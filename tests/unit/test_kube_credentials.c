/* kube_credentials: explicit files and kubeconfigs, renewed, broken and missing ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/kube/kube_credentials.h"

static char directory[] = "/tmp/pm_kube_cred_XXXXXX";
static const char *const names[] = {"token", "ca.pem", "kubeconfig", "other"};

static int setup(void **state)
{
	assert_non_null(mkdtemp(directory));
	return 0;
}

static const char *path_of(const char *name)
{
	static char paths[4][64];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static int remove_files(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		unlink(path_of(names[i]));
	return 0;
}

static int teardown(void **state)
{
	remove_files(state);
	return rmdir(directory);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of("new"), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(path_of("new"), path_of(name)), 0);
}

static struct kube_spec explicit_spec(void)
{
	struct kube_spec spec = {.server = "https://api.test:6443"};
	snprintf(spec.token_file, sizeof(spec.token_file), "%s", path_of("token"));
	snprintf(spec.ca_file, sizeof(spec.ca_file), "%s", path_of("ca.pem"));
	return spec;
}

static void assert_complaint(const struct kube_credentials *credentials, const char *text)
{
	if (text ? !strstr(kube_credentials_complaint(credentials), text)
	         : kube_credentials_complaint(credentials)[0] != '\0')
		fail_msg("complaint: %s", kube_credentials_complaint(credentials));
}

static void explicit_files(void **state)
{
	struct kube_spec spec = explicit_spec();
	struct kube_credentials *credentials = kube_credentials_create(&spec);
	assert_null(kube_credentials_get(credentials, false));
	assert_complaint(credentials, "ca.pem does not exist");
	write_file("ca.pem", "-----BEGIN CERTIFICATE-----\n");
	assert_true(kube_credentials_changed(credentials));
	assert_null(kube_credentials_get(credentials, false));
	assert_complaint(credentials, "token does not exist");
	write_file("token", " abc.def\n");
	const struct kube_access *access = kube_credentials_get(credentials, false);
	assert_non_null(access);
	assert_complaint(credentials, NULL);
	assert_string_equal(access->server, "https://api.test:6443");
	assert_string_equal(access->token, "abc.def");
	assert_string_equal(access->ca, "-----BEGIN CERTIFICATE-----\n");
	assert_null(access->cert);
	assert_null(access->tls_server_name);
	assert_false(access->insecure);
	assert_false(kube_credentials_insecure(credentials));
	assert_false(kube_credentials_changed(credentials));
	write_file("token", "ghi");
	assert_true(kube_credentials_changed(credentials));
	assert_string_equal(kube_credentials_get(credentials, false)->token, "ghi");
	kube_credentials_free(credentials);
}

/* Each bad file leaves what was good before; the complaint stays as long as it is bad. */
static void bad_files(void **state)
{
	static const struct {
		const char *name, *text, *complaint;
	} cases[] = {
	    {"token", "", "token is empty"},
	    {"token", " \n", "token holds no token"},
	    {"token", "a b", "token holds no token"},
	    {"token", "a\r\nX-Evil: 1", "token holds no token"},
	    {"ca.pem", "half of a", "ca.pem holds no PEM"},
	};
	struct kube_spec spec = explicit_spec();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kube_credentials *credentials = kube_credentials_create(&spec);
		write_file("token", "good");
		write_file("ca.pem", "-----BEGIN CERTIFICATE-----\n");
		assert_non_null(kube_credentials_get(credentials, false));
		write_file(cases[i].name, cases[i].text);
		for (unsigned again = 0; again < 2; again++) {
			const struct kube_access *access = kube_credentials_get(credentials, again == 1);
			assert_string_equal(access->token, "good");
			assert_string_equal(access->ca, "-----BEGIN CERTIFICATE-----\n");
			assert_complaint(credentials, cases[i].complaint);
		}
		kube_credentials_free(credentials);
	}
}

static void nothing_but_a_server(void **state)
{
	struct kube_spec spec = {.server = "https://api.test", .insecure_skip_tls_verify = true};
	struct kube_credentials *credentials = kube_credentials_create(&spec);
	const struct kube_access *access = kube_credentials_get(credentials, false);
	assert_null(access->token);
	assert_null(access->ca);
	assert_true(access->insecure);
	assert_true(kube_credentials_insecure(credentials));
	kube_credentials_free(credentials);
}

#define CONFIG(cluster, user)                                                                                          \
	"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"                                  \
	"clusters: [{name: k, cluster: {server: 'https://a.test'" cluster "}}]\nusers: [{name: u, user: {" user        \
	"}}]\n"

static void by_kubeconfig(void **state)
{
	struct kube_spec spec = {.server = ""};
	snprintf(spec.kubeconfig, sizeof(spec.kubeconfig), "%s", path_of("kubeconfig"));
	struct kube_credentials *credentials = kube_credentials_create(&spec);
	assert_null(kube_credentials_get(credentials, false));
	assert_complaint(credentials, "kubeconfig does not exist");
	assert_false(kube_credentials_insecure(credentials));
	write_file("kubeconfig", "[");
	assert_null(kube_credentials_get(credentials, false));
	assert_complaint(credentials, "kubeconfig: $ line ");
	assert_null(kube_credentials_get(credentials, false));
	assert_complaint(credentials, "kubeconfig: $ line ");

	write_file("kubeconfig", CONFIG("", "token: inline"));
	assert_string_equal(kube_credentials_get(credentials, false)->token, "inline");
	assert_complaint(credentials, NULL);

	/* A token file beside it, relative to the kubeconfig; until it is there, the old token goes on. */
	write_file("kubeconfig", CONFIG(", certificate-authority: ca.pem", "token: inline, tokenFile: token"));
	write_file("ca.pem", "-----BEGIN CERTIFICATE-----\n");
	unlink(path_of("token"));
	assert_string_equal(kube_credentials_get(credentials, false)->token, "inline");
	assert_complaint(credentials, "token does not exist");
	write_file("token", "from-file");
	const struct kube_access *access = kube_credentials_get(credentials, false);
	assert_string_equal(access->token, "from-file");
	assert_string_equal(access->ca, "-----BEGIN CERTIFICATE-----\n");

	/* Broken again: the last good one serves, and says so each time. */
	write_file("kubeconfig", CONFIG("", "exec: {command: x}"));
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(kube_credentials_get(credentials, false)->token, "from-file");
		assert_complaint(credentials, "$.users[0].user.exec programs are not run");
	}
	write_file("kubeconfig",
	           CONFIG(", tls-server-name: api, insecure-skip-tls-verify: true",
	                  "client-certificate-data: LS0tLS1CRUdJTiBD, client-key-data: LS0tLS1CRUdJTiBL"));
	access = kube_credentials_get(credentials, false);
	assert_complaint(credentials, NULL);
	assert_null(access->token);
	assert_null(access->ca);
	assert_string_equal(access->cert, "-----BEGIN C");
	assert_string_equal(access->key, "-----BEGIN K");
	assert_string_equal(access->tls_server_name, "api");
	assert_true(access->insecure);
	kube_credentials_free(credentials);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(explicit_files, remove_files),
	    cmocka_unit_test_setup(bad_files, remove_files),
	    cmocka_unit_test(nothing_but_a_server),
	    cmocka_unit_test_setup(by_kubeconfig, remove_files),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

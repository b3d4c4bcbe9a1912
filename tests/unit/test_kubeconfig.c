/* kubeconfig: contexts, inline data and files, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/kube/kubeconfig.h"

#define CONTEXT "contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n"
#define CLUSTER "clusters: [{name: k, cluster: {server: 'https://api.test:6443'}}]\n"
#define USER    "users: [{name: u, user: {token: abc}}]\n"

static struct kubeconfig *parse(const char *text, const char *context, struct json_faults *faults)
{
	return kubeconfig_parse(text, strlen(text), "/etc/kube", context, faults);
}

static struct kubeconfig *parse_good(const char *text, const char *context)
{
	struct json_faults faults = {0};
	struct kubeconfig *config = parse(text, context, &faults);
	if (!config)
		fail_msg("%s %s", faults.list[0].path, faults.list[0].reason);
	assert_int_equal(faults.count, 0);
	return config;
}

static void small(void **state)
{
	struct kubeconfig *config = parse_good(CONTEXT CLUSTER USER, NULL);
	assert_string_equal(config->server, "https://api.test:6443");
	assert_string_equal(config->token, "abc");
	assert_false(config->insecure_skip_tls_verify);
	assert_null(config->ca_file);
	assert_null(config->ca_data);
	assert_null(config->token_file);
	assert_null(config->tls_server_name);
	kubeconfig_free(config);
	/* The context that is asked for, not the current one. */
	config = parse_good("contexts: [{name: c, context: {cluster: other}}, {name: d, context: {cluster: k}}]\n"
	                    "current-context: c\n" CLUSTER,
	                    "d");
	assert_string_equal(config->server, "https://api.test:6443");
	assert_null(config->token);
	kubeconfig_free(config);
}

static void whole(void **state)
{
	struct kubeconfig *config = parse_good(
	    "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: admin\n"
	    "clusters:\n- name: other\n  cluster: {server: 'https://no:1'}\n- name: ose1\n  cluster:\n"
	    "    server: https://api.ose1.test:6443///\n    tls-server-name: kubernetes.default\n"
	    "    insecure-skip-tls-verify: true\n    certificate-authority: ca.pem\n"
	    "    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCng=\n    extensions: [{name: x}]\n"
	    "contexts:\n- context: {cluster: ose1, user: admin, namespace: n}\n  name: admin\n"
	    "users:\n- name: admin\n  user:\n    tokenFile: ../token\n    token: plain\n"
	    "    client-certificate: /abs/c.pem\n    client-key: k.pem\n"
	    "    client-certificate-data: LS0tLS1CRUdJTiBD\n    client-key-data: |\n      LS0tLS1C\n      RUdJTiBL\n",
	    NULL);
	assert_string_equal(config->server, "https://api.ose1.test:6443");
	assert_string_equal(config->tls_server_name, "kubernetes.default");
	assert_true(config->insecure_skip_tls_verify);
	assert_string_equal(config->ca_file, "/etc/kube/ca.pem");
	assert_string_equal(config->ca_data, "-----BEGIN CERTIFICATE-----\nx");
	assert_string_equal(config->cert_file, "/abs/c.pem");
	assert_string_equal(config->cert_data, "-----BEGIN C");
	assert_string_equal(config->key_file, "/etc/kube/k.pem");
	assert_string_equal(config->key_data, "-----BEGIN K");
	assert_string_equal(config->token_file, "/etc/kube/../token");
	assert_string_equal(config->token, "plain");
	kubeconfig_free(config);
}

static void json_is_yaml(void **state)
{
	struct kubeconfig *config = parse_good(
	    "{\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\",\"user\":\"u\"}}],\"current-context\":\"c\","
	    "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"https://[2001:db8::1]:6443\"}}],"
	    "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"\",\"username\":\"\",\"exec\":null}}]}",
	    NULL);
	assert_string_equal(config->server, "https://[2001:db8::1]:6443");
	assert_null(config->token);
	kubeconfig_free(config);
}

/* One fault, with its place; never a secret. */
static void refused(void **state)
{
	static const struct {
		const char *text, *path, *reason;
	} cases[] = {
	    {"[]", "$", "is an array"},
	    {"{}", "$.current-context", "is missing"},
	    {"current-context: ''", "$.current-context", "is missing"},
	    {"current-context: {}", "$.current-context", "is an object"},
	    {"current-context: c\n" CLUSTER USER, "$.contexts", "has no \"c\""},
	    {CONTEXT USER, "$.clusters", "has no \"k\""},
	    {CONTEXT CLUSTER, "$.users", "has no \"u\""},
	    {"current-context: c\ncontexts: [{name: c, context: {user: u}}]\n" USER, "$.contexts[0].context.cluster",
	     "is missing"},
	    {"current-context: c\ncontexts: [{name: c}]\n", "$", "names no server"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {}}]", "$.clusters[0].cluster.server", "is missing"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {server: 5}}]", "$.clusters[0].cluster.server",
	     "is no such address"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {server: 'http://api.test:6443'}}]",
	     "$.clusters[0].cluster.server", "is no such address"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {server: 'https://SECRET:SECRET@api.test'}}]",
	     "$.clusters[0].cluster.server", "is no such address"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {server: 'https://a.test', proxy-url: 'http://p'}}]",
	     "$.clusters[0].cluster.proxy-url", "proxies are not used"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {server: 'https://a.test', tls-server-name: 'a b'}}]",
	     "$.clusters[0].cluster.tls-server-name", "is none"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {server: 'https://a.test', insecure-skip-tls-verify: maybe}}]",
	     "$.clusters[0].cluster.insecure-skip-tls-verify", "is a string"},
	    {CONTEXT USER "clusters: [{name: k, cluster: {server: 'https://a.test', certificate-authority-data: '!'}}]",
	     "$.clusters[0].cluster.certificate-authority-data", "is no base64"},
	    {CONTEXT USER
	     "clusters: [{name: k, cluster: {server: 'https://a.test', certificate-authority-data: U0VDUkVU}}]",
	     "$.clusters[0].cluster.certificate-authority-data", "holds no PEM"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {exec: {command: SECRET}}}]", "$.users[0].user.exec",
	     "programs are not run to get a credential"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {auth-provider: {name: oidc}}}]", "$.users[0].user.auth-provider",
	     "auth-provider plugins are not used"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {username: a}}]", "$.users[0].user.username",
	     "user name and password are not used"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {password: SECRET}}]", "$.users[0].user.password",
	     "user name and password are not used"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {token: abc, as: system:admin}}]", "$.users[0].user.as",
	     "nobody else is impersonated"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {token: \"SECRET\\r\\nX: y\"}}]", "$.users[0].user.token",
	     "has bytes that no token has"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {client-key: k.pem}}]", "$.users[0].user.client-certificate",
	     "is missing, the other is there"},
	    {CONTEXT CLUSTER "users: [{name: u, user: {client-certificate: k.pem}}]", "$.users[0].user.client-key",
	     "is missing, the other is there"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_faults faults = {0};
		assert_null(parse(cases[i].text, NULL, &faults));
		assert_int_equal(faults.count, 1);
		assert_string_equal(faults.list[0].path, cases[i].path);
		assert_string_equal(faults.list[0].reason, cases[i].reason);
		assert_null(strstr(faults.list[0].expected, "SECRET"));
		json_faults_free(&faults);
	}
}

static void all_faults_at_once(void **state)
{
	struct json_faults faults = {0};
	assert_null(parse(CONTEXT "clusters: [{name: k, cluster: {server: x, proxy-url: y}}]\n"
	                          "users: [{name: u, user: {exec: {}, username: z}}]",
	                  NULL, &faults));
	assert_int_equal(faults.count, 4);
	json_faults_free(&faults);
}

static void servers(void **state)
{
	static const struct {
		const char *url, *cut; /* NULL: refused */
	} cases[] = {
	    {"https://api.test:6443", "https://api.test:6443"},
	    {"https://api.test/", "https://api.test"},
	    {"https://rancher.test/k8s/clusters/c-1//", "https://rancher.test/k8s/clusters/c-1"},
	    {"http://127.0.0.1:8001", "http://127.0.0.1:8001"},
	    {"http://localhost:8001/", "http://localhost:8001"},
	    {"http://[::1]:8001", "http://[::1]:8001"},
	    {"http://api.test", NULL},
	    {"http://127.evil.test", NULL},
	    {"ftp://api.test", NULL},
	    {"api.test:6443", NULL},
	    {"https://u@api.test", NULL},
	    {"https://api.test?x=1", NULL},
	    {"https://api.test#x", NULL},
	    {"https://api test", NULL},
	    {"https://", NULL},
	    {"", NULL},
	    {"/", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char url[100];
		snprintf(url, sizeof(url), "%s", cases[i].url);
		const char *expected = kube_server_check(url);
		if ((expected == NULL) != (cases[i].cut != NULL))
			fail_msg("%s", cases[i].url);
		if (cases[i].cut)
			assert_string_equal(url, cases[i].cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small),
	    cmocka_unit_test(whole),
	    cmocka_unit_test(json_is_yaml),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(all_faults_at_once),
	    cmocka_unit_test(servers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

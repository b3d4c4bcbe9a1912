/* cli/settings: which source wins, and what is said about files that are wrong or open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/cli/settings.h"

static char directory[] = "/tmp/test_cli_settings.XXXXXX";
static struct arguments arguments;
static struct settings settings;
static char error[SETTINGS_ERROR_MAX], *warnings;

static const char *path_of(const char *name)
{
	static char path[200];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(path_of(name), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static bool read_settings(void)
{
	size_t size;
	free(warnings);
	settings_free(&settings);
	error[0] = '\0';
	struct output output = {.file = open_memstream(&warnings, &size)};
	bool good = settings_read(&settings, &arguments, &output, error);
	fclose(output.file);
	return good;
}

static int setup(void **state)
{
	memset(&arguments, 0, sizeof(arguments));
	unsetenv("POINTSMAN_URL");
	unsetenv("POINTSMAN_TOKEN");
	unsetenv("HOME");
	setenv("XDG_CONFIG_HOME", directory, 1);
	mkdir(path_of("pointsman"), 0700);
	unlink(path_of("pointsman/config"));
	return 0;
}

static void without_anything_there_are_defaults(void **state)
{
	assert_true(read_settings());
	assert_string_equal(settings.url, "http://127.0.0.1:8089");
	assert_null(settings.token);
	assert_null(settings.ca);
	assert_false(settings.insecure);
	unsetenv("XDG_CONFIG_HOME");
	assert_true(read_settings());
	assert_null(settings.path);
}

static void the_file_is_read(void **state)
{
	write_file("pointsman/config",
	           "# ours\n\n url = https://lb.example.ch:8089/ \ntoken=pm_abc\nca = /etc/ca.pem\ninsecure = true\n",
	           0600);
	assert_true(read_settings());
	assert_string_equal(settings.url, "https://lb.example.ch:8089");
	assert_string_equal(settings.token, "pm_abc");
	assert_string_equal(settings.ca, "/etc/ca.pem");
	assert_true(settings.insecure);
	assert_string_equal(warnings, "");
}

static void options_win_over_the_environment_over_the_file(void **state)
{
	write_file("token", "pm_of_option\n", 0600);
	write_file("pointsman/config", "url = http://file\ntoken = pm_of_file\n", 0600);
	setenv("POINTSMAN_URL", "http://environment", 1);
	setenv("POINTSMAN_TOKEN", "pm_of_environment", 1);
	assert_true(read_settings());
	assert_string_equal(settings.url, "http://environment");
	assert_string_equal(settings.token, "pm_of_environment");
	assert_string_equal(settings.token_from, "POINTSMAN_TOKEN");
	arguments.options[OPTION_URL] = "http://option";
	arguments.options[OPTION_TOKEN_FILE] = path_of("token");
	assert_true(read_settings());
	assert_string_equal(settings.url, "http://option");
	assert_string_equal(settings.token, "pm_of_option");
}

static void a_token_file_may_stand_in_the_file(void **state)
{
	char text[300];
	write_file("token", " pm_x \n", 0600);
	snprintf(text, sizeof(text), "token_file = %s\n", path_of("token"));
	write_file("pointsman/config", text, 0644); /* holds no secret itself */
	assert_true(read_settings());
	assert_string_equal(settings.token, "pm_x");
	assert_string_equal(warnings, "");
}

static void an_open_secret_is_warned_of(void **state)
{
	write_file("token", "pm_x\n", 0640);
	arguments.options[OPTION_TOKEN_FILE] = path_of("token");
	assert_true(read_settings());
	assert_non_null(strstr(warnings, "token holds a token and other users may read it: chmod 600"));
	arguments.options[OPTION_TOKEN_FILE] = NULL;
	write_file("pointsman/config", "token = pm_y\n", 0604);
	assert_true(read_settings());
	assert_non_null(strstr(warnings, "config holds a token"));
}

static void assert_refused(const char *expected)
{
	assert_false(read_settings());
	if (!strstr(error, expected))
		fail_msg("\"%s\" does not say \"%s\"", error, expected);
}

static void faults_name_file_and_line(void **state)
{
	write_file("pointsman/config", "url = http://x\ntoken_fil = /x\n", 0600);
	assert_refused("config:2: unknown setting token_fil; expected url, token_file");
	write_file("pointsman/config", "url\n", 0600);
	assert_refused("config:1: url; expected name = value");
	write_file("pointsman/config", "insecure = yes\n", 0600);
	assert_refused("expected true or false");
	write_file("pointsman/config", "token = two words\n", 0600);
	assert_refused("token is none");
	write_file("pointsman/config", "", 0600);
	arguments.options[OPTION_TOKEN_FILE] = "/nonexistent/token";
	assert_refused("/nonexistent/token cannot be read: No such file");
	write_file("token", "\n", 0600);
	arguments.options[OPTION_TOKEN_FILE] = path_of("token");
	assert_refused("holds no token");
}

static void addresses_are_checked(void **state)
{
	static const char *const bad[] = {"",          "localhost:8089", "ftp://x",     "http://",
	                                  "https:///", "http://u:p@x",   "http://x?a=b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		arguments.options[OPTION_URL] = bad[i];
		assert_refused("is no address of the API");
	}
	arguments.options[OPTION_URL] = "HTTPS://[2001:db8::1]:8089//";
	assert_true(read_settings());
	assert_string_equal(settings.url, "HTTPS://[2001:db8::1]:8089");
}

static void assert_local(const char *url, bool local)
{
	arguments.options[OPTION_URL] = url;
	assert_true(read_settings());
	assert_int_equal(settings_are_local(&settings), local);
}

static void this_machine_is_known(void **state)
{
	assert_local("http://127.0.0.1:8089", true);
	assert_local("http://localhost", true);
	assert_local("http://[::1]:1", true);
	assert_local("http://localhost.example.ch", false);
	assert_local("http://192.0.2.1", false);
	assert_local("http://[2001:db8::1]", false);
}

static int make_directory(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	settings_free(&settings);
	free(warnings);
	unlink(path_of("token"));
	unlink(path_of("pointsman/config"));
	rmdir(path_of("pointsman"));
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(without_anything_there_are_defaults, setup),
	    cmocka_unit_test_setup(the_file_is_read, setup),
	    cmocka_unit_test_setup(options_win_over_the_environment_over_the_file, setup),
	    cmocka_unit_test_setup(a_token_file_may_stand_in_the_file, setup),
	    cmocka_unit_test_setup(an_open_secret_is_warned_of, setup),
	    cmocka_unit_test_setup(faults_name_file_and_line, setup),
	    cmocka_unit_test_setup(addresses_are_checked, setup),
	    cmocka_unit_test_setup(this_machine_is_known, setup),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

/* revisions: what a crash leaves between two writes does no harm, and what cannot be saved is refused. */
#include "control/state/revisions.h"
#include "control_fixture.h"
#include "route_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct revisions *all(void)
{
	return fixture_control.revisions;
}

enum { PATH_SIZE = CONFIG_PATH_MAX + 40 };

static const char *path_of(const char *file, char path[static PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/revisions/%s", fixture_control.config->paths.state, file);
	return path;
}

static uint64_t save(const char *name)
{
	char why[STATE_FILE_TEXT_MAX];
	return revisions_save(&fixture_control, &fixture_actor, name, why);
}

static void listed_newest_first(void **state)
{
	assert_int_equal(save("one"), 1);
	assert_int_equal(save("two"), 2);
	assert_true(revisions_before(&fixture_control, &fixture_actor, "before a test", false));
	assert_int_equal(revisions_count(all()), 3);
	assert_string_equal(revisions_at(all(), 0)->what, "before a test");
	assert_string_equal(revisions_at(all(), 2)->name, "one");
	assert_null(revisions_at(all(), 3));
	/* Nothing has changed since: nothing to keep. */
	assert_true(revisions_before(&fixture_control, &fixture_actor, "before another", false));
	assert_int_equal(revisions_count(all()), 3);
	assert_true(revisions_before(&fixture_control, &fixture_actor, "before a removal", true));
	assert_int_equal(revisions_count(all()), 4);
}

static void a_file_that_is_not_listed_goes(void **state)
{
	char listed[PATH_SIZE], stray[PATH_SIZE], other[PATH_SIZE];
	save("one");
	assert_int_equal(link(path_of("1.state", listed), path_of("7.state", stray)), 0);
	assert_int_equal(link(listed, path_of("x7.state", other)), 0);
	fixture_restart();
	assert_int_equal(revisions_count(all()), 1);
	assert_int_equal(access(stray, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0); /* none of ours */
	assert_int_equal(save("two"), 2);
}

static void a_line_without_its_file_goes(void **state)
{
	char path[PATH_SIZE];
	save("one");
	save("two");
	unlink(path_of("1.state", path));
	fixture_restart();
	assert_int_equal(revisions_count(all()), 1);
	assert_string_equal(revisions_at(all(), 0)->name, "two");
}

static void a_lost_list_is_made_again(void **state)
{
	char path[PATH_SIZE];
	save("one");
	save("two");
	fixture_put("{'name': 'ose3', 'source': 'static'}");
	save("three");
	FILE *file = fopen(path_of("index.state", path), "w");
	fputs("rubbish", file);
	fclose(file);
	fixture_restart();
	assert_int_equal(revisions_count(all()), 3);
	assert_string_equal(revisions_at(all(), 0)->name, "three");
	assert_int_equal(revisions_at(all(), 0)->revision, fixture_control.state.revision);
	assert_int_equal(save("four"), 4);
}

/* Of a newer release, or a disk that fails now and then: what is not understood is not rubbish. */
static void what_cannot_be_read_stays(void **state)
{
	char path[PATH_SIZE], list[PATH_SIZE];
	save("one");
	FILE *file = fopen(path_of("1.state", path), "w");
	fputs("pointsman-state 99 2 00000000\n{}", file);
	fclose(file);
	assert_int_equal(unlink(path_of("index.state", list)), 0);
	assert_int_equal(link(path, list), 0);
	fixture_restart();
	assert_int_equal(revisions_count(all()), 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(save("two"), 2); /* and is not written over */
	fixture_restart();
	assert_int_equal(revisions_count(all()), 1);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_broken_one_says_so(void **state)
{
	char path[PATH_SIZE], why[STATE_FILE_TEXT_MAX];
	uint64_t revision = fixture_control.state.revision;
	save("one");
	FILE *file = fopen(path_of("1.state", path), "w");
	fputs("rubbish", file);
	fclose(file);
	assert_null(revisions_load(all(), 1, why));
	fixture_refused(409, "revision 1 cannot be read: it has no header of a state file", "POST",
	                "/api/v1/revisions/1/rollback", NULL);
	fixture_refused(409, "revision 1 cannot be read", "GET", "/api/v1/revisions/1", NULL);
	assert_int_equal(fixture_control.state.revision, revision);
	fixture_ask(200, "DELETE", "/api/v1/revisions/1", NULL);
	assert_int_equal(revisions_count(all()), 0);
}

static void what_cannot_be_saved_changes_nothing(void **state)
{
	struct rlimit limit, none;
	signal(SIGXFSZ, SIG_IGN);
	save("one");
	getrlimit(RLIMIT_FSIZE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &none);
	fixture_refused(507, "could not be saved", "POST", "/api/v1/revisions", "{'name': 'x'}");
	fixture_refused(507, "nothing was changed", "POST", "/api/v1/clusters/ose2/drain", NULL);
	fixture_refused(507, "could not be removed", "DELETE", "/api/v1/revisions/1", NULL);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(revisions_count(all()), 1);
	assert_int_equal(state_cluster(&fixture_control.state, "ose2")->spec->state, CLUSTER_ACTIVE);
	fixture_restart();
	assert_int_equal(revisions_count(all()), 1);
	assert_int_equal(save("two"), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(listed_newest_first),
	    TEST(a_file_that_is_not_listed_goes),
	    TEST(a_line_without_its_file_goes),
	    TEST(a_lost_list_is_made_again),
	    TEST(what_cannot_be_read_stays),
	    TEST(a_broken_one_says_so),
	    TEST(what_cannot_be_saved_changes_nothing),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}

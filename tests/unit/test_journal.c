/* The journal: numbers, what is kept, the file over restarts, and its line in the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "control/event_loop.h"
#include "control/observe/journal.h"

static char directory[64], path[96];
static int real_stderr;

/* The log of ten thousand entries is not for the test's reader. */
static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/pm-journal-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/events.jsonl", directory);
	real_stderr = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDERR_FILENO);
	close(null);
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void add(struct journal *journal, const char *text)
{
	journal_add(journal, &(struct journal_entry){.kind = "note", .object = "control", .text = text});
}

static size_t lines_of_file(void)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t lines = 0;
	for (int c; (c = getc(file)) != EOF;)
		lines += c == '\n';
	fclose(file);
	return lines;
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	fclose(file);
}

static void an_empty_journal_has_nothing(void **state)
{
	struct journal *journal = journal_open(NULL);
	assert_int_equal(journal_last(journal), 0);
	assert_int_equal(journal_oldest(journal), 0);
	assert_null(journal_find(journal, 0));
	assert_null(journal_find(journal, 1));
	journal_close(journal);
}

static void entries_are_copied_and_numbered(void **state)
{
	char who[] = "anna@192.0.2.7", text[] = "weight 10";
	struct journal *journal = journal_open(NULL);
	int64_t before = clock_unix_ms();
	journal_add(journal, &(struct journal_entry){.level = JOURNAL_WARNING,
	                                             .kind = "weight_set",
	                                             .who = who,
	                                             .object = "route",
	                                             .name = "app1.ch",
	                                             .reason = "move",
	                                             .revision = 7,
	                                             .text = text});
	memset(who, 'x', 3);
	memset(text, 'x', 3);
	const struct journal_entry *entry = journal_find(journal, 1);
	assert_int_equal(entry->id, 1);
	assert_true(entry->at >= before && entry->at <= clock_unix_ms());
	assert_string_equal(entry->who, "anna@192.0.2.7");
	assert_string_equal(entry->text, "weight 10");
	assert_string_equal(entry->reason, "move");
	assert_null(entry->cluster);
	assert_int_equal(entry->revision, 7);
	journal_close(journal);
}

static void long_and_dirty_texts_are_cut_and_cleaned(void **state)
{
	char text[5000];
	memset(text, 'x', sizeof(text) - 1);
	text[0] = '\n';
	text[1] = '\xff';
	text[sizeof(text) - 1] = '\0';
	struct journal *journal = journal_open(path);
	journal_add(journal, &(struct journal_entry){.kind = text, .object = text, .name = text, .text = text});
	journal_close(journal);
	journal = journal_open(path);
	const struct journal_entry *entry = journal_find(journal, 1);
	assert_int_equal(strlen(entry->kind), JOURNAL_KIND_MAX);
	assert_int_equal(strlen(entry->text), JOURNAL_TEXT_MAX);
	assert_memory_equal(entry->text, "??x", 3);
	journal_close(journal);
}

static void the_last_ones_are_kept(void **state)
{
	char text[32];
	struct journal *journal = journal_open(path);
	for (int i = 1; i <= JOURNAL_MAX + 5; i++) {
		snprintf(text, sizeof(text), "event %d", i);
		add(journal, text);
	}
	assert_int_equal(journal_last(journal), JOURNAL_MAX + 5);
	assert_int_equal(journal_oldest(journal), 6);
	assert_null(journal_find(journal, 5));
	assert_string_equal(journal_find(journal, 6)->text, "event 6");
	assert_null(journal_find(journal, JOURNAL_MAX + 6));
	journal_close(journal);
	/* The next start shortens the file. */
	assert_int_equal(lines_of_file(), JOURNAL_MAX + 5);
	journal = journal_open(path);
	assert_int_equal(lines_of_file(), JOURNAL_MAX);
	assert_int_equal(journal_oldest(journal), 6);
	assert_string_equal(journal_find(journal, 6)->text, "event 6");
	journal_close(journal);
}

static void a_file_twice_too_long_is_written_anew(void **state)
{
	struct journal *journal = journal_open(path);
	for (int i = 0; i < 2 * JOURNAL_MAX; i++)
		add(journal, "x");
	assert_int_equal(lines_of_file(), 2 * JOURNAL_MAX);
	add(journal, "y");
	assert_int_equal(lines_of_file(), JOURNAL_MAX);
	journal_close(journal);
	journal = journal_open(path);
	assert_int_equal(journal_last(journal), 2 * JOURNAL_MAX + 1);
	assert_string_equal(journal_find(journal, journal_last(journal))->text, "y");
	journal_close(journal);
}

static void numbers_go_on_over_restarts(void **state)
{
	struct journal *journal = journal_open(path);
	journal_add(journal, &(struct journal_entry){.level = JOURNAL_ERROR,
	                                             .kind = "host_down",
	                                             .object = "host",
	                                             .cluster = "ose1",
	                                             .name = "r1",
	                                             .text = "\"quoted\""});
	int64_t at = journal_find(journal, 1)->at;
	journal_close(journal);
	journal = journal_open(path);
	assert_int_equal(journal_last(journal), 1);
	const struct journal_entry *entry = journal_find(journal, 1);
	assert_int_equal(entry->at, at);
	assert_int_equal(entry->level, JOURNAL_ERROR);
	assert_string_equal(entry->object, "host");
	assert_string_equal(entry->cluster, "ose1");
	assert_string_equal(entry->text, "\"quoted\"");
	assert_null(entry->who);
	assert_null(journal_count(journal, 0));
	add(journal, "next");
	assert_int_equal(journal_last(journal), 2);
	journal_close(journal);
}

static void broken_lines_are_skipped(void **state)
{
	write_file("{\"id\":3,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"three\"}\n"
	           "rubbish\n\n[1]\n\"x\"\n"
	           "{\"id\":2,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"out of order\"}\n"
	           "{\"id\":-7,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"negative\"}\n"
	           "{\"id\":9223372036854775807,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"huge\"}\n"
	           "{\"id\":4,\"at\":1,\"level\":7,\"kind\":\"a\",\"text\":\"no level\"}\n"
	           "{\"id\":5,\"at\":1,\"level\":\"info\",\"kind\":\"a\"}\n"
	           "{\"id\":9,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"nine\"}\n"
	           "{\"id\":10,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"cut\"}");
	struct journal *journal = journal_open(path);
	assert_int_equal(journal_oldest(journal), 3);
	assert_int_equal(journal_last(journal), 9);
	assert_null(journal_find(journal, 4));
	assert_string_equal(journal_find(journal, 9)->text, "nine");
	add(journal, "ten");
	journal_close(journal);
	assert_int_equal(lines_of_file(), 3);
}

static void a_jump_of_the_numbers_leaves_the_old_behind(void **state)
{
	write_file("{\"id\":1,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"one\"}\n"
	           "{\"id\":4000000000000000000,\"at\":1,\"level\":\"info\",\"kind\":\"a\",\"text\":\"far\"}\n");
	struct journal *journal = journal_open(path);
	assert_int_equal(journal_oldest(journal), 4000000000000000000);
	assert_null(journal_find(journal, 1));
	journal_close(journal);
}

static void a_file_that_cannot_be_written_costs_nothing_else(void **state)
{
	char nowhere[] = "/proc/pm-none/events.jsonl";
	struct journal *journal = journal_open(nowhere);
	add(journal, "a");
	add(journal, "b");
	assert_int_equal(journal_last(journal), 2);
	journal_close(journal);
}

static void writing_is_tried_again(void **state)
{
	char deep[128], line[128];
	snprintf(deep, sizeof(deep), "%s/late/events.jsonl", directory);
	struct journal *journal = journal_open(deep);
	add(journal, "lost");
	snprintf(line, sizeof(line), "%s/late", directory);
	assert_int_equal(mkdir(line, 0700), 0);
	add(journal, "kept");
	journal_close(journal);
	journal = journal_open(deep);
	assert_int_equal(journal_oldest(journal), 2);
	assert_string_equal(journal_find(journal, 2)->text, "kept");
	journal_close(journal);
}

static void kinds_are_counted(void **state)
{
	struct journal *journal = journal_open(NULL);
	for (int i = 0; i < 2 * JOURNAL_COUNTS_MAX; i++) {
		char kind[16];
		snprintf(kind, sizeof(kind), "kind%d", i / 2);
		journal_add(journal, &(struct journal_entry){
		                         .kind = kind, .level = JOURNAL_WARNING, .object = "control", .text = "x"});
	}
	journal_add(journal, &(struct journal_entry){.kind = "kind0", .object = "control", .text = "x"});
	uint64_t sum = 0, other = 0;
	const struct journal_count *count;
	for (unsigned i = 0; (count = journal_count(journal, i)); i++) {
		sum += count->count;
		if (strcmp(count->kind, "other") == 0)
			other += count->count;
		if (strcmp(count->kind, "kind3") == 0)
			assert_int_equal(count->count, 2);
	}
	assert_int_equal(sum, 2 * JOURNAL_COUNTS_MAX + 1);
	assert_in_range(other, 1, 10);
	journal_close(journal);
}

static unsigned heard;
static uint64_t heard_id;

static void hear(void *context, const struct journal_entry *entry)
{
	assert_ptr_equal(context, &heard);
	heard++;
	heard_id = entry->id;
}

static void the_listener_hears_new_entries(void **state)
{
	struct journal *journal = journal_open(path);
	add(journal, "before");
	journal_listen(journal, hear, &heard);
	add(journal, "after");
	assert_int_equal(heard, 1);
	assert_int_equal(heard_id, 2);
	journal_close(journal);
}

static void the_log_says_who_why_and_revision(void **state)
{
	int ends[2];
	char out[2048];
	struct journal *journal = journal_open(NULL);
	log_init("pointsman-test");
	assert_int_equal(pipe(ends), 0);
	int kept = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	struct journal_entry entry = {.level = JOURNAL_WARNING,
	                              .kind = "weight_set",
	                              .who = "anna@192.0.2.7",
	                              .object = "route",
	                              .name = "app1.ch",
	                              .reason = "move",
	                              .revision = 7,
	                              .text = "weight 10"};
	journal_add(journal, &entry);
	log_format(true);
	journal_add(journal, &entry);
	log_format(false);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(ends[1]);
	ssize_t len = read(ends[0], out, sizeof(out) - 1);
	close(ends[0]);
	assert_true(len > 0);
	out[len] = '\0';
	char *second = strchr(out, '\n') + 1;
	second[-1] = '\0';
	assert_string_equal(out, "<4>pointsman-test: weight 10; by anna@192.0.2.7 (move); revision 7");
	assert_non_null(strstr(second, "\"kind\":\"weight_set\",\"who\":\"anna@192.0.2.7\",\"object\":\"route\","
	                               "\"name\":\"app1.ch\",\"reason\":\"move\",\"revision\":7}\n"));
	assert_non_null(strstr(second, "\"level\":\"warning\""));
	journal_close(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_empty_journal_has_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(entries_are_copied_and_numbered, setup, teardown),
	    cmocka_unit_test_setup_teardown(long_and_dirty_texts_are_cut_and_cleaned, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_last_ones_are_kept, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_twice_too_long_is_written_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(numbers_go_on_over_restarts, setup, teardown),
	    cmocka_unit_test_setup_teardown(broken_lines_are_skipped, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_jump_of_the_numbers_leaves_the_old_behind, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_costs_nothing_else, setup, teardown),
	    cmocka_unit_test_setup_teardown(writing_is_tried_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(kinds_are_counted, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_listener_hears_new_entries, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_log_says_who_why_and_revision, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

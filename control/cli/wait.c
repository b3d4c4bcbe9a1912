/* --wait: see the header. */
#include "control/cli/wait.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/cli.h"
#include "control/cli/fields.h"
#include "control/cli/problem.h"
#include "control/cli/text.h"
#include "control/cli/units.h"

enum {
	APPLIED_SECONDS = 30,
	PLAIN_LINE_SECONDS = 10,     /* between two lines of progress into a file */
	DEADLINE_GRACE_SECONDS = 15, /* control closes what is left; that takes a moment */
	FAILURES_MAX = 30,           /* seconds without an answer: control may be starting again */
	ROUTES_SHOWN = 4,
};

static volatile sig_atomic_t interrupted;
static struct sigaction before_interrupt, before_terminate;

static void on_signal(int number)
{
	interrupted = 1;
}

void wait_interrupts_begin(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	interrupted = 0;
	sigaction(SIGINT, &action, &before_interrupt);
	sigaction(SIGTERM, &action, &before_terminate);
}

void wait_interrupts_end(void)
{
	sigaction(SIGINT, &before_interrupt, NULL);
	sigaction(SIGTERM, &before_terminate, NULL);
}

bool wait_second(void)
{
	struct timespec left = {.tv_sec = 1};
	while (!interrupted && nanosleep(&left, &left) != 0 && errno == EINTR)
		;
	return interrupted;
}

static int64_t seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* ---- until it is applied ---- */

static int64_t applied_revision(struct cli *cli, char *dataplane, size_t size)
{
	struct answer answer;
	struct request request = {.method = "GET", .target = "/api/v1/status"};
	int64_t revision = -1;
	if (client_call(cli->client, &request, &answer) && answer.status == 200) {
		revision = field_int(answer.json, "applied_revision");
		snprintf(dataplane, size, "%s", field_text(answer.json, "dataplane.state"));
	}
	answer_free(&answer);
	return revision;
}

int wait_applied(struct cli *cli, const json_t *answer)
{
	char dataplane[64] = "unknown";
	int64_t wanted = field_int(answer, "revision"), end = seconds_now() + APPLIED_SECONDS;
	if (field_true(answer, "dry_run") || field_true(answer, "applied"))
		return CLI_DONE;
	wait_interrupts_begin();
	bool stopped = false, done = false;
	fflush(cli->out.file);
	while (!stopped && seconds_now() < end) {
		done = applied_revision(cli, dataplane, sizeof(dataplane)) >= wanted;
		if (done)
			break;
		stopped = wait_second();
	}
	wait_interrupts_end();
	if (done && !cli_json(cli))
		output_toned(&cli->out, TONE_GOOD, "Done, revision %lld", (long long)wanted);
	if (done)
		return CLI_DONE;
	cli_fail(cli, "revision %lld is saved, but the workers have not confirmed it (dataplane: %s)",
	         (long long)wanted, dataplane);
	return stopped ? CLI_FAILED : CLI_LATE;
}

/* ---- until it is empty ---- */

struct progress {
	struct cli *cli;
	const struct drain *drain;
	const struct output *output;
	int64_t begin, last_line;
	int64_t left; /* connections at the last look; -1: never seen */
	unsigned failures;
	bool line_open; /* a redrawn line stands on the terminal */
};

static void end_line(struct progress *progress)
{
	if (progress->line_open)
		fputc('\n', progress->output->file);
	progress->line_open = false;
}

/* A line of progress; `last`: it stays. */
static void print_progress(struct progress *progress, const char *text, bool last)
{
	const struct output *output = progress->output;
	char *clean = text_clean(text);
	if (output->terminal) {
		unsigned room = output->width - 1;
		fprintf(output->file, "\r\033[K%.*s", (int)text_fit(clean, &room), clean);
		progress->line_open = true;
	} else if (last || progress->last_line < 0 || seconds_now() - progress->last_line >= PLAIN_LINE_SECONDS) {
		fprintf(output->file, "%s\n", clean);
		progress->last_line = seconds_now();
	}
	fflush(output->file);
	free(clean);
}

/* "app1.ch 12, app2.ch 3, 4 others" */
static void put_routes(FILE *out, const json_t *connections)
{
	size_t i;
	const json_t *entry, *list = field(connections, "by_route");
	json_array_foreach(list, i, entry)
	{
		if (i == ROUTES_SHOWN) {
			fprintf(out, ", %zu more", json_array_size(list) - i);
			break;
		}
		const char *route = field_text(entry, "route");
		fprintf(out, "%s%s %lld", i > 0 ? ", " : ": ", route[0] != '\0' ? route : "(no route)",
		        (long long)field_int(entry, "count"));
	}
}

static void show_left(struct progress *progress, const json_t *connections)
{
	char *text = NULL, number[UNITS_TEXT_MAX];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	const struct drain *drain = progress->drain;
	fprintf(out, "%s%s%s: %s connection%s left", drain->cluster, drain->host ? "/" : "",
	        drain->host ? drain->host : "", count_format(progress->left, number), progress->left == 1 ? "" : "s");
	if (progress->left > 0)
		fprintf(out, ", oldest %s", duration_format(field_int(connections, "oldest_seconds"), number));
	int64_t rest = progress->begin + drain->timeout - seconds_now();
	if (progress->left > 0 && drain->timeout >= 0 && rest > 0)
		fprintf(out, ", closed in %s", duration_format(rest, number));
	put_routes(out, connections);
	if (fclose(out) != 0)
		abort();
	print_progress(progress, text, progress->left == 0);
	free(text);
}

/* Somebody has enabled it again: it would never end. The mode now is told in `mode`. */
static bool is_called_off(struct progress *progress, char *mode, size_t size)
{
	const struct drain *drain = progress->drain;
	struct answer answer;
	char *target = drain->host ? target_make("/api/v1/hosts/%s/%s", drain->cluster, drain->host)
	                           : target_make("/api/v1/clusters/%s/status", drain->cluster);
	struct request request = {.method = "GET", .target = target};
	bool off = false;
	if (client_call(progress->cli->client, &request, &answer) && answer.status == 200) {
		/* An entry may be the answer itself, or stand in it under its kind. */
		const char *path = drain->host                           ? "host.admin"
		                   : field(answer.json, "cluster.state") ? "cluster.state"
		                                                         : "state";
		snprintf(mode, size, "%s", field_text(answer.json, path));
		off = strcmp(mode, drain->host ? "enabled" : "active") == 0;
	}
	free(target);
	answer_free(&answer);
	return off;
}

/* Looks once. False: the API has not said. */
static bool look(struct progress *progress)
{
	const struct drain *drain = progress->drain;
	struct answer answer;
	char *target =
	    target_add(target_make("/api/v1/connections?limit=1&cluster=%s", drain->cluster), "host", drain->host);
	struct request request = {.method = "GET", .target = target};
	bool good = client_call(progress->cli->client, &request, &answer) && answer.status == 200;
	if (good) {
		progress->failures = 0;
		progress->left = field_int(answer.json, "total");
		show_left(progress, answer.json);
	} else if (++progress->failures < FAILURES_MAX)
		print_progress(progress,
		               answer.status == 503 ? "the dataplane does not answer; waiting for it"
		                                    : "control does not answer; waiting for it",
		               false);
	else {
		end_line(progress);
		problem_print(progress->cli, &request, &answer);
	}
	free(target);
	answer_free(&answer);
	return good;
}

static const char *undo_of(const struct drain *drain)
{
	return drain->host ? "host enable" : "cluster enable";
}

/* CLI_DONE, CLI_LATE or CLI_FAILED when the wait is over, else -1. */
static int step(struct progress *progress)
{
	const struct drain *drain = progress->drain;
	char mode[64];
	int64_t past = seconds_now() - progress->begin, before = progress->left;
	if (is_called_off(progress, mode, sizeof(mode))) {
		end_line(progress);
		return cli_fail(progress->cli, "%s%s%s is %s again: somebody has called the drain off", drain->cluster,
		                drain->host ? "/" : "", drain->host ? drain->host : "", mode);
	}
	bool known = look(progress);
	if (progress->failures >= FAILURES_MAX)
		return CLI_FAILED;
	bool over = drain->timeout >= 0 && past >= drain->timeout;
	if (known && progress->left == 0 && (!over || before <= 0))
		return CLI_DONE;
	if (!over || (progress->left > 0 && past < drain->timeout + DEADLINE_GRACE_SECONDS))
		return -1;
	end_line(progress);
	if (progress->left == 0)
		cli_fail(progress->cli, "the time was over: the last connections (%lld a second ago) were closed",
		         (long long)before);
	else
		cli_fail(progress->cli, "the time is over and %lld connections are still there; see pointsman conns",
		         (long long)progress->left);
	return CLI_LATE;
}

int wait_drained(struct cli *cli, const struct drain *drain)
{
	struct progress progress = {
	    .cli = cli,
	    .drain = drain,
	    .output = cli_json(cli) ? &cli->err : &cli->out,
	    .begin = seconds_now(),
	    .last_line = -1,
	    .left = -1,
	};
	wait_interrupts_begin();
	int status = step(&progress);
	while (status < 0 && !wait_second())
		status = step(&progress);
	wait_interrupts_end();
	end_line(&progress);
	if (status >= 0)
		return status;
	return cli_fail(cli, "no longer waiting; the drain goes on. To call it off: pointsman %s %s%s%s",
	                undo_of(drain), drain->cluster, drain->host ? "/" : "", drain->host ? drain->host : "");
}

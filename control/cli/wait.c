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
	DEADLINE_NEAR_SECONDS = 2,   /* so far our clock may be from the one of control */
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
	int64_t left;      /* connections at the last look; -1: never seen */
	int64_t last_seen; /* how many there were when there were some */
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

/* What the API says of the drain itself. */
struct drain_state {
	char mode[64];                /* "draining"; "" if the API has not said */
	int64_t drained_at, deadline; /* Unix ms, -1: not yet, none */
};

static struct drain_state ask_state(struct progress *progress)
{
	const struct drain *drain = progress->drain;
	struct answer answer;
	struct drain_state state = {.drained_at = -1, .deadline = -1};
	char *target = drain->host ? target_make("/api/v1/hosts/%s/%s", drain->cluster, drain->host)
	                           : target_make("/api/v1/clusters/%s/status", drain->cluster);
	struct request request = {.method = "GET", .target = target};
	if (client_call(progress->cli->client, &request, &answer) && answer.status == 200) {
		const json_t *entry = drain->host ? field(answer.json, "host") : answer.json;
		snprintf(state.mode, sizeof(state.mode), "%s", field_text(entry, drain->host ? "admin" : "state"));
		state.drained_at = field_time(entry, "drain.drained_at");
		state.deadline = field_time(entry, "drain.deadline");
	}
	free(target);
	answer_free(&answer);
	return state;
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
		if (progress->left > 0)
			progress->last_seen = progress->left;
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

static int say_called_off(struct progress *progress, const char *mode)
{
	const struct drain *drain = progress->drain;
	end_line(progress);
	return cli_fail(progress->cli, "%s%s%s is %s again: somebody has called the drain off", drain->cluster,
	                drain->host ? "/" : "", drain->host ? drain->host : "", mode);
}

static int say_late(struct progress *progress)
{
	end_line(progress);
	if (progress->left > 0)
		cli_fail(progress->cli, "the time is over and %lld connections are still there; see pointsman conns",
		         (long long)progress->left);
	else
		cli_fail(progress->cli, "the time was over: the connections that were left (%lld) were closed",
		         (long long)progress->last_seen);
	return CLI_LATE;
}

/* CLI_DONE, CLI_LATE or CLI_FAILED when the wait is over, else -1. */
static int step(struct progress *progress)
{
	const struct drain *drain = progress->drain;
	int64_t past = seconds_now() - progress->begin;
	struct drain_state state = ask_state(progress);
	if (strcmp(state.mode, drain->host ? "enabled" : "active") == 0)
		return say_called_off(progress, state.mode);
	bool empty = look(progress) && progress->left == 0;
	if (progress->failures >= FAILURES_MAX)
		return CLI_FAILED;
	/* Only control knows whether the last ones ended or were closed; near the end of the time it is waited for. */
	bool near_end = drain->timeout >= 0 && past + DEADLINE_NEAR_SECONDS >= drain->timeout;
	if (empty && state.drained_at >= 0 && state.deadline >= 0 && state.drained_at >= state.deadline)
		return progress->last_seen > 0 ? say_late(progress) : CLI_DONE;
	if (empty && (state.drained_at >= 0 || progress->last_seen == 0 || !near_end))
		return CLI_DONE;
	return near_end && past >= drain->timeout + DEADLINE_GRACE_SECONDS ? say_late(progress) : -1;
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
	                drain->host ? "host enable" : "cluster enable", drain->cluster, drain->host ? "/" : "",
	                drain->host ? drain->host : "");
}

/* pointsman top: the live view. A second thread asks the API each second, so that keys work while an answer is slow. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/terminal.h"
#include "control/cli/top_view.h"

enum {
	REDRAW_MS = 1000,
	CALL_TIMEOUT_MS = 5000,
	ROUTES_SHOWN = 50,
};

struct top {
	struct client *client; /* of the second thread */
	int wake;              /* eventfd: `fresh` is there */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	struct top_data *fresh; /* taken by the first thread; NULL: nothing new */
	enum top_sort sort;
	bool stop;
};

/* ---- second thread ---- */

static double monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* NULL: it did not come, and `data->error` says why. */
static json_t *get(struct top *top, struct top_data *data, const char *target)
{
	struct answer answer;
	struct request request = {.method = "GET", .target = target, .timeout_ms = CALL_TIMEOUT_MS};
	json_t *json = NULL;
	if (data->error[0] != '\0')
		return NULL;
	if (client_call(top->client, &request, &answer) && answer.status == 200)
		json = json_incref(answer.json);
	else if (answer.status == 0)
		snprintf(data->error, sizeof(data->error), "%s", answer.error);
	else
		snprintf(data->error, sizeof(data->error), "%s", field_text(answer.json, "detail"));
	answer_free(&answer);
	return json;
}

static struct top_data *fetch(struct top *top, enum top_sort sort)
{
	char routes[100];
	struct top_data *data = calloc(1, sizeof(*data));
	if (!data)
		abort();
	snprintf(routes, sizeof(routes), "/api/v1/routes?limit=%d&sort=%s", ROUTES_SHOWN, top_route_sort(sort));
	data->status = get(top, data, "/api/v1/status");
	data->stats = get(top, data, "/api/v1/stats");
	data->clusters = get(top, data, "/api/v1/clusters");
	data->hosts = get(top, data, "/api/v1/hosts?limit=1000");
	data->routes = get(top, data, routes);
	return data;
}

/* Until the next whole second of `begin`, or until something is to be done. Under the lock. */
static void pause_until(struct top *top, double begin, enum top_sort sort)
{
	double end = begin + 1;
	struct timespec until = {.tv_sec = (time_t)end, .tv_nsec = (long)((end - (double)(time_t)end) * 1e9)};
	while (!top->stop && top->sort == sort)
		if (pthread_cond_timedwait(&top->changed, &top->lock, &until) != 0)
			return;
}

static void *fetch_always(void *context)
{
	struct top *top = context;
	pthread_mutex_lock(&top->lock);
	while (!top->stop) {
		enum top_sort sort = top->sort;
		pthread_mutex_unlock(&top->lock);
		double begin = monotonic();
		struct top_data *data = fetch(top, sort);
		pthread_mutex_lock(&top->lock);
		if (top->fresh)
			top_data_free(top->fresh);
		top->fresh = data;
		eventfd_write(top->wake, 1);
		pause_until(top, begin, sort);
	}
	pthread_mutex_unlock(&top->lock);
	return NULL;
}

/* ---- first thread ---- */

/* Takes what is new. What did not come stays as it was. */
static void take_fresh(struct top *top, struct top_data **shown, bool paused)
{
	eventfd_t count;
	eventfd_read(top->wake, &count);
	pthread_mutex_lock(&top->lock);
	struct top_data *fresh = top->fresh;
	if (paused)
		fresh = NULL;
	else
		top->fresh = NULL;
	pthread_mutex_unlock(&top->lock);
	if (!fresh)
		return;
	if (fresh->error[0] != '\0' && (*shown)->status) {
		memcpy((*shown)->error, fresh->error, sizeof(fresh->error));
		top_data_free(fresh);
		return;
	}
	top_data_free(*shown);
	*shown = fresh;
}

static void sort_next(struct top *top, struct top_view *view)
{
	view->sort = (view->sort + 1) % TOP_SORTS;
	pthread_mutex_lock(&top->lock);
	top->sort = view->sort;
	pthread_cond_signal(&top->changed);
	pthread_mutex_unlock(&top->lock);
}

/* False: the end. */
static bool press(struct top *top, struct top_view *view, enum key key)
{
	size_t page = top_page(view);
	switch (key) {
	case KEY_QUIT:
		return false;
	case KEY_PAUSE:
		view->paused = !view->paused;
		break;
	case KEY_SORT:
		sort_next(top, view);
		break;
	case KEY_UP:
		view->scroll -= view->scroll > 0;
		break;
	case KEY_DOWN:
		view->scroll++;
		break;
	case KEY_PAGE_UP:
		view->scroll -= view->scroll > page ? page : view->scroll;
		break;
	case KEY_PAGE_DOWN:
		view->scroll += page;
		break;
	case KEY_HOME:
		view->scroll = 0;
		break;
	case KEY_END:
		view->scroll = SIZE_MAX / 2;
		break;
	case KEY_NONE:
		break;
	}
	return true;
}

static void draw(struct cli *cli, struct top_view *view)
{
	terminal_size(&view->rows, &view->columns);
	char *frame = top_frame(view);
	fputs(frame, cli->out.file);
	fflush(cli->out.file);
	free(frame);
}

static void show(struct cli *cli, struct top *top)
{
	struct top_data *shown = calloc(1, sizeof(*shown));
	if (!shown)
		abort();
	struct top_view view = {.colour = cli->out.colour, .url = cli->settings.url};
	enum key key = KEY_NONE;
	do {
		take_fresh(top, &shown, view.paused);
		view.data = shown;
		draw(cli, &view);
		key = terminal_wait(top->wake, REDRAW_MS);
	} while (press(top, &view, key));
	top_data_free(shown);
}

/* Signals are the first thread's business. */
static bool start(struct top *top, pthread_t *thread)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool good = pthread_create(thread, NULL, fetch_always, top) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return good;
}

static void stop(struct top *top, pthread_t thread)
{
	client_stop(top->client);
	pthread_mutex_lock(&top->lock);
	top->stop = true;
	pthread_cond_signal(&top->changed);
	pthread_mutex_unlock(&top->lock);
	pthread_join(thread, NULL);
}

static void init(struct top *top, struct cli *cli)
{
	pthread_condattr_t attributes;
	*top = (struct top){.client = client_new(&cli->settings), .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	pthread_mutex_init(&top->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&top->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void finish(struct top *top)
{
	if (top->fresh)
		top_data_free(top->fresh);
	pthread_cond_destroy(&top->changed);
	pthread_mutex_destroy(&top->lock);
	close(top->wake);
	client_free(top->client);
}

int top_run(struct cli *cli)
{
	struct answer answer;
	struct top top;
	pthread_t thread;
	if (cli_json(cli))
		return cli_misuse(cli, "top is for people; pointsman status --json and hosts --json are for programs");
	/* What can be said plainly is said before the screen is taken. */
	bool reachable = cli_get(cli, "/api/v1/status", &answer);
	answer_free(&answer);
	if (!reachable)
		return CLI_FAILED;
	init(&top, cli);
	bool taken = cli->out.terminal && terminal_begin(), started = taken && start(&top, &thread);
	if (started) {
		show(cli, &top);
		terminal_end();
		stop(&top, thread);
	} else if (taken)
		terminal_end();
	finish(&top);
	if (!taken)
		return cli_fail(cli, "top needs a terminal; pointsman status, hosts and watch ROUTE do without one");
	return started ? CLI_DONE : cli_fail(cli, "no thread could be started");
}

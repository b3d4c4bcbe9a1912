/* pointsman-control: arguments, start order, signals, and the replacement of the process by a fresh one. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/close_range.h>

#include "common/config.h"
#include "common/log.h"
#include "common/program_arguments.h"
#include "common/run_file.h"
#include "common/shared.h"
#include "control/api/admin_http.h"
#include "control/api/admin_listen.h"
#include "control/api/auth.h"
#include "control/config_check.h"
#include "control/traffic/connection_log.h"
#include "control/control.h"
#include "control/reload.h"
#include "control/observe/stream.h"
#include "control/api/websocket.h"

static const struct program program = {
    .name = "pointsman-control",
    .version = PM_VERSION,
    .about = "Tells the dataplane what goes where: watches clusters, checks router hosts, serves the admin API.",
    .checks = true,
};

static int check(const char *path)
{
	struct config_errors errors = {0};
	char summary[200];
	bool good = config_check(path, &errors, summary, sizeof(summary));
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	if (good)
		printf("%s: %s\n", path, summary);
	else
		fprintf(stderr, "%s: %zu error%s\n", path, errors.count, errors.count == 1 ? "" : "s");
	config_errors_free(&errors);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* One control per state directory: held until the process ends. False: the reason was logged. */
static bool take_lock(const struct config *config)
{
	char path[CONTROL_PATH_MAX], pid[16] = "";
	if (mkdir(config->paths.state, 0750) != 0 && errno != EEXIST) {
		log_error("%s cannot be made: %s; make it, or set paths.state", config->paths.state, strerror(errno));
		return false;
	}
	snprintf(path, sizeof(path), "%s/control.lock", config->paths.state);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		log_error("%s cannot be opened: %s; run as a user who may write there, or set paths.state", path,
		          strerror(errno));
		return false;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t len = read(fd, pid, sizeof(pid) - 1);
		pid[len > 0 ? len : 0] = '\0';
		log_error("another pointsman-control (pid %s) runs with %s: stop it first", pid, config->paths.state);
		close(fd);
		return false;
	}
	int len = snprintf(pid, sizeof(pid), "%d", getpid());
	if (ftruncate(fd, 0) != 0 || write(fd, pid, (size_t)len) != len)
		log_warning("%s cannot be written: %s", path, strerror(errno)); /* only a courtesy to people */
	return true;
}

/* A dataplane of another version that runs already is an operator's mistake, which is best seen at once. (One that
 * comes later is shown in the status.) False: the reason was logged. */
static bool check_dataplane(const struct config *config)
{
	char path[CONTROL_PATH_MAX];
	struct run_file run;
	snprintf(path, sizeof(path), "%s/" RUN_FILE_NAME, config->paths.run);
	if (getenv(ADMIN_FD_VARIABLE) || !run_file_read(path, &run) || run.version == SHARED_VERSION ||
	    process_start_time(run.pid) != run.start_time)
		return true;
	log_error("the dataplane (pid %d) has version %u of shared memory, this control %d: run both programs from one "
	          "release",
	          run.pid, run.version, SHARED_VERSION);
	return false;
}

/* As many files as the system allows: each running check takes one. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

struct signals {
	struct event_fd source;
	struct event_loop *loop;
	struct control *control;
};

/* Nobody waits for the outcome: the log has it. */
static void reload_done(void *context, struct reload_outcome *outcome)
{
	for (size_t i = 0; i < outcome->errors.count; i++)
		log_error("%s", outcome->errors.lines[i]);
	for (size_t i = 0; i < outcome->changes.count && outcome->result == RELOAD_RESTART; i++)
		if (outcome->changes.list[i].restart)
			log_error("%s cannot change while the programs run (%s): restart both, or take the change back",
			          outcome->changes.list[i].path, outcome->changes.list[i].why);
	if (outcome->result != RELOAD_DONE && outcome->result != RELOAD_NOTHING)
		log_error("the configuration was not taken; the one before goes on");
	config_errors_free(&outcome->errors);
}

static void signalled(void *context, uint32_t events)
{
	struct signals *signals = context;
	struct signalfd_siginfo info;
	const struct actor actor = {.who = "SIGHUP"};
	if (read(signals->source.fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP) {
		event_loop_stop(signals->loop);
		return;
	}
	connection_log_reopen(signals->control->connection_log);
	reload_begin(signals->control->reload, false, &actor, reload_done, NULL);
}

/* SIGTERM and SIGINT end the loop, SIGHUP reads the configuration again; also inherited by every thread, so that no
 * other one takes them. */
static bool watch_signals(struct signals *signals)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals->source = (struct event_fd){
	    .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signalled, .context = signals};
	return signals->source.fd >= 0 && event_loop_add(signals->loop, &signals->source, EPOLLIN);
}

/* This program again, with the listening socket and nothing else: DPDK's memory and files must not live on. */
static void replace_process(char **argv, int admin_fd)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", admin_fd);
	setenv(ADMIN_FD_VARIABLE, number, 1);
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	fcntl(admin_fd, F_SETFD, 0);
	execv("/proc/self/exe", argv);
	log_error("cannot start again: %s", strerror(errno));
}

/* Serves until a signal or a restart. False: the reason was logged. */
static bool serve(const char *path, const struct config *config, int admin_fd, bool *restart)
{
	struct control control;
	struct event_loop *loop = event_loop_create();
	struct signals signals = {.loop = loop, .control = &control};
	if (!loop || !watch_signals(&signals)) {
		log_error("cannot start: %s", strerror(errno));
		return false;
	}
	if (!control_init(&control, config, loop))
		return false;
	control.reload = reload_create(&control, path);
	control.auth = auth_open(config, loop, control.journal);
	control.websockets = websockets_create(&control);
	struct admin_http *http = admin_http_start(&control, loop, admin_fd);
	if (!http)
		return false;
	control_start(&control);
	struct stream *stream = stream_create(&control);
	log_info("serving http%s://%s/, %zu router hosts, revision %llu",
	         config->admin.tls_certificate[0] != '\0' ? "s" : "", config->admin.listen, control.state.host_count,
	         (unsigned long long)control.state.revision);
	if (config->admin.tls_certificate[0] == '\0' && !config_address_is_loopback(&config->admin.listen_address))
		log_warning("the admin API on %s has no TLS: tokens cross the network as clear text; set admin.tls",
		            config->admin.listen);
	event_loop_run(loop);
	*restart = control.restart;
	websockets_close_all(control.websockets);
	admin_http_flush(http);
	admin_http_stop(http);
	stream_destroy(stream);
	control_stop(&control);
	websockets_destroy(control.websockets);
	auth_close(control.auth);
	event_loop_destroy(loop);
	return true;
}

/* The hugepages and rings of the dataplane are root's. */
static bool check_root(void)
{
	if (geteuid() == 0)
		return true;
	log_error("must run as root to reach the dataplane (--check FILE needs no root): start it with sudo or as a "
	          "system service");
	return false;
}

static int run(const char *path, char **argv)
{
	bool restart = false;
	struct config_errors errors = {0};
	struct config *config = config_read(path, &errors);
	for (size_t i = 0; i < errors.count; i++)
		log_error("%s", errors.lines[i]);
	config_errors_free(&errors);
	if (!config || !check_root())
		return EXIT_FAILURE;
	log_format(config->log.json);
	raise_file_limit();
	/* Handed on by a second descriptor: over a restart the address is never without a listener. */
	int admin_fd = check_dataplane(config) && take_lock(config) ? admin_listen(config) : -1;
	int kept_fd = admin_fd >= 0 ? fcntl(admin_fd, F_DUPFD_CLOEXEC, 3) : -1;
	bool good =
	    kept_fd >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == 0 && serve(path, config, admin_fd, &restart);
	config_free(config);
	if (good && restart)
		replace_process(argv, kept_fd);
	else if (good)
		log_info("ended; the dataplane goes on with its last tables");
	return good && !restart ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const struct program_arguments arguments = program_arguments_read(&program, argc, argv, stdout, stderr);
	if (arguments.action == PROGRAM_END)
		return arguments.status;
	log_init(program.name);
	return arguments.action == PROGRAM_CHECK ? check(arguments.path) : run(arguments.path, argv);
}

/* Lines into a file without waiting: see the header. */
#include "control/traffic/line_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"
#include "control/event_loop.h"

enum {
	FLUSH_MS = 50,         /* lines are gathered for so long */
	FULL_MS = 10,          /* the reader is slow */
	RETRY_MS = 1000,       /* after an error */
	LOOK_MS = 1000,        /* has the file been moved? */
	PER_TURN = 256 * 1024, /* bytes: the loop has other things to do */
	WHY_MAX = CONFIG_PATH_MAX + 200,
};

enum sort { SORT_FILE, SORT_SOCKET, SORT_PIPE };

struct line_sink {
	struct event_loop *loop;
	struct event_timer timer;
	char path[CONFIG_PATH_MAX + 1]; /* "": standard error */
	int fd;                         /* -1: not open */
	enum sort sort;
	uint64_t look_at; /* monotonic ms */
	char why[WHY_MAX];
	struct line_sink_counts counts;
	/* Lines from `begin` to `end`; of the first one `partial` bytes are written. */
	size_t begin, end, partial;
	char *bytes;
};

static void flush(void *context);

struct line_sink *line_sink_create(struct event_loop *loop, const char *path)
{
	struct line_sink *sink = calloc(1, sizeof(*sink));
	char *bytes = malloc(LINE_SINK_BUFFER);
	if (!sink || !bytes)
		abort();
	*sink = (struct line_sink){.loop = loop, .fd = -1, .bytes = bytes};
	sink->timer = (struct event_timer){.fire = flush, .context = sink};
	snprintf(sink->path, sizeof(sink->path), "%s", path);
	event_timer_set(loop, &sink->timer, clock_monotonic_ms()); /* a wrong path is best seen at once */
	return sink;
}

/* ---- the file ---- */

static void failed(struct line_sink *sink, const char *what)
{
	char why[WHY_MAX];
	const char *name = sink->path[0] != '\0' ? sink->path : "standard error";
	snprintf(why, sizeof(why), "%s cannot be %s: %s; lines wait, up to %u MiB", name, what, strerror(errno),
	         LINE_SINK_BUFFER >> 20);
	if (strcmp(why, sink->why) != 0)
		log_error("%s", why);
	memcpy(sink->why, why, sizeof(why));
}

static void close_file(struct line_sink *sink)
{
	if (sink->fd >= 0 && sink->path[0] != '\0')
		close(sink->fd);
	sink->fd = -1;
	sink->partial = 0; /* the new file gets that line whole */
}

static enum sort sort_of(int fd)
{
	struct stat status;
	if (fstat(fd, &status) != 0 || S_ISREG(status.st_mode))
		return SORT_FILE;
	return S_ISSOCK(status.st_mode) ? SORT_SOCKET : SORT_PIPE;
}

static bool open_file(struct line_sink *sink)
{
	if (sink->fd >= 0)
		return true;
	if (sink->path[0] == '\0')
		sink->fd = STDERR_FILENO;
	else
		sink->fd = open(sink->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	if (sink->fd < 0) {
		failed(sink, "opened");
		return false;
	}
	sink->sort = sort_of(sink->fd);
	sink->look_at = clock_monotonic_ms() + LOOK_MS;
	return true;
}

static bool was_moved(const struct line_sink *sink)
{
	struct stat named, open;
	if (fstat(sink->fd, &open) != 0)
		return false;
	return stat(sink->path, &named) != 0 || named.st_dev != open.st_dev || named.st_ino != open.st_ino;
}

static void look_for_move(struct line_sink *sink)
{
	uint64_t now = clock_monotonic_ms();
	if (sink->fd < 0 || sink->path[0] == '\0' || now < sink->look_at)
		return;
	sink->look_at = now + LOOK_MS;
	if (was_moved(sink))
		close_file(sink);
}

/* ---- writing ---- */

/* As much as goes without waiting; the errno is EAGAIN if nothing does. */
static ssize_t write_some(const struct line_sink *sink, const char *bytes, size_t len)
{
	struct pollfd pollfd = {.fd = sink->fd, .events = POLLOUT};
	if (sink->sort == SORT_SOCKET)
		return send(sink->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sink->sort == SORT_PIPE) {
		/* A pipe that is ready takes that much. */
		len = len < PIPE_BUF ? len : PIPE_BUF;
		if (poll(&pollfd, 1, 0) != 1) {
			errno = EAGAIN;
			return -1;
		}
	}
	return write(sink->fd, bytes, len);
}

/* `len` more bytes are written: lines that are complete are done with. */
static void advance(struct line_sink *sink, size_t len)
{
	const char *from = sink->bytes + sink->begin;
	size_t done = sink->partial + len;
	const char *last = memrchr(from, '\n', done);
	size_t lines_end = last ? (size_t)(last - from) + 1 : 0;
	for (const char *at = from; (at = memchr(at, '\n', lines_end - (size_t)(at - from))); at++) {
		sink->counts.written++;
		sink->counts.waiting--;
	}
	sink->begin += lines_end;
	sink->partial = done - lines_end;
}

/* False: nothing more goes for now. */
static bool write_turn(struct line_sink *sink)
{
	size_t left = PER_TURN;
	while (left > 0 && sink->begin + sink->partial < sink->end) {
		size_t from = sink->begin + sink->partial, len = sink->end - from;
		ssize_t written = write_some(sink, sink->bytes + from, len < left ? len : left);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				failed(sink, "written");
			return false;
		}
		sink->why[0] = '\0';
		advance(sink, (size_t)written);
		left -= (size_t)written;
	}
	return true;
}

static void flush(void *context)
{
	struct line_sink *sink = context;
	look_for_move(sink);
	bool good = open_file(sink) && write_turn(sink);
	if (sink->begin == sink->end)
		sink->begin = sink->end = 0;
	if (sink->end > 0 || sink->fd < 0)
		event_timer_set(sink->loop, &sink->timer,
		                clock_monotonic_ms() + (good                   ? 0
		                                        : sink->why[0] != '\0' ? RETRY_MS
		                                                               : FULL_MS));
}

static bool make_room(struct line_sink *sink, size_t len)
{
	if (sink->end + len <= LINE_SINK_BUFFER)
		return true;
	memmove(sink->bytes, sink->bytes + sink->begin, sink->end - sink->begin);
	sink->end -= sink->begin;
	sink->begin = 0;
	return sink->end + len <= LINE_SINK_BUFFER;
}

void line_sink_put(struct line_sink *sink, const char *line, size_t len)
{
	if (len > LINE_SINK_LINE_MAX || !make_room(sink, len)) {
		sink->counts.lost++;
		return;
	}
	memcpy(sink->bytes + sink->end, line, len);
	sink->end += len;
	sink->counts.waiting++;
	if (!sink->timer.armed)
		event_timer_set(sink->loop, &sink->timer, clock_monotonic_ms() + FLUSH_MS);
}

void line_sink_reopen(struct line_sink *sink)
{
	if (sink->path[0] != '\0')
		close_file(sink);
}

struct line_sink_counts line_sink_counts(const struct line_sink *sink)
{
	return sink->counts;
}

const char *line_sink_why(const struct line_sink *sink)
{
	return sink->why;
}

void line_sink_flush(struct line_sink *sink)
{
	while (sink->begin < sink->end && open_file(sink) && write_turn(sink))
		;
}

void line_sink_destroy(struct line_sink *sink)
{
	if (!sink)
		return;
	event_timer_cancel(sink->loop, &sink->timer);
	close_file(sink);
	free(sink->bytes);
	free(sink);
}

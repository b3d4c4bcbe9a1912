/* The whole terminal: see the header. */
#include "control/cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const char enter[] = "\033[?1049h\033[?25l\033[2J", leave[] = "\033[?25h\033[?1049l";

static struct {
	volatile sig_atomic_t taken;
	struct termios before;
	sigset_t mask_before; /* of signals, for terminal_wait */
} terminal;

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGPIPE};

/* Only calls that a signal handler may make. */
static void put(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(STDOUT_FILENO, text, len);
		if (written <= 0)
			return;
		text += written;
		len -= (size_t)written;
	}
}

static void take(void)
{
	struct termios raw = terminal.before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	put(enter, sizeof(enter) - 1);
	terminal.taken = 1;
}

static void give_back(void)
{
	if (!terminal.taken)
		return;
	terminal.taken = 0;
	put(leave, sizeof(leave) - 1);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal.before);
}

/* Handled once: the second one ends the program as if nothing had been handled. */
static void on_fatal(int number)
{
	give_back();
	raise(number);
}

static void on_stop(int number)
{
	int error = errno;
	give_back();
	raise(SIGSTOP);
	take();
	errno = error;
}

static void on_size(int number)
{
}

static void handle(int number, void (*handler)(int number), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	sigaction(number, &action, NULL);
}

bool terminal_begin(void)
{
	static bool registered;
	sigset_t size;
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &terminal.before) != 0)
		return false;
	if (!registered)
		atexit(give_back);
	registered = true;
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		handle(fatal[i], on_fatal, (int)SA_RESETHAND);
	handle(SIGTSTP, on_stop, 0);
	handle(SIGWINCH, on_size, 0);
	/* A change of size is seen while waiting and nowhere else, so none is missed. */
	sigemptyset(&size);
	sigaddset(&size, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &size, &terminal.mask_before);
	take();
	return true;
}

void terminal_end(void)
{
	give_back();
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		handle(fatal[i], SIG_DFL, 0);
	handle(SIGTSTP, SIG_DFL, 0);
	handle(SIGWINCH, SIG_DFL, 0);
	pthread_sigmask(SIG_SETMASK, &terminal.mask_before, NULL);
}

void terminal_size(unsigned *rows, unsigned *columns)
{
	struct winsize size = {0};
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row > 0 ? size.ws_row : 24;
	*columns = size.ws_col > 0 ? size.ws_col : 80;
}

/* ---- keys ---- */

static const struct {
	const char *bytes;
	enum key key;
} keys[] = {
    {"q", KEY_QUIT},
    {"Q", KEY_QUIT},
    {"p", KEY_PAUSE},
    {" ", KEY_PAUSE},
    {"s", KEY_SORT},
    {"k", KEY_UP},
    {"j", KEY_DOWN},
    {"\033[A", KEY_UP},
    {"\033OA", KEY_UP},
    {"\033[B", KEY_DOWN},
    {"\033OB", KEY_DOWN},
    {"\033[5~", KEY_PAGE_UP},
    {"\033[6~", KEY_PAGE_DOWN},
    {"\033[H", KEY_HOME},
    {"\033OH", KEY_HOME},
    {"\033[1~", KEY_HOME},
    {"\033[F", KEY_END},
    {"\033OF", KEY_END},
    {"\033[4~", KEY_END},
};

/* The length of an escape sequence that means nothing here: ESC [ ... letter, or ESC and a byte. */
static size_t sequence_len(const char *bytes, size_t len)
{
	size_t i = 2;
	if (bytes[0] != '\033' || len < 2)
		return 1;
	while (bytes[1] == '[' && i < len && (bytes[i] < '@' || bytes[i] > '~'))
		i++;
	return bytes[1] == '[' ? (i < len ? i + 1 : len) : 2;
}

enum key terminal_decode(const char *bytes, size_t len, size_t *used)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		*used = strlen(keys[i].bytes);
		if (*used <= len && memcmp(keys[i].bytes, bytes, *used) == 0)
			return keys[i].key;
	}
	*used = sequence_len(bytes, len);
	return KEY_NONE;
}

/* Read and not decoded yet. */
static struct {
	char bytes[64];
	size_t len;
} input;

static enum key next_key(void)
{
	size_t used;
	enum key key = terminal_decode(input.bytes, input.len, &used);
	input.len -= used;
	memmove(input.bytes, input.bytes + used, input.len);
	return key;
}

static enum key read_key(void)
{
	ssize_t count = read(STDIN_FILENO, input.bytes, sizeof(input.bytes));
	if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN))
		return KEY_QUIT; /* nobody is there any more */
	if (count < 0)
		return KEY_NONE;
	input.len = (size_t)count;
	return next_key();
}

enum key terminal_wait(int fd, int timeout_ms)
{
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	if (input.len > 0)
		return next_key();
	if (ppoll(fds, 2, &timeout, &terminal.mask_before) <= 0)
		return KEY_NONE;
	return fds[0].revents != 0 ? read_key() : KEY_NONE;
}

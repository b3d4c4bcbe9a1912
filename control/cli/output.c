/* Where text goes: see the header. */
#include "control/cli/output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/cli/text.h"

enum { WIDTH_DEFAULT = 80 };

static unsigned terminal_width(int fd)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return WIDTH_DEFAULT;
}

void output_init(struct output *output, FILE *file)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	bool dumb = !terminal || strcmp(terminal, "dumb") == 0;
	int fd = fileno(file);
	bool is_terminal = fd >= 0 && isatty(fd);
	*output = (struct output){
	    .file = file,
	    .terminal = is_terminal && !dumb,
	    .colour = is_terminal && !dumb && (!no_colour || no_colour[0] == '\0'),
	    .width = is_terminal ? terminal_width(fd) : 0,
	};
}

void output_piece(const struct output *output, enum tone tone, const char *text, size_t len)
{
	static const char *const begins[] = {
	    [TONE_PLAIN] = "",       [TONE_GOOD] = "\033[32m", [TONE_WARN] = "\033[33m",
	    [TONE_BAD] = "\033[31m", [TONE_DIM] = "\033[2m",   [TONE_STRONG] = "\033[1m",
	};
	bool coloured = output->colour && tone != TONE_PLAIN && len > 0;
	if (coloured)
		fputs(begins[tone], output->file);
	fwrite(text, 1, len, output->file);
	if (coloured)
		fputs("\033[0m", output->file);
}

static void print_line(const struct output *output, enum tone tone, const char *format, va_list list)
{
	char *text;
	if (vasprintf(&text, format, list) < 0)
		abort();
	char *clean = text_clean(text);
	output_piece(output, tone, clean, strlen(clean));
	fputc('\n', output->file);
	free(clean);
	free(text);
}

void output_line(const struct output *output, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	print_line(output, TONE_PLAIN, format, list);
	va_end(list);
}

void output_toned(const struct output *output, enum tone tone, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	print_line(output, tone, format, list);
	va_end(list);
}

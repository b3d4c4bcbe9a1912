/* Lines for people on standard error. Each is written by one write(), so lines of several threads never mix. */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 1024 };

static const char *program_name = "pointsman";

void log_init(const char *program)
{
	program_name = program;
}

/* What stands in a message may come from the network or from a file: no byte of it may begin a line of its own. */
static void blot_control_bytes(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_LEN];
	va_list arguments;

	int len = snprintf(line, LINE_MAX_LEN, "<%d>%s: ", level, program_name);
	va_start(arguments, format);
	len += vsnprintf(line + len, (size_t)(LINE_MAX_LEN - len), format, arguments);
	va_end(arguments);
	if (len >= LINE_MAX_LEN)
		len = LINE_MAX_LEN - 1;
	blot_control_bytes(line, (size_t)len);
	line[len] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len + 1) < 0)
		return; /* nobody is left to tell */
}

/* Where text goes: a terminal with its width and colours, or a pipe without. Every line is cleaned on its way. */
#ifndef PM_CLI_OUTPUT_H
#define PM_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_DIM, TONE_STRONG };

struct output {
	FILE *file;
	bool terminal; /* lines may be redrawn */
	bool colour;
	unsigned width; /* columns; 0: no limit */
};

/* Looks whether it is a terminal, how wide, and whether colours are wanted: not with NO_COLOR, nor with TERM=dumb. */
void output_init(struct output *output, FILE *file);

/* One line. */
void output_line(const struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
void output_toned(const struct output *output, enum tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Text that is clean already, without a line end; coloured where colours are. */
void output_piece(const struct output *output, enum tone tone, const char *text, size_t len);

#endif

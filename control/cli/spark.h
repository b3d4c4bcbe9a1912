/* A row of numbers as a line of small bars. Pure. */
#ifndef PM_CLI_SPARK_H
#define PM_CLI_SPARK_H

#include <jansson.h>

/* The numbers of an array (null: unknown, a gap) in at most `columns` columns, the newest at the right end; where there
 * are more numbers than columns, each column is the largest of its numbers. The highest bar is the largest of all. To
 * be freed. */
char *spark_make(const json_t *numbers, unsigned columns);

#endif

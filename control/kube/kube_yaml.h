/* YAML to JSON, as far as configuration needs it: mappings, sequences and scalars, no aliases, one document. */
#ifndef PM_KUBE_YAML_H
#define PM_KUBE_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "common/json_reader.h"

enum { KUBE_YAML_DEPTH_MAX = 32 };

/* Plain true and false become booleans, plain null and nothing become null; every other scalar, numbers too, is a
 * string. NULL with one fault, which names line and column and no content. The caller owns the result. */
json_t *kube_yaml_parse(const char *text, size_t len, struct json_faults *faults);

#endif

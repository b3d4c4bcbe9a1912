/* Any JSON as a cluster and as a push: a cluster or at least one fault, and what was read is written in a form that
 * reads the same. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "control/state/cluster_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct cluster_spec *spec, struct json_faults *faults)
{
	if ((spec == NULL) != (faults->count > 0))
		abort();
	json_faults_free(faults);
	if (!spec)
		return;
	json_t *written = cluster_write(spec);
	struct cluster_spec *again = cluster_read(written, NULL, faults, "$");
	if (!again || !cluster_equal(spec, again))
		abort();
	json_decref(written);
	cluster_free(again);
	cluster_free(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_faults faults = {0};
	struct cluster_spec *settings = cluster_create();
	settings->name[0] = settings->key[0] = 'p';
	settings->source = SOURCE_PUSH;
	json_t *value = json_text_parse((const char *)data, size, &faults);
	json_faults_free(&faults);
	if (value) {
		check(cluster_read(value, NULL, &faults, "$"), &faults);
		check(cluster_read_push(value, settings, &faults), &faults);
	}
	json_decref(value);
	cluster_free(settings);
	return 0;
}

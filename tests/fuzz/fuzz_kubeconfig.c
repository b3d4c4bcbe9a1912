/* Any bytes as a kubeconfig: a configuration with a server, or at least one fault. */
#include <stdint.h>
#include <stdlib.h>

#include "control/kube/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const contexts[] = {NULL, "c"};
	for (unsigned i = 0; i < 2; i++) {
		struct json_faults faults = {0};
		struct kubeconfig *config = kubeconfig_parse((const char *)data, size, "/etc", contexts[i], &faults);
		if ((config == NULL) != (faults.count > 0) || (config && !config->server))
			abort();
		json_faults_free(&faults);
		kubeconfig_free(config);
	}
	return 0;
}

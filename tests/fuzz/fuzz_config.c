/* Any bytes as a configuration file: a configuration or at least one error. */
#include <stdint.h>
#include <stdlib.h>

#include "common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {0};
	struct config *config = config_parse((const char *)data, size, "fuzz", &errors);
	if ((config == NULL) != (errors.count > 0))
		abort();
	config_errors_free(&errors);
	config_free(config);
	return 0;
}

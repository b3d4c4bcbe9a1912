/* Self-signed certificates as tests want them. */
#ifndef PM_CERTIFICATE_FIXTURE_H
#define PM_CERTIFICATE_FIXTURE_H

#include <stdint.h>

struct certificate_fixture {
	char pem[4096], key[4096];
};

/* For these names, apart by spaces ("" : none, the subject's common name alone), valid from `from` to `to` seconds from
 * now. */
void certificate_make(struct certificate_fixture *certificate, const char *common_name, const char *names, int64_t from,
                      int64_t to);

#endif

/* What the certificate of a router host says, for people who look whether it is the right one and still good. Nothing
 * is verified against authorities. Pure: PEM text in, plain values out. */
#ifndef PM_PROBE_CERTIFICATE_H
#define PM_PROBE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hostname.h"

enum { CERTIFICATE_NAMES_MAX = 20, CERTIFICATE_DN_MAX = 400 };

struct probe_certificate {
	char subject[CERTIFICATE_DN_MAX], issuer[CERTIFICATE_DN_MAX]; /* RFC 4514 */
	unsigned name_count;                                          /* DNS names of the subject that stand here */
	char names[CERTIFICATE_NAMES_MAX][HOSTNAME_MAX + 3];
	int64_t not_before, not_after; /* Unix ms */
	bool matches;                  /* it is for this host name, wildcards included (RFC 6125) */
};

/* False: it is not readable. All texts are valid UTF-8 without control characters. */
bool probe_certificate_read(const char *pem, const char *host, struct probe_certificate *certificate);

#endif

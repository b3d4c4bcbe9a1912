/* Any bytes as a ring element: message_check says yes only to what message_seal could have made. The first byte
 * chooses whether the element is sealed first, so that the checks behind the CRC are reached too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message message = {0};
	if (size < 1)
		return 0;
	memcpy(&message, data + 1, size - 1 < sizeof(message) ? size - 1 : sizeof(message));
	if (data[0] & 1) {
		/* message_seal wants a known type. */
		message.type = (uint16_t)(MESSAGE_SYNC_BEGIN + message.type % MESSAGE_EXPLAIN);
		message_seal(&message, message.start, message.sequence);
	}
	if (message_check(&message) != MESSAGE_OK)
		return 0;
	struct message again = message;
	message_seal(&again, message.start, message.sequence);
	if (message.reserved == 0 && again.crc != message.crc)
		abort();
	if (message.type == MESSAGE_ROUTE &&
	    (message.route.share_count > ROUTE_CLUSTERS_MAX || message.route.name.text[message.route.name.len] != '\0'))
		abort();
	if (message.type == MESSAGE_EXPLAIN &&
	    (message.explain.listener >= LISTENERS_MAX || message.explain.name.len > HOSTNAME_MAX ||
	     message.explain.name.text[message.explain.name.len] != '\0'))
		abort();
	if (message.type == MESSAGE_CONNECTIONS &&
	    (message.connections.query == 0 || message.connections.client_length > 128))
		abort();
	return 0;
}

/* The address of the admin API: the listening socket, and which Host and Origin are ours. */
#include "control/api/admin_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/hostname.h"
#include "common/log.h"

enum { LISTEN_BACKLOG = 128 };

static socklen_t make_sockaddr(const struct address *address, uint16_t port, struct sockaddr_storage *out)
{
	*out = (struct sockaddr_storage){0};
	if (address_is_v4(address)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		in->sin_addr.s_addr = address_v4(address);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&in6->sin6_addr, address->bytes, 16);
	return sizeof(*in6);
}

bool admin_read_sockaddr(const struct sockaddr *from, struct address *address, uint16_t *port)
{
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;
		*address = address_from_v4(in->sin_addr.s_addr);
		*port = ntohs(in->sin_port);
		return true;
	}
	if (from->sa_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	memcpy(address->bytes, &in6->sin6_addr, 16);
	*port = ntohs(in6->sin6_port);
	return true;
}

bool admin_local_address(int fd, struct address *address, uint16_t *port)
{
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	return getsockname(fd, (struct sockaddr *)&local, &len) == 0 &&
	       admin_read_sockaddr((const struct sockaddr *)&local, address, port);
}

/* The socket that the process before this one left, or -1. */
static int inherited(const struct config *config)
{
	const char *text = getenv(ADMIN_FD_VARIABLE);
	if (!text)
		return -1;
	int fd = atoi(text), listening = 0;
	socklen_t len = sizeof(listening);
	struct address address;
	uint16_t port;
	unsetenv(ADMIN_FD_VARIABLE);
	if (fd <= STDERR_FILENO || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
		return -1;
	if (admin_local_address(fd, &address, &port) && address_equal(&address, &config->admin.listen_address) &&
	    port == config->admin.listen_port) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		return fd;
	}
	close(fd);
	return -1;
}

int admin_listen(const struct config *config)
{
	struct sockaddr_storage address;
	socklen_t len = make_sockaddr(&config->admin.listen_address, config->admin.listen_port, &address);
	int one = 1, fd = inherited(config);
	if (fd >= 0)
		return fd;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd >= 0 && address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	log_error("admin API cannot listen on %s: %s; choose a free address in admin.listen", config->admin.listen,
	          strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- header fields ---- */

bool admin_host_allowed(const struct config *config, const char *host, const struct address *local)
{
	struct hostname name;
	struct address address;
	char text[HOSTNAME_MAX + 1];
	if (!host || !hostname_set_authority(&name, (const uint8_t *)host, strlen(host)))
		return false;
	for (unsigned i = 0; i < config->admin.allowed_host_count; i++)
		if (strcmp(config->admin.allowed_hosts[i], name.text) == 0)
			return true;
	if (strcmp(name.text, "localhost") == 0)
		return config_address_is_loopback(local);
	bool brackets = name.text[0] == '[';
	snprintf(text, sizeof(text), "%.*s", (int)name.len - 2 * brackets, name.text + brackets);
	return address_parse(text, &address) && address_equal(&address, local);
}

bool admin_origin_allowed(const struct config *config, const char *origin, const struct address *local)
{
	if (!origin)
		return true;
	const char *host = strstr(origin, "://");
	return host && (strncmp(origin, "http://", 7) == 0 || strncmp(origin, "https://", 8) == 0) &&
	       admin_host_allowed(config, host + 3, local);
}

/* "https://lb.example:8089" is the page's address if that is what stands in Host; a proxy in front may have TLS where
 * we have none. */
bool admin_origin_same(const char *origin, const char *host, bool tls)
{
	if (!origin || !host)
		return false;
	if (strncasecmp(origin, "https://", 8) == 0)
		return strcasecmp(origin + 8, host) == 0;
	return !tls && strncasecmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, host) == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t admin_unescape(char *text)
{
	char *out = text;
	for (const char *in = text; *in != '\0'; in++) {
		int high = in[0] == '%' ? hex_digit(in[1]) : -1, low = high >= 0 ? hex_digit(in[2]) : -1;
		if (low < 0 || high * 16 + low == 0) {
			*out++ = *in;
			continue;
		}
		*out++ = (char)(high * 16 + low);
		in += 2;
	}
	*out = '\0';
	return (size_t)(out - text);
}

#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

struct target {
	const char *host; /* a name or a numeric address */
	uint16_t port;
	int family; /* AF_INET, AF_INET6 or AF_UNSPEC */
	bool is_verbose; /* say which addresses are tried */
};

/*
 * Resolves the host and connects to the first of its addresses that lets us,
 * in the order of getaddrinfo(3), each with its share of the time that is
 * left. Returns a non-blocking, close-on-exec TCP socket with urgent bytes
 * in band, owned by the caller, or -1 after saying why on standard error.
 * If the name cannot be looked up in time, says so and exits with
 * STATUS_UNAVAILABLE: getaddrinfo cannot be made to return.
 */
int connect_target(const struct target *target, int64_t deadline_ms);

#endif

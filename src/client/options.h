#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	int family; /* AF_INET, AF_INET6 or AF_UNSPEC */
	uint16_t port;
	int64_t wait_ms; /* for the connection and the answer together */
	bool is_list;
	bool is_version;
	bool is_verbose;
	const char *host; /* in argv; NULL if is_version */
	const char *service; /* in argv; "HELP" if is_list */
};

/*
 * Reads the command line as tcpmux(1) describes it. 0, or -1 after saying on
 * standard error what is wrong.
 */
int options_read(struct options *options, int argc, char **argv);

#endif

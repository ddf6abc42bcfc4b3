#ifndef PARENT_START_H
#define PARENT_START_H

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses of tcpmuxd, as in sysexits.h where it has them. */
enum exit_status {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_BAD_CHECK = 1, /* -t, -T: the policy would not load */
	EXIT_STATUS_REFUSED = 1, /* -C */
	EXIT_STATUS_USAGE = 64,
	EXIT_STATUS_OUTPUT = 74, /* -T: standard output takes no more */
	EXIT_STATUS_ROOM = 77, /* cannot bind or confine */
	EXIT_STATUS_POLICY = 78,
};

/*
 * Loads the policy, binds, closes the rooms, and serves until told to end.
 * Returns the exit status.
 */
enum exit_status start(const char *policy_path, bool is_verbose, bool is_debug);

/* What root keeps of its capabilities as it serves: bit n is number n. */
uint64_t start_kept_capabilities(void);

struct parent;

/* The log as the policy in force wants it; or -1, and it is as it was. */
int start_open_log(const struct parent *parent);

#endif

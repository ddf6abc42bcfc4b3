#ifndef CORE_STEP_H
#define CORE_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The steps by which a room is built: the parser's around itself, the
 * launcher's base, and those of one launch in its child. A step that fails
 * ends the process that took it; its number and errno go to the parent
 * through a status pipe, so that the log can name it.
 */
enum step {
	STEP_NONE,
	/* what a process starts from */
	STEP_ARGUMENTS,
	STEP_NAMES,
	STEP_IMAGE,
	STEP_PROCESS_GROUP,
	STEP_SIGNALS,
	STEP_DESCRIPTORS,
	STEP_PLAN,
	STEP_CLONE,
	STEP_LAUNCHED,
	STEP_CGROUP,
	/* what it inherits and keeps */
	STEP_UMASK,
	STEP_SCHEDULING,
	STEP_RLIMITS,
	STEP_KEYRING,
	/* where it is */
	STEP_USER_NAMESPACE,
	STEP_NAMESPACES,
	STEP_ROOT,
	STEP_MOUNTS,
	STEP_CHDIR,
	/* who it is */
	STEP_GROUPS,
	STEP_GID,
	STEP_BOUNDING_SET,
	STEP_SECUREBITS,
	STEP_UID,
	STEP_CAPABILITIES,
	STEP_PROCESS_LIMIT,
	STEP_DUMPABLE,
	STEP_VERIFY,
	/* what it may do */
	STEP_NO_NEW_PRIVS,
	STEP_LANDLOCK,
	STEP_INIT,
	STEP_FILTER,
	/* the last of a launch */
	STEP_PROGRAM,
	STEP_REPLY,
	STEP_EXEC,
	STEP_COUNT,
};

/* The step's name as it stands in the log, or "unknown". */
const char *step_name(uint32_t step);

/*
 * What goes through a status pipe, in this order and no other:
 *   a failure: {step, errno}, then the end of the pipe;
 *   a launch:  {STEP_REPLY, 0} when all is verified and `+` is next, then
 *              the end of the pipe when execve closes it (or {STEP_EXEC,
 *              errno} before the end, should even that fail).
 */
#define STATUS_BYTES 8u

struct status {
	uint32_t step; /* enum step, as claimed */
	uint32_t error; /* errno, 0 if none */
};

void status_encode(uint8_t bytes[STATUS_BYTES], const struct status *status);
struct status status_decode(const uint8_t bytes[STATUS_BYTES]);

#endif

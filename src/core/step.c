/*
 * Names of the steps that build a room, and their way through a status pipe.
 * Trusts no number it is given.
 * Never decides what a failed step means.
 */
#include "core/step.h"

#include "core/wire.h"

static const char *const names[STEP_COUNT] = {
	[STEP_NONE] = "none",
	[STEP_ARGUMENTS] = "arguments",
	[STEP_NAMES] = "names",
	[STEP_IMAGE] = "image",
	[STEP_PROCESS_GROUP] = "process-group",
	[STEP_SIGNALS] = "signals",
	[STEP_DESCRIPTORS] = "descriptors",
	[STEP_PLAN] = "plan",
	[STEP_CLONE] = "clone",
	[STEP_LAUNCHED] = "launched",
	[STEP_CGROUP] = "cgroup",
	[STEP_UMASK] = "umask",
	[STEP_SCHEDULING] = "scheduling",
	[STEP_RLIMITS] = "rlimits",
	[STEP_KEYRING] = "keyring",
	[STEP_USER_NAMESPACE] = "user-namespace",
	[STEP_NAMESPACES] = "namespaces",
	[STEP_ROOT] = "root",
	[STEP_MOUNTS] = "mounts",
	[STEP_CHDIR] = "chdir",
	[STEP_GROUPS] = "groups",
	[STEP_GID] = "gid",
	[STEP_BOUNDING_SET] = "bounding-set",
	[STEP_SECUREBITS] = "securebits",
	[STEP_UID] = "uid",
	[STEP_CAPABILITIES] = "capabilities",
	[STEP_PROCESS_LIMIT] = "process-limit",
	[STEP_DUMPABLE] = "dumpable",
	[STEP_VERIFY] = "verify",
	[STEP_NO_NEW_PRIVS] = "no-new-privs",
	[STEP_LANDLOCK] = "landlock",
	[STEP_INIT] = "init",
	[STEP_FILTER] = "filter",
	[STEP_PROGRAM] = "program",
	[STEP_REPLY] = "reply",
	[STEP_EXEC] = "exec",
};

const char *
step_name(uint32_t step)
{
	if (step >= STEP_COUNT || names[step] == NULL)
		return "unknown";
	return names[step];
}

void
status_encode(uint8_t bytes[STATUS_BYTES], const struct status *status)
{
	wire_put_u32(wire_put_u32(bytes, status->step), status->error);
}

struct status
status_decode(const uint8_t bytes[STATUS_BYTES])
{
	return (struct status){ .step = wire_get_u32(bytes),
		.error = wire_get_u32(bytes + 4) };
}

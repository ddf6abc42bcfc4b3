/*
 * Capabilities by name.
 * Trusts nothing; a name it does not know is no capability.
 * Never asks the kernel: a policy means the same on every one.
 */
#include "loader/capability.h"

#include <string.h>
#include <strings.h>

#include "core/policy_suggest.h"

static const char *const names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

_Static_assert((UINT64_C(1) << NAME_COUNT) - 1 == IMAGE_CAPABILITIES,
    "the image knows as many capabilities as have names");

static bool
is_name(struct text text, const char *name)
{
	return text.length == strlen(name) &&
	    strncasecmp(text.bytes, name, text.length) == 0;
}

int
capability_find(struct text name, const char **nearest)
{
	struct suggestion best = { .word = NULL };

	*nearest = NULL;
	if (name.length > 4 && strncasecmp(name.bytes, "cap_", 4) == 0) {
		name.bytes += 4;
		name.length -= 4;
	}
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (is_name(name, names[i]))
			return (int)i;
		suggest_consider(&best, name, names[i]);
	}
	*nearest = best.word;
	return -1;
}

/*
 * The words that stand for enums: what the parser reads is what is printed.
 * Each list ends with NULL, as policy_choice wants it.
 */
#include "core/policy_parser.h"

const char *const policy_room_words[] = {
	[IMAGE_ROOM_FULL] = "full",
	[IMAGE_ROOM_REDUCED] = "reduced",
	NULL,
};

const char *const policy_sink_words[] = {
	[IMAGE_LOG_STDERR] = "stderr",
	[IMAGE_LOG_SYSLOG] = "syslog",
	[IMAGE_LOG_JOURNAL] = "journal",
	NULL,
};

const char *const policy_format_words[] = {
	[IMAGE_LOG_LOGFMT] = "logfmt",
	[IMAGE_LOG_JSON] = "json",
	NULL,
};

const char *const policy_addresses_words[] = {
	[IMAGE_ADDRESSES_FULL] = "full",
	[IMAGE_ADDRESSES_MASKED] = "masked",
	[IMAGE_ADDRESSES_NONE] = "none",
	NULL,
};

const char *const policy_penalty_words[] = {
	[IMAGE_PENALTY_MALFORMED] = "malformed",
	[IMAGE_PENALTY_UNKNOWN] = "unknown",
	[IMAGE_PENALTY_DENIED] = "denied",
	[IMAGE_PENALTY_TIMEOUT] = "timeout",
	[IMAGE_PENALTY_CRASH] = "crash",
	[IMAGE_PENALTY_TRAP] = "trap",
	[IMAGE_PENALTIES] = NULL,
};

const char *const policy_reply_words[] = {
	[IMAGE_REPLY_MUX] = "mux",
	[IMAGE_REPLY_SERVICE] = "service",
	NULL,
};

const char *const policy_stderr_words[] = {
	[IMAGE_STDERR_LOG] = "log",
	[IMAGE_STDERR_NULL] = "null",
	[IMAGE_STDERR_SOCKET] = "socket",
	NULL,
};

const char *const policy_leftovers_words[] = {
	[IMAGE_LEFTOVERS_KILL] = "kill",
	[IMAGE_LEFTOVERS_KEEP] = "keep",
	NULL,
};

const char *const policy_syscalls_words[] = {
	[IMAGE_SYSCALLS_DEFAULT] = "default",
	[IMAGE_SYSCALLS_STDIO] = "stdio",
	[IMAGE_SYSCALLS_ANY] = "any",
	NULL,
};

const char *const policy_network_words[] = {
	[IMAGE_NETWORK_ANY] = "any",
	[IMAGE_NETWORK_NONE] = "none",
	NULL,
};

const char *const policy_limit_words[] = {
	[IMAGE_RLIMIT_ADDRESS_SPACE] = "address-space",
	[IMAGE_RLIMIT_USER_PROCESSES] = "user-processes",
	[IMAGE_RLIMIT_OPEN_FILES] = "open-files",
	[IMAGE_RLIMIT_CPU] = "cpu",
	[IMAGE_RLIMIT_FILE_SIZE] = "file-size",
	[IMAGE_RLIMIT_CORE] = "core",
	[IMAGE_RLIMIT_STACK] = "stack",
	[POLICY_LIMIT_MEMORY] = "memory",
	[POLICY_LIMIT_PROCESSES] = "processes",
	[POLICY_LIMITS] = NULL,
};

/* Number n is bit n: IMAGE_ISOLATE_PID and so on. */
const char *const policy_isolate_words[] = { "pid", "mount", "ipc", "uts",
	NULL };

const char *const policy_logged_words[] = {
	[IMAGE_LOGGED_ALL] = "all",
	[IMAGE_LOGGED_FAILURES] = "failures",
	[IMAGE_LOGGED_NONE] = "none",
	NULL,
};

const char *const policy_access_words[] = {
	[IMAGE_ACCESS_READ] = "read",
	[IMAGE_ACCESS_WRITE] = "write",
	[IMAGE_ACCESS_EXEC] = "exec",
	[IMAGE_ACCESSES] = "any",
	NULL,
};

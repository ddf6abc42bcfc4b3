/*
 * The launcher's start: everything that is the same for all of its launches,
 * so that no launch pays for it.
 * Trusts the parent's descriptors once they are what they should be.
 * Never goes on after a failed step.
 */
#include "launcher/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/step.h"
#include "launcher/base_identity.h"
#include "launcher/child.h"
#include "launcher/filter.h"
#include "sys/drop.h"
#include "sys/filter.h"
#include "sys/landlock.h"
#include "sys/namespace.h"

#define SESSION_KEYRING ((unsigned long)KEY_SPEC_SESSION_KEYRING)
/* A sanitizer looks for leaks by ptrace: then it is for the children alone. */
#ifdef TCPMUXD_SANITIZE
#define CAN_LIVE_FILTERED false
#else
#define CAN_LIVE_FILTERED true
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SIGNALS_MAX 64
#define SIGNALS_BYTES 8u /* of the kernel's own signal set */

static const struct {
	const char *word;
	enum base_kind kind;
	bool is_offline;
} kinds[] = {
	{ "base", BASE_COMMON, false },
	{ "full", BASE_FULL, false },
	{ "self", BASE_SELF, false },
	{ "base-offline", BASE_COMMON, true },
	{ "full-offline", BASE_FULL, true },
	{ "self-offline", BASE_SELF, true },
};

static int
fail(int error)
{
	errno = error;
	return -1;
}

static int
check_channel(void)
{
	int type;
	socklen_t length = sizeof(type);

	if (getsockopt(BASE_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &length) !=
	    0)
		return -1;
	return type == SOCK_SEQPACKET ? 0 : fail(EPROTOTYPE);
}

static bool
has_wall(const struct base *base, uint8_t wall)
{
	return base->is_offline &&
	    (image_global(&base->image)->walls & wall) != 0;
}

/* 0 and 1 /dev/null, 2 at least that; 3 to 6 as given; nothing else. */
static int
place_descriptors(struct base *base)
{
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)base;
	if (null_fd == -1 || check_channel() != 0 ||
	    fcntl(BASE_IMAGE_FD, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(BASE_CHANNEL_FD, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	if (fcntl(STDERR_FILENO, F_GETFD) == -1 &&
	    dup2(null_fd, STDERR_FILENO) == -1)
		return -1;
	if ((null_fd != 0 && dup3(null_fd, 0, O_CLOEXEC) == -1) ||
	    dup3(0, 1, O_CLOEXEC) == -1)
		return -1;
	return close_range(BASE_NETWORK_FD + 1, ~0U, 0);
}

/*
 * All to their defaults, by the system call: glibc keeps two for itself and
 * would leave them ignored. SIGPIPE alone stays blocked, so that a status pipe
 * which nobody reads any more does not end the launcher.
 */
static int
reset_signals(struct base *base)
{
	static const unsigned char default_action[64]; /* larger than any */
	const uint64_t blocked = UINT64_C(1) << (SIGPIPE - 1);

	(void)base;
	for (int i = 1; i <= SIGNALS_MAX; i++) {
		if (i == SIGKILL || i == SIGSTOP)
			continue;
		if (syscall(SYS_rt_sigaction, i, default_action, NULL,
			SIGNALS_BYTES) != 0)
			return -1;
	}
	return (int)syscall(
	    SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL, SIGNALS_BYTES);
}

/* No controlling terminal, for it and all its services. */
static int
lead_session(struct base *base)
{
	(void)base;
	if (getsid(0) == getpid())
		return 0;
	return setsid() == -1 ? -1 : 0;
}

static long
keyctl(int operation, unsigned long argument)
{
	return syscall(SYS_keyctl, operation, argument, 0UL, 0UL, 0UL);
}

/*
 * A session keyring is inherited, and who has it may use the keys in it,
 * whatever their owner: those of the root shell that tcpmuxd was started from
 * would be every service's. They all get an empty one, which is nobody's to
 * read, write or search, so that they cannot share it either. A kernel or a
 * container that has no keys has none for services either.
 */
static int
leave_keyring(struct base *base)
{
	(void)base;
	if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0) == -1) {
		const int error = errno;

		if ((error == ENOSYS || error == EPERM) &&
		    keyctl(KEYCTL_DESCRIBE, SESSION_KEYRING) == -1 &&
		    errno == error)
			return 0;
		return fail(error);
	}
	if (keyctl(KEYCTL_SETPERM, SESSION_KEYRING) != 0)
		return -1;
	if (keyctl(KEYCTL_DESCRIBE, SESSION_KEYRING) != -1)
		return fail(EPERM);
	return errno == EACCES ? 0 : -1;
}

/* An image that can still change would not stay the one that was checked. */
static int
take_image(struct base *base)
{
	const int seals = fcntl(BASE_IMAGE_FD, F_GET_SEALS);
	struct stat status;
	void *bytes;

	if (seals == -1 || fstat(BASE_IMAGE_FD, &status) != 0)
		return -1;
	if ((seals & SEALS) != SEALS)
		return fail(EPERM);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED,
	    BASE_IMAGE_FD, 0);
	if (bytes == MAP_FAILED)
		return -1;
	if (image_init(&base->image, bytes, (size_t)status.st_size) != IMAGE_OK)
		return fail(EBADMSG);
	return close(BASE_IMAGE_FD);
}

static int
leave_directory(struct base *base)
{
	(void)base;
	return chdir("/");
}

static int
set_umask(struct base *base)
{
	(void)base;
	(void)umask(BASE_UMASK);
	return umask(BASE_UMASK) == BASE_UMASK ? 0 : fail(EPERM);
}

/* Until exec nobody with a service's uid may look into its child: the
 * policy's image is still mapped there. */
static int
close_memory(struct base *base)
{
	(void)base;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/*
 * As the parent has asked for before the exec, which took it away again: root
 * had fewer capabilities then. The end of the channel, which is enough for a
 * launcher that runs, is not for one that is stopped.
 */
static int
die_with_parent(struct base *base)
{
	(void)base;
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/*
 * Below another root there is none, and a session can have its own. Where none
 * is mounted, nothing is opened below what stands for it.
 */
static int
open_proc(void)
{
	const int flags = O_PATH | O_CLOEXEC;
	int fd = open("/proc", flags | O_DIRECTORY);

	if (fd == -1 && errno == ENOENT)
		fd = open("/dev/null", flags);
	return fd;
}

/* The status pipe leaves: what is kept has to lie below all that comes. */
static int
place_proc(struct base *base)
{
	const int fd = open_proc();
	const int status_fd = fcntl(BASE_STATUS_FD, F_DUPFD_CLOEXEC, 0);

	if (fd == -1 || status_fd == -1)
		return -1;
	base->status_fd = status_fd;
	return dup3(fd, BASE_PROC_FD, O_CLOEXEC) == -1 ? -1 : close(fd);
}

/* A kernel without Landlock: the parent's report says what is weaker. */
static int
prepare_landlock(struct base *base)
{
	int fd;

	base->ruleset_fd = -1;
	base->first_free_fd = BASE_RULESET_FD;
	if (rulesets_init(base->rulesets, &base->image) != 0)
		return -1;
	fd = landlock_session_ruleset();
	if (fd == -1)
		return errno == EOPNOTSUPP ? 0 : -1;
	if (fd != BASE_RULESET_FD) {
		if (dup3(fd, BASE_RULESET_FD, O_CLOEXEC) == -1)
			return -1;
		close(fd);
	}
	base->ruleset_fd = BASE_RULESET_FD;
	base->first_free_fd = BASE_PROC_FD + 1;
	return place_proc(base);
}

/*
 * For all services of the common base, who have no_new_privs anyway: the
 * launcher itself needs nothing that these refuse. Each of the other bases'
 * children enters its own.
 */
static int
enter_filters(struct base *base)
{
	if (base->kind != BASE_COMMON || !CAN_LIVE_FILTERED)
		return 0;
	base->filters = 1U << IMAGE_FILTER_DEFAULT;
	if (base->is_offline)
		base->filters |= 1U << IMAGE_FILTER_OFFLINE;
	if (drop_new_privileges() != 0 ||
	    filters_enter(base, base->filters) != 0 ||
	    getentropy(&base->clone3_key, sizeof(base->clone3_key)) != 0 ||
	    filter_enter_without_clone3(base->clone3_key) != 0)
		return -1;
	base->lacks_clone3 = true;
	base->has_no_new_privileges = true;
	return 0;
}

/*
 * For all of its services, by inheritance; without root it was started in a
 * namespace already. No other base has the descriptor.
 */
static int
leave_network(struct base *base)
{
	const bool has_namespace = has_wall(base, IMAGE_WALL_NAMESPACE);

	if (has_namespace && base->kind != BASE_SELF &&
	    namespace_join_network(BASE_NETWORK_FD) != 0)
		return -1;
	if (close_range(BASE_NETWORK_FD, BASE_NETWORK_FD, 0) != 0)
		return -1;
	return has_namespace ? namespace_verify_network() : 0;
}

/* A session's own socket is of another namespace: it must stay what it is. */
static int
forbid_tcp(struct base *base)
{
	if (!has_wall(base, IMAGE_WALL_LANDLOCK))
		return 0;
	/* Whose services may come to new privileges has CAP_SYS_ADMIN. */
	if (base->kind != BASE_FULL && drop_new_privileges() != 0)
		return -1;
	return landlock_forbid_tcp();
}

/* In this order: what a later row needs, no earlier one takes away. */
static const struct {
	enum step step;
	int (*take)(struct base *base);
} steps[] = {
	{ STEP_ARGUMENTS, base_check_ids },
	{ STEP_DESCRIPTORS, place_descriptors },
	{ STEP_SIGNALS, reset_signals },
	{ STEP_PROCESS_GROUP, lead_session },
	{ STEP_IMAGE, take_image },
	{ STEP_NAMESPACES, leave_network },
	{ STEP_CHDIR, leave_directory },
	{ STEP_UMASK, set_umask },
	{ STEP_NAMESPACES, isolate_remember },
	{ STEP_KEYRING, leave_keyring },
	{ STEP_GROUPS, base_leave_groups },
	{ STEP_BOUNDING_SET, base_cut_bounding_set },
	{ STEP_SECUREBITS, base_lock_root },
	{ STEP_CAPABILITIES, base_cut_capabilities },
	{ STEP_DUMPABLE, close_memory },
	/* A change of credentials would take it away once more. */
	{ STEP_PROCESS_GROUP, die_with_parent },
	{ STEP_LANDLOCK, forbid_tcp },
	{ STEP_LANDLOCK, prepare_landlock },
	{ STEP_FILTER, enter_filters },
};

static int
find_kind(struct base *base, const char *word)
{
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);

	for (size_t i = 0; word != NULL && i < count; i++) {
		if (strcmp(word, kinds[i].word) != 0)
			continue;
		base->kind = kinds[i].kind;
		base->is_offline = kinds[i].is_offline;
		return 0;
	}
	return fail(EINVAL);
}

static void
report(const struct base *base, enum step step)
{
	const struct status status = { .step = step,
		.error = step == STEP_NONE ? 0 : (uint32_t)errno };
	uint8_t bytes[STATUS_BYTES];

	status_encode(bytes, &status);
	/* Who does not read it sees an exit status that is not 0. */
	(void)!write(base->status_fd, bytes, sizeof(bytes));
}

/*
 * The C library has the kernel note down in its memory on which processor it
 * is, for functions that are not called here: a page that each launch would
 * have to copy for that alone. Where it is not so, there is nothing to end.
 */
static void
leave_rseq(void)
{
	const size_t size = sizeof(struct rseq);
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	(void)syscall(SYS_rseq, area, size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

bool
base_build(struct base *base, const char *kind_word)
{
	enum step failed = STEP_NONE;

	base->status_fd = BASE_STATUS_FD;
	leave_rseq();

	if (fcntl(BASE_STATUS_FD, F_SETFD, FD_CLOEXEC) != 0)
		return false;
	if (find_kind(base, kind_word) != 0)
		failed = STEP_ARGUMENTS;
	for (size_t i = 0;
	     failed == STEP_NONE && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].take(base) != 0)
			failed = steps[i].step;
	report(base, failed);
	close(base->status_fd);
	return failed == STEP_NONE;
}

/*
 * One launch: the clone, and the order of the steps in the child.
 * Trusts the plan and the base; a step that fails ends the child.
 * Never sends the client a byte before all steps but the last are done.
 */
#include "launcher/launch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/syscall.h>

#include "core/step.h"
#include "launcher/child.h"
#include "sys/cgroup.h"

static int
report(int status_fd, enum step step, int error)
{
	const struct status status = { .step = step, .error = (uint32_t)error };
	uint8_t bytes[STATUS_BYTES];

	status_encode(bytes, &status);
	return write(status_fd, bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : -1;
}

/* The parent first learns that all went well: it must not refuse any more. */
static int
reply(struct child *child)
{
	const struct plan *plan = child->plan;
	ssize_t sent;

	if (report(child->status_fd, STEP_REPLY, 0) != 0)
		return -1;
	if (plan->reply_length == 0)
		return 0;
	sent = send(child->socket_fd, plan->reply, plan->reply_length,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent == -1)
		return -1;
	if ((size_t)sent != plan->reply_length) {
		errno = EIO;
		return -1;
	}
	return 0;
}

/* By its path, as ever: a descriptor would keep running a replaced file. */
static int
execute(struct child *child)
{
	const struct plan *plan = child->plan;

	/* execve takes char *const; it does not write there. */
	return execve(plan->program, (char *const *)(uintptr_t)plan->argv,
	    (char *const *)(uintptr_t)plan->envp);
}

/* The order of a launch. Another order breaks: see the comments beside. */
static const struct {
	enum step step;
	int (*take)(struct child *child);
} steps[] = {
	/* The channel is only there before the descriptors are placed. */
	{ STEP_LAUNCHED, child_announce },
	/* Before anything else that could start something. */
	{ STEP_CGROUP, child_enter_cgroup },
	{ STEP_PROCESS_GROUP, child_lead_session },
	{ STEP_SIGNALS, child_reset_signals },
	{ STEP_DESCRIPTORS, child_place_descriptors },
	{ STEP_DESCRIPTORS, child_reset_socket },
	{ STEP_UMASK, child_set_umask },
	{ STEP_SCHEDULING, child_set_nice },
	{ STEP_RLIMITS, child_set_limits },
	{ STEP_NAMESPACES, child_enter_namespaces },
	{ STEP_ROOT, child_change_root },
	{ STEP_MOUNTS, child_mount_own },
	/* As root, and where it will be: paths lead from there. */
	{ STEP_LANDLOCK, child_choose_files },
	/* Groups and the bounding set need what setresuid takes away. */
	{ STEP_GROUPS, child_set_groups },
	{ STEP_GID, child_set_gid },
	{ STEP_BOUNDING_SET, child_cut_bounding_set },
	{ STEP_SECUREBITS, child_lock_root },
	/* new-privileges: without no_new_privs only root may enter one. */
	{ STEP_FILTER, child_enter_filters_first },
	{ STEP_UID, child_set_uid },
	{ STEP_CAPABILITIES, child_cut_capabilities },
	{ STEP_VERIFY, child_verify },
	/* With the service's own rights: a link on the way may be its own. */
	{ STEP_CHDIR, child_change_directory },
	/* Behind the verification, whose setuid(0) must fail by itself. */
	{ STEP_NO_NEW_PRIVS, child_refuse_privileges },
	/* Needs no_new_privs. */
	{ STEP_LANDLOCK, child_enter_domain },
	/* All that the init shall be confined by is before, the rest behind. */
	{ STEP_INIT, child_leave_init },
	{ STEP_PROCESS_LIMIT, child_limit_processes },
	{ STEP_DESCRIPTORS, child_drop_tools },
	{ STEP_RLIMITS, child_limit_files },
	/* Needs it, too; nothing that a profile refuses comes after. */
	{ STEP_FILTER, child_enter_filters },
	/* With the service's own rights, or it would say little. */
	{ STEP_PROGRAM, child_check_program },
	{ STEP_REPLY, reply },
	{ STEP_EXEC, execute },
};

static _Noreturn void
become_service(struct child *child)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].take(child) == 0)
			continue;
		(void)report(child->status_fd, steps[i].step, errno);
		break;
	}
	_exit(EXIT_FAILURE);
}

void
launch_report(int status_fd, enum step step, int error)
{
	(void)report(status_fd, step, error);
}

/*
 * An ordinary clone with a null stack goes on with a copy of this one, like
 * fork. vfork would stop the launcher with a child that somebody stops.
 */
static long
clone_child(const struct child *child)
{
	const unsigned flags = CLONE_PARENT | isolate_clone_flags(child);

	if (child->is_born_there)
		return cgroup_clone(
		    child->cgroup_fd, flags, child->base->clone3_key);
	return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

void
launch(const struct base *base, const struct plan *plan,
    const struct received *received)
{
	struct child child = { .base = base,
		.plan = plan,
		.session = received->launch.session,
		.socket_fd = received->socket_fd,
		.status_fd = received->status_fd,
		.stderr_fd = received->stderr_fd,
		.files = { .fd = -1 },
		.cgroup_fd = received->cgroup_fd,
		.is_born_there = (received->launch.flags & LAUNCH_BORN) != 0 };
	const long pid = clone_child(&child);

	if (pid == 0)
		become_service(&child);
	if (pid == -1)
		launch_report(received->status_fd, STEP_CLONE, errno);
}

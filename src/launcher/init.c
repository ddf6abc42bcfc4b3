/*
 * Process 1 of a session's own pid namespace: reaps what is left to it, and
 * ends as the service does, which ends all others in there.
 * Trusts nothing: it is as confined as the service, and runs no other code.
 * Never holds a descriptor once the service runs.
 */
#include "launcher/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "launcher/launch.h"
#include "sys/drop.h"
#include "sys/filter.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name this machine's architecture here"
#endif

#define READY '+'
#define SIGNAL_STATUS 128 /* and the signal's number: as a shell has it */

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(answer) BPF_STMT(BPF_RET | BPF_K, answer)
#define UNLESS_SKIP(value, count) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0)
#define ALLOW(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), \
	    ANSWER(SECCOMP_RET_ALLOW)

/* All that it calls from now on. */
static const struct sock_filter calls[] = {
	LOAD(arch),
	UNLESS_SKIP(ARCHITECTURE, 1),
	ANSWER(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	ALLOW(SYS_wait4),
	ALLOW(SYS_close_range),
	ALLOW(SYS_write), /* that it is ready */
	ALLOW(SYS_exit_group),
	/* asked by filter_enter: the low half, on these machines */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
	LOAD(args[0]),
	ALLOW(PR_GET_SECCOMP),
	ANSWER(SECCOMP_RET_KILL_PROCESS),
};

/* It needs nothing of the policy, which a reload may have replaced. */
static int
forget_image(const struct base *base)
{
	return munmap((void *)(uintptr_t)base->image.base, base->image.size);
}

/* Whatever the service keeps, it is nothing to this one. */
static int
give_up(const struct base *base)
{
	const struct drop_capabilities none = { .permitted = 0 };

	if (prctl(PR_SET_NAME, "tcpmuxd-init", 0, 0, 0) != 0 ||
	    forget_image(base) != 0 || drop_clear_ambient() != 0 ||
	    drop_set_capabilities(&none) != 0 ||
	    drop_verify_capabilities(&none) != 0 || drop_new_privileges() != 0)
		return -1;
	return filter_enter(calls, sizeof(calls) / sizeof(calls[0]));
}

/* Not by the end of the pipe: that would come if this one failed, too. */
static void
let_go(int ready_fd)
{
	const char ready = READY;

	(void)close_range(0, (unsigned)ready_fd - 1, 0);
	(void)close_range((unsigned)ready_fd + 1, ~0U, 0);
	(void)!write(ready_fd, &ready, sizeof(ready));
	(void)close_range(0, ~0U, 0);
}

static _Noreturn void
tend(const struct child *child, pid_t service, int ready_fd)
{
	int status = 0;
	pid_t ended;

	if (give_up(child->base) != 0) {
		launch_report(child->status_fd, STEP_INIT, errno);
		_exit(EXIT_FAILURE);
	}
	let_go(ready_fd);
	do
		ended = wait4(-1, &status, 0, NULL);
	while (ended != service && (ended != -1 || errno == EINTR));
	if (ended == -1)
		_exit(EXIT_FAILURE);
	/* It made this one its tracer, ptrace(2): killed, as all in here. */
	if (WIFSTOPPED(status))
		_exit(SIGNAL_STATUS + SIGKILL);
	_exit(WIFSIGNALED(status) ? SIGNAL_STATUS + WTERMSIG(status)
				  : WEXITSTATUS(status));
}

static int
wait_for_init(int ready_fd)
{
	char ready = 0;
	ssize_t length;

	do
		length = read(ready_fd, &ready, sizeof(ready));
	while (length == -1 && errno == EINTR);
	if (length == -1)
		return -1;
	/* It has told what went wrong, and is about to take us with it. */
	if (length == 0)
		_exit(EXIT_FAILURE);
	if (length != sizeof(ready) || ready != READY || getppid() != 1) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
child_leave_init(struct child *child)
{
	int ready[2];
	long pid;

	if ((child->plan->service->isolate & IMAGE_ISOLATE_PID) == 0)
		return 0;
	if (pipe2(ready, O_CLOEXEC) != 0)
		return -1;
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == -1)
		return -1;
	if (pid != 0)
		tend(child, (pid_t)pid, ready[1]);
	(void)close(ready[1]);
	if (wait_for_init(ready[0]) != 0)
		return -1;
	return close(ready[0]);
}

/*
 * Processes and signals of the kernel in memory.
 * Whoever ends is a zombie until it is waited for; a pid is never used twice,
 * so that a signal to one that was reaped is found out.
 */
#include "calls.h"
#include "kernel.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct process *
process_make(enum process_kind kind)
{
	struct process *process = NULL;

	for (uint32_t i = 0; i < KERNEL_PROCESSES && process == NULL; i++)
		if (kernel.processes[i].kind == PROCESS_NONE)
			process = &kernel.processes[i];
	if (process == NULL)
		return NULL;
	*process = (struct process){ .kind = kind,
		.pid = KERNEL_FIRST_PID + (pid_t)kernel.process_count++,
		.fds = { -1, -1, -1, -1 } };
	return process;
}

struct process *
process_of(pid_t pid)
{
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++)
		if (kernel.processes[i].kind != PROCESS_NONE &&
		    kernel.processes[i].pid == pid)
			return &kernel.processes[i];
	return NULL;
}

void
kernel_signal(int number)
{
	kernel.signals |= 1U << number;
}

void
process_end(struct process *process, int status)
{
	if (process->is_zombie)
		return;
	process->is_zombie = true;
	process->status = status;
	fds_close_of(process->pid);
	kernel_signal(SIGCHLD);
}

/* Who was killed while it could not notice. */
void
process_end_killed(void)
{
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++) {
		struct process *process = &kernel.processes[i];

		if (process->kind != PROCESS_NONE && !process->is_zombie &&
		    process->killed_by != 0)
			process_end(process, process->killed_by);
	}
}

int
fuzz_kill(pid_t pid, int number)
{
	struct process *process = process_of(pid < 0 ? -pid : pid);

	kernel_require(pid > 1 || pid < -1, "signals everybody");
	kernel_require(process != NULL, "signals a pid that it has reaped");
	if (!process->is_zombie &&
	    (number == SIGKILL || process->kind == PROCESS_SERVICE) &&
	    process->killed_by != SIGKILL)
		process->killed_by = number;
	return 0;
}

pid_t
fuzz_getpgid(pid_t pid)
{
	return process_of(pid) != NULL ? pid : -1;
}

int
fuzz_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	(void)type;
	(void)id;
	kernel_require((options & WNOHANG) != 0, "waits for a child");
	kernel_require((options & WEXITED) != 0, "nobody stops here");
	info->si_pid = 0;
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++)
		if (kernel.processes[i].kind != PROCESS_NONE &&
		    kernel.processes[i].is_zombie) {
			info->si_pid = kernel.processes[i].pid;
			info->si_code = WIFEXITED(kernel.processes[i].status)
			    ? CLD_EXITED
			    : CLD_KILLED;
			return 0;
		}
	return 0;
}

pid_t
fuzz_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	struct process *process = process_of(pid);

	kernel_require((options & WNOHANG) != 0, "waits for a child");
	if (process == NULL || !process->is_zombie)
		return 0;
	*status = process->status;
	memset(usage, 0, sizeof(*usage));
	usage->ru_utime.tv_sec = process->cpu_s;
	process->kind = PROCESS_NONE;
	return pid;
}

int
fuzz_signalfd(int fd, const sigset_t *set, int flags)
{
	(void)fd;
	(void)set;
	(void)flags;
	return fd_make(file_make(FILE_SIGNALS), kernel.current);
}

/* The pending ones, each once. */
ssize_t
signals_read(void *bytes, size_t size)
{
	struct signalfd_siginfo *told = bytes;
	size_t count = 0;

	for (int number = 1; number < 32; number++) {
		if ((kernel.signals >> number & 1) == 0 ||
		    (count + 1) * sizeof(*told) > size)
			continue;
		kernel.signals &= ~(1U << number);
		memset(&told[count], 0, sizeof(*told));
		told[count++].ssi_signo = (uint32_t)number;
	}
	if (count > 0)
		return (ssize_t)(count * sizeof(*told));
	errno = EAGAIN;
	return -1;
}

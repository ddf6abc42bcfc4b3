/*
 * A service that tries on another process what one session must not do to
 * another, and says for each act `ACT done` or `ACT ERRNO`:
 *   robber           PID ADDRESS NAME in the first line of its input: a
 *                    process, where to read in it (hexadecimal), and the
 *                    abstract Unix socket it listens on
 *   robber victim    says `PID ADDRESS NAME` of itself, and ends with its input
 *   robber try PID ADDRESS NAME    the same acts, as a command
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "untraced.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static char secret[16] = "a secret";

struct victim {
	pid_t pid;
	unsigned long address;
	char name[64];
};

static void
say(const char *act, long result)
{
	if (result == -1)
		printf("%s %s\n", act, strerrorname_np(errno));
	else
		printf("%s done\n", act);
}

static long
open_of(const struct victim *victim, const char *what, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", victim->pid, what);
	return open(path, flags | O_CLOEXEC);
}

static struct sockaddr_un
abstract(const char *name, socklen_t *length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(
	    address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(name));
	return address;
}

static long
connect_to(const struct victim *victim)
{
	socklen_t length;
	const struct sockaddr_un address = abstract(victim->name, &length);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (const struct sockaddr *)&address, length);
}

static long
trace(const struct victim *victim)
{
	long result = ptrace(PTRACE_ATTACH, victim->pid, NULL, NULL);

	if (result == 0) {
		(void)waitpid(victim->pid, NULL, __WALL);
		(void)ptrace(PTRACE_DETACH, victim->pid, NULL, NULL);
	}
	return result;
}

/* To what it was: one of RLIMIT_CPU could end it. */
static long
set_limit(const struct victim *victim)
{
	struct rlimit limit;

	if (prlimit(victim->pid, RLIMIT_CORE, NULL, &limit) != 0)
		return -1;
	return prlimit(victim->pid, RLIMIT_CORE, &limit, NULL);
}

static void
rob(const struct victim *victim)
{
	char stolen[sizeof(secret)] = { 0 };
	const struct iovec here = { stolen, sizeof(stolen) };
	const struct iovec there = { (char *)victim->address, sizeof(stolen) };
	const int pidfd = (int)syscall(SYS_pidfd_open, victim->pid, 0U);
	char path[64];
	char target[64];

	say("kill", kill(victim->pid, 0));
	say("continue", kill(victim->pid, SIGCONT));
	say("pidfd_signal", syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0U));
	say("tgkill", syscall(SYS_tgkill, victim->pid, victim->pid, 0));
	say("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 0, 0U));
	say("readv", process_vm_readv(victim->pid, &here, 1, &there, 1, 0));
	say("writev", process_vm_writev(victim->pid, &here, 1, &there, 1, 0));
	say("mem", open_of(victim, "mem", O_RDWR));
	say("environ", open_of(victim, "environ", O_RDONLY));
	say("maps", open_of(victim, "maps", O_RDONLY));
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/0", victim->pid);
	say("readlink", readlink(path, target, sizeof(target)));
	say("ptrace", trace(victim));
	say("abstract", connect_to(victim));
	say("limits", set_limit(victim));
	say("priority", setpriority(PRIO_PROCESS, (id_t)victim->pid, 0));
	printf("end -\n");
}

static void
be_victim(void)
{
	char name[64];
	socklen_t length;
	char byte;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(name, sizeof(name), "tcpmuxd-victim-%d", getpid());
	const struct sockaddr_un address = abstract(name, &length);

	if (bind(fd, (const struct sockaddr *)&address, length) != 0 ||
	    listen(fd, 5) != 0)
		exit(2);
	printf("%d %lx %s\n", getpid(), (unsigned long)secret, name);
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
}

int
main(int argc, char *argv[])
{
	struct victim victim = { 0 };
	char line[256];

	if (argc == 2 && strcmp(argv[1], "victim") == 0) {
		be_victim();
		return 0;
	}
	if (argc == 5 && strcmp(argv[1], "try") == 0)
		(void)snprintf(
		    line, sizeof(line), "%s %s %s", argv[2], argv[3], argv[4]);
	else if (fgets(line, sizeof(line), stdin) == NULL)
		return 2;
	if (sscanf(line, "%d %lx %63s", &victim.pid, &victim.address,
		victim.name) != 3)
		return 2;
	rob(&victim);
	return 0;
}

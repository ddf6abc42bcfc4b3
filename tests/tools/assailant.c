/*
 * A service that turns against everything it can reach: tcpmuxd, other
 * sessions of its uid, the log, its limits and its client's socket:
 *   assailant ACT
 * It says one line that is the same each time the act has failed, as it has
 * to, or what came of it otherwise.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "untraced.h"

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

#define FLOOD_LINES 200
#define BOMBS 4096

static unsigned robbed;

static void
say(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

static void
count_if(bool has_succeeded)
{
	robbed += has_succeeded;
}

static bool
can_open(pid_t pid, const char *what, int flags)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	fd = open(path, flags | O_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static void
rob(pid_t pid)
{
	struct rlimit limit = { 0 };

	count_if(kill(pid, SIGKILL) == 0);
	count_if(kill(pid, SIGSTOP) == 0);
	count_if(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0);
	count_if(can_open(pid, "fd/0", O_RDWR));
	count_if(can_open(pid, "mem", O_RDWR));
	count_if(can_open(pid, "environ", O_RDONLY));
	count_if(prlimit(pid, RLIMIT_CPU, &limit, NULL) == 0);
	count_if(setpriority(PRIO_PROCESS, (id_t)pid, 19) == 0);
}

/* tcpmuxd, whose child it is, and every process of its own uid. */
static void
rob_all(void)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	char text[64];

	rob(getppid());
	while (all != NULL && (entry = readdir(all)) != NULL) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct stat about;
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/%d", pid);
		if (pid > 1 && pid != getpid() && stat(path, &about) == 0 &&
		    about.st_uid == getuid())
			rob(pid);
	}
	(void)snprintf(text, sizeof(text), "robbed %u\n", robbed);
	say(text);
}

/* Lines as the log's own, bytes that a terminal obeys, and no end. */
static void
flood(void)
{
	static const char forged[] =
	    "x\ntime=2000-01-01T00:00:00.000Z level=notice event=launch "
	    "service=forged addr=192.0.2.1 port=1 session=1 pid=1\n"
	    "\" event=exit service=forged status=0\r\033[2J\200\377\n";
	char line[2048];

	memset(line, 'x', sizeof(line));
	for (int i = 0; i < FLOOD_LINES; i++)
		if (write(STDERR_FILENO, forged, sizeof(forged)) < 0 ||
		    write(STDERR_FILENO, line, sizeof(line)) < 0)
			break;
	say("flooded\n");
}

/* As many as there may be, until the client is gone or this ends. */
static void
bomb(void)
{
	for (int i = 0; i < BOMBS; i++) {
		const pid_t child = fork();

		if (child == -1)
			break;
		if (child == 0)
			for (;;)
				(void)pause();
	}
	say("bombed\n");
}

static void
hide(void)
{
	if (fork() != 0)
		_exit(0);
	(void)setsid();
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_IGN);
	for (;;)
		(void)pause();
}

/* It ends, and what has left its group still has the client. */
static void
keep(void)
{
	say("kept\n");
	if (fork() == 0)
		hide();
}

/* Deaf to TERM, and its lifetime is short. */
static void
stay(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	say("stays\n");
	for (;;)
		(void)pause();
}

static void
set(int level, int name, const void *value, socklen_t length)
{
	(void)setsockopt(STDIN_FILENO, level, name, value, length);
}

/* All that could make whoever has the socket next wait, or be wrong. */
static void
spoil(void)
{
	static struct sock_filter none[] = { { BPF_RET | BPF_K, 0, 0, 0 } };
	const struct sock_fprog filter = { .len = 1, .filter = none };
	const struct linger minute = { .l_onoff = 1, .l_linger = 60 };
	const int much = 1 << 20;

	say("spoiled\n");
	set(SOL_SOCKET, SO_LINGER, &minute, sizeof(minute));
	set(SOL_SOCKET, SO_RCVLOWAT, &much, sizeof(much));
	set(SOL_SOCKET, SO_PEEK_OFF, &much, sizeof(much));
	(void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK | O_ASYNC);
	(void)fcntl(STDIN_FILENO, F_SETOWN, getppid());
	set(SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

static const struct {
	const char *word;
	void (*act)(void);
} acts[] = {
	{ "rob", rob_all },
	{ "flood", flood },
	{ "bomb", bomb },
	{ "keep", keep },
	{ "stay", stay },
	{ "spoil", spoil },
};

int
main(int argc, char *argv[])
{
	for (size_t i = 0; argc == 2 && i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(argv[1], acts[i].word) == 0) {
			acts[i].act();
			return 0;
		}
	return 64;
}

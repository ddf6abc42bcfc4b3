/*
 * A service that says what it was given: one `key value` a line, on stdout.
 *   probe            says it and ends
 *   probe wait       says it, `end -`, and ends with its input
 * What a test computes from a policy is compared with this, so nothing here
 * may come from anywhere but the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "untraced.h"

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

#define GROUPS_MAX 4096
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
say_ids(void)
{
	static gid_t groups[GROUPS_MAX];
	uid_t uids[3];
	gid_t gids[3];
	int count;

	(void)getresuid(&uids[0], &uids[1], &uids[2]);
	(void)getresgid(&gids[0], &gids[1], &gids[2]);
	printf("uids %u %u %u\n", uids[0], uids[1], uids[2]);
	printf("gids %u %u %u\n", gids[0], gids[1], gids[2]);
	count = getgroups(GROUPS_MAX, groups);
	printf("groups");
	for (int i = 0; i < count; i++)
		printf(" %u", groups[i]);
	printf("\npid %d\nppid %d\npgid %d\nsid %d\n", getpid(), getppid(),
	    getpgrp(), getsid(0));
}

static void
say_words(char *argv[], char *envp[])
{
	for (; *argv != NULL; argv++)
		printf("argv %s\n", *argv);
	for (; *envp != NULL; envp++)
		printf("env %s\n", *envp);
}

static void
say_place(void)
{
	char path[4096];
	mode_t mask = umask(0);
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);

	(void)umask(mask);
	printf("umask %03o\n", mask);
	printf("cwd %s\n", getcwd(path, sizeof(path)));
	printf("terminal %s\n", terminal == -1 ? "none" : "some");
	if (terminal != -1)
		close(terminal);
}

static const char *
type_of(const struct stat *status)
{
	if (S_ISSOCK(status->st_mode))
		return "socket";
	if (S_ISFIFO(status->st_mode))
		return "pipe";
	if (S_ISCHR(status->st_mode))
		return "device";
	return "other";
}

/* Number, type, device or inode, status flags, whether it ends with exec. */
static void
say_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	if (directory == NULL)
		printf("fd error %d\n", errno);
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		struct stat status;

		if (entry->d_name[0] == '.' || fd == dirfd(directory) ||
		    fstat(fd, &status) != 0)
			continue;
		printf("fd %d %s %lu %#x %d\n", fd, type_of(&status),
		    S_ISCHR(status.st_mode) ? status.st_rdev : status.st_ino,
		    (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
	}
	if (directory != NULL)
		(void)closedir(directory);
}

static void
say_limits(void)
{
	for (int i = 0; i < RLIMIT_NLIMITS; i++) {
		struct rlimit limit;

		if (getrlimit((__rlimit_resource_t)i, &limit) == 0)
			printf("limit %d %lld %lld\n", i,
			    (long long)limit.rlim_cur,
			    (long long)limit.rlim_max);
	}
}

/* Signals, capabilities, seccomp, processors: as the kernel writes them. */
static void
say_status(void)
{
	static const char *const keys[] = { "SigPnd:", "ShdPnd:", "SigBlk:",
		"SigIgn:", "SigCgt:", "CapInh:", "CapPrm:", "CapEff:",
		"CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:",
		"Seccomp_filters:", "Cpus_allowed_list:", "Threads:",
		"NSpid:" };
	FILE *file = fopen("/proc/self/status", "re");
	char line[1024];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		for (size_t i = 0; i < COUNT(keys); i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				printf("%.*s %s", (int)strcspn(line, ":"), line,
				    line + strlen(keys[i]) + 1);
	if (file != NULL)
		(void)fclose(file);
}

static void
say_process(void)
{
	int death = -1;
	FILE *file = fopen("/proc/self/oom_score_adj", "re");
	char line[32] = "?\n";

	(void)prctl(PR_GET_PDEATHSIG, &death);
	if (file != NULL && fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	if (file != NULL)
		(void)fclose(file);
	printf("oom_score_adj %s", line);
	printf("securebits %#x\n", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	printf("death_signal %d\n", death);
	printf("dumpable %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	printf("keepcaps %d\n", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
	printf("scheduler %d\n", sched_getscheduler(0));
	printf("personality %#x\n", (unsigned)personality(0xffffffff));
}

static void
say_socket(void)
{
	static const struct {
		const char *name;
		int level, option;
	} options[] = {
		{ "oobinline", SOL_SOCKET, SO_OOBINLINE },
		{ "rcvlowat", SOL_SOCKET, SO_RCVLOWAT },
		{ "peek_off", SOL_SOCKET, SO_PEEK_OFF },
		{ "keepalive", SOL_SOCKET, SO_KEEPALIVE },
		{ "keepidle", IPPROTO_TCP, TCP_KEEPIDLE },
		{ "keepintvl", IPPROTO_TCP, TCP_KEEPINTVL },
		{ "keepcnt", IPPROTO_TCP, TCP_KEEPCNT },
		{ "user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT },
		{ "filter", SOL_SOCKET, SO_GET_FILTER },
	};
	struct linger linger = { 0 };
	socklen_t length = sizeof(linger);

	for (size_t i = 0; i < COUNT(options); i++) {
		int value = 0;

		length = sizeof(value);
		if (options[i].option == SO_GET_FILTER)
			length = 0; /* how many instructions there are */
		if (getsockopt(0, options[i].level, options[i].option, &value,
			&length) != 0)
			printf("%s error %d\n", options[i].name, errno);
		else
			printf("%s %d\n", options[i].name,
			    options[i].option == SO_GET_FILTER ? (int)length
							       : value);
	}
	length = sizeof(linger);
	(void)getsockopt(0, SOL_SOCKET, SO_LINGER, &linger, &length);
	printf("linger %d %d\n", linger.l_onoff, linger.l_linger);
}

int
main(int argc, char *argv[], char *envp[])
{
	char byte;

	say_descriptors(); /* before stdio or the C library open any */
	say_ids();
	say_words(argv, envp);
	say_place();
	say_limits();
	say_status();
	say_process();
	say_socket();
	if (argc > 1 && strcmp(argv[1], "wait") == 0) {
		printf("end -\n");
		(void)fflush(stdout);
		while (read(0, &byte, 1) > 0)
			continue;
	}
	return 0;
}

/*
 * A service that looks at the place it is in and pushes against its limits:
 *   insider ACT[=ARGUMENT]...
 *   insider ask      the acts are the lines of its input; a line with a dot
 *                    follows what each has said. With the name of a builtin
 *                    instead it does the same: as if it were that one.
 * For each act it says `ACT RESULT`: a number, words, or the name of an errno.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "untraced.h"

#define FILES_MAX 4096
#define FORKS_MAX 16

static const char *
name_of(long result)
{
	return result == -1 ? strerrorname_np(errno) : "done";
}

static void
say_inode(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		printf("inode %s\n", strerrorname_np(errno));
	else
		printf(
		    "inode %s %lu:%lu\n", path, status.st_dev, status.st_ino);
}

static void
say_list(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	if (directory == NULL) {
		printf("list %s\n", strerrorname_np(errno));
		return;
	}
	while ((entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			printf("list %s\n", entry->d_name);
	printf("list -\n");
	(void)closedir(directory);
}

static void
say_chroot(const char *path)
{
	printf("chroot %s\n", name_of(chroot(path)));
}

static void
say_nice(const char *number)
{
	const int wanted = (int)strtol(number, NULL, 10);

	printf("nice %s\n", name_of(setpriority(PRIO_PROCESS, 0, wanted)));
}

/* Every hard limit that can be more; or that of one resource. */
static void
say_raise(const char *resource)
{
	for (int i = 0; i < RLIMIT_NLIMITS; i++) {
		struct rlimit limit;

		if (resource != NULL && strtol(resource, NULL, 10) != i)
			continue;
		if (getrlimit((__rlimit_resource_t)i, &limit) != 0 ||
		    limit.rlim_max == RLIM_INFINITY)
			continue;
		limit.rlim_max++;
		printf("raise %d %s\n", i,
		    name_of(setrlimit((__rlimit_resource_t)i, &limit)));
	}
}

/* How many files can be open at a time, and what the next one costs. */
static void
say_files(const char *unused)
{
	int count = 0;

	(void)unused;
	while (count < FILES_MAX && dup(0) != -1)
		count++;
	printf("files %d %s\n", count + 3,
	    count == FILES_MAX ? "-" : strerrorname_np(errno));
	(void)close_range(3, ~0U, 0);
}

/* How many children there can be at a time. */
static void
say_forks(const char *unused)
{
	pid_t children[FORKS_MAX];
	int count = 0;

	(void)unused;
	(void)fflush(stdout);
	while (count < FORKS_MAX) {
		children[count] = fork();
		if (children[count] == 0) {
			pause();
			_exit(0);
		}
		if (children[count] == -1)
			break;
		count++;
	}
	printf("forks %d %s\n", count,
	    count == FORKS_MAX ? "-" : strerrorname_np(errno));
	while (count-- > 0) {
		kill(children[count], SIGKILL);
		waitpid(children[count], NULL, 0);
	}
}

static void
say_map(const char *bytes)
{
	const void *mapped = mmap(NULL, strtoul(bytes, NULL, 10), PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	printf("map %s\n", name_of(mapped == MAP_FAILED ? -1 : 0));
}

/* Memory that it really takes, and gives back. */
static void
say_touch(const char *bytes)
{
	const size_t size = strtoul(bytes, NULL, 10);
	char *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mapped == MAP_FAILED) {
		printf("touch %s\n", strerrorname_np(errno));
		return;
	}
	memset(mapped, 1, size);
	printf("touch done\n");
	munmap(mapped, size);
}

/* What a file can hold: writes a page at a time, SIGXFSZ ignored. */
static void
say_file(const char *path)
{
	static const char page[4096];
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	long bytes = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	while (fd != -1 && bytes < 1 << 20) {
		const ssize_t count = write(fd, page, sizeof(page));

		if (count == -1)
			break;
		bytes += count;
	}
	printf("file %ld %s\n", bytes,
	    bytes == 1 << 20 ? "-" : strerrorname_np(errno));
	if (fd != -1)
		(void)close(fd);
}

/* Who it is, as it is told. */
static void
say_who(const char *unused)
{
	(void)unused;
	printf("who pid %d ppid %d pgid %d sid %d\n", getpid(), getppid(),
	    getpgrp(), getsid(0));
}

static void
say_link(const char *path)
{
	char target[256] = "";

	if (readlink(path, target, sizeof(target) - 1) == -1)
		printf("link %s\n", strerrorname_np(errno));
	else
		printf("link %s %s\n", path, target);
}

static void
say_open(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	printf("open %s\n", name_of(fd));
	if (fd != -1)
		(void)close(fd);
}

/* What a new file's permissions are. */
static void
say_mode(const char *path)
{
	const int fd =
	    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	struct stat status;

	if (fd == -1 || fstat(fd, &status) != 0)
		printf("mode %s\n", strerrorname_np(errno));
	else
		printf("mode %03o\n", status.st_mode & 0777);
	if (fd != -1) {
		(void)close(fd);
		(void)unlink(path);
	}
}

static void
say_execute(const char *path)
{
	int status = 0;
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		(void)execl(path, "insider", "ids", (char *)NULL);
		printf("execute %s\n", strerrorname_np(errno));
		(void)fflush(stdout);
		_exit(0);
	}
	if (child == -1)
		printf("execute %s\n", strerrorname_np(errno));
	else
		(void)waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		printf("execute signal %d\n", WTERMSIG(status));
}

static void
say_ids(const char *unused)
{
	(void)unused;
	printf("ids %u %u\n", geteuid(), getegid());
}

static void
say_setuid(const char *number)
{
	printf(
	    "setuid %s\n", name_of(setuid((uid_t)strtoul(number, NULL, 10))));
}

static void
say_env(const char *name)
{
	const char *value = getenv(name);

	printf("env %s\n", value == NULL ? "-" : value);
}

/* FAMILY,TYPE[,PROTOCOL] as numbers. */
static void
say_socket(const char *kind)
{
	int family = 0, type = 0, protocol = 0, fd;

	(void)sscanf(kind, "%d,%d,%d", &family, &type, &protocol);
	fd = socket(family, type, protocol);
	printf("socket %s\n", name_of(fd));
	if (fd != -1)
		(void)close(fd);
}

static socklen_t
abstract(const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(
	    address->sun_path + 1, sizeof(address->sun_path) - 1, "%s", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(name));
}

/* For datagrams: no filter refuses it. It stays until the end. */
static void
say_name(const char *name)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	const socklen_t length = abstract(name, &address);

	printf("name %s\n",
	    name_of(bind(fd, (const struct sockaddr *)&address, length)));
}

/* By a datagram, and by connecting first. */
static void
say_reach(const char *name)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	const socklen_t length = abstract(name, &address);
	const struct sockaddr *to = (const struct sockaddr *)&address;

	printf("reach %s", name_of(sendto(fd, "x", 1, 0, to, length)));
	printf(" %s\n", name_of(connect(fd, to, length)));
	(void)close(fd);
}

/* Nothing at all: what answers EPERM is a filter. */
static void
say_unshare(const char *unused)
{
	(void)unused;
	printf("unshare %s\n", name_of(unshare(0)));
}

static void
say_queue(const char *key)
{
	printf("queue %s\n", name_of(msgget((key_t)strtol(key, NULL, 10), 0)));
}

static void
say_rename_host(const char *name)
{
	struct utsname is;
	const long result = sethostname(name, strlen(name));

	(void)uname(&is);
	printf("host %s %s\n", name_of(result),
	    strcmp(is.nodename, name) == 0 ? "renamed" : "as it was");
}

static void
say_stderr(const char *words)
{
	dprintf(STDERR_FILENO, "%s\n", words);
	printf("stderr -\n");
}

static void
say_securebits(const char *unused)
{
	(void)unused;
	printf(
	    "securebits %#x\n", (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
}

/* After how many seconds the kernel asks for the client; 0: never. */
static void
say_keepalive(const char *unused)
{
	int is_on = 0, seconds = 0;
	socklen_t length = sizeof(int);

	(void)unused;
	(void)getsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &is_on, &length);
	(void)getsockopt(0, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, &length);
	printf("keepalive %d\n", is_on ? seconds : 0);
}

/* All that might end process 1. */
static void
say_kill(const char *unused)
{
	(void)unused;
	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		if (signal_number != SIGSTOP && kill(1, signal_number) != 0)
			printf("kill %d %s\n", signal_number,
			    strerrorname_np(errno));
	printf("kill -\n");
}

static void
say_unmount(const char *path)
{
	printf("unmount %s\n", name_of(umount2(path, MNT_DETACH)));
}

static bool
is_there(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/*
 * A grandchild whose parent ends: whose child it is then, and whether it is
 * gone once it ends, rather than a zombie for ever.
 */
static void
say_orphan(const char *unused)
{
	pid_t told[2] = { 0, 0 };
	int ends[2];

	(void)unused;
	(void)fflush(stdout);
	if (pipe(ends) != 0)
		return;
	if (fork() == 0) {
		const pid_t parent = getpid();

		if (fork() != 0)
			_exit(0);
		while (getppid() == parent)
			usleep(1000);
		told[0] = getpid();
		told[1] = getppid();
		_exit(write(ends[1], told, sizeof(told)) != sizeof(told));
	}
	wait(NULL);
	if (read(ends[0], told, sizeof(told)) != sizeof(told))
		return;
	for (int i = 0; i < 10000 && is_there(told[0]); i++)
		usleep(1000);
	printf("orphan %d %s\n", told[1], is_there(told[0]) ? "stays" : "gone");
}

/* A process that has left group and session, and keeps the client. */
static void
stay(const char *unused)
{
	(void)unused;
	(void)fflush(stdout);
	if (fork() != 0) {
		wait(NULL);
		return;
	}
	(void)setsid();
	(void)signal(SIGTERM, SIG_IGN);
	if (fork() == 0)
		for (;;)
			pause();
	_exit(0);
}

static void
die(const char *number)
{
	(void)fflush(stdout);
	(void)kill(getpid(), (int)strtol(number, NULL, 10));
}

static void
leave(const char *number)
{
	exit((int)strtol(number, NULL, 10));
}

/* Until something is said, or the other end is closed. */
static void
wait_for_client(const char *unused)
{
	char byte;

	(void)unused;
	printf("wait -\n");
	(void)fflush(stdout);
	(void)!read(0, &byte, 1);
}

/* For ever: there has to be a limit. */
static void
spin(const char *unused)
{
	(void)unused;
	(void)fflush(stdout);
	for (;;)
		(void)getppid();
}

static void ask(const char *unused);

static const struct {
	const char *word;
	void (*act)(const char *argument);
} acts[] = {
	{ "ask", ask },
	{ "discard", ask },
	{ "env", say_env },
	{ "execute", say_execute },
	{ "host", say_rename_host },
	{ "ids", say_ids },
	{ "keepalive", say_keepalive },
	{ "mode", say_mode },
	{ "name", say_name },
	{ "queue", say_queue },
	{ "reach", say_reach },
	{ "securebits", say_securebits },
	{ "setuid", say_setuid },
	{ "socket", say_socket },
	{ "stderr", say_stderr },
	{ "unshare", say_unshare },
	{ "inode", say_inode },
	{ "list", say_list },
	{ "chroot", say_chroot },
	{ "nice", say_nice },
	{ "raise", say_raise },
	{ "files", say_files },
	{ "forks", say_forks },
	{ "map", say_map },
	{ "touch", say_touch },
	{ "file", say_file },
	{ "spin", spin },
	{ "who", say_who },
	{ "link", say_link },
	{ "open", say_open },
	{ "kill", say_kill },
	{ "unmount", say_unmount },
	{ "orphan", say_orphan },
	{ "stay", stay },
	{ "die", die },
	{ "exit", leave },
	{ "wait", wait_for_client },
};

static void
act_out(char *word)
{
	char *argument = strchr(word, '=');

	if (argument != NULL)
		*argument++ = '\0';
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(word, acts[i].word) == 0) {
			acts[i].act(argument);
			return;
		}
	errx(2, "no such act: %s", word);
}

static void
ask(const char *unused)
{
	char line[512];

	(void)unused;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		act_out(line);
		printf(".\n");
		(void)fflush(stdout);
	}
}

int
main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		act_out(argv[i]);
	return 0;
}

/*
 * A parser whose room lacks its last wall, the filter, and who tries what the
 * others should not let it do. It greets as any parser; what comes then is
 *   DIRECTORY PORT PID NAME
 * of a folder as the test makes it, somebody's TCP port, a process, and an
 * abstract Unix socket. It answers with a line for each act: `ACT done` or
 * `ACT ERRNO`.
 */
#include "parser/confine.c"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>

struct target {
	char directory[200];
	unsigned port;
	pid_t pid;
	char name[64];
};

static char answer[4096];
static size_t answer_length;

/* The filter is the one step that does nothing here. */
int
allowed_load(void)
{
	return 0;
}

static void
say(const char *act, long result)
{
	const size_t left = sizeof(answer) - answer_length;
	const int length = snprintf(answer + answer_length, left, "%s %s\n",
	    act, result == -1 ? strerrorname_np(errno) : "done");

	if (length < 0 || (size_t)length >= left)
		_exit(2);
	answer_length += (size_t)length;
}

static int
open_and_close(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC);

	return fd == -1 ? -1 : close(fd);
}

/* Opened for nothing but ioctl(2), which is all that is asked. */
static int
ioctl_device(void)
{
	const int fd = open("/dev/null", O_ACCMODE | O_CLOEXEC);
	struct termios settings;

	return fd == -1 ? -1 : ioctl(fd, TCGETS, &settings);
}

static void
try_to_make(void)
{
	say("make_dir", mkdir("new-dir", 0700));
	say("make_reg", mknod("new-reg", S_IFREG | 0600, 0));
	say("make_fifo", mknod("new-fifo", S_IFIFO | 0600, 0));
	say("make_sock", mknod("new-sock", S_IFSOCK | 0600, 0));
	say("make_char", mknod("new-char", S_IFCHR | 0600, makedev(1, 3)));
	say("make_block", mknod("new-block", S_IFBLK | 0600, makedev(1, 3)));
	say("make_sym", symlink("file", "new-sym"));
}

static void
try_files(const struct target *target)
{
	char *const argv[] = { answer, NULL };

	say("root", open_and_close("/", O_RDONLY | O_DIRECTORY));
	say("ioctl_dev", ioctl_device());
	if (chdir(target->directory) != 0) {
		say("chdir", -1);
		return;
	}
	say("read_dir", open_and_close(".", O_RDONLY | O_DIRECTORY));
	say("read_file", open_and_close("file", O_RDONLY));
	say("write_file", open_and_close("file", O_WRONLY));
	say("truncate", truncate("file", 0));
	/* It is no program: where it may be executed, it still is not. */
	say("execute", execve("text", argv, argv + 1));
	try_to_make();
	say("refer", rename("file", "dir/file"));
	say("remove_file", unlink("gone"));
	say("remove_dir", rmdir("gone-dir"));
}

static void
try_network(const struct target *target)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	say("bind_tcp",
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)));
	(void)close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_port = htons((uint16_t)target->port);
	say("connect_tcp",
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)));
	(void)close(fd);
}

static void
try_processes(const struct target *target)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const size_t before = offsetof(struct sockaddr_un, sun_path) + 1;

	(void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s",
	    target->name);
	say("abstract_unix_socket",
	    connect(fd, (const struct sockaddr *)&address,
		(socklen_t)(before + strlen(target->name))));
	(void)close(fd);
	say("signal", kill(target->pid, SIGCONT));
	say("trace", ptrace(PTRACE_SEIZE, target->pid, NULL, NULL));
}

int
main(int argc, char *argv[])
{
	struct parser parser = { .serve = { .channel_fd = -1 } };
	struct target target;
	char line[512] = "";
	const char greeting = 0;

	if (argc != 4 || !room_from_word(&parser.kind, argv[1]))
		return 2;
	parser.identity.uid = (uid_t)strtoul(argv[2], NULL, 10);
	parser.identity.gid = (gid_t)strtoul(argv[3], NULL, 10);
	if (parser_confine(&parser) != STEP_NONE ||
	    close(ROOM_STATUS_FD) != 0 ||
	    send(ROOM_CHANNEL_FD, &greeting, 1, MSG_NOSIGNAL) != 1 ||
	    recv(ROOM_CHANNEL_FD, line, sizeof(line) - 1, 0) <= 0 ||
	    sscanf(line, "%199s %u %d %63s", target.directory, &target.port,
		&target.pid, target.name) != 4)
		return 2;
	try_files(&target);
	try_network(&target);
	try_processes(&target);
	return send(ROOM_CHANNEL_FD, answer, answer_length, MSG_NOSIGNAL) > 0
	    ? 0
	    : 2;
}

/*
 * An echo server that tcpmuxd passes sessions to, as short as a correct one
 * can be:
 *
 *	service echo {
 *		allow any
 *		pass  /run/echo.sock
 *	}
 *
 *	cc -o receiver receiver.c && ./receiver /run/echo.sock
 *
 * See tcpmuxd.policy(5), "pass", for the message. Each session is served by a
 * process of its own; what a session holds is two descriptors, the client and
 * the session's pipe.
 */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 4096

/* A socket that only its owner, and so tcpmuxd, can connect to. */
static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "%s: too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	(void)umask(077);
	if (fd < 0 || bind(fd, (void *)&address, sizeof(address)) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		err(1, "%s", path);
	return fd;
}

/* Takes the message (a string then) and both descriptors; 0 or -1. */
static int
receive(int connection, char message[MESSAGE_MAX], int fds[2])
{
	union {
		struct cmsghdr header; /* for its alignment */
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec part = { message, MESSAGE_MAX - 1 };
	struct msghdr header = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t length = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
	struct cmsghdr *rights = length > 0 ? CMSG_FIRSTHDR(&header) : NULL;

	if (rights == NULL || rights->cmsg_level != SOL_SOCKET ||
	    rights->cmsg_type != SCM_RIGHTS)
		return -1;
	if (rights->cmsg_len != CMSG_LEN(2 * sizeof(int))) {
		/* One alone: the other one was not let in (RLIMIT_NOFILE). */
		if (rights->cmsg_len == CMSG_LEN(sizeof(int))) {
			memcpy(fds, CMSG_DATA(rights), sizeof(int));
			(void)close(fds[0]);
		}
		return -1;
	}
	memcpy(fds, CMSG_DATA(rights), 2 * sizeof(int));
	message[length] = '\0';
	return 0;
}

/* `+` has been said already: what comes now is between the two of us. */
static void
echo(int client)
{
	char bytes[4096];
	ssize_t length;

	while ((length = read(client, bytes, sizeof(bytes))) > 0)
		for (ssize_t sent = 0; sent < length;) {
			ssize_t count = write(
			    client, bytes + sent, (size_t)(length - sent));

			if (count < 0)
				return;
			sent += count;
		}
}

int
main(int argc, char *argv[])
{
	int listener;

	if (argc != 2)
		errx(2, "usage: receiver SOCKET");
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	listener = listen_at(argv[1]);
	for (;;) {
		char message[MESSAGE_MAX];
		int fds[2];
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		int is_session =
		    connection >= 0 && receive(connection, message, fds) == 0;

		/* Closing it, with all of the message read, takes the session.
		 */
		if (connection >= 0)
			(void)close(connection);
		if (!is_session)
			continue;
		printf("%s", message);
		(void)fflush(stdout);
		if (fork() == 0) {
			echo(fds[0]);
			_exit(0); /* closes both: the session is over */
		}
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
}

/*
 * bare-fork: the physical limit of launching. One process, no confinement, no
 * policy, no log: accept, fork, the socket as 0 and 1, execve. It reads
 * nothing: whoever connects has the program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 4096

static void
fail(const char *what)
{
	fprintf(stderr, "bare-fork: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int
open_listener(const char *address, const char *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	const int yes = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || inet_pton(AF_INET, address, &name.sin_addr) != 1)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == -1 ||
	    listen(fd, BACKLOG) == -1)
		fail("listen");
	return fd;
}

static void
launch(int fd, char *argv[])
{
	char *const nothing[] = { NULL };
	pid_t pid = fork();

	if (pid == -1)
		fail("fork");
	if (pid > 0)
		return;
	if (dup2(fd, STDIN_FILENO) != -1 && dup2(fd, STDOUT_FILENO) != -1)
		execve(argv[0], argv, nothing);
	_exit(EXIT_FAILURE);
}

int
main(int argc, char *argv[])
{
	int listener;

	if (argc < 4) {
		fputs("usage: bare-fork ADDRESS PORT PROGRAM [ARG ...]\n",
		    stderr);
		return 64;
	}
	listener = open_listener(argv[1], argv[2]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd == -1)
			continue;
		launch(fd, argv + 3);
		close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
}

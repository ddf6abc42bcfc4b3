/*
 * bare-epoll: the physical limit that tcpmuxd is measured against. One
 * process, no confinement, no policy, no log: accept, wait for the request,
 * read, answer, close. It does not even look at what it read. As few system
 * calls as the job allows, so that the comparison is honest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define BACKLOG 4096

/* What everybody is answered, whatever they asked. */
static const char *text = "-Service not available\r\n";
static size_t length;

static void
fail(const char *what)
{
	fprintf(stderr, "bare-epoll: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
usage(void)
{
	fputs("usage: bare-epoll [-dm] [-a ANSWER] [-p PORT] [ADDRESS]\n"
	      "-a: the answer to everybody (the refusal)\n"
	      "-d: deferred accept, and no epoll where the request is there\n"
	      "-m: answer and FIN in one segment\n",
	    stderr);
	exit(64);
}

static int
open_listener(const char *address, uint16_t port, bool is_deferred)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	const int yes = 1;
	int fd;

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		usage();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (is_deferred)
		setsockopt(fd, SOL_TCP, TCP_DEFER_ACCEPT, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == -1)
		fail("bind");
	if (listen(fd, BACKLOG) == -1)
		fail("listen");
	return fd;
}

/* False when nothing has come yet; else the connection has been answered. */
static bool
answer(int fd, int send_flags)
{
	char request[512];

	if (recv(fd, request, sizeof(request), MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN)
		return false;
	/* A client that has gone is no news here. */
	send(fd, text, length, send_flags);
	close(fd);
	return true;
}

static void
accept_all(int epoll, int listener, bool is_deferred, int send_flags)
{
	for (;;) {
		struct epoll_event event = { .events = EPOLLIN };
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd == -1)
			return;
		if (is_deferred && answer(fd, send_flags))
			continue;
		event.data.fd = fd;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
			fail("epoll_ctl");
	}
}

static void
serve(int listener, bool is_deferred, int send_flags)
{
	struct epoll_event events[EVENTS];
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll == -1 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == -1)
		fail("epoll");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				accept_all(
				    epoll, listener, is_deferred, send_flags);
			else
				answer(events[i].data.fd, send_flags);
		}
	}
}

int
main(int argc, char **argv)
{
	int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	bool is_deferred = false;
	unsigned long port = 1;
	int option;

	while ((option = getopt(argc, argv, "a:dmp:")) != -1) {
		if (option == 'a')
			text = optarg;
		else if (option == 'd')
			is_deferred = true;
		else if (option == 'm')
			send_flags |= MSG_MORE; /* until close */
		else if (option == 'p')
			port = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (port == 0 || port > 65535 || argc - optind > 1)
		usage();
	length = strlen(text);
	serve(open_listener(optind < argc ? argv[optind] : "127.0.0.1",
		  (uint16_t)port, is_deferred),
	    is_deferred, send_flags);
}

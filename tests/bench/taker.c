/*
 * taker: a server that tcpmuxd passes sessions to, which takes each and ends
 * it at once: what passing costs, and nothing else. One process, one thread.
 */
#include <err.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "%s: too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		err(1, "%s", path);
	return fd;
}

/* Takes the message, and closes what came with it. */
static void
take(int connection)
{
	union {
		struct cmsghdr header; /* for its alignment */
		uint8_t bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	uint8_t bytes[4096];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *rights;
	int fds[2];

	if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) <= 0)
		return;
	rights = CMSG_FIRSTHDR(&message);
	if (rights == NULL || rights->cmsg_len != CMSG_LEN(sizeof(fds)))
		return;
	memcpy(fds, CMSG_DATA(rights), sizeof(fds));
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int
main(int argc, char *argv[])
{
	int listener;

	if (argc != 2)
		errx(2, "usage: taker SOCKET");
	listener = listen_at(argv[1]);
	for (;;) {
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (connection < 0)
			continue;
		take(connection);
		(void)close(connection);
	}
}

/*
 * Calls on sockets, of the kernel in memory.
 */
#include "calls.h"
#include "kernel.h"
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include <linux/sockios.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

/* What the script wants to fail, fails once. */
static bool
fails(void)
{
	if (kernel.fail_errno == 0)
		return false;
	errno = kernel.fail_errno;
	kernel.fail_errno = 0;
	return true;
}

int
fuzz_socket(int domain, int type, int protocol)
{
	struct file *file;

	(void)type;
	(void)protocol;
	if (domain == AF_NETLINK) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	if (fails())
		return -1;
	file = file_make(FILE_OTHER);
	file->domain = domain;
	return fd_make(file, kernel.current);
}

int
fuzz_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	struct file *file = fd_file(fd);

	(void)address;
	(void)length;
	file->kind = FILE_LISTENER;
	file->index = kernel.listeners++;
	return 0;
}

int
fuzz_listen(int fd, int backlog)
{
	(void)backlog;
	kernel_require(fd_file(fd)->kind == FILE_LISTENER, "listens unbound");
	return 0;
}

int
fuzz_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	const struct file *listener = fd_file(fd);

	kernel_require((flags & SOCK_CLOEXEC) != 0, "accepts without CLOEXEC");
	for (size_t i = 0; i < KERNEL_CONNECTIONS; i++) {
		struct connection *client = &kernel.connections[i];
		struct file *file;

		if (!client->is_used || client->was_accepted ||
		    client->listener != listener->index)
			continue;
		if (fails())
			return -1;
		client->was_accepted = true;
		file = file_make(FILE_STREAM);
		file->connection = client;
		client->file = file;
		memcpy(address, &client->peer, client->peer_length);
		*length = client->peer_length;
		return fd_make(file, kernel.current);
	}
	errno = EAGAIN;
	return -1;
}

/* To a server that sessions are passed to; or of a connection, nowhere. */
int
fuzz_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	struct file *file = fd_file(fd);
	struct file *server;

	(void)length;
	if (address->sa_family == AF_UNSPEC) {
		if (file->connection != NULL)
			file->connection->is_aborted = true;
		return 0;
	}
	if (!kernel.has_servers || kernel.server_count == 16) {
		errno = ECONNREFUSED;
		return -1;
	}
	server = file_make(FILE_PACKETS);
	server->refs = 1;
	server->peer = file;
	file->kind = FILE_PACKETS;
	file->peer = server;
	kernel.servers[kernel.server_count++] = server;
	return 0;
}

int
fuzz_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
	const struct sockaddr_in local = { .sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	kernel_require(fd_file(fd) != NULL, "asks of what is not open");
	memcpy(address, &local, sizeof(local));
	*length = sizeof(local);
	return 0;
}

int
fuzz_setsockopt(
    int fd, int level, int name, const void *value, socklen_t length)
{
	struct file *file = fd_file(fd);
	int number = 0;

	kernel_require(file != NULL, "sets an option of what is not open");
	if (length == sizeof(number))
		memcpy(&number, value, sizeof(number));
	if (file->kind != FILE_STREAM || level != SOL_SOCKET)
		return 0;
	if (name == SO_PEEK_OFF)
		file->connection->peek_offset = number;
	if (name == SO_RCVLOWAT)
		file->connection->low_water = number;
	return 0;
}

int
fuzz_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	const struct file *file = fd_file(fd);
	const struct ucred server = { .pid = 1, .uid = kernel.server_uid };
	int number = 0;

	if (level != SOL_SOCKET || file == NULL) {
		errno = ENOPROTOOPT;
		return -1;
	}
	if (name == SO_PEERCRED) {
		memcpy(value, &server, sizeof(server));
		*length = sizeof(server);
		return 0;
	}
	if (name == SO_DOMAIN)
		number = file->domain == 0 ? AF_INET : file->domain;
	if (name == SO_ERROR)
		number = file->is_reset ? ECONNRESET : 0;
	memcpy(value, &number, sizeof(number));
	*length = sizeof(number);
	return 0;
}

int
fuzz_shutdown(int fd, int how)
{
	struct file *file = fd_file(fd);

	kernel_require(file != NULL, "shuts down what is not open");
	if (file->kind == FILE_STREAM)
		return stream_shutdown(file->connection);
	if (how == SHUT_RD && file->peer != NULL) {
		file->peer->peer = NULL;
		file->peer = NULL;
	}
	return 0;
}

int
fuzz_socketpair(int domain, int type, int protocol, int ends[2])
{
	struct file *one, *other;

	(void)domain;
	(void)type;
	(void)protocol;
	if (fails())
		return -1;
	one = file_make(FILE_PACKETS);
	ends[0] = fd_make(one, kernel.current);
	other = file_make(FILE_PACKETS);
	ends[1] = fd_make(other, kernel.current);
	one->peer = other;
	other->peer = one;
	return 0;
}

int
fuzz_ioctl(int fd, unsigned long request, void *value)
{
	const struct file *file = fd_file(fd);
	int number = 0;

	kernel_require(file != NULL, "asks of what is not open");
	if (request == SIOCINQ && file->connection != NULL)
		number =
		    (int)(file->connection->sent - file->connection->taken);
	if (request == SIOCOUTQ && file->peer != NULL)
		number = file->peer->first != NULL;
	memcpy(value, &number, sizeof(number));
	return 0;
}

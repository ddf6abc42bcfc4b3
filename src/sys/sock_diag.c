/*
 * Asks the kernel about TCP connections, one by one.
 * Trusts the kernel's answers once they are as long as they say.
 * Never waits: what is not there at once is no answer.
 */
#include "sys/sock_diag.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* struct tcp_info of the kernel, as far as it is of use: tcp(7). */
#include <linux/tcp.h>

#define ANSWER_BYTES 4096
#define ALL_STATES 0xffffffffu

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

union answer {
	struct nlmsghdr header;
	char bytes[ANSWER_BYTES];
};

int
sock_diag_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    NETLINK_SOCK_DIAG);
}

/* Whatever nobody has read yet is an answer to a former question. */
static void
forget_answers(int diag_fd)
{
	char byte;

	while (recv(diag_fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		continue;
}

/* The length of the answer, or -1 with errno. */
static ssize_t
exchange(int diag_fd, struct question *question, union answer *answer)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t length;

	question->header.nlmsg_len = sizeof(*question);
	question->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	forget_answers(diag_fd);
	if (sendto(diag_fd, question, sizeof(*question), MSG_DONTWAIT,
		(const struct sockaddr *)&kernel, sizeof(kernel)) == -1)
		return -1;
	length = recv(diag_fd, answer, sizeof(*answer), MSG_DONTWAIT);
	if (length >= 0 && !NLMSG_OK(&answer->header, (size_t)length)) {
		errno = EBADMSG;
		return -1;
	}
	return length;
}

/* Of an answer that is an error; 0 where none is in it. */
static int
error_of(const struct nlmsghdr *header)
{
	int error = 0;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(error)))
		return EBADMSG;
	memcpy(&error, NLMSG_DATA(header), sizeof(error));
	return error < 0 ? -error : error;
}

/* Asks for all sockets that are in no state, to see if anybody answers. */
int
sock_diag_check(int diag_fd)
{
	struct question question = {
		.header = { .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request = { .sdiag_family = AF_INET,
		    .sdiag_protocol = IPPROTO_TCP },
	};
	union answer answer;

	if (exchange(diag_fd, &question, &answer) < 0)
		return -1;
	if (answer.header.nlmsg_type == NLMSG_DONE ||
	    answer.header.nlmsg_type == NLMSG_ERROR)
		errno = error_of(&answer.header);
	else
		errno = EPROTO;
	return errno == 0 ? 0 : -1;
}

int
sock_diag_key(struct sock_diag_key *key, int socket_fd, const struct addr *peer)
{
	struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof(local);
	int interface = 0;

	*key = (struct sock_diag_key){ .peer = *peer };
	if (getsockname(socket_fd, (struct sockaddr *)&local, &length) != 0)
		return -1;
	if (!addr_from_sockaddr(
		&key->local, (const struct sockaddr *)&local, length)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	length = sizeof(key->cookie);
	if (getsockopt(
		socket_fd, SOL_SOCKET, SO_COOKIE, &key->cookie, &length) != 0)
		return -1;
	/* Before Linux 5.1 it cannot be asked: then it is the address's. */
	length = sizeof(interface);
	if (getsockopt(socket_fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface,
		&length) != 0)
		interface = (int)key->local.scope;
	key->interface = (uint32_t)interface;
	return 0;
}

static void
set_address(uint32_t to[4], const struct addr *addr)
{
	memcpy(to, addr->bytes, addr->family == ADDR_V4 ? 4 : 16);
}

static struct question
question_of(const struct sock_diag_key *key)
{
	struct question question = {
		.header = { .nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_family = key->local.family == ADDR_V4
			? AF_INET
			: AF_INET6,
		    .sdiag_protocol = IPPROTO_TCP,
		    .idiag_ext = 1 << (INET_DIAG_INFO - 1),
		    .idiag_states = ALL_STATES },
	};
	struct inet_diag_sockid *id = &question.request.id;

	id->idiag_sport = htons(key->local.port);
	id->idiag_dport = htons(key->peer.port);
	set_address(id->idiag_src, &key->local);
	set_address(id->idiag_dst, &key->peer);
	id->idiag_if = key->interface;
	id->idiag_cookie[0] = (uint32_t)key->cookie;
	id->idiag_cookie[1] = (uint32_t)(key->cookie >> 32);
	return question;
}

/* The attribute INET_DIAG_INFO, as much of it as there is; NULL: none. */
static const void *
find_info(const struct nlmsghdr *header, size_t *length)
{
	const size_t begin = NLMSG_LENGTH(sizeof(struct inet_diag_msg));
	const char *bytes = (const char *)header;
	struct nlattr attribute;
	size_t at = NLMSG_ALIGN(begin);

	while (at + sizeof(attribute) <= header->nlmsg_len) {
		memcpy(&attribute, bytes + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) ||
		    attribute.nla_len > header->nlmsg_len - at)
			break;
		if (attribute.nla_type == INET_DIAG_INFO) {
			*length = attribute.nla_len - sizeof(attribute);
			return bytes + at + sizeof(attribute);
		}
		at += NLMSG_ALIGN((size_t)attribute.nla_len);
	}
	return NULL;
}

enum sock_diag_result
sock_diag_ask(int diag_fd, const struct sock_diag_key *key, uint32_t *quiet_ms)
{
	struct question question = question_of(key);
	union answer answer;
	struct tcp_info info = { .tcpi_state = 0 };
	size_t length = 0;
	const void *found;

	if (exchange(diag_fd, &question, &answer) < 0)
		return SOCK_DIAG_UNKNOWN;
	if (answer.header.nlmsg_type == NLMSG_ERROR) {
		errno = error_of(&answer.header);
		/* Another has the addresses, or the listener is found. */
		return errno == ENOENT || errno == ESTALE ? SOCK_DIAG_GONE
							  : SOCK_DIAG_UNKNOWN;
	}
	/* In its last state (TIME-WAIT) it is no socket of anybody's. */
	found = find_info(&answer.header, &length);
	if (found == NULL || length < offsetof(struct tcp_info, tcpi_pmtu))
		return SOCK_DIAG_GONE;
	memcpy(&info, found, length < sizeof(info) ? length : sizeof(info));
	*quiet_ms = info.tcpi_last_data_recv < info.tcpi_last_data_sent
	    ? info.tcpi_last_data_recv
	    : info.tcpi_last_data_sent;
	return SOCK_DIAG_FOUND;
}

/* What the kernel says of real connections over the loopback interface. */
#include "sys/sock_diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/clock.h"

/* A connection between two sockets of ours, and the listener it came from. */
struct pair {
	int listener, client, server;
	struct sockaddr_storage address, client_address;
	socklen_t length;
	struct addr peer;
};

static void
listen_on(struct pair *pair, int family)
{
	const int one = 1;

	memset(pair, 0, sizeof(*pair));
	pair->address.ss_family = (sa_family_t)family;
	if (family == AF_INET6) {
		((struct sockaddr_in6 *)&pair->address)->sin6_addr =
		    in6addr_loopback;
		pair->length = sizeof(struct sockaddr_in6);
	} else {
		((struct sockaddr_in *)&pair->address)->sin_addr.s_addr =
		    htonl(INADDR_LOOPBACK);
		pair->length = sizeof(struct sockaddr_in);
	}
	pair->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(pair->listener, SOL_SOCKET, SO_REUSEADDR,
			     &one, sizeof(one)),
	    0);
	assert_int_equal(bind(pair->listener, (struct sockaddr *)&pair->address,
			     pair->length),
	    0);
	assert_int_equal(listen(pair->listener, 5), 0);
	assert_int_equal(getsockname(pair->listener,
			     (struct sockaddr *)&pair->address, &pair->length),
	    0);
}

/* From the same port as the time before, if there was one. */
static void
connect_to(struct pair *pair)
{
	socklen_t length = sizeof(pair->client_address);
	const int one = 1;

	pair->client =
	    socket(pair->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(
	    pair->client, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (pair->client_address.ss_family != 0)
		assert_int_equal(
		    bind(pair->client, (struct sockaddr *)&pair->client_address,
			pair->length),
		    0);
	assert_int_equal(connect(pair->client,
			     (struct sockaddr *)&pair->address, pair->length),
	    0);
	pair->server = accept(
	    pair->listener, (struct sockaddr *)&pair->client_address, &length);
	assert_true(pair->server >= 0);
	assert_true(addr_from_sockaddr(
	    &pair->peer, (struct sockaddr *)&pair->client_address, length));
}

/* Closed by a reset: nothing of it is left in the kernel. */
static void
reset(struct pair *pair)
{
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &none,
			     sizeof(none)),
	    0);
	close(pair->client);
	close(pair->server);
}

static void
tells_how_long_it_is_quiet(int family)
{
	struct sock_diag_key key;
	struct pair pair;
	int fd = sock_diag_open();
	uint32_t first_ms = UINT32_MAX, later_ms = 0, last_ms = 0;
	int64_t began_ms = clock_now_ms();

	assert_true(fd >= 0);
	assert_int_equal(sock_diag_check(fd), 0);
	listen_on(&pair, family);
	connect_to(&pair);
	assert_int_equal(sock_diag_key(&key, pair.server, &pair.peer), 0);
	assert_int_equal(sock_diag_ask(fd, &key, &first_ms), SOCK_DIAG_FOUND);
	assert_true(first_ms <= clock_now_ms() - began_ms + 20);
	clock_nap_us(120000);
	assert_int_equal(sock_diag_ask(fd, &key, &later_ms), SOCK_DIAG_FOUND);
	assert_true(later_ms >= 100);
	/* Either direction counts. */
	for (int i = 0; i < 2; i++) {
		began_ms = clock_now_ms();
		assert_int_equal(
		    send(i == 0 ? pair.client : pair.server, "x", 1, 0), 1);
		assert_int_equal(
		    sock_diag_ask(fd, &key, &last_ms), SOCK_DIAG_FOUND);
		assert_true(last_ms <= clock_now_ms() - began_ms + 20);
		clock_nap_us(60000);
	}
	reset(&pair);
	close(pair.listener);
	close(fd);
}

static void
of_v4(void **state)
{
	(void)state;
	tells_how_long_it_is_quiet(AF_INET);
}

static void
of_v6(void **state)
{
	(void)state;
	tells_how_long_it_is_quiet(AF_INET6);
}

/* Not even if its listener is there, or another with the same addresses. */
static void
what_is_gone_is_nobody_else(void **state)
{
	struct sock_diag_key key, other;
	struct pair pair;
	int fd = sock_diag_open();
	uint32_t quiet_ms;

	(void)state;
	listen_on(&pair, AF_INET);
	connect_to(&pair);
	assert_int_equal(sock_diag_key(&key, pair.server, &pair.peer), 0);
	reset(&pair);
	assert_int_equal(sock_diag_ask(fd, &key, &quiet_ms), SOCK_DIAG_GONE);
	connect_to(&pair);
	assert_int_equal(sock_diag_key(&other, pair.server, &pair.peer), 0);
	assert_memory_equal(&key.peer, &other.peer, sizeof(key.peer));
	assert_int_equal(sock_diag_ask(fd, &key, &quiet_ms), SOCK_DIAG_GONE);
	assert_int_equal(sock_diag_ask(fd, &other, &quiet_ms), SOCK_DIAG_FOUND);
	reset(&pair);
	close(pair.listener);
	assert_int_equal(sock_diag_ask(fd, &key, &quiet_ms), SOCK_DIAG_GONE);
	close(fd);
}

static void
without_a_socket_it_is_unknown(void **state)
{
	struct sock_diag_key key = { .local = { .family = ADDR_V4 } };
	uint32_t quiet_ms;

	(void)state;
	assert_int_equal(sock_diag_ask(-1, &key, &quiet_ms), SOCK_DIAG_UNKNOWN);
	assert_int_equal(sock_diag_check(-1), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_v4),
		cmocka_unit_test(of_v6),
		cmocka_unit_test(what_is_gone_is_nobody_else),
		cmocka_unit_test(without_a_socket_it_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

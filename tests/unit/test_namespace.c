/*
 * Namespaces and maps of ids when a call fails: which error is told, and that
 * there is one. As root, in children that are apart from everybody.
 */
#include "sys/namespace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "descriptors.h"
#include "failing.h"

#define GROUP 10 /* of two digits, so that its map is longer */
#define DENY_BYTES 4 /* deny */
#define UID_MAP_BYTES 5 /* 0 0 1 */
#define GID_MAP_BYTES 7 /* 10 10 1 */
#define SILENT 255 /* it failed, and said no error */
#define LEFT_OPEN 251

static int
told(int result)
{
	if (result == 0)
		return 0;
	return errno == 0 ? SILENT : errno;
}

static int
make_network(void)
{
	const pid_t self = getpid();
	int fd, error;

	errno = 0;
	fd = namespace_make_network();
	error = fd >= 0 ? 0 : told(fd);
	/* A helper does not come back here, and is waited for. */
	if (getpid() != self)
		(void)kill(self, SIGKILL);
	return waitpid(-1, NULL, WNOHANG) == -1 ? error : LEFT_OPEN;
}

static int
try_network(void)
{
	return namespace_try_network();
}

/* In one that has nothing in it. */
static int
verify_network(void)
{
	const int open_count = descriptors_count();
	int error;

	errno = 0;
	error = told(namespace_verify_network());
	return descriptors_count() == open_count ? error : LEFT_OPEN;
}

static int
verify_new_network(void)
{
	return unshare(CLONE_NEWNET) == 0 ? verify_network() : SILENT - 1;
}

/* An interface that is down and has an address. */
static int
verify_addressed_network(void)
{
	struct ifreq loopback = { .ifr_name = "lo" };
	const struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 5) };
	int fd;

	if (unshare(CLONE_NEWNET) != 0)
		return SILENT - 1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(&loopback.ifr_addr, &addr, sizeof(addr));
	if (ioctl(fd, SIOCSIFADDR, &loopback) != 0 ||
	    ioctl(fd, SIOCGIFFLAGS, &loopback) != 0)
		return SILENT - 2;
	loopback.ifr_flags &= (short)~IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0)
		return SILENT - 3;
	return verify_network();
}

/* An interface that is up, and has lost its address. */
static int
verify_raised_network(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	const struct sockaddr_in none = { .sin_family = AF_INET };
	int fd;

	if (unshare(CLONE_NEWNET) != 0)
		return SILENT - 1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0)
		return SILENT - 2;
	memcpy(&loopback.ifr_addr, &none, sizeof(none));
	if (ioctl(fd, SIOCSIFADDR, &loopback) != 0)
		return SILENT - 3;
	return verify_network();
}

static int
map_ids(void)
{
	const int open_count = descriptors_count();
	int error;

	if (setresgid(GROUP, GROUP, GROUP) != 0 || unshare(CLONE_NEWUSER) != 0)
		return SILENT - 1;
	errno = 0;
	error = told(namespace_map_ids(0, GROUP));
	if (descriptors_count() != open_count)
		return LEFT_OPEN;
	if (error != 0)
		return error;
	return getuid() == 0 && getgid() == GROUP ? 0 : SILENT - 2;
}

/* What there is room for is less than what the helper makes. */
static int
make_two(int fds[])
{
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fds[0] < 0 || fds[1] < 0 ? -1 : 0;
}

static unsigned free_fds;

/* The limit is the taker's; the helper has raised its own again. */
static int
make_two_of_many(int fds[])
{
	const struct rlimit many = { 100, 100 };

	return setrlimit(RLIMIT_NOFILE, &many) != 0 ? -1 : make_two(fds);
}

static int
take_two(void)
{
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct rlimit few = { (rlim_t)next + 2 + free_fds, 100 };
	int fds[2];
	int error;

	(void)close(next);
	/* Two ends of a channel, of which one is closed before the taking. */
	if (setrlimit(RLIMIT_NOFILE, &few) != 0)
		return SILENT - 1;
	errno = 0;
	error = told(namespaces_make(make_two_of_many, fds, 2));
	/* The one that came is not kept. */
	for (int i = 0; error != 0 && i < 2; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) != next + i)
			return SILENT - 1;
	return error;
}

static int
take_none(void)
{
	int fds[2];

	errno = 0;
	return told(namespaces_make(make_two, fds, 0));
}

static int
die(int fds[])
{
	(void)fds;
	_exit(0);
}

static int
take_of_the_dead(void)
{
	int fds[1];

	errno = 0;
	return told(namespaces_make(die, fds, 1));
}

static const struct failing_row rows[] = {
	{ "make", make_network, 0, { FAILS_NOT }, 1 },
	{ "make, no channel", make_network, EMFILE,
	    { FAILS(socketpair, EMFILE) }, 1 },
	{ "make, no helper", make_network, EAGAIN, { FAILS(clone, EAGAIN) },
	    1 },
	{ "make, nothing taken", make_network, EIO, { FAILS(recvmsg, EIO) },
	    1 },
	{ "make, no namespace", make_network, ENOSPC,
	    { FAILS(unshare, ENOSPC) }, 1 },
	{ "make, not opened", make_network, EIO, { FAILS(openat, EIO) }, 1 },
	{ "none made", take_none, EMFILE, { FAILS_NOT }, 1 },
	{ "helper dies", take_of_the_dead, ECHILD, { FAILS_NOT }, 1 },
	{ "try", try_network, 0, { FAILS_NOT }, 1 },
	{ "try, no child", try_network, EAGAIN, { FAILS(clone, EAGAIN) }, 1 },
	{ "try, none", try_network, ENOSPC, { FAILS(unshare, ENOSPC) }, 1 },
	{ "try, child killed", try_network, ECHILD,
	    { FAILS(unshare, FAILING_DEADLY) }, 1 },
	{ "try, child not found", try_network, ECHILD, { FAILS(wait4, ECHILD) },
	    1 },
	{ "verify", verify_new_network, 0, { FAILS_NOT }, 1 },
	{ "verify, addressed", verify_addressed_network, EEXIST, { FAILS_NOT },
	    1 },
	{ "verify, up", verify_raised_network, EEXIST, { FAILS_NOT }, 1 },
	{ "verify, no IPv4", verify_network, 0, { FAILS(socket, EAFNOSUPPORT) },
	    1 },
	{ "verify, no socket", verify_network, EACCES,
	    { FAILS(socket, EACCES) }, 1 },
	{ "verify, no flags", verify_new_network, EIO,
	    { FAILS_WHERE(ioctl, EIO, 1, SIOCGIFFLAGS) }, 1 },
	{ "verify, no addresses", verify_new_network, EIO,
	    { FAILS_WHERE(ioctl, EIO, 1, SIOCGIFCONF) }, 1 },
	{ "map", map_ids, 0, { FAILS_NOT }, 1 },
	{ "map, not dumpable", map_ids, EIO,
	    { { SCMP_SYS(prctl), EIO, { { 0, PR_SET_DUMPABLE }, { 1, 1 } },
		2 } },
	    1 },
	{ "map, for good", map_ids, EIO,
	    { { SCMP_SYS(prctl), EIO, { { 0, PR_SET_DUMPABLE }, { 1, 0 } },
		2 } },
	    1 },
	{ "map, no files", map_ids, EIO, { FAILS(openat, EIO) }, 1 },
	{ "map, groups", map_ids, EIO,
	    { FAILS_WHERE(write, EIO, 2, DENY_BYTES) }, 1 },
	{ "map, a part", map_ids, SILENT,
	    { FAILS_WHERE(write, 0, 2, DENY_BYTES) }, 1 },
	{ "map, uid", map_ids, EIO,
	    { FAILS_WHERE(write, EIO, 2, UID_MAP_BYTES) }, 1 },
	{ "map, gid", map_ids, EIO,
	    { FAILS_WHERE(write, EIO, 2, GID_MAP_BYTES) }, 1 },
};

static void
what_fails_is_told(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	failing_expect(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
fewer_descriptors_than_were_made_are_none(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	for (free_fds = 0; free_fds < 3; free_fds++)
		/* The channel's other end has left its place to one. */
		assert_int_equal(
		    failing_run(NULL, 0, take_two), free_fds == 0 ? EMFILE : 0);
}

static void
interrupt(int signal_number)
{
	(void)signal_number;
}

static int
try_among_signals(void)
{
	const struct sigaction action = { .sa_handler = interrupt };
	const struct itimerval often = { { 0, 100 }, { 0, 100 } };

	if (sigaction(SIGALRM, &action, NULL) != 0 ||
	    setitimer(ITIMER_REAL, &often, NULL) != 0)
		return SILENT;
	for (int i = 0; i < 30; i++) {
		const int error = namespace_try_network();

		if (error != 0)
			return error;
	}
	return 0;
}

static void
a_signal_is_no_end_of_waiting(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(failing_run(NULL, 0, try_among_signals), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fails_is_told),
		cmocka_unit_test(fewer_descriptors_than_were_made_are_none),
		cmocka_unit_test(a_signal_is_no_end_of_waiting),
	};

	descriptors_close_inherited();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

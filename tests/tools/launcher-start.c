/*
 * Becomes a launcher as the parent would have started it, in a kernel that
 * fails it:
 *   launcher-start [-l|-c CALL[,ARG0][@NTH]=ERRNO]... [-n NETWORK_FD] \
 *       CHANNEL_FD IMAGE_FD STATUS_FD PROGRAM KIND
 *   tcpmuxd-launcher KIND
 *
 * -l: in the launcher itself this system call (with this first argument)
 * returns that error; -c: in what it launches, up to and with its exec. 0
 * makes it lie: it says that it was done, and does nothing; -N has it say N.
 * NTH: only this one of a process's such calls, the first being 0.
 *
 * The answers come from a process of its own (seccomp_unotify(2)), so the
 * programs are the ones that ship. By the second name it stands where the
 * launcher should be, with the descriptors of one: the file `failures` beside
 * it has the options, and the launcher is in the folder `real`.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>

#define FAILURES_MAX 8
#define ABOVE 64 /* the places of what the launcher is given, and more */

struct failure {
	int call;
	bool has_first;
	unsigned long first;
	bool has_nth;
	unsigned long nth;
	int error;
	bool is_in_launcher;
	pid_t pid; /* who made such calls last, and how many */
	unsigned long made;
};

static struct failure failures[FAILURES_MAX];
static size_t failure_count;

/* The number behind that mark, if there is one. */
static long
behind(const char *text, char mark, bool *is_there)
{
	const char *at = strchr(text, mark);

	*is_there = at != NULL;
	return at == NULL ? 0 : strtol(at + 1, NULL, 10);
}

static void
add_failure(const char *text, bool is_in_launcher)
{
	struct failure failure = { .is_in_launcher = is_in_launcher };
	char call[64];
	bool has_error;

	failure.first = (unsigned long)behind(text, ',', &failure.has_first);
	failure.nth = (unsigned long)behind(text, '@', &failure.has_nth);
	failure.error = (int)behind(text, '=', &has_error);
	if (sscanf(text, "%63[^,@=]", call) != 1 || !has_error ||
	    failure_count == FAILURES_MAX)
		errx(2, "no failure: %s", text);
	failure.call = seccomp_syscall_resolve_name(call);
	if (failure.call == __NR_SCMP_ERROR)
		errx(2, "no call: %s", call);
	failures[failure_count++] = failure;
}

/* The kernel asks about these calls; returns where. */
static int
install(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	for (size_t i = 0; i < failure_count; i++) {
		struct scmp_arg_cmp is_first = { .arg = 0,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = UINT32_MAX,
			.datum_b = failures[i].first };

		if (seccomp_rule_add_array(filter, SCMP_ACT_NOTIFY,
			failures[i].call, failures[i].has_first ? 1 : 0,
			&is_first) != 0)
			errx(2, "no rule for call %d", failures[i].call);
	}
	/* Root needs no no_new_privs for this, which a service would keep. */
	if (seccomp_attr_set(
		filter, SCMP_FLTATR_CTL_NNP, geteuid() == 0 ? 0 : 1) != 0 ||
	    seccomp_load(filter) != 0)
		err(2, "seccomp");
	return seccomp_notify_fd(filter);
}

/* Is this the one that fails? */
static bool
is_due(struct failure *failure, pid_t pid)
{
	if (failure->pid != pid) {
		failure->pid = pid;
		failure->made = 0;
	}
	return failure->made++ == failure->nth || !failure->has_nth;
}

static const struct failure *
find_failure(const struct seccomp_notif *asked, pid_t launcher)
{
	const bool is_launcher = (pid_t)asked->pid == launcher;

	for (size_t i = 0; i < failure_count; i++)
		if (asked->data.nr == failures[i].call &&
		    is_launcher == failures[i].is_in_launcher &&
		    (!failures[i].has_first ||
			(uint32_t)asked->data.args[0] == failures[i].first) &&
		    is_due(&failures[i], (pid_t)asked->pid))
			return &failures[i];
	return NULL;
}

static _Noreturn void
answer(int notify_fd, pid_t launcher)
{
	struct pollfd poll_fd = { .fd = notify_fd, .events = POLLIN };

	for (;;) {
		struct seccomp_notif asked = { 0 };
		struct seccomp_notif_resp said = { 0 };
		const struct failure *failure;

		if (poll(&poll_fd, 1, -1) != 1 ||
		    (poll_fd.revents & POLLIN) == 0)
			_exit(0); /* nobody is left who could ask */
		if (ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
			continue; /* killed meanwhile */
		failure = find_failure(&asked, launcher);
		said.id = asked.id;
		if (failure == NULL)
			said.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		else if (failure->error < 0)
			said.val = -failure->error;
		else
			said.error = -failure->error;
		(void)ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &said);
	}
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void
pass(int end, int fd)
{
	union control control = { .header = { .cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS,
				      .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec part = { .iov_base = &fd, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(end, &message, 0) != 1)
		err(2, "sendmsg");
}

static int
take(int end)
{
	union control control;
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	int fd;

	if (recvmsg(end, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL)
		_exit(1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/*
 * Who answers is nobody's child, so that neither the launcher nor its parent
 * waits for it, and is there before the filter is: it asks nobody. Returns
 * where it wants to be told of the filter.
 */
static int
start_answering(void)
{
	const pid_t launcher = getpid();
	int ends[2];
	pid_t between;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		err(2, "socketpair");
	between = fork();
	if (between == -1)
		err(2, "fork");
	if (between != 0) {
		(void)waitpid(between, NULL, 0);
		close(ends[1]);
		return ends[0];
	}
	if (fork() != 0)
		_exit(0);
	if (dup2(ends[1], 3) == -1 || close_range(4, ~0U, 0) != 0)
		_exit(1);
	answer(take(3), launcher);
}

static int
aside(const char *text)
{
	const int fd =
	    fcntl((int)strtol(text, NULL, 10), F_DUPFD_CLOEXEC, ABOVE);

	if (fd == -1)
		err(2, "descriptor %s", text);
	return fd;
}

static void
lay_on(void)
{
	if (failure_count > 0) {
		int end = start_answering();

		pass(end, install());
		/* It closes with the exec, like the kernel's. */
	}
}

/* One word a line: -l or -c, and what fails. */
static void
read_failures(void)
{
	FILE *file = fopen("failures", "re");
	char how[4], what[80];

	if (file == NULL)
		err(2, "failures");
	while (fscanf(file, "%3s %79s", how, what) == 2)
		add_failure(what, strcmp(how, "-l") == 0);
	(void)fclose(file);
}

static _Noreturn void
replace_launcher(const char *kind)
{
	char path[4096];
	const ssize_t length =
	    readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length == -1)
		err(2, "/proc/self/exe");
	path[length] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	if (chdir(path) != 0)
		err(2, "%s", path);
	read_failures();
	lay_on();
	execle("real/tcpmuxd-launcher", "tcpmuxd-launcher", kind, (char *)NULL,
	    (char *[]){ NULL });
	err(2, "real/tcpmuxd-launcher");
}

int
main(int argc, char *argv[])
{
	int given[4] = { [3] = -1 };
	int option;

	if (argc == 2)
		replace_launcher(argv[1]);
	while ((option = getopt(argc, argv, "+l:c:n:")) != -1) {
		if (option == 'n')
			given[3] = aside(optarg);
		else if (option == 'l' || option == 'c')
			add_failure(optarg, option == 'l');
		else
			exit(2);
	}
	argv += optind;
	if (argc - optind != 5)
		errx(2, "three descriptors, a program, a kind");
	for (int i = 0; i < 3; i++)
		given[i] = aside(argv[i]);
	for (int i = 0; i < 4; i++)
		if (given[i] != -1 && dup2(given[i], 3 + i) == -1)
			err(2, "dup2");
	if (close_range(given[3] == -1 ? 6 : 7, ~0U, 0) != 0)
		err(2, "close_range");
	lay_on();
	/* An empty kind is none. */
	execle(argv[3], "tcpmuxd-launcher",
	    argv[4][0] == '\0' ? (char *)NULL : argv[4], (char *)NULL,
	    (char *[]){ NULL });
	err(2, "%s", argv[3]);
}

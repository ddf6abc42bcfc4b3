/*
 * The loader as a child that can do nothing but read, and a caller that
 * believes it nothing but a sealed image.
 */
#include "loading.h"

/* More problems than a pipe takes: the child waits until they are read. */
static struct loader_job
start_stuck(int ends[2])
{
	const struct loader_options options = { .policy_path = "policy" };
	struct pollfd readable;
	struct loader_job job;
	FILE *file = fopen("policy", "we");

	fputs(preface, file);
	for (int i = 0; i < 2000; i++)
		fprintf(file, "no-such-directive-%d\n", i);
	fclose(file);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	assert_int_equal(loader_start(&job, &options, ends[1]), 0);
	readable = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	assert_int_equal(poll(&readable, 1, TIMEOUT_MS), 1);
	return job;
}

static uint64_t
status_of(pid_t pid, const char *key)
{
	char path[64], line[256];
	uint64_t value = UINT64_MAX;
	size_t length = strlen(key);
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, length) == 0)
			value = strtoull(line + length, NULL, 16);
	fclose(file);
	return value;
}

static unsigned
descriptors_of(pid_t pid)
{
	char path[64];
	unsigned count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 2;
}

static void
test_child(void **state)
{
	int inherited = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t reads = UINT64_C(1) << CAP_DAC_READ_SEARCH;
	int ends[2];
	struct loader_job job = start_stuck(ends);

	(void)state;
	assert_int_equal(status_of(job.pid, "NoNewPrivs:"), 1);
	assert_int_equal(status_of(job.pid, "CapInh:"), 0);
	assert_int_equal(status_of(job.pid, "CapAmb:"), 0);
	assert_int_equal(status_of(job.pid, "CapEff:") & ~reads, 0);
	assert_int_equal(status_of(job.pid, "CapPrm:") & ~reads, 0);
	assert_int_equal(status_of(job.pid, "SigBlk:"), 0);
	assert_int_equal(status_of(job.pid, "SigIgn:"), 0);
	if (is_superuser) {
		assert_int_equal(status_of(job.pid, "CapBnd:") & ~reads, 0);
		/* 0, 1, 2, problems, channel */
		assert_int_equal(descriptors_of(job.pid), 5);
	}
	errno = 0;
	assert_int_equal(loader_take(&job), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(job.channel >= 0);
	loader_cancel(&job);
	assert_int_equal(job.channel, -1);
	assert_int_equal(waitpid(job.pid, NULL, 0), job.pid);
	close(ends[0]);
	close(ends[1]);
	close(inherited);
}

/* What it left is thrown away; nobody else is killed for it. */
static void
test_cancel_of_one_that_was_reaped(void **state)
{
	struct loader_job job = { .pid = 0 };
	int ends[2];
	int status = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	job.channel = ends[0];
	pid = fork();
	if (pid == 0) {
		/* A group of its own: it could be killed. */
		(void)setpgid(0, 0);
		loader_cancel(&job);
		_exit(job.channel == -1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
}

static void
test_timeout(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	int ends[2];
	struct loader_job job = start_stuck(ends);

	(void)state;
	loader_cancel(&job);
	assert_int_equal(waitpid(job.pid, NULL, 0), job.pid);
	/* The pipe is full by now, and stays so. */
	errno = 0;
	assert_int_equal(loader_run(&options, ends[1], 50), -1);
	assert_int_equal(errno, ETIMEDOUT);
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	close(ends[0]);
	close(ends[1]);
}

static void
test_async(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct loader_job job;
	struct pollfd readable;
	int status = -1;
	int image;
	size_t size;

	(void)state;
	write_file("policy", preface, 0600);
	assert_int_equal(loader_start(&job, &options, null), 0);
	readable = (struct pollfd){ .fd = job.channel, .events = POLLIN };
	assert_int_equal(poll(&readable, 1, TIMEOUT_MS), 1);
	image = loader_take(&job);
	assert_true(image >= 0);
	assert_int_equal(fcntl(image, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(job.channel, -1);
	assert_non_null(memfd_map(image, &size));
	assert_int_equal(waitpid(job.pid, &status, 0), job.pid);
	assert_int_equal(status, 0);
	close(image);
	close(null);
}

/* Sends what no loader would, and takes it. */
static int
take_forged(const char *bytes, size_t length, const int fds[], size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (char *)(uintptr_t)bytes,
		.iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct loader_job job = { .pid = -1 };
	int ends[2];
	int image;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	job.channel = ends[0];
	if (count > 0) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	if (length > 0)
		assert_int_equal(
		    sendmsg(ends[1], &message, 0), (ssize_t)length);
	close(ends[1]);
	errno = 0;
	image = loader_take(&job);
	assert_int_equal(job.channel, -1);
	return image;
}

static void
test_forged(void **state)
{
	int sealed = memfd_seal("tcpmuxd-test", "x", 1);
	int open_memory = memfd_create("tcpmuxd-test", MFD_CLOEXEC);
	const int two[] = { sealed, sealed };
	unsigned before = descriptors_of(getpid());
	int image;

	(void)state;
	assert_int_equal(take_forged("", 0, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(take_forged("b", 1, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(take_forged("i", 1, NULL, 0), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("x", 1, &sealed, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("b", 1, &sealed, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("ii", 2, &sealed, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("i", 1, &open_memory, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("i", 1, two, 2), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(descriptors_of(getpid()), before);
	image = take_forged("i", 1, &sealed, 1);
	assert_true(image >= 0);
	close(image);
	close(open_memory);
	close(sealed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_cancel_of_one_that_was_reaped),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_async),
		cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}

/*
 * What a group of processes may use.
 * Trusts the kernel's files, and no write to one of them: all is read again.
 * Never takes a limit for set that the kernel made another of.
 */
#include "sys/cgroup_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/cgroup.h"
#include "sys/fd.h"

#define CONTROL "cgroup.subtree_control"
#define PATH_BYTES 48 /* NUMBER/memory.swap.max */
#define TEXT_BYTES 512

static const char *const names[CGROUP_CONTROLLERS] = { "memory", "pids" };

const char *
cgroup_controller_name(uint32_t n)
{
	return names[n];
}

/* Its begin; the length, or -1 with errno. */
static ssize_t
read_text(int dir_fd, const char *path, char text[TEXT_BYTES])
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, TEXT_BYTES - 1);
	fd_close(&fd);
	text[length < 0 ? 0 : length] = '\0';
	return length;
}

static unsigned
controller_of(const char *word, size_t length)
{
	for (uint32_t i = 0; i < CGROUP_CONTROLLERS; i++)
		if (strlen(names[i]) == length &&
		    memcmp(names[i], word, length) == 0)
			return 1u << i;
	return 0;
}

/* Of the words in a file, those that are ours. */
static unsigned
read_controllers(int group_fd, const char *path)
{
	char text[TEXT_BYTES];
	unsigned found = 0;

	if (read_text(group_fd, path, text) < 0)
		return 0;
	for (const char *at = text; *at != '\0';) {
		const size_t length = strcspn(at, " \n");

		found |= controller_of(at, length);
		at += length;
		at += strspn(at, " \n");
	}
	return found;
}

unsigned
cgroup_controllers(int group_fd)
{
	return read_controllers(group_fd, "cgroup.controllers");
}

unsigned
cgroup_handed_down(int group_fd)
{
	return read_controllers(group_fd, CONTROL);
}

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* One of them at a time: the kernel takes all that it is told, or none. */
static int
control(int group_fd, unsigned controllers, char sign)
{
	char text[16];

	for (uint32_t i = 0; i < CGROUP_CONTROLLERS; i++) {
		if ((controllers >> i & 1) == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%c%s", sign, names[i]);
		if (cgroup_write(group_fd, CONTROL, text) != 0)
			return -1;
	}
	return 0;
}

int
cgroup_hand_down(int group_fd, unsigned controllers)
{
	/* What is there already is not for us to write. */
	controllers &= ~cgroup_handed_down(group_fd);
	if (control(group_fd, controllers, '+') != 0)
		return -1;
	controllers &= ~cgroup_handed_down(group_fd);
	return controllers == 0 ? 0 : fail(EOPNOTSUPP);
}

int
cgroup_hold_back(int group_fd, unsigned controllers)
{
	return control(group_fd, controllers, '-');
}

bool
cgroup_is_root(int group_fd)
{
	return faccessat(group_fd, "cgroup.type", F_OK, 0) != 0 &&
	    errno == ENOENT;
}

bool
cgroup_has_others(int group_fd, pid_t one, pid_t other)
{
	char text[TEXT_BYTES];
	const ssize_t length = read_text(group_fd, "cgroup.procs", text);
	const char *at = text;

	if (length < 0)
		return true;
	while (*at != '\0') {
		char *end;
		const long pid = strtol(at, &end, 10);

		if (end == at || *end != '\n' || (pid != one && pid != other))
			return true;
		at = end + 1;
	}
	return false;
}

static const char *
path_of(char path[PATH_BYTES], uint64_t number, const char *file)
{
	(void)snprintf(path, PATH_BYTES, "%" PRIu64 "/%s", number, file);
	return path;
}

/* Writes a number; what is there then may be so much less, no more. */
static int
set(int above_fd, uint64_t number, const char *file, uint64_t value,
    uint64_t less)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	char *end;
	uint64_t is;

	(void)path_of(path, number, file);
	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	if (cgroup_write(above_fd, path, text) != 0 ||
	    read_text(above_fd, path, text) < 0)
		return -1;
	is = strtoull(text, &end, 10);
	if (end == text || *end != '\n' || is > value || value - is > less)
		return fail(ERANGE);
	return 0;
}

/* Without the kernel's swap there is no such file, and nothing to limit. */
static int
limit_memory(int above_fd, uint64_t number, uint64_t bytes)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (set(above_fd, number, "memory.max", bytes, page - 1) != 0 ||
	    set(above_fd, number, "memory.oom.group", 1, 0) != 0)
		return -1;
	if (set(above_fd, number, "memory.swap.max", 0, 0) != 0 &&
	    errno != ENOENT)
		return -1;
	return 0;
}

int
cgroup_limit(int above_fd, uint64_t number, const struct cgroup_limits *limits)
{
	if (limits->memory != 0 &&
	    limit_memory(above_fd, number, limits->memory) != 0)
		return -1;
	if (limits->processes != 0 &&
	    set(above_fd, number, "pids.max", limits->processes, 0) != 0)
		return -1;
	return 0;
}

bool
cgroup_was_short_of_memory(int above_fd, uint64_t number)
{
	static const char key[] = "\noom_kill ";
	char path[PATH_BYTES], text[TEXT_BYTES];
	const char *found;

	if (read_text(above_fd, path_of(path, number, "memory.events"), text) <
	    0)
		return false;
	found = strstr(text, key);
	return found != NULL && strtoull(found + sizeof(key) - 1, NULL, 10) > 0;
}

/*
 * Where the cgroup of this process is, and what others have left there.
 * Trusts /proc, and locks to tell what is still in use.
 * Never touches a group that somebody has locked.
 */
#include "sys/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "sys/clock.h"
#include "sys/fd.h"

#define DIGITS "0123456789"
#define WAIT_STEP_MS 10
#define GROUP_BYTES (PATH_MAX + 8) /* a line of /proc/PID/cgroup */

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* "0::/PATH": of the one hierarchy that version 2 has. */
static int
read_membership(const char *file_path, char path[GROUP_BYTES])
{
	FILE *file = fopen(file_path, "re");
	char line[GROUP_BYTES];
	int result = -1;

	if (file == NULL)
		return -1;
	while (result != 0 && fgets(line, sizeof(line), file) != NULL) {
		char *end = strchr(line, '\n');

		if (strncmp(line, "0::/", 4) != 0 || end == NULL)
			continue;
		*end = '\0';
		(void)snprintf(path, GROUP_BYTES, "%s", line + 3);
		result = 0;
	}
	(void)fclose(file);
	/* Above what this namespace can see. */
	if (result != 0 || strncmp(path, "/..", 3) == 0)
		return fail(ENOENT);
	return 0;
}

/* As in mountinfo, where a blank is \040. */
static void
unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to++ = (char)((from[1] - '0') << 6 |
			    (from[2] - '0') << 3 | (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* What of `path` is below `root`; NULL: it is not. */
static const char *
below(const char *root, const char *path)
{
	const size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(root, path, length) != 0 ||
	    (path[length] != '/' && path[length] != '\0'))
		return NULL;
	return path + length;
}

/* One line of mountinfo: proc_pid_mountinfo(5). */
static int
take_mount(const char *line, const char *group, char *path, size_t size)
{
	char root[PATH_MAX], point[PATH_MAX];
	const char *rest;
	int length;

	if (strstr(line, " - cgroup2 ") == NULL ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2)
		return fail(ENOENT);
	unescape(root);
	unescape(point);
	rest = below(root, group);
	if (rest == NULL)
		return fail(ENOENT);
	length = snprintf(path, size, "%s%s", point, rest);
	return (size_t)length < size ? 0 : fail(ENAMETOOLONG);
}

int
cgroup_find(const char *mounts, const char *membership, char *path, size_t size)
{
	char group[GROUP_BYTES];
	char *line = NULL;
	size_t line_size = 0;
	int result = -1, error = ENOENT;
	FILE *file;

	if (read_membership(membership, group) != 0)
		return -1;
	file = fopen(mounts, "re");
	if (file == NULL)
		return -1;
	while (result != 0 && getline(&line, &line_size, file) > 0) {
		result = take_mount(line, group, path, size);
		if (result != 0 && errno != ENOENT)
			error = errno;
	}
	free(line);
	(void)fclose(file);
	return result == 0 ? 0 : fail(error);
}

int
cgroup_open_own(void)
{
	char path[PATH_MAX];
	struct statfs about;
	int fd;

	if (cgroup_find("/proc/self/mountinfo", "/proc/self/cgroup", path,
		sizeof(path)) != 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstatfs(fd, &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC)
		return fd;
	fd_close(&fd);
	return fail(ENOENT);
}

/* Its entries; NULL with errno. */
static DIR *
list(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);

	if (entries == NULL)
		fd_close(&fd);
	return entries;
}

static bool
is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, DIGITS)] == '\0';
}

/* Removes what it can, kills what is in the rest: how many that are. */
static size_t
clear_once(int above_fd)
{
	DIR *entries = list(above_fd);
	size_t left = 0;
	struct dirent *entry;

	if (entries == NULL)
		return 1;
	while ((entry = readdir(entries)) != NULL) {
		const uint64_t number = strtoull(entry->d_name, NULL, 10);

		if (!is_number(entry->d_name) ||
		    cgroup_remove(above_fd, number) == 0)
			continue;
		(void)cgroup_kill(above_fd, number);
		left++;
	}
	(void)closedir(entries);
	return left;
}

size_t
cgroup_clear(int above_fd, int wait_ms)
{
	size_t left = clear_once(above_fd);

	for (int ms = 0; left > 0 && ms < wait_ms; ms += WAIT_STEP_MS) {
		clock_nap_us(WAIT_STEP_MS * 1000L);
		left = clear_once(above_fd);
	}
	return left;
}

static size_t
sweep_one(int above_fd, const char *name, int wait_ms)
{
	int fd = openat(above_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t left = 0;

	if (fd >= 0 && cgroup_lock(fd) == 0) {
		left = cgroup_clear(fd, wait_ms);
		(void)unlinkat(fd, CGROUP_SELF, AT_REMOVEDIR);
		(void)unlinkat(above_fd, name, AT_REMOVEDIR);
	}
	fd_close(&fd);
	return left;
}

size_t
cgroup_sweep(int above_fd, const char *prefix, int wait_ms)
{
	const size_t length = strlen(prefix);
	DIR *entries = list(above_fd);
	size_t left = 0;
	struct dirent *entry;

	if (entries == NULL)
		return 0;
	while ((entry = readdir(entries)) != NULL)
		if (strncmp(entry->d_name, prefix, length) == 0 &&
		    is_number(entry->d_name + length))
			left += sweep_one(above_fd, entry->d_name, wait_ms);
	(void)closedir(entries);
	return left;
}

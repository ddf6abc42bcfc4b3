/*
 * Walks to a file through directories that nobody untrusted can change.
 * Trusts root and the one owner it is told; no path, no link, no mode.
 * Never looks a name up in a directory that it has not checked.
 */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys/fd.h"

#define LINKS_MAX 40 /* as the kernel's own limit, path_resolution(7) */

/* Where a walk is. */
struct walk {
	struct file_trust *trust;
	int root; /* borrowed; -1: / */
	int dir; /* owned; the directory reached */
	bool is_sticky; /* others may have made what lies in it */
	unsigned links;
	char at[PATH_MAX]; /* its path, as far as it was written, for people */
	char rest[PATH_MAX]; /* what is still to go */
};

static int
fail(struct walk *walk, enum file_fault fault, int error)
{
	walk->trust->fault = fault;
	walk->trust->error = error;
	memcpy(walk->trust->path, walk->at, sizeof(walk->at));
	return -1;
}

bool
file_is_trusted(const struct stat *status, uid_t owner, enum file_fault *fault)
{
	if (status->st_uid != 0 && status->st_uid != owner)
		*fault = FILE_FAULT_OWNER;
	else if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		*fault = FILE_FAULT_WRITABLE;
	else
		return true;
	return false;
}

/* Makes `dir`, which is taken, the directory reached, if it is trusted. */
static int
enter_take_fd(struct walk *walk, int dir)
{
	struct stat status;
	enum file_fault fault;

	fd_close(&walk->dir);
	walk->dir = dir;
	if (fstat(dir, &status) == -1)
		return fail(walk, FILE_FAULT_ERRNO, errno);
	walk->is_sticky = status.st_uid == 0 && (status.st_mode & S_ISVTX) != 0;
	if (walk->is_sticky ||
	    file_is_trusted(&status, walk->trust->owner, &fault))
		return 0;
	walk->trust->uid = status.st_uid;
	return fail(walk, fault, 0);
}

static int
enter_root(struct walk *walk)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	int dir = walk->root == -1 ? open("/", flags)
				   : openat(walk->root, ".", flags);

	memcpy(walk->at, "/", 2);
	if (dir == -1)
		return fail(walk, FILE_FAULT_ERRNO, errno);
	return enter_take_fd(walk, dir);
}

/* Adds a name to `at`; one that is too long is cut, it is only for people. */
static void
append_name(struct walk *walk, const char *name)
{
	size_t length = strlen(walk->at);
	size_t name_length = strlen(name);

	if (length > 0 && walk->at[length - 1] != '/' &&
	    length + 1 < sizeof(walk->at))
		walk->at[length++] = '/';
	if (name_length > sizeof(walk->at) - 1 - length)
		name_length = sizeof(walk->at) - 1 - length;
	memcpy(walk->at + length, name, name_length);
	walk->at[length + name_length] = '\0';
}

/* Fails with `name` named as part of the way. */
static int
fail_at(struct walk *walk, const char *name, enum file_fault fault, int error)
{
	append_name(walk, name);
	return fail(walk, fault, error);
}

/* Puts `front` before what is still to go. */
static int
prepend(struct walk *walk, const char *front, size_t length)
{
	size_t rest = strlen(walk->rest);
	/* At the end of a path a slash would mean that it is a directory. */
	size_t slash = rest > 0 ? 1 : 0;

	if (length + slash + rest >= sizeof(walk->rest))
		return fail(walk, FILE_FAULT_ERRNO, ENAMETOOLONG);
	memmove(walk->rest + length + slash, walk->rest, rest + 1);
	memcpy(walk->rest, front, length);
	if (slash > 0)
		walk->rest[length] = '/';
	return 0;
}

/* A name, and room to tell one that is too long for any directory. */
#define NAME_BYTES (NAME_MAX + 2)

/* Takes the next name off what is still to go; false if there is none. */
static bool
next_name(struct walk *walk, char name[NAME_BYTES])
{
	size_t skipped = strspn(walk->rest, "/");
	size_t length = strcspn(walk->rest + skipped, "/");
	const char *rest = walk->rest + skipped + length;

	if (length == 0)
		return false;
	/* What is cut here is still one byte too long for the kernel. */
	if (length > NAME_BYTES - 1)
		length = NAME_BYTES - 1;
	memcpy(name, walk->rest + skipped, length);
	name[length] = '\0';
	memmove(walk->rest, rest, strlen(rest) + 1);
	return true;
}

/* Goes where the link says, from the directory that it lies in. */
static int
follow_link(
    struct walk *walk, const char *name, int link, const struct stat *status)
{
	char target[PATH_MAX];
	ssize_t length;

	if (++walk->links > LINKS_MAX)
		return fail_at(walk, name, FILE_FAULT_LOOP, 0);
	if (walk->is_sticky && status->st_uid != 0 &&
	    status->st_uid != walk->trust->owner) {
		walk->trust->uid = status->st_uid;
		return fail_at(walk, name, FILE_FAULT_OWNER, 0);
	}
	length = readlinkat(link, "", target, sizeof(target));
	if (length == -1)
		return fail_at(walk, name, FILE_FAULT_ERRNO, errno);
	if (length == 0 || (size_t)length == sizeof(target))
		return fail_at(walk, name, FILE_FAULT_ERRNO, ENAMETOOLONG);
	if (prepend(walk, target, (size_t)length) == -1)
		return -1;
	return target[0] == '/' ? enter_root(walk) : 0;
}

/* Where .. leads no further: the kernel sees to it only for /. */
static bool
is_at_root(const struct walk *walk)
{
	struct stat root, dir;

	return walk->root != -1 && fstat(walk->root, &root) == 0 &&
	    fstat(walk->dir, &dir) == 0 && root.st_dev == dir.st_dev &&
	    root.st_ino == dir.st_ino;
}

/*
 * One name further. Returns the descriptor if it was the last and no link,
 * -1 if it failed, -2 if there is more to go.
 */
static int
step(struct walk *walk, const char *name, int flags)
{
	bool wants_directory = walk->rest[0] == '/';
	bool is_last = walk->rest[strspn(walk->rest, "/")] == '\0';
	struct stat status;
	int fd;

	if (strcmp(name, "..") == 0 && is_at_root(walk))
		name = ".";
	fd = openat(walk->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &status) == -1) {
		int error = errno;

		fd_close(&fd);
		return fail_at(walk, name, FILE_FAULT_ERRNO, error);
	}
	if (S_ISLNK(status.st_mode)) {
		int result = follow_link(walk, name, fd, &status);

		fd_close(&fd);
		return result == 0 ? -2 : -1;
	}
	if (!is_last) {
		append_name(walk, name);
		return enter_take_fd(walk, fd) == 0 ? -2 : -1;
	}
	fd_close(&fd);
	if (wants_directory)
		flags |= O_DIRECTORY;
	fd = openat(walk->dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return fail_at(walk, name, FILE_FAULT_ERRNO, errno);
	return fd;
}

static int
begin(struct walk *walk, const char *path)
{
	char directory[PATH_MAX];
	size_t length = strlen(path);

	memcpy(walk->at, "/", 2);
	if (length == 0 || length >= sizeof(walk->rest))
		return fail(walk, FILE_FAULT_ERRNO,
		    length == 0 ? ENOENT : ENAMETOOLONG);
	memcpy(walk->rest, path, length + 1);
	if (path[0] != '/') {
		if (getcwd(directory, sizeof(directory)) == NULL)
			return fail(walk, FILE_FAULT_ERRNO, errno);
		if (prepend(walk, directory, strlen(directory)) == -1)
			return -1;
	}
	return enter_root(walk);
}

int
file_open_trusted_in(
    int root_fd, const char *path, int flags, struct file_trust *trust)
{
	struct walk walk = { .trust = trust, .root = root_fd, .dir = -1 };
	char name[NAME_BYTES];
	int fd = -1;

	trust->fault = FILE_FAULT_NONE;
	if (begin(&walk, path) == 0)
		do
			fd = next_name(&walk, name)
			    ? step(&walk, name, flags)
			    : openat(walk.dir, ".", flags | O_CLOEXEC);
		while (fd == -2);
	fd_close(&walk.dir);
	if (fd == -1 && trust->fault == FILE_FAULT_NONE)
		fail(&walk, FILE_FAULT_ERRNO, errno);
	return fd;
}

int
file_open_trusted(const char *path, int flags, struct file_trust *trust)
{
	return file_open_trusted_in(-1, path, flags, trust);
}

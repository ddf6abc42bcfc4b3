/*
 * Looks at the programs and directories that services are to use, where they
 * will be for them: a way inside a chroot does not lead out of it.
 * Trusts only what sys/file has walked to.
 * Never opens a program, only looks at it: it is not run from here.
 */
#include "loader/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fd.h"

#define DESCRIPTION_BYTES (PATH_MAX + 256)

void
paths_describe(const struct file_trust *trust, const char *path,
    char *description, size_t size)
{
	switch (trust->fault) {
	case FILE_FAULT_NONE:
		(void)snprintf(description, size, "no fault");
		break;
	case FILE_FAULT_ERRNO:
		/* Whoever asked for this very path has just named it. */
		if (strcmp(trust->path, path) == 0)
			(void)snprintf(
			    description, size, "%s", strerror(trust->error));
		else
			(void)snprintf(description, size, "%s: %s", trust->path,
			    strerror(trust->error));
		break;
	case FILE_FAULT_OWNER:
		(void)snprintf(description, size,
		    "%s belongs to uid %u, who could replace what lies there: "
		    "it must belong to root%s",
		    trust->path, (unsigned)trust->uid,
		    trust->owner == 0 ? "" : " or to you");
		break;
	case FILE_FAULT_WRITABLE:
		(void)snprintf(description, size,
		    "%s can be written to by others than its owner: "
		    "chmod go-w %s",
		    trust->path, trust->path);
		break;
	case FILE_FAULT_LOOP:
		(void)snprintf(description, size, "%s: too many symbolic links",
		    trust->path);
		break;
	}
}

static const char *
keep(const char *problem)
{
	size_t length = strlen(problem) + 1;

	return memcpy(memory_resize(NULL, length, 1), problem, length);
}

/* What is wanted of a path; part of its key, so that none is another's. */
enum want {
	WANT_PROGRAM = 'p',
	WANT_DIRECTORY = 'd',
	WANT_GRANT = 'g',
	WANT_ROOT = 'r',
};

static void
fill_in(struct path_finding *finding, int fd)
{
	struct stat status;

	if (fstat(fd, &status) == -1) {
		finding->problem = keep(strerror(errno));
		return;
	}
	finding->mode = status.st_mode;
	finding->uid = status.st_uid;
	finding->gid = status.st_gid;
}

static void
blame(struct path_finding *finding, const struct file_trust *trust,
    const char *path)
{
	char description[DESCRIPTION_BYTES];

	paths_describe(trust, path, description, sizeof(description));
	finding->problem = keep(description);
}

/* Fills in the finding from what lies at path, if that can be reached. */
static void
look(const struct paths *paths, struct path_finding *finding, const char *root,
    const char *path)
{
	struct file_trust trust = { .owner = paths->owner };
	int root_fd = -1;
	int fd;

	if (root[0] != '\0') {
		root_fd = file_open_trusted(root, O_PATH | O_DIRECTORY, &trust);
		if (root_fd == -1) {
			blame(finding, &trust, path);
			return;
		}
	}
	fd = root_fd == -1
	    ? file_open_trusted(path, O_PATH, &trust)
	    : file_open_trusted_in(root_fd, path, O_PATH, &trust);
	fd_close(&root_fd);
	if (fd == -1)
		blame(finding, &trust, path);
	else
		fill_in(finding, fd);
	fd_close(&fd);
}

static void
look_at_program(const struct paths *paths, struct path_finding *finding,
    const char *root, const char *path)
{
	look(paths, finding, root, path);
	if (finding->problem != NULL)
		return;
	if (!S_ISREG(finding->mode))
		finding->problem = keep("not a regular file");
	else if ((finding->mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		finding->problem = keep("not executable");
}

/* Whoever has to be trusted on the way; -1: errno. */
static int
open_below(const char *root, const char *path, uint64_t flags)
{
	const struct open_how how = { .flags = flags | O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT };
	int root_fd = open(
	    root[0] == '\0' ? "/" : root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root_fd == -1
	    ? -1
	    : (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	fd_close(&root_fd);
	return fd;
}

/* It may be the service's own, so nobody has to be trusted on the way. */
static void
look_at_directory(
    struct path_finding *finding, const char *root, const char *path)
{
	int fd = open_below(root, path, O_DIRECTORY);

	if (fd != -1)
		fill_in(finding, fd);
	else
		finding->problem = keep(
		    errno == ENOTDIR ? "not a directory" : strerror(errno));
	fd_close(&fd);
}

/* Devices, sockets and FIFOs can be written to all the same. */
static bool
is_read_only(int fd)
{
	struct statvfs mounted = { .f_flag = 0 };
	struct stat status = { .st_mode = 0 };

	(void)fstat(fd, &status);
	(void)fstatvfs(fd, &mounted);
	return (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) &&
	    (mounted.f_flag & ST_RDONLY) != 0;
}

/* Whose way is not trusted is still what the policy says. */
static void
look_at_grant(const struct paths *paths, struct path_finding *finding,
    const char *root, const char *path)
{
	int fd = open_below(root, path, 0);

	if (fd == -1) {
		finding->problem = keep(strerror(errno));
		return;
	}
	finding->is_read_only = is_read_only(fd);
	fd_close(&fd);
	look(paths, finding, root, path);
	finding->doubt = finding->problem;
	finding->problem = NULL;
}

static void
look_at_root(
    const struct paths *paths, struct path_finding *finding, const char *path)
{
	struct file_trust trust = { .owner = paths->owner };
	struct stat status = { .st_mode = 0 };

	look(paths, finding, "", path);
	if (finding->problem != NULL)
		return;
	status.st_mode = finding->mode;
	status.st_uid = finding->uid;
	if (!S_ISDIR(finding->mode)) {
		finding->problem = keep("not a directory");
	} else if (!file_is_trusted(&status, paths->owner, &trust.fault)) {
		trust.uid = status.st_uid;
		memcpy(trust.path, path, strlen(path) + 1);
		blame(finding, &trust, path);
	}
}

static struct path_finding
look_once(
    struct paths *paths, enum want want, struct text root, struct text path)
{
	char key[2 * PATH_MAX + 1];
	char *of_path = key + root.length + 1;
	struct table_entry *entry;
	struct path_finding *finding;

	if (paths->skips_system)
		return (struct path_finding){ .mode = S_IFREG | 0755 };
	if (path.length >= PATH_MAX || root.length >= PATH_MAX)
		return (struct path_finding){ .problem = "too long" };
	/* root NUL path want, the last of which becomes a NUL to look */
	if (root.length > 0)
		memcpy(key, root.bytes, root.length);
	key[root.length] = '\0';
	memcpy(of_path, path.bytes, path.length);
	of_path[path.length] = (char)want;
	entry = table_put(&paths->seen, key, root.length + path.length + 2);
	if (entry->value != 0) {
		finding = (void *)paths->findings.bytes;
		return finding[entry->value - 1];
	}
	finding = buffer_add(&paths->findings, sizeof(*finding));
	entry->value = paths->seen.count;
	of_path[path.length] = '\0';
	switch (want) {
	case WANT_PROGRAM:
		look_at_program(paths, finding, key, of_path);
		break;
	case WANT_DIRECTORY:
		look_at_directory(finding, key, of_path);
		break;
	case WANT_GRANT:
		look_at_grant(paths, finding, key, of_path);
		break;
	case WANT_ROOT:
		look_at_root(paths, finding, of_path);
		break;
	}
	return *finding;
}

struct path_finding
paths_program(struct paths *paths, struct text root, struct text path)
{
	return look_once(paths, WANT_PROGRAM, root, path);
}

struct path_finding
paths_directory(struct paths *paths, struct text root, struct text path)
{
	return look_once(paths, WANT_DIRECTORY, root, path);
}

struct path_finding
paths_grant(struct paths *paths, struct text root, struct text path)
{
	return look_once(paths, WANT_GRANT, root, path);
}

struct path_finding
paths_root(struct paths *paths, struct text path)
{
	return look_once(paths, WANT_ROOT, (struct text){ .length = 0 }, path);
}

void
paths_finish(struct paths *paths)
{
	struct path_finding *findings = (void *)paths->findings.bytes;

	for (uint32_t i = 0; i < paths->seen.count; i++) {
		free((void *)(uintptr_t)findings[i].problem);
		free((void *)(uintptr_t)findings[i].doubt);
	}
	buffer_finish(&paths->findings);
	table_finish(&paths->seen);
}

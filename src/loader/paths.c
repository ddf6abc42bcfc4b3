/*
 * Looks at the programs and directories that services are to use.
 * Trusts only what sys/file has walked to.
 * Never opens a program, only looks at it: it is not run from here.
 */
#include "loader/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/fd.h"

#define DESCRIPTION_BYTES (PATH_MAX + 256)

void
paths_describe(const struct file_trust *trust, const char *path,
    char *description, size_t size)
{
	switch (trust->fault) {
	case FILE_FAULT_NONE:
		snprintf(description, size, "no fault");
		break;
	case FILE_FAULT_ERRNO:
		/* Whoever asked for this very path has just named it. */
		if (strcmp(trust->path, path) == 0)
			snprintf(
			    description, size, "%s", strerror(trust->error));
		else
			snprintf(description, size, "%s: %s", trust->path,
			    strerror(trust->error));
		break;
	case FILE_FAULT_OWNER:
		snprintf(description, size,
		    "%s belongs to uid %u, who could replace what lies there: "
		    "it must belong to root%s",
		    trust->path, (unsigned)trust->uid,
		    trust->owner == 0 ? "" : " or to you");
		break;
	case FILE_FAULT_WRITABLE:
		snprintf(description, size,
		    "%s can be written to by others than its owner: "
		    "chmod go-w %s",
		    trust->path, trust->path);
		break;
	case FILE_FAULT_LOOP:
		snprintf(description, size, "%s: too many symbolic links",
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

/* Fills in the finding from what lies at path, if that can be reached. */
static bool
look(const struct paths *paths, struct path_finding *finding, const char *path)
{
	char description[DESCRIPTION_BYTES];
	struct file_trust trust = { .owner = paths->owner };
	struct stat status;
	int fd = file_open_trusted(path, O_PATH, &trust);

	if (fd == -1) {
		paths_describe(&trust, path, description, sizeof(description));
		finding->problem = keep(description);
		return false;
	}
	if (fstat(fd, &status) == -1) {
		finding->problem = keep(strerror(errno));
		fd_close(&fd);
		return false;
	}
	fd_close(&fd);
	finding->mode = status.st_mode;
	finding->uid = status.st_uid;
	finding->gid = status.st_gid;
	return true;
}

static void
look_at_program(
    const struct paths *paths, struct path_finding *finding, const char *path)
{
	if (!look(paths, finding, path))
		return;
	if (!S_ISREG(finding->mode))
		finding->problem = keep("not a regular file");
	else if ((finding->mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		finding->problem = keep("not executable");
}

static void
look_at_directory(
    const struct paths *paths, struct path_finding *finding, const char *path)
{
	struct stat status;

	(void)paths;
	if (stat(path, &status) == -1)
		finding->problem = keep(strerror(errno));
	else if (!S_ISDIR(status.st_mode))
		finding->problem = keep("not a directory");
	else
		finding->mode = status.st_mode;
}

/*
 * A path may be asked for as a program and as a directory: a byte behind it
 * keeps the two apart in the table, and it is cut off to look.
 */
static struct path_finding
look_once(struct paths *paths, struct text path, char kind)
{
	char key[PATH_MAX + 1];
	struct table_entry *entry;
	struct path_finding *finding;

	if (paths->skips_system)
		return (struct path_finding){ .mode = S_IFREG | 0755 };
	if (path.length >= PATH_MAX)
		return (struct path_finding){ .problem = "too long" };
	memcpy(key, path.bytes, path.length);
	key[path.length] = kind;
	entry = table_put(&paths->seen, key, path.length + 1);
	if (entry->value == 0) {
		finding = buffer_add(&paths->findings, sizeof(*finding));
		entry->value = paths->seen.count;
		key[path.length] = '\0';
		if (kind == 'p')
			look_at_program(paths, finding, key);
		else
			look_at_directory(paths, finding, key);
		return *finding;
	}
	finding = (void *)paths->findings.bytes;
	return finding[entry->value - 1];
}

struct path_finding
paths_program(struct paths *paths, struct text path)
{
	return look_once(paths, path, 'p');
}

struct path_finding
paths_directory(struct paths *paths, struct text path)
{
	return look_once(paths, path, 'd');
}

void
paths_finish(struct paths *paths)
{
	struct path_finding *findings = (void *)paths->findings.bytes;

	for (uint32_t i = 0; i < paths->seen.count; i++)
		free((void *)(uintptr_t)findings[i].problem);
	buffer_finish(&paths->findings);
	table_finish(&paths->seen);
}

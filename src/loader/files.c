/*
 * The files of a policy: their names, their texts, and whether they are fit
 * to be read.
 * Trusts only what sys/file has walked to, and only after it is open.
 * Never reads more than it is told, and never waits for a pipe or a device.
 */
#include "loader/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/paths.h"
#include "sys/file.h"

static struct file *
file_at(const struct files *files, uint32_t index)
{
	return (struct file *)(void *)files->list.bytes + index;
}

uint32_t
files_add(struct files *files, const char *name)
{
	struct file *file = buffer_add(&files->list, sizeof(*file));
	size_t length = strlen(name) + 1;

	file->name = memcpy(memory_resize(NULL, length, 1), name, length);
	return files->count++;
}

const char *
files_name(const struct files *files, uint32_t index)
{
	return file_at(files, index)->name;
}

void
files_explain(struct file_why *why, int error)
{
	(void)snprintf(why->text, sizeof(why->text), "%s", strerror(error));
}

int
files_open(const struct files *files, const char *path, struct file_why *why)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct file_trust trust = { .owner = files->owner };
	int fd;

	why->text[0] = '\0';
	if (files->skips_system) {
		fd = open(path, flags);
		if (fd == -1 && errno != ENOENT)
			files_explain(why, errno);
		return fd;
	}
	fd = file_open_trusted(path, flags, &trust);
	if (fd == -1)
		paths_describe(&trust, path, why->text, sizeof(why->text));
	return fd;
}

bool
files_check(const struct files *files, int fd, const char *path, mode_t kind,
    struct file_why *why)
{
	enum file_fault fault = FILE_FAULT_NONE;
	struct stat status;

	if (fstat(fd, &status) == -1) {
		files_explain(why, errno);
		return false;
	}
	if ((status.st_mode & S_IFMT) != kind) {
		(void)snprintf(why->text, sizeof(why->text), "not a %s",
		    kind == S_IFDIR ? "directory" : "regular file");
		return false;
	}
	if (files->skips_system ||
	    file_is_trusted(&status, files->owner, &fault))
		return true;
	if (fault == FILE_FAULT_OWNER)
		(void)snprintf(why->text, sizeof(why->text),
		    "it belongs to uid %u: it must belong to root%s",
		    (unsigned)status.st_uid,
		    files->owner == 0 ? "" : " or to you");
	else
		(void)snprintf(why->text, sizeof(why->text),
		    "it can be written to by others than its owner: chmod "
		    "go-w %s",
		    path);
	return false;
}

/* As large as the file seems to be, so that it need not grow. */
static void
reserve(struct buffer *text, int fd, size_t most)
{
	struct stat status;

	if (fstat(fd, &status) == -1 || status.st_size <= 0 ||
	    (uintmax_t)status.st_size > most)
		return;
	text->size = (size_t)status.st_size;
	text->bytes = memory_resize(text->bytes, text->size, 1);
}

bool
files_read(int fd, size_t most, struct buffer *text, struct file_why *why)
{
	uint8_t chunk[16384];

	reserve(text, fd, most);
	for (;;) {
		ssize_t count = read(fd, chunk, sizeof(chunk));

		if (count == -1 && errno == EINTR)
			continue;
		if (count == -1) {
			files_explain(why, errno);
			return false;
		}
		if (count == 0)
			return true;
		if ((size_t)count > most - text->used) {
			(void)snprintf(why->text, sizeof(why->text),
			    "more than %u bytes", FILES_BYTES_MAX);
			return false;
		}
		memcpy(buffer_add(text, (size_t)count), chunk, (size_t)count);
	}
}

struct text
files_keep(struct files *files, uint32_t index, struct buffer *text)
{
	struct file *file = file_at(files, index);

	file->text = *text;
	*text = (struct buffer){ .bytes = NULL };
	files->bytes += file->text.used;
	/* Of nothing there are no bytes, but it has been read. */
	return (struct text){
		file->text.used > 0 ? (const char *)file->text.bytes : "",
		file->text.used
	};
}

void
files_forget_texts(struct files *files)
{
	for (uint32_t i = 0; i < files->count; i++)
		buffer_finish(&file_at(files, i)->text);
}

void
files_finish(struct files *files)
{
	files_forget_texts(files);
	for (uint32_t i = 0; i < files->count; i++)
		free(file_at(files, i)->name);
	files->count = 0;
	buffer_finish(&files->list);
}

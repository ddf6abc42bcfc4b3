#ifndef LOADER_FILES_H
#define LOADER_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>
#include <sys/types.h>

#include "core/policy.h"
#include "loader/memory.h"

/*
 * The files that a policy is written in, numbered as in its places. All zero,
 * but for the first two, has none yet.
 */
struct files {
	uid_t owner; /* trusted besides root */
	bool skips_system; /* owners and modes do not matter */
	struct buffer list; /* of struct file */
	uint32_t count;
	size_t bytes; /* of all texts that are kept */
};

struct file {
	char *name; /* owned */
	struct buffer text; /* owned; empty if it was not read */
};

/* Of all texts of a policy together; of one file of a net. A test has less. */
#ifndef FILES_BYTES_MAX
#define FILES_BYTES_MAX (256u << 20)
#endif
/* The main one, included ones and those of nets. */
#ifndef FILES_MAX
#define FILES_MAX 65536u
#endif

/* The number of one more file. */
uint32_t files_add(struct files *files, const char *name);
const char *files_name(const struct files *files, uint32_t index);

/* Why a file cannot be used, for who has been told its name. */
struct file_why {
	char text[PATH_MAX + 256];
};

void files_explain(struct file_why *why, int error);

/*
 * Opens what lies at path for reading, at the end of a trusted way. The
 * descriptor, the caller's, or -1 and why; nothing is why if it is not there
 * and need not be (skips_system).
 */
int
files_open(const struct files *files, const char *path, struct file_why *why);

/*
 * Whether an open file may be used: one of this kind (S_IFREG, S_IFDIR) that
 * nobody untrusted can change.
 */
bool files_check(const struct files *files, int fd, const char *path,
    mode_t kind, struct file_why *why);

/* Adds all that is to be read to text, if that is at most `most` bytes. */
bool files_read(int fd, size_t most, struct buffer *text, struct file_why *why);

/* Keeps a text, which is taken, as that of a file; what it says. */
struct text
files_keep(struct files *files, uint32_t index, struct buffer *text);

/* Frees all texts; the names stay. */
void files_forget_texts(struct files *files);

void files_finish(struct files *files);

#endif

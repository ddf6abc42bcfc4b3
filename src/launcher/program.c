/*
 * Whether execve would run the service's program, asked before the client
 * hears `+`: the file, and what it names as its loader or interpreter.
 * Trusts no file; reads a bounded number of bytes of each.
 * Opens only what was a regular file a moment ago, and never waits for it.
 */
#include "launcher/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/syscall.h>

#include "sys/fd.h"

#define HEAD_BYTES 1024u /* the headers of nearly all programs, in one read */
#define LINE_BYTES 256u /* as much of a `#!` line as the kernel looks at */
#define HEADERS_MAX 64u /* program headers of one file */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "name this machine's ELF number here"
#endif

struct file {
	int fd;
	size_t length; /* of what is there of head */
	char head[HEAD_BYTES]; /* and NULs behind it */
};

static int
refuse(int error)
{
	errno = error;
	return -1;
}

/* With effective ids and capabilities, as execve; access(2) uses others. */
static int
check_executable(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return -1;
	if (!S_ISREG(status.st_mode))
		return refuse(EACCES);
	return (int)syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS);
}

/* Bytes [offset, offset + length) of the file. */
static int
file_read(const struct file *file, void *to, size_t length, uint64_t offset)
{
	ssize_t count;

	if (offset <= file->length && length <= file->length - offset) {
		memcpy(to, file->head + offset, length);
		return 0;
	}
	if (offset > INT64_MAX)
		return refuse(ENOEXEC);
	count = pread(file->fd, to, length, (off_t)offset);
	if (count == -1)
		return -1;
	return (size_t)count == length ? 0 : refuse(ENOEXEC);
}

/* Only this machine's own: other ABIs are not confined alike. */
static bool
is_native(const Elf64_Ehdr *header)
{
	return header->e_ident[EI_CLASS] == ELFCLASS64 &&
	    header->e_machine == MACHINE &&
	    (header->e_type == ET_EXEC || header->e_type == ET_DYN) &&
	    header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum > 0 &&
	    header->e_phnum <= HEADERS_MAX;
}

static int
read_loader(const struct file *file, const Elf64_Phdr *header,
    char path[PROGRAM_PATH_BYTES])
{
	if (header->p_filesz < 2 || header->p_filesz > PROGRAM_PATH_BYTES)
		return refuse(ENOEXEC);
	if (file_read(file, path, header->p_filesz, header->p_offset) != 0)
		return -1;
	return path[header->p_filesz - 1] == '\0' ? 0 : refuse(ENOEXEC);
}

/* All of its headers have to be there: execve reads them all. */
static int
look_at_elf(const struct file *file, enum program_kind *kind,
    char next[PROGRAM_PATH_BYTES])
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Phdr loader = { .p_type = PT_NULL };

	if (file_read(file, &header, sizeof(header), 0) != 0)
		return -1;
	if (!is_native(&header) ||
	    header.e_phoff > INT64_MAX - HEADERS_MAX * sizeof(segment))
		return refuse(ENOEXEC);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (file_read(file, &segment, sizeof(segment),
			header.e_phoff + i * sizeof(segment)) != 0)
			return -1;
		if (segment.p_type == PT_INTERP && loader.p_type == PT_NULL)
			loader = segment;
	}
	*kind = loader.p_type == PT_NULL ? PROGRAM_ALONE : PROGRAM_LOADED;
	return *kind == PROGRAM_ALONE ? 0 : read_loader(file, &loader, next);
}

/* The first word behind `#!`, as the kernel reads it, execve(2). */
static int
read_interpreter(const struct file *file, char path[PROGRAM_PATH_BYTES])
{
	char line[LINE_BYTES + 1];
	const char *word;
	size_t length;

	memcpy(line, file->head, LINE_BYTES);
	line[LINE_BYTES] = '\0';
	word = line + 2 + strspn(line + 2, " \t");
	length = strcspn(word, " \t\n");
	/* Empty, or it goes on where the kernel does not look. */
	if (length == 0 || word + length == line + LINE_BYTES)
		return refuse(ENOEXEC);
	memcpy(path, word, length);
	path[length] = '\0';
	return 0;
}

static int
look(struct file *file, enum program_kind *kind, char next[PROGRAM_PATH_BYTES])
{
	const ssize_t length =
	    pread(file->fd, file->head, sizeof(file->head), 0);

	if (length == -1)
		return -1;
	file->length = (size_t)length;
	if (memcmp(file->head, ELFMAG, SELFMAG) == 0)
		return look_at_elf(file, kind, next);
	if (memcmp(file->head, "#!", 2) != 0)
		return refuse(ENOEXEC);
	*kind = PROGRAM_SCRIPT;
	return read_interpreter(file, next);
}

int
program_look(int fd, enum program_kind *kind, char next[PROGRAM_PATH_BYTES])
{
	struct file file = { .fd = fd };
	int result;

	/* It may be executable all the same. */
	if (fd == -1 && errno == EACCES) {
		*kind = PROGRAM_UNREADABLE;
		return 0;
	}
	if (fd == -1)
		return -1;
	result = look(&file, kind, next);
	fd_close(&file.fd);
	return result;
}

int
child_check_program(struct child *child)
{
	char names[2][PROGRAM_PATH_BYTES];
	const char *path = child->plan->program;
	enum program_kind kind;

	for (int depth = 0; depth <= PROGRAM_SCRIPTS_MAX; depth++) {
		/* path may be the other one of the two. */
		char *next = names[depth % 2];

		if (check_executable(path) != 0 ||
		    program_look(open(path, PROGRAM_OPEN_FLAGS), &kind, next) !=
			0)
			return -1;
		if (kind == PROGRAM_LOADED && check_executable(next) != 0)
			return refuse(ELIBACC);
		if (kind != PROGRAM_SCRIPT)
			return 0;
		path = next;
	}
	return refuse(ELOOP);
}

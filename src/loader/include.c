/*
 * The texts of a policy: the main file, and what it includes.
 * Trusts a file or directory only if nobody untrusted could have changed it.
 * Never follows what an included file says: it includes nothing.
 */
#include "loader/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/policy_parse.h"
#include "sys/fd.h"

/* What is to be read of a directory. */
struct candidate {
	char *name; /* owned */
	const char *path; /* NULL: in the directory */
};

static const struct place main_file = { .line = 0 };

/* The last name of a path. */
static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* Hidden ones are not, as for a shell's *.policy. */
static bool
is_policy_name(const char *name)
{
	static const char ending[] = ".policy";
	size_t length = strlen(name);

	return name[0] != '.' && length >= sizeof(ending) &&
	    strcmp(name + length - (sizeof(ending) - 1), ending) == 0;
}

/* The text of a file, which is taken; NULL: it cannot be had. */
static void
add_text(
    struct load *load, uint32_t file, struct place include, struct buffer *text)
{
	struct policy_text *added = buffer_add(&load->texts, sizeof(*added));

	*added = (struct policy_text){ .name = files_name(&load->files, file),
		.include = include };
	if (text != NULL)
		added->text = files_keep(&load->files, file, text);
}

/*
 * Texts have the numbers of their files. What cannot be had has one as well,
 * so that nobody misses what it says. Only a policy that says all of it can be
 * written down: there, what need not be there is empty.
 */
static void
lack(struct load *load, struct place include, const char *path,
    const struct file_why *why)
{
	uint32_t file = files_add(&load->files, path);
	bool is_said = why->text[0] != '\0';
	struct buffer nothing = { .bytes = NULL };

	add_text(load, file, include,
	    !is_said && load->options->wants_text ? &nothing : NULL);
	if (is_said)
		problems_add(&load->problems, PROBLEM_ERROR, include,
		    "cannot include %s: %s", path, why->text);
}

/* Whether nothing has included this file or directory by another name. */
static bool
is_new(struct load *load, struct place include, int fd, struct file_why *why)
{
	struct stat status;
	struct table_entry *entry;

	if (fstat(fd, &status) == -1) {
		files_explain(why, errno);
		return false;
	}

	const uint64_t key[] = { status.st_dev, status.st_ino };

	entry = table_put(&load->included, key, sizeof(key));
	if (entry->value == 0) {
		entry->value = include.line + 1;
		return true;
	}
	if (entry->value == 1)
		(void)snprintf(
		    why->text, sizeof(why->text), "it is the main file");
	else
		(void)snprintf(why->text, sizeof(why->text),
		    "it is included already, by line %u", entry->value - 1);
	return false;
}

bool
load_has_room(struct load *load, struct place place)
{
	if (load->files.count < FILES_MAX)
		return true;
	problems_add(&load->problems, PROBLEM_ERROR, place,
	    "a policy of more than %u files", FILES_MAX);
	return false;
}

static void
include_file(struct load *load, struct place include, const char *path, int fd)
{
	struct files *files = &load->files;
	struct buffer text = { .bytes = NULL };
	struct file_why why = { .text = "" };

	if (is_new(load, include, fd, &why) &&
	    files_check(files, fd, path, S_IFREG, &why) &&
	    files_read(fd, FILES_BYTES_MAX - files->bytes, &text, &why)) {
		add_text(load, files_add(files, path), include, &text);
		return;
	}
	buffer_finish(&text);
	lack(load, include, path, &why);
}

/*
 * An entry of a trusted directory, or what stands for one; where a link leads
 * has its own way.
 */
static int
open_candidate(const struct files *files, int directory,
    const struct candidate *candidate, const char *path, struct file_why *why)
{
	int fd = -1;

	if (candidate->path != NULL) {
		fd = files_open(files, path, why);
		if (fd == -1 && why->text[0] == '\0')
			files_explain(why, ENOENT);
		return fd;
	}
	if (strlen(path) >= PATH_MAX)
		errno = ENAMETOOLONG;
	else
		fd = openat(directory, candidate->name,
		    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ELOOP)
		return files_open(files, path, why);
	if (fd == -1)
		files_explain(why, errno);
	return fd;
}

static void
include_candidate(struct load *load, struct place include, int directory,
    const char *directory_path, const struct candidate *candidate)
{
	char joined[2 * PATH_MAX];
	const char *path = candidate->path != NULL ? candidate->path : joined;
	struct file_why why = { .text = "" };
	int fd;

	(void)snprintf(joined, sizeof(joined), "%s%s%s", directory_path,
	    *base_of(directory_path) != '\0' ? "/" : "", candidate->name);
	fd = open_candidate(&load->files, directory, candidate, path, &why);
	if (fd != -1)
		include_file(load, include, path, fd);
	else
		lack(load, include, path, &why);
	fd_close(&fd);
}

static void
add_candidate(struct buffer *candidates, const char *name, const char *path)
{
	size_t length = strlen(name) + 1;
	char *copy = memory_resize(NULL, length, 1);
	struct candidate *candidate =
	    buffer_add(candidates, sizeof(*candidate));

	memcpy(copy, name, length);
	*candidate = (struct candidate){ .name = copy, .path = path };
}

static int
compare_candidates(const void *left, const void *right)
{
	const struct candidate *a = left;
	const struct candidate *b = right;

	return strcmp(a->name, b->name);
}

/* The names in an open directory that are to be read, but for `instead`. */
static bool
list_candidates(int directory, const char *instead, struct buffer *candidates,
    struct file_why *why)
{
	int copy = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	DIR *stream = copy == -1 ? NULL : fdopendir(copy);
	const struct dirent *found;

	if (stream == NULL) {
		fd_close(&copy);
		files_explain(why, errno);
		return false;
	}
	errno = 0;
	while ((found = readdir(stream)) != NULL)
		if (is_policy_name(found->d_name) &&
		    (instead == NULL || strcmp(found->d_name, instead) != 0))
			add_candidate(candidates, found->d_name, NULL);
	if (errno != 0)
		files_explain(why, errno);
	closedir(stream);
	return why->text[0] == '\0';
}

/* directory: -1 for one that is not there and need not be. */
static void
include_directory(
    struct load *load, struct place include, const char *path, int directory)
{
	const char *fragment = load->options->fragment_path;
	const char *instead = fragment == NULL ? NULL : base_of(fragment);
	struct buffer buffer = { .bytes = NULL };
	struct file_why why = { .text = "" };
	struct candidate *candidates;
	size_t count;

	if (directory == -1 ||
	    !files_check(&load->files, directory, path, S_IFDIR, &why) ||
	    !is_new(load, include, directory, &why) ||
	    !list_candidates(directory, instead, &buffer, &why))
		lack(load, include, path, &why);
	if (load->directories++ == 0 && fragment != NULL)
		add_candidate(&buffer, instead, fragment);
	candidates = (void *)buffer.bytes;
	count = buffer.used / sizeof(*candidates);
	if (count > 0)
		qsort(
		    candidates, count, sizeof(*candidates), compare_candidates);
	for (size_t i = 0; i < count && load_has_room(load, include); i++)
		include_candidate(
		    load, include, directory, path, &candidates[i]);
	for (size_t i = 0; i < count; i++)
		free(candidates[i].name);
	buffer_finish(&buffer);
}

static void
include_path(void *context, const struct word *word)
{
	struct load *load = context;
	char path[PATH_MAX];
	struct file_why why = { .text = "" };
	struct stat status;
	bool is_directory;
	int fd;

	if (!load_has_room(load, word->place))
		return;
	(void)snprintf(path, sizeof(path), "%.*s", TEXT_ARGS(word->text));
	fd = files_open(&load->files, path, &why);
	is_directory = fd != -1
	    ? fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)
	    : why.text[0] == '\0' && !is_policy_name(base_of(path));
	if (is_directory)
		include_directory(load, word->place, path, fd);
	else if (fd != -1)
		include_file(load, word->place, path, fd);
	else
		lack(load, word->place, path, &why);
	fd_close(&fd);
}

/* A fragment that would never be read is not to seem to be good. */
static void
check_fragment(struct load *load)
{
	const char *fragment = load->options->fragment_path;
	struct problems *problems = &load->problems;

	if (!is_policy_name(base_of(fragment)))
		problems_add(problems, PROBLEM_ERROR, main_file,
		    "%s would not be read in a directory: its name has to end "
		    "with .policy",
		    fragment);
	else if (load->directories > 1)
		problems_add(problems, PROBLEM_ERROR, main_file,
		    "%s cannot be checked: %u directories are included, and "
		    "it could stand in each",
		    fragment, load->directories);
	else if (load->directories == 0 && problems->errors == 0)
		problems_add(problems, PROBLEM_ERROR, main_file,
		    "%s cannot be checked: this policy includes no directory "
		    "that it could stand in",
		    fragment);
}

static bool
read_main(struct load *load)
{
	const char *path = load->options->policy_path;
	struct files *files = &load->files;
	struct buffer text = { .bytes = NULL };
	struct file_why why = { .text = "" };
	int fd = files_open(files, path, &why);
	bool is_read = fd != -1 &&
	    files_check(files, fd, path, S_IFREG, &why) &&
	    is_new(load, main_file, fd, &why) &&
	    files_read(fd, FILES_BYTES_MAX, &text, &why);

	if (is_read)
		add_text(load, 0, main_file, &text);
	else
		problems_add(&load->problems, PROBLEM_ERROR, main_file,
		    "cannot be read: %s",
		    why.text[0] != '\0' ? why.text : strerror(ENOENT));
	buffer_finish(&text);
	fd_close(&fd);
	return is_read;
}

bool
load_texts(struct load *load)
{
	const struct policy_text *main_text;

	if (!read_main(load))
		return false;
	main_text = (const void *)load->texts.bytes;
	/* By value: the texts move as they become more. */
	policy_find_includes(main_text->text, include_path, load);
	if (load->options->fragment_path != NULL)
		check_fragment(load);
	return true;
}

/*
 * From a policy file to a sealed image, or to a policy that says all of it.
 * Trusts the file only if nobody but root, or the caller, could write it.
 * Never goes on to look anything up for a policy that does not parse.
 */
#include "loader/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/policy_parse.h"
#include "core/policy_print.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/memfd.h"

#define POLICY_BYTES_MAX (256u << 20)
#define ARENA_BYTES_MAX (UINT64_C(64) << 30)

static const struct place whole_file = { .line = 0 };

static void
add_errno(struct load *load, const char *what)
{
	problems_add(&load->problems, PROBLEM_ERROR, whole_file, "%s: %s", what,
	    strerror(errno));
}

static int
open_policy(struct load *load)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	const char *path = load->options->policy_path;
	char description[PATH_MAX + 256];
	struct file_trust trust = { .owner = load->paths.owner };
	int fd;

	if (load->options->skips_system) {
		fd = open(path, flags);
		if (fd == -1)
			add_errno(load, "cannot be read");
		return fd;
	}
	fd = file_open_trusted(path, flags, &trust);
	if (fd == -1) {
		paths_describe(&trust, path, description, sizeof(description));
		problems_add(&load->problems, PROBLEM_ERROR, whole_file,
		    "cannot be read: %s", description);
	}
	return fd;
}

static bool
check_policy(struct load *load, int fd)
{
	struct file_trust trust = { .owner = load->paths.owner };
	char description[PATH_MAX + 256];
	struct stat status;

	if (fstat(fd, &status) == -1) {
		add_errno(load, "cannot be read");
		return false;
	}
	if (!S_ISREG(status.st_mode)) {
		problems_add(&load->problems, PROBLEM_ERROR, whole_file,
		    "a policy is a regular file");
		return false;
	}
	if (load->options->skips_system ||
	    file_is_trusted(&status, trust.owner, &trust.fault))
		return true;
	trust.uid = status.st_uid;
	memcpy(trust.path, "the file", sizeof("the file"));
	paths_describe(&trust, "", description, sizeof(description));
	problems_add(
	    &load->problems, PROBLEM_ERROR, whole_file, "%s", description);
	return false;
}

static bool
read_policy(struct load *load, int fd, struct buffer *text)
{
	uint8_t chunk[16384];

	for (;;) {
		ssize_t count = read(fd, chunk, sizeof(chunk));

		if (count == -1 && errno == EINTR)
			continue;
		if (count == -1) {
			add_errno(load, "cannot be read");
			return false;
		}
		if (count == 0)
			return true;
		if (text->used + (size_t)count > POLICY_BYTES_MAX) {
			problems_add(&load->problems, PROBLEM_ERROR, whole_file,
			    "longer than %u bytes", POLICY_BYTES_MAX);
			return false;
		}
		memcpy(buffer_add(text, (size_t)count), chunk, (size_t)count);
	}
}

static void
report(void *context, struct place place, bool is_warning, const char *message)
{
	struct load *load = context;

	problems_add(&load->problems,
	    is_warning ? PROBLEM_WARNING : PROBLEM_ERROR, place, "%s", message);
}

/*
 * Parses, with as much memory as it takes: pages of the arena that are never
 * touched cost nothing, so the first try is a generous one.
 */
static bool
parse_policy(struct load *load, struct policy *policy, struct arena *arena,
    const struct buffer *text)
{
	const struct policy_report reporter = { .problem = report,
		.context = load };
	const char *bytes = text->used > 0 ? (const char *)text->bytes : "";
	size_t size = (1u << 20) + 64 * text->used;

	for (; size <= ARENA_BYTES_MAX; size *= 2) {
		enum policy_result result;
		void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (base == MAP_FAILED)
			break;
		*arena = (struct arena){ .base = base, .size = size };
		problems_reset(&load->problems);
		result = policy_parse(
		    policy, bytes, text->used, 0, arena, &reporter);
		if (result != POLICY_ARENA_FULL)
			return result == POLICY_OK &&
			    load->problems.errors == 0;
		munmap(base, size);
		arena->base = NULL;
	}
	memory_fail();
}

static void
add_bytes(void *context, const char *bytes, size_t length)
{
	memcpy(buffer_add(context, length), bytes, length);
}

static int
seal(struct load *load, const void *bytes, size_t size)
{
	int sealed = memfd_seal("tcpmuxd-policy", bytes, size);

	if (sealed == -1)
		add_errno(load, "the image cannot be made");
	return sealed;
}

/* The image, or the text, if that is wanted: of a policy that would load. */
static int
seal_result(struct load *load)
{
	struct buffer text = { .bytes = NULL };
	const struct policy_sink sink = { .write = add_bytes,
		.context = &text };
	size_t size;
	void *block = load_image(load, &size);
	int sealed;

	if (block == NULL)
		return -1;
	if (load->options->wants_text) {
		policy_print(load->policy, &sink);
		sealed = seal(load, text.bytes, text.used);
	} else {
		sealed = seal(load, block, size);
	}
	buffer_finish(&text);
	free(block);
	return sealed;
}

static int
load_policy(struct load *load, int file)
{
	struct buffer text = { .bytes = NULL };
	struct arena arena = { .base = NULL };
	struct policy policy;
	int image = -1;

	if (check_policy(load, file) && read_policy(load, file, &text) &&
	    parse_policy(load, &policy, &arena, &text)) {
		load->policy = &policy;
		image = seal_result(load);
		load->policy = NULL;
	}
	if (arena.base != NULL)
		munmap(arena.base, arena.size);
	buffer_finish(&text);
	return image;
}

int
loader_load(const struct loader_options *options, int problems_fd)
{
	struct load load;
	int image = -1;
	int file;

	load_init(&load, options);
	file = open_policy(&load);
	if (file != -1)
		image = load_policy(&load, file);
	fd_close(&file);
	problems_write(&load.problems, problems_fd);
	load_finish(&load);
	return image;
}

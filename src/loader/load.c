/*
 * From a policy's files to a sealed image, or to one text that says it all.
 * Trusts nothing of them but what load_texts and the parser let through.
 * Never goes on to look anything up for a policy that does not parse.
 */
#include "loader/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/policy_parse.h"
#include "core/policy_print.h"
#include "sys/memfd.h"

#define ARENA_BYTES_MAX (UINT64_C(64) << 30)

static const struct place whole_file = { .line = 0 };

void
load_errno(struct load *load, const char *what)
{
	problems_add(&load->problems, PROBLEM_ERROR, whole_file, "%s: %s", what,
	    strerror(errno));
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
parse_policy(struct load *load, struct policy *policy, struct arena *arena)
{
	const struct policy_report reporter = { .problem = report,
		.context = load };
	const struct policy_text *texts = (const void *)load->texts.bytes;
	size_t count = load->texts.used / sizeof(*texts);
	size_t size = (1u << 20) + 64 * load->files.bytes;

	for (; size <= ARENA_BYTES_MAX; size *= 2) {
		enum policy_result result;
		void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (base == MAP_FAILED)
			break;
		*arena = (struct arena){ .base = base, .size = size };
		result = policy_parse(
		    policy, texts, (uint32_t)count, arena, &reporter);
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
		load_errno(load, "the image cannot be made");
	return sealed;
}

/* The image, or the text, if that is wanted: of a policy that would load. */
static int
seal_result(struct load *load, const struct buffer *text)
{
	size_t size;
	void *block = load_image(load, &size);
	int sealed;

	if (block == NULL)
		return -1;
	sealed = load->options->wants_text ? seal(load, text->bytes, text->used)
					   : seal(load, block, size);
	free(block);
	return sealed;
}

static int
load_policy(struct load *load)
{
	struct arena arena = { .base = NULL };
	struct policy policy;
	struct buffer text = { .bytes = NULL };
	const struct policy_sink sink = { .write = add_bytes,
		.context = &text };
	bool is_built = false;
	int sealed = -1;

	if (load_texts(load) && parse_policy(load, &policy, &arena)) {
		load->policy = &policy;
		is_built = load_build(load);
		if (is_built && load->options->wants_text)
			policy_print(&policy, &sink);
		load->policy = NULL;
	}
	/* The largest parts go before the next is made. */
	if (arena.base != NULL)
		munmap(arena.base, arena.size);
	files_forget_texts(&load->files);
	if (is_built)
		sealed = seal_result(load, &text);
	buffer_finish(&text);
	return sealed;
}

int
loader_load(const struct loader_options *options, int problems_fd)
{
	struct load load;
	int image;

	load_init(&load, options);
	image = load_policy(&load);
	problems_write(&load.problems, problems_fd);
	load_finish(&load);
	return image;
}

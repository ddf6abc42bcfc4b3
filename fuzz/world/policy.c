/*
 * Policy text into an image, by the parser and the loader that ship.
 * Trusts the loader to look nothing up when it is told so.
 * Never opens a file: a policy that names files of nets is refused.
 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "core/policy_parse.h"
#include "loader/load.h"
#include "loader/profile.h"

#define ARENA_BYTES (1u << 21)

/* LD nr; RET ALLOW. */
static const struct image_instruction program[] = {
	{ 0x20, 0, 0, 0 },
	{ 0x06, 0, 0, 0x7fff0000 },
};

/* In place of loader/profile.c's. */
void
load_filters(struct load *load)
{
	const uint32_t count = sizeof(program) / sizeof(program[0]);

	for (int i = 0; i < IMAGE_FILTERS_COUNT; i++) {
		struct image_range *range = &load->build.global.filters[i];

		range->first = build_count(&load->build, IMAGE_FILTERS);
		range->count = count;
		memcpy(build_add(&load->build, IMAGE_FILTERS, count), program,
		    sizeof(program));
	}
}

/* Small limits, so that a short script meets them. */
static const char small[] =
    "policy 1\n"
    "listen 127.0.0.1 name one\n"
    "listen ::1 name two lenient-lf\n"
    "parser {\n\tuser 65534\n\tgroup 65534\n\ttimeout 3s\n"
    "\trecycle 20 20s\n\tworkers 2\n}\n"
    "admission {\n\tdeny 10.0.0.0/8\n\tallow any\n\tsessions 6\n"
    "\tpending 8\n\tpending-per-source 4\n\tper-source 6\n"
    "\trate 20/s burst 20\n\tsources 32\n\tpenalty denied 1s\n"
    "\tpenalty-threshold 5s\n\tpenalty-max 60s\n\texempt 127.0.0.1\n"
    "\tdrop-in-kernel on\n}\n"
    "log {\n\tlimit off\n}\n"
    "service git {\n\talias g 9418\n\tallow any\n\tuser 1000\n"
    "\tgroup 1000\n\texec /bin/cat\n\tsessions 3\n\tper-source 2\n"
    "\tlifetime 20s\n}\n"
    "service closed {\n\tallow 198.51.100.7\n\tuser 1000\n"
    "\tgroup 1000\n\texec /bin/cat\n\tisolate pid mount\n}\n"
    "service off disabled {\n\tallow any\n\tuser 1000\n\tgroup 1000\n"
    "\texec /bin/cat\n}\n"
    "service one {\n\tallow any\n\ton one\n\tuser 1000\n\tgroup 1000\n"
    "\texec /bin/cat\n\trate 2/s burst 2\n\tpenalty exit 1 10s\n}\n"
    "service night {\n\tallow any\n\thours sun 22:00-23:00\n"
    "\tuser 1000\n\tgroup 1000\n\texec /bin/cat\n}\n"
    "service sync {\n\tallow any\n\tpass /run/sync.sock uid 0\n}\n"
    "service trap {\n\tallow any\n\ttrap\n}\n";

/* Something in every section of an image. */
static const char full[] = "policy 1\n"
			   "listen 127.0.0.1 name a backlog 5\n"
			   "listen fe80::1%2 name b lenient-lf freebind\n"
			   "listen 127.0.0.2 interface lo\n"
			   "net office 192.0.2.0/24 2001:db8::/32 fe80::%2/64\n"
			   "net all 0.0.0.0/0 ::/0\n"
			   "parser {\n"
			   "\tuser 65534\n"
			   "\tgroup 65534\n"
			   "}\n"
			   "admission {\n"
			   "\tdeny 10.0.0.0/8\n"
			   "\tallow any\n"
			   "\texempt @office\n"
			   "\tdrop-in-kernel on\n"
			   "}\n"
			   "log {\n"
			   "\tlimit off\n"
			   "}\n"
			   "service git {\n"
			   "\talias 9418 g\n"
			   "\tallow @office 198.51.100.7\n"
			   "\tdeny any\n"
			   "\tuser 1000\n"
			   "\tgroup 1000\n"
			   "\tgroups 4 100\n"
			   "\ton a\n"
			   "\thours mon-fri 08:00-18:00\n"
			   "\texec /bin/cat -u\n"
			   "\tenv A=1\n"
			   "\tcapabilities net_raw\n"
			   "\tisolate pid mount\n"
			   "\tnice -5\n"
			   "\tlimit cpu 60s\n"
			   "\tfilesystem read /srv if-available\n"
			   "\tpenalty exit 3 5s\n"
			   "\tsummary \"read-only\"\n"
			   "\treply service\n"
			   "\tchroot /srv\n"
			   "\tlifetime 1h\n"
			   "\tidle 10m\n"
			   "}\n"
			   "service daytime {\n"
			   "\tallow any\n"
			   "\tuser 1000\n"
			   "\tgroup 1000\n"
			   "\tbuiltin daytime\n"
			   "\tnetwork none\n"
			   "}\n"
			   "service sync {\n"
			   "\tallow @all\n"
			   "\tpass /run/sync.sock uid 7\n"
			   "}\n"
			   "service trap {\n"
			   "\tallow any\n"
			   "\ttrap\n"
			   "}\n";

static void
ignore_problem(
    void *context, struct place place, bool is_warning, const char *message)
{
	(void)context;
	(void)place;
	(void)is_warning;
	(void)message;
}

static void
count_include(void *context, const struct word *path)
{
	(void)path;
	++*(unsigned *)context;
}

static bool
reads_files(const struct policy *policy, struct text text)
{
	unsigned includes = 0;

	policy_find_includes(text, count_include, &includes);
	if (includes > 0)
		return true;
	for (uint32_t i = 0; i < policy->match_count; i++)
		if (policy->matches[i].kind == POLICY_MATCH_FILE)
			return true;
	return false;
}

static void *
build(struct load *load, const struct policy *policy, size_t *size)
{
	void *block = NULL;

	load->policy = policy;
	if (load_build(load))
		block = load_image(load, size);
	load->policy = NULL;
	return block;
}

void *
policy_image(const char *bytes, size_t length, size_t *size)
{
	static _Alignas(16) uint8_t memory[ARENA_BYTES];
	static const struct loader_options options = {
		.policy_path = "fuzz.policy", .skips_system = true
	};
	const struct policy_report report = { ignore_problem, NULL };
	const struct policy_text text = { .text = { bytes, length },
		.name = "fuzz.policy" };
	struct arena arena = { .base = memory, .size = sizeof(memory) };
	struct policy policy;
	struct load load;
	void *block = NULL;

	if (policy_parse(&policy, &text, 1, &arena, &report) != POLICY_OK ||
	    reads_files(&policy, text.text))
		return NULL;
	load_init(&load, &options);
	block = build(&load, &policy, size);
	load_finish(&load);
	return block;
}

/* An image that is made when it is wanted first. */
struct made {
	void *image; /* owned */
	size_t size;
};

static const void *
make_once(struct made *made, const char *text, size_t length, size_t *size)
{
	if (made->image == NULL)
		made->image = policy_image(text, length, &made->size);
	if (made->image == NULL)
		abort();
	*size = made->size;
	return made->image;
}

const void *
policy_small(size_t *size)
{
	static struct made made;

	return make_once(&made, small, sizeof(small) - 1, size);
}

const void *
policy_full(size_t *size)
{
	static struct made made;

	return make_once(&made, full, sizeof(full) - 1, size);
}

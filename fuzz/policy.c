/*
 * Fuzzes the policy language: whatever the text, it parses or it is refused
 * with a problem that can be shown; and what parses means the same once it is
 * printed. Built by afl-clang-fast or clang with
 * -fsanitize=fuzzer, linked with libcore.a.
 */
#include "core/policy_parse.h"
#include "core/policy_print.h"

#include "../tests/unit/policy_same.h"

#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 8 };

/* The main text, and the next one for each of its include lines. */
struct texts {
	struct policy_text all[TEXTS_MAX];
	uint32_t count;
	struct text rest;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* A message is one line that no terminal obeys. */
static void
note_problem(
    void *context, struct place place, bool is_warning, const char *message)
{
	unsigned *errors = context;

	if (place.line == 0 || place.column == 0 || *message == '\0')
		abort();
	for (; *message != '\0'; message++)
		if ((unsigned char)*message < 0x20 || *message == 0x7f)
			if (*message != '\t')
				abort();
	if (!is_warning)
		(*errors)++;
}

/* Elements that are all there; words are read to their last byte. */
static void
check_words(const struct policy *policy, struct span span)
{
	if (span.first > policy->word_count ||
	    span.count > policy->word_count - span.first)
		abort();
	for (uint32_t i = 0; i < span.count; i++) {
		struct text text = policy->words[span.first + i].text;

		if (memchr(text.bytes, '\0', text.length) != NULL)
			abort();
	}
}

/* What was taken holds together. */
static void
check_policy(const struct policy *policy)
{
	for (uint32_t i = 0; i < policy->service_count; i++) {
		const struct policy_service *service = &policy->services[i];

		check_words(policy, service->exec);
		check_words(policy, service->env);
		check_words(policy, service->aliases);
		check_words(policy, service->groups);
		check_words(policy, service->capabilities);
		if ((service->exec.count > 0) !=
			(service->kind == IMAGE_KIND_EXEC) ||
		    (service->pass.text.length > 0) !=
			(service->kind == IMAGE_KIND_PASS) ||
		    service->rules.count == 0 ||
		    service->rules.first + service->rules.count >
			policy->rule_count)
			abort();
	}
	for (uint32_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].match.kind == POLICY_MATCH_NET &&
		    policy->rules[i].match.net >= policy->net_count)
			abort();
	for (uint32_t i = 0; i < policy->net_count; i++) {
		struct span members = policy->nets[i].members;

		/* of the sets before it alone: no circles */
		for (uint32_t j = 0; j < members.count; j++)
			if (policy->matches[members.first + j].kind ==
				POLICY_MATCH_NET &&
			    policy->matches[members.first + j].net >= i)
				abort();
	}
}

enum {
	ARENA_BYTES = 1 << 22,
	PRINTED_BYTES = 1 << 22,
	SMALL_BYTES = 1 << 17,
	SMALL_PARTS = 12,
};

struct printed {
	char bytes[PRINTED_BYTES];
	size_t length;
	bool is_full;
};

static void
write_bytes(void *context, const char *bytes, size_t length)
{
	struct printed *printed = context;

	if (length > sizeof(printed->bytes) - printed->length)
		printed->is_full = true;
	if (printed->is_full)
		return;
	memcpy(printed->bytes + printed->length, bytes, length);
	printed->length += length;
}

static void
ignore_problem(
    void *context, struct place place, bool is_warning, const char *message)
{
	(void)context;
	(void)place;
	(void)message;
	if (!is_warning)
		abort();
}

/* Unless a few long defaults make many services longer than it is worth. */
static void
check_printed(const struct policy *policy)
{
	static _Alignas(16) uint8_t memory[4 * ARENA_BYTES];
	static struct printed printed;
	const struct policy_sink sink = { write_bytes, &printed };
	struct arena arena = { .base = memory, .size = sizeof(memory) };
	struct policy_report report = { ignore_problem, NULL };
	struct policy_text text = { .text.bytes = printed.bytes,
		.name = "printed" };
	struct policy again;

	printed.length = 0;
	printed.is_full = false;
	policy_print(policy, &sink);
	if (printed.is_full)
		return;
	text.text.length = printed.length;
	if (policy_parse(&again, &text, 1, &arena, &report) != POLICY_OK ||
	    policy_difference(policy, &again) != NULL)
		abort();
}

static void
refuse_problem(
    void *context, struct place place, bool is_warning, const char *message)
{
	(void)context;
	(void)place;
	(void)is_warning;
	(void)message;
	abort(); /* nothing is told before there is enough memory */
}

/* With less memory than it took there is nothing but that to be said. */
static void
check_small_arenas(const struct texts *texts, size_t used)
{
	static _Alignas(16) uint8_t memory[SMALL_BYTES];
	struct policy_report report = { refuse_problem, NULL };

	if (used > sizeof(memory))
		return;
	for (size_t part = 0; part < SMALL_PARTS; part++) {
		struct arena arena = { .base = memory,
			.size = used / SMALL_PARTS * part };
		struct policy policy;

		if (policy_parse(&policy, texts->all, texts->count, &arena,
			&report) != POLICY_ARENA_FULL)
			abort();
	}
}

/* Cuts off what comes before the next form feed, which no policy has. */
static struct text
cut_text(struct text *rest)
{
	struct text cut = *rest;
	size_t at = 0;

	while (at < cut.length && cut.bytes[at] != '\f')
		at++;
	cut.length = at;
	if (at < rest->length)
		*rest = (struct text){ rest->bytes + at + 1,
			rest->length - at - 1 };
	else
		*rest = (struct text){ NULL, 0 };
	return cut;
}

/* A folder, which is what ends in `d` here, has two. */
static void
add_text(void *context, const struct word *path)
{
	struct texts *texts = context;
	uint32_t left = 1;

	if (path->text.length == 0 || path->text.bytes[0] != '/')
		abort();
	if (path->text.bytes[path->text.length - 1] == 'd')
		left = 2;
	for (; left > 0 && texts->count < TEXTS_MAX; left--)
		texts->all[texts->count++] =
		    (struct policy_text){ .text = cut_text(&texts->rest),
			    .name = "included",
			    .include = path->place };
}

static void
split(struct texts *texts, const char *bytes, size_t length)
{
	texts->rest = (struct text){ bytes, length };
	texts->all[0] = (struct policy_text){ .text = cut_text(&texts->rest),
		.name = "main" };
	policy_find_includes(texts->all[0].text, add_text, texts);
}

/* Then nets may not be declared, and whoever could not read it refuses all. */
static bool
lacks_one(const struct texts *texts)
{
	for (uint32_t i = 0; i < texts->count; i++)
		if (texts->all[i].text.bytes == NULL)
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static _Alignas(16) uint8_t memory[ARENA_BYTES];
	unsigned errors = 0;
	struct arena arena = { .base = memory, .size = ARENA_BYTES };
	struct policy_report report = { note_problem, &errors };
	struct texts texts = { .count = 1 };
	struct policy policy;

	split(&texts, (const char *)bytes, length);
	switch (
	    policy_parse(&policy, texts.all, texts.count, &arena, &report)) {
	case POLICY_OK:
		if (!lacks_one(&texts)) {
			check_policy(&policy);
			check_printed(&policy);
		}
		/* fallthrough */
	case POLICY_ARENA_FULL:
		if (errors != 0)
			abort();
		break;
	case POLICY_BAD:
		if (errors == 0)
			abort();
		break;
	}
	check_small_arenas(&texts, arena.used);
	return 0;
}

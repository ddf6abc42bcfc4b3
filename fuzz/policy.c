/*
 * Fuzzes the policy language: whatever the text, it parses or it is refused
 * with a problem that can be shown. Built by afl-clang-fast or clang with
 * -fsanitize=fuzzer, linked with libcore.a.
 */
#include "core/policy_parse.h"

#include <stdlib.h>
#include <string.h>

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

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	enum { ARENA_BYTES = 1 << 22 };
	static _Alignas(16) uint8_t memory[ARENA_BYTES];
	unsigned errors = 0;
	struct arena arena = { .base = memory, .size = ARENA_BYTES };
	struct policy_report report = { note_problem, &errors };
	struct policy policy;

	switch (policy_parse(
	    &policy, (const char *)bytes, length, 0, &arena, &report)) {
	case POLICY_OK:
	case POLICY_ARENA_FULL:
		if (errors != 0)
			abort();
		break;
	case POLICY_BAD:
		if (errors == 0)
			abort();
		break;
	}
	return 0;
}

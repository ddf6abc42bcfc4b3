/*
 * Fuzzes what a parser may answer. The first byte is how many it was asked,
 * the rest its message; what is taken is possible, and says the same again.
 */
#include "core/line.h"
#include "core/verdict.h"

#include <stdlib.h>
#include <string.h>

#define NAMES 3u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
check_answer(const struct verdict *answer, const struct handover *asked)
{
	bool has_name = answer->outcome == OUTCOME_NAME;

	if (answer->slot != asked->slot ||
	    answer->generation != asked->generation ||
	    answer->length > LINE_MAX_BYTES)
		abort();
	if (has_name ? answer->name >= NAMES : answer->name != VERDICT_NO_NAME)
		abort();
	if (answer->claimed[0] > NAME_MAX_BYTES ||
	    (answer->claimed[0] != 0 && answer->outcome != OUTCOME_UNKNOWN))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct handover batch[BATCH_MAX];
	struct verdict answers[BATCH_MAX];
	uint8_t again[VERDICT_MESSAGE_MAX];
	size_t asked;

	if (length == 0)
		return 0;
	asked = bytes[0] % (BATCH_MAX + 1);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		batch[i] = (struct handover){ .slot = i, .generation = i + 1 };
	if (verdict_check(answers, bytes + 1, length - 1, batch, asked,
		NAMES) != VIOLATION_NONE)
		return 0;
	for (size_t i = 0; i < asked; i++)
		check_answer(&answers[i], &batch[i]);
	if (verdict_encode(again, answers, asked) != length - 1 ||
	    memcmp(again, bytes + 1, length - 1) != 0)
		abort();
	return 0;
}

/*
 * Fuzzes the four messages and the status: any bytes are refused, or are one
 * message that is written again as the same bytes. The first byte says as
 * which the rest is read; a verdict's is also how many were asked.
 */
#include "core/message.h"
#include "core/line.h"
#include "core/step.h"
#include "core/verdict.h"

#include <stdlib.h>
#include <string.h>

#define NAMES 3u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
check_handover(const uint8_t *bytes, size_t length)
{
	struct handover entries[BATCH_MAX];
	uint8_t again[HANDOVER_MESSAGE_MAX];
	int count = handover_decode(entries, bytes, length);

	if (count < 0)
		return;
	if (count == 0 || (unsigned)count > BATCH_MAX)
		abort();
	if (handover_encode(again, entries, (size_t)count) != length ||
	    memcmp(again, bytes, length) != 0)
		abort();
}

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
	if (answer->outcome == OUTCOME_MORE &&
	    (asked->flags & HANDOVER_FINAL) != 0)
		abort();
	if (answer->claimed[0] > NAME_MAX_BYTES ||
	    (answer->claimed[0] != 0 && answer->outcome != OUTCOME_UNKNOWN))
		abort();
}

static void
check_verdict(const uint8_t *bytes, size_t length, size_t asked)
{
	struct handover batch[BATCH_MAX];
	struct verdict answers[BATCH_MAX];
	uint8_t again[VERDICT_MESSAGE_MAX];
	enum violation violation;

	for (uint32_t i = 0; i < BATCH_MAX; i++)
		batch[i] = (struct handover){ .slot = i,
			.generation = i + 1,
			.flags = i % 2 == 0 ? 0 : HANDOVER_FINAL };
	violation = verdict_check(answers, bytes, length, batch, asked, NAMES);
	if (violation_name(violation) == NULL)
		abort();
	if (violation != VIOLATION_NONE)
		return;
	for (size_t i = 0; i < asked; i++)
		check_answer(&answers[i], &batch[i]);
	if (verdict_encode(again, answers, asked) != length ||
	    memcmp(again, bytes, length) != 0)
		abort();
}

static void
check_launch(const uint8_t *bytes, size_t length)
{
	struct launch launch;
	uint8_t again[LAUNCH_BYTES];

	if (!launch_decode(&launch, bytes, length))
		return;
	if ((launch.flags & ~LAUNCH_FLAGS) != 0 ||
	    launch.peer.family == ADDR_NONE)
		abort();
	launch_encode(again, &launch);
	if (length != sizeof(again) || memcmp(again, bytes, length) != 0)
		abort();
}

static void
check_launched(const uint8_t *bytes, size_t length)
{
	uint64_t session;
	uint8_t again[LAUNCHED_BYTES];

	if (!launched_decode(&session, bytes, length))
		return;
	launched_encode(again, session);
	if (length != sizeof(again) || memcmp(again, bytes, length) != 0)
		abort();
}

static void
check_status(const uint8_t *bytes, size_t length)
{
	struct status status;
	uint8_t again[STATUS_BYTES];

	if (length != STATUS_BYTES)
		return;
	status = status_decode(bytes);
	if (step_name(status.step) == NULL)
		abort();
	status_encode(again, &status);
	if (memcmp(again, bytes, length) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length == 0)
		return 0;
	check_verdict(bytes + 1, length - 1, bytes[0] % (BATCH_MAX + 1));
	check_handover(bytes + 1, length - 1);
	check_launch(bytes + 1, length - 1);
	check_launched(bytes + 1, length - 1);
	check_status(bytes + 1, length - 1);
	return 0;
}

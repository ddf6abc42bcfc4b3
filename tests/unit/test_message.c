/*
 * The four messages: what is encoded is decoded, and nothing else is.
 */
#include "core/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_handover(void **state)
{
	struct handover sent[BATCH_MAX], got[BATCH_MAX];
	uint8_t bytes[HANDOVER_MESSAGE_MAX];

	(void)state;
	memset(sent, 0, sizeof(sent));
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		sent[i].slot = 0xfffffff0u + i % 16;
		sent[i].generation = UINT64_C(0x0102030405060708) * (i + 1);
		sent[i].flags = (uint8_t)(i % 4);
	}
	for (size_t count = 1; count <= BATCH_MAX; count++) {
		size_t length = handover_encode(bytes, sent, count);

		assert_int_equal(length, count * HANDOVER_BYTES);
		assert_int_equal(
		    handover_decode(got, bytes, length), (int)count);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(got[i].slot, sent[i].slot);
			assert_true(got[i].generation == sent[i].generation);
			assert_int_equal(got[i].flags, sent[i].flags);
		}
	}
}

static void
test_handover_bytes(void **state)
{
	static const uint8_t expected[HANDOVER_BYTES] = { 4, 3, 2, 1, 0x18,
		0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x03 };
	const struct handover entry = { .slot = 0x01020304,
		.generation = UINT64_C(0x1112131415161718),
		.flags = HANDOVER_FINAL | HANDOVER_LENIENT_LF };
	uint8_t bytes[HANDOVER_MESSAGE_MAX];

	(void)state;
	handover_encode(bytes, &entry, 1);
	assert_memory_equal(bytes, expected, sizeof(expected));
}

static void
test_handover_refused(void **state)
{
	struct handover got[BATCH_MAX];
	uint8_t bytes[HANDOVER_MESSAGE_MAX + HANDOVER_BYTES] = { 0 };

	(void)state;
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		bool is_whole = length > 0 && length % HANDOVER_BYTES == 0 &&
		    length <= HANDOVER_MESSAGE_MAX;
		int expected = is_whole ? (int)(length / HANDOVER_BYTES) : -1;

		assert_int_equal(handover_decode(got, bytes, length), expected);
	}
	for (unsigned flags = 0; flags < 256; flags++) {
		bytes[HANDOVER_BYTES - 1] = (uint8_t)flags;
		assert_int_equal(handover_decode(got, bytes, HANDOVER_BYTES),
		    (flags & ~HANDOVER_FLAGS) == 0 ? 1 : -1);
	}
}

static void
test_verdict(void **state)
{
	struct verdict sent[BATCH_MAX], got;
	uint8_t bytes[VERDICT_MESSAGE_MAX];
	size_t length;

	(void)state;
	memset(sent, 0, sizeof(sent));
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		sent[i].slot = i * 3;
		sent[i].generation = UINT64_MAX - i;
		sent[i].outcome = (uint8_t)(i + 200);
		sent[i].name = VERDICT_NO_NAME - i;
		sent[i].length = (uint16_t)(0xff00 + i);
		memset(sent[i].claimed, (int)i, sizeof(sent[i].claimed));
	}
	length = verdict_encode(bytes, sent, BATCH_MAX);
	assert_int_equal(length, VERDICT_MESSAGE_MAX);
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		verdict_decode(&got, bytes + i * VERDICT_BYTES);
		assert_int_equal(got.slot, sent[i].slot);
		assert_true(got.generation == sent[i].generation);
		assert_int_equal(got.outcome, sent[i].outcome);
		assert_int_equal(got.name, sent[i].name);
		assert_int_equal(got.length, sent[i].length);
		assert_memory_equal(
		    got.claimed, sent[i].claimed, sizeof(got.claimed));
	}
}

static const struct launch a_launch = { .session = UINT64_C(0xfedcba987654),
	.service = 70000,
	.flags = LAUNCH_STDERR,
	.peer = { .bytes = { 0xfe, 0x80, [15] = 9 },
	    .scope = 3,
	    .port = 65535,
	    .family = ADDR_V6 },
	.local = { .bytes = { 192, 0, 2, 1 }, .port = 1, .family = ADDR_V4 } };

static void
assert_addr_equal(const struct addr *a, const struct addr *b)
{
	assert_memory_equal(a->bytes, b->bytes, sizeof(a->bytes));
	assert_int_equal(a->scope, b->scope);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->family, b->family);
}

static void
test_launch(void **state)
{
	uint8_t bytes[LAUNCH_BYTES];
	struct launch got;

	(void)state;
	launch_encode(bytes, &a_launch);
	assert_true(launch_decode(&got, bytes, sizeof(bytes)));
	assert_true(got.session == a_launch.session);
	assert_int_equal(got.service, a_launch.service);
	assert_int_equal(got.flags, a_launch.flags);
	assert_addr_equal(&got.peer, &a_launch.peer);
	assert_addr_equal(&got.local, &a_launch.local);
}

static void
test_launch_refused(void **state)
{
	uint8_t bytes[LAUNCH_BYTES + 1] = { 0 };
	struct launch got;

	(void)state;
	launch_encode(bytes, &a_launch);
	for (size_t length = 0; length <= sizeof(bytes); length++)
		assert_int_equal(
		    launch_decode(&got, bytes, length), length == LAUNCH_BYTES);
	for (unsigned value = 0; value < 256; value++) {
		bool is_family = value == ADDR_V4 || value == ADDR_V6;

		launch_encode(bytes, &a_launch);
		bytes[12] = (uint8_t)value;
		assert_int_equal(launch_decode(&got, bytes, LAUNCH_BYTES),
		    value < 4 || value == LAUNCH_CGROUP + LAUNCH_BORN ||
			value == LAUNCH_FLAGS);
		launch_encode(bytes, &a_launch);
		bytes[13] = (uint8_t)value;
		assert_int_equal(
		    launch_decode(&got, bytes, LAUNCH_BYTES), is_family);
		launch_encode(bytes, &a_launch);
		bytes[13 + LAUNCH_ADDR_BYTES] = (uint8_t)value;
		assert_int_equal(
		    launch_decode(&got, bytes, LAUNCH_BYTES), is_family);
	}
}

static void
test_launched(void **state)
{
	uint8_t bytes[LAUNCHED_BYTES + 1] = { 0 };
	uint64_t session = 0;

	(void)state;
	launched_encode(bytes, UINT64_C(0x8000000000000001));
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[7], 0x80);
	assert_true(launched_decode(&session, bytes, LAUNCHED_BYTES));
	assert_true(session == UINT64_C(0x8000000000000001));
	assert_false(launched_decode(&session, bytes, LAUNCHED_BYTES - 1));
	assert_false(launched_decode(&session, bytes, LAUNCHED_BYTES + 1));
	assert_false(launched_decode(&session, bytes, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_handover_bytes),
		cmocka_unit_test(test_handover_refused),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_launch),
		cmocka_unit_test(test_launch_refused),
		cmocka_unit_test(test_launched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The list of names: whole and in order, whatever room there is for a piece
 * of it and however little of a piece goes out.
 */
#include "core/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SERVICES_MAX 3000u
#define STRINGS_BYTES (SERVICES_MAX * 16u)
#define RULES 3u
#define RULE_NOBODY 0u /* deny any */
#define RULE_ALL 1u /* allow any */
#define RULE_SOME 2u /* allow the one set; whoever is not in it: denied */

/* An image with all that the list of names looks at. */
static struct block {
	struct image_header header;
	struct image_service services[SERVICES_MAX];
	struct image_rule rules[RULES];
	struct image_set sets[1];
	struct image_v4 v4[1];
	struct image_hours hours[1];
	char strings[STRINGS_BYTES];
} block;

static uint32_t strings_used;
static struct asker inside, outside;

static void
put_section(enum image_section section, const void *elements, uint32_t count)
{
	block.header.sections[section].offset =
	    (uint32_t)((const uint8_t *)elements - (const uint8_t *)&block);
	block.header.sections[section].count = count;
}

static struct image
new_image(void)
{
	const struct image image = { .header = &block.header,
		.base = (const uint8_t *)&block,
		.size = sizeof(block) };

	memset(&block, 0, sizeof(block));
	strings_used = 0;
	put_section(IMAGE_STRINGS, block.strings, STRINGS_BYTES);
	put_section(IMAGE_SERVICES, block.services, 0);
	put_section(IMAGE_RULES, block.rules, RULES);
	put_section(IMAGE_SETS, block.sets, 1);
	put_section(IMAGE_V4, block.v4, 1);
	put_section(IMAGE_V6, block.v4, 0);
	put_section(IMAGE_HOURS, block.hours, 1);
	block.hours[0] = (struct image_hours){ 600, 660 };
	block.rules[RULE_ALL].is_allow = 1;
	block.rules[RULE_SOME].is_allow = 1;
	block.rules[RULE_SOME].kind = IMAGE_RULE_SET;
	block.sets[0].v4.count = 1;
	block.v4[0] = (struct image_v4){ 0x0a000000, 0x0a0000ff };
	assert_true(addr_parse(&inside.peer, "10.0.0.7", 8));
	assert_true(addr_parse(&outside.peer, "10.0.1.7", 8));
	return image;
}

static void
add_service(const char *name, uint32_t rule, uint8_t flags)
{
	uint32_t *count = &block.header.sections[IMAGE_SERVICES].count;
	uint32_t length = (uint32_t)strlen(name);

	assert_true(*count < SERVICES_MAX);
	assert_true(strings_used + length < STRINGS_BYTES);
	memcpy(block.strings + strings_used, name, length + 1);
	block.services[(*count)++] =
	    (struct image_service){ .name = { strings_used, length },
		    .rules = { rule, 1 },
		    .flags = flags };
	strings_used += length + 1;
}

static struct image
small_image(void)
{
	static const char longest[] =
	    "f23456789-f23456789-f23456789-f23456789-f23456789-f23456789-"
	    "f23456789-f23456789-f23456789-f23456789-f23456789-f23456789-"
	    "f234567";
	struct image image = new_image();

	assert_int_equal(strlen(longest), NAME_MAX_BYTES);
	add_service("a", RULE_ALL, 0);
	add_service("b-nobody", RULE_NOBODY, 0);
	add_service("c-some", RULE_SOME, 0);
	add_service("d-disabled", RULE_ALL, IMAGE_SERVICE_DISABLED);
	add_service("e-trap", RULE_ALL, 0);
	block.services[4].kind = IMAGE_KIND_TRAP;
	add_service("e-unlisted", RULE_ALL, IMAGE_SERVICE_UNLISTED);
	add_service(longest, RULE_ALL, 0);
	add_service("g", RULE_SOME, 0);
	add_service("z-nobody", RULE_NOBODY, 0);
	return image;
}

#define LONGEST \
	"f23456789-f23456789-f23456789-f23456789-f23456789-f23456789-" \
	"f23456789-f23456789-f23456789-f23456789-f23456789-f23456789-" \
	"f234567\r\n"
#define INSIDE "a\r\nc-some\r\n" LONGEST "g\r\n"
#define OUTSIDE "a\r\n" LONGEST

/* Bytes that must not be written are known again. */
#define UNTOUCHED 0x5a

/*
 * Reads the list in pieces of at most `room` bytes of which only `most` go
 * out, or all with most 0. Returns the length.
 */
static size_t
read_in_pieces(const struct image *image, const struct asker *asker,
    size_t room, size_t most, char *all, size_t all_size)
{
	struct reply_cursor cursor = { .service = 0 };
	size_t length = 0;

	while (!reply_help_is_done(image, cursor)) {
		uint8_t piece[1024];
		struct reply_cursor next;
		size_t count;

		assert_true(room < sizeof(piece));
		memset(piece, UNTOUCHED, sizeof(piece));
		count = reply_help(image, asker, cursor, piece, room, &next);
		assert_true(count <= room);
		assert_int_equal(piece[room], UNTOUCHED);
		if (most != 0 && count > most) {
			count = most;
			next = reply_help_resume(image, asker, cursor, count);
		}
		assert_true(length + count < all_size);
		memcpy(all + length, piece, count);
		length += count;
		cursor = next;
	}
	all[length] = '\0';
	return length;
}

static void
assert_list(const struct image *image, const struct asker *asker, size_t room,
    size_t most, const char *expected)
{
	char all[1024];

	(void)read_in_pieces(image, asker, room, most, all, sizeof(all));
	assert_string_equal(all, expected);
}

static void
whole_at_every_room(void **state)
{
	const struct image image = small_image();

	(void)state;
	for (size_t room = 1; room < 400; room++) {
		assert_list(&image, &inside, room, 0, INSIDE);
		assert_list(&image, &outside, room, 0, OUTSIDE);
	}
}

static void
whole_however_little_goes_out(void **state)
{
	const struct image image = small_image();

	(void)state;
	for (size_t room = 1; room < 200; room++)
		for (size_t most = 1; most <= room; most++)
			assert_list(&image, &inside, room, most, INSIDE);
}

/* A cursor stands still when there is no room, and is not done. */
static void
no_room_is_no_end(void **state)
{
	const struct image image = small_image();
	struct reply_cursor cursor = { .service = 0 };
	struct reply_cursor next = { .service = 77 };
	uint8_t none = UNTOUCHED;

	(void)state;
	assert_int_equal(
	    reply_help(&image, &inside, cursor, &none, 0, &next), 0);
	assert_int_equal(none, UNTOUCHED);
	assert_int_equal(next.service, 0);
	assert_int_equal(next.sent, 0);
	assert_false(reply_help_is_done(&image, next));
}

/* Moving a cursor by n bytes is what writing them would have done. */
static void
resume_is_as_if_sent(void **state)
{
	const struct image image = small_image();
	const struct reply_cursor start = { .service = 0 };
	const size_t all = strlen(INSIDE);

	(void)state;
	for (size_t sent = 0; sent <= all; sent++) {
		struct reply_cursor cursor =
		    reply_help_resume(&image, &inside, start, sent);
		struct reply_cursor next;
		uint8_t rest[1024];
		size_t length = reply_help(
		    &image, &inside, cursor, rest, sizeof(rest), &next);

		assert_int_equal(length, all - sent);
		assert_memory_equal(rest, INSIDE + sent, length);
		assert_true(reply_help_is_done(&image, next));
	}
}

/* A name that is out halfway is finished, though its hour is over by now. */
static void
begun_is_finished(void **state)
{
	const struct image image = small_image();
	const struct asker *asker = &inside;
	struct reply_cursor cursor =
	    reply_help_resume(&image, asker, (struct reply_cursor){ 0 }, 5);
	struct reply_cursor next;
	uint8_t rest[1024];
	size_t length;

	(void)state;
	assert_int_equal(cursor.service, 2);
	assert_int_equal(cursor.sent, 2);
	block.services[2].hours = (struct image_range){ 0, 1 };
	length = reply_help(&image, asker, cursor, rest, sizeof(rest), &next);
	assert_int_equal(length, strlen(INSIDE) - 5);
	assert_memory_equal(rest, INSIDE + 5, length);
	length = reply_help(&image, asker, (struct reply_cursor){ 0 }, rest,
	    sizeof(rest), &next);
	assert_int_equal(length, strlen(INSIDE) - strlen("c-some\r\n"));
}

static void
nothing_to_show_is_empty(void **state)
{
	struct image image = new_image();
	char all[16];

	(void)state;
	assert_true(
	    reply_help_is_done(&image, (struct reply_cursor){ .service = 0 }));
	add_service("nobody", RULE_NOBODY, 0);
	assert_int_equal(
	    read_in_pieces(&image, &inside, 8, 0, all, sizeof(all)), 0);
}

/* Many that are not shown: a bounded look at a time, and still all of it. */
static void
a_turn_is_bounded(void **state)
{
	struct image image = new_image();
	struct reply_cursor cursor = { .service = 0 };
	char name[16], all[64];
	uint32_t turns = 0;

	(void)state;
	add_service("a", RULE_ALL, 0);
	for (uint32_t i = 0; i < 2500; i++) {
		(void)snprintf(name, sizeof(name), "b%05u", i);
		add_service(name, RULE_NOBODY, 0);
	}
	add_service("c", RULE_ALL, 0);
	while (!reply_help_is_done(&image, cursor)) {
		struct reply_cursor next;

		(void)reply_help(&image, &inside, cursor, (uint8_t *)all,
		    sizeof(all), &next);
		assert_true(next.service > cursor.service);
		assert_true(
		    next.service - cursor.service <= REPLY_SERVICES_A_TURN);
		cursor = next;
		turns++;
	}
	assert_int_equal(turns, 3);
	(void)read_in_pieces(&image, &inside, 5, 2, all, sizeof(all));
	assert_string_equal(all, "a\r\nc\r\n");
	/* The second byte behind all the hidden ones. */
	cursor = reply_help_resume(
	    &image, &inside, (struct reply_cursor){ .service = 0 }, 4);
	assert_int_equal(cursor.service, 2501);
	assert_int_equal(cursor.sent, 1);
}

static void
refusal_is_the_one_text(void **state)
{
	(void)state;
	assert_string_equal(REPLY_REFUSAL, "-Service not available\r\n");
	assert_int_equal(REPLY_REFUSAL_BYTES, 24);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_at_every_room),
		cmocka_unit_test(whole_however_little_goes_out),
		cmocka_unit_test(no_room_is_no_end),
		cmocka_unit_test(resume_is_as_if_sent),
		cmocka_unit_test(begun_is_finished),
		cmocka_unit_test(nothing_to_show_is_empty),
		cmocka_unit_test(a_turn_is_bounded),
		cmocka_unit_test(refusal_is_the_one_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * One change to a sound image at a time: each is refused, and for the right
 * reason.
 */
#include "core/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image_changes.h"

/* It takes as many turns as there are elements, and comes to the same. */
static enum image_error
one_at_a_time(const void *block, size_t size)
{
	struct image_inspection inspection;
	enum image_error error;
	int turns = 1;

	image_inspect_begin(&inspection, block, size);
	while (!image_inspect_some(&inspection, 1, &error))
		turns++;
	assert_true(error != IMAGE_OK || turns > 10);
	return error;
}

static void
check_block(
    const char *what, const void *block, size_t size, enum image_error expected)
{
	struct image image;
	enum image_error error = image_init(&image, block, size);

	assert_int_equal(one_at_a_time(block, size), error);
	if (error != expected)
		fail_msg("%s: %s, not %s", what, image_error_text(error),
		    image_error_text(expected));
}

static void
test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < CHANGES; i++) {
		size_t size;
		void *block = changed_block(&changes[i], &size);

		check_block(changes[i].what, block, size, changes[i].expected);
		free(block);
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMINGS; i++) {
		size_t size;
		void *block = named_block(&namings[i], &size);

		check_block(namings[i].what, block, size, namings[i].expected);
		free(block);
	}
}

static void
test_damages(void **state)
{
	(void)state;
	for (size_t i = 0; i < DAMAGES; i++) {
		size_t size;
		void *block = damaged_block(&damages[i], &size);

		check_block(damages[i].what, block, size, IMAGE_BAD_SECTION);
		free(block);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_damages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The policy image: a sound one is read as it was meant, every other is
 * refused; one damaged anywhere is refused or can be read all the same.
 */
#include "core/access.h"
#include "core/hours.h"
#include "core/image.h"
#include "core/image_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guarded.h"
#include "sound_image.h"

static void
test_sound(void **state)
{
	size_t size, names_size;
	uint8_t *block = make(&size);
	struct image image;
	const struct image_service *service;
	const void *names_bytes;
	struct names found;

	(void)state;
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	assert_int_equal(image_count(&image, IMAGE_SERVICES), 2);
	service = image_service(&image, 0);
	assert_string_equal(image_text(&image, service->name), "git");
	assert_string_equal(image_text(&image, service->program), "/bin/cat");
	assert_string_equal(image_text(&image, service->reply_text), "Go");
	assert_string_equal(
	    image_text(&image, image_word(&image, service->argv.first + 1)),
	    "-u");
	assert_string_equal(
	    image_text(&image, image_word(&image, service->env.first)),
	    "PATH=/bin");
	assert_int_equal(image_gids(&image, service->groups)[2], 65534);
	assert_int_equal(image_gid(&image, 1), 100);
	assert_int_equal(image_listen(&image, 0)->addr.port, 1);
	assert_int_equal(image_global(&image)->per_source, 32);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(image_name_service(&image, i), owners[i]);
	names_bytes = image_names_bytes(&image, &names_size);
	assert_true(names_init(&found, names_bytes, names_size));
	assert_int_equal(found.count, 3);
	free(block);
}

static bool
set_has(const struct image *image, uint32_t set, const char *text)
{
	struct addr addr = small_addr(text);

	return image_set_has(image, set, &addr);
}

static bool
set_has_on(
    const struct image *image, uint32_t set, const char *text, uint32_t scope)
{
	struct addr addr = small_addr(text);

	addr.scope = scope;
	return image_set_has(image, set, &addr);
}

static void
test_sets(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	struct image image;

	(void)state;
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	/* Two halves are one interval, and the host another. */
	assert_int_equal(image_set(&image, 0)->v4.count, 2);
	assert_int_equal(image_set(&image, 0)->v6.count, 2);
	assert_true(set_has(&image, 0, "10.0.0.0"));
	assert_true(set_has(&image, 0, "10.255.255.255"));
	assert_false(set_has(&image, 0, "9.255.255.255"));
	assert_false(set_has(&image, 0, "11.0.0.0"));
	assert_true(set_has(&image, 0, "192.0.2.1"));
	assert_true(set_has(&image, 0, "::ffff:192.0.2.1"));
	assert_false(set_has(&image, 0, "192.0.2.0"));
	assert_false(set_has(&image, 0, "192.0.2.2"));
	assert_true(set_has(&image, 0, "2001:db8::"));
	assert_true(
	    set_has(&image, 0, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(set_has(&image, 0, "2001:db9::"));
	assert_false(
	    set_has(&image, 0, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_int_equal(image_set(&image, 0)->scoped.count, 3);
	assert_true(set_has_on(&image, 0, "fe80::5", 2));
	assert_false(set_has_on(&image, 0, "fe80::6", 2));
	assert_true(set_has_on(&image, 0, "fe80::6", 3));
	assert_false(set_has_on(&image, 0, "fe80::5", 1));
	assert_false(set_has_on(&image, 0, "fe80::5", 4));
	assert_false(set_has_on(&image, 0, "fe80::5", 0));
	assert_false(set_has_on(&image, 1, "fe80::5", 2));
	assert_false(set_has(&image, 1, "10.0.0.0"));
	assert_true(set_has(&image, 1, "198.51.100.9"));
	assert_false(set_has(&image, 1, "2001:db8::"));
	free(block);
}

static void
test_nothing_in_it(void **state)
{
	struct build build;
	struct image image;
	size_t size, length;
	uint8_t *names_table;
	void *block;

	(void)state;
	build_init(&build);
	small_global(&build);
	small_names(&build, NULL, NULL, 0);
	block = build_block(&build, &size);
	build_finish(&build);
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	/* Without names either, what is no table of them is none. */
	names_table = (uint8_t *)(uintptr_t)image_names_bytes(&image, &length);
	names_table[0] ^= 1;
	assert_int_equal(image_init(&image, block, size), IMAGE_BAD_NAMES);
	free(block);
}

/* Each by what asks for it, and for whom nothing is started none. */
static void
test_filters_of_a_service(void **state)
{
	struct image_service service = { .kind = IMAGE_KIND_EXEC,
		.syscalls = IMAGE_SYSCALLS_ANY };

	(void)state;
	assert_int_equal(image_service_filters(&service), 0);
	service.syscalls = IMAGE_SYSCALLS_DEFAULT;
	assert_int_equal(
	    image_service_filters(&service), 1U << IMAGE_FILTER_DEFAULT);
	service.syscalls = IMAGE_SYSCALLS_STDIO;
	assert_int_equal(
	    image_service_filters(&service), 1U << IMAGE_FILTER_STDIO);
	service.network = IMAGE_NETWORK_NONE;
	assert_int_equal(image_service_filters(&service),
	    1U << IMAGE_FILTER_STDIO | 1U << IMAGE_FILTER_OFFLINE);
	service.kind = IMAGE_KIND_TRAP;
	assert_int_equal(image_service_filters(&service), 0);
}

/* Whatever lies behind them: here it is padding, one time at least. */
static void
test_no_text_goes_beyond_all_texts(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		struct build build;
		struct image image;
		size_t size;
		void *block;
		char *texts;
		uint32_t last;

		build_init(&build);
		small_global(&build);
		small_names(&build, NULL, NULL, 0);
		if (more != 0)
			(void)small_text(&build, "more");
		block = build_block(&build, &size);
		build_finish(&build);
		assert_int_equal(image_init(&image, block, size), IMAGE_OK);
		last = image_count(&image, IMAGE_STRINGS) - 1;
		texts = (char *)(uintptr_t)image_text(
		    &image, (struct image_text){ 0, 0 });
		texts[last] = 'x';
		assert_false(image_has_text(&image,
		    (struct image_text){ .offset = last, .length = 1 }, 100));
		free(block);
	}
}

/* Reads all that a reader of a checked image may. */
static unsigned
read_text(const struct image *image, struct image_text text)
{
	const char *bytes = image_text(image, text);
	unsigned sum = 0;

	assert_int_equal(strlen(bytes), text.length);
	for (uint32_t i = 0; i <= text.length; i++)
		sum += (unsigned char)bytes[i];
	return sum;
}

static unsigned
read_service(const struct image *image, const struct image_service *service)
{
	const struct addr peer = small_addr("192.0.2.1");
	unsigned sum = read_text(image, service->name) +
	    read_text(image, service->place.file) +
	    read_text(image, service->program) +
	    read_text(image, service->chdir) +
	    read_text(image, service->reply_text) +
	    read_text(image, service->summary);

	for (uint32_t i = 0; i < service->argv.count; i++)
		sum += read_text(
		    image, image_word(image, service->argv.first + i));
	for (uint32_t i = 0; i < service->env.count; i++)
		sum +=
		    read_text(image, image_word(image, service->env.first + i));
	for (uint32_t i = 0; i < service->groups.count; i++)
		sum += image_gids(image, service->groups)[i];
	for (uint32_t i = 0; i < service->exits.count; i++)
		sum += image_exits(image, service->exits)[i].code;
	for (int i = 0; i < IMAGE_FILTERS_COUNT; i++) {
		const enum image_filter filter = (enum image_filter)i;
		uint32_t count = image_global(image)->filters[i].count;

		for (uint32_t j = 0; j < count; j++)
			sum += image_filter(image, filter)[j].code;
		if ((image_service_filters(service) >> i & 1) != 0)
			assert_int_not_equal(count, 0);
	}
	if (service->filesystem != 0) {
		const struct image_range paths =
		    image_ruleset(image, service->filesystem - 1)->paths;

		for (uint32_t i = 0; i < paths.count; i++)
			sum += read_text(
			    image, image_path(image, paths.first + i)->path);
	}
	for (uint32_t i = 0; i < service->rules.count; i++) {
		const struct image_rule *rule =
		    image_rule(image, service->rules.first + i);

		sum += read_text(image, rule->place.file);
		if (rule->kind == IMAGE_RULE_SET)
			sum += image_set_has(image, rule->set, &peer);
	}
	return sum;
}

static unsigned
read_access(const struct image *image, uint32_t service)
{
	struct asker asker = { .peer = small_addr("10.1.2.3") };
	unsigned sum = 0;

	for (asker.minute = 0; asker.minute < HOURS_WEEK_MINUTES;
	     asker.minute += 97) {
		struct access access = access_decide(image, service, &asker);

		sum += (unsigned)access.reason;
		if (access.place != NULL)
			sum += read_text(image, access.place->file);
	}
	return sum;
}

static unsigned
read_listen(const struct image *image, const struct image_listen *listen)
{
	return read_text(image, listen->place.file) +
	    read_text(image, listen->name) +
	    read_text(image, listen->interface) + listen->backlog;
}

static unsigned
read_all(const struct image *image)
{
	const struct addr peer = {
		.family = ADDR_V6, .bytes = { 0xfe, 0x80, [15] = 6 }, .scope = 3
	};
	const struct image_global *global = image_global(image);
	unsigned sum = read_text(image, global->file) +
	    read_text(image, global->parser_program);
	size_t length;

	for (uint32_t i = 0; i < image_count(image, IMAGE_SERVICES); i++)
		sum += read_service(image, image_service(image, i)) +
		    read_access(image, i);
	for (uint32_t i = 0; i < image_count(image, IMAGE_LISTENS); i++)
		sum += read_listen(image, image_listen(image, i));
	for (uint32_t i = 0; i < image_count(image, IMAGE_SETS); i++)
		sum += image_set_has(image, i, &peer);
	for (uint32_t i = 0; i < image->names.count; i++) {
		sum += *names_get(&image->names, i, &length);
		sum += image_service(image, image_name_service(image, i))->uid;
	}
	for (uint32_t i = 0; i < image_count(image, IMAGE_GIDS); i++)
		sum += image_gid(image, i);
	for (uint32_t i = 0; i < global->admission.count; i++)
		sum += image_rule(image, global->admission.first + i)->kind;
	return sum;
}

static void
test_damaged(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	struct image image;
	unsigned taken = 0;

	(void)state;
	for (size_t i = 0; i < size; i++)
		for (unsigned bits = 1; bits < 256; bits++) {
			block[i] ^= (uint8_t)bits;
			if (image_init(&image, block, size) == IMAGE_OK) {
				read_all(&image);
				taken++;
			}
			block[i] ^= (uint8_t)bits;
		}
	/* Some bytes may be anything: a uid's, for one. */
	assert_true(taken > 0);
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	free(block);
}

static void
test_damaged_words(void **state)
{
	static const uint32_t values[] = { 0, 1, 2, 7, 8, 0x7fffffff,
		0x80000000, 0xfffffff8, UINT32_MAX - 1, UINT32_MAX };
	size_t size;
	uint8_t *block = make(&size);
	uint32_t *words = (uint32_t *)(void *)block;
	struct image image;

	(void)state;
	for (size_t i = 0; i < size / sizeof(words[0]); i++) {
		uint32_t kept = words[i];

		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]);
		     j++) {
			words[i] = values[j];
			if (image_init(&image, block, size) == IMAGE_OK)
				read_all(&image);
		}
		words[i] = kept;
	}
	free(block);
}

static void
test_cut(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	struct image image;

	(void)state;
	for (size_t shorter = 0; shorter < size; shorter++) {
		uint8_t *cut = malloc(shorter > 0 ? shorter : 1);
		uint64_t claimed = shorter;

		memcpy(cut, block, shorter);
		assert_int_not_equal(
		    image_init(&image, cut, shorter), IMAGE_OK);
		/* Also when it says that this is all. */
		if (shorter >= sizeof(struct image_header)) {
			memcpy(cut + offsetof(struct image_header, size),
			    &claimed, sizeof(claimed));
			assert_int_not_equal(
			    image_init(&image, cut, shorter), IMAGE_OK);
		}
		free(cut);
	}
	for (size_t head = 0; head < sizeof(struct image_header); head += 8)
		assert_int_equal(image_init(&image, guarded(block, head), head),
		    IMAGE_BAD_HEADER);
	free(block);
}

/* With more behind it than it has sections; and what was known stays so. */
static void
test_longer(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	uint8_t *longer = calloc(size + 8, 1);
	struct image image = { .size = 7 };
	uint64_t claimed = size + 8;

	(void)state;
	memcpy(longer, block, size);
	memcpy(longer + offsetof(struct image_header, size), &claimed,
	    sizeof(claimed));
	assert_int_equal(
	    image_init(&image, longer, size + 8), IMAGE_BAD_SECTION);
	assert_int_equal(image.size, 7);
	assert_null(image.base);
	free(longer);
	free(block);
}

static void
test_not_aligned(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	uint8_t *moved = malloc(size + 4);
	struct image image;

	(void)state;
	memcpy(moved + 4, block, size);
	assert_int_equal(image_init(&image, moved + 4, size), IMAGE_BAD_HEADER);
	free(moved);
	free(block);
}

/* Another program's file, another version's, or one of another size. */
static void
test_header(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	struct image_header *header = (void *)block;
	const struct image_header kept = *header;
	struct image image;

	(void)state;
	header->magic ^= 1;
	assert_int_equal(image_init(&image, block, size), IMAGE_BAD_HEADER);
	*header = kept;
	header->version++;
	assert_int_equal(image_init(&image, block, size), IMAGE_BAD_HEADER);
	*header = kept;
	header->size += 8;
	assert_int_equal(image_init(&image, block, size), IMAGE_BAD_HEADER);
	/* Larger than any offset can say. */
	header->size = UINT64_C(1) << 32;
	assert_int_equal(
	    image_init(&image, block, header->size), IMAGE_BAD_HEADER);
	*header = kept;
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	free(block);
}

/* Between two sections there is nothing: not even what nobody reads. */
static void
test_between_sections(void **state)
{
	size_t size, changed = 0;
	uint8_t *block = make(&size);
	const struct image_header *header = (void *)block;
	struct image image;

	(void)state;
	for (int i = 0; i < IMAGE_SECTIONS; i++) {
		size_t end = header->sections[i].offset +
		    header->sections[i].count *
			image_element_bytes((enum image_section)i);

		for (; end % 8 != 0; end++, changed++) {
			block[end] = 1;
			assert_int_equal(
			    image_init(&image, block, size), IMAGE_BAD_SECTION);
			block[end] = 0;
		}
	}
	assert_true(changed > 0);
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	free(block);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_nothing_in_it),
		cmocka_unit_test(test_filters_of_a_service),
		cmocka_unit_test(test_no_text_goes_beyond_all_texts),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_damaged_words),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_longer),
		cmocka_unit_test(test_not_aligned),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_between_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A printed policy becomes the same image, but for the places of its lines.
 * What no place, text or range is, is compared byte by byte, so that a value
 * that the image gets one day is compared as well.
 */
#include "core/policy_print.h"
#include "loading.h"
#include "policy_fixture.h"
#include "policy_maker.h"

/* What a policy becomes without looking anything up; NULL: it does not. */
static void *
make_image(const struct policy *policy, struct image *image)
{
	const struct loader_options options = { .policy_path = "policy",
		.skips_system = true };
	struct load load;
	size_t size;
	void *block;

	load_init(&load, &options);
	load.is_root = true;
	load.policy = policy;
	/* one name for all: what is included has become part of it */
	while (load.files.count < TEXTS_MAX)
		files_add(&load.files, options.policy_path);
	block = load_build(&load) ? load_image(&load, &size) : NULL;
	load_finish(&load);
	if (block != NULL)
		assert_int_equal(image_init(image, block, size), IMAGE_OK);
	return block;
}

struct pair {
	const struct image *left, *right;
};

static void
expect_text(
    const struct pair *pair, struct image_text *left, struct image_text *right)
{
	assert_string_equal(
	    image_text(pair->left, *left), image_text(pair->right, *right));
	*left = *right = (struct image_text){ 0, 0 };
}

/* Wherever it is, it is somewhere or nowhere in both. */
static void
expect_places(const struct pair *pair, struct image_place *left,
    struct image_place *right)
{
	assert_int_equal(left->line == 0, right->line == 0);
	expect_text(pair, &left->file, &right->file);
	left->line = right->line = 0;
}

static void
expect_words(const struct pair *pair, struct image_range *left,
    struct image_range *right)
{
	assert_int_equal(left->count, right->count);
	for (uint32_t i = 0; i < left->count; i++) {
		struct image_text l = image_word(pair->left, left->first + i);
		struct image_text r = image_word(pair->right, right->first + i);

		expect_text(pair, &l, &r);
	}
	left->first = right->first = 0;
}

static void
expect_sets(const struct pair *pair, uint32_t left, uint32_t right)
{
	const struct image_set *l = image_set(pair->left, left);
	const struct image_set *r = image_set(pair->right, right);

	assert_int_equal(l->v4.count, r->v4.count);
	assert_int_equal(l->v6.count, r->v6.count);
	for (uint32_t i = 0; i < l->v4.count; i++)
		assert_memory_equal(image_v4(pair->left, l->v4.first + i),
		    image_v4(pair->right, r->v4.first + i),
		    sizeof(struct image_v4));
	assert_int_equal(l->scoped.count, r->scoped.count);
	for (uint32_t i = 0; i < l->scoped.count; i++)
		assert_memory_equal(
		    image_scoped(pair->left, l->scoped.first + i),
		    image_scoped(pair->right, r->scoped.first + i),
		    sizeof(struct image_scoped));
	for (uint32_t i = 0; i < l->v6.count; i++)
		assert_memory_equal(image_v6(pair->left, l->v6.first + i),
		    image_v6(pair->right, r->v6.first + i),
		    sizeof(struct image_v6));
}

static void
expect_rules(const struct pair *pair, struct image_range *left,
    struct image_range *right)
{
	assert_int_equal(left->count, right->count);
	for (uint32_t i = 0; i < left->count; i++) {
		const struct image_rule *l =
		    image_rule(pair->left, left->first + i);
		const struct image_rule *r =
		    image_rule(pair->right, right->first + i);

		assert_int_equal(l->is_allow, r->is_allow);
		assert_int_equal(l->kind, r->kind);
		if (l->kind == IMAGE_RULE_SET)
			expect_sets(pair, l->set, r->set);
	}
	left->first = right->first = 0;
}

/* Rulesets are numbered as their services come. */
static void
expect_files(const struct pair *pair, uint32_t *left, uint32_t *right)
{
	struct image_range l, r;

	assert_int_equal(*left, *right);
	if (*left == 0)
		return;
	l = image_ruleset(pair->left, *left - 1)->paths;
	r = image_ruleset(pair->right, *right - 1)->paths;
	assert_int_equal(l.count, r.count);
	for (uint32_t i = 0; i < l.count; i++) {
		struct image_path a = *image_path(pair->left, l.first + i);
		struct image_path b = *image_path(pair->right, r.first + i);

		expect_text(pair, &a.path, &b.path);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

static void
expect_services(const struct pair *pair, uint32_t index)
{
	struct image_service left = *image_service(pair->left, index);
	struct image_service right = *image_service(pair->right, index);

	expect_places(pair, &left.place, &right.place);
	expect_places(pair, &left.hours_place, &right.hours_place);
	expect_places(pair, &left.on_place, &right.on_place);
	assert_int_equal(left.hours.count, right.hours.count);
	for (uint32_t i = 0; i < left.hours.count; i++)
		assert_memory_equal(
		    image_hours(pair->left, left.hours.first + i),
		    image_hours(pair->right, right.hours.first + i),
		    sizeof(struct image_hours));
	left.hours.first = right.hours.first = 0;
	assert_int_equal(left.exits.count, right.exits.count);
	assert_memory_equal(image_exits(pair->left, left.exits),
	    image_exits(pair->right, right.exits),
	    left.exits.count * sizeof(struct image_exit));
	left.exits.first = right.exits.first = 0;
	expect_files(pair, &left.filesystem, &right.filesystem);
	expect_text(pair, &left.name, &right.name);
	expect_text(pair, &left.program, &right.program);
	expect_text(pair, &left.chdir, &right.chdir);
	expect_text(pair, &left.reply_text, &right.reply_text);
	expect_text(pair, &left.summary, &right.summary);
	expect_rules(pair, &left.rules, &right.rules);
	expect_words(pair, &left.argv, &right.argv);
	expect_words(pair, &left.env, &right.env);
	assert_int_equal(left.groups.count, right.groups.count);
	for (uint32_t i = 0; i < left.groups.count; i++)
		assert_int_equal(image_gid(pair->left, left.groups.first + i),
		    image_gid(pair->right, right.groups.first + i));
	left.groups.first = right.groups.first = 0;
	assert_memory_equal(&left, &right, sizeof(left));
}

static void
expect_globals(const struct pair *pair)
{
	struct image_global left = *image_global(pair->left);
	struct image_global right = *image_global(pair->right);

	expect_text(pair, &left.file, &right.file);
	expect_text(pair, &left.parser_program, &right.parser_program);
	expect_rules(pair, &left.admission, &right.admission);
	expect_rules(pair, &left.exempt, &right.exempt);
	assert_memory_equal(&left, &right, sizeof(left));
}

static void
expect_names(const struct pair *pair)
{
	size_t left_size, right_size;
	const void *left = image_names_bytes(pair->left, &left_size);
	const void *right = image_names_bytes(pair->right, &right_size);

	assert_int_equal(left_size, right_size);
	assert_memory_equal(left, right, left_size);
	for (uint32_t i = 0; i < image_count(pair->left, IMAGE_NAMES); i++)
		assert_int_equal(image_name_service(pair->left, i),
		    image_name_service(pair->right, i));
}

static void
expect_images(const struct image *left, const struct image *right)
{
	const struct pair pair = { left, right };

	expect_globals(&pair);
	expect_names(&pair);
	assert_int_equal(image_count(left, IMAGE_LISTENS),
	    image_count(right, IMAGE_LISTENS));
	for (uint32_t i = 0; i < image_count(left, IMAGE_LISTENS); i++)
		assert_memory_equal(&image_listen(left, i)->addr,
		    &image_listen(right, i)->addr, sizeof(struct addr));
	for (uint32_t i = 0; i < image_count(left, IMAGE_SERVICES); i++)
		expect_services(&pair, i);
}

static void
write_buffer(void *context, const char *bytes, size_t length)
{
	memcpy(buffer_add(context, length), bytes, length);
}

/* Whether it could be made an image at all. */
static bool
print_and_compare(const struct policy *policy)
{
	struct buffer text = { .bytes = NULL };
	const struct policy_sink sink = { write_buffer, &text };
	struct image left, right;
	void *left_block = make_image(policy, &left);
	void *right_block;
	struct parsed parsed;

	if (left_block == NULL)
		return false;
	policy_print(policy, &sink);
	parsed = parse_text((const char *)text.bytes, text.used);
	assert_int_equal(parsed.result, POLICY_OK);
	right_block = make_image(&parsed.policy, &right);
	assert_non_null(right_block);
	expect_images(&left, &right);
	parsed_finish(&parsed);
	buffer_finish(&text);
	free(left_block);
	free(right_block);
	return true;
}

static uint32_t seed; /* of the policy that is looked at; 0: none */

static int
tell_seed(void **state)
{
	(void)state;
	if (seed != 0)
		print_message("that was seed %u\n", seed);
	return 0;
}

static void
same_image(void **state)
{
	enum { POLICIES = 2000 };
	uint32_t loaded = 0;

	(void)state;
	for (seed = 1; seed <= POLICIES; seed++) {
		size_t length;
		char *text = maker_policy(seed, &length);
		struct parsed parsed = parse_text(text, length);

		assert_int_equal(parsed.result, POLICY_OK);
		loaded += print_and_compare(&parsed.policy);
		parsed_finish(&parsed);
		free(text);
	}
	seed = 0;
	assert_true(loaded > POLICIES / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(same_image, tell_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

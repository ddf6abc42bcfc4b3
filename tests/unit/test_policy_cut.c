/*
 * The example policy, damaged in every way that one byte can do, and cut off
 * everywhere: it parses or it is refused with a message, and nothing outside
 * of it is read (it ends at a page that cannot be read). The same for a file
 * that it includes.
 */
#include "policy_fixture.h"

#include <sys/mman.h>
#include <unistd.h>

enum { ARENA_BYTES = 256 * 1024 };

/* What the example's include line stands for. */
static const char included[] = "# from a package\n"
			       "net lab 192.0.2.0/28 @office\n"
			       "net lab file /etc/lab.txt\n"
			       "service \"l\\.ab\" disabled {\n"
			       "\tallow @lab\n\texec /bin/lab 'a b'\n}\n";

struct fixture {
	char *text;
	size_t length;
	char *map;
	size_t page, map_size;
	uint8_t *arena;
	unsigned problems;
	const char *included; /* not owned; before the guard page, too */
	size_t included_length;
	struct policy_text texts[4];
	uint32_t count;
};

static void
note_problem(
    void *context, struct place place, bool is_warning, const char *message)
{
	struct fixture *fixture = context;

	assert_true(place.file < fixture->count);
	assert_true(place.line > 0 && place.column > 0);
	assert_true(strlen(message) > 5 && strchr(message, '\n') == NULL);
	if (!is_warning)
		fixture->problems++;
}

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char path[300];

	root_path(path, sizeof(path), "policy/example.policy");
	fixture->text = read_whole(path, &fixture->length);
	fixture->page = (size_t)sysconf(_SC_PAGESIZE);
	fixture->map_size =
	    (fixture->length / fixture->page + 2) * fixture->page;
	fixture->map = mmap(NULL, fixture->map_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(fixture->map != MAP_FAILED);
	assert_int_equal(
	    mprotect(fixture->map + fixture->map_size - fixture->page,
		fixture->page, PROT_NONE),
	    0);
	fixture->arena = malloc(ARENA_BYTES);
	fixture->included = included;
	fixture->included_length = sizeof(included) - 1;
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	munmap(fixture->map, fixture->map_size);
	free(fixture->arena);
	free(fixture->text);
	free(fixture);
	return 0;
}

/* Puts that many bytes right before the guard page. */
static char *
place_bytes(struct fixture *fixture, const char *bytes, size_t length)
{
	char *copy = fixture->map + fixture->map_size - fixture->page - length;

	memcpy(copy, bytes, length);
	return copy;
}

/* The first `length` of the example. */
static char *
place_text(struct fixture *fixture, size_t length)
{
	return place_bytes(fixture, fixture->text, length);
}

static void
add_text(void *context, const struct word *path)
{
	struct fixture *fixture = context;

	assert_true(fixture->count < 4 && path->text.bytes[0] == '/');
	fixture->texts[fixture->count++] = (struct policy_text){
		.text = { fixture->included, fixture->included_length },
		.name = "included",
		.include = path->place
	};
}

static enum policy_result
parse_guarded(struct fixture *fixture, const char *text, size_t length)
{
	struct policy_report report = { note_problem, fixture };
	struct arena arena = { .base = fixture->arena, .size = ARENA_BYTES };
	struct policy policy;
	enum policy_result result;

	fixture->problems = 0;
	fixture->count = 1;
	fixture->texts[0] =
	    (struct policy_text){ .text = { text, length }, .name = "main" };
	policy_find_includes(fixture->texts[0].text, add_text, fixture);
	result = policy_parse(
	    &policy, fixture->texts, fixture->count, &arena, &report);
	assert_true(result == POLICY_OK || result == POLICY_BAD);
	assert_int_equal(result == POLICY_BAD, fixture->problems > 0);
	return result;
}

static void
cut_anywhere(void **state)
{
	struct fixture *fixture = *state;
	unsigned whole = 0;

	for (size_t length = 0; length <= fixture->length; length++)
		if (parse_guarded(fixture, place_text(fixture, length),
			length) == POLICY_OK)
			whole++;
	/* most cuts are inside a block or a word */
	assert_true(whole > 0 && whole < fixture->length / 2);
}

static void
change_any_byte(void **state)
{
	static const char others[] = "\0\n\r {}\"'\\#@x0/\x80\xff";
	struct fixture *fixture = *state;
	char *text = place_text(fixture, fixture->length);
	unsigned refused = 0;

	for (size_t i = 0; i < fixture->length; i++) {
		for (size_t j = 0; j < sizeof(others) - 1; j++) {
			text[i] = others[j];
			if (parse_guarded(fixture, text, fixture->length) ==
			    POLICY_BAD)
				refused++;
		}
		text[i] = (char)(fixture->text[i] ^ 0x20);
		parse_guarded(fixture, text, fixture->length);
		text[i] = fixture->text[i];
	}
	assert_true(refused > fixture->length * 3);
	assert_int_equal(
	    parse_guarded(fixture, text, fixture->length), POLICY_OK);
}

/* The example as it is, and what it includes cut and changed everywhere. */
static void
break_what_is_included(void **state)
{
	static const char others[] = "\0\n {}\"\\#@\xff";
	struct fixture *fixture = *state;
	size_t length = sizeof(included) - 1;
	unsigned whole = 0, refused = 0;

	for (size_t cut = 0; cut <= length; cut++) {
		fixture->included_length = cut;
		fixture->included = place_bytes(fixture, included, cut);
		if (parse_guarded(fixture, fixture->text, fixture->length) ==
		    POLICY_OK)
			whole++;
	}
	assert_true(whole > 0 && whole < length / 2);

	char *text = place_bytes(fixture, included, length);

	for (size_t i = 0; i < length; i++) {
		for (size_t j = 0; j < sizeof(others) - 1; j++) {
			text[i] = others[j];
			if (parse_guarded(fixture, fixture->text,
				fixture->length) == POLICY_BAD)
				refused++;
		}
		text[i] = included[i];
	}
	assert_true(refused > length);
	fixture->included = included;
}

static void
leave_any_line_out(void **state)
{
	struct fixture *fixture = *state;
	size_t begin = 0;

	while (begin < fixture->length) {
		const char *lf = memchr(
		    fixture->text + begin, '\n', fixture->length - begin);
		size_t end = lf == NULL ? fixture->length
					: (size_t)(lf - fixture->text) + 1;
		char *text = place_text(fixture, fixture->length);
		size_t removed = end - begin;

		memmove(text + removed, text, begin);
		parse_guarded(
		    fixture, text + removed, fixture->length - removed);
		begin = end;
	}
}

/* Too little memory is found out, says nothing and breaks nothing. */
static void
every_size_of_arena(void **state)
{
	struct fixture *fixture = *state;
	size_t size = 0;

	for (;; size += 16) {
		struct parsed parsed =
		    parse_in(size, fixture->text, fixture->length);
		enum policy_result result = parsed.result;

		assert_int_equal(parsed.problems_length, 0);
		parsed_finish(&parsed);
		if (result == POLICY_OK)
			break;
		assert_int_equal(result, POLICY_ARENA_FULL);
	}
	assert_true(size > 1024 && size < ARENA_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(change_any_byte),
		cmocka_unit_test(break_what_is_included),
		cmocka_unit_test(leave_any_line_out),
		cmocka_unit_test(every_size_of_arena),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

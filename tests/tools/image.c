/*
 * Writes a policy image of one service, named probe, to stdout: what the
 * loader would make of it, without users or files to look up, so that the
 * launcher can be tested alone. Arguments are KEY=VALUE:
 *   program chdir reply uid gid keepalive        as in the policy
 *   chroot nice                                  the same
 *   umask (octal) caps (hexadecimal) flags (of image.h, hexadecimal)
 *   first=service stderr=log|null|socket
 *   syscalls=default|stdio|any network=none walls (of image.h, hexadecimal)
 *   arg env group                                one each, repeated
 *   rlimit                                       NUMBER:VALUE, repeated
 *   read write exec=PATH, and with a ? before =  what it may use of the files
 *   isolate                                      of image.h, hexadecimal
 *   leftovers=kill|keep
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/image.h"
#include "loader/profile.h"
#include "sys/memfd.h"

#define IMAGE_BYTES 262144u
#define WORDS_MAX (IMAGE_ARGV_MAX + IMAGE_ENV_MAX)

static struct image_service service;
static struct image_text words[WORDS_MAX];
static uint32_t word_count;
static uint32_t gids[IMAGE_GROUPS_MAX];
static struct image_instruction instructions[3 * IMAGE_FILTER_MAX];
static uint32_t instruction_count;
static struct image_range filters[IMAGE_FILTERS_COUNT];
static uint8_t walls;
static char strings[IMAGE_BYTES / 2];
static uint32_t strings_used;
static struct image_path paths[IMAGE_GRANTS_MAX + 1]; /* the program first */
static struct image_ruleset ruleset;

static struct image_text
put_text(const char *text)
{
	const struct image_text put = { .offset = strings_used,
		.length = (uint32_t)strlen(text) };

	if (put.length >= sizeof(strings) - strings_used)
		errx(1, "too much text");
	memcpy(strings + strings_used, text, put.length + 1);
	strings_used += put.length + 1;
	return put;
}

static void
put_word(struct image_range *range, const char *text)
{
	if (word_count == WORDS_MAX)
		errx(1, "too many words");
	words[word_count++] = put_text(text);
	range->count++;
}

static enum image_stderr
read_stderr(const char *value)
{
	if (strcmp(value, "null") == 0)
		return IMAGE_STDERR_NULL;
	if (strcmp(value, "socket") == 0)
		return IMAGE_STDERR_SOCKET;
	return IMAGE_STDERR_LOG;
}

static enum image_syscalls
read_syscalls(const char *value)
{
	if (strcmp(value, "any") == 0)
		return IMAGE_SYSCALLS_ANY;
	if (strcmp(value, "stdio") == 0)
		return IMAGE_SYSCALLS_STDIO;
	return IMAGE_SYSCALLS_DEFAULT;
}

static uint32_t
number(const char *value, int base)
{
	return (uint32_t)strtoull(value, NULL, base);
}

/* The number of enum image_rlimit, not the kernel's. */
static void
set_limit(const char *value)
{
	char *rest;
	const unsigned long which = strtoul(value, &rest, 10);

	if (which >= IMAGE_RLIMITS || *rest != ':')
		errx(1, "no such limit: %s", value);
	service.rlimits_set |= (uint8_t)(1u << which);
	service.rlimits[which] = strtoull(rest + 1, NULL, 10);
}

static void
set_number(const char *key, const char *value)
{
	if (strcmp(key, "uid") == 0)
		service.uid = number(value, 10);
	else if (strcmp(key, "gid") == 0)
		service.gid = number(value, 10);
	else if (strcmp(key, "keepalive") == 0)
		service.keepalive_s = number(value, 10);
	else if (strcmp(key, "leftovers") == 0)
		service.leftovers = strcmp(value, "keep") == 0
		    ? IMAGE_LEFTOVERS_KEEP
		    : IMAGE_LEFTOVERS_KILL;
	else if (strcmp(key, "isolate") == 0)
		service.isolate = (uint8_t)number(value, 16);
	else if (strcmp(key, "nice") == 0) {
		service.has_nice = 1;
		service.nice = (int8_t)strtol(value, NULL, 10);
	} else if (strcmp(key, "rlimit") == 0)
		set_limit(value);
	else if (strcmp(key, "umask") == 0)
		service.umask = number(value, 8);
	else if (strcmp(key, "caps") == 0)
		service.capabilities = strtoull(value, NULL, 16);
	else if (strcmp(key, "flags") == 0)
		service.flags = (uint8_t)number(value, 16);
	else if (strcmp(key, "group") == 0)
		gids[service.groups.count++] = number(value, 10);
	else
		errx(1, "no such key: %s", key);
}

/* Whether it is a path that the service may use. */
static bool
put_path(const char *key, const char *value)
{
	static const char *const names[] = { "read", "write", "exec" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t length = strlen(names[i]);
		const bool is_optional = key[length] == '?';

		if (strncmp(key, names[i], length) != 0 ||
		    (key[length] != '\0' && !is_optional))
			continue;
		if (ruleset.paths.count == 0)
			ruleset.paths.count = 1;
		if (ruleset.paths.count > IMAGE_GRANTS_MAX)
			errx(1, "too many paths");
		paths[ruleset.paths.count++] =
		    (struct image_path){ .path = put_text(value),
			    .access = (uint8_t)IMAGE_ACCESS_BIT(i),
			    .flags = is_optional ? IMAGE_PATH_OPTIONAL : 0 };
		return true;
	}
	return false;
}

static void
set(const char *key, const char *value)
{
	if (put_path(key, value))
		return;
	if (strcmp(key, "program") == 0)
		service.program = put_text(value);
	else if (strcmp(key, "chroot") == 0)
		service.chroot = put_text(value);
	else if (strcmp(key, "chdir") == 0)
		service.chdir = put_text(value);
	else if (strcmp(key, "reply") == 0)
		service.reply_text = put_text(value);
	else if (strcmp(key, "first") == 0)
		service.reply = IMAGE_REPLY_SERVICE;
	else if (strcmp(key, "syscalls") == 0)
		service.syscalls = (uint8_t)read_syscalls(value);
	else if (strcmp(key, "walls") == 0)
		walls = (uint8_t)number(value, 16);
	else if (strcmp(key, "network") == 0)
		service.network = IMAGE_NETWORK_NONE;
	else if (strcmp(key, "stderr") == 0)
		service.stderr_to = (uint8_t)read_stderr(value);
	else if (strcmp(key, "arg") != 0 && strcmp(key, "env") != 0)
		set_number(key, value);
}

static void
start_service(void)
{
	const struct image_text empty = put_text("");
	const struct image_place place = { .file = put_text("test.policy"),
		.line = 1 };

	service = (struct image_service){ .name = put_text("probe"),
		.place = place,
		.program = empty,
		.chroot = empty,
		.chdir = put_text("/"),
		.reply_text = empty,
		.summary = empty,
		.sessions = 1,
		.per_source = 1,
		.umask = 077 };
}

/* argv's words before env's: each is one range. */
static void
put_words(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "arg=", 4) == 0)
			put_word(&service.argv, argv[i] + 4);
	service.env.first = word_count;
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "env=", 4) == 0)
			put_word(&service.env, argv[i] + 4);
}

/* Those of all profiles, whatever the service has. */
static void
make_filters(void)
{
	static const struct filter_table *const tables[] = {
		[IMAGE_FILTER_OFFLINE] = &profile_offline,
		[IMAGE_FILTER_DEFAULT] = &profile_default,
		[IMAGE_FILTER_STDIO] = &profile_stdio,
	};
	ssize_t room = sizeof(instructions);

	for (int i = 0; i < IMAGE_FILTERS_COUNT; i++) {
		const int fd = memfd_open("filter");
		ssize_t length;

		if (fd == -1 || filter_export(tables[i], fd) != 0)
			err(1, "filter");
		length = pread(
		    fd, instructions + instruction_count, (size_t)room, 0);
		if (length <= 0 || length >= room)
			errx(1, "no filter");
		filters[i].first = instruction_count;
		filters[i].count = (uint32_t)length / 8;
		instruction_count += filters[i].count;
		room -= length;
		close(fd);
	}
}

static void
put_section(struct image_header *header, enum image_section section,
    const void *elements, uint32_t count)
{
	const size_t size = count * image_element_bytes(section);

	if (header->size + size + 8 > IMAGE_BYTES)
		errx(1, "too large");
	header->sections[section].offset = (uint32_t)header->size;
	header->sections[section].count = count;
	if (size > 0)
		memcpy((char *)header + header->size, elements, size);
	header->size = (header->size + size + 7) & ~UINT64_C(7);
}

static void
put_sections(struct image_header *header)
{
	const struct image_name name = { .service = 0 };
	const struct {
		uint32_t magic, count, offsets[2];
		char bytes[5];
	} table = { NAMES_MAGIC, 1, { 16, 21 }, { 'p', 'r', 'o', 'b', 'e' } };

	/* What is not here is empty. */
	const struct {
		const void *elements;
		uint32_t count;
	} sections[IMAGE_SECTIONS] = {
		[IMAGE_STRINGS] = { strings, strings_used },
		[IMAGE_SERVICES] = { &service, 1 },
		[IMAGE_NAMES] = { &name, 1 },
		[IMAGE_NAMES_TABLE] = { &table, 21 },
		[IMAGE_WORDS] = { words, word_count },
		[IMAGE_GIDS] = { gids, service.groups.count },
		[IMAGE_FILTERS] = { instructions, instruction_count },
		[IMAGE_PATHS] = { paths, ruleset.paths.count },
		[IMAGE_RULESETS] = { &ruleset, ruleset.paths.count > 0 },
	};

	header->magic = IMAGE_MAGIC;
	header->version = IMAGE_VERSION;
	header->size = (sizeof(*header) + 7) & ~UINT64_C(7);
	for (int i = 0; i < IMAGE_SECTIONS; i++)
		put_section(header, (enum image_section)i, sections[i].elements,
		    sections[i].count);
}

int
main(int argc, char *argv[])
{
	static _Alignas(8) char bytes[IMAGE_BYTES];
	struct image_header *header = (struct image_header *)(void *)bytes;
	struct image image;
	enum image_error error;

	start_service();
	for (int i = 1; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (equals == NULL)
			errx(1, "not KEY=VALUE: %s", argv[i]);
		*equals = '\0';
		set(argv[i], equals + 1);
		*equals = '=';
	}
	put_words(argc, argv);
	make_filters();
	if (ruleset.paths.count > 0) {
		service.filesystem = 1;
		paths[0] = (struct image_path){ .path = service.program,
			.access = IMAGE_ACCESS_BIT(IMAGE_ACCESS_EXEC),
			.flags = IMAGE_PATH_OPTIONAL };
	}
	header->global = (struct image_global){ .file = put_text("test.policy"),
		.parser_program = put_text(""),
		.sessions = 1,
		.pending = 1,
		.pending_per_source = 1,
		.per_source = 1,
		.parser_uid = 1,
		.parser_gid = 1,
		.parser_timeout_ms = 5000,
		.parser_workers = 1,
		.recycle_verdicts = 1,
		.recycle_age_s = 1,
		.sources = 1,
		.count_by_v4 = 32,
		.count_by_v6 = 64,
		.penalty_max_ms = 1,
		.walls = walls };
	memcpy(header->global.filters, filters, sizeof(filters));
	put_sections(header);
	error = image_init(&image, bytes, header->size);
	if (error != IMAGE_OK)
		errx(1, "%s", image_error_text(error));
	if (write(STDOUT_FILENO, bytes, header->size) != (ssize_t)header->size)
		err(1, "write");
	return 0;
}

/*
 * Fuzzes the policy image: whatever the block, it is refused, or everything
 * in it can be read. The size it claims is always made true, so that damage
 * gets past the header. What does not begin as an image is what is changed in a
 * sound one.
 */
#include "core/access.h"
#include "core/acl.h"
#include "core/hours.h"
#include "core/image.h"
#include "core/reply.h"

#include <stdlib.h>
#include <string.h>

#include "world/policy.h"

#define CHANGED_BYTES 16384u
#define CHANGE_BYTES 3u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
read_text(const struct image *image, struct image_text text)
{
	if (strlen(image_text(image, text)) != text.length)
		abort();
}

static void
read_words(const struct image *image, struct image_range range)
{
	for (uint32_t i = 0; i < range.count; i++)
		read_text(image, image_word(image, range.first + i));
}

static void
read_rules(const struct image *image, struct image_range rules)
{
	const struct addr peers[] = { { .family = ADDR_V4 },
		{ .family = ADDR_V6, .bytes = { 0x20, 0x01 } },
		{ .family = ADDR_V6, .bytes = { 0xfe, 0x80 }, .scope = 2 },
		{ .family = ADDR_V6, .bytes = { 0xfe, 0x80 }, .scope = 3 } };

	for (uint32_t i = 0; i < rules.count; i++)
		read_text(
		    image, image_rule(image, rules.first + i)->place.file);
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		acl_decide(image, rules, &peers[i]);
}

/* Somebody whom one rule names, and somebody whom none does. */
static void
read_access(const struct image *image, uint32_t service)
{
	struct asker asker = { .peer.family = ADDR_V4,
		.listener = IMAGE_LISTENS_MAX - 1 };

	for (asker.minute = 0; asker.minute < HOURS_WEEK_MINUTES;
	     asker.minute += 500) {
		struct access access;

		asker.peer.bytes[0] ^= 10;
		access = access_decide(image, service, &asker);
		if (access.place != NULL)
			read_text(image, access.place->file);
	}
}

static void
read_service(const struct image *image, const struct image_service *service)
{
	uint8_t accept[REPLY_ACCEPT_BYTES_MAX];

	read_text(image, service->name);
	read_text(image, service->program);
	read_text(image, service->chdir);
	read_text(image, service->reply_text);
	read_text(image, service->summary);
	read_words(image, service->argv);
	read_words(image, service->env);
	read_rules(image, service->rules);
	(void)reply_accept(image, service, accept);
	for (uint32_t i = 0; i < service->groups.count; i++)
		if (image_gids(image, service->groups)[i] == UINT32_MAX)
			abort();
	if (!rate_is_valid(&service->rate) ||
	    !rate_is_valid(&service->source_rate))
		abort();
	if (image_is_launched(service) != (service->argv.count > 0) ||
	    (service->kind != IMAGE_KIND_TRAP) !=
		(*image_text(image, service->program) == '/') ||
	    service->uid == UINT32_MAX)
		abort();
}

static void
read_names(const struct names *names)
{
	for (uint32_t i = 0; i < names->count; i++) {
		size_t length;
		const uint8_t *name = names_get(names, i, &length);

		if (names_find(names, name, length) != i)
			abort();
	}
}

/* HELP in pieces of any size is HELP at once. */
static void
read_help(const struct image *image)
{
	static uint8_t whole[65536];
	const struct asker asker = { .peer.family = ADDR_V4 };
	struct reply_cursor cursor = { .service = 0 };
	struct reply_cursor next;
	size_t length = 0;

	while (!reply_help_is_done(image, cursor)) {
		length = reply_help(
		    image, &asker, cursor, whole, sizeof(whole), &next);
		for (size_t sent = 0; sent < length && sent < 300; sent++) {
			struct reply_cursor resumed =
			    reply_help_resume(image, &asker, cursor, sent);
			uint8_t byte;

			if (reply_help(
				image, &asker, resumed, &byte, 1, &next) != 1 ||
			    byte != whole[sent])
				abort();
		}
		(void)reply_help(
		    image, &asker, cursor, whole, sizeof(whole), &cursor);
	}
}

static void
read_image(const struct image *image)
{
	read_text(image, image_global(image)->file);
	read_rules(image, image_global(image)->admission);
	read_rules(image, image_global(image)->exempt);
	if (!rate_is_valid(&image_global(image)->rate))
		abort();
	for (uint32_t i = 0; i < image_count(image, IMAGE_LISTENS); i++) {
		const struct image_listen *listen = image_listen(image, i);

		read_text(image, listen->name);
		read_text(image, listen->interface);
	}
	for (uint32_t i = 0; i < image_count(image, IMAGE_SERVICES); i++) {
		read_service(image, image_service(image, i));
		read_access(image, i);
	}
	for (uint32_t i = 0; i < image->names.count; i++)
		image_service(image, image_name_service(image, i));
	read_names(&image->names);
	read_help(image);
}

/* What a size that is not true, or an odd address, comes to. */
static void
check_outside(const uint8_t *bytes, size_t length)
{
	uint8_t *block = malloc(length + 8);
	struct image image;
	struct names names;

	if (block == NULL)
		return;
	memcpy(block, bytes, length);
	if (image_init(&image, block, length) == IMAGE_OK)
		read_image(&image);
	if (names_init(&names, block, length))
		read_names(&names);
	memmove(block + 4, block, length);
	if (image_init(&image, block + 4, length) == IMAGE_OK)
		abort();
	free(block);
}

/* Some elements at a time is the same as all of them at once. */
static void
check_inspection(const uint8_t *block, size_t length, enum image_error whole)
{
	struct image_inspection inspection;
	enum image_error error = IMAGE_OK;

	image_inspect_begin(&inspection, block, length);
	while (!image_inspect_some(&inspection, 1, &error))
		continue;
	if (error != whole || image_error_text(error) == NULL)
		abort();
}

static void
check_block(const uint8_t *bytes, size_t length)
{
	uint64_t size = length;
	uint8_t *block = malloc(length > 0 ? length : 1);
	struct image image;
	enum image_error error;

	if (block == NULL)
		return;
	memcpy(block, bytes, length);
	if (length >= sizeof(struct image_header))
		memcpy(block + offsetof(struct image_header, size), &size,
		    sizeof(size));
	error = image_init(&image, block, length);
	if (error == IMAGE_OK)
		read_image(&image);
	check_inspection(block, length, error);
	free(block);
	check_outside(bytes, length);
}

/* Place, two bytes, and what is put there: an input of a few bytes. */
static void
check_changed(const uint8_t *changes, size_t length)
{
	static uint8_t changed[CHANGED_BYTES];
	size_t size;
	const void *sound = policy_full(&size);

	if (size > sizeof(changed))
		abort();
	memcpy(changed, sound, size);
	for (size_t i = 0; i + CHANGE_BYTES <= length; i += CHANGE_BYTES) {
		size_t place = changes[i] | (size_t)changes[i + 1] << 8;

		changed[place % size] = changes[i + 2];
	}
	check_block(changed, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const uint32_t magics[] = { IMAGE_MAGIC, NAMES_MAGIC };
	uint32_t magic = 0;

	if (length >= sizeof(magic))
		memcpy(&magic, bytes, sizeof(magic));
	if (magic == magics[0] || magic == magics[1])
		check_block(bytes, length);
	else
		check_changed(bytes, length);
	return 0;
}

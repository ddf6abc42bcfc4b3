/*
 * Puts an image together, section by section.
 * Trusts its caller for what is in them: image_init judges the result.
 * Never looks anything up.
 */
#include "loader/build.h"

#include <string.h>

void
build_init(struct build *build)
{
	*build = (struct build){ .global.walls = 0 };
	table_put(&build->strings, "", 0);
}

struct image_text
build_text(struct build *build, const char *bytes, size_t length)
{
	const struct table_entry *entry =
	    table_put(&build->strings, bytes, length);

	return (struct image_text){ .offset = entry->offset,
		.length = entry->length };
}

void *
build_add(struct build *build, enum image_section section, size_t count)
{
	return buffer_add(
	    &build->sections[section], count * image_element_bytes(section));
}

static struct buffer *
buffer_of(struct build *build, enum image_section section)
{
	return section == IMAGE_STRINGS ? &build->strings.keys
					: &build->sections[section];
}

uint32_t
build_count(const struct build *build, enum image_section section)
{
	return (uint32_t)(build->sections[section].used /
	    image_element_bytes(section));
}

void
build_word(struct build *build, const char *bytes, size_t length)
{
	struct image_text text = build_text(build, bytes, length);

	*(struct image_text *)build_add(build, IMAGE_WORDS, 1) = text;
}

static size_t
align(size_t offset)
{
	return (offset + 7) & ~(size_t)7;
}

static void
put_section(struct build *build, struct image_header *header,
    struct buffer *block, enum image_section section)
{
	struct buffer *buffer = buffer_of(build, section);

	header->sections[section].offset = (uint32_t)block->used;
	header->sections[section].count =
	    (uint32_t)(buffer->used / image_element_bytes(section));
	if (buffer->used > 0)
		memcpy(buffer_add(block, align(buffer->used)), buffer->bytes,
		    buffer->used);
	buffer_finish(buffer);
}

void *
build_block(struct build *build, size_t *size)
{
	struct image_header header = { .magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.global = build->global };
	struct buffer block = { .bytes = NULL };
	size_t needed = align(sizeof(header));

	for (int i = 0; i < IMAGE_SECTIONS; i++)
		needed += align(buffer_of(build, (enum image_section)i)->used);
	if (needed > UINT32_MAX)
		memory_fail();
	/* All at once, so that it does not double on the way. */
	block.bytes = memory_resize(NULL, needed, 1);
	block.size = needed;
	buffer_add(&block, align(sizeof(header)));
	for (int i = 0; i < IMAGE_SECTIONS; i++)
		put_section(build, &header, &block, (enum image_section)i);
	header.size = needed;
	memcpy(block.bytes, &header, sizeof(header));
	*size = needed;
	return block.bytes;
}

void
build_finish(struct build *build)
{
	for (int i = 0; i < IMAGE_SECTIONS; i++)
		buffer_finish(&build->sections[i]);
	table_finish(&build->strings);
}

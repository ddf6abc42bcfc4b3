#ifndef LOADER_BUILD_H
#define LOADER_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "core/image.h"
#include "core/policy.h"
#include "loader/memory.h"

/*
 * An image in the making: its sections as they grow, then all of it in one
 * block. All zero is an empty one.
 */
struct build {
	struct table strings; /* its keys are the strings section */
	struct buffer sections[IMAGE_SECTIONS]; /* but for the strings */
	struct image_global global;
};

/* Must come first: the empty string stands at offset 0. */
void build_init(struct build *build);

/* The same string twice is one. */
struct image_text
build_text(struct build *build, const char *bytes, size_t length);

/* `count` new, zeroed elements; good until the next call. */
void *build_add(struct build *build, enum image_section section, size_t count);
uint32_t build_count(const struct build *build, enum image_section section);

void build_word(struct build *build, const char *bytes, size_t length);

/*
 * The block, malloc'ed, the caller's; its sections are gone from build as
 * they are copied. *size gets its bytes.
 */
void *build_block(struct build *build, size_t *size);

void build_finish(struct build *build);

#endif

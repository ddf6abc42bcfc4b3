#ifndef CORE_IMAGE_CHECK_H
#define CORE_IMAGE_CHECK_H

#include "core/image.h"

/*
 * The parts of image_init; nobody else needs them. The image is one whose
 * sections are known to lie inside it.
 */

/* A string of at most `most` bytes, its NUL in place and no other in it. */
bool image_has_text(
    const struct image *image, struct image_text text, uint32_t most);
/* An absolute path. */
bool image_has_path(const struct image *image, struct image_text text);
/* What goes into a line of the protocol or of a report: no controls. */
bool image_has_line_text(const struct image *image, struct image_text text);
bool
image_has_place(const struct image *image, const struct image_place *place);
/* A place, or none at all: line 0 and no file. */
bool image_has_optional_place(
    const struct image *image, const struct image_place *place);
bool image_has_range(const struct image *image, enum image_section section,
    struct image_range range);
/* 1 to IMAGE_LIMIT_MAX */
bool image_is_limit(uint32_t limit);

enum image_error image_check_sets(const struct image *image);
/* Needs image->names, and the services before this one to be checked. */
enum image_error
image_check_service(struct image_inspection *inspection, uint32_t index);

#endif

/*
 * Fuzzes the whole daemon: a policy, behind a form feed the policy of a
 * reload, behind another the script, which plays clients byte by byte, deaths
 * of workers and launchers, services, servers, time. What is no policy, or a
 * large one, is another, of fuzz/world/policy.c. Parent and parser are
 * those that ship. What has to hold is what fuzz/verdict.c says.
 */
#include "world/world.h"

#include <stdlib.h>
#include <string.h>

#include "world/policy.h"

/* No script of a few bytes fills larger tables; they only take time. */
#define SESSIONS_MAX 64u
#define SOURCES_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool
is_small(const void *bytes, size_t size)
{
	struct image image;
	const struct image_global *global;

	if (image_init(&image, bytes, size) != IMAGE_OK)
		abort();
	global = image_global(&image);
	return global->sessions <= SESSIONS_MAX &&
	    global->pending <= SESSIONS_MAX && global->sources <= SOURCES_MAX &&
	    global->parser_workers <= 4 &&
	    image_count(&image, IMAGE_LISTENS) <= 8;
}

/* The text before the next form feed; the rest is what is behind it. */
static void *
take_policy(const uint8_t **rest, size_t *left, size_t *size)
{
	const uint8_t *text = *rest;
	const uint8_t *end = *left == 0 ? NULL : memchr(text, '\f', *left);
	size_t length = end == NULL ? 0 : (size_t)(end - text);
	void *image = NULL;

	if (end == NULL)
		return NULL;
	if (length > 0)
		image = policy_image((const char *)text, length, size);
	if (image != NULL && !is_small(image, *size)) {
		free(image);
		image = NULL;
	}
	*rest += length + 1;
	*left -= length + 1;
	return image;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	size_t sizes[WORLD_IMAGES] = { 0 };
	void *first = take_policy(&bytes, &length, &sizes[0]);
	void *next = take_policy(&bytes, &length, &sizes[1]);
	const void *images[WORLD_IMAGES] = { first, next };

	/* A script is played in any case. */
	if (first == NULL)
		images[0] = policy_small(&sizes[0]);
	world_run(images, sizes, bytes, length, false);
	free(first);
	free(next);
	return 0;
}

#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/access.h"
#include "core/image.h"

/* The one text for every refusal, whatever the reason. */
#define REPLY_REFUSAL "-Service not available\r\n"
#define REPLY_REFUSAL_BYTES (sizeof(REPLY_REFUSAL) - 1)

/* `+` TEXT CRLF: what we say before a service that leaves it to us. */
#define REPLY_ACCEPT_BYTES_MAX (1 + IMAGE_LINE_TEXT_MAX + 2)

/* Writes it; its length, or 0 if the service says the first word itself. */
size_t reply_accept(const struct image *image,
    const struct image_service *service, uint8_t bytes[REPLY_ACCEPT_BYTES_MAX]);

/*
 * The answer to HELP: the names, each with CRLF, of the services that are
 * listed and that whoever asks may use now (core/access.h), in bytewise
 * order, aliases left out. Whether this service is one of them:
 */
bool reply_shows(
    const struct image *image, uint32_t service, const struct asker *asker);

/* How far an answer has come. */
struct reply_cursor {
	uint32_t service; /* the next to look at */
	uint16_t sent; /* bytes of its line that are out already */
};

/* Services looked at in one go, so that one reader never holds up the loop. */
#define REPLY_SERVICES_A_TURN 1024u

/*
 * Writes what comes next at the cursor, as much as fits in `room` bytes and
 * is found among the next REPLY_SERVICES_A_TURN services. Returns the number
 * of bytes written. *next is the cursor behind them: it becomes the caller's
 * cursor once all of them are sent.
 */
size_t reply_help(const struct image *image, const struct asker *asker,
    struct reply_cursor cursor, uint8_t *bytes, size_t room,
    struct reply_cursor *next);

/* Moves the cursor as if only the first `sent` of the bytes went out. */
struct reply_cursor reply_help_resume(const struct image *image,
    const struct asker *asker, struct reply_cursor cursor, size_t sent);

/* Whether nothing comes behind the cursor any more. */
bool reply_help_is_done(const struct image *image, struct reply_cursor cursor);

#endif

/*
 * What the daemon itself says to a client: `+`, the refusal, and HELP.
 * Trusts the image, which was checked whole when it was mapped.
 * Never says why a service is not available.
 */
#include "core/reply.h"

#include <string.h>

size_t
reply_accept(const struct image *image, const struct image_service *service,
    uint8_t bytes[REPLY_ACCEPT_BYTES_MAX])
{
	const size_t length = service->reply_text.length;

	if (service->reply == IMAGE_REPLY_SERVICE)
		return 0;
	bytes[0] = '+';
	memcpy(bytes + 1, image_text(image, service->reply_text), length);
	memcpy(bytes + 1 + length, "\r\n", 2);
	return 1 + length + 2;
}

bool
reply_shows(
    const struct image *image, uint32_t index, const struct asker *asker)
{
	const struct image_service *service = image_service(image, index);

	return (service->flags & IMAGE_SERVICE_UNLISTED) == 0 &&
	    service->kind != IMAGE_KIND_TRAP &&
	    access_decide(image, index, asker).reason == ACCESS_ALLOWED;
}

/* Copies from the service's line, from byte `sent` on; how many bytes. */
static size_t
put_line(const struct image *image, const struct image_service *service,
    size_t sent, uint8_t *bytes, size_t room)
{
	const char *name = image_text(image, service->name);
	size_t count = 0;

	while (count < room && sent < (size_t)service->name.length + 2) {
		size_t past = sent - service->name.length;

		if (sent < service->name.length)
			bytes[count] = (uint8_t)name[sent];
		else
			bytes[count] = past == 0 ? '\r' : '\n';
		count++;
		sent++;
	}
	return count;
}

size_t
reply_help(const struct image *image, const struct asker *asker,
    struct reply_cursor cursor, uint8_t *bytes, size_t room,
    struct reply_cursor *next)
{
	uint32_t services = image_count(image, IMAGE_SERVICES);
	uint32_t looked_at = 0;
	size_t length = 0;

	while (
	    cursor.service < services && looked_at++ < REPLY_SERVICES_A_TURN) {
		const struct image_service *service =
		    image_service(image, cursor.service);

		/* What was begun is ended, whatever the hour has become. */
		if (cursor.sent > 0 ||
		    reply_shows(image, cursor.service, asker)) {
			size_t count = put_line(image, service, cursor.sent,
			    bytes + length, room - length);

			length += count;
			cursor.sent = (uint16_t)(cursor.sent + count);
			if (cursor.sent < service->name.length + 2)
				break;
		}
		cursor.service++;
		cursor.sent = 0;
	}
	*next = cursor;
	return length;
}

struct reply_cursor
reply_help_resume(const struct image *image, const struct asker *asker,
    struct reply_cursor cursor, size_t sent)
{
	uint8_t skipped[512];

	while (sent > 0) {
		size_t count = sent < sizeof(skipped) ? sent : sizeof(skipped);
		struct reply_cursor next;

		count = reply_help(image, asker, cursor, skipped, count, &next);
		sent -= count;
		cursor = next;
	}
	return cursor;
}

bool
reply_help_is_done(const struct image *image, struct reply_cursor cursor)
{
	return cursor.service >= image_count(image, IMAGE_SERVICES);
}

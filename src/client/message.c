/*
 * What tcpmux says on standard error, and bytes of the server made safe to
 * show. Trusts none of those bytes. Never buffers, never allocates: it must
 * work inside the sandbox.
 */
#include "client/message.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX_BYTES 8192

int
message_write(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written >= 0) {
			bytes += written;
			length -= (size_t)written;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -1;

		struct pollfd room = { .fd = fd, .events = POLLOUT };

		if (ppoll(&room, 1, NULL, NULL) == -1 && errno != EINTR)
			return -1;
	}
	return 0;
}

void
message_print(const char *format, ...)
{
	static const char prefix[] = "tcpmux: ";
	char text[MESSAGE_MAX_BYTES];
	size_t begin = sizeof(prefix) - 1;
	size_t room = sizeof(text) - begin - 1; /* the newline's place */
	va_list arguments;

	memcpy(text, prefix, begin);
	va_start(arguments, format);
	int length = vsnprintf(text + begin, room, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;

	size_t end =
	    begin + ((size_t)length < room ? (size_t)length : room - 1);

	text[end] = '\n';
	/* Where standard error does not take it there is nobody to tell. */
	(void)message_write(STDERR_FILENO, text, end + 1);
}

void
message_escape(char *escaped, const char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte == '\\') {
			*escaped++ = '\\';
			*escaped++ = '\\';
		} else if (byte >= 0x20 && byte <= 0x7e) {
			*escaped++ = (char)byte;
		} else {
			*escaped++ = '\\';
			*escaped++ = 'x';
			*escaped++ = digits[byte >> 4];
			*escaped++ = digits[byte & 15];
		}
	}
	*escaped = '\0';
}

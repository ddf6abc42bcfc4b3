/*
 * The answer to HELP, line by line onto standard output. Trusts no byte of
 * it: what could steer a terminal is escaped. Never keeps more than a line.
 */
#include "client/list.h"

#include "core/name.h"

#include "client/answer.h"
#include "client/deadline.h"
#include "client/message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/*
 * A service's name may begin with '-', but has no blank, as every refusal
 * that says something has.
 */
static bool
is_refusal(const struct answer *line)
{
	return line->length > 0 && line->text[0] == '-' &&
	    (line->length == 1 ||
		!name_is_valid((const uint8_t *)line->text, line->length));
}

static int
print_line(const struct answer *line)
{
	char text[MESSAGE_ESCAPED_BYTES(ANSWER_MAX_BYTES) + 1];

	message_escape(text, line->text, line->length);

	size_t length = strlen(text);

	text[length] = '\n';
	return message_write(STDOUT_FILENO, text, length + 1);
}

static enum status
report_refusal(const struct answer *line)
{
	char text[MESSAGE_ESCAPED_BYTES(ANSWER_MAX_BYTES)];

	message_escape(text, line->text + 1, line->length - 1);
	message_print("refused: %s", text);
	return STATUS_REFUSED;
}

enum status
list_print(int fd, int64_t deadline_ms)
{
	struct answer line;
	enum answer_end end;
	bool is_first = true;

	do {
		end = answer_read_line(fd, &line, deadline_ms);
		/* Lines that are always there are never waited for. */
		if (end == ANSWER_LINE && deadline_now_ms() > deadline_ms)
			end = ANSWER_TIMED_OUT;
		if (end != ANSWER_LINE && end != ANSWER_EOF) {
			message_print("%s", answer_failure(end));
			return STATUS_UNAVAILABLE;
		}
		if (is_first && is_refusal(&line))
			return report_refusal(&line);
		is_first = false;
		if (end == ANSWER_EOF && line.length == 0)
			break;
		if (print_line(&line) == -1) {
			message_print("standard output: %s", strerror(errno));
			return STATUS_BROKEN;
		}
	} while (end == ANSWER_LINE);
	return STATUS_OK;
}

/*
 * Builds log lines and collects them.
 * Trusts no value: whatever bytes it is given, a line stays one line.
 * Never waits, never allocates, never decides what is worth a line.
 */
#include "sys/log.h"

#include <string.h>
#include <time.h>

#include "sys/clock.h"
#include "sys/log_sink.h"

#define VALUE_BYTES 1024u
#define NUMBER_BYTES 20u /* digits of the largest */
#define HEAD_BYTES 96u
#define MASK_V4 24u /* bits of an address that is logged masked */
#define MASK_V6 48u

/* The one line being built, and how lines are to look. */
static struct log_line line;
static struct {
	enum log_level most;
	enum image_addresses addresses;
	bool is_json;
	bool is_open; /* a line is being built */
	/* How lines of a level and a millisecond begin. */
	enum log_level head_level;
	int64_t head_ms; /* 0: not made yet */
	size_t head_length, head_ms_at; /* where that stands in it */
	char head[HEAD_BYTES];
} form = { .most = LOG_LEVEL_INFO };

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

int
log_open(const struct log_options *options)
{
	form.is_json = options->format == IMAGE_LOG_JSON;
	form.addresses = options->addresses;
	form.most = options->has_debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
	form.head_ms = 0;
	return log_sink_open(options->sink, options->syslog_facility);
}

bool
log_has(enum log_level level)
{
	return level <= form.most;
}

static void
put(const char *bytes, size_t length)
{
	/* Room is kept for the end of a line that is cut. */
	size_t room = LOG_LINE_BYTES - 8 - line.length;

	if (length > room)
		length = room;
	memcpy(line.bytes + line.length, bytes, length);
	line.length += length;
}

static void
put_char(char byte)
{
	put(&byte, 1);
}

static void
put_string(const char *string)
{
	put(string, strlen(string));
}

static void
put_number(uint64_t number)
{
	char digits[NUMBER_BYTES];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	put(digits + at, sizeof(digits) - at);
}

static void
end_pair(void)
{
	if (line.pair_count > 0)
		line.pairs[line.pair_count - 1].value_end =
		    (uint16_t)line.length;
}

/*
 * False if there is no line, or no room in it for a value of that length: a
 * pair is left out rather than cut, so that the line can still be read.
 */
static bool
put_key(const char *key, size_t value_length)
{
	size_t length = strlen(key);
	char *at = line.bytes + line.length;
	struct log_pair *pair = &line.pairs[line.pair_count];

	/* Quotes, colon and comma, and what ends the line, are 10 at most. */
	if (!form.is_open || line.pair_count == LOG_PAIRS_MAX ||
	    line.length + length + value_length + 16 >= LOG_LINE_BYTES)
		return false;
	end_pair();
	*at++ = form.is_json ? ',' : ' ';
	if (form.is_json)
		*at++ = '"';
	pair->key = (uint16_t)(at - line.bytes);
	pair->key_length = (uint16_t)length;
	/* Keys are short: shorter than a call is long. */
	for (size_t i = 0; i < length; i++)
		*at++ = key[i];
	if (form.is_json)
		*at++ = '"';
	*at++ = form.is_json ? ':' : '=';
	line.length = (size_t)(at - line.bytes);
	pair->value = (uint16_t)line.length;
	line.pair_count++;
	return true;
}

/* time=2026-11-21T04:00:00.000Z level=info event= */
static void
make_head(enum log_level level, int64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm utc = { 0 };
	char stamp[32];

	(void)gmtime_r(&seconds, &utc);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S.000Z", &utc);
	line.length = 0;
	put_string(form.is_json ? "{\"time\":\"" : "time=");
	form.head_ms_at = line.length + 20;
	put_string(stamp);
	put_string(form.is_json ? "\",\"level\":\"" : " level=");
	put_string(level_names[level]);
	put_string(form.is_json ? "\",\"event\":\"" : " event=");
	memcpy(form.head, line.bytes, line.length);
	form.head_length = line.length;
	form.head_level = level;
	form.head_ms = now_ms - now_ms % 1000;
}

/* Made anew where the second or the level is not that of the line before. */
static void
put_head(enum log_level level)
{
	int64_t now_ms = clock_wall_ms();

	if (level != form.head_level || now_ms / 1000 != form.head_ms / 1000)
		make_head(level, now_ms);
	if (now_ms != form.head_ms) {
		unsigned ms = (unsigned)(now_ms % 1000);
		char *at = form.head + form.head_ms_at;

		at[0] = (char)('0' + ms / 100);
		at[1] = (char)('0' + ms / 10 % 10);
		at[2] = (char)('0' + ms % 10);
		form.head_ms = now_ms;
	}
	line.length = 0;
	put(form.head, form.head_length);
}

void
log_begin(enum log_level level, const char *event)
{
	form.is_open = log_has(level);
	if (!form.is_open)
		return;
	line.level = level;
	line.event = event;
	line.pair_count = 0;
	put_head(level);
	put_string(event);
	if (form.is_json)
		put_char('"');
}

/* Its value needs neither quotes nor escapes. */
static void
put_pair(const char *key, const char *value, size_t length)
{
	if (!put_key(key, length))
		return;
	if (form.is_json)
		put_char('"');
	put(value, length);
	if (form.is_json)
		put_char('"');
}

void
log_word(const char *key, const char *word)
{
	put_pair(key, word, strlen(word));
}

/* Both formats escape alike: JSON's rules, and \u00XX for what is no ASCII. */
static void
put_escaped(uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";

	if (byte == '"' || byte == '\\') {
		put_char('\\');
		put_char((char)byte);
	} else if (byte == '\n') {
		put("\\n", 2);
	} else if (byte == '\t') {
		put("\\t", 2);
	} else if (byte < 0x20 || byte > 0x7e) {
		put("\\u00", 4);
		put_char(hex[byte >> 4]);
		put_char(hex[byte & 15]);
	} else {
		put_char((char)byte);
	}
}

/* A value that logfmt readers take bare. */
static bool
is_bare(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~' || bytes[i] == '"' ||
		    bytes[i] == '=' || bytes[i] == '\\')
			return false;
	return length > 0;
}

void
log_bytes(const char *key, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;

	if (!form.is_open)
		return;
	if (length > VALUE_BYTES)
		length = VALUE_BYTES;
	if (!form.is_json && is_bare(from, length)) {
		if (put_key(key, length))
			put((const char *)from, length);
		return;
	}
	/* Of a quoted value a part may do. */
	if (!put_key(key, 0))
		return;
	put_char('"');
	/* An escape is never cut in two: six bytes at the most. */
	for (size_t i = 0; i < length && line.length + 16 < LOG_LINE_BYTES; i++)
		put_escaped(from[i]);
	put_char('"');
}

void
log_text(const char *key, const char *text)
{
	log_bytes(key, text, strlen(text));
}

void
log_number(const char *key, uint64_t number)
{
	if (put_key(key, NUMBER_BYTES))
		put_number(number);
}

void
log_duration(const char *key, int64_t duration_ms)
{
	uint64_t shown_ms = duration_ms < 0 ? 0 : (uint64_t)duration_ms;
	unsigned ms = (unsigned)(shown_ms % 1000);
	const char decimals[] = { '.', (char)('0' + ms / 100),
		(char)('0' + ms / 10 % 10), (char)('0' + ms % 10) };

	if (!put_key(key, NUMBER_BYTES + sizeof(decimals)))
		return;
	put_number(shown_ms / 1000);
	put(decimals, sizeof(decimals));
}

void
log_errno(int error)
{
	const char *name = strerrorname_np(error);

	if (name != NULL)
		log_word("error", name);
	else
		log_number("error", (uint64_t)(unsigned)error);
}

void
log_own_addr(const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];

	if (!form.is_open)
		return;
	put_pair("addr", text, addr_format(addr, text));
	log_number("port", addr->port);
}

/* Its network, as it is counted in a crowd. */
static void
put_network(const struct addr *addr)
{
	struct addr network = *addr;
	char text[ADDR_TEXT_BYTES];

	addr_mask(&network, addr->family == ADDR_V4 ? MASK_V4 : MASK_V6);
	(void)addr_format(&network, text);
	log_word("addr", text);
}

void
log_addr(const struct addr *addr)
{
	switch (form.addresses) {
	case IMAGE_ADDRESSES_FULL:
		log_own_addr(addr);
		break;
	case IMAGE_ADDRESSES_MASKED:
		put_network(addr);
		break;
	case IMAGE_ADDRESSES_NONE:
		break;
	}
}

void
log_place(const char *key, const char *file, uint32_t number)
{
	char place[VALUE_BYTES];
	size_t length = strlen(file);
	char digits[12];
	size_t at = sizeof(digits);

	if (!form.is_open)
		return;
	if (length > sizeof(place) - sizeof(digits))
		length = sizeof(place) - sizeof(digits);
	memcpy(place, file, length);
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	digits[--at] = ':';
	memcpy(place + length, digits + at, sizeof(digits) - at);
	log_bytes(key, place, length + sizeof(digits) - at);
}

void
log_end(void)
{
	if (!form.is_open)
		return;
	end_pair();
	if (form.is_json)
		line.bytes[line.length++] = '}';
	line.bytes[line.length++] = '\n';
	form.is_open = false;
	log_sink_write(&line);
}

void
log_flush(void)
{
	uint64_t lost = log_sink_flush();

	if (lost == 0)
		return;
	log_begin(LOG_LEVEL_WARNING, "log-lost");
	log_number("lines", lost);
	log_end();
	log_sink_told(lost);
}

uint64_t
log_lost(void)
{
	return log_sink_lost();
}

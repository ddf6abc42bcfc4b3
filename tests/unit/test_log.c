/*
 * The log, read back from a pipe that stands where stderr was: whatever the
 * bytes of a value are, a line stays one line and gives the value back; and
 * a pipe that nobody reads costs lines, all of them counted, but no time.
 */
#include "sys/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES_MAX 65536u
#define LINE_MOST 4096u
#define STUCK_SECONDS 120 /* then somebody waits for ever */

struct pipe_log {
	int read_fd, write_fd;
	char bytes[BYTES_MAX];
	size_t length;
};

/*
 * A pipe of one page in the place of stderr while the log is opened, which
 * opens it for itself; then stderr is cmocka's again.
 */
static void
pipe_open_as(struct pipe_log *pipe_log, const struct log_options *options)
{
	int ends[2];
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

	assert_true(saved >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[0], F_SETPIPE_SZ, 4096) >= 4096);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	assert_int_equal(log_open(options), 0);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	*pipe_log =
	    (struct pipe_log){ .read_fd = ends[0], .write_fd = ends[1] };
}

static void
pipe_open(struct pipe_log *pipe_log, enum image_log_format format)
{
	pipe_open_as(pipe_log, &(struct log_options){ .format = format });
}

static void
pipe_close(struct pipe_log *pipe_log)
{
	(void)close(pipe_log->read_fd);
	(void)close(pipe_log->write_fd);
}

/* Takes what is there, at most that many bytes. */
static void
pipe_read(struct pipe_log *pipe_log, size_t most)
{
	while (most > 0) {
		size_t room = BYTES_MAX - 1 - pipe_log->length;
		ssize_t length =
		    read(pipe_log->read_fd, pipe_log->bytes + pipe_log->length,
			most < room ? most : room);

		if (length <= 0)
			return;
		pipe_log->length += (size_t)length;
		most -= (size_t)length;
	}
}

/* The next whole line, without its end; it must be there. */
static const char *
pipe_line(struct pipe_log *pipe_log)
{
	static char line[LINE_MOST + 1];
	char *end;
	size_t length;

	log_flush();
	pipe_read(pipe_log, BYTES_MAX);
	end = memchr(pipe_log->bytes, '\n', pipe_log->length);
	assert_non_null(end);
	length = (size_t)(end - pipe_log->bytes);
	assert_true(length <= LINE_MOST);
	memcpy(line, pipe_log->bytes, length);
	line[length] = '\0';
	assert_int_equal(strlen(line), length);
	pipe_log->length -= length + 1;
	memmove(pipe_log->bytes, end + 1, pipe_log->length);
	return line;
}

/* --- reading a line as a stranger would ------------------------------- */

struct pair {
	char key[64];
	uint8_t value[BYTES_MAX];
	size_t length;
};

static unsigned
hex_digit(char digit)
{
	assert_true(isxdigit((unsigned char)digit) && !isupper(digit));
	return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* A quoted string from behind its first quote; returns behind its last. */
static const char *
read_quoted(struct pair *pair, const char *at)
{
	while (*at != '"') {
		uint8_t byte = (uint8_t)*at++;

		assert_true(byte >= 0x20 && byte <= 0x7e);
		if (byte == '\\') {
			char escape = *at++;

			if (escape == 'n')
				byte = '\n';
			else if (escape == 't')
				byte = '\t';
			else if (escape == 'u') {
				assert_memory_equal(at, "00", 2);
				byte = (uint8_t)(hex_digit(at[2]) << 4 |
				    hex_digit(at[3]));
				at += 4;
			} else {
				assert_true(escape == '"' || escape == '\\');
				byte = (uint8_t)escape;
			}
		}
		pair->value[pair->length++] = byte;
	}
	return at + 1;
}

/* key=value with the value bare or quoted, and a space or the end. */
static const char *
read_logfmt(struct pair *pair, const char *at)
{
	size_t key = strcspn(at, "=");

	*pair = (struct pair){ .length = 0 };
	assert_true(key > 0 && key < sizeof(pair->key) && at[key] == '=');
	memcpy(pair->key, at, key);
	at += key + 1;
	if (*at == '"') {
		at = read_quoted(pair, at + 1);
	} else {
		for (; *at != '\0' && *at != ' '; at++) {
			assert_true(*at > ' ' && *at <= '~' && *at != '"' &&
			    *at != '\\' && *at != '=');
			pair->value[pair->length++] = (uint8_t)*at;
		}
		assert_true(pair->length > 0);
	}
	assert_true(*at == '\0' || (*at == ' ' && at[1] != '\0'));
	return *at == ' ' ? at + 1 : at;
}

static const char *
read_json_number(struct pair *pair, const char *at)
{
	size_t length = strspn(at, "0123456789");

	assert_true(length > 0 && (length == 1 || at[0] != '0'));
	if (at[length] == '.') {
		size_t decimals = strspn(at + length + 1, "0123456789");

		assert_true(decimals > 0);
		length += 1 + decimals;
	}
	memcpy(pair->value, at, length);
	pair->length = length;
	return at + length;
}

/* "key":value behind a brace or comma, and what must come behind it. */
static const char *
read_json(struct pair *pair, const char *at)
{
	struct pair key = { .length = 0 };

	*pair = (struct pair){ .length = 0 };
	assert_int_equal(*at, '"');
	at = read_quoted(&key, at + 1);
	assert_true(key.length > 0 && key.length < sizeof(pair->key));
	memcpy(pair->key, key.value, key.length);
	assert_int_equal(*at++, ':');
	at =
	    *at == '"' ? read_quoted(pair, at + 1) : read_json_number(pair, at);
	if (*at == ',')
		return at + 1;
	assert_string_equal(at, "}");
	return at + 1;
}

/* Reads all of the line; the pair of this key, if any, goes to *found. */
static bool
find_pair(const char *line, const char *key, struct pair *found)
{
	static struct pair pair;
	const char *at = line;
	bool is_json = *line == '{';
	bool has_it = false;

	if (is_json)
		at++;
	do {
		at = is_json ? read_json(&pair, at) : read_logfmt(&pair, at);
		if (strcmp(pair.key, key) == 0) {
			assert_false(has_it);
			has_it = true;
			*found = pair;
		}
	} while (*at != '\0');
	return has_it;
}

/* --- the tests ---------------------------------------------------------- */

static struct pipe_log pipe_log;
static struct pair found;

static void
assert_pair(const char *line, const char *key, const void *value, size_t length)
{
	assert_true(find_pair(line, key, &found));
	assert_int_equal(found.length, length);
	assert_memory_equal(found.value, value, length);
}

static void
comes_back(const uint8_t *bytes, size_t length)
{
	const char *line;

	log_begin(LOG_LEVEL_INFO, "test");
	log_bytes("value", bytes, length);
	log_number("behind", 7);
	log_end();
	line = pipe_line(&pipe_log);
	assert_pair(line, "value", bytes, length);
	assert_pair(line, "behind", "7", 1);
	assert_pair(line, "event", "test", 4);
}

static void
every_byte_comes_back(enum image_log_format format)
{
	uint8_t bytes[256];
	unsigned random = 1;

	pipe_open(&pipe_log, format);
	comes_back(bytes, 0);
	for (unsigned byte = 0; byte < 256; byte++) {
		bytes[0] = (uint8_t)byte;
		comes_back(bytes, 1);
		bytes[1] = 'x';
		comes_back(bytes, 2);
	}
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	comes_back(bytes, sizeof(bytes));
	for (int i = 0; i < 2000; i++) {
		size_t length;

		random = random * 1103515245 + 12345;
		length = random >> 16 & 127;
		for (size_t j = 0; j < length; j++) {
			random = random * 1103515245 + 12345;
			bytes[j] = (uint8_t)(random >> 16);
		}
		comes_back(bytes, length);
	}
	pipe_close(&pipe_log);
}

static int64_t
wall_ms(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 2026-11-21T04:00:00.123Z */
static int64_t
told_ms(const char *line)
{
	struct tm utc = { 0 };
	unsigned ms;
	char *behind;

	assert_true(find_pair(line, "time", &found));
	assert_int_equal(found.length, 24);
	found.value[24] = '\0';
	behind = strptime((const char *)found.value, "%Y-%m-%dT%H:%M:%S", &utc);
	assert_non_null(behind);
	assert_int_equal(sscanf(behind, ".%3uZ", &ms), 1);
	assert_int_equal(behind[4], 'Z');
	return (int64_t)timegm(&utc) * 1000 + ms;
}

/* Whatever the line before said: over a second, and of two levels. */
static void
every_line_tells_its_time(void **state)
{
	static const struct {
		enum log_level level;
		const char *name;
	} levels[] = { { LOG_LEVEL_INFO, "info" },
		{ LOG_LEVEL_WARNING, "warning" } };

	(void)state;
	for (unsigned format = IMAGE_LOG_LOGFMT; format <= IMAGE_LOG_JSON;
	     format++) {
		int64_t end_ms = wall_ms() + 1100;

		pipe_open(&pipe_log, (enum image_log_format)format);
		for (unsigned i = 0; wall_ms() < end_ms; i++) {
			unsigned which = i / 3 % 2;
			int64_t before_ms = wall_ms();
			const char *line;

			log_begin(levels[which].level, "test");
			log_end();
			line = pipe_line(&pipe_log);
			assert_true(told_ms(line) >= before_ms);
			assert_true(told_ms(line) <= wall_ms());
			assert_pair(line, "level", levels[which].name,
			    strlen(levels[which].name));
			assert_pair(line, "event", "test", 4);
			if (i % 2 == 0)
				(void)usleep(700);
		}
		pipe_close(&pipe_log);
	}
}

static void
every_byte_comes_back_by_logfmt(void **state)
{
	(void)state;
	every_byte_comes_back(IMAGE_LOG_LOGFMT);
}

static void
every_byte_comes_back_by_json(void **state)
{
	(void)state;
	every_byte_comes_back(IMAGE_LOG_JSON);
}

/* What would be another line, another event, or a terminal's command. */
static void
a_line_cannot_be_forged(void **state)
{
	static const char hostile[] =
	    "x\" event=launch service=root\nevent=launch\r\n\x1b[2J\\\",}\t";

	(void)state;
	for (int format = IMAGE_LOG_LOGFMT; format <= IMAGE_LOG_JSON;
	     format++) {
		pipe_open(&pipe_log, (enum image_log_format)format);
		comes_back((const uint8_t *)hostile, sizeof(hostile) - 1);
		assert_int_equal(pipe_log.length, 0);
		pipe_close(&pipe_log);
	}
}

/* More than a line holds: it is cut, and still one that can be read. */
static void
too_long_is_cut(enum image_log_format format, uint8_t byte, size_t values)
{
	static uint8_t bytes[5000];
	const char *line;
	char key[16];

	memset(bytes, byte, sizeof(bytes));
	log_begin(LOG_LEVEL_INFO, "test");
	for (size_t i = 0; i < values; i++) {
		(void)snprintf(key, sizeof(key), "value%zu", i);
		log_bytes(key, bytes, sizeof(bytes) - 300 * i);
		log_word("word", "between");
		log_number("number", UINT64_MAX);
		log_duration("duration", 1234567);
		log_errno(ENOENT);
	}
	log_place("place", "/a/file", 17);
	log_end();
	line = pipe_line(&pipe_log);
	assert_int_equal(*line, format == IMAGE_LOG_JSON ? '{' : 't');
	assert_pair(line, "event", "test", 4);
	assert_true(find_pair(line, "value0", &found));
	assert_true(found.length > 0 && found.length <= 1024);
	for (size_t i = 0; i < found.length; i++)
		assert_int_equal(found.value[i], byte);
}

/* Each key once, or find_pair would say so. */
static void
long_values_are_cut(void **state)
{
	static const uint8_t bytes[] = { 'x', '"', '\n', 0, 0xff };

	(void)state;
	for (int format = IMAGE_LOG_LOGFMT; format <= IMAGE_LOG_JSON;
	     format++) {
		pipe_open(&pipe_log, (enum image_log_format)format);
		for (size_t i = 0; i < sizeof(bytes); i++)
			for (size_t values = 1; values < 9; values++)
				too_long_is_cut((enum image_log_format)format,
				    bytes[i], values);
		pipe_close(&pipe_log);
	}
}

static void
kinds_of_values(enum image_log_format format)
{
	struct addr addr;
	const char *line;

	assert_true(addr_parse(&addr, "2001:db8::1", 11));
	addr.port = 4711;
	pipe_open(&pipe_log, format);
	log_begin(LOG_LEVEL_WARNING, "kinds");
	log_word("word", "some-word");
	log_text("text", "some text");
	log_number("least", 0);
	log_number("most", UINT64_MAX);
	log_duration("took", 61007);
	log_duration("never", -5);
	log_errno(ECONNREFUSED);
	log_addr(&addr);
	log_place("rule", "/etc/a b", 4294967295u);
	log_end();
	line = pipe_line(&pipe_log);
	assert_pair(line, "level", "warning", 7);
	assert_pair(line, "word", "some-word", 9);
	assert_pair(line, "text", "some text", 9);
	assert_pair(line, "least", "0", 1);
	assert_pair(line, "most", "18446744073709551615", 20);
	assert_pair(line, "took", "61.007", 6);
	assert_pair(line, "never", "0.000", 5);
	assert_pair(line, "error", "ECONNREFUSED", 12);
	assert_pair(line, "addr", "2001:db8::1", 11);
	assert_pair(line, "port", "4711", 4);
	assert_pair(line, "rule", "/etc/a b:4294967295", 19);
	assert_true(find_pair(line, "time", &found));
	assert_int_equal(found.length, 24);
	assert_int_equal(found.value[10], 'T');
	assert_int_equal(found.value[23], 'Z');
	pipe_close(&pipe_log);
}

static void
every_kind_of_value(void **state)
{
	(void)state;
	kinds_of_values(IMAGE_LOG_LOGFMT);
	kinds_of_values(IMAGE_LOG_JSON);
}

/* An address of a client and one of ours; what is to be seen of the first. */
static void
shows(enum image_addresses addresses, const char *client, const char *seen)
{
	struct addr addr;
	const char *line;

	assert_true(addr_parse(&addr, client, strlen(client)));
	addr.port = 4711;
	pipe_open_as(
	    &pipe_log, &(struct log_options){ .addresses = addresses });
	log_begin(LOG_LEVEL_INFO, "client");
	log_addr(&addr);
	log_end();
	log_begin(LOG_LEVEL_INFO, "ours");
	log_own_addr(&addr);
	log_end();
	line = pipe_line(&pipe_log);
	assert_int_equal(find_pair(line, "addr", &found), seen != NULL);
	if (seen != NULL)
		assert_pair(line, "addr", seen, strlen(seen));
	assert_int_equal(
	    find_pair(line, "port", &found), addresses == IMAGE_ADDRESSES_FULL);
	line = pipe_line(&pipe_log);
	assert_pair(line, "addr", client, strlen(client));
	assert_pair(line, "port", "4711", 4);
	pipe_close(&pipe_log);
}

static void
addresses_are_masked(void **state)
{
	(void)state;
	shows(IMAGE_ADDRESSES_FULL, "192.0.2.255", "192.0.2.255");
	shows(IMAGE_ADDRESSES_MASKED, "192.0.2.255", "192.0.2.0");
	shows(IMAGE_ADDRESSES_NONE, "192.0.2.255", NULL);
	shows(IMAGE_ADDRESSES_FULL, "2001:db8:ffff:ffff::1",
	    "2001:db8:ffff:ffff::1");
	shows(
	    IMAGE_ADDRESSES_MASKED, "2001:db8:ffff:ffff::1", "2001:db8:ffff::");
	shows(IMAGE_ADDRESSES_NONE, "2001:db8:ffff:ffff::1", NULL);
}

static void
debug_is_asked_for(void **state)
{
	(void)state;
	pipe_open(&pipe_log, IMAGE_LOG_LOGFMT);
	assert_false(log_has(LOG_LEVEL_DEBUG));
	log_begin(LOG_LEVEL_DEBUG, "hidden");
	log_text("text", "x");
	log_end();
	log_flush();
	pipe_read(&pipe_log, BYTES_MAX);
	assert_int_equal(pipe_log.length, 0);
	pipe_close(&pipe_log);
}

static void
write_numbered(uint64_t number)
{
	log_begin(LOG_LEVEL_INFO, "numbered");
	log_number("n", number);
	log_text("text", "so that a line is not too short, it has this too");
	log_end();
}

/*
 * A reader that takes nothing, then a little, then all. SIGALRM ends the
 * test should anything wait. Whatever is read is whole lines, in order, and
 * what is missing has been counted.
 */
static void
a_stuck_pipe_costs_counted_lines(void **state)
{
	uint64_t lost_before = log_lost();
	uint64_t written = 0, seen = 0, told = 0, last = 0;
	unsigned random = 7;

	(void)state;
	(void)alarm(STUCK_SECONDS);
	pipe_open(&pipe_log, IMAGE_LOG_LOGFMT);
	for (int turn = 0; turn < 3000; turn++) {
		const char *end;

		random = random * 1103515245 + 12345;
		for (unsigned i = 0; turn < 2900 && i < (random >> 16) % 64;
		     i++)
			write_numbered(++written);
		log_flush();
		if (turn % 97 == 96 || turn > 2900)
			pipe_read(&pipe_log,
			    turn > 2900 ? BYTES_MAX : (random >> 8) % 5000);
		while ((end = memchr(pipe_log.bytes, '\n', pipe_log.length)) !=
		    NULL) {
			const char *line = pipe_line(&pipe_log);

			assert_true(find_pair(line, "event", &found));
			if (found.length == 8 &&
			    memcmp(found.value, "numbered", 8) == 0) {
				uint64_t n;

				assert_true(find_pair(line, "n", &found));
				n = strtoull((char *)found.value, NULL, 10);
				assert_true(n > last);
				last = n;
				seen++;
			} else {
				assert_true(find_pair(line, "lines", &found));
				told += strtoull((char *)found.value, NULL, 10);
			}
		}
	}
	(void)alarm(0);
	assert_true(seen > 0 && told > 0);
	/* A line that tells of losses can be lost too, and is counted then. */
	assert_true(seen + (log_lost() - lost_before) >= written);
	assert_true(told <= log_lost() - lost_before);
	assert_true(log_lost() - lost_before > written / 2);
	pipe_close(&pipe_log);
}

/*
 * The pipe is full from the start: lines are kept as long as there is room
 * for them, those behind are lost, and that is said once there is room.
 */
static void
a_full_pipe_is_said_afterwards(void **state)
{
	uint64_t lost_before = log_lost();
	uint64_t lost, expected = 0;
	const uint64_t written = 2000;
	char page[4096] = { 0 };
	char number[24];
	const char *line;

	(void)state;
	(void)alarm(STUCK_SECONDS);
	pipe_open(&pipe_log, IMAGE_LOG_LOGFMT);
	assert_int_equal(write(pipe_log.write_fd, page, sizeof(page)), 4096);
	for (uint64_t i = 0; i < written; i++)
		write_numbered(i);
	log_flush();
	lost = log_lost() - lost_before;
	assert_in_range(lost, 1, written - 1);
	log_flush();
	assert_int_equal(log_lost() - lost_before, lost);
	pipe_read(&pipe_log, BYTES_MAX);
	assert_int_equal(pipe_log.length, sizeof(page));
	pipe_log.length = 0;
	for (;;) {
		log_flush();
		pipe_read(&pipe_log, BYTES_MAX);
		line = pipe_line(&pipe_log);
		assert_true(find_pair(line, "event", &found));
		if (memcmp(found.value, "numbered", found.length) != 0)
			break;
		(void)snprintf(number, sizeof(number), "%llu",
		    (unsigned long long)expected++);
		assert_pair(line, "n", number, strlen(number));
	}
	assert_int_equal(expected, written - lost);
	assert_pair(line, "event", "log-lost", 8);
	(void)snprintf(
	    number, sizeof(number), "%llu", (unsigned long long)lost);
	assert_pair(line, "lines", number, strlen(number));
	(void)alarm(0);
	pipe_close(&pipe_log);
}

static int
count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Another end, as with a new policy: each line goes to the one it was for. */
static void
opened_anew(void **state)
{
	static struct pipe_log before;
	const struct log_options journal = { .sink = IMAGE_LOG_JOURNAL };
	int descriptors;

	(void)state;
	pipe_open(&before, IMAGE_LOG_LOGFMT);
	descriptors = count_descriptors();
	write_numbered(1);
	pipe_open(&pipe_log, IMAGE_LOG_JSON);
	write_numbered(2);
	assert_pair(pipe_line(&pipe_log), "n", "2", 1);
	pipe_read(&before, BYTES_MAX);
	assert_non_null(strstr(before.bytes, " n=1 "));
	pipe_close(&before);
	assert_int_equal(count_descriptors(), descriptors);
	/* Where there is no such end, all stays as it was. */
	if (access("/run/systemd/journal/socket", F_OK) != 0) {
		assert_int_equal(log_open(&journal), -1);
		write_numbered(3);
		assert_pair(pipe_line(&pipe_log), "n", "3", 1);
	}
	pipe_close(&pipe_log);
}

/* Nobody reads any more: that is no reason to end. */
static void
a_closed_pipe_is_survived(void **state)
{
	uint64_t lost_before = log_lost();

	(void)state;
	pipe_open(&pipe_log, IMAGE_LOG_LOGFMT);
	assert_int_equal(close(pipe_log.read_fd), 0);
	pipe_log.read_fd = -1;
	(void)signal(SIGPIPE, SIG_IGN);
	write_numbered(1);
	log_flush();
	assert_int_equal(log_lost() - lost_before, 1);
	pipe_close(&pipe_log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_comes_back_by_logfmt),
		cmocka_unit_test(every_byte_comes_back_by_json),
		cmocka_unit_test(every_line_tells_its_time),
		cmocka_unit_test(a_line_cannot_be_forged),
		cmocka_unit_test(long_values_are_cut),
		cmocka_unit_test(every_kind_of_value),
		cmocka_unit_test(addresses_are_masked),
		cmocka_unit_test(debug_is_asked_for),
		cmocka_unit_test(a_stuck_pipe_costs_counted_lines),
		cmocka_unit_test(a_full_pipe_is_said_afterwards),
		cmocka_unit_test(opened_anew),
		cmocka_unit_test(a_closed_pipe_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

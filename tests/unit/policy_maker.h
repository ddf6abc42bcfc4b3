#ifndef POLICY_MAKER_H
#define POLICY_MAKER_H

/*
 * Random policies without mistakes: every directive, in any order, its words
 * quoted in any way. One row a directive, like the parser's own table; which
 * rows are missing is a question for maker_lacks.
 */
#include "core/builtin.h"
#include "core/policy_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct maker {
	uint64_t state; /* of the random numbers */
	FILE *out;
	FILE *included; /* the files that are included */
	uint32_t names; /* given so far */
	uint32_t nets; /* declared so far */
	uint32_t listeners; /* names of them so far */
	uint8_t block;
	enum image_kind kind; /* of this service */
	bool has_filesystem; /* and no new-privileges: never both */
	bool is_self; /* the policy is for somebody without root */
};

static inline uint32_t
maker_below(struct maker *maker, uint32_t bound)
{
	/* xorshift64*, Vigna 2014 */
	maker->state ^= maker->state >> 12;
	maker->state ^= maker->state << 25;
	maker->state ^= maker->state >> 27;
	return (uint32_t)((maker->state * UINT64_C(2685821657736338717)) >>
		   32) %
	    bound;
}

static inline uint32_t
maker_between(struct maker *maker, uint32_t least, uint32_t most)
{
	/* the ends more often than they would come by themselves */
	switch (maker_below(maker, 8)) {
	case 0:
		return least;
	case 1:
		return most;
	}
	return least + maker_below(maker, most - least + 1);
}

static inline bool
maker_tosses(struct maker *maker)
{
	return maker_below(maker, 2) == 0;
}

/* A word as one might write it: bare if it can be, or in either quotes. */
static inline void
maker_word(struct maker *maker, const char *word)
{
	bool is_bare =
	    word[0] != '\0' && word[0] != '#' && !strpbrk(word, " \t\"'\\{}");
	bool is_literal = strchr(word, '\'') == NULL && maker_tosses(maker);

	fputc(maker_tosses(maker) ? ' ' : '\t', maker->out);
	if (is_bare && maker_below(maker, 4) > 0) {
		fputs(word, maker->out);
		return;
	}
	fputc(is_literal ? '\'' : '"', maker->out);
	for (; *word != '\0'; word++) {
		bool has_to = *word == '"' || *word == '\\';
		bool can = ispunct((unsigned char)*word);

		if (!is_literal &&
		    (has_to || (can && maker_below(maker, 4) == 0)))
			fputc('\\', maker->out);
		fputc(*word, maker->out);
	}
	fputc(is_literal ? '\'' : '"', maker->out);
}

static inline void maker_plain(struct maker *maker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void
maker_plain(struct maker *maker, const char *format, ...)
{
	va_list arguments;

	fputc(' ', maker->out);
	va_start(arguments, format);
	vfprintf(maker->out, format, arguments);
	va_end(arguments);
}

#define PICK(maker, list) \
	((list)[maker_below(maker, sizeof(list) / sizeof((list)[0]))])

static const char *const odd_texts[] = { "plain", "two words", "a\ttab",
	"\"quoted\"", "it's", "\\", "a\\b\\", "# no comment", "#", "{", "}",
	"a{b}c", "Grüße, 世界", "\"'\\{}#", "--flag=%h", "$HOME", "`id`", ";",
	"\xc2\xa0" };

static inline void
draw_odd(struct maker *maker)
{
	maker_word(maker, PICK(maker, odd_texts));
}

static inline void
draw_path(struct maker *maker)
{
	char path[64];

	snprintf(path, sizeof(path), "/%s", PICK(maker, odd_texts));
	maker_word(maker, path);
}

static inline void
draw_duration_between(struct maker *maker, uint32_t least_ms, uint32_t most_ms)
{
	static const struct {
		const char *name;
		uint32_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 } };

	for (;;) {
		uint32_t unit = maker_below(maker, 5);
		uint32_t least =
		    (least_ms + units[unit].ms - 1) / units[unit].ms;
		uint32_t most = most_ms / units[unit].ms;

		if (least > most)
			continue;
		maker_plain(maker, "%u%s", maker_between(maker, least, most),
		    units[unit].name);
		return;
	}
}

/* The same in whole seconds, whatever the unit. */
static inline void
draw_seconds(struct maker *maker, uint32_t least_s, uint32_t most_s)
{
	uint32_t seconds = maker_between(maker, least_s, most_s);

	if (seconds % 60 == 0 && maker_tosses(maker))
		maker_plain(maker, "%um", seconds / 60);
	else if (maker_tosses(maker))
		maker_plain(maker, "%us", seconds);
	else
		maker_plain(maker, "%u000ms", seconds);
}

static inline void
draw_million(struct maker *maker)
{
	maker_plain(maker, "%u", maker_between(maker, 1, 1000000));
}

static inline void
draw_rate(struct maker *maker)
{
	static const char *const units[] = { "s", "min", "h" };

	maker_plain(maker, "%u/%s burst %u", maker_between(maker, 1, 1000000),
	    PICK(maker, units), maker_between(maker, 1, 1000000));
}

static inline void
draw_account(struct maker *maker)
{
	static const char *const accounts[] = { "nobody", "65534", "4294967294",
		"odd name", "{x}", "www-data" };

	maker_word(maker, PICK(maker, accounts));
}

static inline void
draw_link_local(struct maker *maker)
{
	static const char *const prefixes[] = { "fe80::%eth0/64", "fe80::1%7",
		"FE80::%br-1.2/10", "fe80::1%eth0/128", "febf::%1/16",
		"fe80::/10" };

	maker_plain(maker, "%s", PICK(maker, prefixes));
}

/* With no bits behind its length, in one of the ways to write it. */
static inline void
draw_prefix(struct maker *maker)
{
	bool is_v4 = maker_tosses(maker);
	uint32_t whole = is_v4 ? 32 : 128;
	uint32_t bits = maker_between(maker, 0, whole);
	struct addr addr = { .family = is_v4 ? ADDR_V4 : ADDR_V6 };
	char text[ADDR_TEXT_BYTES];

	if (maker_below(maker, 12) == 0) {
		draw_link_local(maker);
		return;
	}

	for (uint32_t i = 0; i < whole / 8; i++)
		addr.bytes[i] = maker_below(maker, 3) == 0
		    ? 0
		    : (uint8_t)maker_below(maker, 256);
	addr_mask(&addr, bits);
	addr_format(&addr, text);
	if (is_v4 && maker_below(maker, 4) == 0)
		maker_plain(maker, "::ffff:%s/%u", text, bits + 96);
	else if (bits == whole && maker_tosses(maker))
		maker_plain(maker, "%s", text);
	else
		maker_plain(maker, "%s/%u", text, bits);
}

/* A prefix or one of the first `nets` sets. */
static inline void
draw_member(struct maker *maker, uint32_t nets)
{
	if (nets > 0 && maker_below(maker, 3) == 0)
		maker_plain(maker, "@net-%u", maker_below(maker, nets));
	else
		draw_prefix(maker);
}

static inline void
draw_members(struct maker *maker)
{
	for (uint32_t i = maker_between(maker, 1, 9); i > 0; i--)
		draw_member(maker, maker->nets);
}

static inline void
draw_rules(struct maker *maker)
{
	for (uint32_t i = maker_between(maker, 1, 6); i > 0; i--)
		if (maker_below(maker, 8) == 0)
			maker_plain(maker, "any");
		else
			draw_member(maker, maker->nets);
}

/* More lines of a net that is there, or a new one. */
static inline void
draw_net(struct maker *maker)
{
	uint32_t net = maker->nets;

	if (net > 0 && maker_tosses(maker))
		net = maker_below(maker, net);
	maker_plain(maker, "net-%u", net);
	if (maker_below(maker, 8) == 0) {
		maker_plain(maker, "file");
		draw_path(maker);
	} else {
		for (uint32_t i = maker_between(maker, 1, 20); i > 0; i--)
			draw_member(maker, net);
	}
	if (net == maker->nets)
		maker->nets++;
}

static inline void
draw_include(struct maker *maker)
{
	maker_plain(maker, "/included-%u", ++maker->names);
}

static inline void
draw_version(struct maker *maker)
{
	maker_plain(maker, "1");
}

/* A name that another listener has, or a new one; the first has one. */
static inline void
draw_listener_name(struct maker *maker)
{
	uint32_t name = maker_below(maker, maker->listeners + 1);

	if (maker->listeners > 0 && maker_tosses(maker))
		return;
	maker_plain(maker, "name l.%u", name);
	if (name == maker->listeners)
		maker->listeners++;
}

/* A port of its own each, so that none is listened on twice. */
static inline void
draw_listen(struct maker *maker)
{
	static const char *const addresses[] = { "*", "0.0.0.0",
		"::", "192.0.2.1", "::ffff:192.0.2.1", "2001:DB8:0:0::1",
		"fe80::1%eth0", "fe80:0::1%17", "fe80::2 interface e.1-2" };

	maker_plain(maker, "%s", PICK(maker, addresses));
	draw_listener_name(maker);
	if (maker_below(maker, 4) == 0)
		maker_plain(maker, "lenient-lf");
	if (maker_below(maker, 4) == 0)
		maker_plain(
		    maker, "backlog %u", maker_between(maker, 1, UINT16_MAX));
	if (maker->names++ > 0 || maker_tosses(maker))
		maker_plain(maker, "port %u", maker->names);
	if (maker_below(maker, 4) == 0)
		maker_plain(maker, "freebind");
}

static inline void
draw_exit_penalty(struct maker *maker)
{
	uint32_t count = maker_between(maker, 1, 8);
	uint32_t code = 1 + maker_below(maker, 200);

	maker_plain(maker, "exit");
	for (uint32_t i = 0; i < count; i++)
		maker_plain(maker, "%u", code + i * 7 % 55);
	draw_duration_between(maker, 0, 86400000);
}

/* Paths that no other line of the block has. */
static inline void
draw_filesystem(struct maker *maker)
{
	static const char *const words[] = { "read", "write", "exec" };

	maker_plain(maker, "%s", PICK(maker, words));
	for (uint32_t i = maker_between(maker, 1, 5); i > 0; i--) {
		char path[64];

		snprintf(path, sizeof(path), "/%u/%s", ++maker->names,
		    PICK(maker, odd_texts));
		maker_word(maker, path);
	}
	if (maker_tosses(maker))
		maker_plain(maker, "if-available");
}

/* Some of the listeners, each once. */
static inline void
draw_on(struct maker *maker)
{
	uint32_t first = maker_below(maker, maker->listeners);
	uint32_t count = 1 + maker_below(maker, maker->listeners);

	for (uint32_t i = 0; i < count; i++)
		maker_plain(maker, "l.%u", (first + i) % maker->listeners);
}

static inline void
draw_timeout(struct maker *maker)
{
	draw_duration_between(maker, 100, 60000);
}

static inline void
draw_workers(struct maker *maker)
{
	maker_plain(maker, "%u", maker_between(maker, 1, 64));
}

static inline void
draw_recycle(struct maker *maker)
{
	maker_plain(maker, "%u", maker_between(maker, 1, 1000000000));
	draw_seconds(maker, 1, 86400);
}

#define DRAW_CHOICE(name, ...) \
	static inline void draw_##name(struct maker *maker) \
	{ \
		static const char *const choices[] = { __VA_ARGS__ }; \
\
		maker_plain(maker, "%s", PICK(maker, choices)); \
	}

DRAW_CHOICE(room, "full", "reduced")
DRAW_CHOICE(dropping, "off", "on")
DRAW_CHOICE(sink, "stderr", "journal", "syslog", "syslog daemon",
    "syslog local7", "syslog authpriv")
DRAW_CHOICE(format, "logfmt", "json")
DRAW_CHOICE(addresses, "full", "masked", "none")
DRAW_CHOICE(logged, "all", "failures", "none")
DRAW_CHOICE(stderr, "log", "null", "socket")
DRAW_CHOICE(leftovers, "kill", "keep")
/* Not stdio: new-privileges could be beside it. */
DRAW_CHOICE(syscalls, "default", "any")
DRAW_CHOICE(network, "any", "none", "none if-available")

static inline void
draw_count_by(struct maker *maker)
{
	maker_plain(maker, "/%u /%u", maker_between(maker, 8, 32),
	    maker_between(maker, 16, 128));
}

/* Some of the kinds, each once: one line after the other. */
static inline void
draw_penalty(struct maker *maker)
{
	enum { KINDS = 6 };
	static const struct {
		const char *name;
		uint32_t most_ms;
	} kinds[KINDS] = { { "trap", 86400000 }, { "malformed", 60000 },
		{ "unknown", 60000 }, { "denied", 86400000 },
		{ "timeout", 86400000 }, { "crash", 86400000 } };
	uint32_t first = maker_below(maker, KINDS);
	uint32_t count = maker_between(maker, 1, KINDS);

	for (uint32_t i = first; i < first + count; i++) {
		if (i > first)
			fputs("\npenalty", maker->out);
		maker_plain(maker, "%s", kinds[i % KINDS].name);
		draw_duration_between(maker, 0, kinds[i % KINDS].most_ms);
	}
}

/* Below every maximum that is drawn, and the default one. */
static inline void
draw_threshold(struct maker *maker)
{
	draw_duration_between(maker, 1000, 599999);
}

static inline void
draw_maximum(struct maker *maker)
{
	draw_duration_between(maker, 600000, 86400000);
}

/* A name that no other service has, in any case: its number is its own. */
static inline void
draw_name(struct maker *maker)
{
	char name[32] = { '\0' };
	size_t length = 0;

	if (maker_tosses(maker))
		name[length++] = (char)maker_between(maker, 0x21, 0x2f);
	length += (size_t)snprintf(
	    name + length, sizeof(name) - length, "%06u", maker->names++);
	for (uint32_t i = maker_below(maker, 8); i > 0; i--)
		name[length++] = (char)maker_between(maker, 0x3a, 0x7e);
	maker_word(maker, name);
}

static inline void
draw_names(struct maker *maker)
{
	for (uint32_t i = maker_between(maker, 1, 9); i > 0; i--)
		draw_name(maker);
}

static inline void
draw_exec(struct maker *maker)
{
	draw_path(maker);
	for (uint32_t i = maker_below(maker, 5); i > 0; i--)
		draw_odd(maker);
	if (maker_below(maker, 4) == 0)
		maker_word(maker, "");
}

static inline void
draw_builtin(struct maker *maker)
{
	maker_plain(maker, "%s", builtin_words[maker_below(maker, BUILTINS)]);
}

static inline void
draw_pass(struct maker *maker)
{
	draw_path(maker);
	if (maker_tosses(maker))
		return;
	maker_plain(maker, "uid");
	draw_account(maker);
}

static inline void
draw_user(struct maker *maker)
{
	if (maker->is_self) {
		maker_plain(maker, "self");
		return;
	}
	draw_account(maker);
	if (maker_tosses(maker))
		maker_plain(maker, "unsafe");
}

static inline void
draw_groups(struct maker *maker)
{
	if (maker_tosses(maker)) {
		maker_plain(maker, "user");
		return;
	}
	for (uint32_t i = maker_between(maker, 1, 4); i > 0; i--)
		draw_account(maker);
}

static inline void
draw_reply(struct maker *maker)
{
	static const char *const texts[] = { "", "welcome", "it's \"fine\" \\",
		"# {}" };

	if (maker_tosses(maker)) {
		maker_plain(maker, "service");
		return;
	}
	maker_plain(maker, "mux");
	if (maker_tosses(maker))
		maker_word(maker, PICK(maker, texts));
}

static inline void
draw_summary(struct maker *maker)
{
	const char *text = PICK(maker, odd_texts);

	/* It has no tabs. */
	if (maker_below(maker, 4) == 0 || strchr(text, '\t') != NULL)
		text = "";
	maker_word(maker, text);
}

static inline void
draw_umask(struct maker *maker)
{
	maker_plain(maker, "%03o", maker_below(maker, 01000));
}

static inline void
draw_nice(struct maker *maker)
{
	maker_plain(maker, "%d", (int)maker_between(maker, 0, 39) - 20);
}

/* Not pid: that does not go with every draw of leftovers. */
static inline void
draw_isolate(struct maker *maker)
{
	static const char *const words[] = { "mount", "ipc", "uts", "uts mount",
		"ipc mount uts" };

	maker_plain(maker, "%s", PICK(maker, words));
}

/* In any unit that it fits in, up to a thousand of the largest. */
static inline void
draw_size_limit(struct maker *maker)
{
	static const char *const sizes[] = { "address-space", "file-size",
		"core", "stack" };
	static const char units[] = "KMGT";

	maker_plain(maker, "%s", PICK(maker, sizes));
	maker_plain(maker, "%u%c", maker_between(maker, 1024, 1048576),
	    units[maker_below(maker, 3)]);
}

static inline void
draw_other_limit(struct maker *maker)
{
	switch (maker_below(maker, 3)) {
	case 0:
		maker_plain(maker, "cpu");
		draw_seconds(maker, 1, 86400);
		break;
	case 1:
		maker_plain(
		    maker, "open-files %u", maker_between(maker, 8, 1048576));
		break;
	default:
		maker_plain(maker, "user-processes %u",
		    maker_between(maker, 0, 4194304));
	}
}

static inline void
draw_env(struct maker *maker)
{
	char word[64];

	for (uint32_t i = maker_between(maker, 1, 6); i > 0; i--) {
		snprintf(word, sizeof(word), "K%u=%s", maker->names++,
		    PICK(maker, odd_texts));
		maker_word(maker, word);
	}
}

static inline void
draw_capabilities(struct maker *maker)
{
	static const char *const known[] = { "chown", "cap_dac_override",
		"CAP_FOWNER", "Kill", "cap_net_raw" };

	if (maker_below(maker, 4) == 0) {
		maker_plain(maker, "all");
		return;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (i == 0 || maker_tosses(maker))
			maker_plain(maker, "%s", known[i]);
}

static inline void
draw_keepalive(struct maker *maker)
{
	if (maker_below(maker, 4) == 0)
		maker_plain(maker, "off");
	else
		draw_seconds(maker, 1, 32400);
}

static inline void
draw_lifetime(struct maker *maker)
{
	if (maker_below(maker, 4) == 0)
		maker_plain(maker, "off");
	else
		draw_seconds(maker, 1, 2592000);
}

/* Every day of a set once, ranges in one of the ways to write them. */
static inline void
draw_days(struct maker *maker)
{
	static const char *const days[] = { "mon", "tue", "wed", "thu", "fri",
		"sat", "sun" };
	uint32_t first = maker_below(maker, 7), left = 7;
	const char *joint = " ";

	while (left > 0) {
		uint32_t length = maker_between(maker, 1, left);

		if (joint[0] == ' ' || maker_tosses(maker)) {
			fprintf(maker->out, "%s%s", joint, days[first % 7]);
			if (length > 1)
				fprintf(maker->out, "-%s",
				    days[(first + length - 1) % 7]);
			joint = ",";
		}
		first += length;
		left -= length;
	}
}

/* Also over midnight. */
static inline void
draw_hours(struct maker *maker)
{
	uint32_t from = maker_between(maker, 0, 1439);
	uint32_t to = maker_between(maker, 0, 1440);

	if (from == to)
		to = from == 0 ? 1440 : from - 1;
	draw_days(maker);
	maker_plain(maker, "%02u:%02u-%02u:%02u", from / 60, from % 60, to / 60,
	    to % 60);
}

static inline void
draw_log_limit(struct maker *maker)
{
	if (maker_below(maker, 4) == 0)
		maker_plain(maker, "off");
	else
		draw_rate(maker);
}

static inline void
draw_nothing(struct maker *maker)
{
	(void)maker;
}

#define SERVICES (BLOCK_SERVICE | BLOCK_DEFAULTS)

static const struct maker_row {
	const char *word;
	uint8_t blocks;
	uint8_t least, most; /* lines in one block */
	void (*draw)(struct maker *maker);
} maker_rows[] = {
	{ "parser", BLOCK_TOP, 0, 0, NULL },
	{ "admission", BLOCK_TOP, 0, 0, NULL },
	{ "log", BLOCK_TOP, 0, 0, NULL },
	{ "defaults", BLOCK_TOP, 0, 0, NULL },
	{ "service", BLOCK_TOP | BLOCK_INCLUDED, 0, 0, NULL },
	{ "include", BLOCK_TOP, 0, 0, draw_include },
	{ "policy", BLOCK_TOP, 0, 0, draw_version },
	{ "listen", BLOCK_TOP, 0, 0, draw_listen },
	{ "net", BLOCK_TOP | BLOCK_INCLUDED, 0, 0, draw_net },
	{ "user", BLOCK_PARSER, 0, 1, draw_account },
	{ "group", BLOCK_PARSER, 0, 1, draw_account },
	{ "timeout", BLOCK_PARSER, 0, 1, draw_timeout },
	{ "workers", BLOCK_PARSER, 0, 1, draw_workers },
	{ "recycle", BLOCK_PARSER, 0, 1, draw_recycle },
	{ "room", BLOCK_PARSER, 0, 1, draw_room },
	{ "program", BLOCK_PARSER, 0, 1, draw_path },
	{ "deny", BLOCK_ADMISSION, 0, 2, draw_rules },
	{ "allow", BLOCK_ADMISSION, 0, 2, draw_rules },
	{ "sessions", BLOCK_ADMISSION, 0, 1, draw_million },
	{ "pending", BLOCK_ADMISSION, 0, 1, draw_million },
	{ "pending-per-source", BLOCK_ADMISSION, 0, 1, draw_million },
	{ "per-source", BLOCK_ADMISSION, 0, 1, draw_million },
	{ "exempt", BLOCK_ADMISSION, 0, 3, draw_members },
	{ "count-by", BLOCK_ADMISSION, 0, 1, draw_count_by },
	{ "rate", BLOCK_ADMISSION, 0, 1, draw_rate },
	{ "sources", BLOCK_ADMISSION, 0, 1, draw_million },
	{ "penalty", BLOCK_ADMISSION, 0, 1, draw_penalty },
	{ "penalty-threshold", BLOCK_ADMISSION, 0, 1, draw_threshold },
	{ "penalty-max", BLOCK_ADMISSION, 0, 1, draw_maximum },
	{ "drop-in-kernel", BLOCK_ADMISSION, 0, 1, draw_dropping },
	{ "to", BLOCK_LOG, 0, 1, draw_sink },
	{ "format", BLOCK_LOG, 0, 1, draw_format },
	{ "addresses", BLOCK_LOG, 0, 1, draw_addresses },
	{ "limit", BLOCK_LOG, 0, 1, draw_log_limit },
	{ "trap", BLOCK_SERVICE, 1, 1, draw_nothing },
	{ "pass", BLOCK_SERVICE, 1, 1, draw_pass },
	{ "exec", BLOCK_SERVICE, 1, 1, draw_exec },
	{ "builtin", BLOCK_SERVICE, 1, 1, draw_builtin },
	{ "user", SERVICES, 1, 1, draw_user },
	{ "allow", SERVICES, 1, 3, draw_rules },
	{ "deny", SERVICES, 0, 2, draw_rules },
	{ "alias", BLOCK_SERVICE, 0, 2, draw_names },
	{ "argv0", BLOCK_SERVICE, 0, 1, draw_odd },
	{ "group", SERVICES, 0, 1, draw_account },
	{ "groups", SERVICES, 0, 1, draw_groups },
	{ "reply", SERVICES, 0, 1, draw_reply },
	{ "summary", BLOCK_SERVICE, 0, 1, draw_summary },
	{ "unlisted", SERVICES, 0, 1, draw_nothing },
	{ "chroot", SERVICES, 0, 1, draw_path },
	{ "nice", SERVICES, 0, 1, draw_nice },
	{ "isolate", SERVICES, 0, 1, draw_isolate },
	{ "limit", SERVICES, 0, 1, draw_size_limit },
	{ "limit", SERVICES, 0, 1, draw_other_limit },
	{ "chdir", SERVICES, 0, 1, draw_path },
	{ "umask", SERVICES, 0, 1, draw_umask },
	{ "env", SERVICES, 0, 3, draw_env },
	{ "stderr", SERVICES, 0, 1, draw_stderr },
	{ "sessions", SERVICES, 0, 1, draw_million },
	{ "per-source", SERVICES, 0, 1, draw_million },
	{ "capabilities", SERVICES, 0, 1, draw_capabilities },
	{ "new-privileges", SERVICES, 0, 1, draw_nothing },
	{ "leftovers", SERVICES, 0, 1, draw_leftovers },
	{ "syscalls", SERVICES, 0, 1, draw_syscalls },
	{ "network", SERVICES, 0, 1, draw_network },
	{ "keepalive", SERVICES, 0, 1, draw_keepalive },
	{ "lifetime", SERVICES, 0, 1, draw_lifetime },
	{ "idle", SERVICES, 0, 1, draw_lifetime },
	{ "rate", SERVICES, 0, 1, draw_rate },
	{ "source-rate", SERVICES, 0, 1, draw_rate },
	{ "on", SERVICES, 0, 1, draw_on },
	{ "penalty", SERVICES, 0, 1, draw_exit_penalty },
	{ "hours", SERVICES, 0, 3, draw_hours },
	{ "filesystem", SERVICES, 0, 3, draw_filesystem },
	{ "log", SERVICES, 0, 1, draw_logged },
};

enum { MAKER_ROWS = sizeof(maker_rows) / sizeof(maker_rows[0]) };

/* A row of the parser's that no policy of ours would have, or NULL. */
static inline const struct policy_row *
maker_lacks(void)
{
	for (size_t i = 0; policy_row_at(i) != NULL; i++) {
		const struct policy_row *row = policy_row_at(i);
		uint8_t drawn = 0;

		for (size_t j = 0; j < MAKER_ROWS; j++)
			if (strcmp(maker_rows[j].word, row->word) == 0)
				drawn |= maker_rows[j].blocks;
		if ((row->blocks & ~drawn) != 0)
			return row;
	}
	return NULL;
}

static inline void
maker_line(struct maker *maker, const struct maker_row *row)
{
	if (maker_below(maker, 8) == 0)
		fputs("\n\t# { a comment\n", maker->out);
	fputs(row->word, maker->out);
	row->draw(maker);
	fputc('\n', maker->out);
}

/* The words of kinds. */
static const char *const maker_kinds[] = {
	[IMAGE_KIND_EXEC] = "exec",
	[IMAGE_KIND_TRAP] = "trap",
	[IMAGE_KIND_BUILTIN] = "builtin",
	[IMAGE_KIND_PASS] = "pass",
};

/* Whether this row may stand in this block, beside what is there. */
static inline bool
maker_fits(const struct maker *maker, const struct maker_row *row)
{
	const struct policy_row *known = policy_row_find(
	    (struct text){ row->word, strlen(row->word) }, maker->block);

	if ((row->blocks & maker->block) == 0 ||
	    strcmp(row->word,
		maker->has_filesystem ? "new-privileges" : "filesystem") == 0)
		return false;
	if (maker->block != BLOCK_SERVICE)
		return true;
	if ((known->flags & ROW_KIND) != 0)
		return strcmp(row->word, maker_kinds[maker->kind]) == 0;
	return (known->flags & policy_rows_without_meaning(maker->kind)) == 0;
}

/* The lines of a block, beginning with any row. */
static inline void
maker_lines(struct maker *maker, uint8_t block)
{
	uint32_t first = maker_below(maker, MAKER_ROWS);

	maker->block = block;
	for (uint32_t i = 0; i < MAKER_ROWS; i++) {
		const struct maker_row *row =
		    &maker_rows[(first + i) % MAKER_ROWS];
		uint32_t count = row->least +
		    maker_below(maker, row->most - row->least + 1u);

		if (!maker_fits(maker, row))
			continue;
		while (count-- > 0)
			maker_line(maker, row);
	}
}

static inline void
maker_block(struct maker *maker, const char *word, uint8_t block)
{
	static const enum image_kind kinds[] = { IMAGE_KIND_EXEC,
		IMAGE_KIND_EXEC, IMAGE_KIND_EXEC, IMAGE_KIND_TRAP,
		IMAGE_KIND_BUILTIN, IMAGE_KIND_PASS };

	if (block == BLOCK_SERVICE)
		maker->kind = PICK(maker, kinds);
	fputs(word, maker->out);
	if (block == BLOCK_SERVICE) {
		draw_name(maker);
		if (maker_below(maker, 4) == 0)
			maker_word(maker, "disabled");
	}
	fputs(" {\n", maker->out);
	maker_lines(maker, block);
	fputs("}\n", maker->out);
}

/* Lines of a directive at top level; the rest of the row is not asked. */
static inline void
maker_top_lines(struct maker *maker, const char *word, uint32_t count)
{
	for (size_t i = 0; i < MAKER_ROWS; i++)
		if (strcmp(maker_rows[i].word, word) == 0 &&
		    (maker_rows[i].blocks & BLOCK_TOP) != 0)
			for (uint32_t j = 0; j < count; j++)
				maker_line(maker, &maker_rows[i]);
}

/* One of the blocks that may stand once, unless it does. */
static inline void
maker_single_block(struct maker *maker, uint32_t *made)
{
	static const struct {
		const char *word;
		uint8_t block;
	} blocks[] = { { "parser", BLOCK_PARSER },
		{ "admission", BLOCK_ADMISSION }, { "log", BLOCK_LOG } };
	uint32_t number = maker_below(maker, 3);

	if ((*made & 1u << number) == 0)
		maker_block(maker, blocks[number].word, blocks[number].block);
	*made |= 1u << number;
}

/* A file that is included here, as policy_fixture.h reads it. */
static inline void
maker_include(struct maker *maker)
{
	FILE *main = maker->out;

	maker_top_lines(maker, "include", 1);
	maker->out = maker->included;
	fprintf(maker->out, "#=== /included-%u\n", maker->names);
	maker_top_lines(maker, "net", maker_below(maker, 3));
	for (uint32_t left = maker_below(maker, 3); left > 0; left--)
		maker_block(maker, "service", BLOCK_SERVICE);
	maker->out = main;
}

/* The policy of a seed, to be freed; a third of them includes files. */
static inline char *
maker_policy(uint64_t seed, size_t *length)
{
	struct maker maker = { .state = seed * 2654435769u + 1,
		.has_filesystem = seed % 2 == 1,
		.is_self = seed % 8 == 0 };
	bool includes = seed % 3 == 0;
	uint32_t made = 0;
	size_t included_length;
	char *text = NULL, *included = NULL;

	maker.out = open_memstream(&text, length);
	maker.included = open_memstream(&included, &included_length);
	maker_top_lines(&maker, "policy", 1);
	maker_top_lines(&maker, "listen", maker_between(&maker, 1, 3));
	maker_top_lines(&maker, "net", maker_below(&maker, 5));
	maker_single_block(&maker, &made);
	if (maker_tosses(&maker))
		maker_block(&maker, "defaults", BLOCK_DEFAULTS);
	for (uint32_t left = maker_below(&maker, 6); left > 0; left--) {
		maker_block(&maker, "service", BLOCK_SERVICE);
		maker_single_block(&maker, &made);
		maker_top_lines(&maker, "net", maker_below(&maker, 2));
		maker_top_lines(&maker, "listen", maker_below(&maker, 2));
		if (includes && maker_tosses(&maker))
			maker_include(&maker);
	}
	fclose(maker.included);
	fputs(included, maker.out);
	free(included);
	fclose(maker.out);
	return text;
}

#endif

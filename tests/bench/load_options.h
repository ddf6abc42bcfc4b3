#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 256

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct text {
	char bytes[4096];
	size_t length;
};

struct options {
	union address target;
	union address source_base;
	union address held_base;
	uint32_t clients;
	uint64_t count; /* 0: as many as fit in the time */
	uint32_t seconds;
	uint32_t sources; /* 0: whatever the kernel chooses */
	uint32_t held_sources;
	uint32_t pieces;
	uint32_t gap_ms;
	uint32_t slow;
	uint32_t drip;
	uint32_t step64; /* /64s from a source to the next; 0: one address */
	bool gives_up;
	bool holds_again;
	bool half_closes;
	bool prints_histogram;
	struct text request;
	struct text expected;
	struct text slow_text;
};

static const char load_usage[] =
    "usage: load [options] ADDRESS PORT\n"
    "\n"
    "Clients that connect, send, read to the end, compare and close, again\n"
    "and again, never twice for the same answer. Prints one JSON object.\n"
    "\n"
    "  --clients N        at the same time (64; 0: only those held open)\n"
    "  --count N          connections in all (0: until the time is over)\n"
    "  --seconds S        start none after (10); those begun have 10 s more\n"
    "  --request TEXT     sent, with \\r \\n \\t \\\\ \\xNN "
    "(no-such-service\\r\\n)\n"
    "  --expect TEXT      the whole answer (-Service not available\\r\\n)\n"
    "  --half-close       end our side after the request\n"
    "  --split N          send the request in N pieces (1)\n"
    "  --gap MS           between them (5)\n"
    "  --sources K        addresses to come from, in turn (65536; 0: any)\n"
    "  --source-base A    the first of them (127.1.0.0 or fd7f:1::)\n"
    "  --step64 N         each N /64s from the one before, not one address\n"
    "  --give-up          close what is not connected at once, and go on\n"
    "  --slow N           also hold N open that send no more than:\n"
    "  --slow-text TEXT   (nothing)\n"
    "  --drip N           also hold N open that send an x a second\n"
    "  --held-sources K   addresses these come from, in turn (0: any)\n"
    "  --held-base A      the first of them (127.128.0.0 or fd7f:2::)\n"
    "  --hold-again       open another where one was closed\n"
    "  --histogram        print all durations, not only some quantiles\n";

static inline void
load_usage_exit(void)
{
	fputs(load_usage, stderr);
	exit(64);
}

static inline uint32_t
parse_number(const char *text, uint32_t max)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || number > max)
		load_usage_exit();
	return (uint32_t)number;
}

static inline void
parse_address(union address *address, const char *text)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &address->in.sin_addr) == 1)
		address->in.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &address->in6.sin6_addr) == 1)
		address->in6.sin6_family = AF_INET6;
	else
		load_usage_exit();
}

static inline char
parse_hex(const char digits[2])
{
	char copy[3] = { digits[0], digits[0] != '\0' ? digits[1] : '\0', 0 };
	char *end;
	unsigned long value = strtoul(copy, &end, 16);

	if (end != copy + 2)
		load_usage_exit();
	return (char)value;
}

static inline void
parse_text(struct text *text, const char *word)
{
	static const char letters[] = "rnt\\";
	static const char bytes[] = "\r\n\t\\";

	for (text->length = 0; *word != '\0'; text->length++) {
		char *out = &text->bytes[text->length];
		const char *letter;

		if (text->length == sizeof(text->bytes))
			load_usage_exit();
		*out = *word++;
		if (*out != '\\')
			continue;
		if (*word == 'x') {
			*out = parse_hex(word + 1);
			word += 3;
			continue;
		}
		letter = *word != '\0' ? strchr(letters, *word) : NULL;
		if (letter == NULL)
			load_usage_exit();
		*out = bytes[letter - letters];
		word++;
	}
}

/* One row an option that is a number. */
static inline bool
parse_numeric(struct options *options, int which, const char *word)
{
	const struct {
		int which;
		uint32_t *number;
		uint32_t max;
	} rows[] = {
		{ 'c', &options->clients, 100000 },
		{ 't', &options->seconds, 3600 },
		{ 'p', &options->pieces, PIECES_MAX },
		{ 'g', &options->gap_ms, 60000 },
		{ 'S', &options->sources, 1U << 24 },
		{ 's', &options->step64, 1U << 16 },
		{ 'w', &options->slow, 100000 },
		{ 'd', &options->drip, 100000 },
		{ 'H', &options->held_sources, 1U << 24 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].which == which) {
			*rows[i].number = parse_number(word, rows[i].max);
			return true;
		}
	}
	return false;
}

static inline void
parse_other(struct options *options, int which, const char *word)
{
	if (which == 'n')
		options->count = parse_number(word, 1U << 30);
	else if (which == 'r')
		parse_text(&options->request, word);
	else if (which == 'e')
		parse_text(&options->expected, word);
	else if (which == 'x')
		parse_text(&options->slow_text, word);
	else if (which == 'b')
		parse_address(&options->source_base, word);
	else if (which == 'B')
		parse_address(&options->held_base, word);
	else if (which == 'a')
		options->holds_again = true;
	else if (which == 'u')
		options->gives_up = true;
	else if (which == 'i')
		options->prints_histogram = true;
	else if (which == 'h')
		options->half_closes = true;
	else
		load_usage_exit();
}

static inline void
default_options(struct options *options)
{
	memset(options, 0, sizeof(*options));
	options->clients = 64;
	options->seconds = 10;
	options->sources = 65536;
	options->pieces = 1;
	options->gap_ms = 5;
	parse_text(&options->request, "no-such-service\\r\\n");
	parse_text(&options->expected, "-Service not available\\r\\n");
}

static inline void
finish_options(struct options *options, const char *address, const char *port)
{
	const uint16_t number = htons((uint16_t)parse_number(port, 65535));
	bool is_in6;

	parse_address(&options->target, address);
	is_in6 = options->target.any.sa_family == AF_INET6;
	if (is_in6)
		options->target.in6.sin6_port = number;
	else
		options->target.in.sin_port = number;
	if (options->source_base.any.sa_family == 0)
		parse_address(
		    &options->source_base, is_in6 ? "fd7f:1::" : "127.1.0.0");
	if (options->held_base.any.sa_family == 0)
		parse_address(
		    &options->held_base, is_in6 ? "fd7f:2::" : "127.128.0.0");
	if (options->pieces == 0 ||
	    (options->pieces > 1 && options->pieces > options->request.length))
		load_usage_exit();
}

static inline void
parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "clients", required_argument, NULL, 'c' },
		{ "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "request", required_argument, NULL, 'r' },
		{ "expect", required_argument, NULL, 'e' },
		{ "split", required_argument, NULL, 'p' },
		{ "gap", required_argument, NULL, 'g' },
		{ "sources", required_argument, NULL, 'S' },
		{ "source-base", required_argument, NULL, 'b' },
		{ "step64", required_argument, NULL, 's' },
		{ "give-up", no_argument, NULL, 'u' },
		{ "slow", required_argument, NULL, 'w' },
		{ "slow-text", required_argument, NULL, 'x' },
		{ "drip", required_argument, NULL, 'd' },
		{ "held-sources", required_argument, NULL, 'H' },
		{ "held-base", required_argument, NULL, 'B' },
		{ "hold-again", no_argument, NULL, 'a' },
		{ "half-close", no_argument, NULL, 'h' },
		{ "histogram", no_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	int which;

	default_options(options);
	while ((which = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!parse_numeric(options, which, optarg))
			parse_other(options, which, optarg);
	if (argc - optind != 2)
		load_usage_exit();
	finish_options(options, argv[optind], argv[optind + 1]);
}

#endif

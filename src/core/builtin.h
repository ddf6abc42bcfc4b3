#ifndef CORE_BUILTIN_H
#define CORE_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The small services that tcpmuxd brings along: which there are, and what
 * they say that depends on nothing but the time.
 */
enum builtin {
	BUILTIN_ECHO, /* RFC 862 */
	BUILTIN_DISCARD, /* RFC 863 */
	BUILTIN_DAYTIME, /* RFC 867 */
	BUILTIN_TIME, /* RFC 868 */
	BUILTIN_CHARGEN, /* RFC 864 */
	BUILTINS,
};

/* As the policy has them; NULL behind the last. */
extern const char *const builtin_words[BUILTINS + 1];

/* The one that is called so; false, and nothing set, if none is. */
bool builtin_find(enum builtin *builtin, const char *word);

/*
 * RFC 867's one line, `Sunday, November 29, 2026 07:05:09-UTC` and CRLF, no
 * NUL; returns its length. seconds: since 1970, up to the end of the year
 * 9999, after which that last second stays.
 */
#define BUILTIN_DAYTIME_BYTES 64u
size_t builtin_daytime(char line[BUILTIN_DAYTIME_BYTES], uint64_t seconds);

/*
 * RFC 868's seconds since 1900, most significant byte first; of seconds since
 * 1970. They begin again on 2036-02-07 at 06:28:16 UTC.
 */
#define BUILTIN_TIME_BYTES 4u
void builtin_time(uint8_t bytes[BUILTIN_TIME_BYTES], uint64_t seconds);

/*
 * RFC 864's pattern: lines of 72 of the 95 printing characters and CRLF, each
 * beginning one character later than the one before. After 95 of them it
 * begins again: that is all of it.
 */
#define BUILTIN_CHARACTERS 95u
#define BUILTIN_LINE_BYTES 74u
#define BUILTIN_PATTERN_BYTES (BUILTIN_CHARACTERS * BUILTIN_LINE_BYTES)
void builtin_pattern(char pattern[BUILTIN_PATTERN_BYTES]);

#endif

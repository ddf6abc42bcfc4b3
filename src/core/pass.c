/*
 * The message that passes a session on to a running server.
 * Trusts the name to be one of the policy's; all the rest are numbers.
 */
#include "core/pass.h"

#include <string.h>

/* KEY=VALUE and a newline, from `at` on; where the next begins. */
static size_t
put(uint8_t *bytes, size_t at, const char *key, const char *value)
{
	size_t key_length = strlen(key);
	size_t length = strlen(value);

	memcpy(bytes + at, key, key_length);
	memcpy(bytes + at + key_length, value, length);
	bytes[at + key_length + length] = '\n';
	return at + key_length + length + 1;
}

static size_t
put_number(uint8_t *bytes, size_t at, const char *key, uint64_t number)
{
	char digits[sizeof("18446744073709551615")];
	char *first = digits + sizeof(digits) - 1;

	*first = '\0';
	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return put(bytes, at, key, first);
}

size_t
pass_encode(uint8_t bytes[PASS_BYTES_MAX], const struct pass *pass)
{
	char peer[ADDR_TEXT_BYTES], local[ADDR_TEXT_BYTES];
	size_t at;

	(void)addr_format(&pass->peer, peer);
	(void)addr_format(&pass->local, local);
	at = put(bytes, 0, "service=", pass->service);
	at = put(bytes, at, "addr=", peer);
	at = put_number(bytes, at, "port=", pass->peer.port);
	at = put(bytes, at, "local=", local);
	at = put_number(bytes, at, "session=", pass->session);
	bytes[at] = '\n';
	return at + 1;
}

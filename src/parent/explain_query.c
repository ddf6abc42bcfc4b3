/*
 * The question of tcpmuxd -C, from the command line.
 * Trusts whoever asks to mean what he writes, not to write it right.
 * Never resolves the name of a host.
 */
#include "parent/explain.h"

#include <net/if.h>
#include <stdarg.h>
#include <string.h>

#include "core/moment.h"
#include "core/policy_suggest.h"
#include "core/zone.h"

#define QUERY_BYTES 1024

struct reading {
	struct explain_query *query;
	char *problem;
};

struct key {
	const char *name;
	bool is_required;
	bool (*take)(struct reading *reading, const char *value);
};

static bool complain(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* False, to be returned. */
static bool
complain(struct reading *reading, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(
	    reading->problem, EXPLAIN_PROBLEM_BYTES, format, arguments);
	va_end(arguments);
	return false;
}

static bool
take_service(struct reading *reading, const char *value)
{
	size_t length = strlen(value);

	if (!name_is_valid((const uint8_t *)value, length))
		return complain(reading,
		    "'%s' is not a service name: 1 to %d printable ASCII "
		    "characters without blanks",
		    value, NAME_MAX_BYTES);
	memcpy(reading->query->service, value, length + 1);
	return true;
}

/* An address as accept4 would have it: a link's with the link. */
static bool
take_addr(struct reading *reading, const char *value)
{
	struct addr *peer = &reading->query->peer;
	size_t length = strcspn(value, "%");
	const char *zone = value[length] == '%' ? value + length + 1 : NULL;

	if (!addr_parse(peer, value, length))
		return complain(reading,
		    "'%s' is not an address (names of hosts are not looked "
		    "up)",
		    value);
	if (!addr_is_link_local(peer))
		return zone == NULL ||
		    complain(reading,
			"'%s': only a link-local address has a zone", value);
	if (zone == NULL)
		return complain(reading,
		    "'%s' is an address of every link: add which, as in "
		    "%s%%eth0",
		    value, value);
	peer->scope = zone_number((struct text){ zone, strlen(zone) });
	if (peer->scope == 0)
		peer->scope = if_nametoindex(zone);
	return peer->scope != 0 ||
	    complain(reading, "no interface is called '%s'", zone);
}

static bool
take_listener(struct reading *reading, const char *value)
{
	if (value[0] == '\0' ||
	    strlen(value) >= sizeof(reading->query->listener))
		return complain(reading, "'%s' is no listener", value);
	memcpy(reading->query->listener, value, strlen(value) + 1);
	return true;
}

static bool
take_time(struct reading *reading, const char *value)
{
	return moment_parse(value, strlen(value), &reading->query->minute) ||
	    complain(reading,
		"'%s' is not a time, as in 'mon 14:30' or "
		"'2026-11-30T14:30'",
		value);
}

static const struct key keys[] = {
	{ "service", true, take_service },
	{ "addr", true, take_addr },
	{ "listener", false, take_listener },
	{ "time", false, take_time },
};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static const struct key *
find_key(struct reading *reading, const char *name)
{
	struct suggestion nearest = { NULL, 0 };
	const struct text text = { name, strlen(name) };

	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(name, keys[i].name) == 0)
			return &keys[i];
		suggest_consider(&nearest, text, keys[i].name);
	}
	if (nearest.word != NULL)
		(void)complain(reading,
		    "-C has no key '%s'; did you mean '%s'?", name,
		    nearest.word);
	else
		(void)complain(reading,
		    "-C has no key '%s': service, addr, listener and time",
		    name);
	return NULL;
}

/* Cuts the next key=value off, undoing its escapes; NULL: there is none. */
static char *
cut_pair(char **rest)
{
	char *pair = *rest, *from = pair, *to = pair;

	if (pair == NULL)
		return NULL;
	for (; *from != '\0' && *from != ','; from++) {
		if (*from == '\\' && (from[1] == ',' || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	*rest = *from == ',' ? from + 1 : NULL;
	*to = '\0';
	return pair;
}

static bool
take_pair(struct reading *reading, char *pair, bool is_given[KEYS])
{
	char *equals = strchr(pair, '=');
	const struct key *key;

	if (equals == NULL)
		return complain(reading, "'%s' is not KEY=VALUE", pair);
	*equals = '\0';
	key = find_key(reading, pair);
	if (key == NULL)
		return false;
	if (is_given[key - keys])
		return complain(reading, "'%s' is given twice", key->name);
	is_given[key - keys] = true;
	return key->take(reading, equals + 1);
}

bool
explain_read(struct explain_query *query, const char *text, uint32_t now,
    /* NOLINTNEXTLINE(readability-non-const-parameter): `reading` writes it */
    char problem[EXPLAIN_PROBLEM_BYTES])
{
	struct reading reading = { .query = query, .problem = problem };
	bool is_given[KEYS] = { false };
	char copy[QUERY_BYTES];
	char *rest = copy;

	*query = (struct explain_query){ .minute = now };
	if (strlen(text) >= sizeof(copy))
		return complain(&reading, "what is asked with -C is too long");
	memcpy(copy, text, strlen(text) + 1);
	for (char *pair = cut_pair(&rest); pair != NULL; pair = cut_pair(&rest))
		if (!take_pair(&reading, pair, is_given))
			return false;
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].is_required && !is_given[i])
			return complain(&reading,
			    "-C lacks '%s': write -C service=S,addr=A",
			    keys[i].name);
	return true;
}

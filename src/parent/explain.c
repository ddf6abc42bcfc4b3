/*
 * What the policy decides about a client and a service, and by which line.
 * Trusts the image, which was checked whole when it was mapped.
 * Never decides itself: it asks what the parent asks, and tells.
 */
#include "parent/explain.h"

#include <string.h>

#include "core/access.h"
#include "core/moment.h"
#include "core/policy_print.h"
#include "core/reply.h"
#include "core/source.h"

struct explanation {
	const struct image *image;
	const struct explain_query *query;
	FILE *out;
	int64_t service; /* index in the image, or -1 */
	struct image_listeners listeners; /* that are asked about */
};

static bool
is_asked(const struct explanation *about, uint32_t listener)
{
	return (about->listeners.bits[listener / 64] >> listener % 64 & 1) != 0;
}

/* ADDRESS:PORT, brackets around IPv6, a zone by its number. */
static void
format_listener(const struct image_listen *listen, char *text, size_t size)
{
	char address[ADDR_TEXT_BYTES];
	bool is_v4 = listen->addr.family == ADDR_V4;

	addr_format(&listen->addr, address);
	(void)snprintf(text, size, is_v4 ? "%s:%u" : "[%s]:%u", address,
	    listen->addr.port);
}

static bool
is_called(const struct image *image, const struct image_listen *listen,
    const char *name)
{
	char text[ADDR_TEXT_BYTES + 16];

	format_listener(listen, text, sizeof(text));
	return strcmp(name, text) == 0 ||
	    (listen->name.length > 0 &&
		strcmp(name, image_text(image, listen->name)) == 0);
}

static bool
find_listeners(struct explanation *about)
{
	const char *name = about->query->listener;
	bool is_found = false;

	for (uint32_t i = 0; i < image_count(about->image, IMAGE_LISTENS);
	     i++) {
		const struct image_listen *listen =
		    image_listen(about->image, i);

		if (name[0] != '\0' && !is_called(about->image, listen, name))
			continue;
		about->listeners.bits[i / 64] |= UINT64_C(1) << i % 64;
		is_found = true;
	}
	return is_found;
}

/* A path may have anything in it, and this may be a terminal. */
static void
put_place(const struct explanation *about, const struct image_place *place)
{
	for (const char *at = image_text(about->image, place->file);
	     *at != '\0'; at++)
		(void)fputc(
		    (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at,
		    about->out);
	(void)fprintf(about->out, ":%u", place->line);
}

/* The rule that the place is of. */
static const struct image_rule *
rule_of(const struct explanation *about, struct image_range rules,
    const struct image_place *place)
{
	for (uint32_t i = 0; i < rules.count; i++) {
		const struct image_rule *rule =
		    image_rule(about->image, rules.first + i);

		if (&rule->place == place)
			return rule;
	}
	return NULL;
}

static void
put_access(const struct explanation *about, const struct access *access,
    struct image_range rules)
{
	static const char *const words[] = {
		[ACCESS_ALLOWED] = "allowed by",
		[ACCESS_DISABLED] = "disabled at",
		[ACCESS_LISTENER] = "not on this listener at",
		[ACCESS_DENIED] = "denied by",
		[ACCESS_HOURS] = "outside hours at",
	};
	const struct image_rule *rule;

	if (access->place == NULL) {
		(void)fputs("denied: no rule matches\n", about->out);
		return;
	}
	(void)fprintf(about->out, "%s ", words[access->reason]);
	put_place(about, access->place);
	rule = rule_of(about, rules, access->place);
	if (rule != NULL)
		(void)fprintf(about->out, " (%s%s)",
		    rule->is_allow ? "allow" : "deny",
		    rule->kind == IMAGE_RULE_ANY ? " any" : "");
	(void)fputc('\n', about->out);
}

static struct asker
asker_of(const struct explanation *about, uint32_t listener)
{
	return (struct asker){ .peer = about->query->peer,
		.listener = listener,
		.minute = about->query->minute };
}

static bool
tell_admission(const struct explanation *about)
{
	struct access access = access_admit(about->image, &about->query->peer);

	(void)fputs("admission: ", about->out);
	put_access(about, &access, image_global(about->image)->admission);
	return access.reason == ACCESS_ALLOWED;
}

/* One line; whether it is served. */
static bool
tell_service(
    const struct explanation *about, uint32_t listener, bool names_listener)
{
	const struct image_service *service =
	    image_service(about->image, (uint32_t)about->service);
	const struct asker asker = asker_of(about, listener);
	struct access access =
	    access_decide(about->image, (uint32_t)about->service, &asker);
	char text[ADDR_TEXT_BYTES + 16];

	format_listener(
	    image_listen(about->image, listener), text, sizeof(text));
	(void)fprintf(about->out,
	    "service %s%s%s: ", image_text(about->image, service->name),
	    names_listener ? " on " : "", names_listener ? text : "");
	if (access.reason == ACCESS_ALLOWED &&
	    service->kind == IMAGE_KIND_TRAP) {
		(void)fputs("trap at ", about->out);
		put_place(about, &service->place);
		(void)fputc('\n', about->out);
		return false;
	}
	put_access(about, &access, service->rules);
	return access.reason == ACCESS_ALLOWED;
}

/* Whether the decision is another one through another listener. */
static bool
depends_on_listener(const struct explanation *about)
{
	struct access first = { .place = NULL };
	bool has_first = false;

	for (uint32_t i = 0; i < image_count(about->image, IMAGE_LISTENS);
	     i++) {
		const struct asker asker = asker_of(about, i);
		struct access access;

		if (!is_asked(about, i))
			continue;
		access = access_decide(
		    about->image, (uint32_t)about->service, &asker);
		if (has_first &&
		    (access.reason != first.reason ||
			access.place != first.place))
			return true;
		first = access;
		has_first = true;
	}
	return false;
}

/* A line, or one a listener if they differ; whether one of them serves. */
static bool
tell_services(const struct explanation *about)
{
	bool names_listener;
	bool is_served = false;

	if (about->service == -1) {
		(void)fprintf(about->out, "service %s: no such service\n",
		    about->query->service);
		return false;
	}
	names_listener = depends_on_listener(about);
	for (uint32_t i = 0; i < image_count(about->image, IMAGE_LISTENS);
	     i++) {
		if (!is_asked(about, i))
			continue;
		if (tell_service(about, i, names_listener))
			is_served = true;
		if (!names_listener)
			break;
	}
	return is_served;
}

static void
tell_server(
    const struct explanation *about, const struct image_service *service)
{
	(void)fprintf(about->out, "passed to: %s\n",
	    image_text(about->image, service->program));
	if (!about->query->skips_system)
		(void)fprintf(
		    about->out, "its server is: uid %u\n", service->uid);
}

static void
tell_identity(
    const struct explanation *about, const struct image_service *service)
{
	if (service->kind == IMAGE_KIND_BUILTIN)
		(void)fprintf(about->out, "builtin: %s\n",
		    image_text(about->image,
			image_word(about->image, service->argv.first + 1)));
	else
		(void)fprintf(about->out, "program: %s\n",
		    image_text(about->image, service->program));
	if (about->query->skips_system)
		return;
	if ((service->flags & IMAGE_SERVICE_SELF) != 0) {
		(void)fputs("runs as: whoever runs tcpmuxd\n", about->out);
		return;
	}
	(void)fprintf(
	    about->out, "runs as: uid %u gid %u", service->uid, service->gid);
	for (uint32_t i = 0; i < service->groups.count; i++)
		(void)fprintf(about->out, "%s %u", i == 0 ? " groups" : "",
		    image_gid(about->image, service->groups.first + i));
	(void)fputc('\n', about->out);
}

static void
tell_limits(
    const struct explanation *about, const struct image_service *service)
{
	const struct image_global *global = image_global(about->image);
	char rate[POLICY_RATE_BYTES], source_rate[POLICY_RATE_BYTES];

	if (service != NULL) {
		policy_rate_text(&service->rate, rate);
		policy_rate_text(&service->source_rate, source_rate);
		(void)fprintf(about->out,
		    "service limits: sessions %u, per-source %u\n"
		    "service rates: rate %s, source-rate %s\n",
		    service->sessions, service->per_source, rate, source_rate);
	}
	policy_rate_text(&global->rate, rate);
	(void)fprintf(about->out,
	    "admission limits: sessions %u, pending %u, pending-per-source "
	    "%u, per-source %u\n"
	    "admission rates: rate %s\n",
	    global->sessions, global->pending, global->pending_per_source,
	    global->per_source, rate);
}

static void
tell_source(const struct explanation *about)
{
	const struct image_global *global = image_global(about->image);
	const struct addr *peer = &about->query->peer;
	unsigned bits =
	    peer->family == ADDR_V4 ? global->count_by_v4 : global->count_by_v6;
	struct source_key key =
	    source_key(peer, global->count_by_v4, global->count_by_v6, 0);
	struct addr source = *peer;
	char text[ADDR_TEXT_BYTES];
	const struct image_place *exempt = access_exempt(about->image, peer);

	addr_mask(&source, bits);
	source.scope = source_key_link(&key);
	addr_format(&source, text);
	(void)fprintf(about->out, "counted as: %s/%u\n", text, bits);
	if (exempt == NULL) {
		(void)fputs("exempt: no\n", about->out);
		return;
	}
	(void)fputs("exempt: from rates and penalties by ", about->out);
	put_place(about, exempt);
	(void)fputc('\n', about->out);
}

static void
tell_help(const struct explanation *about, bool is_admitted)
{
	bool is_listed = false;

	for (uint32_t i = 0; i < image_count(about->image, IMAGE_LISTENS) &&
	     is_admitted && about->service != -1;
	     i++) {
		const struct asker asker = asker_of(about, i);

		if (is_asked(about, i) &&
		    reply_shows(about->image, (uint32_t)about->service, &asker))
			is_listed = true;
	}
	(void)fprintf(
	    about->out, "HELP: %s\n", is_listed ? "listed" : "not listed");
}

enum explain_verdict
explain_write(
    const struct image *image, const struct explain_query *query, FILE *out)
{
	struct explanation about = {
		.image = image, .query = query, .out = out, .service = -1
	};
	int64_t name = names_find(&image->names,
	    (const uint8_t *)query->service, strlen(query->service));
	const struct image_service *service = NULL;
	char time[MOMENT_TEXT_BYTES];
	bool is_admitted, is_served;

	if (!find_listeners(&about))
		return EXPLAIN_NO_LISTENER;
	if (name != -1) {
		about.service = image_name_service(image, (uint32_t)name);
		service = image_service(image, (uint32_t)about.service);
	}
	is_admitted = tell_admission(&about);
	is_served = tell_services(&about);
	moment_format(query->minute, time);
	(void)fprintf(out, "time: %s\n", time);
	tell_source(&about);
	if (service != NULL && image_is_launched(service))
		tell_identity(&about, service);
	if (service != NULL && service->kind == IMAGE_KIND_PASS)
		tell_server(&about, service);
	tell_limits(&about, service);
	tell_help(&about, is_admitted);
	(void)fprintf(out, "verdict: %s\n",
	    is_admitted && is_served ? "allowed" : "refused");
	return is_admitted && is_served ? EXPLAIN_ALLOWED : EXPLAIN_REFUSED;
}

/*
 * Checks an image's services: what would be executed, as whom, for whom.
 * Trusts that words, rules and the names table were checked before.
 * Never takes a privilege that rootless services cannot have.
 */
#include "core/image_check.h"

#include <string.h>

#include "core/builtin.h"
#include "core/hours.h"

/* The bytes that execve copies for these words, NULs included. */
static uint32_t
words_bytes(const struct image *image, struct image_range range)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < range.count; i++)
		bytes += image_word(image, range.first + i).length + 1;
	return bytes;
}

static bool
is_env(const struct image *image, struct image_range range)
{
	for (uint32_t i = 0; i < range.count; i++) {
		const char *word =
		    image_text(image, image_word(image, range.first + i));
		const char *equals = strchr(word, '=');

		if (equals == NULL || equals == word)
			return false;
	}
	return true;
}

static enum image_error
check_exec(const struct image *image, const struct image_service *service)
{
	if (!image_has_path(image, service->program) ||
	    !image_has_path(image, service->chdir) ||
	    (!image_has_text(image, service->chroot, 0) &&
		!image_has_path(image, service->chroot)))
		return IMAGE_BAD_TEXT;
	if (!image_has_range(image, IMAGE_WORDS, service->argv) ||
	    !image_has_range(image, IMAGE_WORDS, service->env))
		return IMAGE_BAD_RANGE;
	if (service->argv.count < 1 || service->argv.count > IMAGE_ARGV_MAX ||
	    service->env.count > IMAGE_ENV_MAX)
		return IMAGE_BAD_VALUE;
	if (words_bytes(image, service->argv) +
		words_bytes(image, service->env) >
	    IMAGE_EXEC_BYTES_MAX)
		return IMAGE_BAD_VALUE;
	return is_env(image, service->env) ? IMAGE_OK : IMAGE_BAD_VALUE;
}

/* One that there is, without anything that it could not use. */
static bool
is_builtin(const struct image *image, const struct image_service *service)
{
	const uint8_t unusable =
	    IMAGE_SERVICE_NEW_PRIVILEGES | IMAGE_SERVICE_CAPABILITIES_ALL;
	enum builtin builtin;

	return service->argv.count == 2 &&
	    builtin_find(&builtin,
		image_text(
		    image, image_word(image, service->argv.first + 1))) &&
	    service->capabilities == 0 && (service->flags & unusable) == 0 &&
	    service->syscalls == IMAGE_SYSCALLS_DEFAULT;
}

static enum image_error
check_builtin(const struct image *image, const struct image_service *service)
{
	const enum image_error error = check_exec(image, service);

	if (error != IMAGE_OK)
		return error;
	return is_builtin(image, service) ? IMAGE_OK : IMAGE_BAD_VALUE;
}

/* There is nothing that could be executed. */
static enum image_error
check_nothing_run(
    const struct image *image, const struct image_service *service)
{
	if (!image_has_text(image, service->chdir, 0) ||
	    !image_has_text(image, service->chroot, 0))
		return IMAGE_BAD_TEXT;
	if (service->argv.count != 0 || service->env.count != 0 ||
	    service->exits.count != 0 || service->groups.count != 0 ||
	    service->capabilities != 0 || service->filesystem != 0 ||
	    service->gid != 0 || service->syscalls != 0 ||
	    service->network != 0 || service->rlimits_set != 0 ||
	    image_limits_sessions(service) || service->has_nice != 0 ||
	    service->lifetime_s != 0 || service->idle_s != 0 ||
	    service->isolate != 0 ||
	    (service->flags &
		~(IMAGE_SERVICE_DISABLED | IMAGE_SERVICE_UNLISTED)) != 0)
		return IMAGE_BAD_VALUE;
	return IMAGE_OK;
}

/* A trap is nobody, too. */
static enum image_error
check_trap(const struct image *image, const struct image_service *service)
{
	if (!image_has_text(image, service->program, 0))
		return IMAGE_BAD_TEXT;
	if (service->uid != 0)
		return IMAGE_BAD_VALUE;
	return check_nothing_run(image, service);
}

static enum image_error
check_pass(const struct image *image, const struct image_service *service)
{
	if (!image_has_path(image, service->program) ||
	    service->program.length > IMAGE_SOCKET_MAX)
		return IMAGE_BAD_TEXT;
	return check_nothing_run(image, service);
}

/* What it is says what it may have. */
static enum image_error
check_kind(const struct image *image, const struct image_service *service)
{
	static enum image_error (*const checks[])(
	    const struct image *image, const struct image_service *service) = {
		[IMAGE_KIND_EXEC] = check_exec,
		[IMAGE_KIND_TRAP] = check_trap,
		[IMAGE_KIND_BUILTIN] = check_builtin,
		[IMAGE_KIND_PASS] = check_pass,
	};

	if (service->kind >= sizeof(checks) / sizeof(checks[0]))
		return IMAGE_BAD_VALUE;
	return checks[service->kind](image, service);
}

static enum image_error
check_groups(const struct image *image, struct image_range range)
{
	if (!image_has_range(image, IMAGE_GIDS, range))
		return IMAGE_BAD_RANGE;
	if (range.count > IMAGE_GROUPS_MAX)
		return IMAGE_BAD_VALUE;

	const uint32_t *gids = image_gids(image, range);

	for (uint32_t i = 0; i < range.count; i++) {
		if (gids[i] == UINT32_MAX)
			return IMAGE_BAD_VALUE;
		if (i > 0 && gids[i - 1] >= gids[i])
			return IMAGE_BAD_ORDER;
	}
	return IMAGE_OK;
}

/* `self` cannot be given what only root can give. */
static bool
is_privilege(const struct image_service *service)
{
	const uint8_t privileged =
	    IMAGE_SERVICE_NEW_PRIVILEGES | IMAGE_SERVICE_CAPABILITIES_ALL;

	if ((service->flags & ~IMAGE_SERVICE_FLAGS) != 0 ||
	    (service->capabilities & ~IMAGE_CAPABILITIES) != 0)
		return false;
	if ((service->flags & IMAGE_SERVICE_CAPABILITIES_ALL) != 0 &&
	    service->capabilities != 0)
		return false;
	return (service->flags & IMAGE_SERVICE_SELF) == 0 ||
	    ((service->flags & privileged) == 0 && service->capabilities == 0 &&
		service->groups.count == 0 && service->chroot.length == 0 &&
		service->isolate == 0);
}

/* What is not set is 0. */
static bool
is_inherited(const struct image_service *service)
{
	for (uint32_t i = 0; i < IMAGE_RLIMITS; i++) {
		const bool is_set = (service->rlimits_set >> i & 1) != 0;

		if (service->rlimits[i] > (is_set ? IMAGE_RLIMIT_MAX : 0))
			return false;
	}
	if (service->has_nice == 0)
		return service->nice == 0;
	return service->has_nice == 1 && service->nice >= IMAGE_NICE_MIN &&
	    service->nice <= IMAGE_NICE_MAX;
}

/* Of cgroups, which nothing that stays behind may be in; an init is counted. */
static bool
is_limited(const struct image *image, const struct image_service *service)
{
	const uint8_t limited = image_global(image)->limited;

	if (!image_limits_sessions(service))
		return true;
	if ((service->memory != 0 && (limited & IMAGE_SESSION_MEMORY) == 0) ||
	    (service->processes != 0 &&
		(limited & IMAGE_SESSION_PROCESSES) == 0))
		return false;
	return service->leftovers == IMAGE_LEFTOVERS_KILL &&
	    service->processes <= IMAGE_PROCESSES_MAX + 1 &&
	    (service->memory == 0 ||
		(service->memory >= IMAGE_MEMORY_MIN &&
		    service->memory <= IMAGE_RLIMIT_MAX));
}

static bool
is_isolated(uint8_t isolate)
{
	return (isolate & ~IMAGE_ISOLATE_ALL) == 0 &&
	    ((isolate & IMAGE_ISOLATE_PID) == 0 ||
		(isolate & IMAGE_ISOLATE_MOUNT) != 0);
}

/* Given, it says something; not given, it says nothing at all. */
static bool
is_hours(const struct image *image, const struct image_service *service)
{
	struct image_range range = service->hours;
	uint32_t before = 0;

	if (!image_has_optional_place(image, &service->hours_place) ||
	    !image_has_range(image, IMAGE_HOURS, range) ||
	    range.count > IMAGE_HOURS_MAX ||
	    (range.count > 0) != (service->hours_place.line > 0))
		return false;
	for (uint32_t i = 0; i < range.count; i++) {
		const struct image_hours *hours =
		    image_hours(image, range.first + i);

		if ((i > 0 && hours->first <= before) ||
		    hours->end <= hours->first ||
		    hours->end > HOURS_WEEK_MINUTES)
			return false;
		before = hours->end;
	}
	return true;
}

static bool
is_on(const struct image *image, const struct image_service *service)
{
	uint32_t count = image_count(image, IMAGE_LISTENS);
	bool is_some = false;

	for (uint32_t i = 0; i < IMAGE_LISTENS_MAX / 64; i++) {
		uint64_t bits = service->on.bits[i];
		uint32_t left = count > i * 64 ? count - i * 64 : 0;

		if (left < 64 && bits >> left != 0)
			return false;
		is_some |= bits != 0;
	}
	return image_has_optional_place(image, &service->on_place) &&
	    is_some == (service->on_place.line > 0);
}

static bool
is_exits(const struct image *image, struct image_range range)
{
	bool is_seen[256] = { false };

	if (!image_has_range(image, IMAGE_EXITS, range) ||
	    range.count > IMAGE_EXITS_MAX)
		return false;

	const struct image_exit *exits = image_exits(image, range);

	for (uint32_t i = 0; i < range.count; i++) {
		if (exits[i].code == 0 || is_seen[exits[i].code] ||
		    exits[i].penalty_ms > IMAGE_PENALTY_MAX_MS ||
		    exits[i].unused[0] != 0 || exits[i].unused[1] != 0 ||
		    exits[i].unused[2] != 0)
			return false;
		is_seen[exits[i].code] = true;
	}
	return true;
}

/* A program that it is to have is there: no service starts with less. */
static bool
is_confined(const struct image *image, const struct image_service *service)
{
	const unsigned filters = image_service_filters(service);

	if (service->syscalls > IMAGE_SYSCALLS_ANY ||
	    service->network > IMAGE_NETWORK_NONE)
		return false;
	for (int i = 0; i < IMAGE_FILTERS_COUNT; i++)
		if ((filters >> i & 1) != 0 &&
		    image_global(image)->filters[i].count == 0)
			return false;
	/* Nothing that these could be good for could be called. */
	return service->syscalls != IMAGE_SYSCALLS_STDIO ||
	    (service->flags & IMAGE_SERVICE_NEW_PRIVILEGES) == 0;
}

/* Who may become another has no domain that could close anything. */
static bool
is_filesystem(const struct image *image, const struct image_service *service)
{
	return service->filesystem <= image_count(image, IMAGE_RULESETS) &&
	    (service->filesystem == 0 ||
		(service->flags & IMAGE_SERVICE_NEW_PRIVILEGES) == 0);
}

static enum image_error
check_service(const struct image *image, const struct image_service *service)
{
	enum image_error error = check_kind(image, service);

	if (error != IMAGE_OK)
		return error;
	error = check_groups(image, service->groups);
	if (error != IMAGE_OK)
		return error;
	if (!image_has_text(image, service->name, NAME_MAX_BYTES) ||
	    !image_has_place(image, &service->place) ||
	    !image_has_line_text(image, service->reply_text) ||
	    !image_has_line_text(image, service->summary))
		return IMAGE_BAD_TEXT;
	if (!image_has_range(image, IMAGE_RULES, service->rules))
		return IMAGE_BAD_RANGE;
	if (!is_privilege(service) || service->uid == UINT32_MAX ||
	    service->gid == UINT32_MAX || !image_is_limit(service->sessions) ||
	    !image_is_limit(service->per_source) ||
	    service->keepalive_s > IMAGE_KEEPALIVE_MAX_S ||
	    service->lifetime_s > IMAGE_LIFETIME_MAX_S ||
	    service->idle_s > IMAGE_LIFETIME_MAX_S || service->umask > 0777 ||
	    service->reply > IMAGE_REPLY_SERVICE ||
	    service->stderr_to > IMAGE_STDERR_SOCKET ||
	    service->leftovers > IMAGE_LEFTOVERS_KEEP ||
	    service->logged > IMAGE_LOGGED_NONE ||
	    !is_confined(image, service) || !is_filesystem(image, service) ||
	    service->rlimits_set >> IMAGE_RLIMITS != 0 ||
	    !is_inherited(service) || !is_limited(image, service) ||
	    !is_isolated(service->isolate) || !rate_is_valid(&service->rate) ||
	    !rate_is_valid(&service->source_rate) ||
	    !is_hours(image, service) || !is_on(image, service) ||
	    !is_exits(image, service->exits))
		return IMAGE_BAD_VALUE;
	return IMAGE_OK;
}

/*
 * The table is sorted, so if every service finds itself there under its own
 * name, and the entries found come in rising order, services are sorted too.
 */
enum image_error
image_check_service(struct image_inspection *inspection, uint32_t index)
{
	const struct image *image = &inspection->image;
	const struct image_service *service = image_service(image, index);
	enum image_error error = check_service(image, service);

	if (error != IMAGE_OK)
		return error;

	const char *name = image_text(image, service->name);
	int64_t found = names_find(
	    &image->names, (const uint8_t *)name, service->name.length);
	size_t length;

	if (found < 0 ||
	    memcmp(name, names_get(&image->names, (uint32_t)found, &length),
		service->name.length) != 0 ||
	    image_name_service(image, (uint32_t)found) != index)
		return IMAGE_BAD_NAMES;
	if (found <= inspection->name_before)
		return IMAGE_BAD_ORDER;
	inspection->name_before = found;
	return IMAGE_OK;
}

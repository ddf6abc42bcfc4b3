/*
 * From a LAUNCH message and the policy to what the child has to do.
 * Trusts the image, which was checked; of the message only numbers, never a
 * byte that a client sent: there are none in it.
 * Never allocates, and makes no system call.
 */
#include "launcher/plan.h"

#include <errno.h>
#include <string.h>

#include "sys/drop.h"

_Static_assert(IMAGE_GROUPS_MAX <= DROP_GROUPS_MAX, "groups to verify");

/* The longest name of a peer word with its `=`. */
#define NAME_BYTES_MAX 16u

static int
refuse(int error)
{
	errno = error;
	return -1;
}

/* A service is launched from the base it was made for, or not at all. */
static int
check_base(const struct base *base, const struct image_service *service)
{
	const uint8_t kept =
	    IMAGE_SERVICE_NEW_PRIVILEGES | IMAGE_SERVICE_CAPABILITIES_ALL;
	const unsigned filters = image_service_filters(service);
	const bool is_self = (service->flags & IMAGE_SERVICE_SELF) != 0;

	if ((service->flags & IMAGE_SERVICE_DISABLED) != 0 ||
	    !image_is_launched(service))
		return refuse(EPERM);
	if (is_self != (base->kind == BASE_SELF))
		return refuse(EPERM);
	if (base->kind != BASE_FULL &&
	    ((service->flags & kept) != 0 || service->capabilities != 0 ||
		service->isolate != 0))
		return refuse(EPERM);
	if ((service->network == IMAGE_NETWORK_NONE) != base->is_offline)
		return refuse(EPERM);
	/* What all inherit, none can do without. */
	if ((base->filters & ~filters) != 0)
		return refuse(EPERM);
	return 0;
}

static void
plan_filters(struct plan *plan, const struct base *base)
{
	const unsigned filters = image_service_filters(plan->service);

	plan->filters = filters & ~base->filters;
	plan->refuses_clone3 =
	    (filters >> IMAGE_FILTER_DEFAULT & 1) != 0 && !base->lacks_clone3;
}

static void
plan_identity(struct plan *plan, const struct base *base)
{
	const struct image_service *service = plan->service;

	plan->has_new_privileges =
	    (service->flags & IMAGE_SERVICE_NEW_PRIVILEGES) != 0;
	plan->capabilities = service->capabilities;
	if ((service->flags & IMAGE_SERVICE_CAPABILITIES_ALL) != 0)
		plan->capabilities = base->capabilities;
	/* Uid 0 gets its own back from the bounding set when it execs. */
	plan->inheritable = service->uid == 0 ? 0 : plan->capabilities;
	if (base->kind == BASE_SELF) {
		plan->uid = base->uid;
		plan->gid = base->gid;
		plan->groups = NULL;
		plan->group_count = base->group_count;
		return;
	}
	plan->uid = service->uid;
	plan->gid = service->gid;
	plan->groups = image_gids(&base->image, service->groups);
	plan->group_count = service->groups.count;
}

static void
plan_words(
    const char *words[], const struct image *image, struct image_range range)
{
	for (uint32_t i = 0; i < range.count; i++)
		words[i] =
		    image_text(image, image_word(image, range.first + i));
	words[range.count] = NULL;
}

static void
put_word(char word[PLAN_PEER_WORD_BYTES], const char *name, const char *value)
{
	const size_t length = strnlen(name, NAME_BYTES_MAX);

	memcpy(word, name, length);
	/* addr_format's text and a port's digits fit behind any name. */
	memcpy(word + length, value, strnlen(value, ADDR_TEXT_BYTES - 1) + 1);
}

/* Not by snprintf: that uses a kilobyte of stack, to be copied each time. */
static void
format_port(char text[ADDR_TEXT_BYTES], uint16_t port)
{
	size_t length = 1;

	for (unsigned rest = port; rest >= 10; rest /= 10)
		length++;
	text[length] = '\0';
	for (unsigned rest = port; length > 0; rest /= 10)
		text[--length] = (char)('0' + rest % 10);
}

/* The UCSPI names, and the ones of sshd's and CGI's kin. */
static void
plan_peer(struct plan *plan, const struct launch *launch)
{
	char local_addr[ADDR_TEXT_BYTES], local_port[ADDR_TEXT_BYTES];
	char peer_addr[ADDR_TEXT_BYTES], peer_port[ADDR_TEXT_BYTES];
	const struct {
		const char *name, *value;
	} words[PLAN_PEER_WORDS] = {
		{ "TCPLOCALIP=", local_addr },
		{ "TCPLOCALPORT=", local_port },
		{ "TCPREMOTEIP=", peer_addr },
		{ "TCPREMOTEPORT=", peer_port },
		{ "REMOTE_ADDR=", peer_addr },
		{ "REMOTE_HOST=", peer_addr },
		{ "REMOTE_PORT=", peer_port },
	};

	(void)addr_format(&launch->local, local_addr);
	(void)addr_format(&launch->peer, peer_addr);
	format_port(local_port, launch->local.port);
	format_port(peer_port, launch->peer.port);
	for (size_t i = 0; i < PLAN_PEER_WORDS; i++) {
		put_word(plan->peer_words[i], words[i].name, words[i].value);
		plan->envp[i] = plan->peer_words[i];
	}
}

int
plan_make(
    struct plan *plan, const struct base *base, const struct launch *launch)
{
	const struct image *image = &base->image;
	const struct image_service *service;
	bool has_pipe;

	if (launch->service >= image_count(image, IMAGE_SERVICES))
		return refuse(EINVAL);
	service = image_service(image, launch->service);
	has_pipe = (launch->flags & LAUNCH_STDERR) != 0;
	if (has_pipe != (service->stderr_to == IMAGE_STDERR_LOG))
		return refuse(EINVAL);
	if ((launch->flags & LAUNCH_CGROUP) != 0 &&
	    service->leftovers == IMAGE_LEFTOVERS_KEEP)
		return refuse(EINVAL);
	if (check_base(base, service) != 0)
		return -1;
	plan->service = service;
	plan->program = image_text(image, service->program);
	plan->chdir = image_text(image, service->chdir);
	plan->chroot = service->chroot.length == 0
	    ? NULL
	    : image_text(image, service->chroot);
	plan_words(plan->argv, image, service->argv);
	plan_peer(plan, launch);
	plan_words(plan->envp + PLAN_PEER_WORDS, image, service->env);
	plan_identity(plan, base);
	plan_filters(plan, base);
	plan->reply_length = reply_accept(image, service, plan->reply);
	return 0;
}

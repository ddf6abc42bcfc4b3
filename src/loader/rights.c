/*
 * The rights that it takes to make a service who it is, and those that it
 * shall keep: whether tcpmuxd has them.
 * Trusts what loader/machine has found out.
 * Never lets a policy load that a launch would have to refuse.
 */
#include "loader/load.h"

#include <linux/capability.h>

#define NO_NEW_PRIVS \
	"tcpmuxd was started with no_new_privs (systemd: 'NoNewPrivileges=')"

bool
load_has_capability(const struct load *load, unsigned capability)
{
	return (load->options->capabilities >> capability & 1) != 0;
}

void
load_need(struct load *load, unsigned capability, const char *name,
    const char *directive, struct place place)
{
	/* Without root it is said already that there is no such thing. */
	if (load->options->skips_system || !load->is_root ||
	    load_has_capability(load, capability))
		return;
	problems_add(&load->problems, PROBLEM_ERROR, place,
	    "'%s' needs %s, which tcpmuxd does not have", directive, name);
}

/* Groups are set even if they are none. */
static void
need_groups(struct load *load, const struct policy_service *from)
{
	const char *directive = "user";
	struct place place = from->user.place;

	if (from->groups_kind == POLICY_GROUPS_NAMED) {
		directive = "groups";
		place = load_words(load, from->groups)[0].place;
	} else if (from->group.text.length > 0) {
		directive = "group";
		place = from->group.place;
	}
	load_need(load, CAP_SETGID, "CAP_SETGID", directive, place);
}

/* Filters are entered by right where no_new_privs is not to be. */
static void
check_new_privileges(struct load *load, const struct policy_service *from,
    const struct image_service *to)
{
	const struct place place = from->new_privileges_place;

	if (load->options->machine.has_no_new_privileges)
		problems_add(&load->problems, PROBLEM_ERROR, place,
		    "'new-privileges': " NO_NEW_PRIVS ", which nothing lifts");
	if (image_service_filters(to) != 0)
		load_need(load, CAP_SYS_ADMIN,
		    "'syscalls any' and 'network any', or CAP_SYS_ADMIN",
		    "new-privileges", place);
}

void
load_rights(struct load *load, const struct policy_service *from,
    const struct image_service *to)
{
	const struct place place = from->user.place;

	if (load->options->machine.is_root_nobody)
		problems_add(&load->problems, PROBLEM_ERROR, place,
		    "'user': tcpmuxd was started with the securebit noroot "
		    "(systemd: 'SecureBits='), and so cannot hand on the "
		    "rights to become anybody");
	if (to->uid != 0)
		load_need(load, CAP_SETUID, "CAP_SETUID", "user", place);
	need_groups(load, from);
	if (from->has_new_privileges)
		check_new_privileges(load, from, to);
	else
		load_need(load, CAP_SETPCAP, "CAP_SETPCAP", "user", place);
}

void
load_capability(struct load *load, const struct word *word, unsigned capability)
{
	const struct loader_options *options = load->options;
	const struct machine *machine = &options->machine;
	const uint64_t bit = UINT64_C(1) << capability;
	const char *why = NULL;

	if (options->skips_system)
		return;
	if ((machine->bounding & bit) == 0)
		why = "tcpmuxd's bounding set lacks it (systemd: "
		      "'CapabilityBoundingSet=')";
	else if (machine->has_no_new_privileges &&
	    (options->capabilities & options->keeps & bit) == 0)
		why = NO_NEW_PRIVS ", and so gives none that it does not keep "
				   "for itself";
	if (why != NULL)
		problems_add(&load->problems, PROBLEM_ERROR, word->place,
		    "'capabilities %.*s': %s", TEXT_ARGS(word->text), why);
}

#ifndef LOADER_LOAD_H
#define LOADER_LOAD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "loader/accounts.h"
#include "loader/build.h"
#include "loader/files.h"
#include "loader/loader.h"
#include "loader/paths.h"
#include "loader/problems.h"
#include "loader/sets.h"

/* One load: the parts of loader_load share it, nobody else sees it. */
struct load {
	const struct loader_options *options;
	const struct policy *policy; /* parsed without errors */
	struct problems problems;
	struct files files;
	struct buffer texts; /* struct policy_text of each file but nets' */
	struct table included; /* device and inode: line + 1; see is_new */
	uint32_t directories; /* that are included */
	struct accounts accounts;
	struct paths paths;
	struct build build;
	bool is_root; /* may become anybody; true if it does not matter */
	uint32_t uid, gid; /* ours */
	/*
	 * What many services inherit is worked out once: the range of hours
	 * that begin with each line, and the last listeners.
	 */
	struct buffer hours; /* of struct image_range; count 0: not yet */
	struct span on_span;
	struct image_listeners on;
	char builtin_path[PATH_MAX]; /* once looked for; or empty */
	bool has_diag; /* the kernel was asked, and tells of connections */
	struct table rulesets; /* bytes of image_paths: number + 1 */
	struct table sharers; /* uid: how many services; see load_sharers */
	struct buffer sharer_places;
};

/* The default of `parser { user }`. */
#define LOAD_PARSER_USER "_tcpmuxd"

/* What a load begins and ends with; policy is set in between. */
void load_init(struct load *load, const struct loader_options *options);
void load_finish(struct load *load);

/*
 * Reads the main file and all that it includes; false after a problem that
 * leaves nothing to be parsed. Other problems can still be added to.
 */
bool load_texts(struct load *load);

/*
 * Looks up what the policy names, and fills load->build: false after at least
 * one problem. The policy and its texts are not needed after that.
 */
bool load_build(struct load *load);

/*
 * Makes what was built an image: its block, malloc'ed, checked and the
 * caller's, or NULL after a problem.
 */
void *load_image(struct load *load, size_t *size);

/* A problem of the machine's, of the whole policy: what, and errno. */
void load_errno(struct load *load, const char *what);

/* Whether there may be one more file; if not, that is a problem. */
bool load_has_room(struct load *load, struct place place);

/* Parts of load_build; what they cannot resolve is a problem. */
void load_global(struct load *load);
void load_nets(struct load *load);
void load_rules(struct load *load);
void load_services(struct load *load);
void load_names(struct load *load, const struct policy_service *const *sorted);
void load_listens(struct load *load);
/*
 * The interface that a zone names, by its name or number; 0 if there is no
 * zone, or after a problem, or if the system is not to be asked.
 */
uint32_t load_zone(struct load *load, struct text zone, struct place place);
/* Adds a prefix to the set that is being built. */
void load_prefix(struct load *load, const struct prefix *prefix,
    struct text zone, struct place place);
/* When it may be used, and through which listeners. */
void load_access(struct load *load, const struct policy_service *from,
    struct image_service *to);
/* Who a service runs as; account's texts are the accounts'. */
void load_who(struct load *load, const struct policy_service *from,
    struct image_service *to, struct account *account);
/* That tcpmuxd can make it who it is, and give it what it shall keep. */
void load_rights(struct load *load, const struct policy_service *from,
    const struct image_service *to);
/* That it can give one of root's capabilities, by the word for it. */
void load_capability(
    struct load *load, const struct word *word, unsigned capability);
/* How long its sessions may last. */
void load_lasting(struct load *load, const struct policy_service *from,
    struct image_service *to);
/* What it executes, and where. */
void load_exec(struct load *load, const struct policy_service *from,
    struct image_service *to);
/*
 * The path of the program that serves builtins, the load's; or an empty one
 * after a problem with this one.
 */
#define LOAD_BUILTIN_PROGRAM "tcpmuxd-builtin"
struct text load_builtin_path(struct load *load, const struct word *builtin);
void load_env(struct load *load, const struct policy_service *from,
    const struct account *account, struct image_service *to);
/* Whether it can have `network none`, and by what. */
void load_network(struct load *load, const struct policy_service *from);
/* Which server it is passed on to. */
void load_pass(struct load *load, const struct policy_service *from,
    struct image_service *to);
/* The programs that judge its services' system calls. */
void load_filters(struct load *load);
/* What it may use of the machine, and how it is scheduled. */
void load_limits(struct load *load, const struct policy_service *from,
    struct image_service *to);
/* What each of its sessions may use, and whether it can be held to that. */
void load_session_limits(struct load *load, const struct policy_service *from,
    struct image_service *to);
bool load_has_capability(const struct load *load, unsigned capability);
/* That tcpmuxd has a capability (called `name`) which a directive needs. */
void load_need(struct load *load, unsigned capability, const char *name,
    const char *directive, struct place place);
/* What it may use of the files; its program is loaded already. */
void load_filesystem(struct load *load, const struct policy_service *from,
    struct image_service *to);
/* Warns of every uid that several services run as. */
void load_sharers(struct load *load);

struct image_place load_place(struct load *load, struct place place);
/* A text of the policy in the image; a problem if longer than `most`. */
struct image_text
load_text(struct load *load, struct text text, size_t most, struct place place);

/* A user or group that cannot be used, and why; name is as written. */
void load_account_problem(struct load *load, enum account_error error,
    const char *kind, const struct word *name);

static inline const struct word *
load_words(const struct load *load, struct span span)
{
	return load->policy->words + span.first;
}

static inline bool
load_is_text(struct text text, const char *literal)
{
	size_t i = 0;

	while (i < text.length && literal[i] != '\0' &&
	    text.bytes[i] == literal[i])
		i++;
	return i == text.length && literal[i] == '\0';
}

#endif

/*
 * What services may use of the files: one ruleset for all that may use the
 * same of the same program.
 * Trusts nothing that could be led elsewhere by who does not own the machine.
 * Never opens what is at the end of a path.
 */
#include "loader/load.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sys/landlock.h"

/* What services have to have in common to share a ruleset. No padding. */
struct grants {
	struct image_text root; /* below which the paths lead */
	struct image_path paths[IMAGE_GRANTS_MAX + 1]; /* the program first */
};

/* One that says it has to be there; NULL: none does. */
static const struct policy_grant *
find_required(const struct load *load, struct span grants)
{
	for (uint32_t i = 0; i < grants.count; i++) {
		const struct policy_grant *grant =
		    &load->policy->grants[grants.first + i];

		if (!grant->is_optional)
			return grant;
	}
	return NULL;
}

/* By which the launcher looks what else a program needs. */
static bool
has_proc(struct load *load, const struct policy_service *from)
{
	const int error = load->options->machine.proc_error;

	if (error == 0)
		return true;
	problems_add(&load->problems, PROBLEM_ERROR, from->name.place,
	    "'filesystem' of service '%.*s' needs /proc mounted: %s",
	    TEXT_ARGS(from->name.text), strerror(error));
	return false;
}

/* Whether this kernel can; if not, that is a problem, or is known. */
static bool
can_close(struct load *load, const struct policy_service *from)
{
	const struct policy_grant *required = find_required(load, from->grants);

	if (load->options->skips_system)
		return true;
	if (landlock_abi() > 0)
		return has_proc(load, from);
	if (required == NULL)
		problems_add(&load->problems, PROBLEM_WARNING, from->name.place,
		    "service '%.*s' sees all files: this kernel has no "
		    "Landlock",
		    TEXT_ARGS(from->name.text));
	else
		problems_add(&load->problems, PROBLEM_ERROR,
		    required->path.place,
		    "'filesystem' needs Landlock, which this kernel has not: "
		    "Linux 5.13 has, where it is in 'lsm=' (see landlock(7)); "
		    "or end the line in 'if-available'");
	return false;
}

/* With `isolate mount` each session has others there (launcher/isolate.c). */
static bool
is_own(const struct policy_service *from, struct text path)
{
	static const char *const mounts[] = { "/tmp", "/var/tmp", "/dev/shm" };

	if ((from->isolate & IMAGE_ISOLATE_MOUNT) == 0)
		return false;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (load_is_text(path, mounts[i]))
			return true;
	return false;
}

static void
check_path(struct load *load, struct text root,
    const struct policy_service *from, const struct policy_grant *grant)
{
	const struct word *word = &grant->path;
	struct path_finding found = paths_grant(&load->paths, root, word->text);

	if (found.problem != NULL && !grant->is_optional)
		problems_add(&load->problems, PROBLEM_ERROR, word->place,
		    "cannot use path %.*s: %s; if it may come later, end the "
		    "line in 'if-available'",
		    TEXT_ARGS(word->text), found.problem);
	if (grant->access == IMAGE_ACCESS_WRITE && found.is_read_only &&
	    !grant->is_optional && !is_own(from, word->text))
		problems_add(&load->problems, PROBLEM_ERROR, word->place,
		    "'filesystem write %.*s': it is on a file system that is "
		    "mounted read-only, as tcpmuxd sees it; if that may "
		    "change, end the line in 'if-available'",
		    TEXT_ARGS(word->text));
	if (found.doubt != NULL)
		problems_add(&load->problems, PROBLEM_WARNING, word->place,
		    "path %.*s may come to be another: %s",
		    TEXT_ARGS(word->text), found.doubt);
}

static int
compare_paths(const void *left, const void *right)
{
	const struct image_path *a = left;
	const struct image_path *b = right;

	return (a->path.offset > b->path.offset) -
	    (a->path.offset < b->path.offset);
}

/* Each path once, with all that it may be used for. Returns how many. */
static uint32_t
merge(struct image_path paths[], uint32_t count)
{
	uint32_t kept = 0;

	qsort(paths, count, sizeof(paths[0]), compare_paths);
	for (uint32_t i = 0; i < count; i++) {
		if (kept == 0 ||
		    paths[kept - 1].path.offset != paths[i].path.offset) {
			paths[kept++] = paths[i];
			continue;
		}
		paths[kept - 1].access |= paths[i].access;
		paths[kept - 1].flags &= paths[i].flags;
	}
	return kept;
}

/* The ruleset of these paths, there already or not; its number + 1. */
static uint32_t
put_ruleset(struct load *load, const struct grants *grants, uint32_t count)
{
	struct build *build = &load->build;
	struct image_ruleset ruleset = { .paths = { .first = build_count(
							build, IMAGE_PATHS),
					     .count = count } };
	const size_t bytes = count * sizeof(grants->paths[0]);
	struct table_entry *entry = table_put(
	    &load->rulesets, grants, offsetof(struct grants, paths) + bytes);

	if (entry->value == 0) {
		memcpy(
		    build_add(build, IMAGE_PATHS, count), grants->paths, bytes);
		*(struct image_ruleset *)build_add(build, IMAGE_RULESETS, 1) =
		    ruleset;
		entry->value = build_count(build, IMAGE_RULESETS);
	}
	return entry->value;
}

/* Below a root that cannot be used, nothing is looked at. */
static void
check_paths(struct load *load, const struct policy_service *from,
    const struct image_service *to)
{
	struct text root = { .length = 0 };

	if (to->chroot.length > 0)
		root = from->chroot.text;
	if (root.length > 0 && paths_root(&load->paths, root).problem != NULL)
		return;
	for (uint32_t i = 0; i < from->grants.count; i++)
		check_path(load, root, from,
		    &load->policy->grants[from->grants.first + i]);
}

/* The program's own problems, and that it is lacking, are told elsewhere. */
void
load_filesystem(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	struct grants grants = { .root = to->chroot };
	uint32_t count = from->grants.count;

	if (!from->has_filesystem || !can_close(load, from))
		return;
	check_paths(load, from, to);
	grants.paths[0] = (struct image_path){ .path = to->program,
		.access = IMAGE_ACCESS_BIT(IMAGE_ACCESS_EXEC),
		.flags = IMAGE_PATH_OPTIONAL };
	for (uint32_t i = 0; i < count; i++) {
		const struct policy_grant *grant =
		    &load->policy->grants[from->grants.first + i];

		grants.paths[i + 1] = (struct image_path){
			.path = load_text(load, grant->path.text,
			    IMAGE_TEXT_MAX, grant->path.place),
			.access = (uint8_t)IMAGE_ACCESS_BIT(grant->access),
			.flags = grant->is_optional ? IMAGE_PATH_OPTIONAL : 0,
		};
	}
	to->filesystem =
	    put_ruleset(load, &grants, 1 + merge(grants.paths + 1, count));
}

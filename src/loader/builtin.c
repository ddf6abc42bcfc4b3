/*
 * Where the program is that serves builtins.
 * Trusts sys/installed for the places; what lies there is looked at like any
 * program that a policy names.
 */
#include "loader/load.h"

#include <string.h>
#include <unistd.h>

#include "sys/installed.h"

/* Sets the path; false if it is in none of the places. */
static bool
find(struct load *load)
{
	char *path = load->builtin_path;

	/* On another machine it is where this one would have it. */
	if (load->options->skips_system)
		return installed_path(
			   path, LOAD_BUILTIN_PROGRAM, INSTALLED_LIBEXEC) == 0;
	for (int i = 0; i < INSTALLED_PLACES; i++)
		if (installed_path(path, LOAD_BUILTIN_PROGRAM,
			(enum installed_place)i) == 0 &&
		    access(path, F_OK) == 0)
			return true;
	path[0] = '\0';
	return false;
}

static void
explain(struct load *load, const struct word *builtin)
{
	char beside[PATH_MAX] = "", libexec[PATH_MAX] = "";

	(void)installed_path(beside, LOAD_BUILTIN_PROGRAM, INSTALLED_BESIDE);
	(void)installed_path(libexec, LOAD_BUILTIN_PROGRAM, INSTALLED_LIBEXEC);
	problems_add(&load->problems, PROBLEM_ERROR, builtin->place,
	    "the program that serves '%.*s' is missing: there is neither %s "
	    "nor %s",
	    TEXT_ARGS(builtin->text), beside, libexec);
}

struct text
load_builtin_path(struct load *load, const struct word *builtin)
{
	char *path = load->builtin_path;

	if (path[0] == '\0' && !find(load))
		explain(load, builtin);
	return (struct text){ path, strlen(path) };
}

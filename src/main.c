/*
 * tcpmuxd: options, and which of its roles to take.
 * Trusts its command line, as any daemon does.
 * Never goes to the background: that is a supervisor's business.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"
#include "parent/limits.h"
#include "parent/start.h"
#include "sys/fd.h"

#define DEFAULT_POLICY "/etc/tcpmuxd/tcpmuxd.policy"

#ifdef TCPMUXD_SANITIZE
#define BUILD_NOTE " (sanitizer build: the parser's filter is relaxed)"
#else
#define BUILD_NOTE ""
#endif

struct options {
	const char *policy_path;
	bool is_check, skips_system, is_verbose, is_debug, wants_version;
};

static enum exit_status
usage(const char *problem)
{
	if (problem != NULL)
		(void)fprintf(stderr, "tcpmuxd: %s\n", problem);
	(void)fprintf(
	    stderr, "usage: tcpmuxd [-dtTsvV] [-a FRAGMENT] [-f FILE]\n");
	return EXIT_STATUS_USAGE;
}

/* EXIT_STATUS_OK, or EXIT_STATUS_USAGE after saying why. */
static enum exit_status
read_options(struct options *options, int argc, char *argv[])
{
	int letter;

	while ((letter = getopt(argc, argv, "a:df:stTvV")) != -1) {
		switch (letter) {
		case 'd':
			options->is_debug = true;
			break;
		case 'f':
			options->policy_path = optarg;
			break;
		case 's':
			options->skips_system = true;
			break;
		case 't':
			options->is_check = true;
			break;
		case 'v':
			options->is_verbose = true;
			break;
		case 'V':
			options->wants_version = true;
			break;
		case 'T':
			return usage("-T is not in this version: "
				     "check a policy with -t");
		case 'a':
			return usage("-a is not in this version: "
				     "check the whole policy with -t");
		default:
			return usage(NULL);
		}
	}
	if (optind != argc)
		return usage("there are options only, no arguments");
	if (options->skips_system && !options->is_check)
		return usage("-s goes with -t");
	return EXIT_STATUS_OK;
}

static enum exit_status
check(const struct options *options)
{
	const struct loader_options wanted = {
		.policy_path = options->policy_path,
		.skips_system = options->skips_system,
		.is_verbose = options->is_verbose,
	};
	int image_fd = loader_run(&wanted, STDERR_FILENO, LIMIT_LOADER_MS);

	if (image_fd < 0)
		return EXIT_STATUS_BAD_CHECK;
	fd_close(&image_fd);
	return EXIT_STATUS_OK;
}

int
main(int argc, char *argv[])
{
	struct options options = { .policy_path = DEFAULT_POLICY };
	enum exit_status status;

	if (fd_fill_standard() != 0)
		return EXIT_STATUS_ROOM;
	status = read_options(&options, argc, argv);
	if (status != EXIT_STATUS_OK)
		return (int)status;
	if (options.wants_version) {
		(void)puts("tcpmuxd " TCPMUXD_VERSION BUILD_NOTE);
		return EXIT_STATUS_OK;
	}
	if (options.is_check)
		return (int)check(&options);
	return (int)start(
	    options.policy_path, options.is_verbose, options.is_debug);
}

/*
 * tcpmuxd: options, and which of its roles to take.
 * Trusts its command line, as any daemon does.
 * Never goes to the background: that is a supervisor's business.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"
#include "parent/limits.h"
#include "parent/start.h"
#include "sys/fd.h"
#include "sys/memfd.h"

#define DEFAULT_POLICY "/etc/tcpmuxd/tcpmuxd.policy"

#ifdef TCPMUXD_SANITIZE
#define BUILD_NOTE " (sanitizer build: the parser's filter is relaxed)"
#else
#define BUILD_NOTE ""
#endif

struct options {
	const char *policy_path, *fragment_path;
	bool is_check, prints, skips_system, is_verbose, is_debug;
	bool wants_version;
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
		case 'a':
			options->fragment_path = optarg;
			break;
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
			options->prints = true;
			break;
		default:
			return usage(NULL);
		}
	}
	if (optind != argc)
		return usage("there are options only, no arguments");
	if (options->skips_system && !options->is_check && !options->prints)
		return usage("-s goes with -t or -T");
	if (options->fragment_path != NULL && !options->is_check)
		return usage("-a goes with -t");
	return EXIT_STATUS_OK;
}

/* What a loader makes of the policy, or -1 after it said why. */
static int
load(const struct options *options)
{
	const struct loader_options wanted = {
		.policy_path = options->policy_path,
		.fragment_path = options->fragment_path,
		.skips_system = options->skips_system,
		.is_verbose = options->is_verbose,
		.wants_text = options->prints,
	};
	int loaded = loader_run(&wanted, STDERR_FILENO, LIMIT_LOADER_MS);

	/* of what is wrong with the policy the loader tells itself */
	if (loaded == -1 && errno != EINVAL)
		perror("tcpmuxd: the policy cannot be loaded");
	return loaded;
}

static enum exit_status
check(const struct options *options)
{
	int image = load(options);

	if (image == -1)
		return EXIT_STATUS_BAD_CHECK;
	fd_close(&image);
	return EXIT_STATUS_OK;
}

static enum exit_status
write_out(const char *bytes, size_t left)
{
	(void)signal(SIGPIPE, SIG_IGN);
	while (left > 0) {
		ssize_t count = write(STDOUT_FILENO, bytes, left);

		if (count == -1 && errno == EINTR)
			continue;
		if (count == -1) {
			perror("tcpmuxd: standard output");
			return EXIT_STATUS_OUTPUT;
		}
		bytes += count;
		left -= (size_t)count;
	}
	return EXIT_STATUS_OK;
}

static enum exit_status
print(const struct options *options)
{
	enum exit_status status = EXIT_STATUS_OUTPUT;
	int text = load(options);
	const char *bytes;
	size_t size;

	if (text == -1)
		return EXIT_STATUS_BAD_CHECK;
	bytes = memfd_map(text, &size);
	if (bytes != NULL)
		status = write_out(bytes, size);
	else
		perror("tcpmuxd: the printed policy");
	fd_close(&text);
	return status;
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
	if (options.prints)
		return (int)print(&options);
	if (options.is_check)
		return (int)check(&options);
	return (int)start(
	    options.policy_path, options.is_verbose, options.is_debug);
}

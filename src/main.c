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

#include "core/image.h"
#include "loader/loader.h"
#include "parent/explain.h"
#include "parent/limits.h"
#include "parent/start.h"
#include "sys/fd.h"
#include "sys/memfd.h"
#include "sys/week.h"

#define DEFAULT_POLICY "/etc/tcpmuxd/tcpmuxd.policy"

#ifdef TCPMUXD_SANITIZE
#define BUILD_NOTE " (sanitizer build: the parser's filter is relaxed)"
#else
#define BUILD_NOTE ""
#endif

struct options {
	const char *policy_path, *fragment_path;
	const char *question; /* of -C, or NULL */
	bool is_check, prints, skips_system, is_verbose, is_debug;
	bool wants_version;
};

static enum exit_status
usage(const char *problem)
{
	if (problem != NULL)
		(void)fprintf(stderr, "tcpmuxd: %s\n", problem);
	(void)fprintf(stderr,
	    "usage: tcpmuxd [-dtTsvV] [-a FRAGMENT] [-C QUERY] [-f FILE]\n");
	return EXIT_STATUS_USAGE;
}

/* EXIT_STATUS_OK, or EXIT_STATUS_USAGE after saying why. */
static enum exit_status
read_options(struct options *options, int argc, char *argv[])
{
	int letter;

	while ((letter = getopt(argc, argv, "a:C:df:stTvV")) != -1) {
		switch (letter) {
		case 'a':
			options->fragment_path = optarg;
			break;
		case 'C':
			options->question = optarg;
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
	if (options->fragment_path != NULL && !options->is_check &&
	    !options->prints)
		return usage("-a goes with -t or -T");
	if (options->question != NULL && !options->prints)
		return usage("-C goes with -T");
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
		.keeps = start_kept_capabilities(),
		.is_verbose = options->is_verbose,
		.wants_text = options->prints && options->question == NULL,
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

static enum exit_status
answer(const struct image *image, const struct explain_query *query)
{
	enum explain_verdict verdict;

	(void)signal(SIGPIPE, SIG_IGN);
	verdict = explain_write(image, query, stdout);
	if (fflush(stdout) != 0) {
		perror("tcpmuxd: standard output");
		return EXIT_STATUS_OUTPUT;
	}
	switch (verdict) {
	case EXPLAIN_ALLOWED:
		return EXIT_STATUS_OK;
	case EXPLAIN_REFUSED:
		return EXIT_STATUS_REFUSED;
	case EXPLAIN_NO_LISTENER:
		break;
	}
	(void)fprintf(
	    stderr, "tcpmuxd: no listener is called '%s'\n", query->listener);
	return EXIT_STATUS_USAGE;
}

static enum exit_status
explain(const struct options *options)
{
	char problem[EXPLAIN_PROBLEM_BYTES];
	enum exit_status status = EXIT_STATUS_POLICY;
	struct explain_query query;
	struct image image;
	struct week week;
	const void *bytes;
	size_t size;
	int image_fd;

	week_begin(&week);
	if (!explain_read(&query, options->question, week.minute, problem))
		return usage(problem);
	query.skips_system = options->skips_system;
	image_fd = load(options);
	if (image_fd == -1)
		return EXIT_STATUS_POLICY;
	bytes = memfd_map(image_fd, &size);
	if (bytes != NULL && image_init(&image, bytes, size) == IMAGE_OK)
		status = answer(&image, &query);
	else
		(void)fprintf(stderr, "tcpmuxd: the policy cannot be used\n");
	fd_close(&image_fd);
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
	if (options.question != NULL)
		return (int)explain(&options);
	if (options.prints)
		return (int)print(&options);
	if (options.is_check)
		return (int)check(&options);
	return (int)start(
	    options.policy_path, options.is_verbose, options.is_debug);
}

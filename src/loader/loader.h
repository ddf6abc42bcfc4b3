#ifndef LOADER_LOADER_H
#define LOADER_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "loader/machine.h"

/*
 * The loader makes a policy file into an image: reads, parses, looks up users,
 * groups and paths, all that can be slow or hang. So it runs in a child of
 * its own, and what is left of it is a sealed memfd (core/image.h).
 */
struct loader_options {
	const char *policy_path;
	const char *fragment_path; /* NULL, or read as if it stood in the
				      directory that the policy includes */
	bool skips_system; /* no users, paths, ownership: the image is not
			      for use, only its being made says something */
	bool is_verbose; /* notes too, not only warnings */
	uint64_t capabilities; /* of whom it is for: loader_start looks */
	uint64_t keeps; /* of these, once it serves */
	bool wants_text; /* of the policy (core/policy_print.h), in place of
			    the image, which is made and checked all the same */
	bool is_to_serve; /* by this process: it matters who else is here */
	int group_fd; /* then: where its cgroups are; -1: where it is itself */
	struct machine machine; /* filled in by loader_start's child */
};

/*
 * In this process: reads, parses and resolves the policy. Problems go to
 * problems_fd, a line each: `FILE:LINE:COL: ...`, with `warning: ` or
 * `note: ` in front of what does not prevent loading. Returns the sealed
 * memfd of a checked image, the caller's, or -1 after at least one problem.
 * A process that runs out of memory here ends with EX_OSERR.
 */
int loader_load(const struct loader_options *options, int problems_fd);

/*
 * A loader in a child: no capability but DAC_READ_SEARCH, no_new_privs, not
 * dumpable, no descriptor of ours, dead as soon as we are.
 */
struct loader_job {
	pid_t pid; /* to be reaped by the caller, once */
	int channel; /* owned; readable as soon as the job has ended */
};

/* Starts one. 0, or -1 with errno and nothing to be undone. */
int loader_start(struct loader_job *job, const struct loader_options *options,
    int problems_fd);

/*
 * Takes the result from a job whose channel is readable, and closes the
 * channel. Never waits. Returns the image's memfd, the caller's, seals
 * checked; or -1 with errno: EINVAL, the policy is bad and the problems are
 * written; EAGAIN, no result yet, the channel stays; EPIPE, the child ended
 * without a word; EPROTO, it sent what is no result.
 */
int loader_take(struct loader_job *job);

/* Kills it, closes the channel; the pid still has to be reaped. */
void loader_cancel(struct loader_job *job);

/*
 * The three in one, waiting, the child reaped: for start-up and -t. Returns
 * as loader_take does, or -1 with ETIMEDOUT once timeout_ms have passed.
 */
int loader_run(
    const struct loader_options *options, int problems_fd, int timeout_ms);

#endif

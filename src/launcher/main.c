/*
 * tcpmuxd-launcher: starts services for tcpmuxd, one LAUNCH at a time.
 * Trusts its parent, and the policy image that came from it.
 * Never reads a byte from a client, and holds none but the one it launches.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/step.h"
#include "launcher/base.h"
#include "launcher/launch.h"
#include "launcher/plan.h"
#include "launcher/receive.h"

static void
serve(struct base *base, struct plan *plan, const struct received *received)
{
	const bool is_planned = plan_make(plan, base, &received->launch) == 0;

	if (is_planned)
		launch(base, plan, received);
	else
		launch_report(received->status_fd, STEP_PLAN, errno);
	/* All that came with the message, and there is nothing else. */
	(void)close_range(base->first_free_fd, ~0U, 0);
	/* Below another root, each child makes its own. */
	if (is_planned && plan->service->filesystem != 0 &&
	    plan->chroot == NULL)
		rulesets_tend(base->rulesets, &base->image,
		    plan->service->filesystem - 1, &base->first_free_fd);
}

/*
 * A clone shares all pages, and who writes into one first has to copy it. So
 * what each launch writes is kept together: a plan begins a page, and what is
 * called has all of the one below.
 */
static __attribute__((noinline)) enum receive_result
serve_all(struct base *base)
{
	_Alignas(PLAN_ALIGNMENT) struct {
		struct received received;
		struct plan plan;
	} work;
	enum receive_result result;

	do {
		result = receive_launch(BASE_CHANNEL_FD, &work.received);
		if (result == RECEIVE_LAUNCH)
			serve(base, &work.plan, &work.received);
	} while (result == RECEIVE_LAUNCH);
	return result;
}

int
main(int argc, char *argv[])
{
	static struct rulesets rulesets;
	static struct base base = { .rulesets = &rulesets };
	enum receive_result result;

	if (!base_build(&base, argc == 2 ? argv[1] : NULL))
		return EXIT_FAILURE;
	result = serve_all(&base);
	if (result == RECEIVE_CLOSED)
		return EXIT_SUCCESS;
	(void)dprintf(
	    STDERR_FILENO, "tcpmuxd-launcher: a message that is no LAUNCH\n");
	return EXIT_FAILURE;
}

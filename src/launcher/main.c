/*
 * tcpmuxd-launcher: starts services for tcpmuxd, one LAUNCH at a time.
 * Trusts its parent, and the policy image that came from it.
 * Never reads a byte from a client, and holds none but the one it launches.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/step.h"
#include "launcher/base.h"
#include "launcher/launch.h"
#include "launcher/plan.h"
#include "launcher/receive.h"

static void
serve(
    const struct base *base, struct plan *plan, const struct received *received)
{
	if (plan_make(plan, base, &received->launch) == 0)
		launch(base, plan, received);
	else
		launch_report(received->status_fd, STEP_PLAN, errno);
	/* All that came with the message, and there is nothing else. */
	(void)close_range(base->first_free_fd, ~0U, 0);
}

int
main(int argc, char *argv[])
{
	static struct base base;
	static _Alignas(PLAN_ALIGNMENT) struct plan plan;
	struct received received;
	enum receive_result result;

	if (!base_build(&base, argc == 2 ? argv[1] : NULL))
		return EXIT_FAILURE;
	do {
		result = receive_launch(BASE_CHANNEL_FD, &received);
		if (result == RECEIVE_LAUNCH)
			serve(&base, &plan, &received);
	} while (result == RECEIVE_LAUNCH);
	if (result == RECEIVE_CLOSED)
		return EXIT_SUCCESS;
	(void)dprintf(
	    STDERR_FILENO, "tcpmuxd-launcher: a message that is no LAUNCH\n");
	return EXIT_FAILURE;
}

/*
 * mortal: dies, of one thing or another, at one step or another; or hangs.
 */
#include "evil.h"

#include <signal.h>

#include <sys/prctl.h>

static struct evil evil;

/* Where nothing is. */
static int *volatile nowhere;

/* A real one, that no sanitizer's handler or check comes before. */
__attribute__((no_sanitize("undefined", "address"))) static void
fault(void)
{
	(void)signal(SIGSEGV, SIG_DFL);
	*nowhere = 1;
}

static void
die(void)
{
	const char *of = strrchr(evil.how, '-') + 1;

	(void)prctl(PR_SET_DUMPABLE, 0); /* and leaves no core */
	if (strcmp(of, "fault") == 0)
		fault();
	while (strcmp(of, "hang") == 0)
		(void)pause();
	_exit(strcmp(of, "zero") == 0 ? 0 : 3);
}

static bool
is_at(const char *step)
{
	return strncmp(evil.how, step, strlen(step)) == 0;
}

int
main(void)
{
	static struct batch batch;
	bool is_doomed = false;

	evil_enter(&evil);
	if (is_at("start-") && !evil.is_first)
		die();
	evil_greet();
	if (is_at("greeted-") && !evil.is_first)
		die();
	for (;;) {
		bool is_due;

		evil_receive(&evil, &batch);
		if (is_doomed)
			die();
		is_due = evil_is_due(&evil, &batch);
		if (is_due && is_at("asked-"))
			die();
		evil_close_all(&batch);
		if (is_due && is_at("closed-"))
			die();
		evil_answer(&batch);
		/* The first: were it never ready, nobody would be let in. */
		if (is_at("greeted-") || (is_due && is_at("answered-")))
			die();
		is_doomed = is_due && is_at("next-");
	}
}

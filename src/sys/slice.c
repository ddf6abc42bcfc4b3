/*
 * A short slice of the processor, for who does little and is waited for.
 * Trusts nothing: a kernel that does not know it goes on as before.
 * Never changes the caller's niceness or policy.
 */
#include "sys/slice.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sched_setattr(2)'s, first version: the kernel's header and glibc's clash. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

#define FLAG_RESET_ON_FORK 1u /* SCHED_FLAG_RESET_ON_FORK */

void
slice_shorten(void)
{
	struct attributes wish = {
		.size = sizeof(wish),
		.policy = SCHED_OTHER,
		.flags = FLAG_RESET_ON_FORK,
		.runtime_ns = SLICE_US * 1000ull,
	};

	if (sched_getscheduler(0) != SCHED_OTHER)
		return;
	errno = 0;
	wish.nice = getpriority(PRIO_PROCESS, 0);
	/* Forks reset a favour with the slice: that is left alone. */
	if (errno == 0 && wish.nice >= 0)
		(void)syscall(SYS_sched_setattr, 0, &wish, 0);
}

/*
 * Keeps from the launcher's children what none of them needs: the less memory
 * a process has, the sooner it is cloned, and the sooner its clone can let go
 * of it to execute a program.
 * Trusts the kernel to leave out no more than it is asked to.
 * Never fails: all of it saves time and nothing else.
 */
#include "launcher/lean.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* A sanitizer's runtime is in the children, too, and uses all of it. */
#ifdef TCPMUXD_SANITIZE
#define CAN_BE_LEAN false
#else
#define CAN_BE_LEAN true
#endif
#define OWN_SIGNAL_FIRST 32 /* glibc's SIGCANCEL, SIGSETXID */
#define OWN_SIGNAL_LAST 33
#define SIGNALS_BYTES 8u /* of the kernel's own signal set */
#define PAGE_BYTES ((uintptr_t)4096)
#define STACK_BYTES (64u << 10)
#define LEFT_OUT_BYTES ((uintptr_t)1 << 20) /* larger than what is there */

/* Up to the end of that page. What is not mapped there is passed over. */
static void
leave_out(const void *last)
{
	const uintptr_t end = ((uintptr_t)last | (PAGE_BYTES - 1)) + 1;

	(void)madvise(
	    (void *)(end - LEFT_OUT_BYTES), LEFT_OUT_BYTES, MADV_DONTFORK);
}

struct task {
	void *(*run)(void *);
	void *argument;
};

/*
 * The C library has a thread catch a signal of its own, which then would not be
 * ignored in the init of a pid namespace: base.c's defaults again, and for
 * that, the system call.
 */
static void *
begin(void *context)
{
	static const unsigned char default_action[64]; /* larger than any */
	const struct task *task = context;

	for (int i = OWN_SIGNAL_FIRST; i <= OWN_SIGNAL_LAST; i++)
		if (syscall(SYS_rt_sigaction, i, default_action, NULL,
			SIGNALS_BYTES) != 0)
			abort();
	return task->run(task->argument);
}

/*
 * A thread has a stack of its own, with what the C library keeps for it at
 * the end: it is all that a child of it writes to.
 */
void *
lean_run(void *(*run)(void *), void *argument)
{
	/* The name that was executed is the last thing on the first stack. */
	const char *name = (const char *)getauxval(AT_EXECFN);
	struct task task = { .run = run, .argument = argument };
	pthread_attr_t attr;
	pthread_t thread;
	void *result;

	if (!CAN_BE_LEAN || pthread_attr_init(&attr) != 0 ||
	    pthread_attr_setstacksize(&attr, STACK_BYTES) != 0 ||
	    pthread_create(&thread, &attr, begin, &task) != 0)
		return run(argument);
	(void)pthread_attr_destroy(&attr);
	if (name != NULL)
		leave_out(name + strlen(name));
	leave_out((const char *)sbrk(0) - 1);
	return pthread_join(thread, &result) == 0 ? result : NULL;
}

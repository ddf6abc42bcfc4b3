/*
 * A service that makes the system calls it is told to, and says what came of
 * each. A line of its input is one call, HOW NUMBER ARGUMENT...; the answer is
 * `done`, an errno's name, or `signal N` if that was the caller's end.
 *   HOW   call     by this machine's own ABI, in a child
 *         here     the same without a child
 *         i386     through the 32-bit gate, in a child
 *         x32      with x32's bit in the number, in a child
 * An argument may be `addr`: that of a page of zeros.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>
#include <sys/wait.h>

#include "untraced.h"

#define ARGUMENTS 6
#define X32_BIT 0x40000000L

static char page[4096];

struct order {
	char how[8];
	long number;
	unsigned long arguments[ARGUMENTS];
};

static unsigned long
read_argument(const char *word)
{
	return strcmp(word, "addr") == 0 ? (unsigned long)page
					 : strtoul(word, NULL, 0);
}

static int
read_order(struct order *order, const char *line)
{
	char words[ARGUMENTS][24] = { "" };

	*order = (struct order){ .number = -1 };
	if (sscanf(line, "%7s %ld %23s %23s %23s %23s %23s %23s", order->how,
		&order->number, words[0], words[1], words[2], words[3],
		words[4], words[5]) < 2)
		return -1;
	for (int i = 0; i < ARGUMENTS; i++)
		order->arguments[i] = read_argument(words[i]);
	return 0;
}

/* -errno, or what it returned. */
static long
call(const struct order *order)
{
	const unsigned long *a = order->arguments;
	long result;

#ifdef __x86_64__
	if (strcmp(order->how, "i386") == 0) {
		int gate;

		__asm__ volatile("int $0x80"
				 : "=a"(gate)
				 : "a"((int)order->number), "b"(a[0]),
				 "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
				 : "memory", "r8", "r9", "r10", "r11");
		return gate;
	}
	if (strcmp(order->how, "x32") == 0) {
		result = syscall(order->number | X32_BIT, a[0], a[1], a[2],
		    a[3], a[4], a[5]);
		return result == -1 ? -errno : result;
	}
#endif
	result = syscall(order->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return result == -1 ? -errno : result;
}

static void
say(long result)
{
	const char *name = result < 0 && result > -4096
	    ? strerrorname_np((int)-result)
	    : "done";

	printf("%s\n", name != NULL ? name : "unknown");
	(void)fflush(stdout);
}

static void
call_in_child(const struct order *order)
{
	const pid_t child = fork();
	int status;

	if (child == -1) {
		printf("no child\n");
		(void)fflush(stdout);
		return;
	}
	if (child == 0) {
		say(call(order));
		_exit(0);
	}
	if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
		printf("signal %d\n", WTERMSIG(status));
		(void)fflush(stdout);
	}
}

int
main(void)
{
	char line[512];
	struct order order;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (read_order(&order, line) != 0)
			return 2;
		if (strcmp(order.how, "here") == 0)
			say(call(&order));
		else
			call_in_child(&order);
	}
	return 0;
}

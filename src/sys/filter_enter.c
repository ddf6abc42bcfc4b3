/*
 * Loads filters of system calls that are programs already.
 * Trusts the kernel to judge them, and to say whether it does.
 * Never allocates.
 */
#include "sys/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int
filter_enter(const void *instructions, size_t count)
{
	const struct sock_fprog program = { .len = (unsigned short)count,
		/* The kernel does not write there. */
		.filter = (struct sock_filter *)(uintptr_t)instructions };

	if (count == 0 || count > BPF_MAXINSNS) {
		errno = EINVAL;
		return -1;
	}
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) != 0)
		return -1;
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER)
		return 0;
	errno = EPERM;
	return -1;
}

/* Whether it comes to the kernel: this is too short to be one, EINVAL. */
static bool
is_clone3_there(uint64_t key)
{
	return syscall(SYS_clone3, NULL, (size_t)0, key) != -1 ||
	    errno != ENOSYS;
}

int
filter_enter_without_clone3(uint64_t key)
{
	const size_t argument = offsetof(struct seccomp_data, args[2]);
	uint32_t halves[2]; /* as they lie in memory, like the argument's */

	memcpy(halves, &key, sizeof(halves));

	const struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 6),
		BPF_JUMP(BPF_JMP | BPF_JA, key == 0 ? 4 : 0, 0, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)argument),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, halves[0], 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)argument + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, halves[1], 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	if (filter_enter(program, COUNT(program)) != 0)
		return -1;
	if (!is_clone3_there(0) && !is_clone3_there(~key))
		return 0;
	errno = EPERM;
	return -1;
}

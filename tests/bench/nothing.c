/*
 * nothing: a program that ends at once, without a C library: what is left of
 * a launch when its service costs nothing. Linked statically, with its own
 * entry point.
 */
#include <sys/syscall.h>

void _start(void);

void
_start(void)
{
#if defined(__x86_64__)
	__asm__ volatile("syscall" ::"a"(SYS_exit_group), "D"(0));
#elif defined(__aarch64__)
	register long number __asm__("x8") = SYS_exit_group;
	register long status __asm__("x0") = 0;

	__asm__ volatile("svc 0" ::"r"(number), "r"(status));
#else
#error "say here how this machine exits"
#endif
	__builtin_unreachable();
}

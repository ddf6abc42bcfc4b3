#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <sys/syscall.h>

/*
 * System calls without a C library, for programs that shall cost a launch as
 * little as a program can.
 */
static inline long
bare_call(long number, long first, long second, long third)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second), "d"(third)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2)
			 : "memory");
	return x0;
#else
#error "say here how this machine makes a system call"
#endif
}

/* NOLINTNEXTLINE(*-reserved-identifier,cert-dcl*): the linker's name */
void _start(void);

#endif

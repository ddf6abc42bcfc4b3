#ifndef TESTS_UNTRACED_H
#define TESTS_UNTRACED_H

/* Leaks are looked for by ptrace, which `syscalls default` refuses: a service
 * of a sanitizer build does without. */
#ifdef TCPMUXD_SANITIZE
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

#endif

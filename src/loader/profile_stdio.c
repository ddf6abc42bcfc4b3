/*
 * `syscalls stdio`: what a program needs that talks on its descriptors 0, 1
 * and 2, reads files, and ends; that it is executed and loads its libraries is
 * part of it. No other process, thread, socket or file that is written to.
 * All else is refused with EPERM.
 */
#include "loader/profile.h"

#include <fcntl.h>

#include <asm/ioctls.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Not for writing, and nothing new. */
#define READING(argument_) \
	FILTER_BITS(argument_, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)

#define ALLOW(number_, reason_) \
	{ \
		.number = (number_), .reason = (reason_) \
	}
#define ALLOW_IF(number_, reason_, ...) \
	{ \
		.number = (number_), .reason = (reason_), .pins = { \
			__VA_ARGS__ \
		} \
	}

static const struct filter_row rows[] = {
	/* talking */
	ALLOW(SYS_read, "the client's words"),
	ALLOW(SYS_readv, "the same"),
	ALLOW(SYS_pread64, "the same of a file"),
	ALLOW(SYS_preadv, "the same of a file"),
	ALLOW(SYS_preadv2, "the same of a file"),
	ALLOW(SYS_write, "words to the client"),
	ALLOW(SYS_writev, "the same"),
	ALLOW(SYS_sendfile, "the same of a file"),
	ALLOW(SYS_copy_file_range, "the same; cat's first try"),
	ALLOW(SYS_recvfrom, "the client's words"),
	ALLOW_IF(
	    SYS_sendto, "words to the client; nowhere else", FILTER_NULL(4)),
	ALLOW(SYS_shutdown, "no more words"),
	ALLOW(SYS_getsockname, "where the client came to"),
	ALLOW(SYS_getpeername, "who it is"),
	ALLOW(SYS_getsockopt, "what kind of a socket it is"),
	ALLOW(SYS_close, "descriptors"),
	ALLOW(SYS_close_range, "descriptors"),
	ALLOW(SYS_dup, "descriptors"),
	ALLOW(SYS_dup3, "descriptors"),
	ALLOW(SYS_pipe2, "to itself; there is nobody else"),
	ALLOW(SYS_lseek, "whether it is a file"),
	ALLOW(SYS_fadvise64, "how a file will be read"),
	ALLOW(SYS_ppoll, "waits for words"),
	ALLOW(SYS_pselect6, "waits for words"),
	ALLOW(SYS_epoll_create1, "waits for words"),
	ALLOW(SYS_epoll_ctl, "waits for words"),
	ALLOW(SYS_epoll_pwait, "waits for words"),
	ALLOW_IF(SYS_fcntl, "a copy", FILTER_INT(1, F_DUPFD)),
	ALLOW_IF(SYS_fcntl, "a copy", FILTER_INT(1, F_DUPFD_CLOEXEC)),
	ALLOW_IF(SYS_fcntl, "whether exec closes it", FILTER_INT(1, F_GETFD)),
	ALLOW_IF(SYS_fcntl, "whether exec closes it", FILTER_INT(1, F_SETFD)),
	ALLOW_IF(SYS_fcntl, "whether it waits", FILTER_INT(1, F_GETFL)),
	/* O_ASYNC sends signals: there is no F_SETOWN to say to whom. */
	ALLOW_IF(SYS_fcntl, "whether it waits", FILTER_INT(1, F_SETFL)),
	ALLOW_IF(SYS_ioctl, "whether it is a terminal", FILTER_INT(1, TCGETS)),
	ALLOW_IF(SYS_ioctl, "how wide it is", FILTER_INT(1, TIOCGWINSZ)),
	ALLOW_IF(SYS_ioctl, "how much there is", FILTER_INT(1, FIONREAD)),
	ALLOW_IF(SYS_ioctl, "whether it waits", FILTER_INT(1, FIONBIO)),
	ALLOW_IF(SYS_ioctl, "whether exec closes it", FILTER_INT(1, FIOCLEX)),
	ALLOW_IF(SYS_ioctl, "whether exec closes it", FILTER_INT(1, FIONCLEX)),

	/* files, to be read */
	ALLOW_IF(SYS_openat, "libraries, scripts, data", READING(2)),
	ALLOW(SYS_fstat, "what it is"),
	ALLOW(SYS_newfstatat, "what it is"),
	ALLOW(SYS_statx, "what it is"),
	ALLOW(SYS_statfs, "where it is"),
	ALLOW(SYS_fstatfs, "where it is"),
	ALLOW(SYS_faccessat, "whether it may be read"),
	ALLOW(SYS_faccessat2, "whether it may be read"),
	ALLOW(SYS_readlinkat, "what it means"),
	ALLOW(SYS_getdents64, "what is in a directory"),
	ALLOW(SYS_getcwd, "where paths begin"),
	ALLOW(SYS_chdir, "where paths begin"),
	ALLOW(SYS_fchdir, "where paths begin"),

	/* beginning and end */
	ALLOW(SYS_execve, "how it begins"),
	ALLOW(SYS_exit, "its end"),
	ALLOW(SYS_exit_group, "its end"),
	ALLOW(SYS_rt_sigaction, "signals"),
	ALLOW(SYS_rt_sigprocmask, "signals"),
	ALLOW(SYS_rt_sigreturn, "signals"),
	ALLOW(SYS_rt_sigsuspend, "signals"),
	ALLOW(SYS_rt_sigtimedwait, "signals"),
	ALLOW(SYS_rt_sigpending, "signals"),
	ALLOW(SYS_sigaltstack, "signals"),
	ALLOW(SYS_restart_syscall, "goes on with what a stop interrupted"),
	ALLOW(SYS_wait4, "for children, of which there are none"),

	/* memory */
	ALLOW(SYS_brk, "memory"),
	ALLOW(SYS_mmap, "memory and libraries"),
	ALLOW(SYS_munmap, "memory"),
	ALLOW(SYS_mremap, "memory"),
	ALLOW(SYS_mprotect, "memory"),
	ALLOW(SYS_madvise, "memory"),
	ALLOW(SYS_mincore, "memory"),
	ALLOW(SYS_membarrier, "memory"),
	ALLOW(SYS_futex, "locks"),
	ALLOW(SYS_set_robust_list, "locks"),
	ALLOW(SYS_get_robust_list, "locks"),
	ALLOW(SYS_set_tid_address, "the C library's start"),
	ALLOW(SYS_rseq, "the C library's start"),
	ALLOW_IF(SYS_prctl, "its own name", FILTER_INT(0, PR_SET_NAME)),
	ALLOW_IF(SYS_prctl, "its own name", FILTER_INT(0, PR_GET_NAME)),
	ALLOW_IF(SYS_prctl, "names of its memory", FILTER_INT(0, PR_SET_VMA)),

	ALLOW_IF(SYS_prctl, "that it is judged: asked by who loaded this",
	    FILTER_INT(0, PR_GET_SECCOMP)),

	/* time */
	ALLOW(SYS_clock_gettime, "what time it is"),
	ALLOW(SYS_clock_getres, "what time it is"),
	ALLOW(SYS_gettimeofday, "what time it is"),
	ALLOW(SYS_clock_nanosleep, "waits"),
	ALLOW(SYS_nanosleep, "waits"),
	ALLOW(SYS_getitimer, "its alarm clock"),
	ALLOW(SYS_setitimer, "its alarm clock"),
	ALLOW(SYS_times, "how much it has used"),
	ALLOW(SYS_getrusage, "how much it has used"),
	ALLOW(SYS_sched_yield, "waits"),

	/* who and where it is */
	ALLOW(SYS_getrandom, "numbers"),
	ALLOW(SYS_uname, "which kernel this is"),
	ALLOW(SYS_sysinfo, "how much memory there is"),
	ALLOW(SYS_getcpu, "which processor this is"),
	ALLOW(SYS_sched_getaffinity, "how many there are"),
	ALLOW(SYS_getpid, "who it is"),
	ALLOW(SYS_gettid, "who it is"),
	ALLOW(SYS_getppid, "who it is"),
	ALLOW(SYS_getpgid, "who it is"),
	ALLOW(SYS_getsid, "who it is"),
	ALLOW(SYS_getuid, "who it is"),
	ALLOW(SYS_geteuid, "who it is"),
	ALLOW(SYS_getgid, "who it is"),
	ALLOW(SYS_getegid, "who it is"),
	ALLOW(SYS_getresuid, "who it is"),
	ALLOW(SYS_getresgid, "who it is"),
	ALLOW(SYS_getgroups, "who it is"),
	ALLOW(SYS_umask, "its own; there are no new files"),
	ALLOW_IF(SYS_prlimit64, "its limits", FILTER_INT(0, 0), FILTER_NULL(2)),

#ifdef __x86_64__
	/* the same, by older names */
	ALLOW_IF(SYS_open, "libraries, scripts, data", READING(1)),
	ALLOW(SYS_stat, "what it is"),
	ALLOW(SYS_lstat, "what it is"),
	ALLOW(SYS_access, "whether it may be read"),
	ALLOW(SYS_readlink, "what it means"),
	ALLOW(SYS_getdents, "what is in a directory"),
	ALLOW(SYS_dup2, "descriptors"),
	ALLOW(SYS_pipe, "to itself"),
	ALLOW(SYS_poll, "waits for words"),
	ALLOW(SYS_select, "waits for words"),
	ALLOW(SYS_epoll_create, "waits for words"),
	ALLOW(SYS_epoll_wait, "waits for words"),
	ALLOW(SYS_pause, "waits"),
	ALLOW(SYS_alarm, "its alarm clock"),
	ALLOW(SYS_time, "what time it is"),
	ALLOW(SYS_getrlimit, "its limits"),
	ALLOW(SYS_getpgrp, "who it is"),
	ALLOW(SYS_arch_prctl, "the C library's start"),
#endif
};

const struct filter_table profile_stdio = {
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.otherwise = FILTER_REFUSE,
};

#ifndef TESTS_UNIT_STDIO_CALLS_H
#define TESTS_UNIT_STDIO_CALLS_H

#include <fcntl.h>
#include <stdint.h>

#include <asm/ioctls.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* What `syscalls stdio` has, whatever is asked: written down once more. */
static const int stdio_calls[] = {
	SYS_read,
	SYS_readv,
	SYS_pread64,
	SYS_preadv,
	SYS_preadv2,
	SYS_write,
	SYS_writev,
	SYS_sendfile,
	SYS_copy_file_range,
	SYS_recvfrom,
	SYS_shutdown,
	SYS_getsockname,
	SYS_getpeername,
	SYS_getsockopt,
	SYS_close,
	SYS_close_range,
	SYS_dup,
	SYS_dup3,
	SYS_pipe2,
	SYS_lseek,
	SYS_fadvise64,
	SYS_ppoll,
	SYS_pselect6,
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_statfs,
	SYS_fstatfs,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_readlinkat,
	SYS_getdents64,
	SYS_getcwd,
	SYS_chdir,
	SYS_fchdir,
	SYS_execve,
	SYS_exit,
	SYS_exit_group,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigsuspend,
	SYS_rt_sigtimedwait,
	SYS_rt_sigpending,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_wait4,
	SYS_brk,
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_madvise,
	SYS_mincore,
	SYS_membarrier,
	SYS_futex,
	SYS_set_robust_list,
	SYS_get_robust_list,
	SYS_set_tid_address,
	SYS_rseq,
	SYS_clock_gettime,
	SYS_clock_getres,
	SYS_gettimeofday,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_getitimer,
	SYS_setitimer,
	SYS_times,
	SYS_getrusage,
	SYS_sched_yield,
	SYS_getrandom,
	SYS_uname,
	SYS_sysinfo,
	SYS_getcpu,
	SYS_sched_getaffinity,
	SYS_getpid,
	SYS_gettid,
	SYS_getppid,
	SYS_getpgid,
	SYS_getsid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getresuid,
	SYS_getresgid,
	SYS_getgroups,
	SYS_umask,
#ifdef __x86_64__
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_getdents,
	SYS_dup2,
	SYS_pipe,
	SYS_poll,
	SYS_select,
	SYS_epoll_create,
	SYS_epoll_wait,
	SYS_pause,
	SYS_alarm,
	SYS_time,
	SYS_getrlimit,
	SYS_getpgrp,
	SYS_arch_prctl,
#endif
};

/* And what it has only if it is asked like this. */
static const struct {
	int number;
	uint64_t args[6];
} stdio_asks[] = {
	{ SYS_sendto, { 1 } },
	{ SYS_fcntl, { 1, F_DUPFD } },
	{ SYS_fcntl, { 1, F_DUPFD_CLOEXEC } },
	{ SYS_fcntl, { 1, F_GETFD } },
	{ SYS_fcntl, { 1, F_SETFD } },
	{ SYS_fcntl, { 1, F_GETFL } },
	{ SYS_fcntl, { 1, F_SETFL } },
	{ SYS_ioctl, { 1, TCGETS } },
	{ SYS_ioctl, { 1, TIOCGWINSZ } },
	{ SYS_ioctl, { 1, FIONREAD } },
	{ SYS_ioctl, { 1, FIONBIO } },
	{ SYS_ioctl, { 1, FIOCLEX } },
	{ SYS_ioctl, { 1, FIONCLEX } },
	{ SYS_openat, { 1, 1, O_RDONLY | O_CLOEXEC } },
	{ SYS_prctl, { PR_SET_NAME } },
	{ SYS_prctl, { PR_GET_NAME } },
	{ SYS_prctl, { PR_SET_VMA } },
	{ SYS_prctl, { PR_GET_SECCOMP } },
	{ SYS_prlimit64, { 0, RLIMIT_NOFILE } },
#ifdef __x86_64__
	{ SYS_open, { 1, O_RDONLY | O_CLOEXEC } },
#endif
};

#endif

#ifndef FUZZ_WORLD_CALLS_H
#define FUZZ_WORLD_CALLS_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>

/* What the objects of src/ call in place of libc: fuzz/world/calls. */
int fuzz_socket(int domain, int type, int protocol);
int fuzz_bind(int fd, const struct sockaddr *address, socklen_t length);
int fuzz_listen(int fd, int backlog);
int
fuzz_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int fuzz_connect(int fd, const struct sockaddr *address, socklen_t length);
int fuzz_getsockname(int fd, struct sockaddr *address, socklen_t *length);
int fuzz_setsockopt(
    int fd, int level, int name, const void *value, socklen_t length);
int
fuzz_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int fuzz_shutdown(int fd, int how);
int fuzz_socketpair(int domain, int type, int protocol, int ends[2]);
ssize_t fuzz_send(int fd, const void *bytes, size_t length, int flags);
ssize_t fuzz_sendto(int fd, const void *bytes, size_t length, int flags,
    const struct sockaddr *to, socklen_t to_length);
ssize_t fuzz_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t fuzz_recv(int fd, void *bytes, size_t size, int flags);
ssize_t fuzz_recvfrom(int fd, void *bytes, size_t size, int flags,
    struct sockaddr *from, socklen_t *from_length);
ssize_t fuzz_recvmsg(int fd, struct msghdr *message, int flags);
int fuzz_ioctl(int fd, unsigned long request, void *value);

int fuzz_epoll_create1(int flags);
int fuzz_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int fuzz_epoll_wait(
    int epoll, struct epoll_event *events, int most, int timeout_ms);
int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

int fuzz_open(const char *path, int flags, ...);
int fuzz_close(int fd);
ssize_t fuzz_read(int fd, void *bytes, size_t size);
ssize_t fuzz_write(int fd, const void *bytes, size_t length);
int fuzz_pipe2(int ends[2], int flags);
int fuzz_fcntl(int fd, int command, ...);
int fuzz_fstat(int fd, struct stat *about);
void *fuzz_mmap(
    void *at, size_t size, int protection, int flags, int fd, off_t offset);
int fuzz_munmap(void *base, size_t size);
/* Unmaps what is left. */
void mappings_end(void);

int fuzz_kill(pid_t pid, int number);
pid_t fuzz_getpgid(pid_t pid);
pid_t fuzz_getpid(void);
uid_t fuzz_geteuid(void);
int fuzz_setfsuid(uid_t uid);
int fuzz_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
pid_t fuzz_wait4(pid_t pid, int *status, int options, struct rusage *usage);
int fuzz_signalfd(int fd, const sigset_t *set, int flags);
ssize_t signals_read(void *bytes, size_t size);
int fuzz_sigprocmask(int how, const sigset_t *set, sigset_t *before);
int fuzz_sigaction(
    int number, const struct sigaction *action, struct sigaction *before);
void (*fuzz_signal(int number, void (*handler)(int)))(int);
int fuzz_setitimer(
    int which, const struct itimerval *value, struct itimerval *before);
int fuzz_prctl(int option, ...);

int fuzz_clock_gettime(clockid_t id, struct timespec *now);
int fuzz_nanosleep(const struct timespec *nap, struct timespec *left);
time_t fuzz_time(time_t *now);
struct tm *fuzz_localtime_r(const time_t *when, struct tm *local);
void fuzz_tzset(void);
int fuzz_getentropy(void *bytes, size_t length);

#endif

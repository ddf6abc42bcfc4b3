#ifndef FUZZ_WORLD_KERNEL_H
#define FUZZ_WORLD_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>
#include <sys/types.h>

/*
 * An operating system in memory, for one run of a harness: sockets, pipes,
 * epoll, processes, signals and a clock, as far as the parent and the parser
 * ask for them. The objects of src/ are linked to it by name (fuzz/world/
 * calls.syms): their code is as it ships, and none of it knows. Descriptors
 * begin at KERNEL_FD; smaller ones are real, and go to the real calls.
 */
#define KERNEL_FD 10000
#define KERNEL_FDS 1024
#define KERNEL_FILES 1024
#define KERNEL_CONNECTIONS 48
#define KERNEL_PROCESSES 256
#define KERNEL_FIRST_PID 100000
#define KERNEL_OUR_PID 4242
#define PACKET_BYTES 8192
#define PACKET_FDS 32
#define STREAM_BYTES 2048
#define PIPE_BYTES 4096

enum file_kind {
	FILE_NONE,
	FILE_LISTENER,
	FILE_STREAM, /* a client's connection */
	FILE_PACKETS, /* one end of a channel, or of a Unix connection */
	FILE_PIPE, /* one end */
	FILE_EPOLL,
	FILE_SIGNALS,
	FILE_COUNT, /* /proc/PID/fd */
	FILE_LOG,
	FILE_OTHER, /* a socket that is nothing yet, a program */
};

struct packet {
	struct packet *next;
	pid_t sender;
	size_t length, file_count;
	struct file *files[PACKET_FDS]; /* a reference each */
	uint8_t bytes[];
};

struct file {
	enum file_kind kind;
	uint32_t refs;
	struct file *peer; /* the other end; NULL: closed */
	struct packet *first, *last; /* packets that arrived */
	uint32_t packets;
	struct packet *kept; /* a server's, while its session lasts; owned */
	uint8_t *bytes; /* of a pipe, at its reading end; owned */
	size_t length;
	bool is_reader; /* of a pipe */
	bool is_reset; /* its peer closed with packets unread */
	pid_t pid; /* whose descriptors it counts */
	struct connection *connection;
	uint32_t index; /* of a listener: as it was bound */
	int domain;
};

/* A client's connection, seen from both sides. */
struct connection {
	bool is_used;
	bool was_accepted;
	struct file *file; /* ours; NULL: all of ours are closed */
	struct sockaddr_storage peer;
	socklen_t peer_length;
	uint32_t listener;
	/* from the client; `taken` of them were read */
	uint8_t in[STREAM_BYTES];
	size_t sent, taken;
	size_t mark; /* urgent data begins there; SIZE_MAX: none */
	bool has_fin, has_reset;
	/* to the client, who reads `room` more of them */
	uint8_t out[STREAM_BYTES];
	size_t answered, room;
	bool is_shut, is_closed, is_aborted;
	uint32_t launches; /* of services that were given it */
	int peek_offset; /* SO_PEEK_OFF; -1: off */
	int low_water;
};

enum process_kind {
	PROCESS_NONE,
	PROCESS_WORKER,
	PROCESS_LAUNCHER,
	PROCESS_SERVICE,
	PROCESS_LOADER,
};

struct process {
	enum process_kind kind;
	pid_t pid;
	bool is_zombie;
	int killed_by; /* a signal that ends it in the next turn */
	int status;
	int cpu_s;
	int fds[4]; /* its own: what it is for, its kind knows */
	uint32_t side; /* of a worker's or launcher's edition, by its file */
	const void *names; /* a worker's, mapped; its bytes */
	size_t names_bytes;
	uint64_t session; /* a service's */
	struct connection *connection; /* and its client */
	uint32_t step; /* how far it came */
	bool is_guilty; /* a worker that said what nobody may */
};

struct kernel {
	struct {
		struct file *file;
		pid_t owner;
	} fds[KERNEL_FDS];
	struct file files[KERNEL_FILES];
	struct connection connections[KERNEL_CONNECTIONS];
	struct process processes[KERNEL_PROCESSES];
	uint32_t process_count;
	pid_t current; /* whose calls these are */
	int64_t now_ms;
	int rest_ms; /* how much of a wait passes when nothing happens */
	uint32_t signals; /* pending, by number */
	uint32_t listeners;
	int fail_errno; /* of the next call that makes a descriptor; 0 */
	uint32_t server_uid; /* of servers that are passed sessions */
	bool has_servers; /* they listen */
	struct file *servers[16]; /* their ends, not yet looked at */
	uint32_t server_count;
	/* What goes on in the world while the parent waits. */
	void (*turn)(int timeout_ms);
	void (*log_line)(const char *line, size_t length);
	bool is_closed; /* all is over: close what there is */
};

extern struct kernel kernel;

/* Ends the process, with words: what must never be was. */
void kernel_require(bool is_so, const char *what);

void kernel_begin(void);
/* Gives up all that is left. */
void kernel_end(void);

/* Files and descriptors. */
struct file *file_make(enum file_kind kind);
void file_drop(struct file *file);
int fd_make(struct file *file, pid_t owner);
struct file *fd_file(int fd);
int fd_copy(int fd, pid_t owner);
void fds_close_of(pid_t owner);
uint32_t fds_count_of(pid_t owner);
int kernel_close(int fd);
void epoll_forget(const struct file *file);

/* Processes. Each acts as `current` while it does. */
struct process *process_make(enum process_kind kind);
struct process *process_of(pid_t pid);
void process_end(struct process *process, int status);
void process_end_killed(void);
void kernel_signal(int number);

/* Clients. NULL: there is no more room for one. */
struct connection *client_connect(
    const struct sockaddr *peer, socklen_t length, uint32_t listener);
void
client_send(struct connection *client, const uint8_t *bytes, size_t length);
bool client_is_readable(const struct connection *client, bool with_low_water);

/* Packets: into a file's queue. False: nobody there, or no room. */
bool packet_put(struct file *to, const void *bytes, size_t length,
    const int fds[], size_t fd_count, pid_t sender);
struct packet *packet_take(struct file *from);
void packet_free(struct packet *packet);
/* What can be waited for at a file, as epoll(7) says. */
uint32_t file_events(const struct file *file);

#endif

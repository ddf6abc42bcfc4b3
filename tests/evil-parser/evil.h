#ifndef EVIL_PARSER_EVIL_H
#define EVIL_PARSER_EVIL_H

/*
 * What evil parsers share: they come as a parser does (src/sys/room.h) and
 * can answer as one, so that each of them has only its own evil to do. None
 * of them closes a room around itself: they can do more than a parser that
 * was taken over could.
 *
 * Which evil is in the file PROGRAM.how: a word, and perhaps when: `once`,
 * only in the first batch of the first of them (PROGRAM.spent is made then);
 * `marked`, only in a batch in which a client's bytes begin with `!`; `later`,
 * in all of them but the first (PROGRAM.spent again).
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/line.h"
#include "core/message.h"
#include "core/name.h"
#include "sys/room.h"

/* SCM_MAX_FD: more descriptors the kernel takes with no message. */
#define EVIL_FDS_MAX 253

struct evil {
	char path[PATH_MAX];
	char how[64];
	char when[64]; /* empty: always */
	bool is_first; /* nobody of this program was there before */
	struct names names;
};

struct batch {
	size_t count;
	struct handover asked[BATCH_MAX];
	int fds[BATCH_MAX];
	bool is_marked;
	struct verdict answers[BATCH_MAX]; /* as an honest parser would */
};

static inline bool
evil_is(const struct evil *evil, const char *how)
{
	return strcmp(evil->how, how) == 0;
}

/* True for who comes first. */
static inline bool
evil_spend(const struct evil *evil)
{
	char path[PATH_MAX + 8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s.spent", evil->path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

static inline void
evil_read_how(struct evil *evil)
{
	char path[PATH_MAX + 8];
	ssize_t length =
	    readlink("/proc/self/exe", evil->path, sizeof(evil->path) - 1);
	FILE *file;

	if (length < 0)
		err(1, "/proc/self/exe");
	evil->path[length] = '\0';
	(void)snprintf(path, sizeof(path), "%s.how", evil->path);
	file = fopen(path, "re");
	if (file == NULL ||
	    fscanf(file, "%63s %63s", evil->how, evil->when) < 1)
		err(1, "%s", path);
	(void)fclose(file);
	if (strcmp(evil->when, "later") == 0)
		evil->is_first = evil_spend(evil);
}

static inline void
evil_map_names(struct evil *evil)
{
	struct stat about;
	void *base = MAP_FAILED;

	if (fstat(ROOM_NAMES_FD, &about) == 0)
		base = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED,
		    ROOM_NAMES_FD, 0);
	if (base == MAP_FAILED ||
	    !names_init(&evil->names, base, (size_t)about.st_size))
		errx(1, "no names");
}

/* Everything but the greeting. */
static inline void
evil_enter(struct evil *evil)
{
	*evil = (struct evil){ .is_first = false };
	evil_read_how(evil);
	evil_map_names(evil);
	/* What an idle parser may keep (ROOM_IDLE_FDS) stays open. */
	(void)close_range(0, ROOM_CHANNEL_FD - ROOM_IDLE_FDS, 0);
	(void)close_range(ROOM_CHANNEL_FD + 1, ~0U, 0);
}

static inline void
evil_send_with(const void *bytes, size_t length, const int *fds, size_t count)
{
	char control[CMSG_SPACE(sizeof(int) * EVIL_FDS_MAX)] = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes,
		.iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);

		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
	}
	(void)sendmsg(ROOM_CHANNEL_FD, &message, MSG_NOSIGNAL);
}

static inline void
evil_send(const void *bytes, size_t length)
{
	evil_send_with(bytes, length, NULL, 0);
}

static inline void
evil_greet(void)
{
	const uint8_t greeting[VERDICT_GREETING_BYTES] = { 0 };

	evil_send(greeting, sizeof(greeting));
}

/* What an honest parser says of this client. */
static inline void
evil_look(const struct evil *evil, struct batch *batch, size_t i)
{
	struct verdict *answer = &batch->answers[i];
	uint8_t bytes[LINE_MAX_BYTES];
	ssize_t got =
	    recv(batch->fds[i], bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	size_t count = got > 0 ? (size_t)got : 0;
	struct line line = line_read(bytes, count, false);
	int64_t index;

	*answer = (struct verdict){ .slot = batch->asked[i].slot,
		.generation = batch->asked[i].generation,
		.name = VERDICT_NO_NAME,
		.length = line.length };
	batch->is_marked |= count > 0 && bytes[0] == '!';
	if (line.state == LINE_MALFORMED) {
		answer->outcome = OUTCOME_MALFORMED;
		answer->length = 0;
	} else if (line.state == LINE_MORE) {
		bool is_over =
		    got == 0 || (batch->asked[i].flags & HANDOVER_FINAL) != 0;

		answer->outcome = !is_over ? OUTCOME_MORE
		    : count == 0           ? OUTCOME_CLOSED
					   : OUTCOME_MALFORMED;
		answer->length = is_over ? 0 : (uint16_t)count;
	} else if (name_is_help(bytes, line.name_length)) {
		answer->outcome = OUTCOME_HELP;
	} else {
		index = names_find(&evil->names, bytes, line.name_length);
		answer->outcome = index >= 0 ? OUTCOME_NAME : OUTCOME_UNKNOWN;
		if (index >= 0) {
			answer->name = (uint32_t)index;
			return;
		}
		answer->claimed[0] = (uint8_t)line.name_length;
		memcpy(answer->claimed + 1, bytes, line.name_length);
	}
}

/* Waits for a batch and looks at all of it. Ends with the channel. */
static inline void
evil_receive(const struct evil *evil, struct batch *batch)
{
	uint8_t bytes[HANDOVER_MESSAGE_MAX];
	char control[CMSG_SPACE(BATCH_MAX * sizeof(int))] = { 0 };
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t length = recvmsg(ROOM_CHANNEL_FD, &message, MSG_CMSG_CLOEXEC);
	int count;

	if (length <= 0)
		_exit(0);
	count = handover_decode(batch->asked, bytes, (size_t)length);
	if (count <= 0 || CMSG_FIRSTHDR(&message) == NULL)
		_exit(1);
	batch->count = (size_t)count;
	batch->is_marked = false;
	memcpy(batch->fds, CMSG_DATA(CMSG_FIRSTHDR(&message)),
	    batch->count * sizeof(int));
	for (size_t i = 0; i < batch->count; i++)
		evil_look(evil, batch, i);
}

/* Whether this batch is one to be evil with. */
static inline bool
evil_is_due(const struct evil *evil, const struct batch *batch)
{
	if (strcmp(evil->when, "once") == 0)
		return evil_spend(evil);
	if (strcmp(evil->when, "marked") == 0)
		return batch->is_marked;
	return !evil->is_first;
}

static inline void
evil_close_all(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		(void)close(batch->fds[i]);
}

static inline size_t
evil_encode(uint8_t bytes[VERDICT_MESSAGE_MAX], const struct batch *batch)
{
	return verdict_encode(bytes, batch->answers, batch->count);
}

static inline void
evil_answer(const struct batch *batch)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX];

	evil_close_all(batch);
	evil_send(bytes, evil_encode(bytes, batch));
}

#endif

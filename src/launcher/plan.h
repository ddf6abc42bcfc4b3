#ifndef LAUNCHER_PLAN_H
#define LAUNCHER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/image.h"
#include "core/message.h"
#include "core/reply.h"
#include "launcher/base.h"

/* TCPLOCALIP, TCPLOCALPORT, TCPREMOTEIP, TCPREMOTEPORT, REMOTE_ADDR,
 * REMOTE_HOST, REMOTE_PORT: the words no policy can know beforehand. */
#define PLAN_PEER_WORDS 7u
#define PLAN_PEER_WORD_BYTES (16u + ADDR_TEXT_BYTES)

/* Where a plan should begin: what most services use of it is one page then,
 * the only one that a launch has to copy. */
#define PLAN_ALIGNMENT 4096

/*
 * Everything that a launched child needs to know, worked out before the
 * clone: the child only carries it out. Pointers lead into the image, and
 * from argv and envp also into the plan itself: it must not be copied.
 */
struct plan {
	const struct image_service *service;
	const char *program, *chdir;
	const char *chroot; /* NULL: none */
	const uint32_t *groups; /* NULL: those it has, only counted */
	uint32_t group_count;
	uint32_t uid, gid;
	uint64_t capabilities; /* kept: permitted and effective */
	uint64_t inheritable; /* of these; ambient too */
	bool has_new_privileges;
	unsigned filters; /* programs of the image that the base has not */
	bool refuses_clone3; /* by a program of its own */
	size_t reply_length; /* 0: the service speaks first */
	uint8_t reply[REPLY_ACCEPT_BYTES_MAX]; /* not terminated */
	char peer_words[PLAN_PEER_WORDS][PLAN_PEER_WORD_BYTES];
	const char *argv[IMAGE_ARGV_MAX + 1];
	const char *envp[PLAN_PEER_WORDS + IMAGE_ENV_MAX + 1];
};

/*
 * Makes the plan of one launch. 0, or -1 with errno: EINVAL if there is no
 * such service or a stderr pipe is missing or too many, EPERM if the service
 * is disabled or asks for what this base is not for.
 */
int plan_make(
    struct plan *plan, const struct base *base, const struct launch *launch);

#endif

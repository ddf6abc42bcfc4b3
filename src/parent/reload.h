#ifndef PARENT_RELOAD_H
#define PARENT_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "loader/loader.h"
#include "parent/listen_change.h"

struct parent;

/*
 * Another policy, without a restart. Everything that can fail or take long is
 * done beside the policy in force, which goes on serving; then the two change
 * places within one turn (parent/swap.h); then what is left of the former one
 * leaves. One that is asked for meanwhile comes after.
 */
enum reload_state {
	RELOAD_IDLE,
	RELOAD_LOADING, /* a loader reads the policy */
	RELOAD_TELLING, /* what it had to say of it goes to the log */
	RELOAD_READ, /* that is all told */
	RELOAD_CHECKING, /* what it made is gone through */
	RELOAD_PREPARING, /* processes with the next edition get ready */
};

struct reload {
	enum reload_state state;
	bool is_asked; /* for another one */
	struct loader_job job; /* pid 0: none, or it was reaped */
	int problems_fd; /* owned; what the loader writes them to */
	uint64_t problems_told; /* bytes of it */
	int image_fd; /* owned; what it made; -1: nothing, then: */
	const char *reason; /* why this reload fails; NULL: it does not yet */
	int error; /* errno of that, or 0 */
	struct listeners_change listeners;
	int64_t began_ms;
	int64_t deadline_ms; /* of its state; 0: none */
	bool is_leaving; /* who has the other side's edition, for now */
	int64_t leaves_ms; /* when the last lists of its names are given up */
};

/* SIGHUP. */
void reload_ask(struct parent *parent);

/* The loader has come to its end. */
void reload_receive(struct parent *parent);

/* If pid is the loader's. */
bool reload_reap(struct parent *parent, pid_t pid);

/* Whether processes of this side are to be had, though it is not in force. */
bool reload_is_coming(const struct parent *parent, uint32_t side);

/* Something of the next edition does not work: the one in force stays. */
void reload_fail(struct parent *parent, const char *reason, int error);

/* Goes on with it, as far as it can be done without waiting. */
void reload_tend(struct parent *parent);

/* Its next deadline; 0: none. */
int64_t reload_due_ms(const struct parent *parent);

/* tcpmuxd ends: so does a loader. */
void reload_finish(struct parent *parent);

#endif

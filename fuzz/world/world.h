#ifndef FUZZ_WORLD_WORLD_H
#define FUZZ_WORLD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parent/parent.h"

#include "kernel.h"

/*
 * A whole daemon in memory: the parent that ships, on the kernel of kernel.h;
 * workers that are the parser that ships, or whatever an attacker makes of
 * it; launchers and services that act as scripted. One run is a policy and a
 * script; at its end everybody leaves, and nothing may be left.
 */
#define WORLD_IMAGES 2u /* the policy, and the next one */
#define WORLD_SESSIONS 256u

struct world {
	struct parent parent;
	const uint8_t *script;
	size_t left; /* of the script */
	bool is_hostile; /* workers act as the script says */
	bool is_prompt; /* whoever can act does, in each turn */
	bool has_reloaded;
	bool was_quiet; /* all had left before the end was asked for */
	uint32_t turns, last_turns; /* the last: since the script's end */
	struct {
		const void *bytes; /* not owned; NULL: there is none */
		size_t size;
		struct image image;
	} images[WORLD_IMAGES];
	/* how often each session's end was told of */
	struct {
		uint64_t id;
		uint32_t ends;
	} sessions[WORLD_SESSIONS];
	uint32_t session_count;
	bool are_ends_told; /* the policy has the log tell of every one */
};

extern struct world world;

/* Plays a script; images is what policies became, the first at least. */
void world_run(const void *const images[WORLD_IMAGES],
    const size_t sizes[WORLD_IMAGES], const uint8_t *script, size_t length,
    bool is_hostile);

/* The script's next byte; 0 at its end. */
uint8_t script_byte(void);
/* So many of its next bytes, as far as there are any. */
size_t script_bytes(const uint8_t **bytes, size_t most);
/* What it says, up to the next rest. */
void script_play(void);

/* A worker's, launcher's, service's next step. */
void worker_act(struct process *worker);
void worker_hostile(struct process *worker);
/* Nobody has anything yet. */
void hostile_begin(void);
void launcher_act(struct process *launcher);
void service_act(struct process *service);
void service_fail(struct process *service, uint32_t step);
void server_act(uint8_t how);
/* Everybody who can does what it is there for. */
void actors_act_all(void);
/* The nth process of a kind that still lives; NULL: there is none. */
struct process *actor_nth(enum process_kind kind, uint8_t nth);

/* What holds at any time, and what does once all have left. */
void check_always(void);
void check_quiet(void);
void check_ended(void);
void check_launch(const struct process *launcher, const struct launch *launch,
    const struct connection *client);
void check_log_line(const char *line, size_t length);

#endif

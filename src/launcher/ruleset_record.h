#ifndef LAUNCHER_RULESET_RECORD_H
#define LAUNCHER_RULESET_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>

/*
 * What a ruleset was made of: a rule holds on to an inode, a policy says a
 * path, so a ruleset is as good as its paths lead where they led when it was
 * made. All of it is async-signal-safe, and looks at paths as its caller sees
 * them.
 */

/* What a path leads to. Two are the same only if they are one file. */
struct identity {
	uint64_t inode; /* 0: nothing is there */
	uint64_t mount;
	uint32_t major, minor;
	/*
	 * The last change, or 0 if it does not matter: of a program, which may
	 * name another interpreter now; of a directory that stands for what
	 * lies in it.
	 */
	int64_t changed_s;
	uint32_t changed_ns;
};

/* What statx(2) has to be asked for. */
#define IDENTITY_WANTED \
	(STATX_TYPE | STATX_INO | STATX_CTIME | STATX_MNT_ID | \
	    STATX_MNT_ID_UNIQUE)
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000u
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000u /* Linux 6.8: no later mount has it */
#endif

#define RECORD_PATHS_MAX 96u
#define RECORD_TEXT_BYTES 1024u

enum record_state {
	RECORD_WHOLE, /* it names all that a ruleset was made of */
	RECORD_YOUNG, /* some of it may change once more unseen: see note */
	RECORD_LARGE, /* there was no room */
	RECORD_VOID, /* of no ruleset */
};

struct ruleset_record {
	struct {
		const char *path;
		struct identity identity;
		bool is_dated; /* its last change matters */
	} paths[RECORD_PATHS_MAX];
	uint32_t count;
	enum record_state state;
	size_t text_used;
	char text[RECORD_TEXT_BYTES]; /* paths that had no other place */
};

struct identity identify(const struct statx *status, bool is_dated);

/* Whether it is one file, whatever became of it. */
bool is_same_file(const struct identity *left, const struct identity *right);

void record_begin(struct ruleset_record *record);

/*
 * Notes what a path leads to; is_passing: its bytes are not there for long. A
 * change within the same tick of the clock as the one before has the same
 * time, so what was changed just now leaves the record young. NULL for record
 * is none.
 */
void record_note(struct ruleset_record *record, const char *path,
    bool is_passing, const struct identity *identity, bool is_dated);

/* Whether it is whole, and every path still leads where it led. */
bool record_holds(const struct ruleset_record *record);

#endif

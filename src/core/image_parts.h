#ifndef CORE_IMAGE_PARTS_H
#define CORE_IMAGE_PARTS_H

#include <stdint.h>

#include "core/addr.h"

/*
 * What the sections of an image (core/image.h) consist of, but for services
 * and what the policy says once. Of these there are as many as the policy has.
 */

/* A string: bytes of the strings section, with a NUL behind them. */
struct image_text {
	uint32_t offset;
	uint32_t length;
};

/* Elements of another section. */
struct image_range {
	uint32_t first;
	uint32_t count;
};

/* Where a policy line stands, for the log's rule=FILE:LINE. */
struct image_place {
	struct image_text file;
	uint32_t line;
};

enum image_rule_kind {
	IMAGE_RULE_ANY,
	IMAGE_RULE_SET, /* an inline prefix is a set of one interval */
};

struct image_rule {
	struct image_place place;
	uint32_t set; /* index; 0 for IMAGE_RULE_ANY */
	uint8_t is_allow;
	uint8_t kind; /* enum image_rule_kind */
	uint8_t unused[2];
};

/*
 * Sorted intervals that do not touch each other, both ends inclusive. Those of
 * v6 have their members on every link; scoped ones are of one link each,
 * sorted by it first.
 */
struct image_set {
	struct image_range v4;
	struct image_range v6;
	struct image_range scoped;
};

struct image_v4 {
	uint32_t first, last; /* host order */
};

struct image_v6 {
	uint8_t first[16], last[16]; /* network order */
};

struct image_scoped {
	struct image_v6 v6;
	uint32_t scope; /* the number of an interface, not 0 */
};

#define IMAGE_LISTEN_FREEBIND 0x01u /* also if it is nobody's address yet */
#define IMAGE_LISTEN_LENIENT_LF 0x02u /* a bare LF ends a line, too */
#define IMAGE_LISTEN_FLAGS 0x03u

struct image_listen {
	struct addr addr; /* port and scope included */
	struct image_place place;
	struct image_text name; /* empty: none; several may share one */
	struct image_text interface; /* empty: any */
	uint16_t backlog;
	uint8_t flags; /* IMAGE_LISTEN_* */
	uint8_t unused;
};

/* Minutes of the local week (core/hours.h), the end exclusive. */
struct image_hours {
	uint16_t first, end;
};

/* What its service's exit code costs a source. */
struct image_exit {
	uint32_t penalty_ms; /* 0: nothing */
	uint8_t code; /* 1 to 255 */
	uint8_t unused[3];
};

/* What a path may be used for; an image has the bits 1 << these. */
enum image_access {
	IMAGE_ACCESS_READ, /* files beneath it, lists of its directories */
	IMAGE_ACCESS_WRITE, /* and change, make, move and remove them */
	IMAGE_ACCESS_EXEC, /* read, and execute */
	IMAGE_ACCESSES,
};

#define IMAGE_ACCESS_BIT(access) (1u << (access))
#define IMAGE_ACCESS_ALL (IMAGE_ACCESS_BIT(IMAGE_ACCESSES) - 1)
#define IMAGE_PATH_OPTIONAL 0x01u /* it need not be there */

/* What a service may use of the files, as it sees them: inside its chroot. */
struct image_path {
	struct image_text path; /* absolute */
	uint8_t access; /* IMAGE_ACCESS_BITs, at least one */
	uint8_t flags; /* IMAGE_PATH_* */
	uint8_t unused[2];
};

/*
 * All that some services may use, but for what everyone may
 * (launcher/everyone.h). The first is the program, to execute.
 */
struct image_ruleset {
	struct image_range paths; /* 1 to IMAGE_GRANTS_MAX + 1 */
};

#endif

#ifndef SYS_FILTER_H
#define SYS_FILTER_H

#include <stddef.h>
#include <stdint.h>

/*
 * A filter of system calls as a table: what stands in it is answered as its
 * row says if all its pins hold; everything else as the table says. A call of
 * a foreign ABI (i386, x32) always kills the process.
 */
#define FILTER_PINS_MAX 4

enum filter_answer {
	FILTER_ALLOW,
	FILTER_REFUSE, /* EPERM */
	FILTER_NO_FAMILY, /* EAFNOSUPPORT */
	FILTER_KILL, /* the process */
};

enum filter_comparison {
	FILTER_EQUAL, /* in the bits of the mask */
	FILTER_UNEQUAL, /* all 64 bits, whatever the mask */
	FILTER_AT_LEAST, /* the same */
};

/* What one argument must be. */
struct filter_pin {
	unsigned argument; /* 0 to 5 */
	uint64_t mask; /* 0: the end of the pins */
	uint64_t value;
	enum filter_comparison comparison;
};

/*
 * An argument that is an int to the kernel, which looks at 32 bits and
 * drops the others: so the filter compares those, no more (the others may
 * hold anything) and no less, and never by order, which takes all 64.
 */
#define FILTER_INT(argument_, value_) \
	{ \
		.argument = (argument_), .mask = UINT32_MAX, \
		.value = (uint32_t)(value_) \
	}
/* An int of whose bits `mask` only these are set. */
#define FILTER_BITS(argument_, mask_, value_) \
	{ \
		.argument = (argument_), .mask = (uint32_t)(mask_), \
		.value = (uint32_t)(value_) \
	}
/* A null pointer, or a zero: every bit. */
#define FILTER_NULL(argument_) \
	{ \
		.argument = (argument_), .mask = UINT64_MAX, .value = 0 \
	}
/*
 * Anything but this. Of all 64 bits, so that of an int more is refused than
 * the kernel would take for something else: never less.
 */
#define FILTER_OTHER(argument_, value_) \
	{ \
		.argument = (argument_), .mask = UINT64_MAX, \
		.value = (uint64_t)(value_), .comparison = FILTER_UNEQUAL \
	}
/* The same with all from here on. */
#define FILTER_FROM(argument_, value_) \
	{ \
		.argument = (argument_), .mask = UINT64_MAX, \
		.value = (uint64_t)(value_), .comparison = FILTER_AT_LEAST \
	}

struct filter_row {
	int number; /* SYS_... of the native ABI */
	const char *reason;
	struct filter_pin pins[FILTER_PINS_MAX + 1];
	enum filter_answer answer;
};

struct filter_table {
	const struct filter_row *rows;
	size_t count;
	enum filter_answer otherwise; /* no row has it */
};

/*
 * Loads it for the whole process (seccomp(2)); it cannot be taken off again.
 * Wants no_new_privs. The first row is tested first. Allocates, so it comes
 * before heaps are forbidden. Returns 0, or -1 with errno. In a sanitizer
 * build no filter is loaded: sanitizers map and write.
 */
int filter_load(const struct filter_table *table);

/*
 * Writes it to fd as the kernel's own instructions (struct sock_filter), for
 * filter_enter. 0, or -1 with errno.
 */
int filter_export(const struct filter_table *table, int fd);

/* filter_enter.c: all that a process needs that loads a program made before. */

/*
 * Judges every call of this process and its children by it from now on.
 * Async-signal-safe, and needs no_new_privs or CAP_SYS_ADMIN. 0, or -1 with
 * errno, also if the kernel then says that nothing is judged.
 */
int filter_enter(const void *instructions, size_t count);

/*
 * The same with one that says clone3 is ENOSYS: then clone, whose flags can
 * be judged, is called instead. Lies behind one that kills foreign ABIs. Who
 * calls it with this key as its third argument, of which clone3 itself has
 * none, may; a key of 0 is nobody's. execve leaves nobody knowing it.
 */
int filter_enter_without_clone3(uint64_t key);

/* For the version line: empty, or what is weaker in this build. */
extern const char filter_note[];

#endif

#ifndef SYS_FILTER_H
#define SYS_FILTER_H

#include <stddef.h>
#include <stdint.h>

/*
 * A filter of system calls as a table: what stands in it may be called with
 * exactly these arguments; everything else, and every call of a foreign ABI
 * (i386, x32), kills the process.
 */
#define FILTER_PINS_MAX 4

/* One argument that must be equal to value, where mask has bits. */
struct filter_pin {
	unsigned argument; /* 0 to 5 */
	uint64_t mask; /* 0: the end of the pins */
	uint64_t value;
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
/* A null pointer: every bit. */
#define FILTER_NULL(argument_) \
	{ \
		.argument = (argument_), .mask = UINT64_MAX, .value = 0 \
	}

struct filter_row {
	int number; /* SYS_... of the native ABI */
	const char *reason;
	struct filter_pin pins[FILTER_PINS_MAX + 1];
};

/*
 * Loads it for the whole process (seccomp(2)); it cannot be taken off again.
 * Wants no_new_privs. The first row is tested first. Allocates, so it comes
 * before heaps are forbidden. Returns 0, or -1 with errno. In a sanitizer
 * build no filter is loaded: sanitizers map and write.
 */
int filter_load(const struct filter_row rows[], size_t count);

/* For the version line: empty, or what is weaker in this build. */
extern const char filter_note[];

#endif

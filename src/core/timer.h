#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Times at which something is due, each of a different length: a binary heap
 * in a fixed table, with at most one time for each number below its capacity.
 * Who has none costs nothing.
 */
struct timers {
	int64_t *due_ms; /* by number */
	uint32_t *places; /* by number: in the heap, from 1; 0: not in it */
	uint32_t *heap; /* numbers; the soonest first */
	uint32_t capacity, count;
};

#define TIMERS_NONE UINT32_MAX

/* The bytes of a table for so many numbers. */
size_t timers_bytes(uint32_t capacity);

/* Makes an empty one of zeroed memory, 8-aligned, of timers_bytes. */
void timers_init(struct timers *timers, void *memory, uint32_t capacity);

/* It is due then, and not at whatever time it was before. */
void timers_set(struct timers *timers, uint32_t number, int64_t due_ms);

/* It is not due at all any more, if it was. */
void timers_drop(struct timers *timers, uint32_t number);

/* The number that is due first, at *due_ms; TIMERS_NONE: there is none. */
uint32_t timers_first(const struct timers *timers, int64_t *due_ms);

/* Sets in an empty table, at least as large, all that is set in this one. */
void timers_carry(struct timers *to, const struct timers *from);

#endif

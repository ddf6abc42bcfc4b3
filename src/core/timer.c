/*
 * A binary heap of times that knows where in it each number is.
 * Trusts numbers to be below its capacity.
 * Never needs more than the logarithm of what is set.
 */
#include "core/timer.h"

#include <assert.h>

size_t
timers_bytes(uint32_t capacity)
{
	return (size_t)capacity * (sizeof(int64_t) + 2 * sizeof(uint32_t));
}

void
timers_init(struct timers *timers, void *memory, uint32_t capacity)
{
	int64_t *due_ms = memory;
	uint32_t *places = (uint32_t *)(due_ms + capacity);

	*timers = (struct timers){ .due_ms = due_ms,
		.places = places,
		.heap = places + capacity,
		.capacity = capacity };
}

/* Places count from 1, so that a place's children are 2n and 2n + 1. */
static int64_t
due_at(const struct timers *timers, uint32_t place)
{
	return timers->due_ms[timers->heap[place - 1]];
}

static void
put(struct timers *timers, uint32_t place, uint32_t number)
{
	timers->heap[place - 1] = number;
	timers->places[number] = place;
}

static void
rise(struct timers *timers, uint32_t number)
{
	uint32_t place = timers->places[number];

	while (
	    place > 1 && due_at(timers, place / 2) > timers->due_ms[number]) {
		put(timers, place, timers->heap[place / 2 - 1]);
		place /= 2;
	}
	put(timers, place, number);
}

static void
sink(struct timers *timers, uint32_t number)
{
	uint32_t place = timers->places[number];

	while (place <= timers->count / 2) {
		uint32_t child = 2 * place;

		if (child < timers->count &&
		    due_at(timers, child + 1) < due_at(timers, child))
			child++;
		if (due_at(timers, child) >= timers->due_ms[number])
			break;
		put(timers, place, timers->heap[child - 1]);
		place = child;
	}
	put(timers, place, number);
}

void
timers_set(struct timers *timers, uint32_t number, int64_t due_ms)
{
	assert(number < timers->capacity);
	timers->due_ms[number] = due_ms;
	if (timers->places[number] == 0)
		put(timers, ++timers->count, number);
	rise(timers, number);
	sink(timers, number);
}

void
timers_drop(struct timers *timers, uint32_t number)
{
	uint32_t place, last;

	assert(number < timers->capacity);
	place = timers->places[number];
	if (place == 0)
		return;
	last = timers->heap[--timers->count];
	timers->places[number] = 0;
	if (last == number)
		return;
	put(timers, place, last);
	rise(timers, last);
	sink(timers, last);
}

uint32_t
timers_first(const struct timers *timers, int64_t *due_ms)
{
	if (timers->count == 0)
		return TIMERS_NONE;
	*due_ms = due_at(timers, 1);
	return timers->heap[0];
}

void
timers_carry(struct timers *to, const struct timers *from)
{
	for (uint32_t i = 0; i < from->count; i++)
		timers_set(to, from->heap[i], from->due_ms[from->heap[i]]);
}

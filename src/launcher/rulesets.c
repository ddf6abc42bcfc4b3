/*
 * Rulesets that are kept ready, and when one is made anew.
 * Trusts a child that has not exec'ed yet: it is the launcher's own code.
 * Never hands out one whose paths lead elsewhere by now.
 */
#include "launcher/rulesets.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include <sys/mman.h>

#include "sys/fd.h"
#include "sys/landlock.h"

int
rulesets_init(struct rulesets *rulesets, const struct image *image)
{
	const uint32_t count = image_count(image, IMAGE_RULESETS);
	void *wanted;

	rulesets->abi = landlock_abi();
	rulesets->count = 0;
	rulesets->wanted = NULL;
	if (count == 0)
		return 0;
	wanted = mmap(NULL, count, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (wanted == MAP_FAILED)
		return -1;
	rulesets->wanted = wanted;
	return 0;
}

/* Where it is, or the count: it is not ready. */
static uint32_t
find(const struct rulesets *rulesets, uint32_t number)
{
	uint32_t i = 0;

	while (i < rulesets->count && rulesets->ready[i].number != number)
		i++;
	return i;
}

int
rulesets_take(const struct rulesets *rulesets, const struct image *image,
    uint32_t number, struct ruleset *ruleset)
{
	const uint32_t place = find(rulesets, number);

	if (place < rulesets->count &&
	    record_holds(&rulesets->ready[place].record)) {
		*ruleset = rulesets->ready[place].ruleset;
		return 0;
	}
	if (ruleset_make(ruleset, NULL, image, number, rulesets->abi) != 0)
		return -1;
	if (rulesets->wanted[number] == WANTED_NOT)
		rulesets->wanted[number] = WANTED_NOW;
	return 0;
}

/* Lets `made` be the one at `place`, which may be the next. */
static void
put_take_fd(struct rulesets *rulesets, uint32_t place, struct ruleset *made,
    unsigned *first_free_fd)
{
	struct ruleset *kept = &rulesets->ready[place].ruleset;

	if (place < rulesets->count) {
		kept->opens_root = made->opens_root;
		/* Else it is the former one, which the record is not of. */
		if (dup3(made->fd, kept->fd, O_CLOEXEC) == -1)
			rulesets->ready[place].record.state = RECORD_VOID;
	} else if ((unsigned)made->fd == *first_free_fd) {
		*kept = *made;
		made->fd = -1;
		rulesets->count++;
		*first_free_fd += 1;
	}
	fd_close(&made->fd);
}

void
rulesets_tend(struct rulesets *rulesets, const struct image *image,
    uint32_t number, unsigned *first_free_fd)
{
	const uint32_t place = find(rulesets, number);
	struct ruleset_record *record;
	struct ruleset made;

	if (rulesets->wanted[number] != WANTED_NOW ||
	    place == RULESETS_READY_MAX)
		return;
	rulesets->wanted[number] = WANTED_NOT;
	rulesets->ready[place].number = number;
	record = &rulesets->ready[place].record;
	if (ruleset_make(&made, record, image, number, rulesets->abi) != 0)
		return;
	if (record->state == RECORD_WHOLE)
		put_take_fd(rulesets, place, &made, first_free_fd);
	else if (record->state == RECORD_LARGE)
		rulesets->wanted[number] = WANTED_NEVER;
	fd_close(&made.fd);
}

/*
 * Fuzzes the parent with a compromised parser: the script plays clients,
 * launchers, time, and workers that answer anything at all, on channels in
 * memory. After every turn all counts are those of the sessions, nothing is
 * launched that its client did not ask for and its policy allows, and in the
 * end each connection has come to one end and nothing is left.
 */
#include "world/world.h"

#include "world/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const void *images[WORLD_IMAGES];
	static size_t sizes[WORLD_IMAGES];

	images[0] = policy_small(&sizes[0]);
	world_run(images, sizes, bytes, length, true);
	return 0;
}

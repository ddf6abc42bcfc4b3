/*
 * Fuzzes the parent with a compromised parser: the script plays clients,
 * launchers, time, and workers that answer anything at all, on channels in
 * memory. After every turn all counts are those of the sessions, nothing is
 * launched that its client did not ask for and its policy allows, and in the
 * end each connection has come to one end and nothing is left.
 */
#include "world/world.h"

#include <stdlib.h>
#include <string.h>

#include "world/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Small limits, so that a short script meets them. */
static const char text[] =
    "policy 1\n"
    "listen 127.0.0.1 name one\n"
    "listen ::1 name two lenient-lf\n"
    "parser {\n\tuser 65534\n\tgroup 65534\n\ttimeout 3s\n"
    "\trecycle 20 20s\n\tworkers 2\n}\n"
    "admission {\n\tdeny 10.0.0.0/8\n\tallow any\n\tsessions 6\n"
    "\tpending 8\n\tpending-per-source 4\n\tper-source 6\n"
    "\trate 20/s burst 20\n\tsources 32\n\tpenalty denied 1s\n"
    "\tpenalty-threshold 5s\n\tpenalty-max 60s\n\texempt 127.0.0.1\n"
    "\tdrop-in-kernel on\n}\n"
    "log {\n\tlimit off\n}\n"
    "service git {\n\talias g 9418\n\tallow any\n\tuser 1000\n"
    "\tgroup 1000\n\texec /bin/cat\n\tsessions 3\n\tper-source 2\n"
    "\tlifetime 20s\n}\n"
    "service closed {\n\tallow 198.51.100.7\n\tuser 1000\n"
    "\tgroup 1000\n\texec /bin/cat\n\tisolate pid mount\n}\n"
    "service off disabled {\n\tallow any\n\tuser 1000\n\tgroup 1000\n"
    "\texec /bin/cat\n}\n"
    "service one {\n\tallow any\n\ton one\n\tuser 1000\n\tgroup 1000\n"
    "\texec /bin/cat\n\trate 2/s burst 2\n\tpenalty exit 1 10s\n}\n"
    "service night {\n\tallow any\n\thours sun 22:00-23:00\n"
    "\tuser 1000\n\tgroup 1000\n\texec /bin/cat\n}\n"
    "service sync {\n\tallow any\n\tpass /run/sync.sock uid 0\n}\n"
    "service trap {\n\tallow any\n\ttrap\n}\n";

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const void *images[WORLD_IMAGES];
	static size_t sizes[WORLD_IMAGES];

	if (images[0] == NULL)
		images[0] = policy_image(text, sizeof(text) - 1, &sizes[0]);
	if (images[0] == NULL)
		abort();
	world_run(images, sizes, bytes, length, true);
	return 0;
}

#ifndef PARENT_LIMITS_H
#define PARENT_LIMITS_H

#include <stddef.h>

/* Times and sizes that no policy changes. Milliseconds, bytes, counts. */

#define LIMIT_BATCH_MS 1000 /* for a parser to answer its batch */
#define LIMIT_LATE_MS 100 /* before another takes its seat */
#define LIMIT_START_MS 10000 /* for a room to be closed, at start */
#define LIMIT_RETIRE_MS 1000 /* for a parser to leave when told */
#define LIMIT_BACKOFF_MIN_MS 10 /* before a replacement is started */
#define LIMIT_BACKOFF_MAX_MS 500
#define LIMIT_AUDIT_MS 50 /* between counts of a parser's descriptors */

#define LIMIT_LAUNCH_MS 5000 /* from the choice of a service to its exec */
#define LIMIT_LAUNCHES_OPEN 128u /* with one launcher at a time */
#define LIMIT_PASSES_OPEN 256u /* to one server, that it has not taken */
#define LIMIT_PASS_BUSY_MS 250 /* with none taken, before it is stuck */
#define LIMIT_STOP_MS 5000 /* from SIGTERM to SIGKILL of a session */
#define LIMIT_STOP_KILLS 3 /* who is there after so many cannot be killed */

#define LIMIT_ENDS_A_TURN 64 /* sessions asked about, or over their time */
#define LIMIT_ASK_MS 1000 /* until the kernel is asked again */

#define LIMIT_RING_MS 3 /* until a refused client's end is looked for */
#define LIMIT_RING_TOGETHER 32 /* asked about their ends at a time */
#define LIMIT_LINGER_MS 15000 /* for it to close, in all; then the next: */
#define LIMIT_LINGER_IDLE_MS 4000 /* without sending anything */
#define LIMIT_LINGER_BYTES ((size_t)4 * 1024 * 1024)
#define LIMIT_LINGER_SLOTS 1024u
#define LIMIT_LINGER_PER_SOURCE 256u

#define LIMIT_ACCEPTS_A_TURN 64
#define LIMIT_ACCEPTS_TOGETHER 16 /* before they are let in */
#define LIMIT_LAST_ACCEPTS 4096 /* of a listener that leaves, in one turn */
#define LIMIT_REAPS_A_TURN 512
#define LIMIT_NAP_US 200 /* between turns, when many come one by one */
#define LIMIT_NAP_WINDOW_MS 8 /* in which so many are many: */
#define LIMIT_NAP_ACCEPTS 16u
#define LIMIT_NAP_CROWD 16u /* more than so many are undecided at a time */
#define LIMIT_NAP_PASSES 8u /* of so many, one that is passed is many */
#define LIMIT_ACCEPT_RETRY_MS 100 /* after running out of something */
#define LIMIT_USER_TIMEOUT_MS 30000u /* unanswered data; tcp(7) */

#define LIMIT_BAN_REWRITE_MS 250 /* between filters on the listeners */
#define LIMIT_BAN_LOG_MS 1000 /* between lines about them */

#define LIMIT_SWEEP_MS 500 /* at start, for what others left to end */
#define LIMIT_END_MS 200 /* what is in cgroups to end, at the very end */
#define LIMIT_LOADER_MS 30000
#define LIMIT_LEAVE_MS 2000 /* of a listener that a reload takes away */
#define LIMIT_FORMER_MS 5000 /* for lists of names of the policy before */
#define LIMIT_CHECKS_A_TURN 4096u /* elements of a policy's image */
#define LIMIT_PROBLEM_BYTES_A_TURN 8192 /* of a policy's problems, logged */

#endif

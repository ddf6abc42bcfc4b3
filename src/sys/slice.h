/* How long the caller runs before others may: sched_setattr(2). */
#ifndef SYS_SLICE_H
#define SYS_SLICE_H

/*
 * Asks the scheduler for slices of SLICE_US. Who wants little at a time gets
 * it sooner (EEVDF, Linux 6.12): no more of the processor than before, but
 * without waiting for the slice of whoever has it. What the caller forks does
 * not inherit it. Where the kernel takes no such wish, or the caller was
 * given another policy than SCHED_OTHER or a niceness below 0, which services
 * are to inherit, nothing changes.
 */
#define SLICE_US 100
void slice_shorten(void);

#endif

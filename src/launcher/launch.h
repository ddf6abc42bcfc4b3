#ifndef LAUNCHER_LAUNCH_H
#define LAUNCHER_LAUNCH_H

#include "core/step.h"
#include "launcher/base.h"
#include "launcher/plan.h"
#include "launcher/receive.h"

/*
 * Launches one planned service: clones, and in the child takes the steps of
 * "The order of a launch" one by one, the last of which is execve. Everything
 * the parent learns comes through the status pipe (core/step.h) and, first of
 * all, as LAUNCHED on the channel. The child is the parent's own
 * (CLONE_PARENT). Only returns in the launcher, where received's descriptors
 * are still open and still the caller's.
 */
void launch(const struct base *base, const struct plan *plan,
    const struct received *received);

/* Tells the status pipe that a step failed before there was a child. */
void launch_report(int status_fd, enum step step, int error);

#endif

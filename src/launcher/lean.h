#ifndef LAUNCHER_LEAN_H
#define LAUNCHER_LEAN_H

/*
 * Runs it, as pthread_create(3) would, and returns what it returned. No clone
 * that it makes copies the stack and the heap that the process began with:
 * children must not use malloc(3), the arguments or the environment. Where
 * that cannot be had, clones only cost more.
 */
void *lean_run(void *(*run)(void *), void *argument);

#endif

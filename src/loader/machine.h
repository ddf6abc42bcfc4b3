#ifndef LOADER_MACHINE_H
#define LOADER_MACHINE_H

/*
 * What this machine and tcpmuxd's own process can do for a service: errno of
 * what stands in the way, or 0. All zero is a machine that can do everything.
 */
struct machine {
	int network_error; /* of an empty network namespace */
	int landlock_tcp_error; /* of Landlock's rules for TCP */
};

/*
 * Tries it, with the rights that tcpmuxd has: a child that ends at once makes
 * the namespace.
 */
void machine_look(struct machine *machine);

#endif

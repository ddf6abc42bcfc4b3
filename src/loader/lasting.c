/*
 * How long a service's sessions may last, into the image.
 * Trusts nothing but the kernel to say whether it can tell what is idle.
 * Never takes a limit that nobody could keep.
 */
#include "loader/load.h"

#include <errno.h>
#include <string.h>

#include "sys/fd.h"
#include "sys/sock_diag.h"

/* 0, or why the kernel tells nothing of connections. */
static int
find_diag_error(void)
{
	int error = 0;
	int fd = sock_diag_open();

	if (fd < 0 || sock_diag_check(fd) != 0)
		error = errno;
	fd_close(&fd);
	return error;
}

static void
check_idle(struct load *load, struct place place)
{
	int error;

	if (load->options->skips_system || load->has_diag)
		return;
	error = find_diag_error();
	load->has_diag = error == 0;
	if (error != 0)
		problems_add(&load->problems, PROBLEM_ERROR, place,
		    "'idle' cannot be kept: the kernel tells nothing of "
		    "connections here (%s); it takes netlink sockets and "
		    "CONFIG_INET_DIAG",
		    strerror(error));
}

void
load_lasting(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	to->lifetime_s = from->lifetime_s;
	to->idle_s = from->idle_s;
	if (from->idle_s > 0)
		check_idle(load, from->idle_place);
}

/*
 * `network none`: no socket that leads out of the machine, whatever
 * `syscalls` says. The empty namespace holds whoever gets one nevertheless;
 * but the session's own socket is not of that namespace, and must not become
 * another connection: Landlock keeps connect(2) and bind(2) from it, and these
 * rows what Landlock does not see.
 */
#include "loader/profile.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#define REFUSE_IF(number_, answer_, reason_, ...) \
	{ \
		.number = (number_), .reason = (reason_), \
		.pins = { __VA_ARGS__ }, .answer = (answer_) \
	}
#define FASTOPEN(argument_) FILTER_BITS(argument_, MSG_FASTOPEN, MSG_FASTOPEN)

#define FAMILY(family_) \
	REFUSE_IF(SYS_socket, FILTER_NO_FAMILY, "neither unix nor netlink", \
	    FILTER_INT(0, family_))

static const struct filter_row rows[] = {
	/* unix by path leads nowhere else; netlink is of the empty namespace */
	FAMILY(2),
	FAMILY(3),
	FAMILY(4),
	FAMILY(5),
	FAMILY(6),
	FAMILY(7),
	FAMILY(8),
	FAMILY(9),
	FAMILY(10),
	FAMILY(11),
	FAMILY(12),
	FAMILY(13),
	FAMILY(14),
	FAMILY(15),
	REFUSE_IF(SYS_socket, FILTER_NO_FAMILY, "neither unix nor netlink",
	    FILTER_FROM(0, AF_NETLINK + 1)),
	REFUSE_IF(SYS_sendto, FILTER_REFUSE, "connects, too", FASTOPEN(3)),
	REFUSE_IF(SYS_sendmsg, FILTER_REFUSE, "connects, too", FASTOPEN(2)),
	REFUSE_IF(SYS_sendmmsg, FILTER_REFUSE, "connects, too", FASTOPEN(3)),
	{ SYS_listen, "binds what is not bound", { { 0 } }, FILTER_REFUSE },
	{ SYS_io_uring_setup, "calls that no filter sees", { { 0 } },
	    FILTER_REFUSE },
};

const struct filter_table profile_offline = {
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.otherwise = FILTER_ALLOW,
};

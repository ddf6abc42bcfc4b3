#ifndef CLIENT_STATUS_H
#define CLIENT_STATUS_H

/* What tcpmux exits with, as tcpmux(1) says; numbers of sysexits.h. */
enum status {
	STATUS_OK = 0,
	STATUS_REFUSED = 1, /* the server or the service said no */
	STATUS_USAGE = 64,
	STATUS_UNAVAILABLE = 69, /* no connection, no answer, or not in time */
	STATUS_UNCONFINED = 71, /* the sandbox could not be entered */
	STATUS_BROKEN = 74, /* the relay ended before its time */
};

#endif

/*
 * tcpmuxd-builtin: one small service for one client, as argv[1] says.
 * Trusts the launcher: it is the service's user by now, and the connection is
 * descriptor 0.
 * Never reads a byte of the client before its filter is loaded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "builtin/allowed.h"
#include "builtin/serve.h"

int
main(int argc, char *argv[])
{
	enum builtin builtin;

	if (argc != 2 || !builtin_find(&builtin, argv[1])) {
		(void)fputs(
		    "tcpmuxd-builtin: only tcpmuxd starts it\n", stderr);
		return EX_USAGE;
	}
	if (allowed_load(builtin) != 0) {
		(void)fprintf(
		    stderr, "tcpmuxd-builtin: filter: %s\n", strerror(errno));
		return EX_OSERR;
	}
	/* Not exit: its handlers may want what the filter has not. */
	_exit(serve(builtin) ? EXIT_SUCCESS : EXIT_FAILURE);
}

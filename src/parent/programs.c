/*
 * Opens the two programs of tcpmuxd that are its own processes.
 * Trusts the folders that they are looked for in (sys/installed.h).
 * Never looks along PATH.
 */
#include "parent/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "sys/installed.h"
#include "sys/log.h"

static int
open_program(const char *path)
{
	return open(path, O_PATH | O_CLOEXEC);
}

static int
open_installed(const char *name)
{
	char path[PATH_MAX];
	int fd = -1;

	for (int i = 0; i < INSTALLED_PLACES && fd == -1; i++)
		if (installed_path(path, name, (enum installed_place)i) == 0)
			fd = open_program(path);
	return fd;
}

static int
logged(int fd, const char *name)
{
	int error = errno;

	if (fd >= 0)
		return fd;
	log_begin(LOG_LEVEL_ERROR, "program-missing");
	log_text("program", name);
	log_errno(error);
	log_end();
	return -1;
}

int
programs_open_parser(const char *own)
{
	if (own[0] == '\0')
		return logged(
		    open_installed("tcpmuxd-parser"), "tcpmuxd-parser");
	log_begin(LOG_LEVEL_WARNING, "parser-program");
	log_text("program", own);
	log_end();
	return logged(open_program(own), own);
}

int
programs_open_launcher(void)
{
	return logged(open_installed("tcpmuxd-launcher"), "tcpmuxd-launcher");
}

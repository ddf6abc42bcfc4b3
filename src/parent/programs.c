/*
 * Finds the two other programs of tcpmuxd.
 * Trusts the folder tcpmuxd itself was started from, and libexec.
 * Never looks along PATH.
 */
#include "parent/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/log.h"

static int
open_program(const char *path)
{
	return open(path, O_PATH | O_CLOEXEC);
}

static int
open_beside_us(const char *name)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;
	size_t folder;

	if (length < 0)
		return -1;
	path[length] = '\0';
	slash = strrchr(path, '/');
	folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	if (folder + strlen(name) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path + folder, name, strlen(name) + 1);
	return open_program(path);
}

static int
open_installed(const char *name)
{
	char path[PATH_MAX];
	int fd = open_beside_us(name);

	if (fd >= 0)
		return fd;
	(void)snprintf(path, sizeof(path), "%s/%s", TCPMUXD_LIBEXEC, name);
	return open_program(path);
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

/*
 * The server that a service is passed on to: its socket, and who it is.
 * Trusts the way to the socket only as far as root and that server's own user
 * alone can change it.
 * Never connects: the server may be started later than tcpmuxd.
 */
#include "loader/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sys/fd.h"
#include "sys/file.h"

/* Whose it must be: as tcpmuxd itself, unless the policy names somebody. */
static bool
find_server(struct load *load, const struct policy_service *from, uint32_t *uid)
{
	const struct word *user = &from->pass_user;
	struct account account = { .uid = 0 };
	enum account_error error;

	*uid = load->uid;
	if (user->text.length == 0)
		return true;
	error = accounts_user(&load->accounts, user->text, &account);
	*uid = account.uid;
	if (error == ACCOUNT_OK || error == ACCOUNT_NO_GROUP)
		return true;
	load_account_problem(load, error, "user", user);
	return false;
}

static void
refuse_socket(struct load *load, const struct word *path, const char *problem)
{
	problems_add(&load->problems, PROBLEM_ERROR, path->place,
	    "cannot use socket %.*s: %s", TEXT_ARGS(path->text), problem);
}

/* As paths_describe does, for who may be another trusted one than we are. */
static void
describe(const struct file_trust *trust, const char *path, char *description,
    size_t size)
{
	if (trust->fault != FILE_FAULT_OWNER || trust->owner == 0) {
		paths_describe(trust, path, description, size);
		return;
	}
	(void)snprintf(description, size,
	    "%s belongs to uid %u, who could replace it: it must belong to "
	    "root or to its server's uid %u",
	    trust->path, (unsigned)trust->uid, (unsigned)trust->owner);
}

/* What is not there yet comes with its server, by the same trusted way. */
static void
look_at_socket(struct load *load, const struct word *path, uint32_t uid)
{
	char text[IMAGE_SOCKET_MAX + 1];
	char description[PATH_MAX + 256];
	struct file_trust trust = { .owner = uid };
	struct stat status = { .st_mode = 0 };
	int fd;

	/* The parser lets no longer one through. */
	memcpy(text, path->text.bytes, path->text.length);
	text[path->text.length] = '\0';
	fd = file_open_trusted(text, O_PATH, &trust);
	if (fd < 0 && trust.fault == FILE_FAULT_ERRNO && trust.error == ENOENT)
		return;
	if (fd < 0) {
		describe(&trust, text, description, sizeof(description));
		refuse_socket(load, path, description);
		return;
	}
	if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode))
		refuse_socket(load, path, "not a socket");
	fd_close(&fd);
}

void
load_pass(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	const struct word *path = &from->pass;

	to->program =
	    load_text(load, path->text, IMAGE_SOCKET_MAX, path->place);
	if (find_server(load, from, &to->uid) && !load->options->skips_system)
		look_at_socket(load, path, to->uid);
}

/*
 * Where the parser is: namespaces with nothing in them and an empty root.
 * Trusts the kernel, after asking it again (room_verify_root).
 * Never lets a parser start in less than the kind of room it was told.
 */
#include "sys/room.h"

#include "sys/fd.h"
#include "sys/namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/magic.h>

static const struct namespace
{
	int flag;
	const char *path;
}
namespaces[ROOM_NAMESPACES] = {
	{ CLONE_NEWNS, "/proc/self/ns/mnt" },
	{ CLONE_NEWNET, "/proc/self/ns/net" },
	{ CLONE_NEWIPC, "/proc/self/ns/ipc" },
	{ CLONE_NEWUTS, "/proc/self/ns/uts" },
	{ CLONE_NEWCGROUP, "/proc/self/ns/cgroup" },
};

static const char *const words[] = {
	[ROOM_FULL] = "full",
	[ROOM_USER] = "user",
	[ROOM_REDUCED] = "reduced",
};

const char *
room_word(enum room_kind kind)
{
	return words[kind];
}

bool
room_from_word(enum room_kind *kind, const char *word)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) != 0)
			continue;
		*kind = (enum room_kind)i;
		return true;
	}
	return false;
}

static int
namespace_flags(void)
{
	int flags = 0;

	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		flags |= namespaces[i].flag;
	return flags;
}

/*
 * The new root is mounted on a directory that is always there, and /proc is:
 * a user namespace is made through it. The old root ends up below the new one
 * and is then detached with all that is mounted in it (pivot_root(2)).
 */
int
room_empty_root(void)
{
	const unsigned long flags =
	    MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/proc", "tmpfs", flags,
		"size=4k,nr_inodes=1,mode=0555") != 0 ||
	    chdir("/proc") != 0)
		return -1;
	if (syscall(SYS_pivot_root, ".", ".") != 0 ||
	    umount2(".", MNT_DETACH) != 0)
		return -1;
	return chdir("/");
}

/* Both of its own names and no other: a list that ends early is no proof. */
static int
verify_no_entries(void)
{
	DIR *root = opendir("/");
	const struct dirent *entry;
	int own = 0;
	int others = 0;
	int error;

	if (root == NULL)
		return -1;
	errno = 0;
	for (entry = readdir(root); entry != NULL; entry = readdir(root)) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			own++;
		else
			others++;
	}
	error = errno;
	(void)closedir(root);
	errno = error != 0 ? error : EEXIST;
	return error == 0 && own == 2 && others == 0 ? 0 : -1;
}

int
room_verify_root(void)
{
	struct statfs root;

	if (statfs("/", &root) != 0)
		return -1;
	if (root.f_type != TMPFS_MAGIC || (root.f_flags & MS_RDONLY) == 0) {
		errno = EROFS;
		return -1;
	}
	return verify_no_entries();
}

/* The descriptors are opened before the root, and /proc with it, goes. */
static int
make_namespaces(int fds[])
{
	if (unshare(namespace_flags()) != 0)
		return -1;
	for (size_t i = 0; i < ROOM_NAMESPACES; i++) {
		fds[i] = open(namespaces[i].path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			return -1;
	}
	if (room_empty_root() != 0)
		return -1;
	return room_verify_root();
}

int
room_prepare(struct room *room, enum room_kind kind)
{
	room->kind = kind;
	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		room->namespaces[i] = -1;
	if (kind != ROOM_FULL)
		return 0;
	return namespaces_make(
	    make_namespaces, room->namespaces, ROOM_NAMESPACES);
}

void
room_finish(struct room *room)
{
	for (size_t i = 0; i < ROOM_NAMESPACES; i++)
		fd_close(&room->namespaces[i]);
}

int
room_join(void)
{
	for (int i = 0; i < ROOM_NAMESPACES; i++)
		if (setns(ROOM_NAMESPACE_FD + i, namespaces[i].flag) != 0)
			return -1;
	return close_range(
	    ROOM_NAMESPACE_FD, ROOM_NAMESPACE_FD + ROOM_NAMESPACES - 1, 0);
}

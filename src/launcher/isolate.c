/*
 * A launch's namespaces, and what is mounted in one of its own.
 * Trusts /proc of where the launcher is to say which namespace is which.
 * Never mounts anything that another namespace would see.
 */
#include "launcher/child.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include <sys/mount.h>
#include <sys/stat.h>

/* As BASE_NAMESPACES has them. */
static const struct {
	uint8_t bit;
	int flag;
	const char *path;
} namespaces[BASE_NAMESPACES] = {
	{ IMAGE_ISOLATE_PID, CLONE_NEWPID, "/proc/self/ns/pid" },
	{ IMAGE_ISOLATE_MOUNT, CLONE_NEWNS, "/proc/self/ns/mnt" },
	{ IMAGE_ISOLATE_IPC, CLONE_NEWIPC, "/proc/self/ns/ipc" },
	{ IMAGE_ISOLATE_UTS, CLONE_NEWUTS, "/proc/self/ns/uts" },
};

/* Memory that a session can fill, for what it would not leave behind. */
#define TMPFS_OPTIONS "mode=1777,size=16m,nr_inodes=4096"

static const struct {
	uint8_t bit;
	const char *path, *type, *options;
	unsigned long flags;
} mounts[] = {
	/* Nothing but processes: not the machine's settings and figures. */
	{ IMAGE_ISOLATE_PID, "/proc", "proc", "subset=pid",
	    MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ IMAGE_ISOLATE_MOUNT, "/tmp", "tmpfs", TMPFS_OPTIONS,
	    MS_NOSUID | MS_NODEV },
	{ IMAGE_ISOLATE_MOUNT, "/var/tmp", "tmpfs", TMPFS_OPTIONS,
	    MS_NOSUID | MS_NODEV },
	{ IMAGE_ISOLATE_MOUNT, "/dev/shm", "tmpfs", TMPFS_OPTIONS,
	    MS_NOSUID | MS_NODEV },
};

static int
refuse(void)
{
	errno = EPERM;
	return -1;
}

int
isolate_remember(struct base *base)
{
	struct stat status;

	for (size_t i = 0; i < BASE_NAMESPACES; i++)
		base->namespaces[i] =
		    stat(namespaces[i].path, &status) == 0 ? status.st_ino : 0;
	return 0;
}

unsigned
isolate_clone_flags(const struct child *child)
{
	return (child->plan->service->isolate & IMAGE_ISOLATE_PID) != 0
	    ? CLONE_NEWPID
	    : 0;
}

/* All but the pid namespace, which it is in from its clone on. */
static int
unshare_rest(uint8_t isolate)
{
	int flags = 0;

	for (size_t i = 0; i < BASE_NAMESPACES; i++)
		if ((isolate & namespaces[i].bit) != 0)
			flags |= namespaces[i].flag;
	return unshare(flags & ~CLONE_NEWPID);
}

/* In no namespace that the launcher is in. */
static int
verify(const struct child *child, uint8_t isolate)
{
	struct stat status;

	for (size_t i = 0; i < BASE_NAMESPACES; i++) {
		if ((isolate & namespaces[i].bit) == 0)
			continue;
		if (stat(namespaces[i].path, &status) != 0)
			return -1;
		if (status.st_ino == child->base->namespaces[i])
			return refuse();
	}
	return 0;
}

int
child_enter_namespaces(struct child *child)
{
	const uint8_t isolate = child->plan->service->isolate;

	if (isolate == 0)
		return 0;
	if (unshare_rest(isolate) != 0 || verify(child, isolate) != 0)
		return -1;
	if ((isolate & IMAGE_ISOLATE_MOUNT) == 0)
		return 0;
	/* Mounts of ours would show in the launcher's, and its in ours. */
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* Over a directory, if there is one: in a chroot there may be none. */
static int
mount_over(const char *path, const char *type, unsigned long flags,
    const char *options)
{
	struct stat before, after;

	if (stat(path, &before) != 0)
		return errno == ENOENT ? 0 : -1;
	if (mount(type, path, type, flags, options) != 0 ||
	    stat(path, &after) != 0)
		return -1;
	return after.st_dev == before.st_dev ? refuse() : 0;
}

int
child_mount_own(struct child *child)
{
	const uint8_t isolate = child->plan->service->isolate;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if ((isolate & mounts[i].bit) != 0 &&
		    mount_over(mounts[i].path, mounts[i].type, mounts[i].flags,
			mounts[i].options) != 0)
			return -1;
	return 0;
}

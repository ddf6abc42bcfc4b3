/*
 * Landlock rulesets by direct system calls: glibc has no wrappers, and the
 * headers of Debian 12 are older than what newer kernels offer.
 * Trusts the ABI number that the kernel reports.
 * Never falls back in silence: what cannot be had is an error.
 */
#include "sys/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <linux/landlock.h>
#include <sys/syscall.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

#define SCOPES (LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL)
#define NETWORK (LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP)

/*
 * struct landlock_ruleset_attr as of ABI 6. Older kernels know a shorter
 * one, and take this as long as what they do not know is zero.
 */
struct ruleset_attr {
	uint64_t files;
	uint64_t network;
	uint64_t scopes;
};

/* All the kernel's rights, by the ABI that brought them. */
static const struct {
	int abi;
	struct ruleset_attr adds;
} rights[] = {
	/* execute to make_sym: bits 0 to 12 */
	{ 1, { .files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 } },
	{ LANDLOCK_ABI_REFER, { .files = LANDLOCK_ACCESS_FS_REFER } },
	{ 3, { .files = LANDLOCK_ACCESS_FS_TRUNCATE } },
	{ LANDLOCK_ABI_TCP, { .network = NETWORK } },
	{ 5, { .files = LANDLOCK_ACCESS_FS_IOCTL_DEV } },
	{ LANDLOCK_ABI_SCOPES, { .scopes = SCOPES } },
};

/* Those that a rule about what is no directory may have. */
#define OF_FILES \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
	    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | \
	    LANDLOCK_ACCESS_FS_IOCTL_DEV)

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* Nobody makes a device: what is written to shall not become one. */
static const struct {
	unsigned access;
	uint64_t files;
} accesses[] = {
	{ LANDLOCK_MAY_READ, READING },
	{ LANDLOCK_MAY_WRITE,
	    READING | LANDLOCK_ACCESS_FS_WRITE_FILE |
		LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV |
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
		LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_SOCK |
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER },
	{ LANDLOCK_MAY_EXECUTE, READING | LANDLOCK_ACCESS_FS_EXECUTE },
};

int
landlock_abi(void)
{
	const long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* The descriptor is CLOEXEC: the kernel makes it so. */
static int
create_ruleset(const struct ruleset_attr *attr)
{
	return (int)syscall(
	    SYS_landlock_create_ruleset, attr, sizeof(*attr), 0U);
}

static void
close_keeping_errno(int fd)
{
	const int saved = errno;

	close(fd);
	errno = saved;
}

/* All that this ABI knows. */
static struct ruleset_attr
rights_of(int abi)
{
	struct ruleset_attr attr = { 0 };

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		if (abi < rights[i].abi)
			break;
		attr.files |= rights[i].adds.files;
		attr.network |= rights[i].adds.network;
		attr.scopes |= rights[i].adds.scopes;
	}
	return attr;
}

int
landlock_deny_all(void)
{
	const int abi = landlock_abi();
	const struct ruleset_attr attr = rights_of(abi);
	int result;
	int fd;

	if (abi == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	fd = create_ruleset(&attr);
	if (fd == -1)
		return -1;
	result = landlock_enter(fd);
	close_keeping_errno(fd);
	return result;
}

int
landlock_forbid_tcp(void)
{
	int result;
	int fd;

	if (landlock_abi() < LANDLOCK_ABI_TCP) {
		errno = EOPNOTSUPP;
		return -1;
	}
	fd = create_ruleset(&(struct ruleset_attr){ .network = NETWORK });
	if (fd == -1)
		return -1;
	result = landlock_enter(fd);
	close_keeping_errno(fd);
	return result;
}

static int
allow_beneath(int ruleset_fd, int path_fd, uint64_t files)
{
	const struct landlock_path_beneath_attr beneath = {
		.allowed_access = files, .parent_fd = path_fd
	};

	return (int)syscall(SYS_landlock_add_rule, ruleset_fd,
	    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0U);
}

static int
allow_beneath_root(int ruleset_fd, uint64_t files)
{
	const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (root == -1)
		return -1;
	result = allow_beneath(ruleset_fd, root, files);
	close_keeping_errno(root);
	return result;
}

/*
 * Before scopes a ruleset has to handle some file right to be one. Making
 * block devices needs CAP_MKNOD anyway, and it is granted everywhere; so is
 * linking and renaming between directories, which every ruleset of files
 * denies unless it says otherwise (and ABI 1 cannot say otherwise).
 */
static int
create_harmless_ruleset(void)
{
	const uint64_t files =
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_REFER;
	const int fd = create_ruleset(&(struct ruleset_attr){ .files = files });

	if (fd == -1)
		return -1;
	if (allow_beneath_root(fd, files) == -1) {
		close_keeping_errno(fd);
		return -1;
	}
	return fd;
}

int
landlock_session_ruleset(void)
{
	const int abi = landlock_abi();

	if (abi < LANDLOCK_ABI_REFER) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (abi < LANDLOCK_ABI_SCOPES)
		return create_harmless_ruleset();
	return create_ruleset(&(struct ruleset_attr){ .scopes = SCOPES });
}

int
landlock_files_ruleset(int abi)
{
	struct ruleset_attr attr = rights_of(abi);

	if (abi == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	attr.network = 0;
	return create_ruleset(&attr);
}

int
landlock_allow(
    int ruleset_fd, int abi, int path_fd, unsigned access, bool is_directory)
{
	uint64_t files = 0;

	for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
		if ((access & accesses[i].access) != 0)
			files |= accesses[i].files;
	files &= rights_of(abi).files;
	if (!is_directory)
		files &= OF_FILES;
	return allow_beneath(ruleset_fd, path_fd, files);
}

int
landlock_enter(int ruleset_fd)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset_fd, 0U);
}

/*
 * `syscalls default`: what no service that a stranger talks to needs, and
 * what one session could do to another of its uid. All else is allowed.
 * What needs a capability is here too: a service may have been given one.
 * clone3, whose flags lie in memory, is refused beside this table: see
 * filter_enter_without_clone3.
 */
#include "loader/profile.h"

#include <sched.h>

#include <asm/ioctls.h>
#include <linux/netlink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* Newer than the headers this may be built with; the same on all machines. */
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#define IOPRIO_WHO_PROCESS 1

#define REFUSE(number_, reason_) \
	{ \
		.number = (number_), .reason = (reason_), \
		.answer = FILTER_REFUSE \
	}
#define REFUSE_IF(number_, reason_, ...) \
	{ \
		.number = (number_), .reason = (reason_), \
		.pins = { __VA_ARGS__ }, .answer = FILTER_REFUSE \
	}
/* Not 0, so perhaps not the caller: who it is itself no filter can know. */
#define REFUSE_OTHERS(number_, reason_) \
	REFUSE_IF(number_, reason_, FILTER_OTHER(0, 0))
#define REFUSE_CLONE(flag_, reason_) \
	REFUSE_IF(SYS_clone, reason_, FILTER_BITS(0, flag_, flag_))
/* A pair is made of two sockets, and loads the same modules. */
#define REFUSE_FAMILY(family_, reason_) \
	REFUSE_IF(SYS_socket, reason_, FILTER_INT(0, family_)), \
	    REFUSE_IF(SYS_socketpair, reason_, FILTER_INT(0, family_))

static const struct filter_row rows[] = {
	/* other processes */
	REFUSE(SYS_ptrace, "debuggers'"),
	REFUSE(SYS_process_vm_readv, "debuggers'"),
	REFUSE(SYS_process_vm_writev, "debuggers'"),
	REFUSE(SYS_process_madvise, "of another's memory"),
	REFUSE(SYS_process_mrelease, "of another's memory"),
	REFUSE(SYS_pidfd_getfd, "takes another's descriptors"),
	REFUSE(SYS_kcmp, "looks into two others"),
	REFUSE_OTHERS(SYS_prlimit64, "another session's limits: one ends it"),
	REFUSE_OTHERS(SYS_sched_setaffinity, "another's processors"),
	REFUSE_OTHERS(SYS_sched_setscheduler, "another's turn"),
	REFUSE_OTHERS(SYS_sched_setparam, "another's turn"),
	REFUSE_OTHERS(SYS_sched_setattr, "another's turn"),
	REFUSE_OTHERS(SYS_migrate_pages, "another's memory"),
	REFUSE_OTHERS(SYS_move_pages, "another's memory"),
	REFUSE_IF(SYS_setpriority, "another's niceness", FILTER_OTHER(1, 0)),
	REFUSE_IF(SYS_setpriority, "that of a whole user",
	    FILTER_OTHER(0, PRIO_PROCESS)),
	REFUSE_IF(
	    SYS_ioprio_set, "another's turn at the disk", FILTER_OTHER(1, 0)),
	REFUSE_IF(SYS_ioprio_set, "that of a whole user",
	    FILTER_OTHER(0, IOPRIO_WHO_PROCESS)),

	/* code in the kernel, and what attackers reach it by */
	REFUSE(SYS_bpf, "programs in the kernel"),
	REFUSE(SYS_perf_event_open, "measures the kernel, and others"),
	REFUSE(SYS_userfaultfd, "holds the kernel at a page"),
	REFUSE(SYS_io_uring_setup, "calls that no filter sees"),
	REFUSE(SYS_io_uring_enter, "calls that no filter sees"),
	REFUSE(SYS_io_uring_register, "calls that no filter sees"),
	REFUSE(SYS_init_module, "kernel modules"),
	REFUSE(SYS_finit_module, "kernel modules"),
	REFUSE(SYS_delete_module, "kernel modules"),
	REFUSE(SYS_kexec_load, "another kernel"),
#ifdef SYS_kexec_file_load
	REFUSE(SYS_kexec_file_load, "another kernel"),
#endif
	REFUSE(SYS_add_key, "keyrings are everybody's of a user"),
	REFUSE(SYS_request_key, "starts a program as root"),
	REFUSE(SYS_keyctl, "keyrings are everybody's of a user"),

	/* namespaces and mounts */
	REFUSE(SYS_unshare, "new namespaces, where anybody is root"),
	REFUSE(SYS_setns, "others' namespaces"),
	REFUSE_CLONE(CLONE_NEWNS, "a new mount namespace"),
	REFUSE_CLONE(CLONE_NEWCGROUP, "a new cgroup namespace"),
	REFUSE_CLONE(CLONE_NEWUTS, "a new uts namespace"),
	REFUSE_CLONE(CLONE_NEWIPC, "a new ipc namespace"),
	REFUSE_CLONE(CLONE_NEWUSER, "a new user namespace"),
	REFUSE_CLONE(CLONE_NEWPID, "a new pid namespace"),
	REFUSE_CLONE(CLONE_NEWNET, "a new network namespace"),
	REFUSE(SYS_mount, "mounts"),
	REFUSE(SYS_umount2, "mounts"),
	REFUSE(SYS_pivot_root, "mounts"),
	REFUSE(SYS_open_tree, "mounts"),
	REFUSE(SYS_open_tree_attr, "mounts"),
	REFUSE(SYS_move_mount, "mounts"),
	REFUSE(SYS_mount_setattr, "mounts"),
	REFUSE(SYS_fsopen, "mounts"),
	REFUSE(SYS_fsconfig, "mounts"),
	REFUSE(SYS_fsmount, "mounts"),
	REFUSE(SYS_fspick, "mounts"),

	/* the machine */
	REFUSE(SYS_reboot, "the machine's end"),
	REFUSE(SYS_swapon, "the machine's memory"),
	REFUSE(SYS_swapoff, "the machine's memory"),
	REFUSE(SYS_settimeofday, "the machine's time"),
	REFUSE(SYS_clock_settime, "the machine's time"),
	REFUSE(SYS_sethostname, "the machine's name"),
	REFUSE(SYS_setdomainname, "the machine's name"),
	REFUSE(SYS_syslog, "the kernel's log, and where it is in memory"),
	REFUSE(SYS_acct, "who did what"),
	REFUSE(SYS_quotactl, "the file systems' quotas"),
	REFUSE(SYS_quotactl_fd, "the file systems' quotas"),
	REFUSE(SYS_open_by_handle_at, "files, whatever way leads to them"),
	REFUSE(SYS_vhangup, "the terminal's others"),
#ifdef __x86_64__
	REFUSE(SYS_iopl, "the machine's ports"),
	REFUSE(SYS_ioperm, "the machine's ports"),
	REFUSE(SYS_modify_ldt, "old programs' segments"),
	REFUSE(SYS_uselib, "old programs' libraries"),
#endif

	/* terminals: what is put in one, its next owner executes */
	REFUSE_IF(SYS_ioctl, "types into a terminal", FILTER_INT(1, TIOCSTI)),
	REFUSE_IF(SYS_ioctl, "pastes into one", FILTER_INT(1, TIOCLINUX)),

	/*
	 * Sockets: unix, inet, inet6, and of netlink the one of addresses and
	 * routes, which getaddrinfo asks. The others are modules that are
	 * seldom used, seldom read, and loaded when asked for.
	 */
	REFUSE_IF(SYS_socket, "of netlink, but routes",
	    FILTER_INT(0, AF_NETLINK), FILTER_OTHER(2, NETLINK_ROUTE)),
	REFUSE_FAMILY(AF_AX25, "amateur radio"),
	REFUSE_FAMILY(AF_IPX, "Novell's"),
	REFUSE_FAMILY(AF_APPLETALK, "Apple's of old"),
	REFUSE_FAMILY(AF_NETROM, "amateur radio"),
	REFUSE_FAMILY(AF_BRIDGE, "bridges"),
	REFUSE_FAMILY(AF_ATMPVC, "ATM"),
	REFUSE_FAMILY(AF_X25, "X.25"),
	REFUSE_FAMILY(AF_ROSE, "amateur radio"),
	REFUSE_FAMILY(AF_DECnet, "DEC's"),
	REFUSE_FAMILY(AF_NETBEUI, "reserved"),
	REFUSE_FAMILY(AF_SECURITY, "reserved"),
	REFUSE_FAMILY(AF_KEY, "keys of IPsec"),
	REFUSE_FAMILY(AF_PACKET, "whole packets"),
	REFUSE_FAMILY(AF_ASH, "reserved"),
	REFUSE_FAMILY(AF_ECONET, "Acorn's"),
	REFUSE_FAMILY(AF_ATMSVC, "ATM"),
	REFUSE_FAMILY(AF_RDS, "clusters'"),
	REFUSE_FAMILY(AF_SNA, "IBM's"),
	REFUSE_FAMILY(AF_IRDA, "infrared"),
	REFUSE_FAMILY(AF_PPPOX, "PPP"),
	REFUSE_FAMILY(AF_WANPIPE, "reserved"),
	REFUSE_FAMILY(AF_LLC, "Ethernet's"),
	REFUSE_FAMILY(AF_IB, "InfiniBand"),
	REFUSE_FAMILY(AF_MPLS, "labels"),
	REFUSE_FAMILY(AF_CAN, "cars'"),
	REFUSE_FAMILY(AF_TIPC, "clusters'"),
	REFUSE_FAMILY(AF_BLUETOOTH, "radio"),
	/* IUCV, RxRPC, ISDN, phonet, IEEE 802.15.4, CAIF, ALG, NFC, vsock,
	 * KCM, Qualcomm's, SMC, XDP, MCTP, and whatever is to come. */
	REFUSE_IF(SYS_socket, "a younger one", FILTER_FROM(0, AF_IUCV)),
	REFUSE_IF(SYS_socketpair, "a younger one", FILTER_FROM(0, AF_IUCV)),
};

const struct filter_table profile_default = {
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.otherwise = FILTER_ALLOW,
};

/*
 * The paths that a program is not told to do without. One row, one reason;
 * no directory but those that packages alone write to.
 */
#include "launcher/everyone.h"

#include "sys/landlock.h"

#define IN 0
#define READ LANDLOCK_MAY_READ
#define WRITE LANDLOCK_MAY_WRITE

const struct everyone everyone[] = {
	/* libraries, locales, character sets, modules of interpreters; in /
	 * too, where these are no links to those in /usr */
	{ "/", IN },
	{ "/lib", READ },
	{ "/lib64", READ },
	{ "/usr", IN },
	{ "/usr/lib", READ },
	{ "/usr/lib64", READ },
	{ "/usr/local/lib", READ },
	/* localtime, in other places */
	{ "/usr/share/zoneinfo", READ },
	{ "/etc", IN },
	/* where the loader finds libraries, and which it has to load */
	{ "/etc/ld.so.cache", READ },
	{ "/etc/ld.so.preload", READ },
	/* getpwuid, getgrgid; and where they, and all below, look */
	{ "/etc/passwd", READ },
	{ "/etc/group", READ },
	{ "/etc/nsswitch.conf", READ },
	/* getaddrinfo, getnameinfo, getservbyname, getprotobyname */
	{ "/etc/hosts", READ },
	{ "/etc/host.conf", READ },
	{ "/etc/resolv.conf", READ },
	{ "/etc/gai.conf", READ },
	{ "/etc/services", READ },
	{ "/etc/protocols", READ },
	/* localtime, here */
	{ "/etc/localtime", READ },
	/* what nothing can be kept in, and what nothing can be learned from */
	{ "/dev", IN },
	{ "/dev/null", WRITE },
	{ "/dev/zero", READ },
	{ "/dev/urandom", READ },
	{ "/dev/random", READ },
};

const size_t everyone_count = sizeof(everyone) / sizeof(everyone[0]);

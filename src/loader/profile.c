/*
 * The programs that judge services' system calls, into the image.
 * Trusts the tables and libseccomp; a kernel checks what it is given.
 * Never makes one that no service needs.
 */
#include "loader/profile.h"

#include <errno.h>
#include <unistd.h>

#include <linux/filter.h>
#include <sys/stat.h>

#include "loader/load.h"
#include "sys/fd.h"
#include "sys/memfd.h"

_Static_assert(sizeof(struct image_instruction) == sizeof(struct sock_filter),
    "an instruction is the kernel's");

const struct filter_table *
profile_of(enum image_filter filter)
{
	switch (filter) {
	case IMAGE_FILTER_OFFLINE:
		return &profile_offline;
	case IMAGE_FILTER_DEFAULT:
		return &profile_default;
	case IMAGE_FILTER_STDIO:
		return &profile_stdio;
	case IMAGE_FILTERS_COUNT:
		break;
	}
	return NULL;
}

/* libseccomp writes it to a descriptor, and nowhere else. */
static int
put_program(struct load *load, int fd, enum image_filter filter)
{
	struct image_range *range = &load->build.global.filters[filter];
	struct stat status;
	size_t count;
	void *to;

	if (fd == -1 || filter_export(profile_of(filter), fd) != 0 ||
	    fstat(fd, &status) != 0)
		return -1;
	count = (size_t)status.st_size / sizeof(struct image_instruction);
	range->first = build_count(&load->build, IMAGE_FILTERS);
	range->count = (uint32_t)count;
	to = build_add(&load->build, IMAGE_FILTERS, count);
	if (pread(fd, to, (size_t)status.st_size, 0) == status.st_size)
		return 0;
	errno = EIO;
	return -1;
}

static void
make_filter(struct load *load, enum image_filter filter)
{
	int fd = memfd_open("tcpmuxd-filter");

	if (put_program(load, fd, filter) != 0)
		load_errno(load, "a filter of system calls cannot be made");
	fd_close(&fd);
}

void
load_filters(struct load *load)
{
	const struct image_service *services =
	    (const void *)load->build.sections[IMAGE_SERVICES].bytes;
	unsigned needed = 0;

	for (uint32_t i = 0; i < build_count(&load->build, IMAGE_SERVICES); i++)
		needed |= image_service_filters(&services[i]);
	for (int i = 0; i < IMAGE_FILTERS_COUNT; i++)
		if ((needed >> i & 1) != 0)
			make_filter(load, (enum image_filter)i);
}

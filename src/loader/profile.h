#ifndef LOADER_PROFILE_H
#define LOADER_PROFILE_H

#include "core/image.h"
#include "sys/filter.h"

/*
 * What services may call: `syscalls` and `network none`, as tables with a
 * reason in every row (profile_default.c, profile_stdio.c,
 * profile_offline.c).
 */
extern const struct filter_table profile_default;
extern const struct filter_table profile_stdio;
extern const struct filter_table profile_offline;

const struct filter_table *profile_of(enum image_filter filter);

#endif

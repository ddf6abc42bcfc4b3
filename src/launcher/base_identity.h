#ifndef LAUNCHER_BASE_IDENTITY_H
#define LAUNCHER_BASE_IDENTITY_H

#include "launcher/base.h"

/*
 * The steps of base_build that change who the launcher is, so that no launch
 * has to: see credentials(7) and capabilities(7). All return 0, or -1 with
 * errno.
 */

/* Root for the first two kinds, anybody else for the third. */
int base_check_ids(struct base *base);

/* No groups: a service's own come back with its child. */
int base_leave_groups(struct base *base);

/* The rest is for the common base alone, but for the capabilities. */
int base_cut_bounding_set(struct base *base);
int base_lock_root(struct base *base);

/* To those that the children need; base->capabilities has what there was. */
int base_cut_capabilities(struct base *base);

#endif

#ifndef PARENT_SWAP_H
#define PARENT_SWAP_H

struct parent;

/*
 * The next edition comes into force, whole, within this call. All that can
 * still fail is done first: then this returns the step that did, with errno,
 * and nothing has changed. Otherwise it returns NULL, and the former edition is
 * on the other side, where nobody new comes to it:
 *
 *	undecided        are asked about, and decided, by the new one; what
 *	                 a parser still says of them by the old names only
 *	                 tells that it has let go of them
 *	told the names   get the list that was begun for them
 *	chosen           are launched as they were chosen
 *	running          keep what they began with, and are counted in the
 *	                 service that has their service's name now
 *	accepted later   have the new one
 */
const char *swap_editions(struct parent *parent);

#endif

/*
 * Writes an image of fuzz/world/policy.c to standard output, full or small: a
 * seed for fuzz/image.c, of the layout that images have now.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "../world/policy.h"

int
main(int argc, char *argv[])
{
	size_t size = 0;
	const void *image = NULL;

	if (argc == 2 && strcmp(argv[1], "full") == 0)
		image = policy_full(&size);
	if (argc == 2 && strcmp(argv[1], "small") == 0)
		image = policy_small(&size);
	if (image == NULL)
		errx(1, "full or small, please");
	if (fwrite(image, 1, size, stdout) != size)
		err(1, "write");
	return 0;
}

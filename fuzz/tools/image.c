/*
 * Writes the image of a policy to standard output: a seed for fuzz/image.c, of
 * the layout that images have now.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "../world/policy.h"

#define POLICY_MAX 65536u

int
main(int argc, char *argv[])
{
	static char text[POLICY_MAX];
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	size_t length, size;
	void *image;

	if (file == NULL)
		err(1, "one policy, please");
	length = fread(text, 1, sizeof(text), file);
	(void)fclose(file);
	image = policy_image(text, length, &size);
	if (image == NULL)
		errx(1, "%s: not a policy that reads no files", argv[1]);
	if (fwrite(image, 1, size, stdout) != size)
		err(1, "write");
	free(image);
	return 0;
}

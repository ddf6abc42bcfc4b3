/*
 * Writes sound images with one thing changed, each into a file of a folder:
 * seeds for fuzz/image.c, beside those of fuzz/tools/image.c.
 */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

/* As the tests have them of cmocka. */
#define assert_true(claim) \
	do { \
		if (!(claim)) \
			abort(); \
	} while (0)
#define assert_int_equal(one, other) assert_true((one) == (other))

#include "../../tests/unit/image_changes.h"

/* Named by what is changed, in letters, digits and dashes. */
static void
write_block_free(const char *folder, const char *what, void *block, size_t size)
{
	char path[4096];
	int length = snprintf(path, sizeof(path), "%s/", folder);
	FILE *file;

	for (; *what != '\0'; what++)
		length += snprintf(path + length, sizeof(path) - (size_t)length,
		    "%c", isalnum((unsigned char)*what) ? *what : '-');
	file = fopen(path, "we");
	if (file == NULL || fwrite(block, 1, size, file) != size ||
	    fclose(file) != 0)
		err(1, "%s", path);
	free(block);
}

int
main(int argc, char *argv[])
{
	size_t size;
	void *block;
	const char *folder = argv[1];

	if (argc != 2 || strlen(folder) > 4000)
		errx(1, "a folder, please");
	for (size_t i = 0; i < NAMINGS; i++) {
		block = named_block(&namings[i], &size);
		write_block_free(folder, namings[i].what, block, size);
	}
	for (size_t i = 0; i < CHANGES; i++) {
		block = changed_block(&changes[i], &size);
		write_block_free(folder, changes[i].what, block, size);
	}
	for (size_t i = 0; i < DAMAGES; i++) {
		block = damaged_block(&damages[i], &size);
		write_block_free(folder, damages[i].what, block, size);
	}
	return 0;
}

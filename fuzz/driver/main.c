/*
 * Runs a harness over files, without any fuzzer: each file named, and each in
 * the folders named, is one input. What a harness finds ends the process; an
 * input that takes too long does as well. Says how many there were.
 */
#include <dirent.h>
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#define SECONDS_AN_INPUT 20
#define INPUT_MAX (1u << 24)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static unsigned inputs;
static char current[4096];

/* Exactly as many bytes as there are, so that a sanitizer sees the end. */
static void
run_file(const char *path)
{
	/* Of processor time: a machine may be busy. */
	const struct itimerval limit = { .it_value = {
					     .tv_sec = SECONDS_AN_INPUT } };
	FILE *file = fopen(path, "re");
	uint8_t *bytes = malloc(INPUT_MAX);
	uint8_t *exact;
	size_t length;

	if (file == NULL || bytes == NULL)
		err(1, "%s", path);
	length = fread(bytes, 1, INPUT_MAX, file);
	if (ferror(file) != 0)
		err(1, "%s", path);
	(void)fclose(file);
	exact = malloc(length > 0 ? length : 1);
	if (exact == NULL)
		err(1, "%s", path);
	memcpy(exact, bytes, length);
	free(bytes);
	(void)setitimer(ITIMER_PROF, &limit, NULL);
	(void)LLVMFuzzerTestOneInput(exact, length);
	free(exact);
	inputs++;
}

/* Told of last, for whoever has to look for what ended us. */
static void
note(const char *path)
{
	(void)snprintf(current, sizeof(current), "%s", path);
	if (getenv("FUZZ_VERBOSE") != NULL)
		(void)fprintf(stderr, "%s\n", path);
}

static int
compare(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

static bool
is_file(const char *path)
{
	struct stat about;

	return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

static void
run_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, compare);

	if (count < 0)
		err(1, "%s", path);
	for (int i = 0; i < count; i++) {
		char file[4096];

		(void)snprintf(
		    file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (is_file(file)) {
			note(file);
			run_file(file);
		}
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		struct stat about;

		if (stat(argv[i], &about) != 0)
			err(1, "%s", argv[i]);
		if (S_ISDIR(about.st_mode)) {
			run_folder(argv[i]);
		} else {
			note(argv[i]);
			run_file(argv[i]);
		}
	}
	(void)printf("%s: %u inputs, no finding\n", argv[0], inputs);
	return 0;
}

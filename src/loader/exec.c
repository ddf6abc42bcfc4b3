/*
 * What a service executes: program, words, environment, directory.
 * Trusts nothing that could be replaced by who does not own the machine.
 * Never runs or opens the program.
 */
#include "loader/load.h"

#include <string.h>

#include <linux/capability.h>

#define PATH_DEFAULT \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Bytes that words from `first` on take in execve. */
static size_t
words_bytes(const struct build *build, uint32_t first)
{
	const struct image_text *words =
	    (const void *)build->sections[IMAGE_WORDS].bytes;
	size_t bytes = 0;

	for (uint32_t i = first; i < build_count(build, IMAGE_WORDS); i++)
		bytes += words[i].length + 1;
	return bytes;
}

static bool
is_member(
    const struct load *load, const struct image_service *service, gid_t gid)
{
	const uint32_t *gids =
	    (const void *)load->build.sections[IMAGE_GIDS].bytes;

	for (uint32_t i = 0; i < service->groups.count; i++)
		if (gids[service->groups.first + i] == gid)
			return true;
	return service->gid == gid;
}

static bool
can_write(const struct load *load, const struct image_service *service,
    const struct path_finding *program)
{
	if (program->uid == service->uid)
		return true;
	if (is_member(load, service, program->gid))
		return (program->mode & S_IWGRP) != 0;
	return (program->mode & S_IWOTH) != 0;
}

/* Its directories are trusted, so all that is left is who may write in it. */
static void
warn_of_program(struct load *load, const struct word *word,
    const struct image_service *service, const struct path_finding *program)
{
	struct text text = word->text;
	bool is_foreign =
	    program->uid != 0 && program->uid != load->paths.owner;

	if (service->uid != 0 && (service->flags & IMAGE_SERVICE_SELF) == 0 &&
	    can_write(load, service, program))
		problems_add(&load->problems, PROBLEM_WARNING, word->place,
		    "the service can write to its own program %.*s: whoever "
		    "takes it over stays",
		    TEXT_ARGS(text));
	else if (is_foreign)
		problems_add(&load->problems, PROBLEM_WARNING, word->place,
		    "program %.*s belongs to uid %u, not to root",
		    TEXT_ARGS(text), (unsigned)program->uid);
	else if ((program->mode & (S_IWGRP | S_IWOTH)) != 0)
		problems_add(&load->problems, PROBLEM_WARNING, word->place,
		    "program %.*s can be written to by others than its owner",
		    TEXT_ARGS(text));
}

/* " inside /srv/jail", or nothing. */
#define INSIDE(root) (root).length > 0 ? " inside " : "", TEXT_ARGS(root)

/* Where its paths begin: length 0 if that is where all do. */
static struct text
load_root(struct load *load, const struct word *word, struct image_service *to)
{
	struct path_finding directory;
	struct text none = { .length = 0 };

	if (word->text.length == 0 || load_is_text(word->text, "/"))
		return none;
	to->chroot = load_text(load, word->text, IMAGE_TEXT_MAX, word->place);
	load_need(
	    load, CAP_SYS_CHROOT, "CAP_SYS_CHROOT", "chroot", word->place);
	directory = paths_root(&load->paths, word->text);
	if (directory.problem == NULL)
		return word->text;
	problems_add(&load->problems, PROBLEM_ERROR, word->place,
	    "cannot use %.*s as the root directory: %s", TEXT_ARGS(word->text),
	    directory.problem);
	return none;
}

static void
load_program(struct load *load, struct text root, const struct word *word,
    struct image_service *to)
{
	struct path_finding program;

	to->program = load_text(load, word->text, IMAGE_TEXT_MAX, word->place);
	program = paths_program(&load->paths, root, word->text);
	if (program.problem != NULL)
		problems_add(&load->problems, PROBLEM_ERROR, word->place,
		    "cannot use program %.*s%s%.*s: %s", TEXT_ARGS(word->text),
		    INSIDE(root), program.problem);
	else if (!load->options->skips_system)
		warn_of_program(load, word, to, &program);
}

static void
load_chdir(struct load *load, struct text root, const struct word *word,
    struct image_service *to)
{
	struct path_finding directory;

	if (word->text.length == 0) {
		to->chdir = build_text(&load->build, "/", 1);
		return;
	}
	to->chdir = load_text(load, word->text, IMAGE_TEXT_MAX, word->place);
	directory = paths_directory(&load->paths, root, word->text);
	if (directory.problem != NULL)
		problems_add(&load->problems, PROBLEM_ERROR, word->place,
		    "cannot use directory %.*s%s%.*s: %s",
		    TEXT_ARGS(word->text), INSIDE(root), directory.problem);
}

static void
add_word(struct load *load, const struct word *word)
{
	struct image_text text =
	    load_text(load, word->text, IMAGE_TEXT_MAX, word->place);

	*(struct image_text *)build_add(&load->build, IMAGE_WORDS, 1) = text;
}

/* What the policy names. */
static void
load_command(struct load *load, struct text root,
    const struct policy_service *from, struct image_service *to)
{
	const struct word *words = load_words(load, from->exec);

	load_program(load, root, &words[0], to);
	add_word(load, from->argv0.text.length > 0 ? &from->argv0 : &words[0]);
	for (uint32_t i = 1; i < from->exec.count; i++)
		add_word(load, &words[i]);
}

/* A program like any other, but that it is ours and where we are. */
static void
load_builtin(struct load *load, struct text root,
    const struct policy_service *from, struct image_service *to)
{
	const struct word program = { .place = from->builtin.place,
		.text = load_builtin_path(load, &from->builtin) };

	if (program.text.length == 0)
		return;
	load_program(load, root, &program, to);
	build_word(
	    &load->build, LOAD_BUILTIN_PROGRAM, strlen(LOAD_BUILTIN_PROGRAM));
	add_word(load, &from->builtin);
}

void
load_exec(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	const struct text root = load_root(load, &from->chroot, to);

	to->argv.first = build_count(&load->build, IMAGE_WORDS);
	if (from->builtin.text.length > 0)
		load_builtin(load, root, from, to);
	else
		load_command(load, root, from, to);
	to->argv.count =
	    build_count(&load->build, IMAGE_WORDS) - to->argv.first;
	load_chdir(load, root, &from->chdir, to);
}

static bool
has_key(struct text word, const char *key)
{
	size_t length = strlen(key);

	return word.length > length && word.bytes[length] == '=' &&
	    memcmp(word.bytes, key, length) == 0;
}

/* KEY=value, unless the policy's own words say otherwise. */
static void
add_default(struct load *load, const struct policy_service *from,
    const char *key, const char *value, size_t length)
{
	const struct word *words = load_words(load, from->env);
	struct buffer text = { .bytes = NULL };
	size_t key_bytes = strlen(key);
	char *to;

	for (uint32_t i = 0; i < from->env.count; i++)
		if (has_key(words[i].text, key))
			return;
	to = buffer_add(&text, key_bytes + 1 + length);
	memcpy(to, key, key_bytes);
	to[key_bytes] = '=';
	memcpy(to + key_bytes + 1, value, length);
	build_word(&load->build, to, text.used);
	buffer_finish(&text);
}

void
load_env(struct load *load, const struct policy_service *from,
    const struct account *account, struct image_service *to)
{
	const struct word *words = load_words(load, from->env);
	const char *name = account->name != NULL ? account->name : "";
	const char *home = account->home != NULL ? account->home : "/";
	struct text service = from->name.text;
	uint32_t first = build_count(&load->build, IMAGE_WORDS);

	add_default(load, from, "PATH", PATH_DEFAULT, strlen(PATH_DEFAULT));
	add_default(load, from, "HOME", home, strlen(home));
	add_default(load, from, "USER", name, strlen(name));
	add_default(load, from, "LOGNAME", name, strlen(name));
	add_default(load, from, "PROTO", "TCP", 3);
	add_default(
	    load, from, "TCPMUX_SERVICE", service.bytes, service.length);
	for (uint32_t i = 0; i < from->env.count; i++)
		add_word(load, &words[i]);
	to->env.first = first;
	to->env.count = build_count(&load->build, IMAGE_WORDS) - first;
	if (words_bytes(&load->build, to->argv.first) > IMAGE_EXEC_BYTES_MAX)
		problems_add(&load->problems, PROBLEM_ERROR, from->place,
		    "arguments and environment take more than %u bytes",
		    IMAGE_EXEC_BYTES_MAX);
}

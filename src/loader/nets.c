/*
 * Nets of a policy into sets of the image, with what their files hold.
 * Trusts a file only if nobody untrusted could have changed it.
 * Never keeps a prefix twice: each goes straight into its set.
 */
#include "loader/load.h"

#include <stdio.h>

#include "core/net_file.h"
#include "sys/fd.h"

/* One whose link has no number here, since nobody is asked, has no members. */
void
load_prefix(struct load *load, const struct prefix *prefix, struct text zone,
    struct place place)
{
	struct prefix scoped = *prefix;

	scoped.addr.scope = load_zone(load, zone, place);
	if (zone.length == 0 || scoped.addr.scope != 0)
		sets_add_prefix(&load->build, &scoped);
}

static void
add_prefix(void *context, const struct prefix *prefix, struct text zone,
    struct place place)
{
	load_prefix(context, prefix, zone, place);
}

static void
add_problem(void *context, struct place place, const char *message)
{
	struct load *load = context;

	problems_add(&load->problems, PROBLEM_ERROR, place, "%s", message);
}

/* Reads all of a file; false after a problem, or if it need not be there. */
static bool
read_whole_file(struct load *load, const char *path, struct place place,
    struct buffer *text)
{
	struct files *files = &load->files;
	struct file_why why = { .text = "" };
	int fd = files_open(files, path, &why);
	bool is_read = fd != -1 &&
	    files_check(files, fd, path, S_IFREG, &why) &&
	    files_read(fd, FILES_BYTES_MAX, text, &why);

	if (!is_read && why.text[0] != '\0')
		problems_add(&load->problems, PROBLEM_ERROR, place,
		    "cannot read %s: %s", path, why.text);
	fd_close(&fd);
	return is_read;
}

static void
add_file(struct load *load, const struct policy_match *match)
{
	const struct word *word = &load->policy->words[match->path];
	const struct net_file_reader reader = {
		.prefix = add_prefix, .problem = add_problem, .context = load
	};
	struct buffer text = { .bytes = NULL };
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.*s", TEXT_ARGS(word->text));
	if (load_has_room(load, match->place) &&
	    read_whole_file(load, path, match->place, &text))
		net_file_read(
		    (struct text){ (const char *)text.bytes, text.used },
		    files_add(&load->files, path), &reader);
	buffer_finish(&text);
}

static void
add_member(struct load *load, const struct policy_match *match, uint32_t net)
{
	switch (match->kind) {
	case POLICY_MATCH_ANY:
		sets_add_all(&load->build);
		break;
	case POLICY_MATCH_PREFIX:
		load_prefix(load, &match->prefix, match->zone, match->place);
		break;
	case POLICY_MATCH_NET:
		/* The parser takes earlier nets only. */
		if (match->net < net)
			sets_add_set(&load->build, match->net);
		break;
	case POLICY_MATCH_FILE:
		add_file(load, match);
		break;
	}
}

/* Net number i of the policy is set number i of the image. */
void
load_nets(struct load *load)
{
	const struct policy *policy = load->policy;

	for (uint32_t i = 0; i < policy->net_count; i++) {
		struct span members = policy->nets[i].members;

		for (uint32_t j = 0; j < members.count; j++)
			add_member(
			    load, &policy->matches[members.first + j], i);
		sets_end(&load->build);
	}
}

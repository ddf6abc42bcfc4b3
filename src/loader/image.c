/*
 * A parsed policy into a checked image.
 * Trusts the parser's result; what it makes is checked as if it did not.
 * Never lets a block out that image_init would not take.
 */
#include "loader/load.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

void
load_init(struct load *load, const struct loader_options *options)
{
	*load = (struct load){ .options = options,
		.is_root = geteuid() == 0,
		.uid = geteuid(),
		.gid = getegid() };
	load->accounts.skips_system = options->skips_system;
	load->paths.skips_system = options->skips_system;
	load->paths.owner = load->uid;
	load->files.skips_system = options->skips_system;
	load->files.owner = load->uid;
	load->problems.files = &load->files;
	files_add(&load->files, options->policy_path);
}

void
load_finish(struct load *load)
{
	problems_finish(&load->problems);
	buffer_finish(&load->sharer_places);
	buffer_finish(&load->hours);
	table_finish(&load->rulesets);
	table_finish(&load->sharers);
	accounts_finish(&load->accounts);
	paths_finish(&load->paths);
	buffer_finish(&load->texts);
	table_finish(&load->included);
	files_finish(&load->files);
	build_finish(&load->build);
}

static uint32_t
facility_of(struct text name)
{
	static const struct {
		const char *name;
		int number;
	} facilities[] = {
		{ "auth", LOG_AUTH },
		{ "authpriv", LOG_AUTHPRIV },
		{ "cron", LOG_CRON },
		{ "ftp", LOG_FTP },
		{ "lpr", LOG_LPR },
		{ "mail", LOG_MAIL },
		{ "news", LOG_NEWS },
		{ "user", LOG_USER },
		{ "uucp", LOG_UUCP },
		{ "local0", LOG_LOCAL0 },
		{ "local1", LOG_LOCAL1 },
		{ "local2", LOG_LOCAL2 },
		{ "local3", LOG_LOCAL3 },
		{ "local4", LOG_LOCAL4 },
		{ "local5", LOG_LOCAL5 },
		{ "local6", LOG_LOCAL6 },
		{ "local7", LOG_LOCAL7 },
	};

	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (load_is_text(name, facilities[i].name))
			return (uint32_t)facilities[i].number;
	return LOG_DAEMON;
}

static void
explain_default_user(struct load *load, const struct word *user)
{
	if (user->place.line != 0)
		load_account_problem(load, ACCOUNT_UNKNOWN, "user", user);
	else
		problems_add(&load->problems, PROBLEM_ERROR, user->place,
		    "no user is called '%.*s', as which the parser is to run: "
		    "create it (useradd --system --home-dir / --shell "
		    "/usr/sbin/nologin %.*s), or name another: "
		    "'parser { user NAME }'",
		    TEXT_ARGS(user->text), TEXT_ARGS(user->text));
}

/* Which user and group the parser becomes: none that anybody else is. */
static void
load_parser_ids(struct load *load)
{
	const struct policy *policy = load->policy;
	const struct word *user = &policy->parser_user;
	bool has_group = policy->parser_group.text.length > 0;
	struct image_global *global = &load->build.global;
	struct account account;
	enum account_error error;

	global->parser_uid = load->uid;
	global->parser_gid = load->gid;
	if (!load->is_root && !load->options->skips_system)
		return;
	error = accounts_user(&load->accounts, user->text, &account);
	if (error == ACCOUNT_UNKNOWN) {
		explain_default_user(load, user);
		return;
	}
	if (error != ACCOUNT_OK && !(error == ACCOUNT_NO_GROUP && has_group)) {
		load_account_problem(load, error, "user", user);
		return;
	}
	if (account.uid == 0)
		problems_add(&load->problems, PROBLEM_ERROR, user->place,
		    "the parser cannot run as root");
	global->parser_uid = account.uid;
	global->parser_gid = account.gid;
	if (has_group)
		load_account_problem(load,
		    accounts_group(&load->accounts, policy->parser_group.text,
			&global->parser_gid),
		    "group", &policy->parser_group);
}

static void
load_parser_program(struct load *load)
{
	const struct word *program = &load->policy->parser_program;
	struct path_finding finding;

	if (program->text.length == 0)
		return;
	load->build.global.parser_program =
	    load_text(load, program->text, IMAGE_TEXT_MAX, program->place);
	finding = paths_program(
	    &load->paths, (struct text){ .length = 0 }, program->text);
	if (finding.problem != NULL)
		problems_add(&load->problems, PROBLEM_ERROR, program->place,
		    "cannot use program %.*s: %s", TEXT_ARGS(program->text),
		    finding.problem);
	else if (!load->options->skips_system &&
	    ((finding.uid != 0 && finding.uid != load->paths.owner) ||
		(finding.mode & (S_IWGRP | S_IWOTH)) != 0))
		problems_add(&load->problems, PROBLEM_ERROR, program->place,
		    "the parser's program %.*s must belong to root and be "
		    "writable by nobody else",
		    TEXT_ARGS(program->text));
}

/* What is remembered of sources. */
static void
load_memory(const struct policy *policy, struct image_global *global)
{
	global->count_by_v4 = (uint8_t)policy->count_by_v4;
	global->count_by_v6 = (uint8_t)policy->count_by_v6;
	global->rate = policy->rate;
	global->sources = policy->sources;
	for (int i = 0; i < IMAGE_PENALTIES; i++)
		global->penalties_ms[i] = policy->penalties_ms[i];
	global->penalty_threshold_ms = policy->penalty_threshold_ms;
	global->penalty_max_ms = policy->penalty_max_ms;
	global->drops_in_kernel = policy->drops_in_kernel;
}

void
load_global(struct load *load)
{
	const struct policy *policy = load->policy;
	struct image_global *global = &load->build.global;

	global->file = load_place(load, (struct place){ .file = 0 }).file;
	global->admission =
	    (struct image_range){ .first = policy->admission.first,
		    .count = policy->admission.count };
	global->exempt = (struct image_range){ .first = policy->exempt.first,
		.count = policy->exempt.count };
	load_memory(policy, global);
	global->sessions = policy->sessions;
	global->pending = policy->pending;
	global->pending_per_source = policy->pending_per_source;
	global->per_source = policy->per_source;
	global->parser_timeout_ms = policy->parser_timeout_ms;
	global->parser_workers = policy->parser_workers;
	global->recycle_verdicts = policy->recycle_verdicts;
	global->recycle_age_s = policy->recycle_age_s;
	global->syslog_facility = facility_of(policy->log_facility.text);
	global->room = (uint8_t)policy->room;
	global->log_sink = (uint8_t)policy->log_sink;
	global->log_format = (uint8_t)policy->log_format;
	global->log_addresses = (uint8_t)policy->log_addresses;
	global->log_limit = policy->log_limit;
	load_parser_ids(load);
	load_parser_program(load);
	load_listens(load);
}

bool
load_build(struct load *load)
{
	build_init(&load->build);
	load_global(load);
	load_nets(load);
	load_rules(load);
	load_services(load);
	load_filters(load);
	return load->problems.errors == 0;
}

void *
load_image(struct load *load, size_t *size)
{
	void *block = build_block(&load->build, size);
	struct image image;
	enum image_error error = image_init(&image, block, *size);

	if (error == IMAGE_OK)
		return block;
	problems_add(&load->problems, PROBLEM_ERROR,
	    (struct place){ .line = 0 },
	    "the image made of this policy is not sound (%s): this is a bug "
	    "of tcpmuxd",
	    image_error_text(error));
	free(block);
	return NULL;
}

#ifndef POLICY_SAME_H
#define POLICY_SAME_H

/*
 * Whether two parsed policies mean the same, wherever their lines stand and
 * whether a default was written out. Knows nothing of the printer.
 */
#include "core/policy.h"

#include <stdbool.h>
#include <string.h>

static inline bool
is_same_text(struct text left, struct text right)
{
	return left.length == right.length &&
	    (left.length == 0 ||
		memcmp(left.bytes, right.bytes, left.length) == 0);
}

/* The text, or what holds where it is not given. */
static inline struct text
or_default(struct text text, const char *value)
{
	return text.length > 0 ? text : (struct text){ value, strlen(value) };
}

static inline bool
is_same_words(const struct policy *left, struct span l,
    const struct policy *right, struct span r)
{
	bool is_same = l.count == r.count;

	for (uint32_t i = 0; i < l.count && is_same; i++)
		is_same = is_same_text(left->words[l.first + i].text,
		    right->words[r.first + i].text);
	return is_same;
}

static inline bool
is_same_addr(const struct addr *left, const struct addr *right)
{
	return memcmp(left->bytes, right->bytes, sizeof(left->bytes)) == 0 &&
	    left->scope == right->scope && left->port == right->port &&
	    left->family == right->family;
}

/* Nets are numbered as they are declared, and stay in that order. */
static inline bool
is_same_match(const struct policy *l, const struct policy_match *left,
    const struct policy *r, const struct policy_match *right)
{
	if (left->kind != right->kind)
		return false;
	if (left->kind == POLICY_MATCH_NET)
		return left->net == right->net;
	if (left->kind == POLICY_MATCH_FILE)
		return is_same_text(
		    l->words[left->path].text, r->words[right->path].text);
	return left->kind == POLICY_MATCH_ANY ||
	    (left->prefix.bits == right->prefix.bits &&
		is_same_text(left->zone, right->zone) &&
		is_same_addr(&left->prefix.addr, &right->prefix.addr));
}

static inline bool
is_same_rules(const struct policy *left, struct span l,
    const struct policy *right, struct span r)
{
	bool is_same = l.count == r.count;

	for (uint32_t i = 0; i < l.count && is_same; i++) {
		const struct policy_rule *a = &left->rules[l.first + i];
		const struct policy_rule *b = &right->rules[r.first + i];

		is_same = a->is_allow == b->is_allow &&
		    is_same_match(left, &a->match, right, &b->match);
	}
	return is_same;
}

static inline bool
is_same_exits(const struct policy *left, struct span l,
    const struct policy *right, struct span r)
{
	bool is_same = l.count == r.count;

	for (uint32_t i = 0; i < l.count && is_same; i++) {
		const struct policy_exit *a = &left->exits[l.first + i];
		const struct policy_exit *b = &right->exits[r.first + i];

		is_same = a->code == b->code && a->penalty_ms == b->penalty_ms;
	}
	return is_same;
}

static inline bool
is_same_grants(const struct policy *left, struct span l,
    const struct policy *right, struct span r)
{
	bool is_same = l.count == r.count;

	for (uint32_t i = 0; i < l.count && is_same; i++) {
		const struct policy_grant *a = &left->grants[l.first + i];
		const struct policy_grant *b = &right->grants[r.first + i];

		is_same = a->access == b->access &&
		    a->is_optional == b->is_optional &&
		    is_same_text(a->path.text, b->path.text);
	}
	return is_same;
}

static inline bool
is_same_hours(const struct policy *left, struct span l,
    const struct policy *right, struct span r)
{
	bool is_same = l.count == r.count;

	for (uint32_t i = 0; i < l.count && is_same; i++) {
		struct hours_line a = left->hours[l.first + i].line;
		struct hours_line b = right->hours[r.first + i].line;

		is_same = a.days == b.days && a.from == b.from && a.to == b.to;
	}
	return is_same;
}

static inline bool
is_same_rate(const struct rate *left, const struct rate *right)
{
	return left->tokens == right->tokens &&
	    left->period_ms == right->period_ms && left->burst == right->burst;
}

static inline bool
is_same_limits(
    const struct policy_limits *left, const struct policy_limits *right)
{
	bool is_same = left->set == right->set &&
	    left->if_available == right->if_available;

	for (uint32_t i = 0; i < POLICY_LIMITS && is_same; i++)
		is_same = (left->set >> i & 1) == 0 ||
		    left->values[i] == right->values[i];
	return is_same;
}

#define DIFFERS(field) \
	if (!(field)) \
	return #field

/* Of a program: other kinds have none, whatever they inherited. */
static inline const char *
program_difference(const struct policy *left, const struct policy_service *l,
    const struct policy *right, const struct policy_service *r)
{
	DIFFERS(is_same_words(left, l->exec, right, r->exec));
	DIFFERS(is_same_text(l->builtin.text, r->builtin.text));
	DIFFERS(is_same_text(l->argv0.text, r->argv0.text));
	DIFFERS(is_same_text(l->user.text, r->user.text));
	DIFFERS(l->is_self == r->is_self);
	DIFFERS(l->is_unsafe == r->is_unsafe);
	DIFFERS(is_same_text(l->group.text, r->group.text));
	DIFFERS(l->groups_kind == r->groups_kind);
	DIFFERS(is_same_words(left, l->groups, right, r->groups));
	DIFFERS(is_same_text(l->chroot.text, r->chroot.text));
	DIFFERS(l->has_nice == r->has_nice && l->nice == r->nice);
	DIFFERS(is_same_limits(&l->limits, &r->limits));
	DIFFERS(l->isolate == r->isolate);
	DIFFERS(is_same_text(
	    or_default(l->chdir.text, "/"), or_default(r->chdir.text, "/")));
	DIFFERS(l->umask == r->umask);
	DIFFERS(is_same_words(left, l->env, right, r->env));
	DIFFERS(l->stderr_to == r->stderr_to);
	DIFFERS(is_same_words(left, l->capabilities, right, r->capabilities));
	DIFFERS(l->has_all_capabilities == r->has_all_capabilities);
	DIFFERS(l->has_new_privileges == r->has_new_privileges);
	DIFFERS(l->leftovers == r->leftovers);
	DIFFERS(l->lifetime_s == r->lifetime_s);
	DIFFERS(l->idle_s == r->idle_s);
	DIFFERS(l->syscalls == r->syscalls);
	DIFFERS(l->network == r->network);
	DIFFERS(l->is_network_if_available == r->is_network_if_available);
	DIFFERS(is_same_exits(left, l->exits, right, r->exits));
	DIFFERS(l->has_filesystem == r->has_filesystem);
	DIFFERS(is_same_grants(left, l->grants, right, r->grants));
	return NULL;
}

static inline const char *
service_difference(const struct policy *left, const struct policy_service *l,
    const struct policy *right, const struct policy_service *r)
{
	DIFFERS(is_same_text(l->name.text, r->name.text));
	DIFFERS(l->is_disabled == r->is_disabled);
	DIFFERS(l->is_unlisted == r->is_unlisted);
	DIFFERS(l->kind == r->kind);
	DIFFERS(is_same_text(l->pass.text, r->pass.text));
	DIFFERS(is_same_text(l->pass_user.text, r->pass_user.text));
	DIFFERS(is_same_rules(left, l->rules, right, r->rules));
	DIFFERS(is_same_text(l->summary, r->summary));
	DIFFERS(is_same_words(left, l->aliases, right, r->aliases));
	DIFFERS(l->sessions == r->sessions);
	DIFFERS(policy_service_per_source(l) == policy_service_per_source(r));
	DIFFERS(is_same_rate(&l->rate, &r->rate));
	DIFFERS(is_same_rate(&l->source_rate, &r->source_rate));
	DIFFERS(is_same_words(left, l->on, right, r->on));
	DIFFERS(is_same_hours(left, l->hours, right, r->hours));
	if (l->kind == IMAGE_KIND_TRAP)
		return NULL;
	DIFFERS(l->reply == r->reply);
	DIFFERS(is_same_text(l->reply_text, r->reply_text));
	DIFFERS(l->keepalive_s == r->keepalive_s);
	DIFFERS(l->logged == r->logged);
	if (l->kind == IMAGE_KIND_PASS)
		return NULL;
	return program_difference(left, l, right, r);
}

static inline const char *
admission_difference(const struct policy *left, const struct policy *right)
{
	DIFFERS(is_same_rules(left, left->admission, right, right->admission));
	DIFFERS(is_same_rules(left, left->exempt, right, right->exempt));
	DIFFERS(left->sessions == right->sessions);
	DIFFERS(left->pending == right->pending);
	DIFFERS(left->pending_per_source == right->pending_per_source);
	DIFFERS(left->per_source == right->per_source);
	DIFFERS(left->count_by_v4 == right->count_by_v4);
	DIFFERS(left->count_by_v6 == right->count_by_v6);
	DIFFERS(is_same_rate(&left->rate, &right->rate));
	DIFFERS(left->sources == right->sources);
	DIFFERS(memcmp(left->penalties_ms, right->penalties_ms,
		    sizeof(left->penalties_ms)) == 0);
	DIFFERS(left->penalty_threshold_ms == right->penalty_threshold_ms);
	DIFFERS(left->penalty_max_ms == right->penalty_max_ms);
	DIFFERS(left->drops_in_kernel == right->drops_in_kernel);
	return NULL;
}

static inline const char *
global_difference(const struct policy *left, const struct policy *right)
{
	DIFFERS(is_same_text(left->parser_user.text, right->parser_user.text));
	DIFFERS(
	    is_same_text(left->parser_group.text, right->parser_group.text));
	DIFFERS(is_same_text(
	    left->parser_program.text, right->parser_program.text));
	DIFFERS(left->parser_timeout_ms == right->parser_timeout_ms);
	DIFFERS(left->parser_workers == right->parser_workers);
	DIFFERS(left->recycle_verdicts == right->recycle_verdicts);
	DIFFERS(left->recycle_age_s == right->recycle_age_s);
	DIFFERS(left->room == right->room);
	DIFFERS(left->log_sink == right->log_sink);
	DIFFERS(left->log_format == right->log_format);
	DIFFERS(left->log_addresses == right->log_addresses);
	DIFFERS(is_same_rate(&left->log_limit, &right->log_limit));
	DIFFERS(is_same_text(or_default(left->log_facility.text, "daemon"),
	    or_default(right->log_facility.text, "daemon")));
	return admission_difference(left, right);
}

static inline const char *
net_difference(const struct policy *left, const struct policy_net *l,
    const struct policy *right, const struct policy_net *r)
{
	DIFFERS(is_same_text(l->name.text, r->name.text));
	DIFFERS(l->members.count == r->members.count);
	for (uint32_t i = 0; i < l->members.count; i++)
		DIFFERS(
		    is_same_match(left, &left->matches[l->members.first + i],
			right, &right->matches[r->members.first + i]));
	return NULL;
}

static inline const char *
listen_difference(
    const struct policy_listen *left, const struct policy_listen *right)
{
	DIFFERS(is_same_addr(&left->addr, &right->addr));
	DIFFERS(is_same_text(left->name, right->name));
	DIFFERS(is_same_text(left->zone.text, right->zone.text));
	DIFFERS(is_same_text(left->interface, right->interface));
	DIFFERS(left->backlog == right->backlog);
	DIFFERS(left->is_freebind == right->is_freebind);
	DIFFERS(left->is_lenient_lf == right->is_lenient_lf);
	return NULL;
}

/* NULL, or the first thing that is not the same, in C. */
static inline const char *
policy_difference(const struct policy *left, const struct policy *right)
{
	const char *difference = global_difference(left, right);

	DIFFERS(left->listen_count == right->listen_count);
	DIFFERS(left->net_count == right->net_count);
	DIFFERS(left->service_count == right->service_count);
	for (uint32_t i = 0; i < left->listen_count && difference == NULL; i++)
		difference =
		    listen_difference(&left->listens[i], &right->listens[i]);
	for (uint32_t i = 0; i < left->net_count && difference == NULL; i++)
		difference = net_difference(
		    left, &left->nets[i], right, &right->nets[i]);
	for (uint32_t i = 0; i < left->service_count && difference == NULL; i++)
		difference = service_difference(
		    left, &left->services[i], right, &right->services[i]);
	return difference;
}

#endif

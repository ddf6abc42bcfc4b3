/*
 * What a service may ask of the kernel.
 * Trusts nothing; whether the machine can do it is for the loader to find out.
 */
#include "core/policy_parser.h"

void
policy_take_syscalls(
    struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t syscalls = 0;

	if (!policy_choice(
		parser, &line->words[1], policy_syscalls_words, &syscalls))
		return;
	parser->service->syscalls = (enum image_syscalls)syscalls;
	parser->service->syscalls_place = line->words[1].place;
}

/* Becoming somebody, what new-privileges is for, takes far more than stdio. */
void
policy_check_confinement(struct policy_parser *parser)
{
	const struct policy_service *service = parser->service;

	if (service->syscalls == IMAGE_SYSCALLS_STDIO &&
	    service->has_new_privileges && !service->is_trap)
		policy_complain(parser, service->syscalls_place,
		    "'syscalls stdio' leaves 'new-privileges' nothing to work "
		    "with");
}

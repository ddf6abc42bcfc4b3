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
	    service->has_new_privileges && policy_starts_program(service))
		policy_complain(parser, service->syscalls_place,
		    "'syscalls stdio' leaves 'new-privileges' nothing to work "
		    "with");
}

void
policy_take_network(
    struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;
	uint32_t network = 0;

	if (!policy_choice(
		parser, &line->words[1], policy_network_words, &network))
		return;
	service->network = (enum image_network)network;
	service->network_place = line->words[1].place;
	service->is_network_if_available = false;
	if (line->count == 2)
		return;
	if (!policy_text_is(line->words[2].text, POLICY_IF_AVAILABLE))
		policy_complain(parser, line->words[2].place,
		    "'%.*s' does not belong here: write 'network any' or "
		    "'network none [if-available]'",
		    SHOWN(line->words[2].text));
	else if (service->network == IMAGE_NETWORK_ANY)
		policy_complain(parser, line->words[2].place,
		    "'network any' takes nothing away: it is always available");
	else
		service->is_network_if_available = true;
}

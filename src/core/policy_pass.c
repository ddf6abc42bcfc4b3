/*
 * `pass`: a service of a server that runs already, as parsed and as printed.
 * Trusts nothing; whether socket and user are there is not known here.
 */
#include "core/policy_printer.h"

void
policy_take_pass(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;
	const struct word *words = line->words;

	service->kind = IMAGE_KIND_PASS;
	service->pass = words[1];
	if (policy_path(parser, &words[1]) &&
	    words[1].text.length > IMAGE_SOCKET_MAX)
		policy_complain(parser, words[1].place,
		    "the path of a socket has at most %u bytes",
		    IMAGE_SOCKET_MAX);
	if (line->count == 2)
		return;
	if (line->count != 4 || !policy_text_is(words[2].text, "uid"))
		policy_complain(parser, words[2].place,
		    "'%.*s' does not belong here: write 'pass PATH [uid "
		    "NAME|UID]'",
		    SHOWN(words[2].text));
	else if (policy_account(parser, &words[3]))
		service->pass_user = words[3];
}

void
policy_show_pass(struct policy_printer *printer)
{
	const struct policy_service *service = printer->service;

	if (service->kind != IMAGE_KIND_PASS)
		return;
	printer_begin(printer);
	printer_word(printer, service->pass.text);
	if (service->pass_user.text.length > 0) {
		printer_plain(printer, "uid");
		printer_word(printer, service->pass_user.text);
	}
	printer_end(printer);
}

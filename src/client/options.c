/*
 * The command line, checked whole before anything is done. Trusts nothing
 * in it: a name that no server could know is never sent.
 */
#include "client/options.h"

#include "core/name.h"

#include "client/message.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_DEFAULT 1
#define PORT_MAX 65535
#define WAIT_DEFAULT_S 30
#define WAIT_MAX_S 86400

static int
usage(void)
{
	message_print("usage: tcpmux [-46lvV] [-p port] [-w seconds] host "
		      "[service]");
	return -1;
}

/* A decimal number of 1 to most: 0, or -1 after saying what it is not. */
static int
read_number(
    const char *word, const char *what, unsigned int most, unsigned int *number)
{
	unsigned int read = 0;
	const char *digit = word;

	while (*digit >= '0' && *digit <= '9' && read <= most)
		read = read * 10 + (unsigned int)(*digit++ - '0');
	if (*digit != '\0' || read == 0 || read > most) {
		message_print("%s is not a %s from 1 to %u", word, what, most);
		return -1;
	}
	*number = read;
	return 0;
}

/* Options up to the host: a service may well be called "-x". */
static int
read_flags(struct options *options, int argc, char **argv)
{
	unsigned int number;
	int option;

	while ((option = getopt(argc, argv, "+46lvVp:w:")) != -1) {
		switch (option) {
		case '4':
			options->family = AF_INET;
			break;
		case '6':
			options->family = AF_INET6;
			break;
		case 'l':
			options->is_list = true;
			break;
		case 'v':
			options->is_verbose = true;
			break;
		case 'V':
			options->is_version = true;
			break;
		case 'p':
			if (read_number(optarg, "port", PORT_MAX, &number) ==
			    -1)
				return -1;
			options->port = (uint16_t)number;
			break;
		case 'w':
			if (read_number(optarg, "number of seconds", WAIT_MAX_S,
				&number) == -1)
				return -1;
			options->wait_ms = (int64_t)number * 1000;
			break;
		default:
			return usage();
		}
	}
	return 0;
}

static int
check_service(const char *service)
{
	const uint8_t *bytes = (const uint8_t *)service;
	size_t length = strlen(service);

	if (!name_is_valid(bytes, length)) {
		message_print("not a service's name: 1 to %d printable ASCII "
			      "characters without blanks",
		    NAME_MAX_BYTES);
		return -1;
	}
	if (name_is_help(bytes, length)) {
		message_print(
		    "%s is reserved: use -l to list the services", service);
		return -1;
	}
	return 0;
}

int
options_read(struct options *options, int argc, char **argv)
{
	*options = (struct options){ .family = AF_UNSPEC,
		.port = PORT_DEFAULT,
		.wait_ms = WAIT_DEFAULT_S * INT64_C(1000) };
	if (read_flags(options, argc, argv) == -1)
		return -1;
	if (options->is_version)
		return 0;
	if (argc - optind != (options->is_list ? 1 : 2))
		return usage();
	options->host = argv[optind];
	if (options->is_list) {
		options->service = "HELP";
		return 0;
	}
	options->service = argv[optind + 1];
	return check_service(options->service);
}

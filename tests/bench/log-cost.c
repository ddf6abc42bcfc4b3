/*
 * What a line of the log costs: a refusal's, in both forms, 32 lines a turn
 * as a busy tcpmuxd has them, to a file and to nowhere. The time is the
 * process's own, user and system, the writing included. Always ends well:
 * machines differ.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/log.h"

enum { LINES = 100000, LINES_A_TURN = 32, ROUNDS = 5 };

#define TARGET_NS 1000.0

static double
cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* As parent/settle.c has it. */
static void
log_refusal(const struct addr *peer, uint64_t session)
{
	static const char claimed[] = "no-such-service";

	log_begin(LOG_LEVEL_INFO, "refuse");
	log_word("reason", "unknown");
	log_addr(peer);
	log_number("session", session);
	log_duration("duration_s", (int64_t)(session % 5000));
	log_bytes("claimed", claimed, sizeof(claimed) - 1);
	log_end();
}

/* Nanoseconds a line. */
static double
run_round(const char *peer_text)
{
	struct addr peer;
	double before;

	if (!addr_parse(&peer, peer_text, strlen(peer_text)))
		abort();
	before = cpu_ns();
	for (uint64_t i = 0; i < LINES; i++) {
		peer.port = (uint16_t)(i | 1024);
		log_refusal(&peer, i + 1000000);
		if (i % LINES_A_TURN == LINES_A_TURN - 1)
			log_flush();
	}
	return (cpu_ns() - before) / LINES;
}

static int
compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The median of some rounds, the log being written to fd. */
static double
measure(int fd, enum image_log_format format, const char *peer)
{
	const struct log_options options = { .sink = IMAGE_LOG_STDERR,
		.format = format };
	int saved = dup(STDERR_FILENO);
	double rounds[ROUNDS];

	if (saved < 0 || dup2(fd, STDERR_FILENO) < 0 ||
	    log_open(&options) != 0 || dup2(saved, STDERR_FILENO) < 0)
		abort();
	(void)close(saved);
	for (int i = 0; i < ROUNDS; i++) {
		rounds[i] = run_round(peer);
		/* A device has nothing to be cut. */
		if (ftruncate(fd, 0) != 0 && errno != EINVAL)
			abort();
	}
	qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
	return rounds[ROUNDS / 2];
}

static void
measure_sink(const char *sink, int fd)
{
	static const char *const peers[] = { "198.51.100.217",
		"2001:db8:1234:5678::217" };

	for (int format = IMAGE_LOG_LOGFMT; format <= IMAGE_LOG_JSON;
	     format++) {
		for (size_t i = 0; i < 2; i++) {
			double ns = measure(
			    fd, (enum image_log_format)format, peers[i]);

			printf("%-5s %-7s %-24s %5.0f ns a line%s\n", sink,
			    format == IMAGE_LOG_JSON ? "json" : "logfmt",
			    peers[i], ns, ns < TARGET_NS ? "" : " (MISSED)");
			(void)fflush(stdout);
		}
	}
}

int
main(void)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FILE *file = tmpfile();

	if (file == NULL || nowhere < 0)
		return 1;
	measure_sink("file", fileno(file));
	measure_sink("none", nowhere);
	printf("target: under %.0f ns; %llu lines lost\n", TARGET_NS,
	    (unsigned long long)log_lost());
	return 0;
}

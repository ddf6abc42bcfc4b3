/*
 * lossy: joins two network namespaces by a TUN device in each and carries
 * packets between them with a fixed delay and independent loss each way.
 * Trusts its caller, who is root, and gives the devices their addresses. What
 * is lost depends on the seed and on the order of packets, never on time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define PACKET_BYTES 2048 /* a device's MTU must stay below this */
#define RING_PACKETS 4096
#define BATCH_PACKETS 64 /* read from one side before looking at the other */

struct packet {
	int64_t due_us;
	size_t length;
	unsigned char bytes[PACKET_BYTES];
};

/* One way through. Packets leave in the order in which they came. */
struct way {
	const char *name;
	int from; /* not owned: the other way uses it too */
	int to;
	uint64_t random;
	uint32_t loss_ppm;
	size_t first;
	size_t count;
	struct packet *ring;
	uint64_t passed;
	uint64_t lost;
	uint64_t refused; /* by the device: down, or its queue is full */
};

struct options {
	int64_t delay_us;
	int64_t limit_us;
	uint64_t seed;
	uint32_t loss_ppm[2];
	const char *device;
	const char *netns[2];
};

static const char usage_text[] =
    "usage: lossy [-d DELAY_MS] [-i DEVICE] [-l LOSS_PERCENT]\n"
    "             [-L LOSS_A_TO_B,LOSS_B_TO_A] [-s SEED] [-t MAX_SECONDS]\n"
    "             NETNS_A NETNS_B\n"
    "\n"
    "Creates the TUN device DEVICE (lossy0) in both namespaces (names under\n"
    "/run/netns, or paths), prints \"ready\", and carries packets between\n"
    "them: DELAY_MS (10) each way, so twice that there and back, and\n"
    "LOSS_PERCENT (0) lost each way. Both may have a fraction. Ends at\n"
    "SIGTERM, at SIGINT, at the end of its standard input, or after\n"
    "MAX_SECONDS (300), then says on stderr what it carried.\n";

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* splitmix64, after Steele, Lea and Flood (2014): any seed will do. */
static uint64_t
draw(uint64_t *state)
{
	uint64_t mixed;

	*state += UINT64_C(0x9e3779b97f4a7c15);
	mixed = *state;
	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

static void
fail(const char *what, const char *which)
{
	fprintf(stderr, "lossy: %s %s: %s\n", what, which, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
usage(void)
{
	fputs(usage_text, stderr);
	exit(64);
}

static double
number(const char *text, double max, char **rest)
{
	double value;

	errno = 0;
	value = strtod(text, rest);
	if (errno != 0 || *rest == text || !(value >= 0.0) || value > max)
		usage();
	return value;
}

static double
only_number(const char *text, double max)
{
	char *rest;
	double value;

	value = number(text, max, &rest);
	if (*rest != '\0')
		usage();
	return value;
}

static void
parse_losses(const char *text, uint32_t loss_ppm[2])
{
	char *rest;

	loss_ppm[0] = (uint32_t)(number(text, 100.0, &rest) * 10000.0);
	if (*rest != ',')
		usage();
	loss_ppm[1] = (uint32_t)(only_number(rest + 1, 100.0) * 10000.0);
}

static void
parse_options(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){ .delay_us = 10000,
		.limit_us = INT64_C(300000000),
		.seed = 1,
		.device = "lossy0" };
	while ((option = getopt(argc, argv, "d:i:l:L:s:t:")) != -1) {
		if (option == 'd')
			options->delay_us =
			    (int64_t)(only_number(optarg, 60000.0) * 1000.0);
		else if (option == 'i')
			options->device = optarg;
		else if (option == 'l')
			options->loss_ppm[0] = options->loss_ppm[1] =
			    (uint32_t)(only_number(optarg, 100.0) * 10000.0);
		else if (option == 'L')
			parse_losses(optarg, options->loss_ppm);
		else if (option == 's')
			options->seed = (uint64_t)only_number(optarg, 1e15);
		else if (option == 't')
			options->limit_us =
			    (int64_t)(only_number(optarg, 86400.0) * 1e6);
		else
			usage();
	}
	if (argc - optind != 2 || strlen(options->device) >= IFNAMSIZ)
		usage();
	options->netns[0] = argv[optind];
	options->netns[1] = argv[optind + 1];
}

static void
enter_netns(const char *netns)
{
	char path[4096];
	const char *prefix = strchr(netns, '/') == NULL ? "/run/netns/" : "";
	int length, fd;

	length = snprintf(path, sizeof(path), "%s%s", prefix, netns);
	if (length < 0 || (size_t)length >= sizeof(path))
		usage();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || setns(fd, CLONE_NEWNET) == -1)
		fail("cannot enter namespace", path);
	close(fd);
}

/* The device lasts as long as the descriptor that is returned. */
static int
open_tun(const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd;

	memcpy(request.ifr_name, device, strlen(device));
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		fail("cannot open", "/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &request) == -1)
		fail("cannot create device", device);
	return fd;
}

static int
open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd == -1)
		fail("cannot make a", "signalfd");
	return fd;
}

static void
way_init(struct way *way, const char *name, int from, int to, uint64_t seed,
    uint32_t loss_ppm)
{
	*way = (struct way){ .name = name,
		.from = from,
		.to = to,
		.random = seed,
		.loss_ppm = loss_ppm };
	way->ring = calloc(RING_PACKETS, sizeof(*way->ring));
	if (way->ring == NULL)
		fail("cannot allocate", "the ring");
}

/* Takes what has come; a full ring leaves it to the device's own queue. */
static void
way_take(struct way *way, int64_t delay_us)
{
	for (int i = 0; i < BATCH_PACKETS && way->count < RING_PACKETS; i++) {
		struct packet *packet =
		    &way->ring[(way->first + way->count) % RING_PACKETS];
		ssize_t got = read(way->from, packet->bytes, PACKET_BYTES);

		if (got <= 0)
			return;
		if (draw(&way->random) % 1000000 < way->loss_ppm) {
			way->lost++;
			continue;
		}
		packet->length = (size_t)got;
		packet->due_us = now_us() + delay_us;
		way->count++;
	}
}

static void
way_give(struct way *way)
{
	while (way->count > 0) {
		const struct packet *packet = &way->ring[way->first];

		if (packet->due_us > now_us())
			return;
		if (write(way->to, packet->bytes, packet->length) == -1)
			way->refused++;
		else
			way->passed++;
		way->first = (way->first + 1) % RING_PACKETS;
		way->count--;
	}
}

static int64_t
next_due_us(const struct way ways[2], int64_t end_us)
{
	int64_t due_us = end_us;

	for (int i = 0; i < 2; i++) {
		const struct packet *packet = &ways[i].ring[ways[i].first];

		if (ways[i].count > 0 && packet->due_us < due_us)
			due_us = packet->due_us;
	}
	return due_us;
}

static bool
stdin_ended(short events)
{
	char bytes[256];

	return events != 0 && read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0;
}

static void
carry(struct way ways[2], int signals, const struct options *options)
{
	const int64_t end_us = now_us() + options->limit_us;

	for (;;) {
		int64_t wait_us = next_due_us(ways, end_us) - now_us();
		struct timespec wait;
		struct pollfd polled[] = { { .fd = signals, .events = POLLIN },
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = ways[0].from, .events = POLLIN },
			{ .fd = ways[1].from, .events = POLLIN } };

		for (int i = 0; i < 2; i++)
			if (ways[i].count == RING_PACKETS)
				polled[2 + i].fd = -1;
		if (wait_us < 0)
			wait_us = 0;
		wait.tv_sec = wait_us / 1000000;
		wait.tv_nsec = wait_us % 1000000 * 1000;
		if (ppoll(polled, 4, &wait, NULL) == -1 && errno != EINTR)
			fail("cannot", "poll");
		if (polled[0].revents != 0 || stdin_ended(polled[1].revents))
			return;
		if (now_us() >= end_us)
			return;
		for (int i = 0; i < 2; i++) {
			if (polled[2 + i].revents != 0)
				way_take(&ways[i], options->delay_us);
			way_give(&ways[i]);
		}
	}
}

int
main(int argc, char **argv)
{
	struct options options;
	struct way ways[2];
	int tun[2], signals;

	parse_options(&options, argc, argv);
	signals = open_signals();
	for (int i = 0; i < 2; i++) {
		enter_netns(options.netns[i]);
		tun[i] = open_tun(options.device);
	}
	way_init(&ways[0], "a to b", tun[0], tun[1], options.seed,
	    options.loss_ppm[0]);
	way_init(&ways[1], "b to a", tun[1], tun[0], ~options.seed,
	    options.loss_ppm[1]);
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	puts("ready");
	fflush(stdout);
	carry(ways, signals, &options);
	for (int i = 0; i < 2; i++) {
		fprintf(stderr,
		    "lossy: %s: passed %llu lost %llu refused %llu\n",
		    ways[i].name, (unsigned long long)ways[i].passed,
		    (unsigned long long)ways[i].lost,
		    (unsigned long long)ways[i].refused);
		free(ways[i].ring);
	}
	return EXIT_SUCCESS;
}

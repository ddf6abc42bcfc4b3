/*
 * load: the load generator of the benchmarks and of the tests under load.
 * One thread, a closed loop: every client connects, sends, reads to the end,
 * compares every byte, closes, and begins anew. Trusts nothing it is answered.
 * Never tries again: what goes wrong is counted, once, as what it was.
 */
#include <sys/resource.h>

#include "load_state.h"

#define EVENTS 256
#define DRAIN_NS (10 * UINT64_C(1000000000))
#define HOLD_BURST 64 /* opened before looking at anything else */
#define DRIP_TICKS 100 /* a second; each drip has its own */

static void
client_end(struct load *load, struct client *client, uint64_t *counter)
{
	close(client->fd);
	client->fd = -1;
	client->due_ns = 0;
	load->active--;
	load->last_ns = now_ns();
	(*counter)++;
}

/* Where the piece ends that begins at `sent`, or holds it. */
static uint32_t
piece_end(const struct options *options, uint32_t sent)
{
	const uint32_t length = (uint32_t)options->request.length;

	for (uint32_t i = 1; i < options->pieces; i++) {
		uint32_t end = length * i / options->pieces;

		if (sent < end)
			return end;
	}
	return length;
}

static bool
is_connect_error(int error)
{
	return error == ECONNREFUSED || error == ETIMEDOUT ||
	    error == EHOSTUNREACH || error == ENETUNREACH;
}

/*
 * Sends what is due of the request. Returns whether it has to wait until the
 * socket takes more. An error is counted; what became of the connection is
 * then for the reading side to say.
 */
static bool
client_send(struct load *load, uint32_t index)
{
	struct client *client = &load->clients[index];
	const struct text *request = &load->options->request;
	const uint32_t end = piece_end(load->options, client->sent);
	ssize_t sent;

	sent = send(client->fd, request->bytes + client->sent,
	    end - client->sent, MSG_NOSIGNAL);
	if (sent == -1) {
		if (errno == EAGAIN)
			return true;
		client->has_failed = is_connect_error(errno);
		if (!client->has_failed)
			load->tally.send_errors++;
		client->sent = (uint32_t)request->length;
		return false;
	}
	client->sent += (uint32_t)sent;
	if (client->sent < end)
		return true;
	if (client->sent < request->length)
		client->due_ns =
		    now_ns() + load->options->gap_ms * UINT64_C(1000000);
	else if (load->options->half_closes)
		shutdown(client->fd, SHUT_WR);
	return false;
}

static void
client_begin(struct load *load, uint32_t index)
{
	const struct options *options = load->options;
	struct client *client = &load->clients[index];
	const uint64_t number = load->tally.begun++;
	bool waits;

	client->begun_ns = now_ns();
	client->sent = client->got = 0;
	client->is_wrong = client->has_failed = false;
	client->fd = open_connection(
	    load, &options->source_base, options->sources, number);
	if (client->fd == -1) {
		load->tally.connect_errors++;
		return;
	}
	load->active++;
	/* On loopback it is connected by now, and this saves two calls. */
	waits = client_send(load, index);
	if (waits && options->gives_up) {
		client_end(load, client, &load->tally.given_up);
		return;
	}
	watch(load, client, index, EPOLL_CTL_ADD, waits ? EPOLLOUT : EPOLLIN);
}

static void
client_judge(struct load *load, struct client *client)
{
	if (client->has_failed) {
		client_end(load, client, &load->tally.connect_errors);
		return;
	}
	if (client->is_wrong || client->got != load->options->expected.length) {
		client_end(load, client, &load->tally.bad);
		return;
	}
	client_end(load, client, &load->tally.ok);
	histogram_add(&load->latency, load->last_ns - client->begun_ns);
}

static void
client_read(struct load *load, struct client *client)
{
	const struct text *expected = &load->options->expected;
	char bytes[sizeof(expected->bytes)];

	for (;;) {
		ssize_t got = recv(client->fd, bytes, sizeof(bytes), 0);

		if (got == -1 && errno == EAGAIN)
			return;
		if (got == -1) {
			client_end(load, client,
			    is_connect_error(errno)
				? &load->tally.connect_errors
				: &load->tally.reset);
			return;
		}
		if (got == 0) {
			client_judge(load, client);
			return;
		}
		if (client->got == 0 && !client->is_wrong)
			histogram_add(
			    &load->first_byte, now_ns() - client->begun_ns);
		if (client->got + (size_t)got > expected->length ||
		    memcmp(expected->bytes + client->got, bytes, (size_t)got) !=
			0)
			client->is_wrong = true;
		else
			client->got += (uint32_t)got;
	}
}

static void
client_event(struct load *load, uint32_t index, uint32_t events)
{
	struct client *client = &load->clients[index];

	if (events == EPOLLOUT) {
		if (!client_send(load, index))
			watch(load, client, index, EPOLL_CTL_MOD, EPOLLIN);
		return;
	}
	client_read(load, client);
}

/* The next piece of whoever has waited long enough. */
static void
send_due_pieces(struct load *load)
{
	const uint64_t now = now_ns();

	if (load->options->pieces == 1)
		return;
	for (uint32_t i = 0; i < load->options->clients; i++) {
		struct client *client = &load->clients[i];

		if (client->due_ns == 0 || client->due_ns > now)
			continue;
		client->due_ns = 0;
		if (client_send(load, i))
			watch(load, client, i, EPOLL_CTL_MOD, EPOLLOUT);
	}
}

static void
held_begin(struct load *load, uint32_t index)
{
	const struct options *options = load->options;
	struct client *held = &load->held[index];

	held->got = 0;
	held->fd = open_connection(load, &options->held_base,
	    options->held_sources, load->tally.held_opened);
	if (held->fd == -1) {
		load->tally.held_errors++;
		return;
	}
	load->tally.held_opened++;
	load->held_open++;
	watch(load, held, (uint64_t)options->clients + index, EPOLL_CTL_ADD,
	    EPOLLIN);
	if (index < options->slow && options->slow_text.length > 0 &&
	    send(held->fd, options->slow_text.bytes, options->slow_text.length,
		MSG_NOSIGNAL) == -1)
		load->tally.held_errors++;
}

static void
held_end(struct load *load, uint32_t index, uint64_t *counter)
{
	close(load->held[index].fd);
	load->held[index].fd = -1;
	load->held_open--;
	load->held_last_ns = now_ns() - load->begun_ns;
	(*counter)++;
	if (load->options->holds_again)
		held_begin(load, index);
}

static void
held_event(struct load *load, uint32_t index)
{
	struct client *held = &load->held[index];
	char bytes[512];
	ssize_t got;

	while ((got = recv(held->fd, bytes, sizeof(bytes), 0)) > 0)
		held->got += (uint32_t)got;
	if (got == -1 && errno == EAGAIN)
		return;
	if (held->got > 0)
		load->tally.held_answered++;
	held_end(load, index,
	    got == 0 ? &load->tally.held_closed : &load->tally.held_reset);
}

static void
drip(struct load *load)
{
	const uint64_t tick =
	    (now_ns() - load->begun_ns) / (1000000000 / DRIP_TICKS);
	const struct options *options = load->options;

	for (; load->drip_tick < tick; load->drip_tick++) {
		for (uint32_t i = (uint32_t)(load->drip_tick % DRIP_TICKS);
		     i < options->drip; i += DRIP_TICKS) {
			int fd = load->held[options->slow + i].fd;

			if (fd != -1)
				send(fd, "x", 1, MSG_NOSIGNAL);
		}
	}
}

static bool
hold_more(struct load *load)
{
	const uint32_t all = load->options->slow + load->options->drip;

	for (int i = 0; i < HOLD_BURST && load->held_next < all; i++)
		held_begin(load, load->held_next++);
	return load->held_next < all;
}

static void
begin_more(struct load *load)
{
	const uint64_t count = load->options->count;

	if (load->active == load->options->clients)
		return;
	for (uint32_t i = 0; i < load->options->clients; i++) {
		if (count != 0 && load->tally.begun >= count)
			return;
		if (load->clients[i].fd == -1)
			client_begin(load, i);
	}
}

static bool
is_done(const struct load *load, uint64_t end_ns)
{
	const struct options *options = load->options;
	const uint64_t now = now_ns();

	if (options->clients == 0)
		return now >= end_ns || load->held_open == 0;
	if (load->active > 0)
		return now >= end_ns + DRAIN_NS;
	return now >= end_ns ||
	    (options->count != 0 && load->tally.begun >= options->count);
}

static void
dispatch(struct load *load, int timeout_ms)
{
	const uint32_t clients = load->options->clients;
	struct epoll_event events[EVENTS];
	int count;

	count = epoll_wait(load->epoll, events, EVENTS, timeout_ms);
	if (count == -1 && errno != EINTR)
		fail("epoll_wait");
	for (int i = 0; i < count; i++) {
		uint32_t index = (uint32_t)events[i].data.u64;

		if (index < clients)
			client_event(load, index, events[i].events);
		else
			held_event(load, index - clients);
	}
}

/* For events; who gives up has nothing to wait for. */
static int
wait_ms(const struct options *options)
{
	if (options->gives_up)
		return 0;
	return options->pieces > 1 ? 1 : 10;
}

static void
run(struct load *load)
{
	const struct options *options = load->options;
	uint64_t end_ns;
	bool is_opening = true;

	load->begun_ns = now_ns();
	while (is_opening) {
		is_opening = hold_more(load);
		dispatch(load, 0);
	}
	/* The load is timed from when all that is held is held. */
	load->begun_ns = load->last_ns = now_ns();
	end_ns = load->begun_ns + options->seconds * UINT64_C(1000000000);
	while (!is_done(load, end_ns)) {
		if (now_ns() < end_ns)
			begin_more(load);
		dispatch(load, wait_ms(options));
		send_due_pieces(load);
		drip(load);
	}
}

static void
report(const struct load *load)
{
	const struct tally *tally = &load->tally;
	const struct histogram *latency = &load->latency;
	const double seconds = (double)(load->last_ns - load->begun_ns) / 1e9;
	const uint64_t done = tally->ok + tally->bad + tally->reset;
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "begun", tally->begun },
		{ "ok", tally->ok },
		{ "bad", tally->bad },
		{ "reset", tally->reset },
		{ "given_up", tally->given_up },
		{ "unfinished", load->active },
		{ "connect_errors", tally->connect_errors },
		{ "send_errors", tally->send_errors },
		{ "held_opened", tally->held_opened },
		{ "held_open", load->held_open },
		{ "held_answered", tally->held_answered },
		{ "held_closed", tally->held_closed },
		{ "held_reset", tally->held_reset },
		{ "held_errors", tally->held_errors },
	};

	printf("{");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		printf("\"%s\": %llu, ", counts[i].name,
		    (unsigned long long)counts[i].value);
	printf("\"held_last_s\": %.3f, ", (double)load->held_last_ns / 1e9);
	printf("\"seconds\": %.3f, \"rate\": %.1f, ", seconds,
	    seconds > 0.0 ? (double)done / seconds : 0.0);
	if (load->options->prints_histogram) {
		printf("\"histogram\": ");
		histogram_print(latency);
		printf(", ");
	}
	printf("\"first_byte_p50_us\": %.1f, ",
	    histogram_quantile_us(&load->first_byte, 0.5));
	printf("\"mean_us\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"p999_us\": %.1f, \"max_us\": %.1f}\n",
	    latency->count > 0
		? (double)latency->sum_ns / (double)latency->count / 1000.0
		: 0.0,
	    histogram_quantile_us(latency, 0.5),
	    histogram_quantile_us(latency, 0.99),
	    histogram_quantile_us(latency, 0.999),
	    (double)latency->max_ns / 1000.0);
}

static void *
allocate(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);

	if (memory == NULL)
		fail("calloc");
	return memory;
}

int
main(int argc, char **argv)
{
	static struct options options;
	static struct load load;
	struct rlimit limit;
	uint32_t all_held;

	parse_options(&options, argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	all_held = options.slow + options.drip;
	load.options = &options;
	load.clients = allocate(options.clients, sizeof(*load.clients));
	load.held = allocate(all_held, sizeof(*load.held));
	for (uint32_t i = 0; i < options.clients; i++)
		load.clients[i].fd = -1;
	for (uint32_t i = 0; i < all_held; i++)
		load.held[i].fd = -1;
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll == -1)
		fail("epoll_create1");
	run(&load);
	report(&load);
	return EXIT_SUCCESS;
}

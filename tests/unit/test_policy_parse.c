/*
 * What a policy comes to: defaults, values, inheritance, sets, names; and
 * that a large one takes no more than its length.
 */
#include "policy_fixture.h"

#define HEAD "policy 1\nlisten *\nadmission {\n\tallow any\n}\n"
#define MINIMAL HEAD "service S {\n\tallow any\n\tuser 1000\n\texec /bin/cat\n"

static struct parsed
parse_good(const char *text)
{
	struct parsed parsed = parse_text(text, strlen(text));

	if (parsed.result != POLICY_OK)
		fail_msg("%s", parsed.problems);
	return parsed;
}

static void
assert_text(struct text text, const char *expected)
{
	assert_int_equal(text.length, strlen(expected));
	assert_memory_equal(text.bytes, expected, text.length);
}

static void
assert_words(
    const struct policy *policy, struct span span, const char *const expected[])
{
	for (uint32_t i = 0; i < span.count; i++) {
		assert_non_null(expected[i]);
		assert_text(policy->words[span.first + i].text, expected[i]);
	}
	assert_null(expected[span.count]);
}

static void
globals_by_default(void **state)
{
	static const uint32_t penalties_ms[IMAGE_PENALTIES] = {
		[IMAGE_PENALTY_MALFORMED] = 5000,
		[IMAGE_PENALTY_UNKNOWN] = 2000,
		[IMAGE_PENALTY_DENIED] = 2000,
		[IMAGE_PENALTY_TIMEOUT] = 10000,
		[IMAGE_PENALTY_CRASH] = 90000,
		[IMAGE_PENALTY_TRAP] = 600000
	};
	struct parsed parsed = parse_good("policy 1\nlisten *\n");
	const struct policy *policy = &parsed.policy;

	(void)state;
	assert_int_equal(policy->service_count, 0);
	assert_int_equal(policy->admission.count, 0);
	assert_int_equal(policy->sessions, 512);
	assert_int_equal(policy->pending, 256);
	assert_int_equal(policy->pending_per_source, 8);
	assert_int_equal(policy->per_source, 32);
	assert_int_equal(policy->exempt.count, 0);
	assert_int_equal(policy->count_by_v4, 32);
	assert_int_equal(policy->count_by_v6, 64);
	assert_int_equal(policy->rate.tokens, 60);
	assert_int_equal(policy->rate.period_ms, 60000);
	assert_int_equal(policy->rate.burst, 30);
	assert_int_equal(policy->sources, 65536);
	for (size_t i = 0; i < IMAGE_PENALTIES; i++)
		assert_int_equal(policy->penalties_ms[i], penalties_ms[i]);
	assert_int_equal(policy->penalty_threshold_ms, 15000);
	assert_int_equal(policy->penalty_max_ms, 600000);
	assert_false(policy->drops_in_kernel);
	assert_text(policy->parser_user.text, "_tcpmuxd");
	assert_int_equal(policy->parser_group.text.length, 0);
	assert_int_equal(policy->parser_program.text.length, 0);
	assert_int_equal(policy->parser_timeout_ms, 5000);
	assert_int_equal(policy->parser_workers, 1);
	assert_int_equal(policy->recycle_verdicts, 10000);
	assert_int_equal(policy->recycle_age_s, 60);
	assert_int_equal(policy->room, IMAGE_ROOM_FULL);
	assert_int_equal(policy->log_sink, IMAGE_LOG_STDERR);
	assert_int_equal(policy->log_format, IMAGE_LOG_LOGFMT);
	assert_int_equal(policy->log_addresses, IMAGE_ADDRESSES_FULL);
	assert_int_equal(policy->log_limit.tokens, 200);
	assert_int_equal(policy->log_limit.period_ms, 1000);
	assert_int_equal(policy->log_limit.burst, 1000);
	assert_int_equal(policy->log_facility.text.length, 0);
	assert_int_equal(policy->listen_count, 1);
	assert_int_equal(policy->listens[0].addr.family, ADDR_V4);
	assert_int_equal(policy->listens[0].addr.port, 1);
	assert_int_equal(policy->listens[0].place.line, 2);
	parsed_finish(&parsed);
}

static void
globals_as_written(void **state)
{
	struct parsed parsed = parse_good(
	    "policy 1\n"
	    "listen 2001:db8::1 port 10001\n"
	    "listen ::\n"
	    "parser {\n\tgroup 7\n\tuser mux\n\ttimeout 1500ms\n"
	    "\tworkers 4\n\trecycle 5 2h\n\troom reduced\n\tprogram /p\n}\n"
	    "admission {\n\tpending 2\n\tsessions 1000000\n"
	    "\tper-source 4\n\tpending-per-source 3\n}\n"
	    "log {\n\tto syslog local3\n\tformat json\n"
	    "\taddresses masked\n\tlimit off\n}\n");
	const struct policy *policy = &parsed.policy;

	(void)state;
	assert_int_equal(policy->listens[0].addr.port, 10001);
	assert_int_equal(policy->listens[1].addr.family, ADDR_V6);
	assert_text(policy->parser_user.text, "mux");
	assert_text(policy->parser_group.text, "7");
	assert_int_equal(policy->parser_timeout_ms, 1500);
	assert_int_equal(policy->parser_workers, 4);
	assert_int_equal(policy->recycle_verdicts, 5);
	assert_int_equal(policy->recycle_age_s, 7200);
	assert_int_equal(policy->room, IMAGE_ROOM_REDUCED);
	assert_text(policy->parser_program.text, "/p");
	assert_int_equal(policy->sessions, 1000000);
	assert_int_equal(policy->pending, 2);
	assert_int_equal(policy->pending_per_source, 3);
	assert_int_equal(policy->per_source, 4);
	assert_int_equal(policy->log_sink, IMAGE_LOG_SYSLOG);
	assert_text(policy->log_facility.text, "local3");
	assert_int_equal(policy->log_format, IMAGE_LOG_JSON);
	assert_int_equal(policy->log_addresses, IMAGE_ADDRESSES_MASKED);
	assert_int_equal(policy->log_limit.tokens, 0);
	assert_int_equal(policy->log_limit.burst, 0);
	parsed_finish(&parsed);
}

static void
service_by_default(void **state)
{
	struct parsed parsed = parse_good(MINIMAL "}\n");
	const struct policy_service *service = parsed.policy.services;

	(void)state;
	assert_int_equal(parsed.policy.service_count, 1);
	assert_text(service->name.text, "s");
	assert_int_equal(service->place.file, 0);
	assert_int_equal(service->place.line, 6);
	assert_int_equal(service->name.place.column, 9);
	assert_words(&parsed.policy, service->exec,
	    (const char *const[]){ "/bin/cat", NULL });
	assert_false(service->is_disabled || service->is_unlisted ||
	    service->is_self || service->is_unsafe || service->has_umask);
	assert_int_equal(service->umask, 077);
	assert_int_equal(service->groups_kind, POLICY_GROUPS_NONE);
	assert_int_equal(service->reply, IMAGE_REPLY_MUX);
	assert_int_equal(service->reply_text.length, 0);
	assert_int_equal(service->summary.length, 0);
	assert_int_equal(service->chdir.text.length, 0);
	assert_int_equal(service->chroot.text.length, 0);
	assert_false(service->has_nice);
	assert_int_equal(service->isolate, 0);
	assert_int_equal(service->limits.set, 1u << IMAGE_RLIMIT_CORE);
	assert_int_equal(service->limits.values[IMAGE_RLIMIT_CORE], 0);
	assert_int_equal(service->stderr_to, IMAGE_STDERR_LOG);
	assert_int_equal(service->leftovers, IMAGE_LEFTOVERS_KILL);
	assert_int_equal(service->logged, IMAGE_LOGGED_ALL);
	assert_int_equal(service->syscalls, IMAGE_SYSCALLS_DEFAULT);
	assert_int_equal(service->network, IMAGE_NETWORK_ANY);
	assert_false(service->is_network_if_available);
	assert_int_equal(service->sessions, 64);
	assert_int_equal(service->per_source, 0);
	assert_int_equal(service->keepalive_s, 600);
	assert_int_equal(service->lifetime_s + service->idle_s, 0);
	assert_int_equal(service->env.count + service->aliases.count +
		service->capabilities.count + service->groups.count,
	    0);
	assert_false(service->has_all_capabilities ||
	    service->has_new_privileges || service->has_filesystem);
	parsed_finish(&parsed);
}

static void
assert_grant(const struct policy *policy, struct span grants, uint32_t index,
    enum image_access access, const char *path, bool is_optional)
{
	const struct policy_grant *grant =
	    &policy->grants[grants.first + index];

	assert_true(index < grants.count);
	assert_int_equal(grant->access, access);
	assert_text(grant->path.text, path);
	assert_int_equal(grant->is_optional, is_optional);
}

/* The first line of a service's own replaces what defaults say. */
static void
filesystem_is_a_list(void **state)
{
	struct parsed parsed = parse_good(
	    "policy 1\nlisten *\nadmission {\n\tallow any\n}\n"
	    "defaults {\n\tuser 1000\n\tallow any\n\tfilesystem read /d\n}\n"
	    "service a {\n\texec /a\n"
	    "\tfilesystem exec /x \"/y z\" if-available\n"
	    "\tfilesystem write /x\n}\n"
	    "service b {\n\texec /b\n}\n"
	    "service c {\n\texec /c\n\tfilesystem any\n}\n");
	const struct policy *policy = &parsed.policy;
	const struct policy_service *services = policy->services;

	(void)state;
	assert_true(services[0].has_filesystem && services[1].has_filesystem);
	assert_int_equal(services[0].grants.count, 3);
	assert_grant(
	    policy, services[0].grants, 0, IMAGE_ACCESS_EXEC, "/x", true);
	assert_grant(
	    policy, services[0].grants, 1, IMAGE_ACCESS_EXEC, "/y z", true);
	assert_grant(
	    policy, services[0].grants, 2, IMAGE_ACCESS_WRITE, "/x", false);
	assert_int_equal(services[1].grants.count, 1);
	assert_grant(
	    policy, services[1].grants, 0, IMAGE_ACCESS_READ, "/d", false);
	assert_false(services[2].has_filesystem);
	assert_int_equal(services[2].grants.count, 0);
	parsed_finish(&parsed);
}

/* A limit that the service names is its own, the others are the defaults'. */
static void
limits(void **state)
{
	struct parsed parsed = parse_good(
	    HEAD "defaults {\n\tuser 7\n\tallow any\n\tlimit cpu 2m\n"
		 "\tlimit open-files 8\n\tlimit core 1T\n\tnice -20\n"
		 "\tisolate uts ipc\n\tlimit memory 1M\n"
		 "\tlimit processes 4194304 if-available\n}\n"
		 "service a {\n\texec /bin/cat\n\tlimit cpu 90s\n"
		 "\tlimit processes any\n\tlimit memory 3T if-available\n"
		 "\tlimit user-processes 0\n\tlimit address-space 1024T\n"
		 "\tlimit file-size 0K\n\tlimit stack 256K\n"
		 "\tchroot /srv\n\tisolate pid\n\tisolate uts\n}\n"
		 "service b {\n\texec /bin/cat\n\tnice 19\n}\n");
	const struct policy_service *a = &parsed.policy.services[0];
	const struct policy_service *b = &parsed.policy.services[1];
	static const uint64_t wanted[POLICY_LIMITS] = {
		[IMAGE_RLIMIT_ADDRESS_SPACE] = UINT64_C(1) << 50,
		[IMAGE_RLIMIT_OPEN_FILES] = 8,
		[IMAGE_RLIMIT_CPU] = 90,
		[IMAGE_RLIMIT_CORE] = UINT64_C(1) << 40,
		[IMAGE_RLIMIT_STACK] = 262144,
		[POLICY_LIMIT_MEMORY] = UINT64_C(3) << 40,
	};
	const uint16_t memory = 1u << POLICY_LIMIT_MEMORY;
	const uint16_t processes = 1u << POLICY_LIMIT_PROCESSES;

	(void)state;
	assert_int_equal(a->limits.set, (1u << IMAGE_RLIMITS) - 1 + memory);
	assert_int_equal(a->limits.if_available, memory);
	for (uint32_t i = 0; i < POLICY_LIMIT_PROCESSES; i++)
		assert_int_equal(a->limits.values[i], wanted[i]);
	assert_text(a->chroot.text, "/srv");
	assert_true(a->has_nice && b->has_nice);
	assert_int_equal(a->nice, -20);
	assert_int_equal(b->nice, 19);
	assert_int_equal(a->isolate,
	    IMAGE_ISOLATE_PID | IMAGE_ISOLATE_MOUNT | IMAGE_ISOLATE_UTS);
	assert_int_equal(b->isolate, IMAGE_ISOLATE_IPC | IMAGE_ISOLATE_UTS);
	assert_int_equal(b->limits.set,
	    1u << IMAGE_RLIMIT_CPU | 1u << IMAGE_RLIMIT_OPEN_FILES |
		1u << IMAGE_RLIMIT_CORE | memory | processes);
	assert_int_equal(b->limits.if_available, processes);
	assert_int_equal(b->limits.values[IMAGE_RLIMIT_CPU], 120);
	assert_int_equal(b->limits.values[POLICY_LIMIT_MEMORY], 1048576);
	assert_int_equal(b->limits.values[POLICY_LIMIT_PROCESSES], 4194304);
	parsed_finish(&parsed);
}

static void
service_as_written(void **state)
{
	struct parsed parsed = parse_good(HEAD
	    "service \"a{b\" disabled {\n"
	    "\tlifetime 2h\n\tidle 30d\n"
	    "\tkeepalive off\n\tleftovers keep\n\tnew-privileges\n\tlog none\n"
	    "\tsyscalls any\n\tnetwork none if-available\n"
	    "\tcapabilities CAP_KILL cap_chown net_raw\n"
	    "\tper-source 3\n\tsessions 9\n\tstderr socket\n"
	    "\tenv \"A=b \\\"c\\\"\" B=\n\tumask 0027\n\tchdir /x\n"
	    "\treply mux \"hi there\"\n\tgroups 5 g\n\tgroup g\n\tunlisted\n"
	    "\tsummary 'it \"is\"'\n\talias Q!\n\targv0 -zero\n"
	    "\texec /bin/echo 'two words' \"\"\n\tuser root unsafe\n"
	    "\tdeny 192.0.2.1\n\tallow any\n}\n");
	const struct policy *policy = &parsed.policy;
	const struct policy_service *service = policy->services;

	(void)state;
	assert_text(service->name.text, "a{b");
	assert_true(service->is_disabled && service->is_unlisted &&
	    service->is_unsafe && service->has_umask &&
	    service->has_new_privileges);
	assert_int_equal(service->keepalive_s, 0);
	assert_int_equal(service->lifetime_s, 7200);
	assert_int_equal(service->idle_s, 2592000);
	assert_int_equal(service->leftovers, IMAGE_LEFTOVERS_KEEP);
	assert_int_equal(service->logged, IMAGE_LOGGED_NONE);
	assert_int_equal(service->syscalls, IMAGE_SYSCALLS_ANY);
	assert_int_equal(service->network, IMAGE_NETWORK_NONE);
	assert_true(service->is_network_if_available);
	assert_int_equal(service->per_source, 3);
	assert_int_equal(service->sessions, 9);
	assert_int_equal(service->stderr_to, IMAGE_STDERR_SOCKET);
	assert_int_equal(service->umask, 027);
	assert_text(service->chdir.text, "/x");
	assert_text(service->reply_text, "hi there");
	assert_text(service->summary, "it \"is\"");
	assert_text(service->argv0.text, "-zero");
	assert_text(service->group.text, "g");
	assert_text(service->user.text, "root");
	assert_int_equal(service->groups_kind, POLICY_GROUPS_NAMED);
	assert_words(policy, service->exec,
	    (const char *const[]){ "/bin/echo", "two words", "", NULL });
	assert_words(policy, service->env,
	    (const char *const[]){ "A=b \"c\"", "B=", NULL });
	assert_words(
	    policy, service->groups, (const char *const[]){ "5", "g", NULL });
	assert_words(
	    policy, service->aliases, (const char *const[]){ "q!", NULL });
	assert_words(policy, service->capabilities,
	    (const char *const[]){ "kill", "chown", "net_raw", NULL });
	assert_int_equal(service->rules.count, 2);
	assert_false(policy->rules[service->rules.first].is_allow);
	parsed_finish(&parsed);
}

static void
inherits_from_defaults(void **state)
{
	struct parsed parsed = parse_good(
	    HEAD "service early {\n\tallow any\n\tuser 1\n\texec /a\n}\n"
		 "defaults {\n\tallow 192.0.2.1\n\tuser self\n\tenv A=1 B=2\n"
		 "\tcapabilities all\n\tgroups user\n\treply mux hello\n"
		 "\tsessions 5\n\tunlisted\n}\n"
		 "service plain {\n\texec /b\n}\n"
		 "service own {\n\texec /c\n\tdeny 192.0.2.2\n\tallow any\n"
		 "\tuser 2\n\tenv B=3\n\tcapabilities kill\n\tgroups g\n"
		 "\treply service\n\tsessions 6\n}\n");
	const struct policy *policy = &parsed.policy;
	const struct policy_service *early = &policy->services[0];
	const struct policy_service *plain = &policy->services[1];
	const struct policy_service *own = &policy->services[2];

	(void)state;
	assert_int_equal(early->sessions, 64);
	assert_false(early->is_unlisted || early->has_all_capabilities);
	assert_true(plain->is_self && plain->has_all_capabilities &&
	    plain->is_unlisted);
	assert_int_equal(plain->rules.count, 1);
	assert_int_equal(plain->groups_kind, POLICY_GROUPS_USER);
	assert_int_equal(plain->sessions, 5);
	assert_text(plain->reply_text, "hello");
	assert_words(
	    policy, plain->env, (const char *const[]){ "A=1", "B=2", NULL });
	assert_false(own->is_self || own->has_all_capabilities);
	assert_int_equal(own->rules.count, 2);
	assert_int_equal(own->groups_kind, POLICY_GROUPS_NAMED);
	assert_int_equal(own->sessions, 6);
	assert_int_equal(own->reply, IMAGE_REPLY_SERVICE);
	assert_int_equal(own->reply_text.length, 0);
	assert_words(policy, own->env, (const char *const[]){ "B=3", NULL });
	assert_true((plain->given & ~own->given) == 0);
	assert_true(early->given != 0 && early->given != own->given);
	parsed_finish(&parsed);
}

/* Lists that grow in turns stay whole. */
static void
lists_add_up(void **state)
{
	struct parsed parsed = parse_good(MINIMAL
	    "\tenv A=1\n\talias a\n\tenv B=2\n\talias b\n\tenv C=3 D=4\n"
	    "\tcapabilities kill\n\talias C\n\tallow 192.0.2.1\n\tenv E=5\n}\n");
	const struct policy *policy = &parsed.policy;

	(void)state;
	assert_words(policy, policy->services[0].env,
	    (const char *const[]){ "A=1", "B=2", "C=3", "D=4", "E=5", NULL });
	assert_words(policy, policy->services[0].aliases,
	    (const char *const[]){ "a", "b", "c", NULL });
	assert_int_equal(policy->services[0].rules.count, 2);
	parsed_finish(&parsed);
}

static void
nets_add_up(void **state)
{
	struct parsed parsed =
	    parse_good("policy 1\nlisten *\nadmission {\n\tallow @b @a\n}\n"
		       "net a 10.0.0.0/8\nnet b @a 192.0.2.0/24\n"
		       "net a ::1 2001:db8::/32\nnet b 192.0.3.0/24\n");
	const struct policy *policy = &parsed.policy;
	const struct policy_net *a = &policy->nets[0], *b = &policy->nets[1];
	const struct policy_rule *rules =
	    policy->rules + policy->admission.first;

	(void)state;
	assert_int_equal(policy->net_count, 2);
	assert_int_equal(policy->match_count, 6);
	assert_text(b->name.text, "b");
	assert_int_equal(a->members.count, 3);
	assert_int_equal(b->members.count, 3);
	assert_int_equal(policy->matches[a->members.first + 2].prefix.bits, 32);
	assert_int_equal(
	    policy->matches[b->members.first].kind, POLICY_MATCH_NET);
	assert_int_equal(policy->matches[b->members.first].net, 0);
	assert_int_equal(
	    policy->matches[b->members.first + 2].prefix.addr.bytes[2], 3);
	assert_int_equal(policy->admission.count, 2);
	assert_int_equal(rules[0].match.net, 1);
	assert_int_equal(rules[1].match.net, 0);
	assert_int_equal(rules[1].match.place.column, 11);
	parsed_finish(&parsed);
}

/* No name is compared with every other, no list copied at every line. */
static void
many_services(void **state)
{
	enum { SERVICES = 100000 };
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	(void)state;
	fputs(HEAD, stream);
	for (unsigned i = 0; i < SERVICES; i++)
		fprintf(stream,
		    "net n%u 10.0.0.0/8\nnet all 192.0.2.%u\n"
		    "service s%u {\n\talias A%u b%u\n"
		    "\tallow @n%u 192.0.2.0/24\n\tuser 1000\n"
		    "\texec /bin/cat -u\n}\n",
		    i, i % 256, i, i, i, i);
	assert_int_equal(fclose(stream), 0);

	struct parsed parsed = parse_text(text, length);
	const struct policy *policy = &parsed.policy;

	assert_int_equal(parsed.result, POLICY_OK);
	assert_int_equal(policy->service_count, SERVICES);
	assert_int_equal(policy->nets[1].members.count, SERVICES);
	assert_text(policy->services[SERVICES - 1].name.text, "s99999");
	assert_words(policy, policy->services[SERVICES - 1].aliases,
	    (const char *const[]){ "a99999", "b99999", NULL });
	parsed_finish(&parsed);
	free(text);
}

/* A mistake found late is still reported where it stands. */
static void
problems_in_order(void **state)
{
	static const char text[] =
	    HEAD "service a {\n\tallow @x\n\texec b\n}\nnonsense\n";
	struct parsed parsed = parse_text(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(parsed.result, POLICY_BAD);
	assert_string_equal(parsed.problems,
	    "6:9: service 'a' has no 'user': say whom it runs as\n"
	    "7:8: net 'x' is not declared\n"
	    "8:7: 'b' is not an absolute path: it has to begin with /\n"
	    "10:1: unknown directive 'nonsense'\n");
	parsed_finish(&parsed);
}

static void
note_too_large(
    void *context, struct place place, bool is_warning, const char *message)
{
	unsigned *problems = context;

	assert_false(is_warning);
	assert_int_equal(place.line, 1);
	assert_string_equal(message, "a policy of more than 268435456 bytes");
	(*problems)++;
}

/* Refused by its size alone, all its files together, and unread. */
static void
too_large(void **state)
{
	const struct policy_text texts[] = { { .text = { "policy 1\n", 9 } },
		{ .text = { "policy 1\n", (size_t)1 << 27 } },
		{ .text = { "policy 1\n", ((size_t)1 << 27) - 8 } } };
	static _Alignas(16) uint8_t bytes[32768];
	struct arena arena = { .base = bytes, .size = sizeof(bytes) };
	unsigned problems = 0;
	struct policy_report report = { note_too_large, &problems };
	struct policy policy;

	(void)state;
	assert_int_equal(
	    policy_parse(&policy, texts, 3, &arena, &report), POLICY_BAD);
	assert_int_equal(problems, 1);
}

/* What is included stands where its line stands. */
static void
includes(void **state)
{
	static const char good[] =
	    HEAD "service a {\n\tallow @x\n\tuser 1\n\texec /a\n}\n"
		 "defaults {\n\tuser 7\n}\n"
		 "include /d\n"
		 "include \"\\/e\"\n"
		 "net late @x\n"
		 "service z {\n\tallow @late\n\texec /z\n}\n"
		 "#=== /d/1\n"
		 "net x 10.0.0.0/8\nnet unused ::1\n"
		 "#=== /d/2\n"
		 "net x file /f\nservice b {\n\tallow @x\n\texec /b\n}\n"
		 "#=== /d/3\n"
		 "#=== /e\n"
		 "# nothing\nservice c {\n\tallow any\n\texec /c\n}\n";
	static const char *const users[] = { "1", "7", "7", "7" };
	static const uint32_t files[] = { 0, 2, 4, 0 };
	struct parsed parsed = parse_good(good);
	const struct policy *policy = &parsed.policy;
	const struct policy_match *matches = policy->matches;

	(void)state;
	assert_int_equal(policy->service_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_text(policy->services[i].user.text, users[i]);
		assert_int_equal(policy->services[i].place.file, files[i]);
	}
	assert_string_equal(parsed.problems, "");
	assert_int_equal(policy->net_count, 3);
	assert_int_equal(policy->nets[0].members.count, 2);
	assert_int_equal(matches[0].kind, POLICY_MATCH_PREFIX);
	assert_int_equal(matches[1].kind, POLICY_MATCH_FILE);
	assert_int_equal(matches[1].place.file, 2);
	assert_text(policy->words[matches[1].path].text, "/f");
	parsed_finish(&parsed);
}

/* Of a file that could not be read nobody knows what it declares. */
static void
unread_include(void **state)
{
	static const char main_text[] =
	    HEAD "net unused ::1\n"
		 "include /d\nnet b @there\n"
		 "service a {\n\tallow @b\n\tallow @too\n\tuser 1\n"
		 "\texec /a\n}\n";
	const struct policy_text texts[] = {
		{ .text = { main_text, sizeof(main_text) - 1 } },
		{ .include = { .line = 7, .column = 9 } }
	};
	static _Alignas(16) uint8_t bytes[65536];
	struct arena arena = { .base = bytes, .size = sizeof(bytes) };
	struct policy_report report = { NULL, NULL };
	struct policy policy;

	(void)state;
	assert_int_equal(
	    policy_parse(&policy, texts, 2, &arena, &report), POLICY_OK);
	assert_int_equal(policy.service_count, 1);
}

static void
a_builtin_inherits_no_rights(void **state)
{
	struct parsed parsed = parse_good(
	    HEAD "defaults {\n\tallow any\n\tuser 1000\n\tenv A=b\n"
		 "\tcapabilities all\n\tnew-privileges\n\tsyscalls any\n"
		 "\tumask 027\n}\n"
		 "service a {\n\tbuiltin echo\n}\n"
		 "service b {\n\texec /bin/cat\n}\n");
	const struct policy_service *services = parsed.policy.services;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct policy_service *service = &services[i];
		bool is_foreign = i == 1;

		assert_int_equal(service->umask, 027);
		assert_int_equal(service->env.count, is_foreign);
		assert_int_equal(service->has_all_capabilities, is_foreign);
		assert_int_equal(service->has_new_privileges, is_foreign);
		assert_int_equal(service->syscalls,
		    is_foreign ? IMAGE_SYSCALLS_ANY : IMAGE_SYSCALLS_DEFAULT);
	}
	assert_text(services[0].builtin.text, "echo");
	parsed_finish(&parsed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globals_by_default),
		cmocka_unit_test(globals_as_written),
		cmocka_unit_test(service_by_default),
		cmocka_unit_test(service_as_written),
		cmocka_unit_test(limits),
		cmocka_unit_test(filesystem_is_a_list),
		cmocka_unit_test(inherits_from_defaults),
		cmocka_unit_test(a_builtin_inherits_no_rights),
		cmocka_unit_test(lists_add_up),
		cmocka_unit_test(nets_add_up),
		cmocka_unit_test(many_services),
		cmocka_unit_test(problems_in_order),
		cmocka_unit_test(too_large),
		cmocka_unit_test(includes),
		cmocka_unit_test(unread_include),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

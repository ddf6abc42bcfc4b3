/*
 * From policy to image: what was written is in it, looked up and sorted. Root
 * and others load different things.
 */
#include "core/acl.h"
#include "loading.h"

static const char *
text_of(struct image_text text)
{
	return image_text(&result.image, text);
}

static const char *
word_at(struct image_range range, uint32_t index)
{
	return text_of(image_word(&result.image, range.first + index));
}

static void
expect_words(struct image_range range, const char *const words[])
{
	for (uint32_t i = 0; i < range.count; i++) {
		assert_non_null(words[i]);
		assert_string_equal(word_at(range, i), words[i]);
	}
	assert_null(words[range.count]);
}

static void
test_everything(void **state)
{
	static const char *const argv[] = { "-sh", "-c", "two words", "",
		NULL };
	static const char *const env[] = {
		("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		 "/sbin:/bin"),
		"PROTO=TCP", "TCPMUX_SERVICE=zz", "HOME=/srv", "USER=someone",
		"LOGNAME=", "A=b=c", NULL
	};
	static const struct {
		const char *name;
		uint32_t service;
	} entries[] = { { "9418", 0 }, { "aa", 0 }, { "y/2", 1 }, { "zz", 1 } };
	const struct image_service *service;

	(void)state;
	load_text_of("net n 10.0.0.0/8 2001:db8::/32\n"
		     "defaults {\n\t%1$s\n}\n"
		     "service ZZ {\n"
		     "\texec /bin/sh -c \"two words\" ''\n\targv0 -sh\n"
		     "\tchdir /tmp\n\tumask 027\n\tdeny 10.0.0.1\n"
		     "\tallow @n 192.0.2.1\n\talias Y/2\n"
		     "\tenv HOME=/srv USER=someone LOGNAME=\n\tenv A=b=c\n"
		     "\treply mux \"Go on\"\n\tsummary \"a shell\"\n"
		     "\tsessions 100\n\tstderr null\n\tleftovers keep\n"
		     "\tlimit cpu 1m\n\tlimit file-size 2K\n\tnice 19\n"
		     "\tlog failures\n"
		     "\tlifetime 90s\n\tidle 5m\n"
		     "\tkeepalive off\n\tunlisted\n}\n"
		     "service aa disabled {\n\texec /bin/cat\n\tallow any\n"
		     "\talias 9418\n\treply service\n\tsessions 3\n}\n");
	assert_true(result.is_loaded);
	assert_int_equal(image_count(&result.image, IMAGE_SERVICES), 2);
	service = image_service(&result.image, 1);
	assert_string_equal(text_of(service->name), "zz");
	assert_string_equal(text_of(service->place.file), "policy");
	assert_int_equal(service->place.line, PREFACE_LINES + 5);
	assert_string_equal(text_of(service->program), "/bin/sh");
	expect_words(service->argv, argv);
	expect_words(service->env, env);
	assert_string_equal(text_of(service->chdir), "/tmp");
	assert_string_equal(text_of(service->reply_text), "Go on");
	assert_string_equal(text_of(service->summary), "a shell");
	assert_int_equal(service->umask, 027);
	assert_int_equal(service->sessions, 100);
	assert_int_equal(service->per_source, 12);
	assert_int_equal(service->keepalive_s, 0);
	assert_int_equal(service->rlimits_set,
	    1u << IMAGE_RLIMIT_CPU | 1u << IMAGE_RLIMIT_FILE_SIZE |
		1u << IMAGE_RLIMIT_CORE);
	assert_int_equal(service->rlimits[IMAGE_RLIMIT_CPU], 60);
	assert_int_equal(service->rlimits[IMAGE_RLIMIT_FILE_SIZE], 2048);
	assert_int_equal(service->rlimits[IMAGE_RLIMIT_CORE], 0);
	assert_int_equal(service->has_nice, 1);
	assert_int_equal(service->nice, 19);
	assert_int_equal(service->chroot.length, 0);
	assert_int_equal(service->lifetime_s, 90);
	assert_int_equal(service->idle_s, 300);
	assert_int_equal(service->stderr_to, IMAGE_STDERR_NULL);
	assert_int_equal(service->leftovers, IMAGE_LEFTOVERS_KEEP);
	assert_int_equal(service->logged, IMAGE_LOGGED_FAILURES);
	assert_int_equal(service->reply, IMAGE_REPLY_MUX);
	assert_int_equal(
	    service->flags & ~IMAGE_SERVICE_SELF, IMAGE_SERVICE_UNLISTED);
	assert_int_equal(service->rules.count, 3);
	assert_int_equal(
	    image_rule(&result.image, service->rules.first + 1)->place.line,
	    PREFACE_LINES + 11);

	service = image_service(&result.image, 0);
	assert_string_equal(text_of(service->chdir), "/");
	assert_int_equal(service->per_source, 1);
	assert_int_equal(service->umask, 077);
	assert_int_equal(service->reply, IMAGE_REPLY_SERVICE);
	assert_int_equal(
	    service->flags & ~IMAGE_SERVICE_SELF, IMAGE_SERVICE_DISABLED);
	assert_int_equal(result.image.names.count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(names_find(&result.image.names,
				     (const uint8_t *)entries[i].name,
				     strlen(entries[i].name)),
		    i);
		assert_int_equal(
		    image_name_service(&result.image, i), entries[i].service);
	}
}

static void
test_global(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	const struct image_global *global;

	(void)state;
	write_file("policy",
	    "policy 1\nlisten ::1 port 10001\nlisten * port 10002\n"
	    "admission {\n\tdeny 192.0.2.0/24\n\tallow any\n\tsessions 5\n"
	    "\tpending 6\n\tpending-per-source 2\n\tper-source 3\n}\n"
	    "log {\n\tto syslog local3\n\tformat json\n"
	    "\taddresses none\n\tlimit 3/min burst 7\n}\n"
	    "parser {\n\tuser 65534\n\tgroup 7\n\ttimeout 2s\n\tworkers 2\n"
	    "\trecycle 100 30s\n\troom reduced\n}\n",
	    0644);
	run(&options);
	expect_loaded("");
	global = image_global(&result.image);
	assert_int_equal(image_count(&result.image, IMAGE_LISTENS), 2);
	assert_int_equal(image_listen(&result.image, 0)->addr.family, ADDR_V6);
	assert_int_equal(image_listen(&result.image, 1)->addr.port, 10002);
	assert_int_equal(image_listen(&result.image, 1)->place.line, 3);
	assert_int_equal(global->admission.count, 2);
	assert_int_equal(global->sessions, 5);
	assert_int_equal(global->pending, 6);
	assert_int_equal(global->pending_per_source, 2);
	assert_int_equal(global->per_source, 3);
	assert_int_equal(global->log_sink, IMAGE_LOG_SYSLOG);
	assert_int_equal(global->log_format, IMAGE_LOG_JSON);
	assert_int_equal(global->log_addresses, IMAGE_ADDRESSES_NONE);
	assert_int_equal(global->log_limit.tokens, 3);
	assert_int_equal(global->log_limit.period_ms, 60000);
	assert_int_equal(global->log_limit.burst, 7);
	assert_int_equal(global->syslog_facility, LOG_LOCAL3);
	assert_int_equal(global->parser_timeout_ms, 2000);
	assert_int_equal(global->parser_workers, 2);
	assert_int_equal(global->recycle_verdicts, 100);
	assert_int_equal(global->recycle_age_s, 30);
	assert_int_equal(global->room, IMAGE_ROOM_REDUCED);
	assert_int_equal(global->parser_uid, is_superuser ? 65534 : geteuid());
	assert_int_equal(global->parser_gid, is_superuser ? 7 : getegid());
}

/* Rates, penalties and a trap, with what the image makes of them. */
static void
test_memory(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	const struct image_global *global;
	const struct image_service *service;
	struct addr addr;

	(void)state;
	write_file("policy",
	    "policy 1\nlisten * port 10001\n"
	    "parser {\n\tuser 65534\n\tgroup 7\n}\n"
	    "admission {\n\texempt 192.0.2.1\n\tallow any\n"
	    "\texempt @late\n\tcount-by /24 /48\n\trate 5/h burst 6\n"
	    "\tsources 77\n\tpenalty trap 1h\n\tpenalty denied 0s\n"
	    "\tpenalty-threshold 20s\n\tpenalty-max 2h\n"
	    "\tdrop-in-kernel on\n}\n"
	    "net late 2001:db8::/32\n"
	    "service t {\n\tallow any\n\ttrap\n\trate 7/s burst 8\n"
	    "\tsource-rate 9/min burst 10\n}\n",
	    0644);
	run(&options);
	expect_loaded("");
	global = image_global(&result.image);
	assert_int_equal(global->admission.count, 1);
	assert_int_equal(global->exempt.count, 2);
	assert_int_equal(
	    image_rule(&result.image, global->admission.first)->kind,
	    IMAGE_RULE_ANY);
	assert_true(addr_parse(&addr, "192.0.2.1", 9));
	assert_true(
	    acl_decide(&result.image, global->exempt, &addr).is_allowed);
	assert_true(addr_parse(&addr, "192.0.2.2", 9));
	assert_false(
	    acl_decide(&result.image, global->exempt, &addr).is_allowed);
	assert_true(addr_parse(&addr, "2001:db8::2", 11));
	assert_true(
	    acl_decide(&result.image, global->exempt, &addr).is_allowed);
	assert_int_equal(global->count_by_v4, 24);
	assert_int_equal(global->count_by_v6, 48);
	assert_int_equal(global->rate.tokens, 5);
	assert_int_equal(global->rate.period_ms, 3600000);
	assert_int_equal(global->rate.burst, 6);
	assert_int_equal(global->sources, 77);
	assert_int_equal(global->penalties_ms[IMAGE_PENALTY_TRAP], 3600000);
	assert_int_equal(global->penalties_ms[IMAGE_PENALTY_DENIED], 0);
	assert_int_equal(global->penalties_ms[IMAGE_PENALTY_CRASH], 90000);
	assert_int_equal(global->penalty_threshold_ms, 20000);
	assert_int_equal(global->penalty_max_ms, 7200000);
	assert_int_equal(global->drops_in_kernel, 1);
	service = image_service(&result.image, 0);
	assert_int_equal(service->kind, IMAGE_KIND_TRAP);
	assert_int_equal(service->argv.count, 0);
	assert_int_equal(service->rate.period_ms, 1000);
	assert_int_equal(service->source_rate.period_ms, 60000);
	assert_int_equal(service->source_rate.burst, 10);
}

static void
test_ids(void **state)
{
	static const char *const account_env[] = { "HOME=/usr/sbin",
		"USER=daemon", "LOGNAME=daemon" };
	static const char *const number_env[] = { "HOME=/", "USER=65533",
		"LOGNAME=65533" };
	const struct image_service *service;

	(void)state;
	if (!is_superuser)
		skip();
	load_text_of(SERVICE("a", "\tuser daemon\n") SERVICE("b",
	    "\tuser 65533\n\tgroup daemon\n\tgroups 5 adm 5\n") SERVICE("c",
	    "\tuser 2\n\tgroup 3\n\tgroups user\n"
	    "\tcapabilities KILL cap_chown\n\tnew-privileges\n") SERVICE("d",
	    "\tuser root unsafe\n\tumask 022\n\tcapabilities all\n"));
	expect_loaded("");
	service = image_service(&result.image, 0);
	assert_int_equal(service->uid, 1);
	assert_int_equal(service->gid, 1);
	assert_int_equal(service->groups.count, 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(
		    word_at(service->env, i + 1), account_env[i]);
	service = image_service(&result.image, 1);
	assert_int_equal(service->uid, FOREIGNER);
	assert_int_equal(service->gid, 1);
	assert_int_equal(service->groups.count, 2);
	assert_int_equal(image_gids(&result.image, service->groups)[0], 4);
	assert_int_equal(image_gids(&result.image, service->groups)[1], 5);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(
		    word_at(service->env, i + 1), number_env[i]);
	service = image_service(&result.image, 2);
	assert_int_equal(service->uid, 2);
	assert_int_equal(service->gid, 3);
	/* As initgroups would: the group of the account is one of them. */
	assert_int_equal(service->groups.count, 1);
	assert_int_equal(image_gid(&result.image, service->groups.first), 2);
	assert_true(service->capabilities == (UINT64_C(1) << 5 | UINT64_C(1)));
	assert_int_equal(service->flags, IMAGE_SERVICE_NEW_PRIVILEGES);
	service = image_service(&result.image, 3);
	assert_int_equal(service->uid, 0);
	assert_int_equal(service->flags, IMAGE_SERVICE_CAPABILITIES_ALL);
	assert_true(service->capabilities == 0);
}

static void
test_self(void **state)
{
	const struct image_service *service;
	char user[32];

	(void)state;
	if (is_superuser)
		skip();
	load_text_of(SERVICE("a", "\tuser self\n"));
	expect_loaded("");
	service = image_service(&result.image, 0);
	assert_int_equal(service->uid, geteuid());
	assert_int_equal(service->gid, getegid());
	assert_int_equal(service->flags, IMAGE_SERVICE_SELF);
	snprintf(user, sizeof(user), "USER=%s",
	    getpwuid(geteuid()) != NULL ? getpwuid(geteuid())->pw_name : "");
	if (getpwuid(geteuid()) == NULL)
		snprintf(user, sizeof(user), "USER=%u", geteuid());
	assert_string_equal(word_at(service->env, 2), user);
}

static void
test_shared_uid(void **state)
{
	(void)state;
	if (!is_superuser)
		skip();
	load_text_of(
	    SERVICE("a", "\tuser daemon\n") SERVICE("b", "\tuser bin\n")
		SERVICE("c", "\tuser 1\n") SERVICE("d", "\tuser daemon\n"));
	expect_loaded("policy:23:7: warning: 3 services run as uid 1: what "
		      "belongs to one belongs to all of them\n");
}

static void
test_notes(void **state)
{
	const struct loader_options options = { .policy_path = "policy",
		.is_verbose = true };
	char text[512];
	int length = snprintf(text, sizeof(text), "%s", preface);

	(void)state;
	snprintf(text + length, sizeof(text) - (size_t)length,
	    SERVICE("ssh", "\t%s\n"), USER);
	write_file("policy", text, 0600);
	run(&options);
	expect_loaded("policy:10:9: note: 'ssh' is registered for what is "
		      "served on port 22: it should be the same here\n");
}

static void
test_many_services(void **state)
{
	enum { MANY = 5000 };
	const struct loader_options options = { .policy_path = "policy" };
	FILE *file = fopen("policy", "we");

	(void)state;
	fputs(preface, file);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(file,
		    "service s%04u {\n\tallow 10.0.%u.%u\n\t%s\n"
		    "\texec /bin/cat\n\talias a%u\n}\n",
		    i * 7 % MANY, i / 256, i % 256, USER, i);
	fclose(file);
	run(&options);
	assert_true(result.is_loaded);
	assert_int_equal(image_count(&result.image, IMAGE_SERVICES), MANY);
	assert_int_equal(result.image.names.count, 2 * MANY);
	for (unsigned i = 0; i < MANY; i++) {
		struct addr addr = { .family = ADDR_V4,
			.bytes = { 10, 0, (uint8_t)(i / 256), (uint8_t)i } };
		char name[8];
		int length = snprintf(name, sizeof(name), "a%u", i);
		int64_t found = names_find(
		    &result.image.names, (const uint8_t *)name, (size_t)length);
		const struct image_service *service;
		uint32_t set;

		assert_true(found >= 0);
		service = image_service(&result.image,
		    image_name_service(&result.image, (uint32_t)found));
		snprintf(name, sizeof(name), "s%04u", i * 7 % MANY);
		assert_string_equal(text_of(service->name), name);
		set = image_rule(&result.image, service->rules.first)->set;
		assert_true(image_set_has(&result.image, set, &addr));
		addr.bytes[3] ^= 1;
		assert_false(image_set_has(&result.image, set, &addr));
	}
}

/* What services share is worked out once, and what they do not is theirs. */
static void
test_hours_and_listeners(void **state)
{
	const struct image_service *a, *b, *c;

	(void)state;
	load_text_of(
	    "listen 127.0.0.1 port 10002 name x interface lo freebind\n"
	    "listen ::1 port 10002 backlog 9 name y lenient-lf\n"
	    "listen ::1 port 10003 name x\n"
	    "defaults {\n\t%1$s\n\tallow any\n\ton x\n"
	    "\thours sun 23:00-01:00\n}\n"
	    "service a {\n\texec /bin/cat\n}\n"
	    "service b {\n\texec /bin/cat\n\ton y\n\ton x\n"
	    "\thours mon 01:00-02:00\n\thours mon 02:00-03:00\n}\n"
	    "service c {\n\texec /bin/cat\n}\n");
	assert_true(result.is_loaded);
	assert_string_equal(text_of(image_listen(&result.image, 1)->name), "x");
	assert_string_equal(
	    text_of(image_listen(&result.image, 1)->interface), "lo");
	assert_int_equal(image_listen(&result.image, 0)->backlog, 4096);
	assert_int_equal(
	    image_listen(&result.image, 1)->flags, IMAGE_LISTEN_FREEBIND);
	assert_int_equal(image_listen(&result.image, 2)->backlog, 9);
	assert_int_equal(
	    image_listen(&result.image, 2)->flags, IMAGE_LISTEN_LENIENT_LF);
	a = image_service(&result.image, 0);
	b = image_service(&result.image, 1);
	c = image_service(&result.image, 2);
	assert_int_equal(a->on.bits[0], 1u << 1 | 1u << 3);
	assert_int_equal(b->on.bits[0], 1u << 1 | 1u << 2 | 1u << 3);
	assert_memory_equal(&c->on, &a->on, sizeof(a->on));
	assert_int_equal(a->hours.count, 2);
	assert_int_equal(b->hours.count, 1);
	assert_memory_equal(&c->hours, &a->hours, sizeof(a->hours));
	assert_int_equal(image_hours(&result.image, a->hours.first)->end, 60);
	assert_int_equal(image_hours(&result.image, b->hours.first)->end, 180);
	assert_int_equal(c->hours_place.line, a->hours_place.line);
	assert_int_equal(b->hours_place.line, a->hours_place.line + 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hours_and_listeners),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_global),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_shared_uid),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_many_services),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}

/*
 * The programs that libseccomp makes of the tables, run by a small machine
 * for classic BPF and compared with the tables themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "loader/profile.h"
#include "sys/memfd.h"
#include "stdio_calls.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_I386
#define X32_BIT 0x40000000
#else
#define ARCH AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_ARM
#endif

#define NUMBERS 1024
#define CASES 300 /* a number */

struct program {
	struct sock_filter instructions[BPF_MAXINSNS];
	size_t count;
};

static const struct filter_table *const tables[] = {
	&profile_offline,
	&profile_default,
	&profile_stdio,
};

static void
make(struct program *program, const struct filter_table *table)
{
	int fd = memfd_open("test");
	ssize_t length;

	assert_int_equal(filter_export(table, fd), 0);
	length =
	    pread(fd, program->instructions, sizeof(program->instructions), 0);
	assert_true(length > 0);
	close(fd);
	program->count = (size_t)length / sizeof(struct sock_filter);
	/* It is in every policy's image, and in every process's kernel. */
	assert_true(program->count < 1000);
}

/* What libseccomp uses of the machine. */
static uint32_t
run(const struct program *program, const struct seccomp_data *call)
{
	uint32_t a = 0;

	for (size_t at = 0; at < program->count; at++) {
		const struct sock_filter *i = &program->instructions[at];
		bool holds = false;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)call + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			at += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			holds = a == i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			holds = a >= i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			holds = a > i->k;
			break;
		default:
			fail_msg("instruction %#x", i->code);
		}
		at += holds ? i->jt : i->jf;
	}
	fail_msg("it does not end");
	return 0;
}

static bool
has_pin(const struct filter_pin *pin, const struct seccomp_data *call)
{
	uint64_t argument = call->args[pin->argument];

	switch (pin->comparison) {
	case FILTER_EQUAL:
		return (argument & pin->mask) == pin->value;
	case FILTER_UNEQUAL:
		return argument != pin->value;
	case FILTER_AT_LEAST:
		return argument >= pin->value;
	}
	return false;
}

static uint32_t
expected(const struct filter_table *table, const struct seccomp_data *call)
{
	static const uint32_t actions[] = {
		[FILTER_ALLOW] = SECCOMP_RET_ALLOW,
		[FILTER_REFUSE] = SECCOMP_RET_ERRNO | EPERM,
		[FILTER_NO_FAMILY] = SECCOMP_RET_ERRNO | EAFNOSUPPORT,
		[FILTER_KILL] = SECCOMP_RET_KILL_PROCESS,
	};

	for (size_t i = 0; i < table->count; i++) {
		const struct filter_row *row = &table->rows[i];
		const struct filter_pin *pin = row->pins;

		if (row->number != call->nr)
			continue;
		while (pin->mask != 0 && has_pin(pin, call))
			pin++;
		if (pin->mask == 0)
			return actions[row->answer];
	}
	return actions[table->otherwise];
}

/* Small, one of the tables' values, that and something, or anything. */
static uint64_t
draw(const struct filter_table *table)
{
	const struct filter_row *row =
	    &table->rows[(size_t)random() % table->count];
	uint64_t value = row->pins[0].value;
	uint64_t noise = (uint64_t)random() << 33 ^ (uint64_t)random();

	switch (random() % 6) {
	case 0:
		return (uint64_t)random() % 64;
	case 1:
		return value;
	case 2:
		return value | UINT64_C(1) << random() % 64;
	case 3:
		return value | noise << 32;
	case 4:
		return 0;
	default:
		return noise;
	}
}

static void
programs_do_what_the_tables_say(void **state)
{
	static struct program program;

	(void)state;
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		make(&program, tables[t]);
		for (int n = 0; n < NUMBERS * CASES; n++) {
			struct seccomp_data call = { .nr = n / CASES,
				.arch = ARCH };

			for (int i = 0; i < 6; i++)
				call.args[i] = draw(tables[t]);
			if (run(&program, &call) != expected(tables[t], &call))
				fail_msg("table %zu, call %d(%#llx, %#llx...)",
				    t, call.nr,
				    (unsigned long long)call.args[0],
				    (unsigned long long)call.args[1]);
		}
	}
}

static void
foreign_abis_kill(void **state)
{
	static struct program program;

	(void)state;
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		make(&program, tables[t]);
		for (int n = 0; n < NUMBERS; n++) {
			struct seccomp_data call = { .nr = n, .arch = FOREIGN };

			assert_int_equal(
			    run(&program, &call), SECCOMP_RET_KILL_PROCESS);
#ifdef X32_BIT
			call.nr |= X32_BIT;
			call.arch = ARCH;
			assert_int_equal(
			    run(&program, &call), SECCOMP_RET_KILL_PROCESS);
#endif
		}
	}
}

static bool
is_stdio_call(int number)
{
	for (size_t i = 0; i < sizeof(stdio_calls) / sizeof(int); i++)
		if (stdio_calls[i] == number)
			return true;
	return false;
}

static bool
allows(const struct program *program, int number, const uint64_t args[6])
{
	struct seccomp_data call = { .nr = number, .arch = ARCH };

	memcpy(call.args, args, sizeof(call.args));
	return run(program, &call) == SECCOMP_RET_ALLOW;
}

static void
stdio_allows_this_and_nothing_else(void **state)
{
	static const uint64_t none[6] = { 0 };
	uint64_t every[6];
	static struct program program;
	const size_t asks = sizeof(stdio_asks) / sizeof(stdio_asks[0]);

	(void)state;
	memset(every, 0xff, sizeof(every));
	make(&program, &profile_stdio);
	for (int number = 0; number < NUMBERS; number++) {
		bool is_asked = false;

		for (size_t i = 0; i < asks; i++)
			is_asked |= stdio_asks[i].number == number;
		if (allows(&program, number, every) != is_stdio_call(number))
			fail_msg("call %d, asked anything", number);
		if (!is_asked &&
		    allows(&program, number, none) != is_stdio_call(number))
			fail_msg("call %d, asked nothing", number);
	}
	for (size_t i = 0; i < asks; i++)
		if (!allows(&program, stdio_asks[i].number, stdio_asks[i].args))
			fail_msg("call %d, row %zu", stdio_asks[i].number, i);
}

static void
every_row_has_a_reason(void **state)
{
	(void)state;
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct filter_row *row = &tables[t]->rows[i];

			assert_true(strlen(row->reason) > 2);
			assert_int_not_equal(row->answer, tables[t]->otherwise);
		}
}

/* As libseccomp takes one for that cannot kill a whole process. */
static void
a_kernel_that_cannot_kill_has_no_filters(void **state)
{
	static const struct filter_table killing = { .otherwise = FILTER_KILL };
	const unsigned api = seccomp_api_get();
	int fd = memfd_open("test");

	(void)state;
	assert_int_equal(filter_export(&killing, fd), 0);
	assert_int_equal(seccomp_api_set(2), 0);
	errno = 0;
	assert_int_equal(filter_export(&killing, fd), -1);
	assert_int_equal(errno, ENOSYS);
	/* Nor has a foreign ABI's call one that ends it: then there is none. */
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		errno = 0;
		assert_int_equal(filter_export(tables[t], fd), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(seccomp_api_set(api), 0);
	close(fd);
	assert_int_equal(filter_export(&killing, -1), -1);
	assert_int_equal(errno, EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_do_what_the_tables_say),
		cmocka_unit_test(foreign_abis_kill),
		cmocka_unit_test(stdio_allows_this_and_nothing_else),
		cmocka_unit_test(every_row_has_a_reason),
		cmocka_unit_test(a_kernel_that_cannot_kill_has_no_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A table of system calls, loaded as a seccomp filter by libseccomp.
 * Trusts the table.
 * Never lets pass what is not in it, of whatever ABI.
 */
#include "sys/filter.h"

#include <errno.h>
#include <seccomp.h>

#ifdef TCPMUXD_SANITIZE
const char filter_note[] = " (sanitizer build: system calls not filtered)";
#define IS_FILTERING 0
#else
const char filter_note[] = "";
#define IS_FILTERING 1
#endif

/* libseccomp tests calls of a higher priority first. */
#define PRIORITY_FIRST 255

static uint32_t
action_of(enum filter_answer answer)
{
	switch (answer) {
	case FILTER_ALLOW:
		return SCMP_ACT_ALLOW;
	case FILTER_REFUSE:
		return SCMP_ACT_ERRNO(EPERM);
	case FILTER_NO_FAMILY:
		return SCMP_ACT_ERRNO(EAFNOSUPPORT);
	case FILTER_KILL:
		break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static struct scmp_arg_cmp
comparison_of(const struct filter_pin *pin)
{
	struct scmp_arg_cmp comparison = { .arg = pin->argument,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = pin->mask,
		.datum_b = pin->value };

	if (pin->comparison == FILTER_EQUAL)
		return comparison;
	comparison.op =
	    pin->comparison == FILTER_UNEQUAL ? SCMP_CMP_NE : SCMP_CMP_GE;
	comparison.datum_a = pin->value;
	comparison.datum_b = 0;
	return comparison;
}

static int
add_row(scmp_filter_ctx filter, const struct filter_row *row)
{
	struct scmp_arg_cmp pins[FILTER_PINS_MAX];
	unsigned count = 0;

	for (; row->pins[count].mask != 0; count++)
		pins[count] = comparison_of(&row->pins[count]);
	return seccomp_rule_add_exact_array(
	    filter, action_of(row->answer), row->number, count, pins);
}

/* The table as libseccomp has it; NULL with errno. */
static scmp_filter_ctx
make(const struct filter_table *table)
{
	scmp_filter_ctx filter = seccomp_init(action_of(table->otherwise));
	int error;

	/* It has looked whether this kernel can kill a whole process. */
	if (filter == NULL) {
		errno = ENOSYS;
		return NULL;
	}
	/* libseccomp's own choice for a foreign ABI kills but the thread. */
	error = seccomp_attr_set(
	    filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* Set and verified by the caller, as a step with a name. */
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	/* Errors of the kernel's own instead of one for all. */
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	for (size_t i = 0; i < table->count && error == 0; i++)
		error = add_row(filter, &table->rows[i]);
	if (error == 0)
		return filter;
	seccomp_release(filter);
	errno = -error;
	return NULL;
}

/* For tables that are short: the first row is tested first. */
static int
put_in_order(scmp_filter_ctx filter, const struct filter_table *table)
{
	int error = 0;

	for (size_t i = 0; i < table->count && error == 0; i++)
		error = seccomp_syscall_priority(filter, table->rows[i].number,
		    (uint8_t)(PRIORITY_FIRST - i));
	return error;
}

int
filter_load(const struct filter_table *table)
{
	scmp_filter_ctx filter = make(table);
	int error;

	if (filter == NULL)
		return -1;
	error = put_in_order(filter, table);
	if (error == 0 && IS_FILTERING)
		error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error == 0 ? 0 : -1;
}

int
filter_export(const struct filter_table *table, int fd)
{
	scmp_filter_ctx filter = make(table);
	int error;

	if (filter == NULL)
		return -1;
	/* 2: a binary tree of numbers, not one after the other. */
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (error == 0)
		error = seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	errno = -error;
	return error == 0 ? 0 : -1;
}

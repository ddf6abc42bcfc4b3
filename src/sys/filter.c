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

static int
add_row(scmp_filter_ctx filter, const struct filter_row *row, size_t index)
{
	struct scmp_arg_cmp pins[FILTER_PINS_MAX];
	unsigned count = 0;
	int error;

	for (; row->pins[count].mask != 0; count++)
		pins[count] = (struct scmp_arg_cmp){
			.arg = row->pins[count].argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = row->pins[count].mask,
			.datum_b = row->pins[count].value,
		};
	error = seccomp_rule_add_exact_array(
	    filter, SCMP_ACT_ALLOW, row->number, count, pins);
	if (error != 0)
		return error;
	return seccomp_syscall_priority(
	    filter, row->number, (uint8_t)(PRIORITY_FIRST - index));
}

int
filter_load(const struct filter_row rows[], size_t count)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int error;

	/* It has looked whether this kernel can kill a whole process. */
	if (filter == NULL) {
		errno = ENOSYS;
		return -1;
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
	for (size_t i = 0; i < count && error == 0; i++)
		error = add_row(filter, &rows[i], i);
	if (error == 0 && IS_FILTERING)
		error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error == 0 ? 0 : -1;
}

/*
 * liar: says what is not so, in a message that looks like an answer. Whom the
 * lie cannot be told of is answered honestly, in the same message.
 */
#include "lies.h"

int
main(void)
{
	static struct batch batch;

	evil_enter(&evil);
	evil_greet();
	for (;;) {
		evil_receive(&evil, &batch);
		if (evil_is_due(&evil, &batch) &&
		    !lies_tell(evil.how, batch.answers, batch.count))
			_exit(1);
		evil_answer(&batch);
	}
}

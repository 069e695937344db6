/* SPDX-License-Identifier: Apache-2.0 */
/* shell_word.h — a value as a shell takes it, for commands that messages name. */
#ifndef HAUL_SHELL_WORD_H
#define HAUL_SHELL_WORD_H

#include <stddef.h>

/* Room for a word in a hint, whose text has an end. */
enum { SHELL_WORD_BYTES_MAX = 128 };

/* `text` as one word of a POSIX shell: as it is when it holds nothing special, else in single
 * quotes; with control characters in bash's $'...'. What does not fit, and the empty text, become
 * `otherwise`, as "DIR". Returns `word`. Thread: any. */
const char *shell_word(const char *text, const char *otherwise, char *word, size_t word_size_bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* shell_word.h — quotes a value for a shell, for the commands in messages. */
#ifndef HAUL_SHELL_WORD_H
#define HAUL_SHELL_WORD_H

#include <stddef.h>

/* Room for a word in a hint, whose size is limited. */
enum { SHELL_WORD_BYTES_MAX = 128 };

/* `text` as one word of a POSIX shell: unchanged if nothing in it is special, otherwise in single
 * quotes, or in bash's $'...' if it has control characters. An empty text, and one that does not
 * fit, become `otherwise`, such as "DIR". Returns `word`. Thread: any. */
const char *shell_word(const char *text, const char *otherwise, char *word, size_t word_size_bytes);

#endif

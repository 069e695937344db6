/* SPDX-License-Identifier: Apache-2.0 */
/* shell_word.c — quotes a word for a POSIX shell. */
#include "shell_word.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "haul/text_escape.h"

struct word {
    char *text;
    size_t capacity; /* with the NUL */
    size_t size;
    bool full;
};

static void put(struct word *word, const char *part)
{
    size_t size = strlen(part);
    word->full = word->full || word->size + size >= word->capacity;
    if (!word->full) {
        memcpy(word->text + word->size, part, size + 1);
        word->size += size;
    }
}

/* Would any of it be printed as an escape: a control character, or a byte that is not UTF-8? A
 * word that is too long for the answer is also too long for the result. */
static bool is_unprintable(const char *text)
{
    char escaped[4 * SHELL_WORD_BYTES_MAX];
    return haul_text_escape(text, strlen(text), escaped, sizeof(escaped)) != strlen(text);
}

static bool is_plain(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "_./:-+,@%=";
    return text[strspn(text, plain)] == '\0';
}

static void put_quoted(struct word *word, const char *text)
{
    put(word, "'");
    for (; *text != '\0'; text++) {
        const char one[2] = {*text, '\0'};
        put(word, *text == '\'' ? "'\\''" : one);
    }
    put(word, "'");
}

static void put_escaped(struct word *word, const char *text)
{
    put(word, "$'");
    for (; *text != '\0'; text++) {
        char part[8];
        if (*text < 0x20 || *text >= 0x7f) { /* also of a sound character */
            (void)snprintf(part, sizeof(part), "\\x%02x", (unsigned char)*text);
        } else {
            bool special = *text == '\'' || *text == '\\';
            (void)snprintf(part, sizeof(part), "%s%c", special ? "\\" : "", *text);
        }
        put(word, part);
    }
    put(word, "'");
}

const char *shell_word(const char *text, const char *otherwise, char *word, size_t word_size_bytes)
{
    struct word made = {.text = word, .capacity = word_size_bytes};
    word[0] = '\0';
    if (is_unprintable(text)) {
        put_escaped(&made, text);
    } else if (is_plain(text)) {
        put(&made, text);
    } else {
        put_quoted(&made, text);
    }
    if (made.full || text[0] == '\0') {
        (void)snprintf(word, word_size_bytes, "%s", otherwise);
    }
    return word;
}

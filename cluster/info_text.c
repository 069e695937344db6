/* SPDX-License-Identifier: Apache-2.0 */
/* info_text.c — a field's name begins its line. */
#include "info_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool info_text_field(const char *text, const char *name, char *value, size_t value_size)
{
    size_t name_size = strlen(name);
    value[0] = '\0';
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *next = strchr(line, '\n');
        if (strncmp(line, name, name_size) == 0 && line[name_size] == ':') {
            const char *begin = line + name_size + 1;
            begin += *begin == ' ';
            size_t size = strcspn(begin, "\r\n");
            size = size < value_size ? size : value_size - 1;
            memcpy(value, begin, size);
            value[size] = '\0';
            return true;
        }
        line = next == NULL ? NULL : next + 1;
    }
    return false;
}

uint64_t info_text_number(const char *text, const char *name, uint64_t otherwise)
{
    char value[32];
    char *end = NULL;
    if (!info_text_field(text, name, value, sizeof(value)) || value[0] < '0' || value[0] > '9') {
        return otherwise;
    }
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    return errno == 0 && *end == '\0' ? number : otherwise;
}

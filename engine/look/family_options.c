/* SPDX-License-Identifier: Apache-2.0 */
/* family_options.c — reads and compares options of column families. */
#include "family_options.h"

#include <string.h>

#include "bytes.h"

bool family_options_next(const char **text, struct family_option *option)
{
    while (*text != NULL && **text != '\0') {
        const char *line = *text;
        size_t size = strcspn(line, "\n");
        size_t name_size = strcspn(line, "=\n");
        *text = line + size + (line[size] == '\n' ? 1 : 0);
        if (name_size < size && name_size > 0) {
            option->name = slice_of(line, name_size);
            option->value = slice_of(line + name_size + 1, size - name_size - 1);
            return true;
        }
    }
    return false;
}

bool family_options_find(const char *text, struct haul_slice name, struct haul_slice *value)
{
    struct family_option option;
    while (family_options_next(&text, &option)) {
        if (slice_compare(option.name, name) == 0) {
            *value = option.value;
            return true;
        }
    }
    return false;
}

bool family_options_difference(const char **theirs, const char *ours, struct family_option *their,
                               struct haul_slice *our)
{
    while (family_options_next(theirs, their)) {
        if (family_options_find(ours, their->name, our) && slice_compare(their->value, *our) != 0) {
            return true;
        }
    }
    return false;
}

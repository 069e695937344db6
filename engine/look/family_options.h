/* SPDX-License-Identifier: Apache-2.0 */
/* family_options.h — the options of a column family as text, one `name=value` a line, and the
 * differences between two such texts. Pure. Thread: any. */
#ifndef HAUL_FAMILY_OPTIONS_H
#define HAUL_FAMILY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/slice.h"

struct family_option {
    struct haul_slice name;
    struct haul_slice value;
};

/* The next option at `*text`, which moves past it; false at the end. Skips lines without `=`. */
bool family_options_next(const char **text, struct family_option *option);

/* The value of an option; false: no such option. `text` may be NULL. */
bool family_options_find(const char *text, struct haul_slice name, struct haul_slice *value);

/* The next option of `*theirs` that `ours` has with another value; `*theirs` moves past it. Options
 * that only one side has come from another release, and are no difference. */
bool family_options_difference(const char **theirs, const char *ours, struct family_option *their,
                               struct haul_slice *our);

#endif

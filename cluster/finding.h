/* SPDX-License-Identifier: Apache-2.0 */
/* finding.h — what is wrong with a cluster: one line each, with the remedy. */
#ifndef HAUL_CLUSTER_FINDING_H
#define HAUL_CLUSTER_FINDING_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FINDING_COUNT_MAX = 256,
    FINDING_NODE_BYTES_MAX = 96,
    FINDING_TEXT_BYTES_MAX = 256,
};

enum finding_level {
    FINDING_BLOCKS, /* no migration may start before it is mended */
    FINDING_WARNS,  /* a migration may start, and may take longer or fail */
};

struct finding {
    enum finding_level level;
    char node[FINDING_NODE_BYTES_MAX]; /* "host:port"; "": the whole cluster */
    char text[FINDING_TEXT_BYTES_MAX]; /* longer texts are cut */
    char remedy[FINDING_TEXT_BYTES_MAX];
};

/* Zeroed: empty. `omitted` counts the findings that found no place; those that block are in
 * `blocks_count` nevertheless. */
struct finding_list {
    struct finding items[FINDING_COUNT_MAX];
    size_t count;
    size_t omitted;
    size_t blocks_count;
};

/* Append a finding about `node` ("": the whole cluster). `remedy` is what to do, as a sentence
 * without a full stop; `format` is the text. Control characters of the text are escaped. */
__attribute__((format(printf, 5, 6))) void finding_add(struct finding_list *list,
                                                       enum finding_level level, const char *node,
                                                       const char *remedy, const char *format, ...);

/* "blocks" or "warns". */
const char *finding_level_name(enum finding_level level);

#endif

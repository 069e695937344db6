/* SPDX-License-Identifier: Apache-2.0 */
/* finding.c — a bounded list; its texts hold what nodes have answered, so they are escaped. */
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "haul/text_escape.h"

const char *finding_level_name(enum finding_level level)
{
    return level == FINDING_BLOCKS ? "blocks" : "warns";
}

void finding_add(struct finding_list *list, enum finding_level level, const char *node,
                 const char *remedy, const char *format, ...)
{
    list->blocks_count += level == FINDING_BLOCKS;
    if (list->count == FINDING_COUNT_MAX) {
        list->omitted++;
        return;
    }
    struct finding *finding = &list->items[list->count++];
    char text[FINDING_TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    finding->level = level;
    (void)haul_text_escape(node, strlen(node), finding->node, sizeof(finding->node));
    (void)haul_text_escape(text, strlen(text), finding->text, sizeof(finding->text));
    (void)haul_text_escape(remedy, strlen(remedy), finding->remedy, sizeof(finding->remedy));
}

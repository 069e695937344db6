/* SPDX-License-Identifier: Apache-2.0 */
/* info_text.h — fields of the answers to INFO and CLUSTER INFO: "name:value", each on
 * a line of their own. */
#ifndef HAUL_CLUSTER_INFO_TEXT_H
#define HAUL_CLUSTER_INFO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copy the value of a field without the space before it; a longer one is cut. False, and "": there
 * is no such field. */
bool info_text_field(const char *text, const char *name, char *value, size_t value_size);

/* A decimal value; `otherwise` if there is none. */
uint64_t info_text_number(const char *text, const char *name, uint64_t otherwise);

#endif

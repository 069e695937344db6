/* SPDX-License-Identifier: Apache-2.0 */
/* text_escape.h — makes text of unknown origin safe to print, such as names of a database or text
 * from a peer. */
#ifndef HAUL_TEXT_ESCAPE_H
#define HAUL_TEXT_ESCAPE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copy `size` bytes to `text` so that they fit on one line and cannot control a terminal. These
 * bytes become \xHH: those of control characters (C0, DEL, C1), of line and paragraph separators,
 * of characters that change the direction of text, and of sequences that are not UTF-8. All others
 * stay as they are. Escaping a second time changes nothing. Text that does not fit is cut, never
 * within a character or an escape. `text` always ends with a NUL; `text_size_bytes` is at least 1.
 * Returns the number of bytes written, without the NUL. Thread: any. */
size_t haul_text_escape(const char *bytes, size_t size, char *text, size_t text_size_bytes);

#ifdef __cplusplus
}
#endif

#endif

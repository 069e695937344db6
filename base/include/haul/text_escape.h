/* SPDX-License-Identifier: Apache-2.0 */
/* text_escape.h — makes text of unknown origin safe to print: names of a database, a peer's
 * words. */
#ifndef HAUL_TEXT_ESCAPE_H
#define HAUL_TEXT_ESCAPE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copy `size` bytes to `text` so that they fill one line and cannot steer a terminal. A byte of a
 * control character (C0, DEL, C1), of a line or paragraph separator, of a character that changes
 * the direction of text, or of a sequence that is not UTF-8 becomes \xHH; everything else stays as
 * it is. Escaping twice changes nothing more. Text that does not fit is cut, never within a
 * character or an escape. `text` always ends with a NUL; `text_size_bytes` is at least 1. Returns
 * the number of bytes written without the NUL. Thread: any. */
size_t haul_text_escape(const char *bytes, size_t size, char *text, size_t text_size_bytes);

#ifdef __cplusplus
}
#endif

#endif

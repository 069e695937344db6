/* SPDX-License-Identifier: Apache-2.0 */
/* status.h — the one list of outcomes, and the error object that explains one. */
#ifndef HAUL_STATUS_H
#define HAUL_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Name, value, sentence. Values are part of the wire and of the ABI: append only. */
#define HAUL_STATUS_LIST(X)                                                      \
    X(OK, 0, "success")                                                          \
    X(AGAIN, 1, "nothing available now; poll and retry")                         \
    X(TIMEOUT, 2, "a deadline passed")                                           \
    X(CLOSED, 3, "the peer closed the connection")                               \
    X(CANCELLED, 4, "cancelled before it completed")                             \
    X(INVALID, 5, "an argument or option is not valid")                          \
    X(UNSUPPORTED, 6, "not supported here")                                      \
    X(NO_MEMORY, 7, "out of memory")                                             \
    X(LIMIT, 8, "a resource limit of the system was reached")                    \
    X(IO, 9, "input/output error")                                               \
    X(NO_SPACE, 10, "no space left on the device")                               \
    X(NOT_FOUND, 11, "not found")                                                \
    X(EXISTS, 12, "already exists")                                              \
    X(BUSY, 13, "in use by another process or job")                              \
    X(REFUSED, 14, "the connection was refused")                                 \
    X(UNREACHABLE, 15, "the peer cannot be reached")                             \
    X(PROTOCOL, 16, "the peer broke the protocol")                               \
    X(VERSION, 17, "the versions of the two sides are incompatible")             \
    X(CORRUPT, 18, "a checksum or a format check failed")                        \
    X(AUTH, 19, "authentication failed")                                         \
    X(MISMATCH, 20, "the two databases cannot hold the same data")               \
    X(FENCED, 21, "a newer epoch has taken over")                                \
    X(NOT_EMPTY, 22, "the target range already holds records")                   \
    X(GAP, 23, "the write-ahead log does not reach back far enough")             \
    X(IN_DOUBT, 24, "the outcome is in doubt until the decision record is read") \
    X(STORE, 25, "the database reported an error")                               \
    X(INTERNAL, 26, "an internal check failed")                                  \
    X(STOPPED, 27, "stopped before it completed; what has arrived is kept")      \
    X(UNCONFIRMED, 28, "risks a second owner, and was not confirmed")

enum haul_status {
#define HAUL_STATUS_ENUM(name, value, sentence) HAUL_##name = value,
    HAUL_STATUS_LIST(HAUL_STATUS_ENUM)
#undef HAUL_STATUS_ENUM
};

/* Values are 0 to HAUL_STATUS_COUNT - 1. */
enum {
#define HAUL_STATUS_ONE(name, value, sentence) +1
    HAUL_STATUS_COUNT = 0 HAUL_STATUS_LIST(HAUL_STATUS_ONE)
#undef HAUL_STATUS_ONE
};

#define HAUL_MUST_CHECK __attribute__((warn_unused_result))

enum {
    HAUL_ERROR_CALL_BYTES_MAX = 48,
    HAUL_ERROR_TEXT_BYTES_MAX = 256,
    HAUL_ERROR_HINT_BYTES_MAX = 256,
};

/* What went wrong, filled once, where the failure was noticed; no allocation. `call` names the
 * failing call, `code` is its errno or ibv_wc_status (0: none). */
struct haul_error {
    enum haul_status status;
    int code;
    char call[HAUL_ERROR_CALL_BYTES_MAX];
    char text[HAUL_ERROR_TEXT_BYTES_MAX];
    char hint[HAUL_ERROR_HINT_BYTES_MAX];
};

/* Stable upper-case name ("TIMEOUT") and sentence. Never NULL. Thread: any. */
const char *haul_status_name(enum haul_status status);
const char *haul_status_sentence(enum haul_status status);

/* Fill `error` (may be NULL) and return `status`, so that a caller can write
 * `return haul_error_set(error, HAUL_IO, "pwrite", errno, "cannot write %s", path);`.
 * Clears the hint. Control characters of the text are escaped (text_escape.h), as in the hint.
 * Thread: any. */
__attribute__((format(printf, 5, 6))) enum haul_status haul_error_set(struct haul_error *error,
                                                                      enum haul_status status,
                                                                      const char *call, int code,
                                                                      const char *format, ...);

/* Add what the reader can do about the error. `error` may be NULL. Thread: any. */
__attribute__((format(printf, 2, 3))) void haul_error_hint(struct haul_error *error,
                                                           const char *format, ...);

/* One line: "text: call: strerror (hint)". Always terminates `line`. Thread: any. */
void haul_error_format(const struct haul_error *error, char *line, unsigned long line_size_bytes);

#ifdef __cplusplus
}
#endif

#endif

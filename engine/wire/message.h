/* SPDX-License-Identifier: Apache-2.0 */
/* message.h — the control messages as C unions: encode, decode, release. The only door to
 * nanopb. */
#ifndef HAUL_MESSAGE_H
#define HAUL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.pb.h"
#include "format_version.h"
#include "haul/limits.h"
#include "haul/slice.h"
#include "haul/status.h"

enum {
    MESSAGE_TOKEN_BYTES = HAUL_ID_BYTES,
    MESSAGE_SESSION_BYTES = HAUL_ID_BYTES,
    MESSAGE_PROOF_BYTES = 32,       /* of a job's source: source_proof.h */
    MESSAGE_DIGEST_KEY_BYTES = 32,  /* digest_key.h */
    MESSAGE_BYTES_MAX = UINT16_MAX, /* of one byte string */
};

/* Type of the control frame, member of the union, protobuf message. Append only. */
#define MESSAGE_LIST(X)                                     \
    X(HELLO, 1, hello, Hello)                               \
    X(WELCOME, 2, welcome, Welcome)                         \
    X(PLAN, 3, plan, Plan)                                  \
    X(PLAN_ACCEPTED, 4, plan_accepted, PlanAccepted)        \
    X(LINK, 5, link, LinkDescription)                       \
    X(PROGRESS, 6, progress, Progress)                      \
    X(PREPARE, 7, prepare, Prepare)                         \
    X(PREPARED, 8, prepared, Prepared)                      \
    X(COMMIT, 9, commit, Commit)                            \
    X(COMMITTED, 10, committed, Committed)                  \
    X(ABORT, 11, abort, Abort)                              \
    X(ABORTED, 12, aborted, Aborted)                        \
    X(REFUSED, 13, refused, Refused)                        \
    X(STOP, 14, stop, Stop)                                 \
    X(WORKING, 15, working, Working)                        \
    X(VERIFY_LIST, 16, verify_list, VerifyList)             \
    X(VERIFY_FAMILIES, 17, verify_families, VerifyFamilies) \
    X(VERIFY_SCAN, 18, verify_scan, VerifyScan)             \
    X(VERIFY_NEXT, 19, verify_next, VerifyNext)             \
    X(VERIFY_PIECES, 20, verify_pieces, VerifyPieces)

enum message_type {
#define MESSAGE_ENUM(name, value, member, proto) MESSAGE_##name = value,
    MESSAGE_LIST(MESSAGE_ENUM)
#undef MESSAGE_ENUM
};

/* The phase of a job in the target's records when its source connects. */
enum job_knowledge {
    JOB_UNKNOWN = 0,   /* nothing: a new job */
    JOB_COPYING = 1,   /* can continue where it was */
    JOB_PREPARED = 2,  /* waits for the decision */
    JOB_COMMITTED = 3, /* is done */
};

/* Bits of Welcome.features. */
enum {
    MESSAGE_FEATURE_STARVED = 1 << 0,  /* Progress.starved_us */
    MESSAGE_FEATURE_LOG_DATA = 1 << 1, /* LogData in batches of the delta stream */
    MESSAGE_FEATURE_KEYED = 1 << 2,    /* VerifyScan.digest_key */
};

/* The epoch in the Hello of a source that makes no attempt, and only reports and asks. */
#define MESSAGE_EPOCH_NONE UINT64_MAX

struct message {
    enum message_type type;
    union {
#define MESSAGE_MEMBER(name, value, member, proto) haul_control_##proto member;
        MESSAGE_LIST(MESSAGE_MEMBER)
#undef MESSAGE_MEMBER
    } as;
};

/* "HELLO", ...; "?" for an unknown type. */
const char *message_name(unsigned type);

/* Zero the message and set its type. */
void message_init(struct message *message, enum message_type type);

/* Encode into `*bytes` (malloc; the caller frees). Errors: NO_MEMORY, INVALID. */
enum haul_status message_encode(const struct message *message, uint8_t **bytes,
                                size_t *size_bytes) HAUL_MUST_CHECK;

/* The most fields of one message, counting repeated ones separately: more than the largest plan
 * has. An empty submessage takes two bytes of a body and hundreds of bytes of memory. */
enum { MESSAGE_FIELD_COUNT_MAX = 8192 };

/* Decode a body of `type`; release the message later if OK. Errors: PROTOCOL (unknown type,
 * malformed, more than MESSAGE_FIELD_COUNT_MAX fields, a text with a NUL byte, a byte string of a
 * length that it cannot have), NO_MEMORY. */
enum haul_status message_decode(unsigned type, struct haul_slice body, struct message *message,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Free what the message points to, whether decoded or built from malloc'ed parts. */
void message_release(struct message *message);

/* Can this be the identity of a database: 1 to HAUL_IDENTITY_BYTES_MAX - 1 printable characters?
 * The journals could not hold anything else unchanged. */
bool message_is_identity(const uint8_t *bytes, size_t size);

/* A malloc'ed protobuf byte string; NULL: no memory, or longer than MESSAGE_BYTES_MAX. */
pb_bytes_array_t *message_bytes(struct haul_slice bytes);
/* The content of a byte string; NULL is the empty string. */
struct haul_slice message_slice(const pb_bytes_array_t *bytes);
/* Fill a field of a fixed size, `room` bytes at `to`. Bytes that do not fit are all left out. */
void message_put_bytes(struct haul_slice from, pb_size_t *size, pb_byte_t *to, size_t room);

/* A status from the wire; an unknown one, or OK, becomes `otherwise`. */
enum haul_status message_status(uint32_t value, enum haul_status otherwise);

/* The part of an error that is sent: its text, and the system's reason if the text lacks it. */
void message_error_text(const struct haul_error *error, char text[HAUL_ERROR_TEXT_BYTES_MAX]);

/* Batches that the target holds durably; grows when an attempt has made progress. */
uint64_t message_durable_mark(const haul_control_PlanAccepted *accepted);

#endif

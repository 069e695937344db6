/* SPDX-License-Identifier: Apache-2.0 */
/* message.c — one table from message types to protobuf descriptors, and nanopb behind it. */
#include "message.h"

#include <assert.h>
#include <pb_common.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"

static_assert(MESSAGE_BYTES_MAX <= PB_SIZE_MAX, "a byte string's size fits nanopb's");

static const pb_msgdesc_t *fields_of(unsigned type)
{
    switch (type) {
#define MESSAGE_FIELDS(name, value, member, proto) \
    case MESSAGE_##name:                           \
        return haul_control_##proto##_fields;
        MESSAGE_LIST(MESSAGE_FIELDS)
#undef MESSAGE_FIELDS
    default:
        return NULL;
    }
}

const char *message_name(unsigned type)
{
    switch (type) {
#define MESSAGE_NAME(name, value, member, proto) \
    case MESSAGE_##name:                         \
        return #name;
        MESSAGE_LIST(MESSAGE_NAME)
#undef MESSAGE_NAME
    default:
        return "?";
    }
}

void message_init(struct message *message, enum message_type type)
{
    memset(message, 0, sizeof(*message));
    message->type = type;
}

enum haul_status message_encode(const struct message *message, uint8_t **bytes, size_t *size_bytes)
{
    const pb_msgdesc_t *fields = fields_of(message->type);
    haul_assert(fields != NULL);
    size_t size = 0;
    if (!pb_get_encoded_size(&size, fields, &message->as)) {
        return HAUL_INVALID;
    }
    /* One more byte: an empty message is valid, and malloc(0) may return NULL. */
    uint8_t *memory = malloc(size + 1);
    if (memory == NULL) {
        return HAUL_NO_MEMORY;
    }
    pb_ostream_t stream = pb_ostream_from_buffer(memory, size);
    if (!pb_encode(&stream, fields, &message->as)) {
        free(memory);
        return HAUL_INVALID;
    }
    *bytes = memory;
    *size_bytes = size;
    return HAUL_OK;
}

/* Leaves a malformed body to pb_decode. */
static bool has_too_many_fields(struct haul_slice body)
{
    pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);
    pb_wire_type_t wire_type;
    uint32_t tag;
    bool eof;
    uint32_t count = 0;
    while (count <= MESSAGE_FIELD_COUNT_MAX && pb_decode_tag(&stream, &wire_type, &tag, &eof) &&
           pb_skip_field(&stream, wire_type)) {
        count++;
    }
    return count > MESSAGE_FIELD_COUNT_MAX;
}

/* Does the next text contain a NUL byte? C would cut the text there, and the name of a column
 * family would become that of another one. */
static bool has_nul(pb_istream_t *text)
{
    pb_byte_t byte = 1;
    while (text->bytes_left > 0 && byte != 0 && pb_read(text, &byte, 1)) {
    }
    return byte == 0;
}

/* Does a text of the message, or of a submessage, contain a NUL byte? Leaves a malformed body to
 * pb_decode. */
static bool has_cut_text(pb_istream_t *stream, const pb_msgdesc_t *fields)
{
    pb_field_iter_t field;
    pb_wire_type_t wire_type;
    uint32_t tag;
    bool eof;
    bool found = false;
    bool any = pb_field_iter_begin(&field, fields, NULL);
    while (!found && pb_decode_tag(stream, &wire_type, &tag, &eof)) {
        pb_istream_t inner;
        if (wire_type != PB_WT_STRING) {
            if (!pb_skip_field(stream, wire_type)) {
                return false;
            }
            continue;
        }
        if (!pb_make_string_substream(stream, &inner)) {
            return false;
        }
        bool known = any && pb_field_iter_find(&field, tag);
        if (known && PB_LTYPE(field.type) == PB_LTYPE_STRING) {
            found = has_nul(&inner);
        } else if (known && PB_LTYPE_IS_SUBMSG(field.type)) {
            found = has_cut_text(&inner, field.submsg_desc);
        }
        if (!pb_close_string_substream(stream, &inner)) {
            return found;
        }
    }
    return found;
}

bool message_is_identity(const uint8_t *bytes, size_t size)
{
    bool sound = size > 0 && size < HAUL_IDENTITY_BYTES_MAX;
    for (size_t i = 0; i < size && sound; i++) {
        sound = bytes[i] >= ' ' && bytes[i] <= '~';
    }
    return sound;
}

/* --- lengths ---------------------------------------------------------------------------------- */

/* The byte strings of one length, which may be absent, and the lists of such. Another length is not
 * taken for "absent": that would be a weaker check than the one that the peer wanted. */
static const struct {
    enum message_type type;
    uint32_t tag;
    size_t unit_bytes;
    bool is_list;
} lengths[] = {
    {MESSAGE_HELLO, haul_control_Hello_job_tag, HAUL_JOB_BYTES, false},
    {MESSAGE_WELCOME, haul_control_Welcome_token_tag, MESSAGE_TOKEN_BYTES, false},
    {MESSAGE_WELCOME, haul_control_Welcome_session_tag, MESSAGE_SESSION_BYTES, false},
    {MESSAGE_WELCOME, haul_control_Welcome_waiting_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_WELCOME, haul_control_Welcome_given_back_by_tag, HAUL_JOB_BYTES, false},
    {MESSAGE_WELCOME, haul_control_Welcome_between_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_PLAN, haul_control_Plan_supersedes_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_PLAN, haul_control_Plan_supersedes_proofs_tag, MESSAGE_PROOF_BYTES, true},
    {MESSAGE_PLAN, haul_control_Plan_between_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_PLAN, haul_control_Plan_lost_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_PLAN, haul_control_Plan_digest_key_tag, MESSAGE_DIGEST_KEY_BYTES, false},
    {MESSAGE_PLAN, haul_control_Plan_proof_tag, MESSAGE_PROOF_BYTES, false},
    {MESSAGE_COMMIT, haul_control_Commit_proof_tag, MESSAGE_PROOF_BYTES, false},
    {MESSAGE_ABORT, haul_control_Abort_jobs_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_ABORT, haul_control_Abort_proof_tag, MESSAGE_PROOF_BYTES, false},
    {MESSAGE_ABORT, haul_control_Abort_job_proofs_tag, MESSAGE_PROOF_BYTES, true},
    {MESSAGE_REFUSED, haul_control_Refused_owned_job_tag, HAUL_JOB_BYTES, false},
    {MESSAGE_REFUSED, haul_control_Refused_lost_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_STOP, haul_control_Stop_lost_tag, HAUL_JOB_BYTES, true},
    {MESSAGE_VERIFY_SCAN, haul_control_VerifyScan_digest_key_tag, MESSAGE_DIGEST_KEY_BYTES, false},
};

/* The size of a byte string of the message; 0: absent. */
static size_t size_of(struct message *message, uint32_t tag)
{
    pb_field_iter_t field;
    bool found = pb_field_iter_begin(&field, fields_of(message->type), &message->as) &&
                 pb_field_iter_find(&field, tag);
    haul_assert(found && PB_LTYPE(field.type) == PB_LTYPE_BYTES);
    const pb_bytes_array_t *bytes = field.pData;
    return bytes == NULL ? 0 : bytes->size;
}

static bool has_wrong_length(struct message *message)
{
    bool wrong = false;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths) && !wrong; i++) {
        if (lengths[i].type == message->type) {
            size_t size = size_of(message, lengths[i].tag);
            wrong = size % lengths[i].unit_bytes != 0 ||
                    (!lengths[i].is_list && size > lengths[i].unit_bytes);
        }
    }
    return wrong;
}

/* nanopb tells only by its text that the memory was short, not the message malformed. */
static bool is_out_of_memory(const pb_istream_t *stream)
{
    return strcmp(PB_GET_ERROR(stream), "realloc failed") == 0;
}

enum haul_status message_decode(unsigned type, struct haul_slice body, struct message *message,
                                struct haul_error *error)
{
    const pb_msgdesc_t *fields = fields_of(type);
    if (fields == NULL) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "unknown control message type %u",
                              type);
    }
    message_init(message, (enum message_type)type);
    if (has_too_many_fields(body)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "control message %s of %zu bytes has more than %d fields",
                              message_name(type), body.size, MESSAGE_FIELD_COUNT_MAX);
    }
    pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);
    if (has_cut_text(&stream, fields)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "a text of control message %s has a NUL byte", message_name(type));
    }
    stream = pb_istream_from_buffer(body.data, body.size);
    if (!pb_decode(&stream, fields, &message->as)) {
        /* pb_decode has released what it allocated. */
        if (is_out_of_memory(&stream)) {
            return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0,
                                  "no memory for control message %s", message_name(type));
        }
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "malformed control message %s of %zu bytes: %s", message_name(type),
                              body.size, PB_GET_ERROR(&stream));
    }
    if (has_wrong_length(message)) {
        message_release(message);
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "a byte string of control message %s has a wrong length",
                              message_name(type));
    }
    return HAUL_OK;
}

void message_release(struct message *message)
{
    const pb_msgdesc_t *fields = fields_of(message->type);
    if (fields != NULL) {
        pb_release(fields, &message->as);
    }
    memset(message, 0, sizeof(*message));
}

pb_bytes_array_t *message_bytes(struct haul_slice bytes)
{
    /* nanopb's size has 16 bits: a longer string would be sent truncated. */
    pb_bytes_array_t *array =
        bytes.size > MESSAGE_BYTES_MAX ? NULL : malloc(PB_BYTES_ARRAY_T_ALLOCSIZE(bytes.size));
    if (array == NULL) {
        return NULL;
    }
    array->size = (pb_size_t)bytes.size;
    if (bytes.size > 0) {
        memcpy(array->bytes, bytes.data, bytes.size);
    }
    return array;
}

struct haul_slice message_slice(const pb_bytes_array_t *bytes)
{
    return bytes == NULL ? (struct haul_slice){NULL, 0}
                         : (struct haul_slice){bytes->bytes, bytes->size};
}

void message_put_bytes(struct haul_slice from, pb_size_t *size, pb_byte_t *to, size_t room)
{
    if (from.size > 0 && from.size <= room) {
        memcpy(to, from.data, from.size);
        *size = (pb_size_t)from.size;
    }
}

enum haul_status message_status(uint32_t value, enum haul_status otherwise)
{
    return value != HAUL_OK && value < HAUL_STATUS_COUNT ? (enum haul_status)value : otherwise;
}

void message_error_text(const struct haul_error *error, char text[HAUL_ERROR_TEXT_BYTES_MAX])
{
    (void)snprintf(text, HAUL_ERROR_TEXT_BYTES_MAX, "%s", error->text);
    if (error->call[0] != '\0' && error->code > 0) {
        size_t size = strlen(text);
        (void)snprintf(text + size, HAUL_ERROR_TEXT_BYTES_MAX - size, ": %s",
                       strerror(error->code));
    }
}

uint64_t message_durable_mark(const haul_control_PlanAccepted *accepted)
{
    uint64_t mark = 1 + accepted->delta_next_batch;
    for (size_t i = 0; i < accepted->positions_count; i++) {
        mark += accepted->positions[i].next_batch;
        mark += accepted->positions[i].finished ? 1 : 0;
    }
    return mark;
}

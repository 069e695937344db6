/* SPDX-License-Identifier: Apache-2.0 */
/* target_answer.c — builds the target's messages that report its options and journal. */
#include "target_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "payload_codec.h"

void target_answer_welcome(const struct target_greeting *greeting, struct message *message)
{
    const struct haul_target_options *target = greeting->target;
    message_init(message, MESSAGE_WELCOME);
    haul_control_Welcome *welcome = &message->as.welcome;
    welcome->wire_version = MESSAGE_WIRE_VERSION;
    welcome->journal_version = JOURNAL_FORMAT_VERSION;
    (void)snprintf(welcome->software, sizeof(welcome->software), "haul %s", HAUL_RELEASE);
    welcome->config_version = greeting->version.version;
    welcome->config_version_known = greeting->version.authoritative;
    size_t size = strnlen(greeting->identity, sizeof(welcome->target_identity.bytes));
    welcome->target_identity.size = (pb_size_t)size;
    memcpy(welcome->target_identity.bytes, greeting->identity, size);
    welcome->token.size = MESSAGE_TOKEN_BYTES;
    memcpy(welcome->token.bytes, greeting->token, MESSAGE_TOKEN_BYTES);
    welcome->session.size = MESSAGE_SESSION_BYTES;
    memcpy(welcome->session.bytes, greeting->session_id, MESSAGE_SESSION_BYTES);
    welcome->transports_count = (pb_size_t)greeting->offer_count;
    for (size_t i = 0; i < greeting->offer_count; i++) {
        welcome->transports[i] = greeting->offers[i];
    }
    welcome->slot_count = target->link.slot_count;
    welcome->slot_size_bytes = target->link.slot_size_bytes;
    welcome->compression = PAYLOAD_ZSTD;
    welcome->features = MESSAGE_FEATURE_STARVED | MESSAGE_FEATURE_LOG_DATA | MESSAGE_FEATURE_KEYED;
    welcome->peer_timeout_ms = target->link.peer_timeout_ms;
}

void target_answer_session(const struct target_greeting *greeting,
                           struct target_session_options *options)
{
    const struct haul_target_options *target = greeting->target;
    struct target_greeting complete = *greeting;
    complete.version = (struct version_claim){.version = target->config_version,
                                              .authoritative = target->keep_versions};
    *options = (struct target_session_options){
        .version = complete.version,
        .peer_timeout_ms = target->link.peer_timeout_ms,
        .secret = target->secret,
        .wire = target->wire,
        .has_key = target->keys != NULL,
        .answers_verify = target->answers_verify,
    };
    target_answer_welcome(&complete, &options->welcome);
}

static enum haul_status add_positions(const struct target_journal *journal,
                                      haul_control_PlanAccepted *accepted)
{
    size_t count = journal->positions == NULL ? 0 : journal->plan.stream_count;
    accepted->positions = calloc(count + 1, sizeof(*accepted->positions));
    if (accepted->positions == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const struct stream_position *from = &journal->positions[i];
        haul_control_StreamPosition *to = &accepted->positions[accepted->positions_count++];
        to->stream = from->stream;
        to->next_batch = from->next_batch;
        to->finished = from->finished;
        to->last_key = message_bytes(from->last_key);
        if (to->last_key == NULL) {
            return HAUL_NO_MEMORY;
        }
    }
    accepted->delta_next_batch = journal->delta_next_batch;
    return HAUL_OK;
}

enum haul_status target_answer_accepted(const struct target_journal *journal,
                                        struct message *message)
{
    message_init(message, MESSAGE_PLAN_ACCEPTED);
    haul_control_PlanAccepted *accepted = &message->as.plan_accepted;
    accepted->lane = (uint32_t)journal->lane;
    accepted->keyed = journal->plan.digest_key.used;
    (void)snprintf(accepted->begun_anew, sizeof(accepted->begun_anew), "%s", journal->begun_anew);
    accepted->family_ids = calloc(journal->plan.family_count, sizeof(*accepted->family_ids));
    if (accepted->family_ids == NULL || add_positions(journal, accepted) != HAUL_OK) {
        return HAUL_NO_MEMORY;
    }
    accepted->family_ids_count = (pb_size_t)journal->plan.family_count;
    for (size_t i = 0; i < journal->plan.family_count; i++) {
        accepted->family_ids[i] = journal->plan.families[i].target_id;
    }
    return HAUL_OK;
}

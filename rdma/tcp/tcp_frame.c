/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_frame.c — credit frames are those of credit.c; the end frame is their twin. */
#include "tcp_frame.h"

void tcp_frame_encode(enum tcp_frame_kind kind, const struct credit_frame *frame,
                      const struct frame_key *key, uint8_t *at)
{
    uint32_t magic = kind == TCP_FRAME_END ? CREDIT_END_MAGIC : CREDIT_RECORD_MAGIC;
    credit_frame_encode(frame, magic, key, at);
}

enum haul_status tcp_frame_decode(const uint8_t *at, const struct frame_key *key,
                                  enum tcp_frame_kind *kind, struct credit_frame *frame)
{
    *kind = TCP_FRAME_END;
    enum haul_status status = credit_frame_decode(at, CREDIT_END_MAGIC, key, frame);
    bool may_be_other = status == HAUL_PROTOCOL || (key != NULL && key->used);
    if (status == HAUL_OK || !may_be_other) {
        return status;
    }
    *kind = TCP_FRAME_CREDIT;
    return credit_frame_decode(at, CREDIT_RECORD_MAGIC, key, frame);
}

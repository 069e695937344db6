/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_writer.h — writes seed inputs into files. */
#ifndef HAUL_FUZZ_CORPUS_WRITER_H
#define HAUL_FUZZ_CORPUS_WRITER_H

#include <stddef.h>
#include <stdint.h>

enum { CORPUS_INPUT_BYTES_MAX = 16 << 10 };

/* A growing input; a zeroed one is empty. */
struct corpus_input {
    uint8_t bytes[CORPUS_INPUT_BYTES_MAX];
    size_t size;
};

/* Append; input that does not fit ends the program. */
void corpus_add(struct corpus_input *input, const void *bytes, size_t size);
void corpus_add_byte(struct corpus_input *input, unsigned value);

/* Write <directory>/<noun>/<name> and empty the input. A failure ends the program. */
void corpus_write(struct corpus_input *input, const char *noun, const char *name);

/* One function for each fuzz target. */
void corpus_message(void);
void corpus_command_line(void);
void corpus_source_session(void);
void corpus_target_session(void);
void corpus_tcp_opening(void);
void corpus_verbs_opening(void);
void corpus_journal(void);
void corpus_ownership(void);
void corpus_batch(void);
void corpus_control_frame(void);
void corpus_verify(void);
void corpus_verify_manifest(void);
void corpus_send_plan(void);
void corpus_topology(void);
void corpus_tls_server(void);
void corpus_tls_client(void);
void corpus_sealed(void);

#endif

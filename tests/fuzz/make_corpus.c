/* SPDX-License-Identifier: Apache-2.0 */
/* make_corpus.c — writes the seed inputs of all fuzz targets, with the product's encoders.
 *
 *   make_corpus DIRECTORY      the same files each time, except for the random numbers of TLS;
 *                              other files in there stay */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "corpus_writer.h"

enum { PATH_BYTES_MAX = 4096 };

static const char *directory;

static void die(const char *what)
{
    (void)fprintf(stderr, "make_corpus: %s: %s\n", what, strerror(errno));
    exit(1);
}

void corpus_add(struct corpus_input *input, const void *bytes, size_t size)
{
    if (size > sizeof(input->bytes) - input->size) {
        errno = EFBIG;
        die("an input");
    }
    if (size > 0) {
        memcpy(input->bytes + input->size, bytes, size);
        input->size += size;
    }
}

void corpus_add_byte(struct corpus_input *input, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    corpus_add(input, &byte, 1);
}

void corpus_write(struct corpus_input *input, const char *noun, const char *name)
{
    char path[PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, noun);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        die(path);
    }
    (void)snprintf(path, sizeof(path), "%s/%s/%s", directory, noun, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(input->bytes, 1, input->size, file) != input->size ||
        fclose(file) != 0) {
        die(path);
    }
    input->size = 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_corpus DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        die(directory);
    }
    corpus_message();
    corpus_command_line();
    corpus_source_session();
    corpus_target_session();
    corpus_tcp_opening();
    corpus_verbs_opening();
    corpus_journal();
    corpus_ownership();
    corpus_batch();
    corpus_control_frame();
    corpus_verify();
    corpus_verify_manifest();
    corpus_send_plan();
    corpus_topology();
    corpus_tls_server();
    corpus_tls_client();
    corpus_sealed();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_command_line.c — values as the manual shows them, and malformed ones. */
#include <string.h>

#include "corpus_writer.h"

/* As in fuzz_command_line.c. */
enum which { NUMBER, SIZE, DURATION, WORD, RANGE, PREFIX, ADDRESS, LINE, PRINTED };

static const struct {
    enum which which;
    const char *name;
    const char *text;
} samples[] = {
    {NUMBER, "number", "16"},
    {NUMBER, "regression-number-with-a-fraction", "16.5"},
    {SIZE, "size-k", "1.5K"},
    {SIZE, "size-mib", "1MiB"},
    {SIZE, "regression-size-beyond-all", "1.5e300K"},
    {DURATION, "duration-ms", "500ms"},
    {DURATION, "duration-minutes", "2m"},
    {WORD, "word-lane", "writebatch"},
    {WORD, "word-mode", "rdma"},
    {RANGE, "range-text", "a:m"},
    {RANGE, "range-hex", "0x00ff:0x01"},
    {RANGE, "range-protected", "a\\:b:"},
    {PREFIX, "prefix-text", "user/"},
    {PREFIX, "prefix-hex", "0xffff"},
    {ADDRESS, "address-v4", "10.0.0.7:7447"},
    {ADDRESS, "address-v6", "[2001:db8::7]:7447"},
    {ADDRESS, "address-any", ":7447"},
    {LINE, "line", "--size\n4K\n-fvv\n--slowly=5s\n--family\ndefault\n--text\nx"},
    {LINE, "line-unknown", "-s4M\n--famly\nx"},
    {PRINTED, "printed", "\x01\x02\x03\x04\x05\x06\xf0\x42"},
};

void corpus_command_line(void)
{
    static struct corpus_input input;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        corpus_add_byte(&input, samples[i].which);
        corpus_add(&input, samples[i].text, strlen(samples[i].text));
        corpus_write(&input, "command_line", samples[i].name);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_topology.c — answers to CLUSTER NODES as Kvrocks writes them, and malformed ones. */
#include <string.h>

#include "corpus_writer.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MASTER_A A " 10.0.0.7:6666@16666 myself,master - 1 2 5 connected"
#define MASTER_B B " 10.0.0.8:6666@16666 master - 1 2 5 connected"

static const struct {
    const char *name;
    const char *text;
} samples[] = {
    {"one-master", MASTER_A " 0-16383\n"},
    {"two-masters", MASTER_A " 0-8191\n" MASTER_B " 8192-16383\n"},
    {"replica", MASTER_A " 0-16383\n" B " 10.0.0.8:6666@16666 slave " A " 1 2 5 connected\n"},
    {"single-slots", MASTER_A " 0 2 4-5 16383\r\n" MASTER_B " 1 3\r\n"},
    {"gives-slots", MASTER_A " 0-16383 [0-99->-" B "]\n" MASTER_B "\n"},
    {"takes-slots", MASTER_A " [0-99-<-]\n" MASTER_B " 0-16383\n"},
    {"ipv6", A " fd00::7:6666@16666 master - 1 2 9223372036854775 connected 7\n"},
    {"outside", MASTER_B " 8192-16383\n"},
    {"two-owners", MASTER_A " 0-9\n" MASTER_B " 9\n"},
    {"replica-with-slots", A " 10.0.0.7:6666@16666 slave " B " 1 2 5 connected 1\n"},
    {"slot-too-large", MASTER_A " 0-16384\n"},
    {"range-backwards", MASTER_A " 9-8\n"},
    {"open-bracket", MASTER_A " [0-99->-\n"},
    {"empty-arrow", MASTER_A " [->-]\n"},
    {"short-id", "abc 10.0.0.7:6666@16666 master - 1 2 5 connected\n"},
    {"no-port", A " 10.0.0.7 master - 1 2 5 connected\n"},
    {"version", "1234567"},
    {"version-none", "-1"},
    {"range", "0-16383"},
};

void corpus_topology(void)
{
    static struct corpus_input input;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        corpus_add(&input, samples[i].text, strlen(samples[i].text));
        corpus_write(&input, "topology", samples[i].name);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_send_plan.c — plans for `haul send --plan`, and malformed ones. */
#include <string.h>

#include "corpus_writer.h"

#define MOVES(text) "{\"version\": 1, \"moves\": [" text "]}\n"
#define TO "\"to\": \"10.0.0.8:7447\""

static const struct {
    const char *name;
    const char *text;
} samples[] = {
    {"everything", MOVES("{" TO "}")},
    {"two-ranges", MOVES("{" TO ", \"range\": [\"a:c\", \"0x6300:d\"]}")},
    {"prefixes", MOVES("{" TO ", \"prefix\": \"user\\\\:\"}, {" TO ", \"prefix\": [\"0xff\"]}")},
    {"families", MOVES("{" TO ", \"cf\": \"a\"}, {" TO ", \"cf\": [\"b\", \"c\"], "
                       "\"metadata-cf\": \"c\"}")},
    {"family-in-two", MOVES("{" TO ", \"cf\": \"a\", \"range\": \":m\"}, {" TO
                            ", \"cf\": \"a\", \"range\": \"m:\"}")},
    {"overwrite", MOVES("{" TO ", \"overwrite\": true}")},
    {"touching", MOVES("{" TO ", \"range\": \"a:b\"}, {" TO ", \"range\": \"b:c\"}")},
    {"overlapping", MOVES("{" TO ", \"range\": \"a:c\"}, {" TO ", \"range\": \"b:d\"}")},
    {"overlapping-itself", MOVES("{" TO ", \"range\": [\"a:c\", \"b:d\"]}")},
    {"all-and-one-family", MOVES("{" TO ", \"prefix\": \"a\"}, {" TO ", \"cf\": \"a\"}")},
    {"no-moves", MOVES("")},
    {"no-receiver", MOVES("{\"range\": \"a:b\"}")},
    {"unknown-member", MOVES("{" TO ", \"rate\": 5}")},
    {"backwards", MOVES("{" TO ", \"range\": \"b:a\"}")},
    {"empty-list", MOVES("{" TO ", \"cf\": []}")},
    {"wrong-kinds", MOVES("{" TO ", \"cf\": [1], \"overwrite\": \"yes\"}")},
    {"later-version", "{\"version\": 2, \"moves\": []}"},
    {"duplicate", "{\"version\": 1, \"version\": 1}"},
    {"cut", "{\"version\": 1, \"moves\": [{"},
};

void corpus_send_plan(void)
{
    static struct corpus_input input;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        corpus_add(&input, samples[i].text, strlen(samples[i].text));
        corpus_write(&input, "send_plan", samples[i].name);
    }
}

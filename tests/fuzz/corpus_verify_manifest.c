/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_verify_manifest.c — manifests as `haul verify --write-manifest` writes them, and malformed
 * ones. */
#include <string.h>

#include "corpus_writer.h"

#define FIRST "haul-manifest 1\n"
#define DIGEST "0123456789abcdef0123456789abcdef"

static const struct {
    const char *name;
    const char *text;
} samples[] = {
    {"empty-database", FIRST "end\n"},
    {"one-family", FIRST "family 64656661756c74\n"
                         "piece 10 " DIGEST " 6b6579\n"
                         "piece 3 " DIGEST " -\n"
                         "total 13 130 " DIGEST " 64656661756c74\nend\n"},
    {"two-families-selected", FIRST "select 61\nselect 62\nrange 61:6d\nrange 6e:-\n"
                                    "family 61\npiece 1 " DIGEST " 6b\n"
                                    "family 62\npiece 2 " DIGEST " 6b\n"
                                    "total 1 9 " DIGEST " 61\ntotal 2 9 " DIGEST " 62\nend\n"},
    {"same-family-twice", FIRST "family 61\npiece 1 " DIGEST " 6b\nfamily 61\nend\n"},
    {"without-end", FIRST "family 61\npiece 1 " DIGEST " 6b\n"},
    {"behind-the-end", FIRST "end\nend\n"},
    {"odd-hexadecimal", FIRST "family 616\nend\n"},
    {"negative-total", FIRST "total -1 -1 " DIGEST " 61\nend\n"},
    {"long-digest", FIRST "total 1 1 " DIGEST "0 61\nend\n"},
    {"range-without-colon", FIRST "range 61\nend\n"},
};

void corpus_verify_manifest(void)
{
    static struct corpus_input input;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        corpus_add(&input, samples[i].text, strlen(samples[i].text));
        corpus_write(&input, "verify_manifest", samples[i].name);
    }
}

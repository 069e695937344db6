/* SPDX-License-Identifier: Apache-2.0 */
/* test_version.c — the library and the build take the release from the same place. */
#include "haul/version.h"

#include <stdio.h>

#include "check.h"

static void test_haul_version__macros__those_of_the_library_and_the_build(void)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d.%d.%d", HAUL_VERSION_MAJOR, HAUL_VERSION_MINOR,
                   HAUL_VERSION_PATCH);
    check_text(haul_version_text(), text);
    check_text(haul_version_text(), HAUL_RELEASE);
    check_equal(haul_version_number(), HAUL_VERSION_NUMBER);
    check_equal(HAUL_VERSION_NUMBER / 10000, HAUL_VERSION_MAJOR);
    check_equal(HAUL_VERSION_NUMBER / 100 % 100, HAUL_VERSION_MINOR);
    check_equal(HAUL_VERSION_NUMBER % 100, HAUL_VERSION_PATCH);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_version__macros__those_of_the_library_and_the_build),
};
CHECK_MAIN("version", tests)

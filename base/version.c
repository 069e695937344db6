/* SPDX-License-Identifier: Apache-2.0 */
/* version.c — the release of the library that runs. */
#include "haul/version.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

const char *haul_version_text(void)
{
    return TEXT(HAUL_VERSION_MAJOR) "." TEXT(HAUL_VERSION_MINOR) "." TEXT(HAUL_VERSION_PATCH);
}

uint32_t haul_version_number(void)
{
    return HAUL_VERSION_NUMBER;
}

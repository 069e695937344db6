/* SPDX-License-Identifier: Apache-2.0 */
/* curl_library.c — libcurl, found by its soname. */
#include "curl_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The soname of every libcurl since 7.16 (libcurl's docs/libcurl/ABI.md). */
static const char soname[] = "libcurl.so.4";

struct symbol {
    const char *name;
    size_t offset; /* of its pointer in struct curl_library */
};

#define SYMBOL(function)                                           \
    {                                                              \
        "curl_" #function, offsetof(struct curl_library, function) \
    }

static const struct symbol symbols[] = {
    SYMBOL(global_init),  SYMBOL(global_cleanup), SYMBOL(easy_init),      SYMBOL(easy_reset),
    SYMBOL(easy_setopt),  SYMBOL(easy_perform),   SYMBOL(easy_getinfo),   SYMBOL(easy_strerror),
    SYMBOL(easy_cleanup), SYMBOL(slist_append),   SYMBOL(slist_free_all),
};

/* POSIX lets dlsym return functions as objects; C wants their bytes copied. */
static bool resolve(void *handle, const struct symbol *symbol, struct curl_library *library)
{
    void *address = dlsym(handle, symbol->name);
    memcpy((char *)library + symbol->offset, &address, sizeof(address));
    return address != NULL;
}

enum haul_status curl_library_load(struct curl_library *library, struct haul_error *error)
{
    void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    bool complete = handle != NULL;
    for (size_t i = 0; complete && i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        complete = resolve(handle, &symbols[i], library);
    }
    if (!complete) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "libcurl cannot be loaded: %s", dlerror());
        haul_error_hint(error, "install it (Debian: libcurl4)");
        return HAUL_UNSUPPORTED;
    }
    return HAUL_OK;
}

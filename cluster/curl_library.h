/* SPDX-License-Identifier: Apache-2.0 */
/* curl_library.h — libcurl, loaded when it is first asked for. It brings some thirty libraries
 * along, and only `haul cluster run --controller` wants them: linked, they would cost every other
 * command its start-up time, and its life where address space is limited. */
#ifndef HAUL_CLUSTER_CURL_LIBRARY_H
#define HAUL_CLUSTER_CURL_LIBRARY_H

#include <curl/curl.h>

#include "haul/status.h"

/* What is used of it. In parentheses: some of these names are macros, too. */
struct curl_library {
    __typeof__((curl_global_init)) *global_init;
    __typeof__((curl_global_cleanup)) *global_cleanup;
    __typeof__((curl_easy_init)) *easy_init;
    __typeof__((curl_easy_reset)) *easy_reset;
    __typeof__((curl_easy_setopt)) *easy_setopt;
    __typeof__((curl_easy_perform)) *easy_perform;
    __typeof__((curl_easy_getinfo)) *easy_getinfo;
    __typeof__((curl_easy_strerror)) *easy_strerror;
    __typeof__((curl_easy_cleanup)) *easy_cleanup;
    __typeof__((curl_slist_append)) *slist_append;
    __typeof__((curl_slist_free_all)) *slist_free_all;
};

/* Stays loaded until the process ends. One thread at a time. Errors: UNSUPPORTED (it cannot be
 * loaded, or lacks a function). */
enum haul_status curl_library_load(struct curl_library *library,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* controller.c — two requests: GET of the cluster, and POST of a migration. Answers are {"data":
 * {"cluster": ...}} or {"error": {"message": ...}}. */
#include "controller.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curl_library.h"

enum {
    URL_BYTES = 2048,
    BODY_BYTES = 128,
    HTTP_OK = 200,
    HTTP_NOT_FOUND = 404,
    REDIRECTS_MAX = 3, /* one that is not the leader sends to the leader */
};

struct controller {
    struct curl_library library;
    CURL *curl;
    struct curl_slist *headers;
    char url[URL_BYTES];
    char *answer; /* of the last request */
    size_t answer_size;
    uint32_t timeout_ms;
};

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the controller");
}

/* --- requests --------------------------------------------------------------------------------- */

/* Less than `size` ends the request. */
static size_t on_data(char *data, size_t unit, size_t size, void *context)
{
    struct controller *controller = context;
    size_t bytes = unit * size;
    if (bytes > CONTROLLER_ANSWER_BYTES_MAX - controller->answer_size) {
        return 0;
    }
    char *grown = realloc(controller->answer, controller->answer_size + bytes + 1);
    if (grown == NULL) {
        return 0;
    }
    memcpy(grown + controller->answer_size, data, bytes);
    controller->answer = grown;
    controller->answer_size += bytes;
    return bytes;
}

/* `body` NULL: a GET. The answer's JSON into `answer`, and its HTTP code. */
static enum haul_status request(struct controller *controller, const char *path, const char *body,
                                json_t **answer, long *code, struct haul_error *error)
{
    char url[URL_BYTES + BODY_BYTES];
    json_error_t ignored;
    const struct curl_library *library = &controller->library;
    CURL *curl = controller->curl;
    (void)snprintf(url, sizeof(url), "%s%s", controller->url, path);
    controller->answer_size = 0;
    library->easy_reset(curl);
    __typeof__(library->easy_setopt) set = library->easy_setopt;
    bool ok = set(curl, CURLOPT_URL, url) == CURLE_OK &&
              set(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              set(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              set(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              set(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
              set(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) == CURLE_OK &&
              set(curl, CURLOPT_TIMEOUT_MS, (long)controller->timeout_ms) == CURLE_OK &&
              set(curl, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
              set(curl, CURLOPT_WRITEDATA, controller) == CURLE_OK &&
              (body == NULL || (set(curl, CURLOPT_HTTPHEADER, controller->headers) == CURLE_OK &&
                                set(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK));
    if (!ok) {
        return no_memory(error);
    }
    CURLcode result = library->easy_perform(curl);
    if (result != CURLE_OK) {
        haul_error_set(error, HAUL_UNREACHABLE, NULL, 0, "the controller does not answer: %s",
                       library->easy_strerror(result));
        haul_error_hint(error, "check --controller, and that it runs");
        return HAUL_UNREACHABLE;
    }
    (void)library->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, code);
    *answer = json_loadb(controller->answer == NULL ? "" : controller->answer,
                         controller->answer_size, 0, &ignored);
    return *answer != NULL || *code == HTTP_NOT_FOUND
               ? HAUL_OK
               : haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                                "no kvrocks-controller: HTTP code %ld without JSON", *code);
}

static const char *message_of(const json_t *answer)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
    return text == NULL ? "it names no reason" : text;
}

/* --- the cluster ------------------------------------------------------------------------------ */

/* -1: it is no master there. */
static int find_master(const json_t *shards, const char *master)
{
    for (size_t i = 0; i < json_array_size(shards); i++) {
        const json_t *nodes = json_object_get(json_array_get(shards, i), "nodes");
        for (size_t k = 0; k < json_array_size(nodes); k++) {
            const json_t *node = json_array_get(nodes, k);
            const char *id = json_string_value(json_object_get(node, "id"));
            const char *role = json_string_value(json_object_get(node, "role"));
            if (id != NULL && role != NULL && strcmp(id, master) == 0 &&
                strcmp(role, "master") == 0) {
                return (int)i;
            }
        }
    }
    return -1;
}

/* Its shards, of `*answer`, which is the caller's. */
static enum haul_status get_shards(struct controller *controller, json_t **answer,
                                   const json_t **shards, struct haul_error *error)
{
    long code = 0;
    enum haul_status status = request(controller, "", NULL, answer, &code, error);
    if (status != HAUL_OK) {
        return status;
    }
    *shards =
        json_object_get(json_object_get(json_object_get(*answer, "data"), "cluster"), "shards");
    if (code != HTTP_OK) {
        return haul_error_set(error, code == HTTP_NOT_FOUND ? HAUL_NOT_FOUND : HAUL_REFUSED, NULL,
                              0, "the controller refuses (HTTP code %ld): %s", code,
                              message_of(*answer));
    }
    return json_is_array(*shards) ? HAUL_OK
                                  : haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                                                   "the answer of the controller is no cluster");
}

enum haul_status controller_check(struct controller *controller, struct haul_error *error)
{
    json_t *answer = NULL;
    const json_t *shards = NULL;
    enum haul_status status = get_shards(controller, &answer, &shards, error);
    json_decref(answer);
    return status;
}

enum haul_status controller_find_shard(struct controller *controller, const char *master,
                                       int *shard, struct haul_error *error)
{
    json_t *answer = NULL;
    const json_t *shards = NULL;
    enum haul_status status = get_shards(controller, &answer, &shards, error);
    int found = status == HAUL_OK ? find_master(shards, master) : -1;
    if (status == HAUL_OK && found < 0) {
        status = haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                                "the controller's cluster has no master %s", master);
    }
    *shard = found >= 0 ? found : *shard;
    json_decref(answer);
    return status;
}

enum haul_status controller_migrate(struct controller *controller, struct slot_range slots,
                                    int shard, struct haul_error *error)
{
    char body[BODY_BYTES];
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    json_t *answer = NULL;
    long code = 0;
    slot_range_format(slots, range);
    (void)snprintf(body, sizeof(body), "{\"target\": %d, \"slot\": \"%s\", \"slot_only\": false}",
                   shard, range);
    enum haul_status status = request(controller, "/migrate", body, &answer, &code, error);
    if (status == HAUL_OK && code != HTTP_OK) {
        status = haul_error_set(error, HAUL_REFUSED, NULL, 0, "the controller refuses: %s",
                                message_of(answer));
    }
    json_decref(answer);
    return status;
}

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status controller_open(const char *url, uint32_t timeout_ms,
                                 struct controller **controller, struct haul_error *error)
{
    bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (!http || strstr(url, "/clusters/") == NULL || strlen(url) >= URL_BYTES) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "'%s' is no URL of a cluster", url);
        haul_error_hint(error, "--controller http://HOST:9379/api/v1/namespaces/NAMESPACE/clusters/"
                               "NAME");
        return HAUL_INVALID;
    }
    struct controller *opened = calloc(1, sizeof(*opened));
    if (opened == NULL) {
        return no_memory(error);
    }
    enum haul_status status = curl_library_load(&opened->library, error);
    if (status == HAUL_OK && opened->library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        status = no_memory(error);
    }
    if (status != HAUL_OK) {
        free(opened);
        return status;
    }
    opened->curl = opened->library.easy_init();
    opened->headers = opened->library.slist_append(NULL, "Content-Type: application/json");
    opened->timeout_ms = timeout_ms;
    (void)snprintf(opened->url, sizeof(opened->url), "%s", url);
    if (opened->curl == NULL || opened->headers == NULL) {
        controller_close(opened);
        return no_memory(error);
    }
    *controller = opened;
    return HAUL_OK;
}

void controller_close(struct controller *controller)
{
    if (controller != NULL) {
        struct curl_library library = controller->library;
        library.slist_free_all(controller->headers);
        library.easy_cleanup(controller->curl);
        free(controller->answer);
        free(controller);
        library.global_cleanup();
    }
}

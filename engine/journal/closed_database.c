/* SPDX-License-Identifier: Apache-2.0 */
/* closed_database.c — reads identity and last sequence number from a database's files. */
#include "closed_database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "haul_folder.h"
#include "manifest.h"
#include "plain_file.h"
#include "store_look.h"

/* As RocksDB stores it; "": it does not. */
static void read_identity(const char *database, char identity[HAUL_IDENTITY_BYTES_MAX])
{
    char path[CLOSED_DATABASE_PATH_BYTES_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/IDENTITY", database);
    FILE *file = plain_file_read(path);
    size_t size = file == NULL ? 0 : fread(identity, 1, HAUL_IDENTITY_BYTES_MAX - 1, file);
    identity[size] = '\0';
    identity[strcspn(identity, "\r\n")] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* --- progress --------------------------------------------------------------------------------- */

static uint64_t of_manifest(const char *database)
{
    struct manifest manifest = {.family_count = 0};
    struct haul_error ignored;
    char path[STORED_PATH_BYTES_MAX];
    uint64_t sequence = UINT64_MAX;
    if (manifest_read(database, &manifest, path, sizeof(path), &ignored) == HAUL_OK) {
        sequence = manifest.last_sequence;
    }
    manifest_fini(&manifest);
    return sequence;
}

static uint64_t of_log(const char *database)
{
    const struct store_look_options options = {.directory = database, .with_log = true};
    struct store_look *look = calloc(1, sizeof(*look));
    struct haul_error ignored;
    uint64_t sequence = UINT64_MAX;
    if (look != NULL && store_look_open(&options, look, &ignored) == HAUL_OK &&
        look->wal_place != WAL_UNSURE && !look->log.is_opaque) {
        sequence = look->log.last_sequence;
    }
    if (look != NULL) {
        store_look_close(look);
    }
    free(look);
    return sequence;
}

uint64_t closed_database_sequence(const char *database, uint64_t wanted)
{
    uint64_t sequence = of_manifest(database);
    if (sequence >= wanted) {
        return sequence;
    }
    uint64_t logged = of_log(database);
    /* A flush may have moved records from the log into tables meanwhile. */
    uint64_t later = of_manifest(database);
    sequence = logged > sequence ? logged : sequence;
    return later > sequence ? later : sequence;
}

enum haul_status closed_database_look(const char *database, bool reads_log,
                                      struct closed_database *closed, struct haul_error *error)
{
    struct stat found;
    struct instance_view view;
    struct haul_error ignored;
    if (strlen(database) >= HAUL_DIRECTORY_BYTES_MAX) {
        return haul_directory_too_long(error);
    }
    if (stat(database, &found) != 0 || !S_ISDIR(found.st_mode)) {
        return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no directory %s", database);
    }
    enum haul_status status = haul_folder_check(database, error);
    if (status != HAUL_OK) {
        return status;
    }
    (void)snprintf(closed->directory, sizeof(closed->directory), "%s/haul", database);
    read_identity(database, closed->identity);
    closed->place = (struct instance_place){
        .directory = closed->directory, .identity = closed->identity, .sequence = UINT64_MAX};
    if (reads_log && instance_look(&closed->place, &view, &ignored) == HAUL_OK &&
        view.state == INSTANCE_SAME && view.sequence > 0) {
        closed->place.sequence = closed_database_sequence(database, view.sequence);
    }
    return HAUL_OK;
}

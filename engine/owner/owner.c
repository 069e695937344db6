/* SPDX-License-Identifier: Apache-2.0 */
/* owner.c — the ownership record for operators and embedders. */
#include "haul/owner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "closed_database.h"
#include "haul_folder.h"
#include "manifest.h"
#include "owner_change.h"
#include "owner_copy.h"
#include "owner_pieces.h"
#include "ownership_file.h"
#include "store_look.h"

enum { PATH_BYTES_MAX = 1024 };

/* --- reading ---------------------------------------------------------------------------------- */

/* The caller's result, and the objects that it borrows from. */
struct owner_view {
    struct haul_owner owner;
    struct ownership ownership;
    struct owner_pieces pieces; /* of the selection */
};

static size_t count_parts(const struct ownership *ownership)
{
    size_t count = 0;
    for (size_t i = 0; i < ownership->family_count; i++) {
        count += ownership->families[i].map.count;
    }
    return count;
}

static void fill_ranges(struct owner_view *view)
{
    const struct ownership *from = &view->ownership;
    struct haul_owner *to = &view->owner;
    for (size_t i = 0; i < from->family_count; i++) {
        const struct ownership_family *family = &from->families[i];
        for (size_t j = 0; j < family->map.count; j++) {
            const struct range_map_part *part = &family->map.parts[j];
            bool released = part->mark.state == OWNERSHIP_RELEASED;
            struct haul_owner_range *range = &to->ranges[to->range_count++];
            *range = (struct haul_owner_range){.state = released ? HAUL_OWNER_RELEASED
                                                                 : HAUL_OWNER_IMPORTED,
                                               .family = family->name,
                                               .range = {.start = key_range_start(&part->range),
                                                         .end = key_range_end(&part->range)},
                                               .peer = ownership_peer_name(from, part->mark.peer)};
            memcpy(range->job, part->mark.job, sizeof(range->job));
        }
    }
}

static void fill_jobs(struct owner_view *view)
{
    const struct ownership *from = &view->ownership;
    struct haul_owner *to = &view->owner;
    for (size_t i = 0; i < from->job_count; i++) {
        const struct ownership_job *job = &from->jobs[i];
        to->jobs[i] = (struct haul_owner_job){.act = (enum haul_owner_act)job->act,
                                              .result = job->result,
                                              .peer = ownership_peer_name(from, job->peer),
                                              .old_version = job->old_version,
                                              .new_version = job->new_version,
                                              .time_s = job->time_s,
                                              .records = job->records,
                                              .bytes = job->bytes};
        memcpy(to->jobs[i].job, job->id, sizeof(to->jobs[i].job));
    }
    to->job_count = from->job_count;
}

/* The name under which peers know the database. There is none in a folder from before instances,
 * nor in a database on which haul was never used. */
static enum haul_status fill_origin(const struct instance_place *place, struct haul_owner *made,
                                    struct haul_error *error)
{
    struct instance_view view;
    enum haul_status status = owner_look_origin(place, &view, &made->origin, error);
    if (status == HAUL_OK && (view.name[0] != '\0' || view.has_records)) {
        (void)snprintf(made->identity, sizeof(made->identity), "%s",
                       view.name[0] == '\0' ? place->identity : view.name);
    }
    return status;
}

static enum haul_status make_view(const struct instance_place *place, struct haul_owner **owner,
                                  struct haul_error *error)
{
    struct owner_view *view = calloc(1, sizeof(*view));
    if (view == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the record");
    }
    enum haul_status status =
        ownership_read(place->calls, place->directory, &view->ownership, error);
    if (status != HAUL_OK) {
        free(view);
        return status;
    }
    struct haul_owner *made = &view->owner;
    made->config_version = view->ownership.config_version;
    made->ranges = calloc(count_parts(&view->ownership) + 1, sizeof(*made->ranges));
    made->jobs = calloc(view->ownership.job_count + 1, sizeof(*made->jobs));
    if (made->ranges == NULL || made->jobs == NULL) {
        haul_owner_free(made);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the record");
    }
    status = fill_origin(place, made, error);
    if (status != HAUL_OK) {
        haul_owner_free(made);
        return status;
    }
    fill_ranges(view);
    fill_jobs(view);
    *owner = made;
    return HAUL_OK;
}

void haul_owner_free(struct haul_owner *owner)
{
    struct owner_view *view = (struct owner_view *)owner;
    if (view == NULL) {
        return;
    }
    owner_pieces_fini(&view->pieces);
    ownership_fini(&view->ownership);
    free(owner->ranges);
    free(owner->jobs);
    free(view);
}

enum haul_status haul_owner_read(const char *directory, struct haul_owner **owner,
                                 struct haul_error *error)
{
    struct closed_database closed;
    enum haul_status status = closed_database_look(directory, true, &closed, error);
    return status == HAUL_OK ? make_view(&closed.place, owner, error) : status;
}

/* --- a selection ------------------------------------------------------------------------------ */

/* The key orders of the selected families; the selection bounds them. Errors: UNSUPPORTED,
 * NO_MEMORY. */
static enum haul_status add_family(struct owner_pieces *pieces, const struct ownership *ownership,
                                   const struct manifest_family *family,
                                   const struct haul_owner_selection *selection,
                                   struct haul_error *error)
{
    size_t first = pieces->count;
    if (strcmp(family->name, STATISTICS_FAMILY) == 0 || !owner_selects(selection, family->name)) {
        return HAUL_OK;
    }
    enum haul_status status = owner_pieces_add(pieces, ownership, family->name, selection, error);
    for (size_t i = first; i < pieces->count && status == HAUL_OK; i++) {
        const struct key_range *range = &pieces->items[i].range;
        status = key_range_check_order(
            key_range_start(range), key_range_end(range), family->name,
            family->comparator[0] == '\0' ? HAUL_COMPARATOR_BYTEWISE : family->comparator, error);
    }
    return status;
}

/* Add the RELEASED ranges of the database's families; a database that is not RocksDB's has the
 * families that the record names. Errors: UNSUPPORTED, NO_MEMORY, those of manifest_read. */
static enum haul_status add_selected(const char *database, const struct ownership *ownership,
                                     const struct haul_owner_selection *selection,
                                     struct owner_pieces *pieces, struct haul_error *error)
{
    char manifest_path[STORED_PATH_BYTES_MAX];
    struct manifest manifest;
    enum haul_status status =
        manifest_read(database, &manifest, manifest_path, sizeof(manifest_path), error);
    if (status == HAUL_NOT_FOUND) {
        return owner_pieces_add_all(pieces, ownership, selection, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < manifest.family_count && status == HAUL_OK; i++) {
        status = add_family(pieces, ownership, &manifest.families[i], selection, error);
    }
    manifest_fini(&manifest);
    return status;
}

static enum haul_status fill_pieces(struct owner_view *view, struct haul_error *error)
{
    struct haul_owner *to = &view->owner;
    struct haul_owner_range *ranges = calloc(view->pieces.count + 1, sizeof(*ranges));
    if (ranges == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the ranges");
    }
    for (size_t i = 0; i < view->pieces.count; i++) {
        const struct owner_piece *piece = &view->pieces.items[i];
        const struct range_map_part *part =
            ownership_find(&view->ownership, piece->family, &piece->range, OWNERSHIP_RELEASED);
        ranges[i] = (struct haul_owner_range){
            .state = HAUL_OWNER_RELEASED,
            .family = piece->family,
            .range = {.start = key_range_start(&piece->range), .end = key_range_end(&piece->range)},
            .peer = ""};
        if (part != NULL) {
            ranges[i].peer = ownership_peer_name(&view->ownership, part->mark.peer);
            memcpy(ranges[i].job, part->mark.job, sizeof(ranges[i].job));
        }
    }
    free(to->ranges);
    to->ranges = ranges;
    to->range_count = view->pieces.count;
    return HAUL_OK;
}

enum haul_status haul_owner_read_released(const char *directory,
                                          const struct haul_owner_selection *selection,
                                          struct haul_owner **owner, struct haul_error *error)
{
    struct haul_owner *read = NULL;
    enum haul_status status = haul_owner_read(directory, &read, error);
    struct owner_view *view = (struct owner_view *)read;
    if (status == HAUL_OK) {
        status = add_selected(directory, &view->ownership, selection, &view->pieces, error);
    }
    if (status == HAUL_OK) {
        status = fill_pieces(view, error);
    }
    if (status != HAUL_OK) {
        haul_owner_free(read);
        return status;
    }
    *owner = read;
    return HAUL_OK;
}

/* --- of a store, and of a range --------------------------------------------------------------- */

enum haul_status haul_owner_of_store(struct haul_store *store, struct haul_owner **owner,
                                     struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    if (!haul_directory_of(store, path, sizeof(path))) {
        return haul_directory_too_long(error);
    }
    const struct instance_place place = {.calls = haul_files_of(store),
                                         .directory = path,
                                         .identity = store->ops->identity(store),
                                         .sequence = store->ops->sequence(store)};
    return make_view(&place, owner, error);
}

enum haul_owner_state haul_owner_state_of(const struct haul_owner *owner, const char *family,
                                          const struct haul_range *range)
{
    const struct owner_view *view = (const struct owner_view *)owner;
    const struct range_map *map = ownership_map(&view->ownership, family);
    struct key_range asked;
    if (map == NULL || key_range_init(&asked, range->start, range->end) != HAUL_OK) {
        return map == NULL ? HAUL_OWNER_OWN : HAUL_OWNER_RELEASED; /* no memory: do not serve it */
    }
    enum haul_owner_state state = HAUL_OWNER_OWN;
    if (range_map_find(map, &asked, OWNERSHIP_RELEASED) != NULL) {
        state = HAUL_OWNER_RELEASED;
    } else if (range_map_covers(map, &asked, OWNERSHIP_IMPORTED)) {
        state = HAUL_OWNER_IMPORTED;
    }
    key_range_fini(&asked);
    return state;
}

const char *haul_owner_state_name(enum haul_owner_state state)
{
    static const char *const names[] = {[HAUL_OWNER_OWN] = "own",
                                        [HAUL_OWNER_RELEASED] = "released",
                                        [HAUL_OWNER_IMPORTED] = "imported"};
    return names[state];
}

const char *haul_owner_act_name(enum haul_owner_act act)
{
    static const char *const names[] = {[HAUL_OWNER_GAVE] = "gave",
                                        [HAUL_OWNER_TOOK] = "took",
                                        [HAUL_OWNER_RECLAIMED] = "reclaimed"};
    return names[act];
}

/* --- changing --------------------------------------------------------------------------------- */

enum haul_status haul_owner_reclaim(const char *directory,
                                    const struct haul_owner_selection *selection,
                                    bool accept_two_owners, struct haul_error *error)
{
    struct closed_database closed;
    struct haul_owner *released = NULL;
    enum haul_status status = closed_database_look(directory, true, &closed, error);
    if (status == HAUL_OK) {
        status = instance_check(&closed.place, error);
    }
    if (status == HAUL_OK && selection->range_count > 0) { /* are these bounds possible? */
        status = haul_owner_read_released(directory, selection, &released, error);
        haul_owner_free(released);
    }
    return status == HAUL_OK
               ? owner_reclaim(NULL, closed.directory, selection, accept_two_owners, error)
               : status;
}

enum haul_status haul_owner_forget(const char *directory, bool accept_two_owners,
                                   struct haul_error *error)
{
    struct closed_database closed;
    struct stat found;
    enum haul_status status = closed_database_look(directory, true, &closed, error);
    if (status == HAUL_OK && stat(closed.directory, &found) != 0 && errno == ENOENT) {
        return HAUL_OK; /* nothing to forget */
    }
    return status == HAUL_OK ? owner_forget(&closed.place, accept_two_owners, error) : status;
}

enum haul_status haul_owner_adopt(const char *directory, bool accept_two_owners,
                                  struct haul_error *error)
{
    struct closed_database closed;
    enum haul_status status = closed_database_look(directory, true, &closed, error);
    return status == HAUL_OK ? owner_adopt(&closed.place, accept_two_owners, error) : status;
}

enum haul_status haul_owner_rebuild(const char *directory, bool accept_two_owners,
                                    struct haul_error *error)
{
    struct closed_database closed;
    enum haul_status status = closed_database_look(directory, true, &closed, error);
    return status == HAUL_OK ? owner_rebuild(NULL, closed.directory, accept_two_owners, error)
                             : status;
}

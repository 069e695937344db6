/* SPDX-License-Identifier: Apache-2.0 */
/* target_places.c — who holds which place, with which ranges. */
#include "target_places.h"

#include <string.h>

#include "planted_bug.h"

void target_places_fini(struct target_places *places)
{
    for (uint32_t i = 0; i < places->count; i++) {
        plan_fini(&places->places[i].plan);
    }
}

/* --- looking ---------------------------------------------------------------------------------- */

static struct target_place *find(struct target_places *places, const struct target_driver *holder)
{
    for (uint32_t i = 0; i < places->count; i++) {
        if (places->places[i].holder == holder) {
            return &places->places[i];
        }
    }
    return NULL;
}

bool target_places_holds(const struct target_places *places, const struct target_driver *driver)
{
    bool holds = false;
    for (uint32_t i = 0; i < places->count; i++) {
        holds = holds || places->places[i].holder == driver;
    }
    return holds;
}

uint32_t target_places_others(const struct target_places *places,
                              const struct target_driver *driver)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < places->count; i++) {
        const struct target_driver *holder = places->places[i].holder;
        others += holder != NULL && holder != driver ? 1 : 0;
    }
    return others;
}

bool target_places_runs(const struct target_places *places, const struct target_driver *driver,
                        const uint8_t job[HAUL_JOB_BYTES])
{
    bool runs = false;
    for (uint32_t i = 0; i < places->count; i++) {
        const struct target_place *place = &places->places[i];
        bool other = place->holder != NULL && place->holder != driver;
        runs = runs || (other && memcmp(place->job, job, HAUL_JOB_BYTES) == 0);
    }
    return runs;
}

/* --- refusing --------------------------------------------------------------------------------- */

static void hint(struct haul_error *error)
{
    haul_error_hint(error, "try again when it has ended, or raise --retry");
}

void target_places_explain_full(const struct target_places *places, struct haul_error *error)
{
    if (places->count == 1) {
        haul_error_set(error, HAUL_BUSY, NULL, 0, "another job runs on this receiver");
        hint(error);
        return;
    }
    haul_error_set(error, HAUL_BUSY, NULL, 0,
                   "%u other jobs run on this receiver, which is as "
                   "many as it takes",
                   places->count);
    haul_error_hint(error, "try again when one has ended, or raise --retry, or --jobs there");
}

static enum haul_status refuse_running(struct haul_error *error)
{
    haul_error_set(error, HAUL_BUSY, NULL, 0, "another attempt of this job runs on this receiver");
    hint(error);
    return HAUL_BUSY;
}

static enum haul_status refuse_overlap(struct haul_error *error)
{
    haul_error_set(error, HAUL_BUSY, NULL, 0,
                   "another job runs on this receiver, and brings a part of these ranges");
    hint(error);
    return HAUL_BUSY;
}

enum haul_status target_places_check(const struct target_places *places,
                                     const struct target_driver *driver,
                                     const uint8_t job[HAUL_JOB_BYTES], struct haul_error *error)
{
    bool has_one = target_places_holds(places, driver);
    if (!has_one && target_places_others(places, driver) == places->count) {
        target_places_explain_full(places, error);
        return HAUL_BUSY;
    }
    return target_places_runs(places, driver, job) ? refuse_running(error) : HAUL_OK;
}

static bool overlaps_another(const struct target_places *places, const struct target_driver *driver,
                             const struct plan *plan)
{
    bool overlaps = false;
    for (uint32_t i = 0; i < places->count; i++) {
        const struct target_place *place = &places->places[i];
        bool other = place->holder != NULL && place->holder != driver;
        overlaps = overlaps || (other && plan_overlaps(&place->plan, plan));
    }
    return overlaps && !HAUL_PLANTED_BUG(OVERLAPS_ADMITTED);
}

/* --- taking ----------------------------------------------------------------------------------- */

enum haul_status target_places_take(struct target_places *places, struct target_driver *driver,
                                    const uint8_t job[HAUL_JOB_BYTES], const struct message *plan,
                                    struct haul_error *error)
{
    struct plan wanted = {.family_count = 0};
    enum haul_status status = target_places_check(places, driver, job, error);
    if (status == HAUL_OK && plan != NULL) {
        status = plan_from_message(&wanted, plan, error);
    }
    if (status == HAUL_OK && overlaps_another(places, driver, &wanted)) {
        status = refuse_overlap(error);
    }
    if (status != HAUL_OK) {
        plan_fini(&wanted);
        return status;
    }
    struct target_place *taken = find(places, driver);
    taken = taken == NULL ? find(places, NULL) : taken;
    taken->holder = driver;
    memcpy(taken->job, job, HAUL_JOB_BYTES);
    if (plan != NULL) {
        plan_fini(&taken->plan);
        taken->plan = wanted;
    }
    return HAUL_OK;
}

void target_places_brief(struct target_places *places, const struct target_driver *driver,
                         struct target_journal *journal)
{
    const struct target_place *place = find(places, driver);
    journal->left = target_lefts_find(&places->lefts, place->job);
    journal->beside_others = target_places_others(places, driver) > 0;
    journal->claim =
        (struct space_claim){.all = &places->claims, .index = (size_t)(place - places->places)};
}

struct call_worker *target_places_worker(struct target_places *places,
                                         const struct target_driver *driver)
{
    const struct target_place *place = find(places, driver);
    return place == NULL ? NULL : place->worker;
}

void target_places_leave(struct target_places *places, const struct target_driver *driver)
{
    struct target_place *place = find(places, driver);
    if (place != NULL && !HAUL_PLANTED_BUG(PLACE_KEPT)) {
        const struct space_claim claim = {&places->claims, (size_t)(place - places->places)};
        space_claim_set(&claim, 0);
        place->holder = NULL;
        plan_fini(&place->plan);
        memset(&place->plan, 0, sizeof(place->plan));
    }
}

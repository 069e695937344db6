/* SPDX-License-Identifier: Apache-2.0 */
/* link_conformance.h — one suite for every link: the transport's hooks, and what the tests drive.
 *
 * A test drives a `party`: some link ends, a listener and a socket to a peer process, all owned by
 * one thread. Plain counters count everything that happens, and the only way to wait is
 * conformance_await(counter, value): poll everything, arm everything, sleep in poll(2) on link_fd,
 * never longer than CONFORMANCE_WAIT_MS. Nothing in here fails a test by itself, so all of it may
 * run in any thread and in the peer process; `defect` records what an end found wrong. */
#ifndef HAUL_TESTS_LINK_CONFORMANCE_H
#define HAUL_TESTS_LINK_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "link.h"

enum {
    CONFORMANCE_WAIT_MS = 20000,
    CONFORMANCE_ENDS_MAX = 4,
    CONFORMANCE_EVENTS_MAX = 32,
    CONFORMANCE_EPOCH = 7,
};

/* --- the backend ------------------------------------------------------------------------------ */

/* What a transport, or the machine under it, can sustain. */
struct conformance_limits {
    uint32_t slot_size_bytes; /* the largest slot tried */
    uint32_t block_count;     /* of the long exchanges */
    uint32_t peer_timeout_ms;
    bool peers_are_processes; /* false: both ends live in this process only */
};

struct conformance_backend {
    const char *suite;
    enum haul_transport transport;
    struct conformance_limits limits;
    const char *(*missing)(void);                  /* why nothing can run here; NULL: it can */
    bool (*address)(struct link_address *address); /* where to listen; port 0 */
    void (*prepare)(struct link_config *config);
};

/* The whole program: the suite, or with `--peer PHASE ADDRESS` the peer that gets killed. */
int conformance_main(const struct conformance_backend *backend, int argc, char **argv);

/* The transport of this program. */
const struct conformance_backend *conformance_backend(void);

/* --- ends and parties ------------------------------------------------------------------------- */

struct conformance_end {
    struct link *link;
    struct link_config config;
    size_t capacity;    /* of one link_poll; 0: CONFORMANCE_EVENTS_MAX */
    bool holds;         /* keep received blocks in `lent` until conformance_release */
    bool applies_not;   /* the receiver never reports anything as applied by itself */
    uint64_t connected; /* counters: 0 or 1 */
    uint64_t closed;
    uint64_t credits;
    uint64_t done_ok;
    uint64_t done_cancelled;
    uint64_t done;
    uint64_t moves; /* events after which a refused submit may succeed, or never will */
    uint64_t received;
    uint64_t freed; /* as the link reports it */
    uint64_t applied;
    uint64_t submitted;
    struct block *lent[HAUL_SLOT_COUNT_MAX];
    uint32_t lent_count;
    struct haul_error error; /* of CLOSED */
    const char *defect;      /* the first defect found; NULL: none */
};

struct conformance_party {
    struct conformance_end *ends[CONFORMANCE_ENDS_MAX];
    size_t end_count;
    struct listener *listener;
    struct link_incoming incoming; /* taken while `incoming_count` is odd */
    uint64_t incoming_count;
    int message_fd;     /* to the peer process; -1: none */
    uint64_t described; /* addresses or descriptions that came */
    uint64_t described_used;
    uint64_t ready;
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    size_t description_size;
};

/* Options for small, quick links: four slots of the smallest size. */
struct link_config conformance_config(void);

void conformance_party_init(struct conformance_party *party);
void conformance_party_add(struct conformance_party *party, struct conformance_end *end);

/* Drive the party until the counter has the value; false: it did not in time. */
bool conformance_await(struct conformance_party *party, const uint64_t *counter, uint64_t value);

/* Listen; accept the next peer; answer it. False: it failed. */
bool conformance_listen(struct conformance_party *party);
bool conformance_take_incoming(struct conformance_party *party);
bool conformance_accept(struct conformance_party *party, struct conformance_end *end);
void conformance_reject(struct conformance_party *party, enum haul_status reason);
void conformance_unlisten(struct conformance_party *party);
enum haul_status conformance_connect(struct conformance_end *end,
                                     const struct link_address *address);

/* Exchange descriptions of two ends in this process. */
bool conformance_bind_both(struct conformance_end *sender, struct conformance_end *receiver);

/* Fill the next block with its pattern and submit it. Errors: those of block_pool_acquire (0: no
 * wait) and of link_submit. */
enum haul_status conformance_submit(struct conformance_end *sender, uint32_t payload_size_bytes);

/* Submit `count` blocks; drive the party whenever the link or the pool is full. */
bool conformance_send(struct conformance_party *party, struct conformance_end *sender,
                      uint64_t count, uint32_t (*payload_size_bytes)(uint64_t number));

/* Release the lent block at `position` (in order of arrival), and count it as applied unless
 * `applies_not`. */
void conformance_release(struct conformance_end *receiver, uint32_t position);
void conformance_release_all(struct conformance_end *receiver);

/* Destroy the link at once, whatever its state. */
void conformance_drop(struct conformance_end *end);

/* --- the usual pair --------------------------------------------------------------------------- */

/* Two ends in this process, one party. Static, so that a test may stop anywhere: opening first
 * closes what an earlier test left. */
struct conformance_pair {
    struct conformance_party party;
    struct conformance_end sender;
    struct conformance_end receiver;
    struct link_address address;
};
extern struct conformance_pair pair;

/* Set the configurations (a test may change them), listen. */
void conformance_pair_begin(void);
/* Connect and accept until both ends are connected; then bind. A failure stops the test. */
void conformance_pair_connect(void);
void conformance_pair_bind(void);
/* begin, connect, bind. */
void conformance_pair_open(void);
void conformance_pair_end(void);

/* Wait (as conformance_await); a timeout stops the test. */
void conformance_pair_await(const uint64_t *counter, uint64_t value);
/* Wait for the CLOSED of an end and compare its status. */
void conformance_pair_await_closed(const struct conformance_end *end, enum haul_status status);

/* --- the tests -------------------------------------------------------------------------------- */

struct conformance_tests {
    const struct check_test *tests;
    size_t count;
};
extern const struct conformance_tests conformance_life_tests;
extern const struct conformance_tests conformance_flow_tests;
extern const struct conformance_tests conformance_death_tests;

/* `--peer PHASE ADDRESS`: reach the phase, report it, go on until killed. */
int conformance_peer_main(const char *phase, const char *address);

#endif

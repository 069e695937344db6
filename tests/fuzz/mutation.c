/* SPDX-License-Identifier: Apache-2.0 */
/* mutation.c — one random source and a table of mutations. */
#include "mutation.h"

#include <string.h>

enum { CHANGE_COUNT_MAX = 4, PART_BYTES_MAX = 64 };

typedef size_t change_function(struct mutation_random *random, uint8_t *bytes, size_t size,
                               size_t capacity);

uint64_t mutation_random_next(struct mutation_random *random)
{
    uint64_t value = random->state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

size_t mutation_random_below(struct mutation_random *random, size_t limit)
{
    return (size_t)(mutation_random_next(random) % limit);
}

static size_t flip_bit(struct mutation_random *random, uint8_t *bytes, size_t size, size_t capacity)
{
    (void)capacity;
    bytes[mutation_random_below(random, size)] ^= (uint8_t)(1 << mutation_random_below(random, 8));
    return size;
}

/* Replace by a boundary value. */
static size_t set_byte(struct mutation_random *random, uint8_t *bytes, size_t size, size_t capacity)
{
    static const uint8_t borders[] = {0, 1, 0x7f, 0x80, 0xff, 0x10, 0x40, 0xfe};
    (void)capacity;
    bytes[mutation_random_below(random, size)] =
        borders[mutation_random_below(random, sizeof(borders))];
    return size;
}

static size_t replace_byte(struct mutation_random *random, uint8_t *bytes, size_t size,
                           size_t capacity)
{
    (void)capacity;
    bytes[mutation_random_below(random, size)] = (uint8_t)mutation_random_next(random);
    return size;
}

static size_t cut_end(struct mutation_random *random, uint8_t *bytes, size_t size, size_t capacity)
{
    (void)bytes;
    (void)capacity;
    return mutation_random_below(random, size);
}

/* A part that begins at `at`. */
static size_t part_size(struct mutation_random *random, size_t at, size_t size)
{
    size_t left = size - at;
    return 1 + mutation_random_below(random, left < PART_BYTES_MAX ? left : PART_BYTES_MAX);
}

static size_t remove_part(struct mutation_random *random, uint8_t *bytes, size_t size,
                          size_t capacity)
{
    (void)capacity;
    size_t at = mutation_random_below(random, size);
    size_t part = part_size(random, at, size);
    memmove(bytes + at, bytes + at + part, size - at - part);
    return size - part;
}

static size_t repeat_part(struct mutation_random *random, uint8_t *bytes, size_t size,
                          size_t capacity)
{
    size_t at = mutation_random_below(random, size);
    size_t part = part_size(random, at, size);
    if (part > capacity - size) {
        return size;
    }
    memmove(bytes + at + part, bytes + at, size - at);
    return size + part;
}

static size_t overwrite_part(struct mutation_random *random, uint8_t *bytes, size_t size,
                             size_t capacity)
{
    (void)capacity;
    size_t from = mutation_random_below(random, size);
    size_t to = mutation_random_below(random, size);
    size_t part = part_size(random, from > to ? from : to, size);
    memmove(bytes + to, bytes + from, part);
    return size;
}

static size_t add_byte(struct mutation_random *random, uint8_t *bytes, size_t size, size_t capacity)
{
    if (size == capacity) {
        return size;
    }
    size_t at = mutation_random_below(random, size + 1);
    memmove(bytes + at + 1, bytes + at, size - at);
    bytes[at] = (uint8_t)mutation_random_next(random);
    return size + 1;
}

static change_function *const changes[] = {
    flip_bit, set_byte, replace_byte, cut_end, remove_part, repeat_part, overwrite_part, add_byte,
};

size_t mutate(struct mutation_random *random, uint8_t *bytes, size_t size, size_t capacity)
{
    size_t count = 1 + mutation_random_below(random, CHANGE_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        change_function *change =
            changes[mutation_random_below(random, sizeof(changes) / sizeof(changes[0]))];
        size = size == 0 ? add_byte(random, bytes, size, capacity)
                         : change(random, bytes, size, capacity);
    }
    return size;
}

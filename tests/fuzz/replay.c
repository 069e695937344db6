/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c — runs a fuzz target without a fuzzer: the empty input, every file of a directory, then
 * mutations of these files from a seed that it prints.
 *
 *   fuzz_<noun> DIRECTORY|FILE [SEED [MUTATIONS]]
 *
 * Each file counts as a test, and all mutations together as one. When a target aborts, replay names
 * the input and keeps it in <program>.crash, which can be given as FILE. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz_target.h"
#include "mutation.h"

enum {
    INPUT_BYTES_MAX = 1 << 20,
    PATH_BYTES_MAX = 4096,
    MUTATION_COUNT = 2000,
    GROWTH_BYTES_MAX = 1024,
};

struct input {
    char *name;
    uint8_t *bytes;
    size_t size;
};

/* The running input, for the crash handlers. */
static struct {
    const char *program;
    const char *name;
    const uint8_t *bytes;
    size_t size;
    unsigned long mutation; /* 0: unchanged */
    unsigned passed;
} running;

/* From the sanitizers' runtime, if there is one: sanitizers do not end with a signal. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void die(const char *what, const char *name)
{
    (void)fprintf(stderr, "%s: %s %s: %s\n", running.program, what, name, strerror(errno));
    exit(2);
}

/* --- the end of a target ---------------------------------------------------------------------- */

static void keep_input(void)
{
    char path[PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s.crash", running.program);
    FILE *file = fopen(path, "wb");
    if (file != NULL) {
        (void)fwrite(running.bytes, 1, running.size, file);
        (void)fclose(file);
    }
}

static void tell_of_failure(void)
{
    (void)printf("FAILED %s: %s, mutation %lu: %zu bytes, kept in %s.crash\n", running.program,
                 running.name, running.mutation, running.size, running.program);
    (void)printf("%s: %u passed, 1 failed, 0 skipped\n", running.program, running.passed);
    (void)fflush(stdout);
    keep_input();
}

/* The process is lost anyway, so calls that are unsafe in a handler can do no more harm. */
static void on_signal(int signal_number)
{
    (void)signal(signal_number, SIG_DFL);
    tell_of_failure();
    (void)raise(signal_number);
}

static void watch_for_failure(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
    bool has_runtime = __sanitizer_set_death_callback != NULL;
    if (has_runtime) {
        __sanitizer_set_death_callback(tell_of_failure);
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)signal(signals[i], on_signal);
    }
}

/* --- running ---------------------------------------------------------------------------------- */

/* In memory of exactly its size, so that sanitizers notice an overread. */
static void run(const struct input *input, unsigned long mutation)
{
    enum { SECONDS_MAX = 20 };
    uint8_t *copy = malloc(input->size + (input->size == 0));
    if (copy == NULL) {
        die("no memory for", input->name);
    }
    if (input->size > 0) {
        memcpy(copy, input->bytes, input->size);
    }
    running.name = input->name;
    running.bytes = input->bytes;
    running.size = input->size;
    running.mutation = mutation;
    (void)alarm(SECONDS_MAX);
    (void)LLVMFuzzerTestOneInput(copy, input->size);
    (void)alarm(0);
    free(copy);
}

static void run_mutations(const struct input *inputs, size_t count, uint64_t seed,
                          unsigned long mutations)
{
    uint8_t *bytes = malloc(INPUT_BYTES_MAX + GROWTH_BYTES_MAX);
    if (bytes == NULL) {
        die("no memory for", "mutations");
    }
    for (unsigned long i = 1; i <= mutations; i++) {
        /* Each mutation has a seed of its own and can be repeated without the earlier ones. */
        struct mutation_random random = {.state = seed + i};
        const struct input *from = &inputs[mutation_random_below(&random, count)];
        struct input mutated = {.name = from->name, .bytes = bytes};
        if (from->size > 0) {
            memcpy(bytes, from->bytes, from->size);
        }
        mutated.size = mutate(&random, bytes, from->size, from->size + GROWTH_BYTES_MAX);
        run(&mutated, i);
    }
    free(bytes);
}

/* --- the corpus ------------------------------------------------------------------------------- */

static void read_input(const char *path, const char *name, struct input *input)
{
    *input = (struct input){.name = strdup(name), .bytes = malloc(INPUT_BYTES_MAX)};
    FILE *file = fopen(path, "rb");
    if (file == NULL || input->name == NULL || input->bytes == NULL) {
        die("cannot read", path);
    }
    input->size = fread(input->bytes, 1, INPUT_BYTES_MAX, file);
    if (ferror(file) != 0 || fgetc(file) != EOF) {
        errno = ferror(file) != 0 ? errno : EFBIG;
        die("cannot read", path);
    }
    (void)fclose(file);
    uint8_t *shrunk = realloc(input->bytes, input->size + 1);
    input->bytes = shrunk == NULL ? input->bytes : shrunk;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of their names, after the empty input. */
static size_t read_inputs(const char *path, struct input **inputs)
{
    struct stat about;
    struct dirent **entries = NULL;
    bool is_file = stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
    int count = is_file ? 1 : scandir(path, &entries, is_visible, alphasort);
    *inputs = count <= 0 ? NULL : calloc((size_t)count + 1, sizeof(**inputs));
    if (*inputs == NULL) {
        die("no input in", path);
    }
    (*inputs)[0] = (struct input){.name = strdup("(empty)"), .bytes = malloc(1)};
    for (int i = 0; i < count; i++) {
        char file[PATH_BYTES_MAX];
        (void)snprintf(file, sizeof(file), "%s/%s", path, is_file ? "" : entries[i]->d_name);
        read_input(is_file ? path : file, is_file ? path : entries[i]->d_name, &(*inputs)[i + 1]);
        free(is_file ? NULL : entries[i]);
    }
    free(entries);
    return (size_t)count + 1;
}

static const char *program_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

int main(int argc, char **argv)
{
    running.program = program_name(argv[0]);
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s DIRECTORY|FILE [SEED [MUTATIONS]]\n", running.program);
        return 2;
    }
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    unsigned long mutations = argc > 3 ? strtoul(argv[3], NULL, 0) : MUTATION_COUNT;
    struct input *inputs;
    size_t count = read_inputs(argv[1], &inputs);
    watch_for_failure();
    for (size_t i = 0; i < count; i++) {
        run(&inputs[i], 0);
        running.passed++;
    }
    (void)printf("%s: seed %llu, %lu mutations\n", running.program, (unsigned long long)seed,
                 mutations);
    (void)fflush(stdout);
    run_mutations(inputs, count, seed, mutations);
    running.passed++;
    for (size_t i = 0; i < count; i++) {
        free(inputs[i].name);
        free(inputs[i].bytes);
    }
    free(inputs);
    (void)printf("%s: %u passed, 0 failed, 0 skipped\n", running.program, running.passed);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* call_faults.c — which call fails, and how. */
#include "call_faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SITES_MAX = 8192, LINE_BYTES_MAX = 128 };
#define JSON_SITES_AT (UINT64_C(1) << 40)

enum harm { HARM_NONE, HARM_ERROR, HARM_SHORT, HARM_KILL, HARM_STOP, HARM_TRACE, HARM_WIRE };

static struct {
    bool active;
    bool all; /* include calls of libraries */
    char which[32];
    uintptr_t site;       /* 0: any */
    unsigned long number; /* from 1 */
    bool onwards;
    enum harm harm;
    int code;
    enum wire_harm wire;
    unsigned status;
    const char *mark;
    uintptr_t base; /* of the program */
    uintptr_t text_begin, text_end;
    uintptr_t json_begin, json_end;
} rule;

static atomic_ulong met;
static atomic_bool marked;
static atomic_uintptr_t sites[SITES_MAX]; /* already reported */

static const struct {
    const char *name;
    int code;
} errors[] = {{"EIO", EIO},           {"ENOSPC", ENOSPC},
              {"ENOMEM", ENOMEM},     {"EMFILE", EMFILE},
              {"EINTR", EINTR},       {"EAGAIN", EAGAIN},
              {"EACCES", EACCES},     {"ECONNRESET", ECONNRESET},
              {"EINVAL", EINVAL},     {"ENODEV", ENODEV},
              {"EPIPE", EPIPE},       {"ETIMEDOUT", ETIMEDOUT},
              {"ENETDOWN", ENETDOWN}, {"EHOSTUNREACH", EHOSTUNREACH}};

static const char *const group_names[] = {"memory", "file", "socket", "thread", "verbs"};

/* --- the rule ----------------------------------------------------------------------------------*/

static int note_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    bool program = info->dlpi_name[0] == '\0' && rule.text_end == 0;
    bool json = strstr(info->dlpi_name, "libjansson") != NULL;
    for (int i = 0; i < info->dlpi_phnum && (program || json); i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0) {
            uintptr_t begin = info->dlpi_addr + header->p_vaddr;
            *(program ? &rule.text_begin : &rule.json_begin) = begin;
            *(program ? &rule.text_end : &rule.json_end) = begin + header->p_memsz;
        }
    }
    if (program) {
        rule.base = info->dlpi_addr;
    }
    (void)context;
    return 0;
}

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "call_faults: %s\n", what);
    _exit(125);
}

static void parse_harm(const char *text)
{
    static const struct {
        const char *name;
        enum wire_harm harm;
    } wires[] = {{"drop", WIRE_DROP}, {"twice", WIRE_TWICE},     {"qp", WIRE_QUEUE_ERROR},
                 {"rkey", WIRE_RKEY}, {"beyond", WIRE_BEYOND},   {"sequence", WIRE_SEQUENCE},
                 {"type", WIRE_TYPE}, {"rewrite", WIRE_REWRITE}, {"flood", WIRE_FLOOD}};
    rule.harm = HARM_ERROR;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strcmp(text, errors[i].name) == 0) {
            rule.code = errors[i].code;
            return;
        }
    }
    rule.harm = HARM_WIRE;
    for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
        if (strcmp(text, wires[i].name) == 0) {
            rule.wire = wires[i].harm;
            return;
        }
    }
    if (strncmp(text, "wc=", 3) == 0) {
        rule.wire = WIRE_STATUS;
        rule.status = (unsigned)strtoul(text + 3, NULL, 10);
        return;
    }
    rule.harm = strcmp(text, "kill") == 0    ? HARM_KILL
                : strcmp(text, "stop") == 0  ? HARM_STOP
                : strcmp(text, "short") == 0 ? HARM_SHORT
                : strcmp(text, "trace") == 0 ? HARM_TRACE
                                             : HARM_NONE;
    if (rule.harm == HARM_NONE) {
        die("HAUL_FAULT names no known harm");
    }
}

__attribute__((constructor)) static void read_rule(void)
{
    const char *text = getenv("HAUL_FAULT");
    const char *scope = getenv("HAUL_FAULT_SCOPE");
    if (text == NULL || strcmp(program_invocation_short_name, "haul") != 0) {
        return;
    }
    const char *number = strchr(text, ':');
    const char *harm = number != NULL ? strchr(number + 1, ':') : NULL;
    rule.mark = getenv("HAUL_FAULT_MARK");
    if (harm == NULL || (size_t)(number - text) >= sizeof(rule.which) || rule.mark == NULL) {
        die("HAUL_FAULT is WHICH:N[+]:HARM, and HAUL_FAULT_MARK a file");
    }
    memcpy(rule.which, text, (size_t)(number - text));
    rule.number = strtoul(number + 1, NULL, 10);
    rule.onwards = harm[-1] == '+';
    parse_harm(harm + 1);
    if (strncmp(rule.which, "0x", 2) == 0) {
        rule.site = strtoul(rule.which, NULL, 16);
    }
    rule.all = scope != NULL && strcmp(scope, "all") == 0;
    (void)dl_iterate_phdr(note_program, NULL);
    rule.active = true;
}

/* --- calls -------------------------------------------------------------------------------------*/

/* The loader may allocate memory while it binds this library: return NULL until the pointers are
 * bound, and touch nothing else that it binds before the rule was read. */
static void *(*const volatile find_symbol)(void *, const char *) = dlsym;

void *call_faults_real(const char *name)
{
    return find_symbol == NULL ? NULL : find_symbol(RTLD_NEXT, name);
}

/* Directly by system call: our own wrappers must not see it. */
static void write_mark(const char *name, uintptr_t site)
{
    char line[LINE_BYTES_MAX];
    int size = snprintf(line, sizeof(line), "%s 0x%lx\n", name, (unsigned long)site);
    long fd =
        syscall(SYS_openat, AT_FDCWD, rule.mark, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 || syscall(SYS_write, fd, line, (size_t)size) != size) {
        die("HAUL_FAULT_MARK cannot be written");
    }
    (void)syscall(SYS_close, fd);
}

static bool within(uintptr_t address, uintptr_t begin, uintptr_t end)
{
    return address >= begin && address < end;
}

static void tell_site(const char *name, uintptr_t site)
{
    for (size_t i = 0; i < SITES_MAX; i++) {
        uintptr_t free_place = 0;
        uintptr_t known = atomic_load(&sites[(site + i) % SITES_MAX]);
        if (known == site) {
            return;
        }
        if (known == 0 &&
            atomic_compare_exchange_strong(&sites[(site + i) % SITES_MAX], &free_place, site)) {
            write_mark(name, site);
            return;
        }
    }
}

__attribute__((destructor)) static void tell_total(void)
{
    if (rule.active && rule.harm == HARM_TRACE) {
        write_mark("total", atomic_load(&met));
    }
}

/* Count the call if the rule covers it; returns whether it is the one. */
static bool is_met(const char *name, const char *group, const void *caller)
{
    uintptr_t address = (uintptr_t)caller;
    bool own = within(address, rule.text_begin, rule.text_end) ||
               within(address, rule.json_begin, rule.json_end);
    if (!own && !rule.all) {
        return false;
    }
    /* The JSON library's address varies: number its sites after all of the program's. */
    uintptr_t site = within(address, rule.json_begin, rule.json_end)
                         ? address - rule.json_begin + JSON_SITES_AT
                         : address - rule.base;
    bool named = rule.site != 0 ? site == rule.site
                                : strcmp(rule.which, name) == 0 || strcmp(rule.which, group) == 0 ||
                                      strcmp(rule.which, "any") == 0;
    if (!named) {
        return false;
    }
    unsigned long count = atomic_fetch_add(&met, 1) + 1;
    if (rule.harm == HARM_TRACE) {
        tell_site(name, site);
        return false;
    }
    if (count != rule.number && !(rule.onwards && count > rule.number)) {
        return false;
    }
    if (!atomic_exchange(&marked, true)) {
        write_mark(name, site);
    }
    if (rule.harm == HARM_KILL || rule.harm == HARM_STOP) {
        (void)syscall(SYS_kill, getpid(), rule.harm == HARM_KILL ? SIGKILL : SIGSTOP);
    }
    return true;
}

bool call_faults_fails(const char *name, enum call_group group, const void *caller)
{
    if (!rule.active) {
        return false;
    }
    int kept = errno;
    bool whole = rule.harm != HARM_SHORT && rule.harm != HARM_WIRE;
    if (whole && is_met(name, group_names[group], caller) && rule.harm == HARM_ERROR) {
        errno = rule.code;
        return true;
    }
    errno = kept;
    return false;
}

size_t call_faults_shorten(const char *name, size_t size, const void *caller)
{
    if (!rule.active) {
        return size;
    }
    int kept = errno;
    bool shortens = size > 1 && rule.harm == HARM_SHORT && is_met(name, "", caller);
    errno = kept;
    return shortens ? size / 2 : size;
}

enum wire_harm call_faults_wire(const char *name, unsigned *status)
{
    if (!rule.active || rule.harm != HARM_WIRE ||
        !is_met(name, "", (const void *)rule.text_begin)) {
        return WIRE_SOUND;
    }
    *status = rule.status;
    return rule.wire;
}

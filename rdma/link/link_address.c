/* SPDX-License-Identifier: Apache-2.0 */
/* link_address.c — converts "ADDR:PORT" to a socket address and back. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "link.h"
#include "link_sockaddr.h"

static_assert(LINK_ADDRESS_BYTES == sizeof(struct sockaddr_storage), "an address fits");

enum { PORT_BYTES_MAX = 8 };

/* "host:port", "[v6]:port", ":port". False: none of these. */
static bool split(const char *text, char *host, char *port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) >= PORT_BYTES_MAX ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return false;
    }
    size_t size = (size_t)(colon - text);
    bool bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    if (bracketed) {
        text++;
        size -= 2;
    }
    if (bracketed != (memchr(text, ':', size) != NULL)) {
        return false; /* brackets are for IPv6 literals, which need them */
    }
    if (size >= LINK_HOST_BYTES_MAX) {
        return false;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    (void)snprintf(port, PORT_BYTES_MAX, "%s", colon + 1);
    return true;
}

static bool lacks_zone(const struct link_address *address)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)link_sockaddr_of(address);
    return link_sockaddr_of(address)->ss_family == AF_INET6 &&
           IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) && six->sin6_scope_id == 0;
}

static void copy_found(const struct addrinfo *found, struct link_addresses *addresses)
{
    for (; found != NULL && addresses->count < LINK_ADDRESS_COUNT_MAX; found = found->ai_next) {
        struct link_address *address = &addresses->items[addresses->count++];
        memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
        address->size = found->ai_addrlen;
    }
}

/* A resolver that does not answer is not a wrong name. */
static enum haul_status fail_resolve(int result, int code, const char *host,
                                     struct haul_error *error)
{
    bool passes = result == EAI_AGAIN || result == EAI_SYSTEM;
    enum haul_status status = passes                 ? HAUL_UNREACHABLE
                              : result == EAI_MEMORY ? HAUL_NO_MEMORY
                                                     : HAUL_NOT_FOUND;
    haul_error_set(error, status, "getaddrinfo", result == EAI_SYSTEM ? code : 0,
                   "cannot resolve '%s': %s", host, gai_strerror(result));
    haul_error_hint(error, "%s",
                    passes ? "the resolver does not answer: check /etc/resolv.conf and the "
                             "network, or give the address in digits"
                           : "check the name");
    return status;
}

enum haul_status link_addresses_parse(const char *text, struct link_addresses *addresses,
                                      struct haul_error *error)
{
    char host[LINK_HOST_BYTES_MAX];
    char port[PORT_BYTES_MAX];
    unsigned number = 0;
    if (!split(text, host, port) || sscanf(port, "%u", &number) != 1 || number > 65535) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "invalid address '%s': not ADDR:PORT", text);
        haul_error_hint(error, "for example 10.0.0.7:7447, [2001:db8::7]:7447 or db7:7447");
        return HAUL_INVALID;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found);
    if (result != 0) {
        return fail_resolve(result, errno, host, error);
    }
    memset(addresses, 0, sizeof(*addresses));
    (void)snprintf(addresses->host, sizeof(addresses->host), "%s",
                   host[0] == '\0' ? "localhost" : host);
    copy_found(found, addresses);
    freeaddrinfo(found);
    if (addresses->count == 1 && lacks_zone(&addresses->items[0])) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "'%s' is a link-local address, which needs an interface", text);
        haul_error_hint(error, "add the interface: [%s%%eth0]:%s", host, port);
        return HAUL_INVALID;
    }
    return HAUL_OK;
}

enum haul_status link_address_parse(const char *text, struct link_address *address,
                                    struct haul_error *error)
{
    struct link_addresses all;
    enum haul_status status = link_addresses_parse(text, &all, error);
    if (status == HAUL_OK) {
        *address = all.items[0];
    }
    return status;
}

bool link_addresses_next(struct link_addresses *addresses)
{
    addresses->at = (addresses->at + 1) % addresses->count;
    addresses->failed_count = (addresses->failed_count + 1) % addresses->count;
    return addresses->failed_count != 0;
}

void link_addresses_found(struct link_addresses *addresses)
{
    addresses->failed_count = 0;
}

/* "%eth0", which a link-local address needs; "" for others. */
static void format_zone(const struct sockaddr_in6 *six, char zone[IF_NAMESIZE + 1])
{
    char name[IF_NAMESIZE];
    zone[0] = '\0';
    if (!IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) || six->sin6_scope_id == 0) {
        return;
    }
    if (if_indextoname(six->sin6_scope_id, name) != NULL) {
        (void)snprintf(zone, IF_NAMESIZE + 1, "%%%s", name);
    } else {
        (void)snprintf(zone, IF_NAMESIZE + 1, "%%%u", six->sin6_scope_id);
    }
}

void link_address_format(const struct link_address *address, char text[LINK_ADDRESS_TEXT_BYTES_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr *any = (const struct sockaddr *)link_sockaddr_of(address);
    if (any->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)link_sockaddr_of(address);
        char zone[IF_NAMESIZE + 1];
        (void)inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
        format_zone(six, zone);
        (void)snprintf(text, LINK_ADDRESS_TEXT_BYTES_MAX, "[%s%s]:%u", host, zone,
                       ntohs(six->sin6_port));
        return;
    }
    const struct sockaddr_in *four = (const struct sockaddr_in *)link_sockaddr_of(address);
    if (any->sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
    }
    (void)snprintf(text, LINK_ADDRESS_TEXT_BYTES_MAX, "%s:%u", host, ntohs(four->sin_port));
}

/* --- hosts ------------------------------------------------------------------------------------ */

static bool is_same_host(const struct sockaddr *a, const struct sockaddr_storage *b)
{
    if (a == NULL || a->sa_family != b->ss_family) {
        return false;
    }
    if (a->sa_family == AF_INET) {
        return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr,
                      &((const struct sockaddr_in *)b)->sin_addr, sizeof(struct in_addr)) == 0;
    }
    return a->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

bool link_address_same_host(const struct link_address *a, const struct link_address *b)
{
    return is_same_host((const struct sockaddr *)link_sockaddr_of(a), link_sockaddr_of(b));
}

bool link_address_is_loopback(const struct link_address *address)
{
    const struct sockaddr_storage *any = link_sockaddr_of(address);
    if (any->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)any;
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)any)->sin6_addr;
    return any->ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(in6) ||
            (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == IN_LOOPBACKNET));
}

const char *link_peer_refusal(const struct link_config *config, const struct link_address *peer)
{
    return config->loopback_only && !link_address_is_loopback(peer)
               ? "it is on another host, and without a key only this host is trusted"
               : NULL;
}

enum haul_status link_addresses_check_loopback(const struct link_addresses *addresses,
                                               const char *text, struct haul_error *error)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (!link_address_is_loopback(&addresses->items[i])) {
            haul_error_set(error, HAUL_AUTH, NULL, 0,
                           "without a key only this host is trusted, not %s", text);
            haul_error_hint(error,
                            "--key FILE on both sides, made by `haul keygen`, or certificates "
                            "(--tls-cert); or --insecure");
            return HAUL_AUTH;
        }
    }
    return HAUL_OK;
}

static int node_of_interface(const char *name)
{
    char path[128];
    int node = -1;
    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/device/numa_node", name);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%d", &node) != 1) {
            node = -1;
        }
        (void)fclose(file);
    }
    return node;
}

int link_address_node(const struct link_address *address)
{
    struct ifaddrs *all = NULL;
    int node = -1;
    if (getifaddrs(&all) != 0) {
        return node;
    }
    for (const struct ifaddrs *one = all; one != NULL && node < 0; one = one->ifa_next) {
        if (is_same_host(one->ifa_addr, link_sockaddr_of(address))) {
            node = node_of_interface(one->ifa_name);
        }
    }
    freeifaddrs(all);
    return node;
}

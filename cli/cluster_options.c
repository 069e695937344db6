/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_options.c — the password comes from a file or the environment, never from the command
 * line, which every user of the host can read. */
#include "cluster_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "discovery.h"

static const char password_variable[] = "HAUL_CLUSTER_PASSWORD";

/* The first line of the file. */
static enum haul_status read_password(int fd, const char *path, char *password,
                                      struct haul_error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        haul_error_set(error, HAUL_AUTH, NULL, 0, "others can read the password in %s", path);
        haul_error_hint(error, "chmod 600 it");
        return HAUL_AUTH;
    }
    ssize_t size = read(fd, password, CLUSTER_PASSWORD_BYTES_MAX - 1);
    if (size < 0) {
        return haul_error_set(error, HAUL_IO, "read", errno, "cannot read %s", path);
    }
    password[size] = '\0';
    password[strcspn(password, "\r\n")] = '\0';
    if (password[0] == '\0' || size == CLUSTER_PASSWORD_BYTES_MAX - 1) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "no password in the first line of %s",
                              path);
    }
    return HAUL_OK;
}

static enum haul_status load_password(struct cluster_options *options, struct haul_error *error)
{
    if (options->password_file == NULL) {
        options->access.password = getenv(password_variable);
        return HAUL_OK;
    }
    int fd = open(options->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int code = errno;
        /* Not its name: it may be a password that somebody meant to give. */
        return haul_error_set(error, code == ENOENT ? HAUL_NOT_FOUND : HAUL_IO, "open", code,
                              "cannot read the file of --password-file");
    }
    enum haul_status status = read_password(fd, options->password_file, options->password, error);
    (void)close(fd);
    options->access.password = options->password;
    return status;
}

static enum haul_status check_tls(const struct node_access *access, struct haul_error *error)
{
    bool files =
        access->ca_file != NULL || access->certificate != NULL || access->private_key != NULL;
    if (files && !access->tls) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "--tls-ca, --tls-cert and --tls-key need --tls");
    }
    if ((access->certificate == NULL) != (access->private_key == NULL)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "--tls-cert and --tls-key go together");
    }
    return HAUL_OK;
}

enum haul_status cluster_options_open(struct cluster_options *options, struct haul_error *error)
{
    enum haul_status status = check_tls(&options->access, error);
    return status == HAUL_OK ? load_password(options, error) : status;
}

void cluster_options_close(struct cluster_options *options)
{
    explicit_bzero(options->password, sizeof(options->password));
    options->access.password = NULL;
}

enum haul_status cluster_options_discover(struct cluster_options *options,
                                          struct node_facts_list *list, struct haul_error *error)
{
    enum haul_status status = cluster_options_open(options, error);
    if (status == HAUL_OK) {
        status = discovery_run(options->nodes, &options->access, list, error);
    }
    if (status == HAUL_OK && options->wants_sizes) {
        status = discovery_sizes(&options->access, list, error);
    }
    cluster_options_close(options);
    return status;
}

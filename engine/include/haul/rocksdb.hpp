/* SPDX-License-Identifier: Apache-2.0 */
/* rocksdb.hpp — haul_rocks_store_attach for a program that has its database open through RocksDB's
 * C++ API: a rocksdb::DB and its column family handles become a store, without a cast. C++17.
 *
 *     haul::rocks_store store;
 *     haul_error error{};
 *     if (store.attach(db, handles, &error) == HAUL_OK) {
 *         options.store = store.get();
 *
 * Nothing here throws but std::bad_alloc. Link libhaul and the RocksDB that it was built for. */
#ifndef HAUL_ROCKSDB_HPP
#define HAUL_ROCKSDB_HPP

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/c.h>
#include <rocksdb/comparator.h>
#include <rocksdb/db.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/options.h>
#include <rocksdb/version.h>

#include "haul/store.h"

namespace haul
{

/* A store over a database that the program keeps. Movable. One thread at a time may use this
 * object, but the store that get() returns is as thread-safe as any. */
class rocks_store
{
  public:
    /* Which HAUL_STORE_* currently hold; called for each job (haul_rocks_database). */
    using features_function = uint32_t (*)(void *context);
    /* LogData with which haul ends its batches (haul_rocks_database). */
    using log_data_function = size_t (*)(void *context, uint8_t *blob);

    rocks_store() = default;
    rocks_store(rocks_store &&other) noexcept
    {
        swap(other);
    }
    rocks_store &operator=(rocks_store &&other) noexcept
    {
        swap(other);
        return *this;
    }
    rocks_store(const rocks_store &) = delete;
    rocks_store &operator=(const rocks_store &) = delete;
    ~rocks_store()
    {
        close();
    }

    /* Attach to `db` with the column families of `handles`, which outlive the store; a database
     * attached before is detached first. `db` may be a StackableDB, such as an
     * OptimisticTransactionDB: haul writes through it, and refuses what it cannot move
     * (docs/COMPATIBILITY.md).
     * Errors: UNSUPPORTED (RocksDB is of another release than the headers), INVALID (also: a handle
     * is null), and those of haul_rocks_store_attach. */
    enum haul_status attach(rocksdb::DB *db,
                            const std::vector<rocksdb::ColumnFamilyHandle *> &handles,
                            struct haul_error *error, features_function features = nullptr,
                            void *context = nullptr, log_data_function log_data = nullptr)
    {
        close();
        enum haul_status status = check_release(error);
        if (status != HAUL_OK) {
            return status;
        }
        if (db == nullptr) {
            return haul_error_set(error, HAUL_INVALID, nullptr, 0, "no database");
        }
        auto parts = std::make_unique<parts_of>();
        std::vector<haul_rocks_family> families;
        for (rocksdb::ColumnFamilyHandle *each : handles) {
            if (each == nullptr) {
                return haul_error_set(error, HAUL_INVALID, nullptr, 0, "a handle is null");
            }
            families.push_back(parts->add(db, each));
        }
        parts->db.object = db;
        parts->path = db->GetName();
        struct haul_rocks_database database = {};
        database.size_bytes = sizeof(database);
        database.path = parts->path.c_str();
        database.db = reinterpret_cast<rocksdb_t *>(&parts->db);
        database.families = families.data();
        database.family_count = families.size();
        database.features = features;
        database.context = context;
        database.log_data = log_data;
        status = parts->check(families, error);
        if (status == HAUL_OK) {
            status = haul_rocks_store_attach(&database, &store_, error);
        }
        if (status == HAUL_OK) {
            parts_ = std::move(parts);
        }
        return status;
    }

    /* Detach. No migration may use the store any more. The database stays open. */
    void close()
    {
        if (store_ != nullptr) {
            haul_store_close(store_);
            store_ = nullptr;
        }
        parts_.reset();
    }

    /* Borrowed; null when nothing is attached. */
    struct haul_store *get() const
    {
        return store_;
    }

  private:
    /* A handle of RocksDB's C API begins with the pointer to the C++ object; further members of
     * some releases are zero. `check` proves it, and so does haul_rocks_store_attach. */
    struct handle {
        void *object = nullptr;
        void *behind[7] = {};
    };

    struct family {
        std::string name;
        std::string comparator;
        std::string merge_operator;
        handle column_family;
        rocksdb::Options options; /* the C API's handle of options is the object itself */
    };

    struct parts_of {
        handle db;
        std::string path;
        std::deque<family> families; /* a deque, because its elements stay in place */

        haul_rocks_family add(rocksdb::DB *from, rocksdb::ColumnFamilyHandle *given)
        {
            families.emplace_back();
            family &added = families.back();
            added.name = given->GetName();
            added.comparator = given->GetComparator()->Name();
            added.options = from->GetOptions(given);
            added.column_family.object = given;
            if (added.options.merge_operator != nullptr) {
                added.merge_operator = added.options.merge_operator->Name();
            }
            haul_rocks_family made = {};
            made.name = added.name.c_str();
            made.handle = reinterpret_cast<rocksdb_column_family_handle_t *>(&added.column_family);
            made.options = reinterpret_cast<rocksdb_options_t *>(&added.options);
            made.comparator = added.comparator.c_str();
            made.merge_operator =
                added.merge_operator.empty() ? nullptr : added.merge_operator.c_str();
            return made;
        }

        /* Check that the C API sees what the C++ API has. */
        enum haul_status check(const std::vector<haul_rocks_family> &given,
                               struct haul_error *error) const
        {
            for (size_t i = 0; i < given.size(); i++) {
                size_t size = 0;
                auto *object =
                    static_cast<rocksdb::ColumnFamilyHandle *>(families[i].column_family.object);
                char *name = rocksdb_column_family_handle_get_name(given[i].handle, &size);
                bool same =
                    name != nullptr && families[i].name == std::string(name, size) &&
                    rocksdb_column_family_handle_get_id(given[i].handle) == object->GetID() &&
                    rocksdb_options_get_write_buffer_size(given[i].options) ==
                        families[i].options.write_buffer_size;
                rocksdb_free(name);
                if (!same) {
                    return haul_error_set(error, HAUL_UNSUPPORTED, nullptr, 0,
                                          "RocksDB's C API cannot use its C++ handles");
                }
            }
            return HAUL_OK;
        }
    };

    static enum haul_status check_release(struct haul_error *error)
    {
        int major = 0;
        int minor = 0;
        std::string release = rocksdb::GetRocksVersionAsString(true);
        (void)std::sscanf(release.c_str(), "%d.%d", &major, &minor);
        if (major == ROCKSDB_MAJOR && minor == ROCKSDB_MINOR) {
            return HAUL_OK;
        }
        haul_error_set(error, HAUL_UNSUPPORTED, nullptr, 0,
                       "the program runs RocksDB %s, its headers are of %d.%d", release.c_str(),
                       ROCKSDB_MAJOR, ROCKSDB_MINOR);
        haul_error_hint(error,
                        "build the program with the headers of the RocksDB that it runs with");
        return HAUL_UNSUPPORTED;
    }

    void swap(rocks_store &other) noexcept
    {
        std::swap(store_, other.store_);
        std::swap(parts_, other.parts_);
    }

    struct haul_store *store_ = nullptr;
    std::unique_ptr<parts_of> parts_;
};

} /* namespace haul */

#endif

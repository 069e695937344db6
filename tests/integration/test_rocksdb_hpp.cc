/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocksdb_hpp.cc — a C++ program gives and takes a range with the rocksdb::DB it has open. */
#include "haul/rocksdb.hpp"

#include <rocksdb/convenience.h>
#include <rocksdb/utilities/optimistic_transaction_db.h>
#include <stdlib.h>

#include <filesystem>

#include "haul/migration.h"

extern "C" {
#include "check.h"
}

namespace
{

enum { WAIT_MS = 60000 };

struct server {
    std::string path;
    rocksdb::DB *db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle *> handles;
    haul::rocks_store store;

    explicit server(bool transactions = false)
    {
        char name[] = "/tmp/haul-hpp-XXXXXX";
        check_or_stop(mkdtemp(name) != nullptr);
        path = name;
        rocksdb::Options options;
        options.create_if_missing = true;
        options.create_missing_column_families = true;
        rocksdb::ColumnFamilyOptions appending;
        appending.write_buffer_size = 3 << 20;
        check_or_stop(rocksdb::MergeOperator::CreateFromString(
                          rocksdb::ConfigOptions(), "stringappend", &appending.merge_operator)
                          .ok());
        const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
            {"default", rocksdb::ColumnFamilyOptions()}, {"log", appending}};
        rocksdb::Status status;
        if (transactions) {
            rocksdb::OptimisticTransactionDB *made = nullptr;
            status =
                rocksdb::OptimisticTransactionDB::Open(options, path, families, &handles, &made);
            db = made;
        } else {
            status = rocksdb::DB::Open(options, path, families, &handles, &db);
        }
        check_or_stop(status.ok());
    }
    server(const server &) = delete;
    server &operator=(const server &) = delete;
    ~server()
    {
        store.close();
        for (auto *handle : handles) {
            (void)db->DestroyColumnFamilyHandle(handle);
        }
        delete db;
        std::filesystem::remove_all(path);
    }

    std::string get(size_t family, const std::string &key) const
    {
        std::string value;
        rocksdb::Status status = db->Get(rocksdb::ReadOptions(), handles[family], key, &value);
        return status.ok() ? value : status.IsNotFound() ? "(none)" : "(error)";
    }

    void put(size_t family, const std::string &key, const std::string &value) const
    {
        check_or_stop(db->Put(rocksdb::WriteOptions(), handles[family], key, value).ok());
    }
};

haul_error error;

void test_attach__two_families__named_as_they_are()
{
    server a;
    static struct haul_family found[HAUL_FAMILY_COUNT_MAX];
    size_t count = 0;
    check_or_stop(a.store.attach(a.db, a.handles, &error) == HAUL_OK);
    struct haul_store *store = a.store.get();
    check_status(store->ops->families(store, found, HAUL_FAMILY_COUNT_MAX, &count, &error),
                 HAUL_OK);
    check_equal(count, 2);
    check_text(found[0].name, "default");
    check_text(found[0].comparator, HAUL_COMPARATOR_BYTEWISE);
    check_text(found[0].merge_operator, "");
    check_text(found[1].name, "log");
    check_equal(found[1].id, a.handles[1]->GetID());
    check(found[1].merge_operator[0] != '\0');
    haul::rocks_store moved = std::move(a.store);
    check(moved.get() == store);
    check(a.store.get() == nullptr);
}

void move_all(server *a, server *b)
{
    a->put(0, "user:1", "ann");
    a->put(1, "event", "born");
    check_or_stop(a->db->Merge(rocksdb::WriteOptions(), a->handles[1], "event", "married").ok());
    check_or_stop(a->store.attach(a->db, a->handles, &error) == HAUL_OK);
    check_or_stop(b->store.attach(b->db, b->handles, &error) == HAUL_OK);
    struct haul_target_options take = {};
    struct haul_migration *target = nullptr;
    take.size_bytes = sizeof(take);
    take.store = b->store.get();
    take.listen = "127.0.0.1:0";
    take.once = true;
    check_or_stop(haul_target_start(&take, &target, &error) == HAUL_OK);
    struct haul_source_options give = {};
    struct haul_migration *source = nullptr;
    give.size_bytes = sizeof(give);
    give.store = a->store.get();
    give.to = haul_migration_address(target);
    check_or_stop(haul_source_start(&give, &source, &error) == HAUL_OK);
    check_or_stop(haul_migration_ended(source, WAIT_MS) && haul_migration_ended(target, WAIT_MS));
    check_status(haul_migration_result(source)->status, HAUL_OK);
    check_status(haul_migration_result(target)->status, HAUL_OK);
    haul_migration_destroy(source);
    haul_migration_destroy(target);
    check_text(b->get(0, "user:1").c_str(), "ann");
    check_text(b->get(1, "event").c_str(), "born,married");
}

void test_attach__both_ends__records_move_and_databases_stay_open()
{
    server a;
    server b;
    move_all(&a, &b);
    a.store.close();
    b.store.close();
    b.put(0, "user:2", "bob");
    check_text(b.get(0, "user:2").c_str(), "bob");
    check_text(a.get(0, "user:1").c_str(), "ann");
}

void test_attach__optimistic_transactions__records_move()
{
    server a(true);
    server b(true);
    move_all(&a, &b);
}

uint32_t no_ingestion(void *context)
{
    *static_cast<bool *>(context) = true;
    return HAUL_STORE_WAL | HAUL_STORE_FOLLOWERS;
}

void test_attach__features__asked_of_the_program()
{
    server a;
    bool asked = false;
    check_or_stop(a.store.attach(a.db, a.handles, &error, no_ingestion, &asked) == HAUL_OK);
    check_equal(a.store.get()->ops->features(a.store.get()),
                (uint32_t)HAUL_STORE_WAL | (uint32_t)HAUL_STORE_FOLLOWERS);
    check(asked);
}

void test_attach__nothing_to_attach__invalid()
{
    server a;
    check_error(a.store.attach(nullptr, a.handles, &error), HAUL_INVALID, error);
    check_error(a.store.attach(a.db, {nullptr}, &error), HAUL_INVALID, error);
    check(a.store.get() == nullptr);
}

const struct check_test tests[] = {
    CHECK_TEST(test_attach__two_families__named_as_they_are),
    CHECK_TEST(test_attach__both_ends__records_move_and_databases_stay_open),
    CHECK_TEST(test_attach__optimistic_transactions__records_move),
    CHECK_TEST(test_attach__features__asked_of_the_program),
    CHECK_TEST(test_attach__nothing_to_attach__invalid),
};

} // namespace

CHECK_MAIN("rocksdb_hpp", tests)

/* SPDX-License-Identifier: Apache-2.0 */
/* store_reader.cc — what an application would read from a database: the judge of tests that move
 * one.
 *
 *   store_reader [OPTION]... DIR
 *     --digest             one line a family instead of one a record
 *     --points             look each key up as well, and fail (3) when that reads differently
 *     --family NAME        only this family; may be repeated
 *     --range START:END    only these keys; text, or 0x... in hexadecimal
 *     --wal-dir DIR        where the log lies, if not where the database says
 *     --path DIR           one of the database's db_paths; may be repeated
 *     --system             RocksDB's own statistics family, too
 *     --log                the batches of the write-ahead log instead, one a line: #BLOB for
 *                          LogData, KEY for a put, KEY- for a delete, FROM..TO for a DeleteRange
 *
 * It uses RocksDB's C++ API and nothing of haul: columns of wide-column entities, merged values,
 * values from blob files. It opens nothing for writing and leaves no file behind; the database may
 * be open elsewhere. The text is canonical: two databases that read alike give equal output.
 *
 *   family NAME              escaped like the rest
 *   KEY =VALUE               a plain value: hexadecimal; longer than 64 bytes "size#hash"
 *   KEY =VALUE name=VALUE    an entity; "=" alone is the default column
 *   end RECORDS              with --digest: "end RECORDS HASH"
 *
 * Exit code: 0, 1 when the database cannot be read, 2 for usage, 3 when two ways of reading
 * disagree. */
#include <rocksdb/comparator.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/transaction_log.h>
#include <rocksdb/utilities/options_util.h>
#include <rocksdb/wide_columns.h>
#include <xxhash.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "foreign_objects.h"

namespace
{

using rocksdb::Slice;
using rocksdb::Status;

constexpr size_t VALUE_BYTES_SHOWN_MAX = 64;
const char STATISTICS_FAMILY[] = "___rocksdb_stats_history___";

struct Options {
    bool digest = false;
    bool points = false;
    bool system = false;
    bool log = false;
    std::vector<std::string> families;
    std::vector<std::string> paths;
    std::string start;
    std::string end;
    std::string wal_dir;
    std::string directory;
};

[[noreturn]] void fail(int code, const std::string &what)
{
    (void)std::fflush(stdout);
    (void)std::fprintf(stderr, "store_reader: %s\n", what.c_str());
    std::exit(code);
}

void must(const Status &status, const std::string &what)
{
    if (!status.ok()) {
        fail(1, what + ": " + status.ToString());
    }
}

/* The LOG file belongs to the database's owner. */
class NoLog : public rocksdb::Logger
{
  public:
    using rocksdb::Logger::Logv;

    void Logv(const char *, va_list) override
    {
    }
};

/* --- text ------------------------------------------------------------------------------------- */

std::string hexadecimal(const Slice &bytes)
{
    return bytes.ToString(true);
}

std::string value_text(const Slice &value)
{
    if (value.size() <= VALUE_BYTES_SHOWN_MAX) {
        return hexadecimal(value);
    }
    XXH128_hash_t hash = XXH3_128bits(value.data(), value.size());
    char text[64];
    (void)std::snprintf(text, sizeof(text), "%zu#%016" PRIx64 "%016" PRIx64, value.size(),
                        static_cast<uint64_t>(hash.high64), static_cast<uint64_t>(hash.low64));
    return text;
}

std::string columns_text(const rocksdb::WideColumns &columns)
{
    std::string text;
    for (const auto &column : columns) {
        text += " " + hexadecimal(column.name()) + "=" + value_text(column.value());
    }
    return text;
}

std::string name_text(const std::string &name)
{
    std::string text;
    for (char byte : name) {
        bool plain = byte > ' ' && byte < 0x7f && byte != '\\';
        text += plain ? std::string(1, byte) : "\\x" + hexadecimal(Slice(&byte, 1));
    }
    return text;
}

/* Text, or 0x... in hexadecimal. */
std::string key_of(const std::string &text)
{
    std::string bytes;
    if (text.compare(0, 2, "0x") != 0) {
        return text;
    }
    if (!Slice(text.substr(2)).DecodeHex(&bytes)) {
        fail(2, "not hexadecimal: " + text);
    }
    return bytes;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct Family {
    std::string name;
    rocksdb::ColumnFamilyHandle *handle;
    size_t timestamp_bytes;
};

struct Database {
    std::unique_ptr<rocksdb::DB> db;
    std::vector<Family> families;
};

/* In families with timestamps: the newest. */
struct Reading {
    std::string newest;
    Slice newest_slice;
    rocksdb::ReadOptions options;

    explicit Reading(const Family &family) : newest(family.timestamp_bytes, '\xff')
    {
        newest_slice = newest;
        options.total_order_seek = true;
        options.verify_checksums = true;
        options.fill_cache = false;
        if (family.timestamp_bytes > 0) {
            options.timestamp = &newest_slice;
        }
    }
};

/* For an entity, a look-up returns the default column. (GetEntity crashes in a database of 7.8 that
 * is open read-only.) */
void check_point(const Database &database, const Family &family, const Reading &reading,
                 const Slice &key, const Slice &scanned)
{
    std::string found;
    must(database.db->Get(reading.options, family.handle, key, &found),
         "look up " + hexadecimal(key) + " of " + family.name);
    if (found != scanned) {
        fail(3, "key " + hexadecimal(key) + " of " + family.name + ": a scan reads " +
                    value_text(scanned) + ", a look-up " + value_text(found));
    }
}

bool is_wanted(const Options &options, const Slice &key)
{
    return key.compare(options.start) >= 0 && (options.end.empty() || key.compare(options.end) < 0);
}

void read_family(const Options &options, const Database &database, const Family &family)
{
    Reading reading(family);
    std::unique_ptr<rocksdb::Iterator> iterator(
        database.db->NewIterator(reading.options, family.handle));
    XXH3_state_t *hash = XXH3_createState();
    (void)XXH3_128bits_reset(hash);
    uint64_t records = 0;
    std::printf("family %s\n", name_text(family.name).c_str());
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
        if (!is_wanted(options, iterator->key())) {
            continue;
        }
        std::string text = columns_text(iterator->columns());
        if (options.points) {
            check_point(database, family, reading, iterator->key(), iterator->value());
        }
        std::string line = hexadecimal(iterator->key()) + text + "\n";
        (void)XXH3_128bits_update(hash, line.data(), line.size());
        if (!options.digest) {
            (void)std::fwrite(line.data(), 1, line.size(), stdout);
        }
        records++;
    }
    must(iterator->status(), "scan of " + family.name);
    XXH128_hash_t sum = XXH3_128bits_digest(hash);
    (void)XXH3_freeState(hash);
    std::printf("end %" PRIu64, records);
    if (options.digest) {
        std::printf(" %016" PRIx64 "%016" PRIx64, static_cast<uint64_t>(sum.high64),
                    static_cast<uint64_t>(sum.low64));
    }
    std::printf("\n");
}

/* --- the log ---------------------------------------------------------------------------------- */

class BatchText : public rocksdb::WriteBatch::Handler
{
  public:
    std::string text;

    Status PutCF(uint32_t, const Slice &key, const Slice &) override
    {
        return add(name_text(key.ToString()));
    }

    Status DeleteCF(uint32_t, const Slice &key) override
    {
        return add(name_text(key.ToString()) + "-");
    }

    Status DeleteRangeCF(uint32_t, const Slice &from, const Slice &to) override
    {
        return add(name_text(from.ToString()) + ".." + name_text(to.ToString()));
    }

    void LogData(const Slice &blob) override
    {
        (void)add("#" + name_text(blob.ToString()));
    }

  private:
    Status add(const std::string &word)
    {
        text += (text.empty() ? "" : " ") + word;
        return Status::OK();
    }
};

void read_log(const Database &database)
{
    std::unique_ptr<rocksdb::TransactionLogIterator> iterator;
    must(database.db->GetUpdatesSince(0, &iterator), "the log");
    for (; iterator->Valid(); iterator->Next()) {
        BatchText batch;
        must(iterator->GetBatch().writeBatchPtr->Iterate(&batch), "a batch of the log");
        std::printf("%s\n", batch.text.c_str());
    }
    must(iterator->status(), "the log");
}

/* --- opening ---------------------------------------------------------------------------------- */

const rocksdb::ColumnFamilyDescriptor *
find_descriptor(const std::vector<rocksdb::ColumnFamilyDescriptor> &stored, const std::string &name)
{
    for (const auto &descriptor : stored) {
        if (descriptor.name == name) {
            return &descriptor;
        }
    }
    return nullptr;
}

/* The stored options, if there are any; the families of the manifest. */
void open_database(const Options &options, Database *database)
{
    rocksdb::ConfigOptions config;
    config.ignore_unknown_options = true;
    rocksdb::DBOptions db_options;
    std::vector<rocksdb::ColumnFamilyDescriptor> stored;
    Status status = rocksdb::LoadLatestOptions(config, options.directory, &db_options, &stored);
    if (!status.ok() && !status.IsNotFound()) {
        must(status, "options of " + options.directory);
    }
    db_options.info_log = std::make_shared<NoLog>();
    if (!options.wal_dir.empty()) {
        db_options.wal_dir = options.wal_dir;
    }
    for (const auto &path : options.paths) {
        db_options.db_paths.emplace_back(path, UINT64_C(1) << 40);
    }
    std::vector<std::string> names;
    must(rocksdb::DB::ListColumnFamilies(db_options, options.directory, &names),
         "families of " + options.directory);
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const auto &name : names) {
        const auto *found = find_descriptor(stored, name);
        descriptors.emplace_back(name, found == nullptr ? rocksdb::ColumnFamilyOptions()
                                                        : found->options);
    }
    std::vector<rocksdb::ColumnFamilyHandle *> handles;
    rocksdb::DB *db = nullptr;
    must(rocksdb::DB::OpenForReadOnly(db_options, options.directory, descriptors, &handles, &db),
         "open " + options.directory);
    database->db.reset(db);
    for (size_t i = 0; i < handles.size(); i++) {
        database->families.push_back(
            {names[i], handles[i], handles[i]->GetComparator()->timestamp_size()});
    }
    std::sort(database->families.begin(), database->families.end(),
              [](const Family &a, const Family &b) { return a.name < b.name; });
}

bool is_wanted_family(const Options &options, const std::string &name)
{
    if (options.families.empty()) {
        return options.system || name != STATISTICS_FAMILY;
    }
    return std::find(options.families.begin(), options.families.end(), name) !=
           options.families.end();
}

Options parse(int argc, char **argv)
{
    Options options;
    for (int i = 1; i < argc; i++) {
        std::string word = argv[i];
        auto value = [&]() -> std::string {
            return ++i < argc ? argv[i] : (fail(2, word + " needs a value"), "");
        };
        if (word == "--digest") {
            options.digest = true;
        } else if (word == "--points") {
            options.points = true;
        } else if (word == "--system") {
            options.system = true;
        } else if (word == "--log") {
            options.log = true;
        } else if (word == "--family") {
            options.families.push_back(value());
        } else if (word == "--path") {
            options.paths.push_back(value());
        } else if (word == "--wal-dir") {
            options.wal_dir = value();
        } else if (word == "--range") {
            std::string range = value();
            size_t colon = range.find(':');
            if (colon == std::string::npos) {
                fail(2, "a range is START:END");
            }
            options.start = key_of(range.substr(0, colon));
            options.end = key_of(range.substr(colon + 1));
        } else if (word.compare(0, 2, "--") == 0 || !options.directory.empty()) {
            fail(2, "unknown argument " + word);
        } else {
            options.directory = word;
        }
    }
    if (options.directory.empty()) {
        fail(2, "no database given");
    }
    return options;
}

} // namespace

int main(int argc, char **argv)
{
    foreign_objects_register();
    Options options = parse(argc, argv);
    Database database;
    open_database(options, &database);
    if (options.log) {
        read_log(database);
    }
    for (const auto &family : database.families) {
        if (!options.log && is_wanted_family(options, family.name)) {
            read_family(options, database, family);
        }
    }
    for (const auto &family : database.families) {
        must(database.db->DestroyColumnFamilyHandle(family.handle), "close");
    }
    must(database.db->Close(), "close");
    return std::fflush(stdout) == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_door.cc — uses RocksDB's C++ interface where its C interface is not enough. */
#include "rocks_door.h"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/comparator.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/iterator.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/table_properties.h>
#include <rocksdb/version.h>
#include <rocksdb/wide_columns.h>
#include <rocksdb/write_batch.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "bytes.h"

namespace
{

/* The C++ pointer at the start of every C handle. */
template <typename Object, typename Handle> Object *object_of(Handle *handle)
{
    return *reinterpret_cast<Object *const *>(handle);
}

void copy_text(char to[ROCKS_DOOR_NAME_BYTES], const char *text)
{
    (void)std::snprintf(to, ROCKS_DOOR_NAME_BYTES, "%s", text);
}

struct haul_slice slice_from(const rocksdb::Slice &slice)
{
    return slice_of(slice.data(), slice.size());
}

/* Empty without memory: the key is unknown then. */
struct haul_slice copy_of(const std::string &text)
{
    void *memory = std::malloc(text.size() + 1);
    if (memory != nullptr) {
        std::memcpy(memory, text.data(), text.size());
    }
    return slice_of(static_cast<const uint8_t *>(memory), memory == nullptr ? 0 : text.size());
}

enum rocks_door_record current_of(const rocksdb::Iterator *iterator, struct haul_slice *key,
                                  struct haul_slice *value)
{
    if (!iterator->Valid()) {
        return ROCKS_DOOR_END;
    }
    *key = slice_from(iterator->key());
    *value = slice_from(iterator->value());
    const rocksdb::WideColumns &columns = iterator->columns();
    bool plain = columns.size() == 1 && columns[0].name().empty();
    return plain ? ROCKS_DOOR_PLAIN : ROCKS_DOOR_COLUMNS;
}

/* A batch made of its bytes is searched for what it holds before RocksDB writes it. This one knows
 * that it holds puts, because it was given one before its bytes. */
class Puts : public rocksdb::WriteBatch
{
  public:
    explicit Puts(std::string &&bytes)
    {
        (void)Put(rocksdb::Slice(), rocksdb::Slice());
        rep_ = std::move(bytes);
    }
};

void append(std::string &bytes, struct haul_slice piece)
{
    bytes.append(reinterpret_cast<const char *>(piece.data), piece.size);
}

/* The LOG of a database. RocksDB's own writer asserts that nothing follows a failed write, which
 * ends the process on a full disk; this one only loses a line. */
class FileLog : public rocksdb::Logger
{
  public:
    explicit FileLog(int fd) : fd_(fd)
    {
    }
    ~FileLog() override
    {
        (void)close(fd_);
    }
    using rocksdb::Logger::Logv;
    void Logv(const char *format, va_list arguments) override
    {
        char line[LINE_BYTES];
        rocksdb::Env *env = rocksdb::Env::Default();
        uint64_t now = env->NowMicros();
        auto used = static_cast<size_t>(std::snprintf(
            line, sizeof(line), "%s%06u %d ", env->TimeToString(now / 1000000).c_str(),
            static_cast<unsigned>(now % 1000000), gettid()));
        int size = std::vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
        used += size < 0 ? 0 : std::min(static_cast<size_t>(size), sizeof(line) - used - 2);
        if (line[used - 1] != '\n') {
            line[used++] = '\n';
        }
        (void)!write(fd_, line, used);
    }

  private:
    static constexpr size_t LINE_BYTES = 8192;
    int fd_;
};

/* FIFO compaction drops whole files, a filter drops single records, and neither respects
 * snapshots. */
bool drops_records(const rocksdb::Options &options)
{
    return options.compaction_filter != nullptr || options.compaction_filter_factory != nullptr ||
           options.compaction_style == rocksdb::kCompactionStyleFIFO;
}

void describe_merge(const rocksdb::Options &options, char description[ROCKS_DOOR_NAME_BYTES])
{
    rocksdb::ConfigOptions config;
    copy_text(description, options.merge_operator == nullptr
                               ? ""
                               : options.merge_operator->ToString(config).c_str());
}

const char *filter_name(const rocksdb::Options &options)
{
    if (options.compaction_filter != nullptr) {
        return options.compaction_filter->Name();
    }
    return options.compaction_filter_factory != nullptr ? options.compaction_filter_factory->Name()
                                                        : "";
}

/* Extractors that have a prefix for every key. */
bool has_every_key(const rocksdb::SliceTransform &extractor)
{
    std::string name = extractor.Name();
    return name.rfind("rocksdb.CappedPrefix", 0) == 0 || name == "rocksdb.Noop";
}

bool has_hash_index(const rocksdb::Options &options)
{
    const auto *table = options.table_factory == nullptr
                            ? nullptr
                            : options.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    return table != nullptr && table->index_type == rocksdb::BlockBasedTableOptions::kHashSearch;
}

bool has_hash_memtable(const rocksdb::Options &options)
{
    std::string name = options.memtable_factory == nullptr ? "" : options.memtable_factory->Name();
    return name == "HashSkipListRepFactory" || name == "HashLinkListRepFactory";
}

/* Without an extractor RocksDB itself uses another memtable, but not another index. */
bool wants_prefixes(const rocksdb::Options &options)
{
    if (options.prefix_extractor == nullptr) {
        return has_hash_index(options);
    }
    return !has_every_key(*options.prefix_extractor) &&
           (has_hash_index(options) || has_hash_memtable(options));
}

} // namespace

struct rocks_key_domain {
    std::shared_ptr<const rocksdb::SliceTransform> extractor;
};

bool rocks_door_fits(void)
{
    enum { MARK = 4711 };
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_max_open_files(options, MARK);
    bool fits = reinterpret_cast<rocksdb::Options *>(options)->max_open_files == MARK;
    rocksdb_options_destroy(options);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    rocksdb_writebatch_put_log_data(batch, "", 0);
    size_t size = 0;
    const char *data = rocksdb_writebatch_data(batch, &size);
    const std::string &bytes = reinterpret_cast<rocksdb::WriteBatch *>(batch)->Data();
    fits = fits && bytes.data() == data && bytes.size() == size;
    rocksdb_writebatch_destroy(batch);
    struct rocks_release release = rocks_door_release();
    return fits && release.major == ROCKSDB_MAJOR && release.minor == ROCKSDB_MINOR;
}

struct rocks_release rocks_door_release(void)
{
    struct rocks_release release = {0, 0, 0};
    std::string text = rocksdb::GetRocksVersionAsString(true);
    (void)std::sscanf(text.c_str(), "%d.%d.%d", &release.major, &release.minor, &release.patch);
    return release;
}

bool rocks_door_reads_tables(uint32_t format_version)
{
    rocksdb::BlockBasedTableOptions options;
    options.format_version = format_version;
    options.no_block_cache = true;
    rocksdb::Options others;
    std::unique_ptr<rocksdb::TableFactory> factory(rocksdb::NewBlockBasedTableFactory(options));
    return factory->ValidateOptions(others, others).ok();
}

/* --- records ---------------------------------------------------------------------------------- */

enum rocks_door_record rocks_door_current(const rocksdb_iterator_t *iterator,
                                          struct haul_slice *key, struct haul_slice *value)
{
    return current_of(object_of<rocksdb::Iterator>(iterator), key, value);
}

enum rocks_door_record rocks_door_next(rocksdb_iterator_t *iterator, struct haul_slice *key,
                                       struct haul_slice *value)
{
    auto *at = object_of<rocksdb::Iterator>(iterator);
    at->Next();
    return current_of(at, key, value);
}

uint64_t rocks_door_view_number(const rocksdb_iterator_t *iterator)
{
    std::string text;
    auto *at = object_of<rocksdb::Iterator>(iterator);
    rocksdb::Status status = at->GetProperty("rocksdb.iterator.super-version-number", &text);
    return status.ok() ? std::strtoull(text.c_str(), nullptr, 10) : 0;
}

/* --- batches ---------------------------------------------------------------------------------- */

rocksdb_writebatch_t *rocks_door_batch(const struct haul_slice *pieces, size_t piece_count,
                                       struct haul_slice closing, bool only_puts)
{
    size_t size = closing.size;
    for (size_t i = 0; i < piece_count; i++) {
        size += pieces[i].size;
    }
    std::string bytes;
    bytes.reserve(size);
    for (size_t i = 0; i < piece_count; i++) {
        append(bytes, pieces[i]);
    }
    append(bytes, closing);
    rocksdb_writebatch_t *handle = rocksdb_writebatch_create();
    auto &batch = *reinterpret_cast<rocksdb::WriteBatch *>(handle);
    batch = only_puts ? Puts(std::move(bytes)) : rocksdb::WriteBatch(std::move(bytes));
    return handle;
}

/* --- table files ------------------------------------------------------------------------------ */

void rocks_door_finish_table(rocksdb_sstfilewriter_t *writer, struct rocks_table_facts *facts,
                             char **message)
{
    rocksdb::ExternalSstFileInfo info;
    *facts = {};
    rocksdb::Status status = object_of<rocksdb::SstFileWriter>(writer)->Finish(&info);
    if (!status.ok()) {
        *message = strdup(status.ToString().c_str());
        return;
    }
    facts->first = copy_of(info.smallest_key);
    facts->last = copy_of(info.largest_key);
    facts->entries = info.num_entries;
}

struct rocks_tables_there rocks_door_tables(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                                            struct haul_slice first, struct haul_slice last,
                                            uint64_t entries, char **message)
{
    struct rocks_tables_there there = {0, 0};
    rocksdb::Range range(rocksdb::Slice(reinterpret_cast<const char *>(first.data), first.size),
                         rocksdb::Slice(reinterpret_cast<const char *>(last.data), last.size));
    rocksdb::TablePropertiesCollection tables;
    rocksdb::Status status = object_of<rocksdb::DB>(db)->GetPropertiesOfTablesInRange(
        object_of<rocksdb::ColumnFamilyHandle>(handle), &range, 1, &tables);
    if (!status.ok()) {
        *message = strdup(status.ToString().c_str());
        return there;
    }
    for (const auto &table : tables) {
        const rocksdb::TableProperties &facts = *table.second;
        size_t slash = table.first.rfind('/');
        uint64_t number = std::strtoull(table.first.c_str() + slash + 1, nullptr, 10);
        bool fits = facts.num_entries == entries && facts.num_deletions == 0 &&
                    facts.num_range_deletions == 0;
        there.number = fits && number > there.number ? number : there.number;
        there.entries += facts.num_entries;
    }
    return there;
}

/* --- options of a database to be opened ------------------------------------------------------- */

void rocks_door_describe_merge(const rocksdb_options_t *options,
                               char description[ROCKS_DOOR_NAME_BYTES])
{
    describe_merge(*reinterpret_cast<const rocksdb::Options *>(options), description);
}

bool rocks_door_drops_records(const rocksdb_options_t *options)
{
    return drops_records(*reinterpret_cast<const rocksdb::Options *>(options));
}

bool rocks_door_is_default_family(const rocksdb_options_t *options)
{
    rocksdb::ConfigOptions config;
    rocksdb::ColumnFamilyOptions given(*reinterpret_cast<const rocksdb::Options *>(options));
    rocksdb::ColumnFamilyOptions unchosen;
    std::string given_text;
    std::string unchosen_text;
    /* RocksDB computes these when it opens the family, and stores the results. */
    unchosen.arena_block_size = given.arena_block_size;
    unchosen.max_compaction_bytes = given.max_compaction_bytes;
    unchosen.ttl = given.ttl;
    unchosen.periodic_compaction_seconds = given.periodic_compaction_seconds;
    return GetStringFromColumnFamilyOptions(config, given, &given_text).ok() &&
           GetStringFromColumnFamilyOptions(config, unchosen, &unchosen_text).ok() &&
           given_text == unchosen_text;
}

void rocks_door_write_log(rocksdb_options_t *handle, const char *directory)
{
    auto &options = *reinterpret_cast<rocksdb::Options *>(handle);
    std::string path = std::string(directory) + "/LOG";
    if (!options.db_log_dir.empty()) {
        return;
    }
    (void)mkdir(directory, 0755);
    char old[32];
    (void)std::snprintf(old, sizeof(old), ".old.%llu",
                        static_cast<unsigned long long>(options.env->NowMicros()));
    (void)std::rename(path.c_str(), (path + old).c_str());
    int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0) {
        /* Neither make_shared nor to_string: the static library would contain their statics
         * twice. */
        options.info_log.reset(new FileLog(fd));
        options.info_log->SetInfoLogLevel(options.info_log_level);
    }
}

void rocks_door_avoid_flush(rocksdb_options_t *options)
{
    reinterpret_cast<rocksdb::Options *>(options)->avoid_flush_during_recovery = true;
}

struct rocks_key_domain *rocks_door_avoid_prefixes(rocksdb_options_t *handle)
{
    auto &options = *reinterpret_cast<rocksdb::Options *>(handle);
    if (!wants_prefixes(options)) {
        return nullptr;
    }
    if (has_hash_index(options)) {
        /* Copies of the options share the factory: replace it instead of changing it. */
        auto table = *options.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
        table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearch;
        options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    }
    if (has_hash_memtable(options)) {
        options.memtable_factory.reset(new rocksdb::SkipListFactory());
    }
    return options.prefix_extractor == nullptr ? nullptr
                                               : new rocks_key_domain{options.prefix_extractor};
}

struct rocks_key_domain *rocks_door_domain(rocksdb_t *db, rocksdb_column_family_handle_t *handle)
{
    rocksdb::Options options =
        object_of<rocksdb::DB>(db)->GetOptions(object_of<rocksdb::ColumnFamilyHandle>(handle));
    return wants_prefixes(options) ? new rocks_key_domain{options.prefix_extractor} : nullptr;
}

bool rocks_door_is_in_domain(const struct rocks_key_domain *domain, struct haul_slice key)
{
    rocksdb::Slice slice(reinterpret_cast<const char *>(key.data), key.size);
    return domain->extractor != nullptr && domain->extractor->InDomain(slice);
}

void rocks_door_domain_free(struct rocks_key_domain *domain)
{
    delete domain;
}

/* --- options in force ------------------------------------------------------------------------- */

void rocks_door_database(rocksdb_t *db, struct rocks_database_facts *database)
{
    auto *object = object_of<rocksdb::DB>(db);
    rocksdb::DBOptions options = object->GetDBOptions();
    const std::string &wal_dir = options.wal_dir.empty() ? object->GetName() : options.wal_dir;
    (void)std::snprintf(database->wal_dir, sizeof(database->wal_dir), "%s", wal_dir.c_str());
    database->unordered_write = options.unordered_write;
    database->allow_2pc = options.allow_2pc;
    database->has_paths =
        options.db_paths.size() > 1 ||
        (options.db_paths.size() == 1 && options.db_paths[0].path != object->GetName());
}

void rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                       struct rocks_family_facts *family)
{
    auto *object = object_of<rocksdb::DB>(db);
    rocksdb::Options options = object->GetOptions(object_of<rocksdb::ColumnFamilyHandle>(handle));
    family->timestamp_bytes = static_cast<uint32_t>(options.comparator->timestamp_size());
    family->inplace_updates = options.inplace_update_support;
    family->has_paths = !options.cf_paths.empty() && options.cf_paths[0].path != object->GetName();
    family->drops_records = drops_records(options);
    copy_text(family->comparator, options.comparator->Name());
    describe_merge(options, family->merge_operator);
    copy_text(family->compaction_filter, filter_name(options));
    copy_text(family->table_factory,
              options.table_factory == nullptr ? "" : options.table_factory->Name());
}

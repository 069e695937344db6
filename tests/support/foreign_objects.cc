/* SPDX-License-Identifier: Apache-2.0 */
/* foreign_objects.cc — objects of other programs, by name. */
#include "foreign_objects.h"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/comparator.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/object_registry.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>

namespace
{

using rocksdb::ObjectLibrary;
using rocksdb::Slice;

class CaselessComparator : public rocksdb::Comparator
{
  public:
    const char *Name() const override
    {
        return "test.CaselessComparator";
    }

    int Compare(const Slice &a, const Slice &b) const override
    {
        size_t shared = std::min(a.size(), b.size());
        for (size_t i = 0; i < shared; i++) {
            int order = std::tolower(static_cast<unsigned char>(a[i])) -
                        std::tolower(static_cast<unsigned char>(b[i]));
            if (order != 0) {
                return order;
            }
        }
        return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
    }

    void FindShortestSeparator(std::string *, const Slice &) const override
    {
    }

    void FindShortSuccessor(std::string *) const override
    {
    }
};

/* As later releases of RocksDB have it, under the same name. */
class TimestampComparator : public rocksdb::Comparator
{
  public:
    static constexpr size_t TIMESTAMP_BYTES = 8;

    TimestampComparator() : Comparator(TIMESTAMP_BYTES)
    {
    }

    const char *Name() const override
    {
        return "leveldb.BytewiseComparator.u64ts";
    }

    int Compare(const Slice &a, const Slice &b) const override
    {
        int order = CompareWithoutTimestamp(a, true, b, true);
        return order != 0 ? order : -CompareTimestamp(timestamp_of(a), timestamp_of(b));
    }

    using Comparator::CompareWithoutTimestamp;

    int CompareWithoutTimestamp(const Slice &a, bool a_has, const Slice &b,
                                bool b_has) const override
    {
        Slice a_key(a.data(), a.size() - (a_has ? TIMESTAMP_BYTES : 0));
        Slice b_key(b.data(), b.size() - (b_has ? TIMESTAMP_BYTES : 0));
        return a_key.compare(b_key);
    }

    int CompareTimestamp(const Slice &a, const Slice &b) const override
    {
        /* Little-endian numbers. */
        for (size_t i = TIMESTAMP_BYTES; i-- > 0;) {
            auto a_byte = static_cast<unsigned char>(a[i]);
            auto b_byte = static_cast<unsigned char>(b[i]);
            if (a_byte != b_byte) {
                return a_byte < b_byte ? -1 : 1;
            }
        }
        return 0;
    }

    void FindShortestSeparator(std::string *, const Slice &) const override
    {
    }

    void FindShortSuccessor(std::string *) const override
    {
    }

  private:
    static Slice timestamp_of(const Slice &key)
    {
        return Slice(key.data() + key.size() - TIMESTAMP_BYTES, TIMESTAMP_BYTES);
    }
};

class AppendOperator : public rocksdb::AssociativeMergeOperator
{
  public:
    const char *Name() const override
    {
        return "test.AppendOperator";
    }

    bool Merge(const Slice &, const Slice *existing, const Slice &operand, std::string *merged,
               rocksdb::Logger *) const override
    {
        merged->assign(existing == nullptr ? std::string() : existing->ToString());
        merged->append(operand.data(), operand.size());
        return true;
    }
};

class DropOddFilter : public rocksdb::CompactionFilter
{
  public:
    const char *Name() const override
    {
        return "test.DropOddFilter";
    }

    bool Filter(int, const Slice &, const Slice &value, std::string *, bool *) const override
    {
        return !value.empty() && value[value.size() - 1] % 2 == 1;
    }
};

class TableFactory : public rocksdb::TableFactory
{
  public:
    TableFactory() : base_(rocksdb::NewBlockBasedTableFactory())
    {
    }

    const char *Name() const override
    {
        return "test.TableFactory";
    }

    using rocksdb::TableFactory::NewTableReader;

    rocksdb::Status NewTableReader(const rocksdb::ReadOptions &read_options,
                                   const rocksdb::TableReaderOptions &options,
                                   std::unique_ptr<rocksdb::RandomAccessFileReader> &&file,
                                   uint64_t file_size,
                                   std::unique_ptr<rocksdb::TableReader> *reader,
                                   bool prefetch) const override
    {
        return base_->NewTableReader(read_options, options, std::move(file), file_size, reader,
                                     prefetch);
    }

    rocksdb::TableBuilder *NewTableBuilder(const rocksdb::TableBuilderOptions &options,
                                           rocksdb::WritableFileWriter *file) const override
    {
        return base_->NewTableBuilder(options, file);
    }

  private:
    std::unique_ptr<rocksdb::TableFactory> base_;
};

} // namespace

void foreign_objects_register(void)
{
    static CaselessComparator caseless;
    static TimestampComparator timestamp;
    static DropOddFilter filter;
    auto &library = *ObjectLibrary::Default();
    library.AddFactory<const rocksdb::Comparator>(
        caseless.Name(), [](const std::string &, std::unique_ptr<const rocksdb::Comparator> *,
                            std::string *) { return &caseless; });
    library.AddFactory<const rocksdb::Comparator>(
        timestamp.Name(), [](const std::string &, std::unique_ptr<const rocksdb::Comparator> *,
                             std::string *) { return &timestamp; });
    library.AddFactory<const rocksdb::CompactionFilter>(
        filter.Name(), [](const std::string &, std::unique_ptr<const rocksdb::CompactionFilter> *,
                          std::string *) { return &filter; });
    library.AddFactory<rocksdb::MergeOperator>(
        "test.AppendOperator",
        [](const std::string &, std::unique_ptr<rocksdb::MergeOperator> *guard, std::string *) {
            guard->reset(new AppendOperator);
            return guard->get();
        });
    library.AddFactory<rocksdb::TableFactory>(
        "test.TableFactory",
        [](const std::string &, std::unique_ptr<rocksdb::TableFactory> *guard, std::string *) {
            guard->reset(new TableFactory);
            return guard->get();
        });
}

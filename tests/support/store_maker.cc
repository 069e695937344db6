/* SPDX-License-Identifier: Apache-2.0 */
/* store_maker.cc — databases as other people make them: every option and feature of RocksDB that
 * haul has to meet. It uses RocksDB's C++ API and nothing of haul.
 *
 *   store_maker DIR COMMAND...
 *
 * A command is one argument; its words are parted by blanks. \xNN is a byte, \e nothing: the empty
 * word. An existing database is opened with the options that it has stored.
 *
 * Before the database is opened (the first other command opens it):
 *   options STRING               of the database and its default family, over what is stored:
 *                                "a=b;c={...}"; may be repeated
 *   family NAME [STRING]         open or make this family; options over the default family's
 *   path DIR BYTES               one of db_paths
 *   family_path NAME DIR         cf_paths of a family
 *   encrypt                      all files, by RocksDB's own encrypting Env
 *   kind KIND                    plain (default), ttl, optimistic, transactions, write_prepared or
 *                                write_unprepared
 * Records, in the family in use ("default" at first):
 *   use NAME | create NAME [STRING] | drop NAME
 *   put KEY VALUE | delete KEY | single_delete KEY | delete_range A B | merge KEY OPERAND
 *   entity KEY NAME=VALUE...     "=VALUE" is the default column
 *   batch WORD...                one write batch: KEY=VALUE puts, KEY- deletes, #BLOB is LogData
 *   put_at KEY VALUE TIMESTAMP   with a user timestamp
 *   large KEY BYTES              a value of pseudo-random bytes
 *   large_key BYTES VALUE        a key of so many "k"
 *   fill PREFIX COUNT BYTES      keys PREFIX00000000, ...; pseudo-random values
 *   churn PREFIX COUNT SEED      any of put, delete, single_delete, delete_range, merge (if the
 *                                family has an operator) over COUNT / 4 keys
 *   prepare NAME KEY VALUE | commit NAME | rollback NAME     two-phase transactions
 * The rest:
 *   flush | compact | sync | set NAME VALUE | ingest KEY VALUE... | delete_files A B
 *   checkpoint DIR | say WORD | wait (for a line on stdin) | sleep MS
 *   leave                        ends the process as a crash would: nothing is closed
 *
 * Exit code: 0; 1 with a line on stderr when RocksDB refuses; 2 for usage. */
#include <rocksdb/comparator.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env_encryption.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/db_ttl.h>
#include <rocksdb/utilities/optimistic_transaction_db.h>
#include <rocksdb/utilities/options_util.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>
#include <rocksdb/wide_columns.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "foreign_objects.h"

namespace
{

using rocksdb::ColumnFamilyHandle;
using rocksdb::ColumnFamilyOptions;
using rocksdb::Slice;
using rocksdb::Status;
using Words = std::vector<std::string>;

constexpr size_t BATCH_BYTES = 1 << 20;

[[noreturn]] void fail(int code, const std::string &what)
{
    (void)std::fprintf(stderr, "store_maker: %s\n", what.c_str());
    std::exit(code);
}

void must(const Status &status, const std::string &what)
{
    if (!status.ok()) {
        fail(1, what + ": " + status.ToString());
    }
}

std::string unescape(const std::string &word)
{
    std::string bytes;
    for (size_t i = 0; i < word.size(); i++) {
        if (word.compare(i, 2, "\\x") == 0 && i + 3 < word.size()) {
            bytes += static_cast<char>(std::stoi(word.substr(i + 2, 2), nullptr, 16));
            i += 3;
        } else if (word.compare(i, 2, "\\e") == 0) {
            i++;
        } else {
            bytes += word[i];
        }
    }
    return bytes;
}

/* Options contain blanks: their last word is all the rest. */
Words split(const std::string &command)
{
    Words words;
    size_t at = 0;
    while ((at = command.find_first_not_of(' ', at)) != std::string::npos) {
        bool takes_rest = !words.empty() && ((words[0] == "options" && words.size() == 1) ||
                                             (words[0] == "family" && words.size() == 2) ||
                                             (words[0] == "create" && words.size() == 2));
        size_t end = takes_rest ? command.size() : command.find(' ', at);
        words.push_back(unescape(command.substr(at, end - at)));
        at = end;
        if (end == std::string::npos) {
            break;
        }
    }
    return words;
}

class Maker
{
  public:
    explicit Maker(const std::string &directory) : directory_(directory)
    {
        config_.ignore_unknown_options = false;
        config_.ignore_unsupported_options = false;
        rocksdb::ConfigOptions lenient;
        lenient.ignore_unknown_options = true;
        Status status = rocksdb::LoadLatestOptions(lenient, directory, &db_options_, &descriptors_);
        if (!status.ok() && !status.IsNotFound() && !status.IsPathNotFound()) {
            must(status, "options of " + directory);
        }
        if (descriptors_.empty()) {
            descriptors_.emplace_back("default", ColumnFamilyOptions());
        }
        db_options_.create_if_missing = true;
        db_options_.create_missing_column_families = true;
        db_options_.info_log_level = rocksdb::WARN_LEVEL;
    }

    void run(const Words &words);
    void close();

  private:
    bool configure(const Words &words);
    bool change_families(const Words &words);
    bool write(const Words &words);
    bool write_many(const Words &words);
    bool transact(const Words &words);
    void run_other(const Words &words);

    void open();
    void open_kind(std::vector<ColumnFamilyHandle *> *handles);
    void set_options(const std::string &text);
    void encrypt();
    void add_family(const std::string &name, const std::string &text);
    ColumnFamilyOptions &family_options(const std::string &name);
    std::string value_of(size_t size);
    void put(const std::string &key, const std::string &value);
    void put_at(const Words &words);
    void write_batch(const Words &words);
    void fill(const Words &words);
    void churn(const Words &words);
    void churn_once(const std::string &prefix, uint32_t keys, std::mt19937 *random);
    void ingest(const Words &words);
    rocksdb::TransactionDB *transaction_db();
    ColumnFamilyHandle *family()
    {
        return handles_.at(family_);
    }

    std::string directory_;
    rocksdb::ConfigOptions config_;
    rocksdb::DBOptions db_options_;
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors_;
    std::string kind_ = "plain";
    std::unique_ptr<rocksdb::Env> env_;
    rocksdb::DB *db_ = nullptr;
    std::map<std::string, ColumnFamilyHandle *> handles_;
    std::map<std::string, rocksdb::Transaction *> transactions_;
    std::string family_ = "default";
    std::mt19937_64 random_{42};
    rocksdb::WriteOptions write_options_;
};

/* --- before it is opened ---------------------------------------------------------------------- */

/* The options of the database and of its default family, in one string. */
void Maker::set_options(const std::string &text)
{
    rocksdb::Options options(db_options_, family_options("default"));
    must(rocksdb::GetOptionsFromString(config_, options, text, &options), "options " + text);
    db_options_ = rocksdb::DBOptions(options);
    family_options("default") = ColumnFamilyOptions(options);
}

void Maker::encrypt()
{
    std::shared_ptr<rocksdb::EncryptionProvider> provider;
    must(rocksdb::EncryptionProvider::CreateFromString(config_, "CTR://test", &provider),
         "encrypt");
    env_.reset(rocksdb::NewEncryptedEnv(rocksdb::Env::Default(), provider));
    db_options_.env = env_.get();
}

ColumnFamilyOptions &Maker::family_options(const std::string &name)
{
    for (auto &descriptor : descriptors_) {
        if (descriptor.name == name) {
            return descriptor.options;
        }
    }
    descriptors_.emplace_back(name, family_options("default"));
    return descriptors_.back().options;
}

void Maker::add_family(const std::string &name, const std::string &text)
{
    ColumnFamilyOptions &options = family_options(name);
    must(rocksdb::GetColumnFamilyOptionsFromString(config_, options, text, &options),
         "options " + text);
}

bool Maker::configure(const Words &words)
{
    const std::string &verb = words[0];
    if (verb == "options") {
        set_options(words.at(1));
    } else if (verb == "family") {
        add_family(words.at(1), words.size() > 2 ? words[2] : "");
    } else if (verb == "path") {
        db_options_.db_paths.emplace_back(words.at(1), std::stoull(words.at(2)));
    } else if (verb == "family_path") {
        family_options(words.at(1)).cf_paths = {{words.at(2), UINT64_C(1) << 40}};
    } else if (verb == "encrypt") {
        encrypt();
    } else if (verb == "kind") {
        kind_ = words.at(1);
    } else {
        return false;
    }
    return true;
}

void Maker::open_kind(std::vector<ColumnFamilyHandle *> *handles)
{
    rocksdb::TransactionDBOptions transaction_options;
    rocksdb::TransactionDB *transactions = nullptr;
    rocksdb::OptimisticTransactionDB *optimistic = nullptr;
    rocksdb::DBWithTTL *ttl = nullptr;
    Status status;
    if (kind_ == "plain") {
        status = rocksdb::DB::Open(db_options_, directory_, descriptors_, handles, &db_);
    } else if (kind_ == "ttl") {
        std::vector<int32_t> ttls(descriptors_.size(), 86400);
        status =
            rocksdb::DBWithTTL::Open(db_options_, directory_, descriptors_, handles, &ttl, ttls);
        db_ = ttl;
    } else if (kind_ == "optimistic") {
        status = rocksdb::OptimisticTransactionDB::Open(db_options_, directory_, descriptors_,
                                                        handles, &optimistic);
        db_ = optimistic;
    } else {
        transaction_options.write_policy =
            kind_ == "write_prepared"     ? rocksdb::TxnDBWritePolicy::WRITE_PREPARED
            : kind_ == "write_unprepared" ? rocksdb::TxnDBWritePolicy::WRITE_UNPREPARED
                                          : rocksdb::TxnDBWritePolicy::WRITE_COMMITTED;
        status = rocksdb::TransactionDB::Open(db_options_, transaction_options, directory_,
                                              descriptors_, handles, &transactions);
        db_ = transactions;
    }
    must(status, "open " + directory_);
}

void Maker::open()
{
    if (db_ != nullptr) {
        return;
    }
    std::vector<ColumnFamilyHandle *> handles;
    open_kind(&handles);
    for (auto *handle : handles) {
        handles_[handle->GetName()] = handle;
    }
}

/* --- records ---------------------------------------------------------------------------------- */

std::string Maker::value_of(size_t size)
{
    std::string value(size, '\0');
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t bits = random_();
        std::memcpy(&value[i], &bits, std::min(sizeof(bits), size - i));
    }
    return value;
}

void Maker::put(const std::string &key, const std::string &value)
{
    must(db_->Put(write_options_, family(), key, value), "put");
}

void Maker::put_at(const Words &words)
{
    uint64_t number = std::stoull(words.at(3));
    char timestamp[sizeof(number)];
    for (size_t i = 0; i < sizeof(number); i++) {
        timestamp[i] = static_cast<char>(number >> (8 * i));
    }
    must(db_->Put(write_options_, family(), words.at(1), Slice(timestamp, sizeof(timestamp)),
                  words.at(2)),
         "put_at");
}

void Maker::write_batch(const Words &words)
{
    rocksdb::WriteBatch batch;
    for (size_t i = 1; i < words.size(); i++) {
        const std::string &word = words[i];
        size_t equals = word.find('=');
        if (word[0] == '#') {
            must(batch.PutLogData(word.substr(1)), "batch");
        } else if (equals != std::string::npos) {
            must(batch.Put(family(), word.substr(0, equals), word.substr(equals + 1)), "batch");
        } else {
            must(batch.Delete(family(), word.substr(0, word.size() - 1)), "batch");
        }
    }
    must(db_->Write(write_options_, &batch), "batch");
}

bool Maker::write(const Words &words)
{
    const std::string &verb = words[0];
    if (verb == "put") {
        put(words.at(1), words.at(2));
    } else if (verb == "put_at") {
        put_at(words);
    } else if (verb == "batch") {
        write_batch(words);
    } else if (verb == "delete") {
        must(db_->Delete(write_options_, family(), words.at(1)), verb);
    } else if (verb == "single_delete") {
        must(db_->SingleDelete(write_options_, family(), words.at(1)), verb);
    } else if (verb == "delete_range") {
        must(db_->DeleteRange(write_options_, family(), words.at(1), words.at(2)), verb);
    } else if (verb == "merge") {
        must(db_->Merge(write_options_, family(), words.at(1), words.at(2)), verb);
    } else if (verb == "entity") {
        rocksdb::WideColumns columns;
        for (size_t i = 2; i < words.size(); i++) {
            size_t equals = words[i].find('=');
            columns.emplace_back(Slice(words[i].data(), equals),
                                 Slice(words[i].data() + equals + 1, words[i].size() - equals - 1));
        }
        must(db_->PutEntity(write_options_, family(), words.at(1), columns), verb);
    } else {
        return false;
    }
    return true;
}

void Maker::fill(const Words &words)
{
    rocksdb::WriteBatch batch;
    uint64_t count = std::stoull(words.at(2));
    size_t size = std::stoull(words.at(3));
    for (uint64_t i = 0; i < count; i++) {
        char number[32];
        (void)std::snprintf(number, sizeof(number), "%08" PRIu64, i);
        must(batch.Put(family(), words[1] + number, value_of(size)), "fill");
        if (batch.GetDataSize() >= BATCH_BYTES) {
            must(db_->Write(write_options_, &batch), "fill");
            batch.Clear();
        }
    }
    must(db_->Write(write_options_, &batch), "fill");
}

void Maker::churn_once(const std::string &prefix, uint32_t keys, std::mt19937 *random)
{
    auto key = [&](uint32_t number) {
        char text[16];
        (void)std::snprintf(text, sizeof(text), "%06u", number);
        return prefix + text;
    };
    auto number = static_cast<uint32_t>((*random)() % keys);
    auto dice = static_cast<uint32_t>((*random)() % 100);
    bool merges = db_->GetOptions(family()).merge_operator != nullptr;
    if (dice < 60 || (dice < 75 && !merges)) {
        put(key(number), value_of((*random)() % 200));
    } else if (dice < 75) {
        must(db_->Merge(write_options_, family(), key(number), value_of(8)), "merge");
    } else if (dice < 88) {
        must(db_->Delete(write_options_, family(), key(number)), "delete");
    } else if (dice < 96) {
        /* Valid only for a key that was written once. */
        std::string once = key(number) + "/once" + std::to_string((*random)());
        put(once, "x");
        must(db_->SingleDelete(write_options_, family(), once), "single_delete");
    } else {
        auto span = static_cast<uint32_t>((*random)() % 20);
        std::string a = key(number);
        std::string b = key(number + span);
        bool ordered = family()->GetComparator()->Compare(a, b) <= 0;
        Status status =
            db_->DeleteRange(write_options_, family(), ordered ? a : b, ordered ? b : a);
        if (!status.IsNotSupported()) { /* by transactions and plain tables */
            must(status, "delete_range");
        }
    }
}

void Maker::churn(const Words &words)
{
    uint32_t count = static_cast<uint32_t>(std::stoul(words.at(2)));
    std::mt19937 random(static_cast<uint32_t>(std::stoul(words.at(3))));
    for (uint32_t i = 0; i < count; i++) {
        churn_once(words[1], count / 4 + 1, &random);
    }
}

bool Maker::write_many(const Words &words)
{
    const std::string &verb = words[0];
    if (verb == "fill") {
        fill(words);
    } else if (verb == "churn") {
        churn(words);
    } else if (verb == "large") {
        put(words.at(1), value_of(std::stoull(words.at(2))));
    } else if (verb == "large_key") {
        put(std::string(std::stoull(words.at(1)), 'k'), words.at(2));
    } else if (verb == "ingest") {
        ingest(words);
    } else {
        return false;
    }
    return true;
}

void Maker::ingest(const Words &words)
{
    rocksdb::Options options = db_->GetOptions(family());
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options, family());
    std::string path = directory_ + "/store_maker.sst";
    must(writer.Open(path), "ingest");
    for (size_t i = 1; i + 1 < words.size(); i += 2) {
        must(writer.Put(words[i], words[i + 1]), "ingest");
    }
    must(writer.Finish(), "ingest");
    rocksdb::IngestExternalFileOptions how;
    how.move_files = true;
    must(db_->IngestExternalFile(family(), {path}, how), "ingest");
}

/* --- transactions ----------------------------------------------------------------------------- */

rocksdb::TransactionDB *Maker::transaction_db()
{
    auto *database = dynamic_cast<rocksdb::TransactionDB *>(db_);
    return database != nullptr ? database : (fail(2, "no kind with transactions"), nullptr);
}

bool Maker::transact(const Words &words)
{
    const std::string &verb = words[0];
    if (verb == "prepare") {
        rocksdb::Transaction *transaction = transaction_db()->BeginTransaction(write_options_);
        must(transaction->SetName(words.at(1)), verb);
        must(transaction->Put(family(), words.at(2), words.at(3)), verb);
        must(transaction->Prepare(), verb);
        transactions_[words[1]] = transaction;
    } else if (verb == "commit" || verb == "rollback") {
        rocksdb::Transaction *transaction = transaction_db()->GetTransactionByName(words.at(1));
        if (transaction == nullptr) {
            fail(1, "no transaction " + words[1]);
        }
        must(verb == "commit" ? transaction->Commit() : transaction->Rollback(), verb);
        delete transaction;
        transactions_.erase(words[1]);
    } else {
        return false;
    }
    return true;
}

/* --- the rest --------------------------------------------------------------------------------- */

bool Maker::change_families(const Words &words)
{
    const std::string &verb = words[0];
    if (verb == "use") {
        family_ = words.at(1);
        if (handles_.count(family_) == 0) {
            fail(2, "no family " + family_);
        }
    } else if (verb == "create") {
        ColumnFamilyOptions options = db_->GetOptions(handles_.at("default"));
        must(rocksdb::GetColumnFamilyOptionsFromString(config_, options,
                                                       words.size() > 2 ? words[2] : "", &options),
             verb);
        must(db_->CreateColumnFamily(options, words.at(1), &handles_[words[1]]), verb);
        family_ = words[1];
    } else if (verb == "drop") {
        must(db_->DropColumnFamily(handles_.at(words.at(1))), verb);
        must(db_->DestroyColumnFamilyHandle(handles_[words[1]]), verb);
        handles_.erase(words[1]);
        family_ = "default";
    } else {
        return false;
    }
    return true;
}

void Maker::run_other(const Words &words)
{
    const std::string &verb = words[0];
    std::string line;
    if (verb == "flush") {
        must(db_->Flush(rocksdb::FlushOptions(), family()), verb);
    } else if (verb == "compact") {
        rocksdb::CompactRangeOptions options;
        options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
        must(db_->CompactRange(options, family(), nullptr, nullptr), verb);
    } else if (verb == "sync") {
        must(db_->FlushWAL(true), verb);
    } else if (verb == "set") {
        must(db_->SetOptions(family(), {{words.at(1), words.at(2)}}), verb);
    } else if (verb == "delete_files") {
        Slice begin(words.at(1));
        Slice end(words.at(2));
        must(rocksdb::DeleteFilesInRange(db_, family(), &begin, &end), verb);
    } else if (verb == "checkpoint") {
        rocksdb::Checkpoint *checkpoint = nullptr;
        must(rocksdb::Checkpoint::Create(db_, &checkpoint), verb);
        must(checkpoint->CreateCheckpoint(words.at(1), UINT64_C(1) << 60), verb);
        delete checkpoint;
    } else if (verb == "say") {
        std::cout << words.at(1) << std::endl;
    } else if (verb == "wait") {
        (void)std::getline(std::cin, line);
    } else if (verb == "sleep") {
        std::this_thread::sleep_for(std::chrono::milliseconds(std::stoul(words.at(1))));
    } else if (verb == "leave") {
        (void)std::fflush(nullptr);
        _exit(0);
    } else {
        fail(2, "unknown command " + verb);
    }
}

void Maker::run(const Words &words)
{
    if (words.empty() || (db_ == nullptr && configure(words))) {
        return;
    }
    open();
    if (!change_families(words) && !write(words) && !write_many(words) && !transact(words)) {
        run_other(words);
    }
}

void Maker::close()
{
    open();
    for (const auto &transaction : transactions_) {
        delete transaction.second; /* a prepared transaction stays in the log */
    }
    for (const auto &handle : handles_) {
        must(db_->DestroyColumnFamilyHandle(handle.second), "close");
    }
    must(db_->Close(), "close");
    delete db_;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc < 2) {
        fail(2, "no directory given");
    }
    foreign_objects_register();
    Maker maker(argv[1]);
    for (int i = 2; i < argc; i++) {
        Words words = split(argv[i]);
        try {
            maker.run(words);
        } catch (const std::exception &) {
            fail(2, std::string("not understood: ") + argv[i]);
        }
    }
    maker.close();
    return 0;
}

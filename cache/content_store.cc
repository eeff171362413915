#include "cache/content_store.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "backend/base/log.h"
#include "cache/content_record.h"
#include "cache/posix_env.h"

namespace cabinetfs {

namespace {

// How long a changed map may wait: what a kill -9 makes us fetch again.
// Contents that wait for being checked against their version; there are two for each file that is
// fetched ahead of a program, at most.
constexpr std::chrono::seconds kKeptUnvalidated{60};
constexpr std::size_t kMostUnvalidated = 512;
constexpr auto kSaveInterval = std::chrono::seconds(3);
// The disk's free space is asked for again after so many bytes, and for each eviction.
constexpr std::uint64_t kFreeSpaceStep = 16u << 20;
// Evicting a little more than needed keeps the next block from evicting again: this much, or a
// 32nd of a small cache.
constexpr std::uint64_t kEvictStep = 8u << 20;
constexpr std::size_t kEvictBatch = 64;

void append(std::string& out, std::string_view field) {
  out += std::to_string(field.size());
  out += ':';
  out += field;
}

}  // namespace

Result<std::unique_ptr<ContentStore>> ContentStore::open(ContentOptions options,
                                                         const Sealer& sealer,
                                                         RemoteStore& remote) {
  TRY(make_dirs(options.cache_dir));
  TRY(make_dirs(options.staged_dir));
  TRY_ASSIGN(auto index, BlockIndex::open(options.cache_dir));
  return std::make_unique<ContentStoreImpl>(std::move(options), sealer, remote, std::move(index));
}

std::size_t ContentStoreImpl::NameHash::operator()(const Name& name) const {
  std::size_t result;
  std::memcpy(&result, name.data(), sizeof(result));
  return result;
}

ContentStoreImpl::ContentStoreImpl(ContentOptions options, const Sealer& sealer,
                                   RemoteStore& remote, std::unique_ptr<BlockIndex> index)
    : options_(std::move(options)),
      sealer_(sealer),
      index_(std::move(index)),
      memory_(options_.memory_bytes),
      cache_bytes_(index_->total_bytes()),
      disk_("cab-disk", 2),
      fetcher_(remote, options_.parallel_ranges, options_.fetch_timeout) {
  saver_ = std::jthread([this](const std::stop_token& stop) { run_saver(stop); });
  pthread_setname_np(saver_.native_handle(), "cab-cache");
}

ContentStoreImpl::~ContentStoreImpl() {
  shutdown();
  {
    MutexLock lock(changed_mutex_);
    stop_saver_ = true;
    changed_cond_.notify_all();
  }
  saver_.join();
  save_changed();
}

// --- the registry ---

ContentStoreImpl::Name ContentStoreImpl::name_of(const ContentKey& key) const {
  std::string text;
  append(text, key.file.value);
  append(text, key.version.value);
  append(text, key.version.empty() ? key.validator.value : std::string());
  append(text, std::to_string(key.size));
  return sealer_.name_key("content", text);
}

Result<std::shared_ptr<CachedContent>> ContentStoreImpl::open_cached(const ContentKey& key) {
  const Name name = name_of(key);
  std::shared_ptr<CachedHandle> handle;
  bool opened = false;
  {
    // The index is asked under the lock: an eviction in between would take the file away that the
    // row names.
    MutexLock lock(mutex_);
    if (stopped_) return fail(ErrorCode::kCancelled, "open: the mount is ending");
    Known& entry = cached_[name];
    handle = entry.handle.lock();
    if (!handle) {
      auto file = entry.file.lock();
      if (!file) {
        file = std::make_shared<CachedFile>(*this, key, name);
        if (const auto row = index_->find(name)) file->load(*row);
        entry.file = file;
      }
      handle = std::make_shared<CachedHandle>(std::move(file));
      entry.handle = handle;
      opened = true;
    }
  }
  handle->file().learn_hashes(key.hashes);
  if (opened) index_->touch(name);
  return handle;
}

std::shared_ptr<CachedFile> ContentStoreImpl::find_file(const Name& name) {
  MutexLock lock(mutex_);
  const auto found = cached_.find(name);
  return found == cached_.end() ? nullptr : found->second.file.lock();
}

std::uint64_t ContentStoreImpl::cached_bytes(const ContentKey& key) {
  const Name name = name_of(key);
  if (const auto file = find_file(name)) return file->cached_bytes();
  const auto row = index_->find(name);
  if (!row) return 0;
  const auto text = sealer_.open_text(as_text(Bytes(name)), row->map);
  if (!text) return 0;
  const auto record = decode_content_record(*text, kMaxSlots);
  if (!record) return 0;
  std::uint64_t bytes = 0;
  record->map.for_each([&](std::uint64_t block, const BlockEntry&) {
    bytes += std::min(kBlockBytes, key.size - std::min(key.size, block * kBlockBytes));
  });
  return bytes;
}

void ContentStoreImpl::drop_cached(const ContentKey& key) {
  const Name name = name_of(key);
  if (const auto file = find_file(name)) {
    file->forget();
    return;
  }
  MutexLock lock(evict_mutex_);
  if (auto row = index_->find(name)) (void)evict_one(*row);
}

void ContentStoreImpl::rename_cached(const std::vector<ContentRename>& renames) {
  // What was let go a moment ago has no row yet, and what is kept only here is in nobody's use.
  save_changed();
  {
    std::map<std::shared_ptr<CachedFile>, SteadyTime> unused;
    MutexLock lock(changed_mutex_);
    unused.swap(unvalidated_);
    lock.unlock();
  }
  for (const ContentRename& rename : renames) {
    if (stopped_) return;
    const Name from = name_of(rename.from);
    const Name to = name_of(rename.to);
    if (from != to && rename.from.size == rename.to.size) rename_one(from, to);
  }
}

void ContentStoreImpl::rename_one(const Name& from, const Name& to) {
  // No eviction that has read the old name may remove the file that the new one points to, and
  // nobody may open either of them in between.
  MutexLock evicting(evict_mutex_);
  MutexLock lock(mutex_);
  if (is_known_locked(from) || is_known_locked(to)) return;
  const auto row = index_->find(from);
  if (!row || index_->find(to)) return;
  // Sealed with its name; one that does not open is as good as none, and goes when room is needed.
  const auto map = sealer_.open_text(as_text(Bytes(from)), row->map);
  if (map) index_->rename(from, to, sealer_.seal_text(as_text(Bytes(to)), *map));
}

bool ContentStoreImpl::is_known_locked(const Name& name) const {
  const auto found = cached_.find(name);
  return found != cached_.end() && !found->second.file.expired();
}

void ContentStoreImpl::set_pins(const std::vector<ContentKey>& keys) {
  std::vector<Name> names;
  names.reserve(keys.size());
  for (const ContentKey& key : keys) names.push_back(name_of(key));
  index_->set_pins(names);
}

void ContentStoreImpl::hold(const ContentKey& key, bool held) {
  const Name name = name_of(key);
  MutexLock lock(held_mutex_);
  if (held) {
    ++held_[name];
  } else if (const auto found = held_.find(name); found != held_.end() && --found->second == 0) {
    held_.erase(found);
  }
}

bool ContentStoreImpl::is_held(const Name& name) {
  MutexLock lock(held_mutex_);
  return held_.contains(name);
}

void ContentStoreImpl::changed(std::shared_ptr<CachedFile> file) {
  MutexLock lock(changed_mutex_);
  changed_.insert(std::move(file));
  changed_cond_.notify_all();
}

void ContentStoreImpl::run_saver(const std::stop_token&) {
  MutexLock lock(changed_mutex_);
  while (!stop_saver_) {
    if (changed_.empty() && retired_.empty()) {
      changed_cond_.wait(changed_mutex_);
      continue;
    }
    // Let changes come together.
    const auto until = Clock::system().steady() + kSaveInterval;
    while (!stop_saver_ && changed_cond_.wait_until(changed_mutex_, until)) {
    }
    lock.unlock();
    save_changed();
    (void)remove_retired();
    lock.lock();
  }
}

void ContentStoreImpl::set_row_sync(std::function<Result<void>()> sync) {
  MutexLock lock(row_sync_mutex_);
  row_sync_ = std::move(sync);
  MutexLock inner(changed_mutex_);
  has_row_sync_ = row_sync_ != nullptr;
}

void ContentStoreImpl::retire(std::shared_ptr<SlotFile> file) {
  {
    MutexLock lock(changed_mutex_);
    if (has_row_sync_) {
      retired_.push_back(std::move(file));
      changed_cond_.notify_all();
      return;
    }
  }
  // Nobody can say any more when the rows are durable: the next start finds out.
  if (!stopped_) file->remove();
}

bool ContentStoreImpl::remove_retired() {
  std::vector<std::shared_ptr<SlotFile>> files;
  {
    MutexLock lock(row_sync_mutex_);
    MutexLock inner(changed_mutex_);
    files.swap(retired_);
    inner.unlock();
    if (files.empty() || !row_sync_) return false;
    if (const Result<void> synced = row_sync_(); !synced) {
      // A log that could not be synced once is not synced any more: the next start removes them.
      log_warn("staged data that is not needed any more stays until the next mount: {}",
               to_string(synced.error()));
      return false;
    }
  }
  for (const auto& file : files) file->remove();
  return true;
}

void ContentStoreImpl::save_changed() {
  std::set<std::shared_ptr<CachedFile>> files;
  {
    MutexLock lock(changed_mutex_);
    files.swap(changed_);
  }
  for (const auto& file : files) file->save();
  keep_unvalidated(files);
  files.clear();
  // Names whose objects are gone.
  MutexLock lock(mutex_);
  std::erase_if(cached_, [](const auto& entry) { return entry.second.file.expired(); });
  std::erase_if(staged_, [](const auto& entry) { return entry.second.expired(); });
}

// What nothing vouches for yet is in no row: it would go with its object, before the program that
// it was fetched ahead for has come to it.
void ContentStoreImpl::keep_unvalidated(const std::set<std::shared_ptr<CachedFile>>& saved) {
  std::map<std::shared_ptr<CachedFile>, SteadyTime> kept;
  {
    MutexLock lock(changed_mutex_);
    kept.swap(unvalidated_);
  }
  const SteadyTime now = Clock::system().steady();
  for (const auto& file : saved) kept.insert_or_assign(file, now);
  std::erase_if(kept, [&](const auto& entry) {
    return stopped_ || now - entry.second > kKeptUnvalidated || !entry.first->needs_validation();
  });
  while (kept.size() > kMostUnvalidated)
    kept.erase(std::ranges::min_element(kept, {}, [](const auto& entry) { return entry.second; }));
  MutexLock lock(changed_mutex_);
  unvalidated_.merge(kept);
}

// --- the disk budget ---

std::uint64_t ContentStoreImpl::over_limit(std::uint64_t more) {
  std::uint64_t over = 0;
  const std::uint64_t bytes = cache_bytes_ + more;
  if (bytes > options_.cache_max_bytes) over = bytes - options_.cache_max_bytes;
  if (const auto space = disk_space(options_.cache_dir)) {
    const auto keep =
        static_cast<std::uint64_t>(static_cast<double>(space->total) * options_.min_free_fraction);
    free_checked_ = space->free > keep ? space->free - keep : 0;
    charged_since_ = 0;
    if (space->free < keep + more) over = std::max(over, keep + more - space->free);
  }
  return over;
}

bool ContentStoreImpl::charge(std::uint64_t bytes) {
  const std::uint64_t since = charged_since_ += bytes;
  std::uint64_t now = cache_bytes_ += bytes;
  const bool fits = now <= options_.cache_max_bytes && since + kFreeSpaceStep <= free_checked_;
  if (fits) return true;
  MutexLock lock(evict_mutex_);
  // cache_bytes_ has the new bytes already; the disk has not.
  std::uint64_t over = over_limit(0);
  if (over == 0 && free_checked_ < bytes) over = bytes - free_checked_;
  if (over == 0) return true;
  const std::uint64_t step = std::min(kEvictStep, options_.cache_max_bytes / 32);
  std::uint64_t gone = evict_locked(over, over + step);
  if (gone < over) {
    // What was let go a moment ago has no row yet.
    save_changed();
    gone += evict_locked(over - gone, over - gone + step);
  }
  if (gone >= over) return true;
  cache_bytes_ -= bytes;
  return false;
}

bool ContentStoreImpl::evict_one(const BlockIndex::Row& row) {
  std::shared_ptr<CachedFile> idle;
  {
    MutexLock lock(mutex_);
    if (const auto found = cached_.find(row.name); found != cached_.end()) {
      if (!found->second.handle.expired()) return false;
      idle = found->second.file.lock();
    }
    if (!idle) {
      // Under the lock, so that nobody opens what is being removed. The file first: on a full disk
      // the index needs the space to note it.
      SlotFile(options_.cache_dir, row.id, sealer_, true).remove();
      if (!index_->erase(row.name)) return false;
    }
  }
  counters_.evicted += row.bytes;
  if (idle)
    idle->forget();  // refunds by itself
  else
    refund(row.bytes);
  return true;
}

std::uint64_t ContentStoreImpl::evict_locked(std::uint64_t need, std::uint64_t want) {
  std::uint64_t gone = 0;
  while (gone < need) {
    const std::uint64_t before = gone;
    // All rows when the oldest are all in use.
    for (const std::size_t limit : {kEvictBatch, SIZE_MAX}) {
      for (const auto& row : index_->oldest(limit, true))
        if (gone < want && !is_held(row.name) && evict_one(row)) gone += row.bytes;
      if (gone != before) break;
    }
    if (gone == before) break;
  }
  return gone;
}

std::uint64_t ContentStoreImpl::evict(std::uint64_t bytes) {
  save_changed();
  MutexLock lock(evict_mutex_);
  return evict_locked(bytes, bytes);
}

bool ContentStoreImpl::make_room(std::uint64_t bytes) {
  const bool retired = remove_retired();
  const bool made = evict(bytes) > 0 || retired;
  if (made) log_info("the disk is full: cached contents were removed to keep unsent data");
  return made;
}

void ContentStoreImpl::collect_garbage() {
  if (const std::uint64_t over = over_limit(0); over > 0) (void)evict(over);
}

void ContentStoreImpl::clear_cache() { (void)evict(UINT64_MAX); }

void ContentStoreImpl::remove_strangers() {
  const auto entries = list_dir(options_.cache_dir);
  if (!entries) return;
  for (const auto& entry : *entries) {
    ContentId id;
    if (stopped_ || !parse_slot_file_name(entry.name, id) || index_->knows(id)) continue;
    // A file that was made in this run is in nobody's row yet. Its object knows it; whoever makes
    // one later takes a new id.
    bool ours = false;
    std::vector<std::shared_ptr<CachedFile>> files;
    {
      MutexLock lock(mutex_);
      ours = adopting_.contains(id);
      for (const auto& known : cached_)
        if (auto file = known.second.file.lock()) files.push_back(std::move(file));
    }
    for (const auto& file : files) ours = ours || file->id() == id;
    if (!ours && !index_->knows(id)) SlotFile(options_.cache_dir, id, sealer_, true).remove();
  }
}

ContentStore::VerifyReport ContentStoreImpl::verify(const CancelToken& cancel) {
  save_changed();
  VerifyReport report;
  for (const auto& row : index_->oldest(SIZE_MAX, false)) {
    const auto file = find_file(row.name);
    if (cancel.cancelled()) break;
    const auto checked = file ? file->check(cancel) : check_closed(row.name, cancel);
    ++report.files;
    report.blocks += checked.blocks;
    report.bad_blocks += checked.bad;
  }
  return report;
}

CachedFile::Checked ContentStoreImpl::check_closed(const Name& name, const CancelToken& cancel) {
  CachedFile::Checked checked;
  const auto row = index_->find(name);
  if (!row) return checked;
  SlotFile file(options_.cache_dir, row->id, sealer_, true);
  Result<ContentRecord> record = fail(ErrorCode::kCorrupt, "no record");
  if (const auto text = sealer_.open_text(as_text(Bytes(name)), row->map))
    record = decode_content_record(*text, kMaxSlots);
  std::vector<std::uint64_t> bad;
  if (record) {
    std::vector<std::byte> buffer(kBlockBytes);
    record->map.for_each([&](std::uint64_t block, const BlockEntry& entry) {
      if (!entry.has_slot() || cancel.cancelled()) return;
      ++checked.blocks;
      const auto length = std::min(kBlockBytes, record->size - block * kBlockBytes);
      if (!file.read(entry.slot, block, MutableBytes(buffer).first(length))) bad.push_back(block);
    });
    if (bad.empty()) return checked;
  } else {
    checked.blocks = 1;
    bad.push_back(0);
  }
  checked.bad = bad.size();
  counters_.corrupt += checked.bad;
  // Opened or evicted while we looked: whoever has it now sees for himself.
  MutexLock lock(mutex_);
  if (const auto known = cached_.find(name);
      known != cached_.end() && !known->second.file.expired())
    return checked;
  const auto now = index_->find(name);
  if (!now || now->map != row->map) return checked;
  if (!record) {
    (void)index_->erase(name);
    file.remove();
    refund(row->bytes);
    return checked;
  }
  for (const std::uint64_t block : bad) record->map.erase(block);
  index_->put({name, row->id, row->bytes,
               sealer_.seal_text(as_text(Bytes(name)), encode_content_record(*record))});
  return checked;
}

// --- staged contents ---

Result<std::shared_ptr<StagedContent>> ContentStoreImpl::create_staged(
    const std::optional<ContentKey>& base) {
  auto file = std::make_shared<StagedFile>(*this, base);
  MutexLock lock(mutex_);
  staged_[slot_file_name(file->id())] = file;
  return file;
}

Result<std::shared_ptr<StagedContent>> ContentStoreImpl::load_staged(
    const std::string& record, const std::optional<ContentKey>& base) {
  TRY_ASSIGN(const ContentRecordHead head, decode_content_record_head(record));
  const std::string name = slot_file_name(head.id);
  {
    MutexLock lock(mutex_);
    if (const auto found = staged_.find(name); found != staged_.end()) {
      // A snapshot may keep it alive after its node was dropped from memory. Two objects on one
      // file would write into each other's slots.
      if (auto file = found->second.lock()) {
        if (file->clean() && file->is_last_record(record)) return file;
        return fail(ErrorCode::kBusy, "the staged content is in use with another state");
      }
    }
  }
  TRY_ASSIGN(std::shared_ptr<StagedFile> file, StagedFile::load(*this, record, base));
  MutexLock lock(mutex_);
  auto& place = staged_[name];
  if (auto other = place.lock()) return other;
  place = file;
  return file;
}

void ContentStoreImpl::discard_staged(const std::shared_ptr<StagedContent>& content) {
  if (const auto file = std::dynamic_pointer_cast<StagedFile>(content)) file->discard();
}

void ContentStoreImpl::collect_staged(const std::vector<std::string>& live_records) {
  std::set<std::string> live;
  for (const std::string& record : live_records) {
    const auto head = decode_content_record_head(record);
    if (!head) {
      // Better a file too many than one too few.
      log_error("a record of staged data cannot be read; no staged file is removed");
      return;
    }
    live.insert(slot_file_name(head->id));
  }
  {
    MutexLock lock(mutex_);
    for (const auto& [name, file] : staged_)
      if (!file.expired()) live.insert(name);
  }
  // A power loss may have brought back a record whose file had been adopted by the cache already.
  // The slots that it names are still as they were: a file of the cache is only appended to.
  for (const std::string& name : live) {
    const std::string from = options_.cache_dir + "/" + name, to = options_.staged_dir + "/" + name;
    ContentId id;
    if (file_exists(to) || !file_exists(from) || !parse_slot_file_name(name, id)) continue;
    if (rename_file(from, to)) refund(index_->erase_id(id));
  }
  const auto entries = list_dir(options_.staged_dir);
  if (entries)
    for (const auto& entry : *entries) {
      ContentId id;
      if (!parse_slot_file_name(entry.name, id) || live.contains(entry.name)) continue;
      (void)remove_file(options_.staged_dir + "/" + entry.name);
    }
  // Not before that: what is a stranger to the index may be somebody's staged data.
  disk_.submit([this] { remove_strangers(); });
}

// --- the rest ---

std::uint64_t ContentStoreImpl::prefetch_allowance() {
  MutexLock lock(prefetch_mutex_);
  const double all = prefetch_used_ + prefetch_unused_;
  // A few megabytes say nothing about how useful prefetch is.
  if (all < 32e6) return UINT64_MAX;
  const double useful = std::max(prefetch_used_ / all, 1.0 / 64);
  // Half in vain is usual for readers that stop early; below, the window shrinks in proportion.
  if (useful > 0.5) return UINT64_MAX;
  return static_cast<std::uint64_t>(static_cast<double>(options_.max_window) * useful);
}

void ContentStoreImpl::note_prefetch(std::uint64_t used, std::uint64_t unused) {
  counters_.prefetched_unused += unused;
  MutexLock lock(prefetch_mutex_);
  prefetch_used_ += static_cast<double>(used);
  prefetch_unused_ += static_cast<double>(unused);
  // What was long ago counts less.
  if (prefetch_used_ + prefetch_unused_ > 1e9) {
    prefetch_used_ /= 2;
    prefetch_unused_ /= 2;
  }
}

ContentStats ContentStoreImpl::stats() const {
  ContentStats stats;
  stats.cache_bytes = cache_bytes_;
  stats.cached_files = index_->count();
  stats.hits = counters_.hits;
  stats.misses = counters_.misses;
  stats.fetched_bytes = counters_.fetched;
  stats.prefetched_bytes = counters_.prefetched;
  stats.prefetched_unused_bytes = counters_.prefetched_unused;
  stats.evicted_bytes = counters_.evicted;
  stats.corrupt_blocks = counters_.corrupt;
  stats.memory_bytes = memory_.used();
  std::vector<std::shared_ptr<StagedFile>> staged;
  {
    MutexLock lock(mutex_);
    for (const auto& entry : staged_)
      if (auto file = entry.second.lock()) staged.push_back(std::move(file));
  }
  for (const auto& file : staged) stats.staged_bytes += file->staged_bytes();
  return stats;
}

void ContentStoreImpl::shutdown() {
  if (stopped_.exchange(true)) return;
  std::vector<std::shared_ptr<CachedFile>> files;
  {
    MutexLock lock(mutex_);
    for (const auto& entry : cached_)
      if (auto file = entry.second.file.lock()) files.push_back(std::move(file));
  }
  for (const auto& file : files) file->shutdown();
  fetcher_.shutdown();
  disk_.shutdown();
  // What the disk pool had not come to. Nobody fetches any more, so this ends.
  for (const auto& file : files) file->write_pending();
  save_changed();
  (void)remove_retired();
}

}  // namespace cabinetfs

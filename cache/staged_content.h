#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "cache/block_map.h"
#include "cache/block_memory.h"
#include "cache/block_slots.h"
#include "cache/content.h"
#include "cache/content_record.h"
#include "cache/slot_file.h"

namespace cabinetfs {

// What a staged content needs of the store that it lives in, which outlives it.
class StagedHost {
 public:
  virtual ~StagedHost() = default;
  virtual const Sealer& sealer() const = 0;
  virtual BlockMemory& memory() = 0;
  virtual const std::string& staged_dir() const = 0;
  virtual Result<std::shared_ptr<CachedContent>> open_base(const ContentKey& key) = 0;
  // The disk of the staged files is full: removes cached contents. False when nothing could go.
  virtual bool make_room(std::uint64_t bytes) = 0;
  // Of staged files that this process has made: none of their states was made durable yet. All
  // others may have been.
  virtual void note_unsynced(const ContentId& id, bool unsynced) = 0;
  virtual bool is_unsynced(const ContentId& id) = 0;
  // Takes over a slot file that rows have named and that no row names any more: a power loss may
  // bring such a row back until the newer one is durable, so the file stays that long. May be
  // called under any lock.
  virtual void retire(std::shared_ptr<SlotFile> file) = 0;
};

// See StagedContent. Changes are collected in memory block by block and go to free slots when
// enough has come together, or at prepare(); blocks that a write covers as a whole go there at
// once.
//
// Locks: writers_ makes writers wait for each other and covers their disk writes; mutex_ covers the
// fields and is never held over disk or network, so readers do not wait for a disk. writers_ is
// taken before mutex_; a Base's mutex is a leaf.
class StagedFile final : public StagedContent, public std::enable_shared_from_this<StagedFile> {
 public:
  // An immutable state that a record stands for.
  struct State {
    std::uint64_t sequence = 0;
    std::uint64_t size = 0;
    std::uint64_t base_limit = 0;
    BlockMap map;
  };

  StagedFile(StagedHost& host, std::optional<ContentKey> base);
  // From a record; the file is looked at, not read.
  static Result<std::shared_ptr<StagedFile>> load(StagedHost& host, const std::string& record,
                                                  std::optional<ContentKey> base);
  ~StagedFile() override;

  // ReadableContent, StagedContent
  std::uint64_t size() const override EXCLUDES(mutex_);
  Result<std::size_t> read(const CallContext& call, std::uint64_t offset,
                           MutableBytes out) override;
  Result<void> write(std::uint64_t offset, Bytes bytes) override EXCLUDES(writers_, mutex_);
  Result<void> truncate(std::uint64_t size) override EXCLUDES(writers_, mutex_);
  Result<void> punch(std::uint64_t offset, std::uint64_t length) override
      EXCLUDES(writers_, mutex_);
  Result<void> reserve(std::uint64_t bytes) override;
  Result<std::string> prepare() override EXCLUDES(writers_, mutex_);
  void committed(const std::string& record) override EXCLUDES(mutex_);
  Result<std::uint64_t> sync() override EXCLUDES(mutex_);
  void row_synced(std::uint64_t state) override EXCLUDES(mutex_);
  bool wants_sync() const override EXCLUDES(mutex_);
  Result<std::shared_ptr<ReadableContent>> snapshot() override EXCLUDES(mutex_);
  std::uint64_t staged_bytes() const override EXCLUDES(mutex_);
  bool is_base() const override EXCLUDES(mutex_);
  bool shows_base() const override EXCLUDES(mutex_);
  void rebase(const ContentKey& base) override EXCLUDES(mutex_);
  Result<std::uint64_t> seek_data(std::uint64_t offset) override EXCLUDES(mutex_);
  Result<std::uint64_t> seek_hole(std::uint64_t offset) override EXCLUDES(mutex_);

  const ContentId& id() const { return file_->id(); }
  std::optional<ContentKey> base_key() const EXCLUDES(mutex_);
  // The last committed state and the file it is in; from now on every change fails with kStale,
  // since the slots belong to a cached content. No file when nothing was ever committed, or when
  // there are changes behind the last committed record.
  struct Adopted {
    std::shared_ptr<SlotFile> file;
    std::shared_ptr<const State> state;
    std::uint64_t slots = 0;  // length of the file
  };
  Adopted give_away() EXCLUDES(writers_, mutex_);
  // The file goes with the last holder.
  void discard() { discarded_ = true; }
  // All changes are in a committed record.
  bool clean() const EXCLUDES(mutex_);
  bool is_last_record(const std::string& record) const EXCLUDES(mutex_);

 private:
  class Snapshot;
  // A version that stands under staged ranges, opened when it is first needed.
  struct Base {
    explicit Base(ContentKey k) : key(std::move(k)) {}
    const ContentKey key;
    Mutex mutex;
    std::shared_ptr<CachedContent> content GUARDED_BY(mutex);
  };
  struct Dirty {
    std::unique_ptr<std::byte[]> data;
    BlockRanges valid;
  };
  // A piece of a read that is in a slot, or that the base or zeros must fill.
  struct Piece {
    std::uint64_t block = 0;
    std::uint32_t begin = 0, end = 0;  // inside the block
    MutableBytes out;
    Slot slot = kNoSlot;
    std::uint64_t serial = 0;
    std::uint32_t stored = 0;
    std::optional<BlockRanges> valid;  // nullopt: all of the block
  };
  struct Gap {
    std::uint64_t offset = 0;
    MutableBytes out;
  };

  StagedFile(StagedHost& host, std::optional<ContentKey> base, ContentRecord record,
             std::uint64_t file_slots);

  // Writers.
  Result<void> writable_locked() const REQUIRES(writers_);
  Result<void> write_full_locked(std::uint64_t block, Bytes bytes) REQUIRES(writers_)
      EXCLUDES(mutex_);
  // nullptr: zeros.
  Result<void> write_part_locked(std::uint64_t block, std::uint32_t begin, std::uint32_t length,
                                 const std::byte* bytes, bool grow) REQUIRES(writers_)
      EXCLUDES(mutex_);
  Result<void> spill_locked() REQUIRES(writers_) EXCLUDES(mutex_);
  // Writes the blocks into fresh slots, in as few calls as possible; slots[i] is for blocks[i].
  Result<std::vector<Slot>> store_locked(const std::vector<SlotFile::PlainBlock>& blocks)
      REQUIRES(writers_) EXCLUDES(mutex_);
  void drop_block_locked(std::uint64_t block) REQUIRES(mutex_);
  void release_locked(Slot slot) REQUIRES(mutex_);
  void shrink_locked(std::uint64_t size) REQUIRES(mutex_);
  void erase_between_locked(std::uint64_t first, std::uint64_t end) REQUIRES(mutex_);
  void reclaim_locked() REQUIRES(mutex_);

  // Readers.
  struct Slice {
    MutableBytes out;  // as much as was planned at once
    std::vector<Gap> gaps;
    std::shared_ptr<Base> base;
    std::uint64_t base_limit = 0;
    std::uint64_t changes = 0;
    std::optional<Error> error;
  };
  Result<Slice> read_slice(std::uint64_t offset, MutableBytes out) EXCLUDES(mutex_);
  void plan_locked(const BlockMap& map, bool with_dirty, std::uint64_t offset, MutableBytes out,
                   std::vector<Piece>& pieces, std::vector<Gap>& gaps) const REQUIRES(mutex_);
  Result<void> read_pieces(const std::vector<Piece>& pieces, std::vector<Gap>& gaps);
  Result<std::size_t> read_state(const CallContext& call, const State& state, Base* base,
                                 std::uint64_t offset, MutableBytes out) EXCLUDES(mutex_);
  Result<void> fill_gaps(const CallContext& call, Base* base, std::uint64_t base_limit,
                         std::vector<Gap>& gaps);
  Result<std::shared_ptr<CachedContent>> open_base(Base* base);
  Result<void> sync_slots(bool always) EXCLUDES(mutex_);
  bool clean_locked() const REQUIRES(mutex_);
  bool is_data_locked(std::uint64_t block) const REQUIRES(mutex_);
  void forget_snapshot(std::uint64_t sequence) EXCLUDES(mutex_);

  StagedHost& host_;
  const std::shared_ptr<SlotFile> file_;
  const std::uint64_t memory_id_;
  std::atomic<bool> discarded_{false};

  mutable Mutex writers_;
  bool given_away_ GUARDED_BY(writers_) = false;

  mutable Mutex mutex_;
  std::shared_ptr<Base> base_ GUARDED_BY(mutex_);
  std::uint64_t size_ GUARDED_BY(mutex_) = 0;
  std::uint64_t base_limit_ GUARDED_BY(mutex_) = 0;
  BlockMap map_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, Dirty> dirty_ GUARDED_BY(mutex_);  // stands above map_
  BlockSlots slots_ GUARDED_BY(mutex_);
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;           // counts; a reader compares
  std::uint64_t changes_prepared_ GUARDED_BY(mutex_) = 0;  // as of the last record
  bool any_record_ GUARDED_BY(mutex_) = false;
  std::uint64_t next_sequence_ GUARDED_BY(mutex_) = 1;
  // Records that may be in the database: those made since the last committed() one, it included.
  std::deque<std::shared_ptr<const State>> records_ GUARDED_BY(mutex_);
  std::shared_ptr<const State> committed_ GUARDED_BY(mutex_);
  std::string last_record_ GUARDED_BY(mutex_);
  std::multiset<std::uint64_t> snapshots_ GUARDED_BY(mutex_);
  // Records that were last made durable. A power loss may bring any of them back: the caller's
  // database is synced after sync(), so the one before the last counts too.
  std::deque<std::uint64_t> durable_ GUARDED_BY(mutex_);
  bool sync_failed_ GUARDED_BY(mutex_) = false;
  // A state of this file has been made durable, or may have been: from then on a row that names a
  // state may reach the disk at any time (another file's fsync syncs the database), so the slots of
  // each state are synced before its record is given out, and nothing is written over before a
  // newer row is known to be durable.
  bool careful_ GUARDED_BY(mutex_) = false;
  std::uint64_t slot_writes_ GUARDED_BY(mutex_) = 0;  // counts
  std::uint64_t slot_writes_synced_ GUARDED_BY(mutex_) = 0;
};

}  // namespace cabinetfs

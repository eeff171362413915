// A staged content that is on the server now becomes the cache entry of its version.
#include <algorithm>
#include <utility>

#include "backend/base/log.h"
#include "cache/content_record.h"
#include "cache/content_store.h"
#include "cache/posix_env.h"
#include "cache/sync_point.h"

namespace cabinetfs {

namespace {

// What is copied into the new entry from the base's: more would keep the caller too long, and stays
// to be fetched when it is read.
constexpr std::uint64_t kMaxCopy = 256u << 20;
// Zero blocks that are noted one by one; a file of more holes is fetched.
constexpr std::uint64_t kMaxHoles = 1u << 20;
// Between two disks a file is copied up to here, else dropped.
constexpr std::uint64_t kMaxMove = 64u << 20;

}  // namespace

ContentRecord ContentStoreImpl::make_adopted(const StagedFile::Adopted& adopted,
                                             ReadableContent& snapshot, const ContentKey& key) {
  ContentRecord record;
  record.id = adopted.file->id();
  record.size = key.size;
  record.slots = adopted.slots;
  record.verified = true;  // it is what was sent
  const BlockMap& staged = adopted.state->map;
  const std::uint64_t blocks = (key.size + kBlockBytes - 1) / kBlockBytes;
  const std::uint64_t base_blocks = (adopted.state->base_limit + kBlockBytes - 1) / kBlockBytes;
  CallContext here;
  here.may_block = false;  // from this disk or not at all
  std::vector<std::byte> buffer(kBlockBytes);
  std::uint64_t copied = 0, holes = 0;
  for (std::uint64_t block = 0; block < blocks; ++block) {
    const auto length =
        static_cast<std::uint32_t>(std::min(kBlockBytes, key.size - block * kBlockBytes));
    const BlockEntry entry = staged.find(block);
    if (entry.present() && (entry.valid ? entry.valid->covers(0, length) : true) &&
        (entry.slot == kZeroSlot || entry.stored == length)) {
      record.map.set(block, entry.slot);
      continue;
    }
    if (!entry.present() && block >= base_blocks) {
      if (++holes > kMaxHoles) break;
      record.map.set(block, kZeroSlot);
      continue;
    }
    // A block of the base, or one that is only partly staged: what both make together.
    if (copied + length > kMaxCopy || record.slots >= kMaxSlots - 1) continue;
    const auto out = MutableBytes(buffer).first(length);
    const auto got = snapshot.read(here, block * kBlockBytes, out);
    if (!got || *got != length) continue;
    const SlotFile::PlainBlock plain{block, out};
    if (!adopted.file->write(static_cast<Slot>(record.slots), std::span(&plain, 1))) break;
    record.map.set(block, static_cast<Slot>(record.slots++));
    copied += length;
  }
  return record;
}

bool ContentStoreImpl::move_to_cache(const StagedFile::Adopted& adopted, std::uint64_t slots) {
  if (adopted.file->move_to(options_.cache_dir)) return true;
  const std::uint64_t bytes = slots * kSlotBytes;
  if (bytes > kMaxMove) return false;
  // Another disk. Readers of the staged content go on with the old file.
  const auto from = File::open_read(adopted.file->path());
  if (!from) return false;
  const std::string path = options_.cache_dir + "/" + slot_file_name(adopted.file->id());
  const auto to = File::create_exclusive(path);
  if (!to) return false;
  std::vector<std::byte> buffer(1u << 20);
  for (std::uint64_t at = 0; at < bytes;) {
    const auto got = from->read_at(at, MutableBytes(buffer));
    if (!got || (*got > 0 && !to->write_at(at, Bytes(buffer).first(*got)))) {
      (void)remove_file(path);
      return false;
    }
    if (*got == 0) break;
    at += *got;
  }
  retire(adopted.file);
  return true;
}

void ContentStoreImpl::adopt(const std::shared_ptr<StagedContent>& content, const ContentKey& key) {
  const auto staged = std::dynamic_pointer_cast<StagedFile>(content);
  if (!staged) return;
  const auto snapshot = staged->snapshot();
  const StagedFile::Adopted adopted = staged->give_away();
  if (!snapshot || !adopted.file) return;
  note_unsynced(staged->id(), false);
  const Name name = name_of(key);
  // Somebody reads under this name already: the new content, from the server, or an older one,
  // where the vendor's validator is a time in seconds and a size and both were sent in the same
  // second. Which of them nobody can tell, so none of it counts.
  const auto reading = find_file(name);
  if (reading) reading->forget();
  const bool wanted = adopted.state->size == key.size && key.size > 0 && !stopped_ && !reading &&
                      adopted.file->exists();
  if (!wanted) {
    retire(adopted.file);
    return;
  }
  const ContentRecord record = make_adopted(adopted, **snapshot, key);
  const std::uint64_t bytes = record.slots * kSlotBytes;
  {
    MutexLock lock(mutex_);
    adopting_.insert(record.id);
  }
  const bool charged = charge(bytes);
  internal::sync_point("adopt.before");
  if (charged && move_to_cache(adopted, record.slots)) {
    internal::sync_point("adopt.moved");
    MutexLock lock(mutex_);
    if (const auto old = index_->find(name)) {
      SlotFile(options_.cache_dir, old->id, sealer_, true).remove();
      refund(old->bytes);
    }
    index_->put({name, record.id, bytes,
                 sealer_.seal_text(as_text(Bytes(name)), encode_content_record(record))});
  } else {
    if (charged) refund(bytes);
    retire(adopted.file);
  }
  internal::sync_point("adopt.after");
  MutexLock lock(mutex_);
  adopting_.erase(record.id);
}

}  // namespace cabinetfs

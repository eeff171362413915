#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "backend/base/text.h"
#include "cache/block_map.h"
#include "cache/posix_env.h"
#include "cache/sealer.h"

namespace cabinetfs {

constexpr std::uint64_t kSlotBytes = kBlockBytes + Sealer::kOverhead;

// Names one content on this disk for all of its life, whatever the server calls it meanwhile: 16
// random bytes, bound into every sealed block, and the name of the slot file.
using ContentId = std::array<std::byte, 16>;
ContentId new_content_id();
std::string slot_file_name(const ContentId& id);  // hex and ".blocks"
bool parse_slot_file_name(const std::string& name, ContentId& id);

// The file that holds the sealed blocks of one content. It does not know which slot holds what:
// that is in the maps of those who use it. Made on the disk with the first write.
//
// Thread safe. A slot must not be written by two at once; a read of a slot that is being written
// fails with kCorrupt (the seal does not fit), it never gives mixed bytes.
class SlotFile {
 public:
  // Nothing is touched on the disk yet. `exists`: the file is there (from an earlier run).
  SlotFile(std::string dir, const ContentId& id, const Sealer& sealer, bool exists);
  SlotFile(const SlotFile&) = delete;
  SlotFile& operator=(const SlotFile&) = delete;

  struct PlainBlock {
    std::uint64_t block = 0;
    Bytes bytes;  // 1 to kBlockBytes
  };
  // Seals the blocks into slots first, first + 1, ... with one write for each 16 of them.
  Result<void> write(Slot first, std::span<const PlainBlock> blocks);
  // Fills `out`, which has exactly as many bytes as were written.
  Result<void> read(Slot slot, std::uint64_t block, MutableBytes out);

  // fdatasync, and once after the file was made also its directory.
  Result<void> sync();
  Result<void> truncate(Slot slots);
  // Moves the file into another directory of the same disk; open readers go on.
  Result<void> move_to(const std::string& dir);
  // Deletes the file; what is open stays readable.
  void remove();

  const ContentId& id() const { return id_; }
  std::string path() const EXCLUDES(mutex_);
  bool exists() const EXCLUDES(mutex_);
  Result<std::uint64_t> size() EXCLUDES(mutex_);

 private:
  Result<const File*> file(bool create) EXCLUDES(mutex_);
  std::array<std::byte, 28> aad(std::uint64_t block, std::size_t length) const;

  const ContentId id_;
  const Sealer& sealer_;
  mutable Mutex mutex_;
  std::string dir_ GUARDED_BY(mutex_);
  bool exists_ GUARDED_BY(mutex_);
  bool dir_synced_ GUARDED_BY(mutex_) = false;
  // Set once under mutex_, then used without it: File's own calls are thread safe.
  File file_;
  std::atomic<bool> open_{false};
};

}  // namespace cabinetfs

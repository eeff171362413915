#include "cache/slot_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace cabinetfs {

namespace {

constexpr char kSuffix[] = ".blocks";
constexpr std::size_t kBatch = 16;  // about 1 MiB for one write

// The sealed form of what is being written or read. One for each thread, kept: a megabyte of fresh
// pages for each call would cost more than sealing it.
std::vector<std::byte>& sealed_buffer(std::size_t size) {
  thread_local std::vector<std::byte> buffer;
  if (buffer.size() < size) buffer.resize(size);
  return buffer;
}

}  // namespace

ContentId new_content_id() {
  // Uniqueness is all that is needed here, not secrecy.
  thread_local std::random_device device;
  ContentId id;
  for (std::size_t i = 0; i < id.size(); i += 4) {
    const std::uint32_t word = device();
    std::memcpy(id.data() + i, &word, 4);
  }
  return id;
}

std::string slot_file_name(const ContentId& id) { return to_hex(Bytes(id)) + kSuffix; }

bool parse_slot_file_name(const std::string& name, ContentId& id) {
  if (!name.ends_with(kSuffix)) return false;
  const auto bytes = from_hex(std::string_view(name).substr(0, name.size() - sizeof(kSuffix) + 1));
  if (!bytes || bytes->size() != id.size()) return false;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return true;
}

SlotFile::SlotFile(std::string dir, const ContentId& id, const Sealer& sealer, bool exists)
    : id_(id), sealer_(sealer), dir_(std::move(dir)), exists_(exists) {}

std::string SlotFile::path() const {
  MutexLock lock(mutex_);
  return dir_ + "/" + slot_file_name(id_);
}

bool SlotFile::exists() const {
  MutexLock lock(mutex_);
  return exists_;
}

Result<const File*> SlotFile::file(bool create) {
  if (open_.load(std::memory_order_acquire)) return &file_;
  MutexLock lock(mutex_);
  if (open_.load(std::memory_order_relaxed)) return &file_;
  const std::string path = dir_ + "/" + slot_file_name(id_);
  if (exists_) {
    TRY_ASSIGN(file_, File::open_write(path));
  } else if (create) {
    TRY_ASSIGN(file_, File::create_exclusive(path));
    exists_ = true;
  } else {
    return fail(ErrorCode::kCorrupt, fmt::format("{}: no blocks have been written", path));
  }
  open_.store(true, std::memory_order_release);
  return &file_;
}

std::array<std::byte, 28> SlotFile::aad(std::uint64_t block, std::size_t length) const {
  std::array<std::byte, 28> result;
  std::memcpy(result.data(), id_.data(), id_.size());
  for (std::size_t i = 0; i < 8; ++i) result[16 + i] = static_cast<std::byte>(block >> (8 * i));
  for (std::size_t i = 0; i < 4; ++i) result[24 + i] = static_cast<std::byte>(length >> (8 * i));
  return result;
}

Result<void> SlotFile::write(Slot first, std::span<const PlainBlock> blocks) {
  TRY_ASSIGN(const File* const file, this->file(true));
  while (!blocks.empty()) {
    const auto batch = blocks.first(std::min(blocks.size(), kBatch));
    auto& sealed = sealed_buffer(batch.size() * kSlotBytes);
    std::size_t end = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::size_t length = batch[i].bytes.size() + Sealer::kOverhead;
      const auto out = MutableBytes(sealed).subspan(i * kSlotBytes, length);
      sealer_.seal(aad(batch[i].block, batch[i].bytes.size()), batch[i].bytes, out);
      end = i * kSlotBytes + length;
    }
    TRY(file->write_at(first * kSlotBytes, Bytes(sealed).first(end)));
    first += static_cast<Slot>(batch.size());
    blocks = blocks.subspan(batch.size());
  }
  return {};
}

Result<void> SlotFile::read(Slot slot, std::uint64_t block, MutableBytes out) {
  TRY_ASSIGN(const File* const file, this->file(false));
  auto& buffer = sealed_buffer(kSlotBytes);
  const auto sealed = MutableBytes(buffer).first(out.size() + Sealer::kOverhead);
  TRY(file->read_exactly_at(slot * kSlotBytes, sealed));
  return sealer_.open(aad(block, out.size()), sealed, out);
}

Result<void> SlotFile::sync() {
  if (!exists()) return {};  // nothing was ever written
  // Also what an earlier run wrote: it may have been killed before the kernel had written it out.
  TRY_ASSIGN(const File* const file, this->file(false));
  TRY(file->sync_data());
  std::string dir;
  {
    MutexLock lock(mutex_);
    if (dir_synced_) return {};
    dir = dir_;
  }
  TRY(sync_dir(dir));
  MutexLock lock(mutex_);
  dir_synced_ = dir == dir_;
  return {};
}

Result<void> SlotFile::truncate(Slot slots) {
  TRY_ASSIGN(const File* const file, this->file(false));
  return file->truncate(slots * kSlotBytes);
}

Result<void> SlotFile::move_to(const std::string& dir) {
  TRY(this->file(false));  // by descriptor from now on: the path changes
  MutexLock lock(mutex_);
  TRY(rename_file(dir_ + "/" + slot_file_name(id_), dir + "/" + slot_file_name(id_)));
  dir_ = dir;
  dir_synced_ = false;
  return {};
}

void SlotFile::remove() {
  MutexLock lock(mutex_);
  if (!exists_) return;
  // Left behind at worst: collected at the next start.
  (void)remove_file(dir_ + "/" + slot_file_name(id_));
}

Result<std::uint64_t> SlotFile::size() {
  TRY_ASSIGN(const File* const file, this->file(false));
  return file->size();
}

}  // namespace cabinetfs

// MemoryVolume: contents.
#include <fmt/format.h>

#include <algorithm>

#include "tests/unit/fs/memory_volume_state.h"

namespace cabinetfs {

Result<std::size_t> MemoryVolume::read(const CallContext& call, OpenFile& file,
                                       std::uint64_t offset, MutableBytes out) {
  TRY(enter("read"));
  const NodePtr node = static_cast<Handle&>(file).node_;
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  if (offset >= node->content.size()) return std::size_t{0};
  const std::size_t count = std::min<std::size_t>(out.size(), node->content.size() - offset);
  std::copy_n(as_bytes(node->content).begin() + static_cast<std::ptrdiff_t>(offset), count,
              out.begin());
  return count;
}

Result<void> MemoryVolume::append(const CallContext& call, OpenFile& file, std::uint64_t expected,
                                  Bytes bytes) {
  return write(call, file, expected, bytes);
}

Result<void> MemoryVolume::write(const CallContext& call, OpenFile& file, std::uint64_t offset,
                                 Bytes bytes) {
  TRY(enter("write"));
  const NodePtr node = static_cast<Handle&>(file).node_;
  TRY(pass(call, node->remote));
  MutexLock lock(mutex_);
  if (node->content.size() < offset + bytes.size()) node->content.resize(offset + bytes.size());
  node->content.replace(offset, bytes.size(), as_text(bytes));
  node->mtime = Clock::system().wall();
  return {};
}

Result<void> MemoryVolume::flush(const CallContext& /*call*/, OpenFile& file) {
  note(fmt::format("flush {}", file.ino().value));
  return enter("flush");
}

Result<void> MemoryVolume::fsync(const CallContext& call, OpenFile& file) {
  note(fmt::format("fsync {}", file.ino().value));
  TRY(pass(call, static_cast<Handle&>(file).node_->remote));
  return enter("fsync");
}

Result<void> MemoryVolume::fsync_folder(const CallContext& /*call*/, InodeNumber folder) {
  note(fmt::format("fsync_folder {}", folder.value));
  return enter("fsync_folder");
}

void MemoryVolume::release(std::shared_ptr<OpenFile> file) {
  note(fmt::format("release {}", file->ino().value));
}

Result<void> MemoryVolume::allocate(const CallContext& /*call*/, OpenFile& file,
                                    std::uint64_t offset, std::uint64_t length, AllocateMode mode) {
  const NodePtr node = static_cast<Handle&>(file).node_;
  MutexLock lock(mutex_);
  const bool grow = mode == AllocateMode::kGrow || mode == AllocateMode::kZeroRange;
  if (grow && node->content.size() < offset + length) node->content.resize(offset + length);
  if (mode == AllocateMode::kGrow || mode == AllocateMode::kKeepSize) return {};
  for (std::uint64_t i = offset; i < offset + length && i < node->content.size(); ++i) {
    node->content[i] = '\0';
  }
  return {};
}

Result<std::uint64_t> MemoryVolume::seek(const CallContext& /*call*/, OpenFile& file,
                                         std::uint64_t offset, bool data) {
  const NodePtr node = static_cast<Handle&>(file).node_;
  MutexLock lock(mutex_);
  if (offset >= node->content.size()) return fail(ErrorCode::kRange, "beyond the end");
  return data ? offset : node->content.size();
}

Result<std::uint64_t> MemoryVolume::copy_range(const CallContext& /*call*/, OpenFile& in,
                                               std::uint64_t in_offset, OpenFile& out,
                                               std::uint64_t out_offset, std::uint64_t length) {
  TRY(enter("copy_range"));
  const NodePtr from = static_cast<Handle&>(in).node_;
  const NodePtr to = static_cast<Handle&>(out).node_;
  MutexLock lock(mutex_);
  if (in_offset >= from->content.size()) return std::uint64_t{0};
  const std::string bytes = from->content.substr(in_offset, length);
  if (to->content.size() < out_offset + bytes.size()) to->content.resize(out_offset + bytes.size());
  to->content.replace(out_offset, bytes.size(), bytes);
  log_.push_back("copy_range");
  return bytes.size();
}

}  // namespace cabinetfs

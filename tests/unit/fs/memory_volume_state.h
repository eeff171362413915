#pragma once

// What is inside a MemoryVolume; for its own source files only.

#include <algorithm>

#include "tests/unit/fs/memory_volume.h"

namespace cabinetfs {

struct MemoryVolume::Node {
  InodeNumber ino, parent;
  std::string name;
  NodeKind kind = NodeKind::kFile;
  std::uint32_t mode = 0644;
  WallTime atime{}, mtime{}, ctime{};
  std::string content;
  std::vector<std::string> versions;  // oldest first; the current one is `content`
  std::map<std::string, InodeNumber> children;
  std::map<std::string, std::string> xattrs;
  std::map<std::string, AccessLevel> shares;
  std::string description, lock_holder;
  PinState pin = PinState::kInherit;
  SyncMode sync = SyncMode::kInherit;
  std::size_t remembered = 0;
  std::uint64_t changes = 0, changes_known = 0;  // keep_cache: unchanged since the last open
  bool remote = false;
  bool edited = false;
  bool locked = false;
};

class MemoryVolume::Handle final : public OpenFile {
 public:
  Handle(MemoryVolume& volume, NodePtr node, OpenFlags flags, bool keep)
      : node_(std::move(node)), volume_(volume), flags_(flags), keep_(keep) {
    ++volume_.open_files_;
  }
  ~Handle() override { --volume_.open_files_; }
  InodeNumber ino() const override { return node_->ino; }
  OpenFlags flags() const override { return flags_; }
  bool keep_cache() const override { return keep_; }
  const NodePtr node_;

 private:
  MemoryVolume& volume_;
  const OpenFlags flags_;
  const bool keep_;
};

class MemoryVolume::Version final : public CachedContent {
 public:
  explicit Version(std::string content) : content_(std::move(content)) {}
  std::uint64_t size() const override { return content_.size(); }
  Result<std::size_t> read(const CallContext& /*call*/, std::uint64_t offset,
                           MutableBytes out) override {
    if (offset >= content_.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(out.size(), content_.size() - offset);
    std::copy_n(as_bytes(content_).begin() + static_cast<std::ptrdiff_t>(offset), count,
                out.begin());
    return count;
  }
  const ContentKey& key() const override { return key_; }
  std::uint64_t cached_bytes() const override { return content_.size(); }
  std::uint64_t prefetch(std::uint64_t /*offset*/, std::uint64_t length) override { return length; }
  Result<void> fetch_all(const CallContext& /*call*/) override { return {}; }
  void fill(const std::string& /*content*/) override {}
  void validated(bool /*still_current*/, std::uint64_t /*mark*/) override {}
  std::uint64_t validation_mark() const override { return 0; }
  bool needs_validation() const override { return false; }

 private:
  const std::string content_;
  const ContentKey key_;
};

}  // namespace cabinetfs

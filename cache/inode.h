#pragma once

#include <cstdint>
#include <functional>

namespace cabinetfs {

// Names a node of one mount's store: stable across restarts, never used again for another node.
struct InodeNumber {
  std::uint64_t value = 0;  // 0 = none
  explicit operator bool() const { return value != 0; }
  friend bool operator==(const InodeNumber&, const InodeNumber&) = default;
  friend auto operator<=>(const InodeNumber&, const InodeNumber&) = default;
};

constexpr InodeNumber kNoInode{0};
constexpr InodeNumber kRootInode{1};  // what the kernel calls the mount root

}  // namespace cabinetfs

template <>
struct std::hash<cabinetfs::InodeNumber> {
  std::size_t operator()(const cabinetfs::InodeNumber& ino) const noexcept {
    return std::hash<std::uint64_t>{}(ino.value);
  }
};

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/volume.h"

namespace cabinetfs {

// One file of `.cabinet/`. `text` is called at each open, from any thread.
struct ControlFile {
  std::string name;
  std::function<std::string()> text;
};

// Nodes that the account does not have: `FILE@@/` with a read-only file for each version of FILE,
// named by its number, and `.cabinet/` at the mount root. Neither is listed by its parent, and a
// real object of the same name hides `FILE@@`.
//
// Their inode numbers are at or above 2^62 and say what they are, so there is nothing to keep or to
// forget; the file that a version belongs to is remembered in the volume for as long as the kernel
// knows the virtual node (backing()). Immutable, thread safe.
class VirtualNodes {
 public:
  static constexpr const char* kControlDirectory = ".cabinet";
  static constexpr std::uint64_t kFirst = 1ull << 62;
  static bool contains(InodeNumber ino) { return ino.value >= kFirst; }
  // A virtual directory, and what is in one, cannot be changed.
  static bool is_fixed(InodeNumber parent, const std::string& name) {
    return contains(parent) || (parent == kRootInode && name == kControlDirectory);
  }
  // The volume's node behind it; none for `.cabinet` and what is in it.
  static InodeNumber backing(InodeNumber ino);
  // For a version: its file and its number.
  static std::uint32_t version_number(InodeNumber ino);
  static InodeNumber versions_directory(InodeNumber file);

  VirtualNodes(Volume& volume, std::vector<ControlFile> control_files);

  // `name` in a virtual directory, or a name that the volume does not have in a real one.
  // kNotFound.
  Result<Attributes> lookup(const CallContext& call, InodeNumber parent,
                            const std::string& name) const;
  // Whether lookup() in this real directory could find a virtual node of that name.
  static bool may_be_virtual(InodeNumber parent, const std::string& name);
  Result<Attributes> getattr(const CallContext& call, InodeNumber ino) const;
  Result<DirListing> list(const CallContext& call, InodeNumber ino) const;
  struct Opened {
    std::shared_ptr<ReadableContent> content;
    bool direct = false;  // the size is not known before it is read
  };
  Result<Opened> open(const CallContext& call, InodeNumber ino) const;
  // kNoData for what a virtual node does not have.
  Result<std::string> get_xattr(const CallContext& call, InodeNumber ino,
                                const std::string& name) const;
  Result<std::vector<std::string>> list_xattrs(const CallContext& call, InodeNumber ino) const;

 private:
  Result<RemoteVersion> find_version(const CallContext& call, InodeNumber ino) const;
  Attributes version_attributes(InodeNumber ino, const RemoteVersion& version) const;
  Attributes directory_attributes(InodeNumber ino, std::uint32_t mode) const;
  Attributes control_attributes(std::size_t index) const;

  Volume& volume_;
  const std::vector<ControlFile> control_files_;
  const WallTime started_;
};

}  // namespace cabinetfs

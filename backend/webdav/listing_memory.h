#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/remote_types.h"

namespace cabinetfs::webdav {

// What the listings of the last 4,096 folders had, to doubt one that suddenly has much less: some
// servers list full folders as empty for a while. About 400 bytes a folder. Thread safe.
class ListingMemory {
 public:
  struct Child {
    RemoteId id;
    NodeKind kind = NodeKind::kFile;
  };
  // Whether `count` entries are too few to be believed at once; then a child that was there and is
  // not among them would prove it.
  bool is_doubtful(const RemoteId& folder, std::size_t count) const EXCLUDES(mutex_);
  std::optional<Child> witness(const RemoteId& folder,
                               const std::vector<RemoteEntry>& entries) const EXCLUDES(mutex_);
  void remember(const RemoteId& folder, const std::vector<RemoteEntry>& entries) EXCLUDES(mutex_);
  // We took it away ourselves (and, of a folder, what is below).
  void removed(const RemoteId& id) EXCLUDES(mutex_);

 private:
  struct Folder {
    std::size_t count = 0;
    std::vector<Child> samples;
    std::list<std::string>::iterator age;
  };
  mutable Mutex mutex_;
  std::unordered_map<std::string, Folder> folders_ GUARDED_BY(mutex_);
  std::list<std::string> order_ GUARDED_BY(mutex_);  // oldest first
};

}  // namespace cabinetfs::webdav

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backend/base/result.h"
#include "backend/base/text.h"
#include "backend/remote_types.h"

namespace cabinetfs::kiteworks {

// Which files go into a bulk download, and which entry of the archive is which file. The archive
// knows names only, so of several files with one name none is asked for, and an entry counts when
// its name and size, and where it is known the hash, are those of a wanted file.
class ZipMatcher {
 public:
  // Leaves out what would bring the whole beyond `max_bytes`, empty files included: they need no
  // request.
  ZipMatcher(const std::vector<RemoteEntry>& files, std::uint64_t max_bytes);

  const std::vector<RemoteId>& ids() const { return ids_; }
  // No honest archive of these files is larger.
  std::size_t max_archive() const;
  // kCorrupt: no archive at all. A damaged one gives what is intact.
  Result<void> deliver(Bytes archive,
                       const std::function<void(const RemoteId&, std::string)>& on_file) const;

 private:
  struct Wanted {
    RemoteId id;
    std::uint64_t size = 0;
    ContentHashes hashes;
  };
  std::map<std::string, Wanted> wanted_;  // by name
  std::vector<RemoteId> ids_;
  std::uint64_t bytes_ = 0;
};

// Whether the content has these hashes, as far as they are known.
bool matches(const ContentHashes& hashes, Bytes content);

}  // namespace cabinetfs::kiteworks

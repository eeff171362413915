#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/mutex.h"
#include "cache/volume.h"

namespace cabinetfs {

// Extended attributes of real nodes: `user.cabinet.*` from the volume and the vendor, everything
// else from the node's row. fs/SEMANTICS.md has the table.
//
// Errors: kNoData for what the object does not have, kNotSupported for setting what cannot be set,
// kInvalid for a bad value, kDenied without the right. Values are UTF-8, lists are one line of
// JSON. Permissions and history are kept for a moment, since programs ask for the size first.
// Thread safe.
class CabinetXattrs {
 public:
  CabinetXattrs(Volume& volume, std::string remote_name, Clock& clock = Clock::system());

  Result<std::string> get(const CallContext& call, InodeNumber ino, const std::string& name);
  Result<std::vector<std::string>> list(InodeNumber ino);
  Result<void> set(const CallContext& call, InodeNumber ino, const std::string& name,
                   const std::string& value, Volume::XattrMode mode);
  Result<void> remove(const CallContext& call, InodeNumber ino, const std::string& name);

 private:
  Result<std::string> get_ours(const CallContext& call, InodeNumber ino, std::string_view key);
  Result<std::string> get_remote(const CallContext& call, const NodeInfo& info,
                                 std::string_view key);
  Result<std::string> get_level(const CallContext& call, InodeNumber ino, std::string_view who);
  Result<void> set_ours(const CallContext& call, InodeNumber ino, std::string_view key,
                        const std::string& value);
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, InodeNumber ino)
      EXCLUDES(mutex_);
  Result<std::string> history(const CallContext& call, InodeNumber ino) EXCLUDES(mutex_);
  void forget_answers(InodeNumber ino) EXCLUDES(mutex_);

  template <class T>
  struct Kept {
    SteadyTime until{};
    T value;
  };
  template <class T>
  using Answers = std::map<InodeNumber, Kept<T>>;
  template <class T, class Fetch>
  Result<T> keep(Answers<T>& answers, InodeNumber ino, Fetch fetch) EXCLUDES(mutex_);

  Volume& volume_;
  const std::string remote_name_;
  Clock& clock_;
  Mutex mutex_;
  Answers<std::vector<RemotePermission>> permissions_ GUARDED_BY(mutex_);
  Answers<std::string> history_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "backend/remote_types.h"

namespace cabinetfs::kenesto {

// What listings told about objects, because the vendor has no call that tells it by id: the folder
// of each, a mark of its validator, and a few flags. Some 100 bytes for each of the last 200,000;
// an id that was dropped costs a search. Thread safe.
class KnownObjects {
 public:
  struct Object {
    RemoteId parent;
    std::uint64_t mark = 0;  // 0: not told
    bool vault = false;      // the folder is one, or the document lies in one
    bool external = false;   // the content lives elsewhere
  };
  void remember(const RemoteId& id, const Object& object) EXCLUDES(mutex_);
  std::optional<Object> find(const RemoteId& id) const EXCLUDES(mutex_);
  void forget(const RemoteId& id) EXCLUDES(mutex_);

  // Which version a file held while its mark was `mark`. To be told only when the file had this
  // mark before the versions were asked for AND after it: what was current in between is what the
  // mark meant. Nothing happens when the mark has changed since.
  struct Held {
    VersionId version;
    std::uint64_t size = 0;
  };
  void bind(const RemoteId& file, std::uint64_t mark, const Held& held) EXCLUDES(mutex_);
  void unbind(const RemoteId& file, std::uint64_t mark) EXCLUDES(mutex_);
  std::optional<Held> held(const RemoteId& file, std::uint64_t mark) const EXCLUDES(mutex_);

  // Objects that the server has agreed to remove and may list for a while yet.
  void removed(const RemoteId& id, SteadyTime until) EXCLUDES(mutex_);
  bool lingers(const RemoteId& id, SteadyTime now) EXCLUDES(mutex_);

  // Documents that this account has checked out, as far as it is certain, with the holder's name
  // that the server shows meanwhile. With another name it is somebody else's by now.
  void set_ours(const RemoteId& file, const std::string& holder) EXCLUDES(mutex_);
  void set_not_ours(const RemoteId& file) EXCLUDES(mutex_);
  bool is_ours(const RemoteId& file, const std::string& holder) EXCLUDES(mutex_);

  // The secret that opens an object shared from outside; empty: none.
  void set_external_token(const RemoteId& id, const std::string& token) EXCLUDES(mutex_);
  std::string external_token(const RemoteId& id) const EXCLUDES(mutex_);

  // A GUID in 16 bytes.
  struct Key {
    std::uint64_t high = 0, low = 0;
    friend bool operator==(const Key&, const Key&) = default;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return static_cast<std::size_t>(key.high ^ key.low);
    }
  };
  struct Compact {
    Key parent;
    std::uint64_t mark = 0;
    bool vault = false;
    bool external = false;
  };
  void drop_oldest_locked() REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<Key, Compact, KeyHash> objects_ GUARDED_BY(mutex_);
  std::deque<Key> order_ GUARDED_BY(mutex_);  // of their first appearance; may hold forgotten ones
  std::map<std::pair<Key, std::uint64_t>, Held> bound_ GUARDED_BY(mutex_);
  std::map<Key, SteadyTime> removed_ GUARDED_BY(mutex_);
  std::map<Key, std::string> ours_ GUARDED_BY(mutex_);
  std::map<Key, std::string> external_tokens_ GUARDED_BY(mutex_);
};

// What a listing tells that changes with each new version: when, in steps of 100 ns, and how large.
// (The id of the version is only told file by file.)
Validator make_validator(const RemoteEntry& entry);
// In its place where there is no date.
Validator validator_of(const VersionId& version);
// Never 0.
std::uint64_t mark_of(const Validator& validator);

}  // namespace cabinetfs::kenesto

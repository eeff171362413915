#pragma once

#include <string>

#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs {

enum class NamePolicy { kEncode, kRefuse };

// Between the names that POSIX programs use (255 bytes, anything but '/' and NUL) and the names
// that a server takes.
//
// What a server refuses is written as %XX (two upper-case hex digits for each byte), and a '%' that
// would read as such an escape as %25; so local -> server -> local is the identity. Server names
// that POSIX cannot hold ('/', NUL, ".", "..") are shown with the same escapes. Immutable, thread
// safe.
class NameCodec {
 public:
  NameCodec(NameRules rules, NamePolicy policy);

  // The server's spelling for a local name. kNameTooLong, or kInvalid where `names = refuse` and
  // the server would refuse it.
  Result<std::string> to_remote(const std::string& local) const;

  // How a server's name is shown. Never empty, never over 255 bytes: a longer one is cut at a
  // character and gets "~" and eight hex digits of the id's hash, before the extension. Not valid
  // UTF-8 is passed through.
  std::string to_local(const std::string& remote, const RemoteId& id) const;

  // A second object of the same shown name gets a suffix that depends on its id only, so that it is
  // the same at the next listing.
  std::string twin_name(const std::string& local, const RemoteId& id) const;

  // "name (conflict HOST 2026-01-21 20.43.42).ext", at most 255 bytes; `number` > 1 adds a counter.
  static std::string conflict_name(const std::string& local, const std::string& host, WallTime time,
                                   int number);

  // Equal to the server: the same string, or the same folded string.
  bool same(const std::string& a, const std::string& b) const;
  const NameRules& rules() const { return rules_; }

 private:
  NameRules rules_;
  NamePolicy policy_;
};

}  // namespace cabinetfs

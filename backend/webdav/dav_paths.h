#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs::webdav {

// Where ids and URLs meet. An id is the decoded path below the root of the store: "" is the root,
// "a/b.txt" a file; no slash at either end, the bytes of each name as the server spells them.
// Immutable, thread safe.
class DavPaths {
 public:
  // kInvalid: the URL.
  static Result<DavPaths> make(std::string_view base_url);

  // Every segment encoded; a slash at the end for folders.
  std::string url(const RemoteId& id, NodeKind kind) const;
  // The id that a href of an answer means: an absolute path or a full URL, escaped or not. Only its
  // path counts, since behind a proxy a server may know itself by another host; nothing that it
  // names is ever followed. The root itself may be spelled in another case or form of Unicode: some
  // servers answer with their own spelling of it. nullopt: not below the root, or not expressible
  // (a name with a slash, "..").
  std::optional<RemoteId> id_of(std::string_view href) const;
  // "https://host:443" of the base URL.
  const std::string& origin() const { return origin_; }
  // The base URL without a slash at the end.
  const std::string& base() const { return base_; }

 private:
  std::string origin_;
  std::string base_;
  std::vector<std::string> segments_;  // of the base URL's path, decoded
};

RemoteId child_of(const RemoteId& folder, std::string_view name);
RemoteId parent_of(const RemoteId& id);
std::string name_of(const RemoteId& id);
// `id` is `folder` or lies below it.
bool is_within(const RemoteId& id, const RemoteId& folder);
// The id of `id` after `from` became `to`.
RemoteId rebased(const RemoteId& id, const RemoteId& from, const RemoteId& to);

// %XX once; what is no valid escape stands for itself.
std::string percent_decode(std::string_view text);

}  // namespace cabinetfs::webdav

#include "backend/webdav/dav_paths.h"

#include "backend/base/text.h"
#include "backend/http/http_url.h"

namespace cabinetfs::webdav {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// nullopt: a segment that cannot be a name.
std::optional<std::vector<std::string>> decoded_segments(std::string_view path) {
  std::vector<std::string> out;
  for (const std::string& raw : split(path, '/')) {
    if (raw.empty()) continue;
    std::string name = percent_decode(raw);
    if (name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos) {
      return std::nullopt;
    }
    out.push_back(std::move(name));
  }
  return out;
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

Result<DavPaths> DavPaths::make(std::string_view base_url) {
  TRY_ASSIGN(HttpUrl url, parse_http_url(base_url));
  if (url.target.find('?') != std::string::npos) {
    return fail(ErrorCode::kInvalid, "the address of a WebDAV collection has no query");
  }
  while (!url.target.empty() && url.target.back() == '/') url.target.pop_back();
  const auto segments = decoded_segments(url.target);
  if (!segments) return fail(ErrorCode::kInvalid, "the address of a collection with strange parts");
  DavPaths paths;
  paths.origin_ = url.origin();
  paths.base_ = url.to_string();
  paths.segments_ = *segments;
  return paths;
}

std::string DavPaths::url(const RemoteId& id, NodeKind kind) const {
  std::string out = base_;
  if (!id.empty()) {
    for (const std::string& name : split(id.value, '/')) out += "/" + percent_encode(name);
  }
  if (kind == NodeKind::kFolder) out += '/';
  return out;
}

std::optional<RemoteId> DavPaths::id_of(std::string_view href) const {
  if (href.substr(0, 7) == "http://" || href.substr(0, 8) == "https://") {
    href.remove_prefix(href.find("//") + 2);
    const std::size_t slash = href.find('/');
    href = slash == std::string_view::npos ? std::string_view("/") : href.substr(slash);
  }
  // RFC 4918 8.3: nothing relative.
  if (href.empty() || href.front() != '/') return std::nullopt;
  const auto segments = decoded_segments(href);
  if (!segments || segments->size() < segments_.size()) return std::nullopt;
  RemoteId id;
  for (std::size_t i = 0; i < segments->size(); ++i) {
    if (i < segments_.size()) {
      const std::string& name = (*segments)[i];
      if (name != segments_[i] && fold_name(name) != fold_name(segments_[i])) return std::nullopt;
      continue;
    }
    if (!id.value.empty()) id.value += '/';
    id.value += (*segments)[i];
  }
  return id;
}

RemoteId child_of(const RemoteId& folder, std::string_view name) {
  RemoteId id = folder;
  if (!id.empty()) id.value += '/';
  id.value += name;
  return id;
}

RemoteId parent_of(const RemoteId& id) {
  const std::size_t slash = id.value.rfind('/');
  return RemoteId{slash == std::string::npos ? std::string() : id.value.substr(0, slash)};
}

std::string name_of(const RemoteId& id) {
  const std::size_t slash = id.value.rfind('/');
  return slash == std::string::npos ? id.value : id.value.substr(slash + 1);
}

bool is_within(const RemoteId& id, const RemoteId& folder) {
  if (folder.empty()) return true;
  const std::string& above = folder.value;
  return id.value.compare(0, above.size(), above) == 0 &&
         (id.value.size() == above.size() || id.value[above.size()] == '/');
}

RemoteId rebased(const RemoteId& id, const RemoteId& from, const RemoteId& to) {
  if (!is_within(id, from) || from.empty()) return id;
  return RemoteId{to.value + id.value.substr(from.value.size())};
}

}  // namespace cabinetfs::webdav

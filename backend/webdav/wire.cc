#include "backend/webdav/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

#include "backend/base/text.h"
#include "backend/base/times.h"
#include "backend/http/retry_policy.h"

namespace cabinetfs::webdav {
namespace {

constexpr std::string_view kDav = "DAV:";
constexpr std::string_view kOwnCloud = "http://owncloud.org/ns";
constexpr std::string_view kSabre = "http://sabredav.org/ns";
constexpr std::size_t kMaxOwner = 200;
constexpr std::size_t kMaxErrorText = 200;
constexpr std::size_t kMaxLocks = 32;

std::string_view prefix_of(std::string_view name) {
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? std::string_view() : name.substr(0, colon);
}

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// What a server may write into one element before we stop reading it: it is read for each property.
constexpr int kAttributesLookedAt = 64;

// Elements are only ever looked at near the top of the document, so the way up is short.
std::string_view namespace_of(const pugi::xml_node& node) {
  const std::string_view prefix = prefix_of(node.name());
  for (pugi::xml_node at = node; at; at = at.parent()) {
    int seen = 0;
    for (const pugi::xml_attribute& attribute : at.attributes()) {
      if (++seen > kAttributesLookedAt) break;
      const std::string_view name = attribute.name();
      const bool declares = prefix.empty()
                                ? name == "xmlns"
                                : name.substr(0, 6) == "xmlns:" && name.substr(6) == prefix;
      if (declares) return attribute.value();
    }
  }
  return {};
}

bool is(const pugi::xml_node& node, std::string_view space, std::string_view name) {
  return node.type() == pugi::node_element && local_name(node) == name &&
         namespace_of(node) == space;
}

pugi::xml_node find(const pugi::xml_node& parent, std::string_view name) {
  for (const pugi::xml_node& child : parent.children()) {
    if (is(child, kDav, name)) return child;
  }
  return {};
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string_view text_of(const pugi::xml_node& node) { return trim(node.child_value()); }

template <class T>
std::optional<T> number_of(const pugi::xml_node& node) {
  const std::string_view text = text_of(node);
  T value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

// "HTTP/1.1 200 OK"; 0 for anything else.
int status_of(const pugi::xml_node& node) {
  const std::string_view text = text_of(node);
  const std::size_t space = text.find(' ');
  if (text.substr(0, 5) != "HTTP/" || space == std::string_view::npos) return 0;
  int status = 0;
  const char* const begin = text.data() + space + 1;
  const auto [rest, error] = std::from_chars(begin, text.data() + text.size(), status);
  return error == std::errc() && rest == begin + 3 && status >= 100 ? status : 0;
}

std::optional<WallTime> time_of(const pugi::xml_node& node) {
  const std::string_view text = text_of(node);
  // The two properties have one form each, and servers mix them up.
  if (const auto time = parse_http_date(text)) return time;
  return parse_rfc3339(text);
}

// All text below, without recursion: the depth is the server's choice.
std::string deep_text(const pugi::xml_node& top, std::size_t limit) {
  std::string out;
  pugi::xml_node at = top.first_child();
  while (at && out.size() < limit) {
    if (at.type() == pugi::node_pcdata || at.type() == pugi::node_cdata) out += at.value();
    if (at.first_child()) {
      at = at.first_child();
      continue;
    }
    while (at != top && !at.next_sibling()) at = at.parent();
    if (at == top) break;
    at = at.next_sibling();
  }
  std::string text(trim(out));
  text.resize(std::min(text.size(), limit));
  while (!is_valid_utf8(text)) text.pop_back();
  return text;
}

std::vector<WireLock> read_locks(const pugi::xml_node& discovery) {
  std::vector<WireLock> locks;
  for (const pugi::xml_node& active : discovery.children()) {
    if (!is(active, kDav, "activelock") || locks.size() == kMaxLocks) continue;
    WireLock lock;
    lock.token = text_of(find(find(active, "locktoken"), "href"));
    if (const pugi::xml_node owner = find(active, "owner")) {
      lock.owner = deep_text(owner, kMaxOwner);
    }
    locks.push_back(std::move(lock));
  }
  return locks;
}

void read_property(const pugi::xml_node& property, WireResource& out) {
  const std::string_view space = namespace_of(property);
  const std::string_view name = local_name(property);
  if (space == kOwnCloud) {
    if (name == "permissions") out.oc_permissions = text_of(property);
    if (name == "id" || name == "fileid") out.oc_id = text_of(property);
    return;
  }
  if (space != kDav) return;
  if (name == "resourcetype") {
    out.collection = static_cast<bool>(find(property, "collection"));
  } else if (name == "getcontentlength") {
    out.length = number_of<std::uint64_t>(property);
  } else if (name == "getetag") {
    out.etag = text_of(property);
  } else if (name == "getlastmodified") {
    out.modified = time_of(property);
  } else if (name == "creationdate") {
    out.created = time_of(property);
  } else if (name == "getcontenttype") {
    out.mime = text_of(property);
  } else if (name == "quota-available-bytes") {
    out.quota_available = number_of<std::int64_t>(property);
  } else if (name == "quota-used-bytes") {
    out.quota_used = number_of<std::int64_t>(property);
  } else if (name == "lockdiscovery") {
    out.locks = read_locks(property);
  }
}

WireResource read_response(const pugi::xml_node& response) {
  WireResource out;
  for (const pugi::xml_node& child : response.children()) {
    if (is(child, kDav, "href")) {
      if (out.href.empty()) out.href = text_of(child);
    } else if (is(child, kDav, "status")) {
      out.status = status_of(child);
    } else if (is(child, kDav, "propstat")) {
      const pugi::xml_node told = find(child, "status");
      // Without a status it is taken at its word.
      const int status = told ? status_of(told) : 200;
      if (status >= 400) out.worst_propstat = std::max(out.worst_propstat, status);
      if (status != 200) continue;
      out.has_properties = true;
      const pugi::xml_node properties = find(child, "prop");
      for (const pugi::xml_node& property : properties.children()) read_property(property, out);
    }
  }
  return out;
}

Result<void> load(std::string_view body, pugi::xml_document& document) {
  const pugi::xml_parse_result parsed = document.load_buffer(
      body.data(), body.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_auto);
  if (!parsed) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("XML: {} at byte {}", parsed.description(), parsed.offset));
  }
  for (const pugi::xml_node& node : document.children()) {
    if (node.type() == pugi::node_doctype) return fail(ErrorCode::kCorrupt, "XML: it has a DTD");
  }
  return {};
}

}  // namespace

Result<std::vector<WireResource>> parse_multistatus(std::string_view body) {
  pugi::xml_document document;
  TRY(load(body, document));
  const pugi::xml_node top = document.document_element();
  if (!is(top, kDav, "multistatus")) return fail(ErrorCode::kCorrupt, "not a multistatus document");
  std::vector<WireResource> resources;
  for (const pugi::xml_node& child : top.children()) {
    if (!is(child, kDav, "response")) continue;
    WireResource resource = read_response(child);
    if (!resource.href.empty()) resources.push_back(std::move(resource));
  }
  return resources;
}

Result<std::vector<WireLock>> parse_lock_answer(std::string_view body) {
  pugi::xml_document document;
  TRY(load(body, document));
  const pugi::xml_node top = document.document_element();
  if (!is(top, kDav, "prop")) return fail(ErrorCode::kCorrupt, "not the answer to a LOCK");
  return read_locks(find(top, "lockdiscovery"));
}

std::string parse_error_text(std::string_view body) {
  pugi::xml_document document;
  if (!load(body, document)) return {};
  const pugi::xml_node top = document.document_element();
  if (!is(top, kDav, "error")) return {};
  std::string names;
  for (const pugi::xml_node& child : top.children()) {
    if (is(child, kSabre, "message")) return deep_text(child, kMaxErrorText);
    if (child.type() != pugi::node_element || namespace_of(child) != kDav) continue;
    if (!names.empty()) names += ", ";
    names += local_name(child);
    if (names.size() > kMaxErrorText) break;
  }
  names.resize(std::min(names.size(), kMaxErrorText));
  while (!is_valid_utf8(names)) names.pop_back();
  return names;
}

std::string_view opaque_part(std::string_view etag) {
  etag = trim(etag);
  if (etag.substr(0, 2) == "W/" || etag.substr(0, 2) == "w/") etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return etag;
}

bool is_strong(std::string_view etag) {
  etag = trim(etag);
  if (etag.size() < 3 || etag.front() != '"' || etag.back() != '"') return false;
  // It goes into a header as it stands.
  return std::all_of(etag.begin() + 1, etag.end() - 1, [](char c) {
    return c != '"' && static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
  });
}

}  // namespace cabinetfs::webdav

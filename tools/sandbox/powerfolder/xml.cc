#include "tools/sandbox/powerfolder/xml.h"

#include <fmt/format.h>

#include <pugixml.hpp>

#include "tools/sandbox/powerfolder/errors.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

PropName name_of(const pugi::xml_node& node) {
  const std::string_view full = node.name();
  const auto colon = full.find(':');
  const std::string prefix(colon == std::string_view::npos ? "" : full.substr(0, colon));
  const std::string attribute = prefix.empty() ? "xmlns" : "xmlns:" + prefix;
  PropName out;
  out.name = colon == std::string_view::npos ? full : full.substr(colon + 1);
  for (pugi::xml_node at = node; at; at = at.parent()) {
    if (const auto found = at.attribute(attribute.c_str())) {
      out.space = found.value();
      return out;
    }
  }
  if (!prefix.empty()) throw HttpError(400, "XML prefix without a declaration");
  return out;
}

bool is(const pugi::xml_node& node, std::string_view name) {
  if (node.type() != pugi::node_element) return false;
  const PropName found = name_of(node);
  return found.space == "DAV:" && found.name == name;
}

void load(pugi::xml_document& document, const std::string& body) {
  if (!document.load_buffer(body.data(), body.size())) throw HttpError(400, "This is not XML");
}

}  // namespace

PropfindBody parse_propfind(const std::string& body) {
  PropfindBody out;
  if (body.empty()) return out;
  pugi::xml_document document;
  load(document, body);
  const pugi::xml_node root = document.document_element();
  if (!is(root, "propfind")) throw HttpError(400, "This is not a propfind");
  for (const pugi::xml_node& child : root.children()) {
    if (is(child, "propname")) out.kind = PropfindBody::Kind::kNames;
    if (!is(child, "prop")) continue;
    out.kind = PropfindBody::Kind::kNamed;
    for (const pugi::xml_node& wanted : child.children()) {
      if (wanted.type() == pugi::node_element) out.names.push_back(name_of(wanted));
    }
  }
  return out;
}

LockBody parse_lock(const std::string& body) {
  pugi::xml_document document;
  load(document, body);
  const pugi::xml_node root = document.document_element();
  if (!is(root, "lockinfo")) throw HttpError(400, "This is not a lockinfo");
  LockBody out;
  bool scope = false;
  bool write = false;
  for (const pugi::xml_node& child : root.children()) {
    if (is(child, "owner"))
      out.owner = child.first_child().text().as_string(child.text().as_string());
    for (const pugi::xml_node& inner : child.children()) {
      if (is(child, "lockscope")) {
        scope = true;
        out.shared = is(inner, "shared");
      }
      if (is(child, "locktype")) write = is(inner, "write");
    }
  }
  if (!scope || !write) throw HttpError(400, "A lock needs a scope and the type write");
  return out;
}

std::string xml_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Tags::open(std::string_view name) const { return fmt::format("<{}{}>", prefix_, name); }
std::string Tags::close(std::string_view name) const {
  return fmt::format("</{}{}>", prefix_, name);
}
std::string Tags::empty(std::string_view name) const {
  return fmt::format("<{}{}/>", prefix_, name);
}
std::string Tags::with(std::string_view name, std::string_view inner) const {
  return fmt::format("<{0}{1}>{2}</{0}{1}>", prefix_, name, inner);
}
std::string Tags::root(std::string_view name) const {
  const std::string space =
      prefix_.empty() ? "xmlns" : "xmlns:" + prefix_.substr(0, prefix_.size() - 1);
  return fmt::format("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<{}{} {}=\"DAV:\">", prefix_,
                     name, space);
}

}  // namespace cabinetfs::sandbox::powerfolder

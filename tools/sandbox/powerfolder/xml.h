#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cabinetfs::sandbox::powerfolder {

struct PropName {
  std::string space, name;
};

struct PropfindBody {
  enum class Kind { kAll, kNames, kNamed } kind = Kind::kAll;
  std::vector<PropName> names;
};
// Throws HttpError 400 for what is not XML or not a propfind. An empty body asks for all.
PropfindBody parse_propfind(const std::string& body);

struct LockBody {
  bool shared = false;
  std::string owner;  // as text
};
LockBody parse_lock(const std::string& body);

std::string xml_escape(std::string_view text);

// Tags of DAV: with the prefix that the server uses at the moment.
class Tags {
 public:
  explicit Tags(const std::string& prefix) : prefix_(prefix.empty() ? "" : prefix + ":") {}
  std::string open(std::string_view name) const;
  std::string close(std::string_view name) const;
  std::string empty(std::string_view name) const;
  std::string with(std::string_view name, std::string_view inner) const;
  // The first tag of a document, with its declaration.
  std::string root(std::string_view name) const;

 private:
  const std::string prefix_;
};

}  // namespace cabinetfs::sandbox::powerfolder

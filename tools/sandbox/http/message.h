#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/sandbox/http/blob.h"

namespace cabinetfs::sandbox {

// One HTTP request, complete: bodies of forms are in spools, other bodies in `body`.
struct Request {
  std::string method;
  std::string path;                                         // as sent, without the query
  std::string raw_query;                                    // as sent, without '?'
  std::vector<std::string> segments;                        // of the path, decoded
  std::vector<std::pair<std::string, std::string>> query;   // decoded
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;
  std::map<std::string, std::unique_ptr<Spool>, std::less<>> form;
  std::map<std::string, std::string, std::less<>> form_filenames;
  std::unique_ptr<Spool> raw;  // the body, where the application asked for it as it is
  bool form_broken = false;    // a multipart body that does not end as it must
  std::string peer;            // source address without the port

  // Filled in while it is being answered.
  std::string endpoint;             // template of the route
  std::vector<std::string> params;  // values of the template's {..}
  std::string user;                 // who asked, for the log and for fault rules

  // Empty if absent.
  std::string_view header(std::string_view lower_case_name) const;
  // First value of a query parameter.
  std::optional<std::string> arg(std::string_view name) const;
  std::string arg_or(std::string_view name, std::string_view fallback) const;
  // A query parameter that is true, True or 1.
  bool flag(std::string_view name) const;
  // A short form field (multipart or urlencoded).
  std::optional<std::string> field(std::string_view name) const;
};

// A body that is produced while it is sent. One thread at a time.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // -1 if it is not known in advance.
  virtual std::int64_t size() const = 0;
  // Called with growing offsets. 0 is the end. An exception closes the connection.
  virtual std::size_t read(std::int64_t offset, char* buffer, std::size_t count) = 0;
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::shared_ptr<BodySource> source;  // instead of `body`

  static Response json_text(int status, std::string text);
  static Response text(int status, std::string content_type, std::string body);
};

std::string percent_decode(std::string_view text, bool plus_is_space);
std::string percent_encode(std::string_view text, std::string_view keep = "-._~");
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view raw);
std::vector<std::string> split_path(std::string_view raw);

}  // namespace cabinetfs::sandbox

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/sandbox/sandbox.h"

namespace cabinetfs::sandbox {

struct Reply {
  int curl_code = 0;  // CURLcode; 0 is success
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case

  nlohmann::json json() const;
  std::string error_code()
      const;  // of the first error, in any of the shapes; empty if there is none
};

// A plain client for the tests of the sandbox, on libcurl and nothing of the project. One thread at
// a time.
class Client {
 public:
  using Headers = std::vector<std::string>;

  Client(std::string url, std::string token, std::string ca_pem = {});
  // As one of the users that the server has made: 0 is alice, 1 is bob.
  static Client of(const Sandbox& server, std::size_t user = 0);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Reply get(const std::string& path, const Headers& headers = {});
  Reply send(const char* method, const std::string& path, const nlohmann::json& body = nullptr,
             const Headers& headers = {});
  Reply form(const std::string& path,
             const std::vector<std::pair<std::string, std::string>>& fields);
  // A multipart form; the part `file_part` is sent as a file.
  Reply multipart(const std::string& path,
                  const std::vector<std::pair<std::string, std::string>>& fields,
                  const std::string& file_part, const std::string& filename,
                  const std::string& content);

  // Id of a top folder, or of a child.
  std::string top(const std::string& name);
  std::string child(const std::string& folder_id, const std::string& name);
  Reply initiate(const std::string& folder_id, const std::string& filename, std::int64_t size,
                 std::int64_t chunks, const nlohmann::json& more = nlohmann::json::object());
  Reply chunk(const std::string& uri, std::int64_t index, const std::string& content,
              bool last = false);
  // A whole upload in chunks; the answer to the last one.
  Reply upload(const std::string& folder_id, const std::string& filename,
               const std::string& content, std::size_t chunk_size = 1 << 20,
               const nlohmann::json& more = nlohmann::json::object());

  std::string token;
  // A new connection for each request: libcurl repeats a request by itself when a connection that
  // it used before dies without an answer, which is not what a test of dropped connections wants.
  bool fresh = false;

 private:
  Reply perform(const char* method, const std::string& path, const Headers& headers);

  const std::string url_, ca_pem_;
  void* curl_;
};

}  // namespace cabinetfs::sandbox

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/sandbox/client.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs::sandbox {

// A plain client of the Kenesto sandbox, on libcurl and nothing of the project. Each request has a
// connection of its own, so that libcurl never repeats one. One thread at a time.
class KenestoClient {
 public:
  using Args = std::vector<std::pair<std::string, std::string>>;
  using Headers = std::vector<std::string>;
  struct Put {
    std::string type = "multipart/form-data";
    bool chunked = false;
    Headers headers;
  };

  KenestoClient(std::string url, std::string session_token)
      : token(std::move(session_token)), url_(std::move(url)) {}
  // As one of the users that the server has made: alice, bob, carol.
  static KenestoClient of(const Sandbox& server, std::size_t user = 0);

  // A method of KDocuments.svc.
  Reply get(const std::string& method, const Args& args = {}) const;
  Reply post(const std::string& method, const nlohmann::json& body, const Args& args = {}) const;
  // The same, as the parsed envelope.
  nlohmann::json call(const std::string& method, const Args& args = {}) const;
  nlohmann::json call_post(const std::string& method, const nlohmann::json& body,
                           const Args& args = {}) const;
  // ResponseData of a call that has to succeed; throws std::runtime_error with the answer if it
  // does not.
  nlohmann::json data(const std::string& method, const Args& args = {}) const;
  // Anything below the server, and any other address.
  Reply path(const std::string& http_method, const std::string& path_and_query) const;
  static Reply fetch(const std::string& url, const Headers& headers = {});
  static Reply put(const std::string& url, const std::string& content, const Put& how);
  static Reply put(const std::string& url, const std::string& content) {
    return put(url, content, Put{});
  }

  std::vector<nlohmann::json> list(const std::string& folder_id = {}, const Args& more = {}) const;
  // The listed item of that FileName (folders: Name); null if there is none.
  nlohmann::json item(const std::string& name, const std::string& folder_id = {}) const;
  // Id of such an item; throws if there is none.
  std::string id(const std::string& name, const std::string& folder_id = {}) const;
  nlohmann::json versions(const std::string& document_id) const;
  std::string access_url(const std::string& version_id) const;
  std::string read(const std::string& version_id) const;
  // All three steps; the envelope of the last.
  nlohmann::json upload(const std::string& name, const std::string& content,
                        const Args& more) const;

  std::string token;

 private:
  std::string address(const std::string& method, const Args& args) const;

  std::string url_;
};

std::string url_encode(const std::string& text);
// Is it a failure envelope, and what does it say?
bool failed(const nlohmann::json& envelope);
std::string error_of(const nlohmann::json& envelope);

// A server with a small account of alice: Work/ (a.txt, b.txt, Sub/deep.txt) and note.txt.
class KenestoTest : public ::testing::Test {
 protected:
  KenestoTest();
  ~KenestoTest() override;

  Sandbox& start(const nlohmann::json& settings = nullptr, bool keep = false);
  void set(const nlohmann::json& settings) const;
  nlohmann::json admin(const char* method, const std::string& path,
                       const nlohmann::json& body = nullptr) const;
  // POST /_admin/as.
  nlohmann::json as(const std::string& user, nlohmann::json what) const;
  void fault(const nlohmann::json& rule) const { admin("POST", "faults", rule); }
  KenestoClient alice() const { return KenestoClient::of(*server_, 0); }
  KenestoClient bob() const { return KenestoClient::of(*server_, 1); }
  KenestoClient carol() const { return KenestoClient::of(*server_, 2); }
  // A path of Access.svc.
  std::string authenticate_path(const std::string& email, const std::string& password) const;

  std::string dir_;
  std::unique_ptr<Sandbox> server_;
};

}  // namespace cabinetfs::sandbox

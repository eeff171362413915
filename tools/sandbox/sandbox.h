#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cabinetfs::sandbox {

struct Options {
  std::string vendor = "kiteworks";
  std::filesystem::path root;      // empty: an empty account
  std::uint16_t port = 0;          // 0: any
  std::uint16_t content_port = 0;  // of the listener for content, where the vendor has one; 0: any
  bool tls = false;
  // JSON texts, as in README.md; empty: none.
  std::string settings, faults, users;
  std::filesystem::path state_dir;  // empty: everything is forgotten at the end
};

struct UserCredentials {
  std::string email, password, access_token, refresh_token;
  std::string login_token = {};  // of vendors that have one: stands for the password
};

struct Credentials {
  std::string client_id, client_secret;
  std::vector<UserCredentials> users;
};

// A running server. Thread-safe. Stops, and saves its state if it has a state directory, when it is
// destroyed.
class Sandbox {
 public:
  // Throws std::runtime_error with a reason.
  static std::unique_ptr<Sandbox> start(const Options& options);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  std::uint16_t port() const;
  std::string url() const;            // "http://127.0.0.1:PORT", without a slash at the end
  std::string content_url() const;    // of the listener for content; empty if there is none
  const std::string& ca_pem() const;  // empty without TLS
  const Credentials& credentials() const;
  std::size_t skipped() const;  // names in the root directory that the server would refuse

  // A call of /_admin/PATH without HTTP; PATH may have a query. Returns the JSON text; throws
  // std::runtime_error with the server's message for anything but a 2xx.
  std::string admin(std::string_view method, std::string_view path, std::string_view body = {});

  // Ends all connections and waits; the port is free afterwards. Called by the destructor.
  void stop();

 private:
  class Impl;
  explicit Sandbox(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cabinetfs::sandbox

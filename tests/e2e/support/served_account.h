#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/http/curl_client.h"
#include "tests/e2e/support/test_account.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs {

// The end of the test process, where there is nothing to test without the value.
template <class T>
T or_die(Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", what, to_string(result.error()).c_str());
    std::abort();
  }
  return *std::move(result);
}

// The local server of one vendor in this process, looked at and changed through its administration
// calls. The other user is bob, the first one alice.
class ServedAccount : public TestAccount {
 public:
  std::optional<std::string> content(const std::string& path) override;
  std::string id_of(const std::string& path) override;
  std::size_t versions(const std::string& path) override;
  std::vector<std::string> tree(const std::string& path) override;
  std::uint64_t uploads() override;
  void reset_requests() override;

  void write(const std::string& path, const std::string& content) override;
  void mkdir(const std::string& path) override;
  void remove(const std::string& path) override;
  void rename(const std::string& path, const std::string& name) override;
  // Rights come with folders.
  bool make_read_only(const std::string& /*path*/) override { return false; }
  void lock(const std::string& path) override;
  std::optional<std::string> access_of_other(const std::string& path) override;
  std::optional<bool> locked_by_us(const std::string& path) override;
  bool set_quota(std::uint64_t bytes) override;
  void stall(bool on) override;

 protected:
  ServedAccount(const std::string& vendor, const std::string& settings);
  ~ServedAccount() override;

  // A request of this kind carries content.
  virtual bool is_upload(const std::string& endpoint) const = 0;

  // Of a live object; null when there is none.
  nlohmann::json find(const std::string& path);
  // `user` empty: alice.
  nlohmann::json as(const std::string& user, nlohmann::json what);
  sandbox::Sandbox& server() { return *server_; }
  // Without waits and limits, which only make tests slow; `apply` sets what the vendor needs.
  std::unique_ptr<HttpClient> make_engine(void (*apply)(HttpClientOptions&)) const;

 private:
  nlohmann::json nodes();

  std::unique_ptr<sandbox::Sandbox> server_;
};

}  // namespace cabinetfs

#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/http/http_client.h"
#include "backend/kiteworks/config.h"
#include "tests/contract/contract.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs {

// Adds a token that never dies to each request.
class FixedTokenClient final : public HttpClient {
 public:
  FixedTokenClient(HttpClient& client, std::string token)
      : client_(client), authorization_("Bearer " + std::move(token)) {}
  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) override {
    request.authorization = authorization_;
    return client_.perform(call, std::move(request));
  }

 private:
  HttpClient& client_;
  const std::string authorization_;
};

// The account of alice on a server of its own; bob manages the folder "Work" with her.
class KiteworksWorld final : public ContractWorld {
 public:
  // `settings`: JSON, as the sandbox takes it.
  explicit KiteworksWorld(const std::string& settings, KiteworksConfig config = {});
  ~KiteworksWorld() override;

  RemoteStore& store() override { return *store_; }
  void write_as_other(const std::string& path, const std::string& content) override;
  void remove_as_other(const std::string& path) override;
  void rename_as_other(const std::string& path, const std::string& name) override;
  void lock_as_other(const std::string& path) override;
  std::string content_of(const std::string& path) override;
  void set_quota(std::uint64_t bytes) override;
  void set_scanning(const std::string& path, bool scanning) override;
  std::string other_address() override { return "bob@example.com"; }
  std::vector<std::string> mail_subjects() override;

  sandbox::Sandbox& server() { return *server_; }
  void settings(const std::string& json);
  void fault(const std::string& json);
  // Requests since the last reset, of one endpoint ("GET /rest/folders/{id}/children") or all ("").
  std::uint64_t requests(const std::string& endpoint) const;
  void reset_requests();
  // A second store on the same account, as after a restart.
  std::unique_ptr<RemoteStore> another_store();

 private:
  nlohmann::json as(const std::string& user, const nlohmann::json& what);

  std::unique_ptr<sandbox::Sandbox> server_;
  std::unique_ptr<HttpClient> engine_;
  std::unique_ptr<HttpClient> authorized_;
  KiteworksConfig config_;
  std::unique_ptr<RemoteStore> store_;
};

}  // namespace cabinetfs

#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/auth/token_source.h"
#include "backend/http/http_client.h"
#include "backend/kiteworks/config.h"
#include "tests/contract/contract.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs {

// The account of alice on a server of its own; bob manages the folder "Work" with her.
class KiteworksWorld final : public ContractWorld {
 public:
  // `settings`: JSON, as the sandbox takes it. `throttle`: the client's first wait when there were
  // too many requests; a server of a test usually has no limit to respect.
  explicit KiteworksWorld(const std::string& settings, KiteworksConfig config = {},
                          std::chrono::milliseconds throttle = std::chrono::milliseconds(1));
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
  Attachments mail_attachments(const std::string& subject) override;

  sandbox::Sandbox& server() { return *server_; }
  void settings(const std::string& json);
  void fault(const std::string& json);
  // Requests since the last reset, of one endpoint ("GET /rest/folders/{id}/children") or all ("").
  std::uint64_t requests(const std::string& endpoint) const;
  // Answers with that status since then.
  std::uint64_t answers(int status) const;
  void reset_requests();
  // What a user does, without a check of rights; keys as the sandbox takes them.
  nlohmann::json as(const std::string& user, const nlohmann::json& what);
  // A second store on the same account, as after a restart.
  std::unique_ptr<RemoteStore> another_store();

 private:
  std::unique_ptr<sandbox::Sandbox> server_;
  std::unique_ptr<HttpClient> engine_;
  std::unique_ptr<TokenSource> tokens_;
  std::unique_ptr<HttpClient> authorized_;
  KiteworksConfig config_;
  std::unique_ptr<RemoteStore> store_;
};

}  // namespace cabinetfs

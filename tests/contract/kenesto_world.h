#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/http/http_client.h"
#include "backend/kenesto/kenesto.h"
#include "tests/contract/contract.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs {

// The account of alice on a server of its own; bob may write in the folder "Work", and in the vault
// "Vault".
class KenestoWorld final : public ContractWorld {
 public:
  // `settings`: JSON, as the sandbox takes it.
  explicit KenestoWorld(const std::string& settings, KenestoConfig config = {});
  ~KenestoWorld() override;

  RemoteStore& store() override { return *store_; }
  void write_as_other(const std::string& path, const std::string& content) override;
  void remove_as_other(const std::string& path) override;
  void rename_as_other(const std::string& path, const std::string& name) override;
  void lock_as_other(const std::string& path) override;
  std::string content_of(const std::string& path) override;
  void set_quota(std::uint64_t bytes) override;
  void set_scanning(const std::string&, bool) override {}
  std::string other_address() override { return "bob@example.com"; }
  std::vector<std::string> mail_subjects() override { return {}; }
  bool tells_quota() override { return false; }
  bool has_scans() override { return false; }
  std::string lock_folder() override { return "Vault"; }
  bool lists_permissions() override { return false; }
  std::string other_id() override;
  std::string own_name() override { return name_of(0); }
  std::string other_name() override { return name_of(1); }

  sandbox::Sandbox& server() { return *server_; }
  HttpClient& http() { return *engine_; }
  KenestoSession& session() { return *session_; }
  const KenestoConfig& config() const { return config_; }
  void settings(const std::string& json);
  void fault(const std::string& json);
  nlohmann::json admin(const std::string& method, const std::string& path,
                       const std::string& body = {}) const;
  // Requests since the last reset, of one endpoint or all ("").
  std::uint64_t requests(const std::string& endpoint) const;
  void reset_requests();
  // What a user does, without a check of rights; keys as the sandbox takes them.
  nlohmann::json as(const std::string& user, const nlohmann::json& what);
  // Logs in with access key and password.
  std::unique_ptr<KenestoLoginSession> login(std::size_t user = 0);
  // A second store on the same account, as after a restart.
  std::unique_ptr<RemoteStore> another_store();
  std::unique_ptr<RemoteStore> another_store(KenestoSession& session,
                                             const Clock& clock = Clock::system());

 private:
  std::string name_of(std::size_t user);

  std::unique_ptr<sandbox::Sandbox> server_;
  std::unique_ptr<HttpClient> engine_;
  KenestoConfig config_;
  std::unique_ptr<KenestoSession> session_;
  std::unique_ptr<RemoteStore> store_;
};

}  // namespace cabinetfs

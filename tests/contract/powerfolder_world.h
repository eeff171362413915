#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/auth/token_source.h"
#include "backend/http/http_client.h"
#include "backend/powerfolder/config.h"
#include "tests/contract/contract.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs {

// The account of alice on a server of its own; bob is an administrator of the folder "Work".
class PowerFolderWorld final : public ContractWorld {
 public:
  // `settings`: JSON, as the sandbox takes it.
  explicit PowerFolderWorld(const std::string& settings, PowerFolderConfig config = everything());
  ~PowerFolderWorld() override;

  // Top-level folders may be created, renamed and removed.
  static PowerFolderConfig everything();

  RemoteStore& store() override { return *store_; }
  void write_as_other(const std::string& path, const std::string& content) override;
  void remove_as_other(const std::string& path) override;
  void rename_as_other(const std::string& path, const std::string& name) override;
  void lock_as_other(const std::string& path) override;
  std::string content_of(const std::string& path) override;
  void set_quota(std::uint64_t bytes) override;
  void set_scanning(const std::string& path, bool scanning) override;
  std::string other_address() override { return "bob@example.com"; }
  std::vector<std::string> mail_subjects() override { return {}; }
  bool has_scans() override { return false; }
  bool tells_every_write() override { return tells_every_write_; }

  sandbox::Sandbox& server() { return *server_; }
  void settings(const std::string& json);
  void fault(const std::string& json);
  nlohmann::json admin(const std::string& path) const;
  // What a user does, without a check of rights; keys as the sandbox takes them.
  void as(const std::string& user, const nlohmann::json& what);
  // Requests since the last reset, of all endpoints that begin so.
  std::uint64_t requests(const std::string& endpoint) const;
  void reset_requests();
  // Another store on the same server: as alice after a restart, or as bob.
  std::unique_ptr<RemoteStore> another_store(PowerFolderConfig config = everything());
  // 0 is alice, 1 is bob.
  std::unique_ptr<RemoteStore> store_of(std::size_t user, PowerFolderConfig config);
  // As alice by a token source of the test's own, which outlives the world's use of the store.
  std::unique_ptr<RemoteStore> store_with(TokenSource& tokens);
  HttpClient& plain_http() { return *engine_; }

 private:
  struct Login;
  const bool tells_every_write_;
  std::unique_ptr<sandbox::Sandbox> server_;
  std::unique_ptr<HttpClient> engine_;
  std::vector<std::unique_ptr<Login>> logins_;
  PowerFolderConfig config_;
  std::unique_ptr<RemoteStore> store_;
};

}  // namespace cabinetfs

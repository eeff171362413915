#pragma once

#include <memory>
#include <string>

#include "backend/auth/token_source.h"
#include "backend/http/http_client.h"
#include "backend/webdav/config.h"
#include "tests/contract/contract.h"
#include "tests/support/dav_servers.h"

namespace cabinetfs {

// A real WebDAV server of its own; the other user works on the server's disk.
class WebDavWorld final : public ContractWorld {
 public:
  explicit WebDavWorld(DavServer::Kind kind, DavServerOptions options = {},
                       WebDavConfig config = {});
  ~WebDavWorld() override;

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
  bool has_quota() override { return false; }
  bool has_scans() override { return false; }
  bool tells_every_write() override { return tells_every_write_; }

  DavServer& server() { return server_; }
  // A second store on the same account, as after a restart.
  std::unique_ptr<RemoteStore> another_store();

 private:
  const bool tells_every_write_;
  DavServer server_;
  std::unique_ptr<HttpClient> engine_;
  std::unique_ptr<TokenSource> tokens_;
  std::unique_ptr<HttpClient> authorized_;
  WebDavConfig config_;
  std::unique_ptr<RemoteStore> store_;
};

}  // namespace cabinetfs

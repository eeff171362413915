// A local PowerFolder server in this process, and the real client in front of it.
#include <nlohmann/json.hpp>

#include "backend/auth/authorized_client.h"
#include "backend/auth/token_source.h"
#include "backend/powerfolder/powerfolder.h"
#include "backend/webdav/webdav.h"
#include "tests/e2e/support/served_account.h"

namespace cabinetfs {
namespace {

class PowerFolderAccount final : public ServedAccount {
 public:
  PowerFolderAccount()
      : ServedAccount("powerfolder", R"({"locks": true})"),
        engine_(make_engine(apply_powerfolder_policy)) {
    as("", {{"op", "mkdir"}, {"path", "Work"}});
    as("", {{"op", "share"}, {"path", "Work"}, {"with", other_user()}, {"permission", "ADMIN"}});
    const sandbox::UserCredentials& alice = server().credentials().users.at(0);
    config_.server_url = server().url();
    config_.user = alice.email;
    config_.create_top_folders = config_.locks = true;
    config_.second_look = std::chrono::milliseconds(20);
    tokens_ = or_die(make_basic_token_source("e2e", alice.email, SecretString(alice.password)),
                     "credentials");
    AuthorizedClientOptions authorization;
    apply_powerfolder_policy(authorization, config_);
    authorized_ = std::make_unique<AuthorizedClient>(*engine_, *tokens_, authorization);
  }

  std::unique_ptr<RemoteStore> connect() override {
    return or_die(make_powerfolder_store(*authorized_, config_), "connect");
  }

  bool shares_below_the_top() const override { return false; }

  // Ids are places.
  std::string id_of(const std::string& path) override { return find(path).is_null() ? "" : path; }
  // The server keeps some, and no call of the vendor shows them.
  bool keeps_versions() override { return true; }
  // A move keeps the time, and a copy gets one of its own.
  std::string identity(const std::string& path) override {
    const nlohmann::json node = find(path);
    return node.is_null() ? "" : node.at("modified").dump();
  }

  std::optional<std::string> access_of_other(const std::string& path) override {
    const nlohmann::json tree = nlohmann::json::parse(server().admin("GET", "tree?hash=0"));
    for (const nlohmann::json& folder : tree.at("folders")) {
      if (folder.at("name") == path) return folder.at("members").value(other_user(), "");
    }
    return "(nothing there)";
  }
  // Whose it is stands in the token that only its holder has.
  std::optional<bool> locked_by_us(const std::string& path) override {
    const nlohmann::json node = find(path);
    return !node.is_null() && node.at("locked").get<bool>();
  }

 private:
  bool is_upload(const std::string& endpoint) const override {
    return endpoint.starts_with("PUT ");
  }

  const std::unique_ptr<HttpClient> engine_;
  PowerFolderConfig config_;
  std::unique_ptr<TokenSource> tokens_;
  std::unique_ptr<HttpClient> authorized_;
};

}  // namespace

std::unique_ptr<TestAccount> make_powerfolder_account() {
  return std::make_unique<PowerFolderAccount>();
}

}  // namespace cabinetfs

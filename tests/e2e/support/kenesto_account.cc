// A local Kenesto server in this process, and the real client in front of it.
#include <nlohmann/json.hpp>

#include "backend/kenesto/kenesto.h"
#include "tests/e2e/support/served_account.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

class KenestoAccount final : public ServedAccount {
 public:
  // Without the calls that no page of the vendor's describes, nothing is renamed.
  explicit KenestoAccount(bool undocumented)
      : ServedAccount("kenesto", undocumented ? "" : R"({"undocumented": false})"),
        engine_(make_engine(apply_kenesto_policy)) {
    for (const auto& [name, vault] : {std::pair("Work", false), std::pair("Vault", true)}) {
      as("", {{"op", "mkdir"}, {"path", name}, {"vault", vault}});
      as("",
         {{"op", "share"}, {"path", name}, {"with", kOther}, {"level", "ALLOW_UPDATE_VERSIONS"}});
    }
    // A session for each mount would do as well; one is what a user of two mounts has.
    session_ = std::make_unique<KenestoLoginSession>(
        *engine_, KenestoLogin{"e2e", server().url(), ""},
        [this](const CallContext&) -> Result<KenestoCredentials> {
          const sandbox::Credentials& known = server().credentials();
          return KenestoCredentials{SecretString(known.client_secret), known.users.at(0).email,
                                    SecretString(known.users.at(0).password)};
        });
  }

  std::unique_ptr<RemoteStore> connect() override {
    KenestoConfig config;
    config.base_url = server().url();
    return or_die(make_kenesto_store(*engine_, *session_, config), "connect");
  }

  // A document keeps its extension.
  bool renames_to_any_name() override { return false; }
  bool lists_people() const override { return false; }
  std::string lock_folder() const override { return "Vault"; }
  // The vendor tells of people by ids only, which stand with the versions that they have made.
  std::string other_id() override {
    const json all = json::parse(server().admin("GET", "organizations")).at("organizations");
    for (const json& user : all.at(0).at("users")) {
      if (user.at("email") == kOther) return user.at("id").get<std::string>();
    }
    return {};
  }

 private:
  static constexpr const char* kOther = "bob@example.com";

  bool is_upload(const std::string& endpoint) const override {
    return endpoint.ends_with("UploadFile");
  }

  const std::unique_ptr<HttpClient> engine_;
  std::unique_ptr<KenestoSession> session_;
};

}  // namespace

std::unique_ptr<TestAccount> make_kenesto_account() {
  return std::make_unique<KenestoAccount>(true);
}
std::unique_ptr<TestAccount> make_kenesto_as_documented_account() {
  return std::make_unique<KenestoAccount>(false);
}

}  // namespace cabinetfs

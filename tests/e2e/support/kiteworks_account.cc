// A local Kiteworks server in this process, and the real client in front of it.
#include <nlohmann/json.hpp>

#include "backend/kiteworks/kiteworks.h"
#include "tests/e2e/support/served_account.h"

namespace cabinetfs {
namespace {

// Adds a token that never dies to each request, and to no other server.
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

class KiteworksAccount final : public ServedAccount {
 public:
  KiteworksAccount()
      : ServedAccount("kiteworks", ""),
        engine_(make_engine([](HttpClientOptions& http) { apply_kiteworks_policy(http); })),
        authorized_(*engine_, server().credentials().users.at(0).access_token) {
    as("", {{"op", "mkdir"}, {"path", "Work"}});
    as("", {{"op", "share"}, {"path", "Work"}, {"with", other_user()}, {"role", "Manager"}});
  }

  std::unique_ptr<RemoteStore> connect() override {
    KiteworksConfig config;
    config.base_url = server().url();
    return or_die(make_kiteworks_store(authorized_, config), "connect");
  }

 private:
  bool is_upload(const std::string& endpoint) const override {
    return endpoint.find("actions/file") != std::string::npos ||
           endpoint == "POST /rest/files/{id}" || endpoint.find("pload") != std::string::npos;
  }

  const std::unique_ptr<HttpClient> engine_;
  FixedTokenClient authorized_;
};

}  // namespace

std::unique_ptr<TestAccount> make_kiteworks_account() {
  return std::make_unique<KiteworksAccount>();
}

}  // namespace cabinetfs

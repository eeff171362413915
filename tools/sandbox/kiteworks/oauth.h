#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cabinetfs::sandbox {
struct Request;
struct Response;
}  // namespace cabinetfs::sandbox

namespace cabinetfs::sandbox::kiteworks {

struct Settings;
struct State;

struct TokenPair {
  std::string access, refresh;  // refresh may be empty
};

struct OAuthClient {
  std::string id = "sandbox-client", secret;
  std::vector<std::string> redirect_uris = {"http://127.0.0.1:", "http://localhost:"};
  bool is_public = false;
  std::string jwt_public_key, jwt_issuer, jwt_audience;
};

// Codes and tokens. Guarded by State::mutex.
class OAuth {
 public:
  OAuthClient client;

  TokenPair issue(const std::string& user_id, const Settings& settings,
                  std::optional<std::int64_t> lifetime = {},
                  std::optional<std::int64_t> refresh_lifetime = {}, bool with_refresh = true);
  // Id of the user that a live access token belongs to; empty if there is none.
  std::string user_of(std::string_view access_token) const;
  void expire(const std::string& user_id, bool access, bool refresh);  // empty user: all
  void revoke_access(std::string_view access_token);

  Response authorize(State& state, const Request& request);
  Response token(State& state, const Request& request);

  nlohmann::json save() const;
  void load(const nlohmann::json& saved);

 private:
  struct Access {
    std::string user_id;
    std::int64_t expires = 0, family = 0;
  };
  struct Refresh {
    std::string user_id;
    std::int64_t expires = 0, family = 0;
    bool used = false;
  };
  struct Code {
    std::string user_id, redirect_uri, challenge;
    std::int64_t expires = 0;
  };
  TokenPair issue_in(std::int64_t family, const std::string& user_id, const Settings& settings,
                     std::optional<std::int64_t> lifetime,
                     std::optional<std::int64_t> refresh_lifetime, bool with_refresh);
  void revoke_family(std::int64_t family);
  Response by_code(State& state, const Request& request, const Settings& settings);
  Response by_refresh(const Request& request, const Settings& settings);
  Response by_jwt(State& state, const Request& request, const Settings& settings);
  Response by_password(State& state, const Request& request, const Settings& settings);
  Response answer(const TokenPair& pair, const Settings& settings) const;

  std::map<std::string, Access, std::less<>> access_;
  std::map<std::string, Refresh, std::less<>> refresh_;
  std::map<std::string, Code, std::less<>> codes_;
  std::int64_t last_family_ = 0;
};

std::string random_hex(std::size_t bytes);

}  // namespace cabinetfs::sandbox::kiteworks

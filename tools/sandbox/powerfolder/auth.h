#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sandbox/powerfolder/model.h"

namespace cabinetfs::sandbox {
struct Request;
struct Response;
}  // namespace cabinetfs::sandbox

namespace cabinetfs::sandbox::powerfolder {

struct Settings;
struct State;

enum class TokenKind { kLogin, kAccess };

struct OAuthClient {
  std::string id = "sandbox-client", secret;
  std::vector<std::string> redirect_uris = {"http://127.0.0.1:", "http://localhost:"};
};

struct TokenPair {
  std::string access, refresh;
};

// Tokens of both kinds and codes. Guarded by State::mutex.
class Auth {
 public:
  OAuthClient client;

  // A token that stands for the password; its text ends in its own expiry.
  std::string issue_login(const std::string& user_id, std::int64_t lifetime_s);
  TokenPair issue(const std::string& user_id, std::int64_t lifetime_s, std::int64_t refresh_s);
  // Id of the user that a live token belongs to; empty if there is none.
  std::string user_of(std::string_view token, TokenKind kind) const;
  // An empty user: of everybody.
  void expire(const std::string& user_id, bool login, bool access, bool refresh);

  Response allow(State& state, const Request& request);
  // Code against tokens.
  Response token(State& state, const Request& request);
  Response refresh(State& state, const Request& request);

  nlohmann::json save() const;
  void load(const nlohmann::json& saved);

 private:
  struct Token {
    std::string user_id;
    Millis expires = 0;
    TokenKind kind = TokenKind::kLogin;
  };
  struct Refresh {
    std::string user_id;
    Millis expires = 0;  // 0: never
  };
  struct Code {
    std::string user_id, redirect_uri;
    Millis expires = 0;
  };
  static Response granted(const TokenPair& pair, const Settings& settings);

  std::map<std::string, Token, std::less<>> tokens_;
  std::map<std::string, Refresh, std::less<>> refresh_;
  std::map<std::string, Code, std::less<>> codes_;
};

// A parameter of the query or of a urlencoded form.
std::optional<std::string> parameter(const Request& request, std::string_view name);

// Who asks, as the credentials say. Throws HttpError 401; wrong passwords are counted.
User& authenticate(State& state, const Request& request, bool webdav);
// The same without effect, for the log: the name, or nothing.
std::string identify(State& state, const Request& request);
// GET or POST /login.
Response login(State& state, const Request& request);

}  // namespace cabinetfs::sandbox::powerfolder

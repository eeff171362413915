#include "tools/sandbox/kiteworks/oauth.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/http/message.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/kiteworks/state.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

constexpr std::int64_t kCodeLife = 600'000;
constexpr const char* kJwtGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";

Response refusal(const char* error, const std::string& description) {
  Response response =
      Response::json_text(400, json{{"error", error}, {"error_description", description}}.dump());
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Response redirect(const std::string& uri, const std::string& query) {
  Response response;
  response.status = 302;
  response.headers.emplace_back("Location",
                                uri + (uri.find('?') == std::string::npos ? "?" : "&") + query);
  return response;
}

Response page(int status, const std::string& text) {
  return Response::text(status, "text/html; charset=utf-8",
                        "<!doctype html><title>Sandbox</title>" + text + "\n");
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

bool same_secret(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> raw(bytes);
  if (RAND_bytes(raw.data(), static_cast<int>(bytes)) != 1) {
    throw std::runtime_error("OpenSSL has no random numbers");
  }
  std::string out;
  for (const unsigned char byte : raw) out += fmt::format("{:02x}", byte);
  return out;
}

TokenPair OAuth::issue(const std::string& user_id, const Settings& settings,
                       std::optional<std::int64_t> lifetime,
                       std::optional<std::int64_t> refresh_lifetime, bool with_refresh) {
  return issue_in(++last_family_, user_id, settings, lifetime, refresh_lifetime, with_refresh);
}

TokenPair OAuth::issue_in(std::int64_t family, const std::string& user_id, const Settings& settings,
                          std::optional<std::int64_t> lifetime,
                          std::optional<std::int64_t> refresh_lifetime, bool with_refresh) {
  const std::int64_t now = now_ms();
  TokenPair pair;
  pair.access = random_hex(20);
  access_[pair.access] = {user_id, now + lifetime.value_or(settings.access_lifetime) * 1000,
                          family};
  if (with_refresh && settings.issue_refresh_token) {
    pair.refresh = random_hex(20);
    refresh_[pair.refresh] = {
        user_id, now + refresh_lifetime.value_or(settings.refresh_lifetime) * 1000, family, false};
  }
  return pair;
}

std::string OAuth::user_of(std::string_view access_token) const {
  const auto found = access_.find(access_token);
  return found == access_.end() || found->second.expires <= now_ms() ? "" : found->second.user_id;
}

void OAuth::expire(const std::string& user_id, bool access, bool refresh) {
  for (auto& entry : access_) {
    if (access && (user_id.empty() || entry.second.user_id == user_id)) entry.second.expires = 0;
  }
  for (auto& entry : refresh_) {
    if (refresh && (user_id.empty() || entry.second.user_id == user_id)) entry.second.expires = 0;
  }
}

void OAuth::revoke_access(std::string_view access_token) {
  const auto found = access_.find(access_token);
  if (found != access_.end()) revoke_family(found->second.family);
}

void OAuth::revoke_family(std::int64_t family) {
  for (auto& entry : access_) {
    if (entry.second.family == family) entry.second.expires = 0;
  }
  for (auto& entry : refresh_) {
    if (entry.second.family == family) entry.second.expires = 0;
  }
}

Response OAuth::authorize(State& state, const Request& request) {
  const std::string redirect_uri = request.arg_or("redirect_uri", "");
  const auto registered = [&redirect_uri](const std::string& prefix) {
    return redirect_uri.rfind(prefix, 0) == 0;
  };
  // Landing pages of the server itself are for clients that cannot listen.
  const bool landing = redirect_uri == state.base_url + "/oauth_callback.php" ||
                       redirect_uri == state.base_url + "/rest/callback.html";
  // These two are shown, not redirected: the address to redirect to is what is in doubt.
  if (request.arg_or("client_id", "") != client.id) return page(400, "Unknown client.");
  if (redirect_uri.empty() || (!landing && std::none_of(client.redirect_uris.begin(),
                                                        client.redirect_uris.end(), registered))) {
    return page(400, "This redirect URI is not registered.");
  }
  const std::string state_arg = request.arg_or("state", "");
  const auto back = [&](const std::string& query) {
    return redirect(redirect_uri,
                    state_arg.empty() ? query : query + "&state=" + percent_encode(state_arg));
  };
  const std::string challenge = request.arg_or("code_challenge", "");
  if (request.arg_or("response_type", "") != "code") return back("error=invalid_request");
  if (!challenge.empty() &&
      (request.arg_or("code_challenge_method", "plain") != "S256" || challenge.size() != 43)) {
    return back("error=invalid_request");
  }
  if (challenge.empty() && client.is_public) return back("error=invalid_request");
  if (request.flag("deny")) return back("error=access_denied");
  const std::string email = request.arg_or("user", "");
  if (!request.flag("approve") || email.empty()) {
    std::string form = "<h1>Sandbox login</h1><form method=get>";
    for (const auto& [name, value] : request.query) {
      if (name == "user" || name == "approve") continue;
      form += fmt::format("<input type=hidden name=\"{}\" value=\"{}\">", escape_html(name),
                          escape_html(value));
    }
    form += fmt::format(
        "<input name=user value=\"{}\"><button name=approve value=1>Allow</button>"
        "<button name=deny value=1>Deny</button></form>",
        escape_html(email.empty() ? request.arg_or("login_hint", state.users.front()->email)
                                  : email));
    return page(200, form);
  }
  const User* user = state.find_user(email);
  if (user == nullptr) return back("error=access_denied");
  const std::string code = random_hex(20);
  codes_[code] = {user->id, redirect_uri, challenge, now_ms() + kCodeLife};
  return back("code=" + code);
}

Response OAuth::token(State& state, const Request& request) {
  const auto settings = state.settings.get();
  if (request.header("content-type").rfind("application/x-www-form-urlencoded", 0) != 0) {
    return refusal("invalid_request", "the body must be application/x-www-form-urlencoded");
  }
  if (request.field("client_id").value_or("") != client.id) {
    return refusal("invalid_client", "Unknown client");
  }
  const auto secret = request.field("client_secret");
  if (secret ? !same_secret(*secret, client.secret) : !client.is_public) {
    return refusal("invalid_client", "The client credentials are invalid");
  }
  const std::string grant = request.field("grant_type").value_or("");
  if (grant == "authorization_code") return by_code(state, request, *settings);
  if (grant == "refresh_token") return by_refresh(request, *settings);
  if (grant == kJwtGrant) return by_jwt(state, request, *settings);
  if (grant == "password") return by_password(state, request, *settings);
  return refusal(
      grant.empty() ? "invalid_request" : "unauthorized_client",
      grant.empty() ? "The grant type was not specified" : "This grant type is not allowed");
}

Response OAuth::by_code(State&, const Request& request, const Settings& settings) {
  const auto found = codes_.find(request.field("code").value_or(""));
  if (found == codes_.end()) return refusal("invalid_grant", "Authorization code does not exist");
  const Code code = found->second;
  codes_.erase(found);  // used up, whatever comes of it
  if (code.expires <= now_ms())
    return refusal("invalid_grant", "The authorization code has expired");
  if (request.field("redirect_uri").value_or("") != code.redirect_uri) {
    return refusal("invalid_grant", "The redirect URI does not match");
  }
  const std::string verifier = request.field("code_verifier").value_or("");
  if (!code.challenge.empty() && (verifier.size() < 43 || verifier.size() > 128 ||
                                  pkce_challenge(verifier) != code.challenge)) {
    return refusal("invalid_grant", "The code verifier does not match");
  }
  return answer(issue(code.user_id, settings), settings);
}

Response OAuth::by_refresh(const Request& request, const Settings& settings) {
  const auto found = refresh_.find(request.field("refresh_token").value_or(""));
  if (found == refresh_.end() || found->second.expires <= now_ms()) {
    return refusal("invalid_grant", "Invalid refresh token");
  }
  if (found->second.used) {
    revoke_family(found->second.family);
    return refusal("invalid_grant", "Invalid refresh token");
  }
  const Refresh token = found->second;
  if (!settings.rotate_refresh_tokens) {
    return answer(issue_in(token.family, token.user_id, settings, {}, {}, false), settings);
  }
  found->second.used = true;
  return answer(issue_in(token.family, token.user_id, settings, {}, {}, true), settings);
}

Response OAuth::by_jwt(State& state, const Request& request, const Settings& settings) {
  if (client.jwt_public_key.empty()) {
    return refusal("unauthorized_client", "This grant type is not allowed");
  }
  json claims;
  try {
    claims =
        json::parse(verify_rs256(request.field("assertion").value_or(""), client.jwt_public_key));
    const std::int64_t now = now_ms() / 1000;
    const auto expires = claims.at("exp").get<std::int64_t>();
    if (expires <= now) return refusal("invalid_grant", "The assertion has expired");
    if (expires > now + 330) return refusal("invalid_grant", "The assertion lives too long");
    if (claims.value("nbf", now) > now + 30)
      return refusal("invalid_grant", "The assertion is not valid yet");
    if (!client.jwt_issuer.empty() && claims.at("iss") != client.jwt_issuer) {
      return refusal("invalid_grant", "Unknown issuer");
    }
    if (!client.jwt_audience.empty() && claims.at("aud") != client.jwt_audience) {
      return refusal("invalid_grant", "Wrong audience");
    }
    const User* user = state.find_user(claims.at("sub").get<std::string>());
    if (user == nullptr) return refusal("invalid_grant", "Unknown user");
    return answer(issue(user->id, settings, {}, {}, false), settings);
  } catch (const json::exception&) {
    return refusal("invalid_request", "The assertion is not complete");
  } catch (const std::invalid_argument& error) {
    return refusal("invalid_grant", error.what());
  }
}

Response OAuth::by_password(State& state, const Request& request, const Settings& settings) {
  if (!settings.password_grant)
    return refusal("unauthorized_client", "This grant type is not allowed");
  const User* user = state.find_user(request.field("username").value_or(""));
  if (user == nullptr || !same_secret(user->password, request.field("password").value_or(""))) {
    return refusal("invalid_grant", "Invalid username and password combination");
  }
  return answer(issue(user->id, settings), settings);
}

Response OAuth::answer(const TokenPair& pair, const Settings& settings) const {
  json body = {{"access_token", pair.access}, {"token_type", "bearer"}, {"scope", "*/*/*"}};
  if (settings.expires_in_string) {
    body["expires_in"] = std::to_string(settings.access_lifetime);
  } else {
    body["expires_in"] = settings.access_lifetime;
  }
  if (!pair.refresh.empty()) body["refresh_token"] = pair.refresh;
  Response response = Response::json_text(200, body.dump());
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

json OAuth::save() const {
  json access = json::array();
  for (const auto& [token, info] : access_) {
    if (info.expires > 0) access.push_back({token, info.user_id, info.expires, info.family});
  }
  json refresh = json::array();
  for (const auto& [token, info] : refresh_) {
    refresh.push_back({token, info.user_id, info.expires, info.family, info.used});
  }
  return {{"client",
           {{"id", client.id},
            {"secret", client.secret},
            {"redirect_uris", client.redirect_uris},
            {"public", client.is_public},
            {"jwt_public_key", client.jwt_public_key},
            {"jwt_issuer", client.jwt_issuer},
            {"jwt_audience", client.jwt_audience}}},
          {"access", access},
          {"refresh", refresh},
          {"last_family", last_family_}};
}

void OAuth::load(const json& saved) {
  const json& described = saved.at("client");
  client.id = described.at("id");
  client.secret = described.at("secret");
  client.redirect_uris = described.at("redirect_uris").get<std::vector<std::string>>();
  client.is_public = described.at("public");
  client.jwt_public_key = described.at("jwt_public_key");
  client.jwt_issuer = described.at("jwt_issuer");
  client.jwt_audience = described.at("jwt_audience");
  for (const json& entry : saved.at("access")) {
    access_[entry.at(0)] = {entry.at(1), entry.at(2), entry.at(3)};
  }
  for (const json& entry : saved.at("refresh")) {
    refresh_[entry.at(0)] = {entry.at(1), entry.at(2), entry.at(3), entry.at(4)};
  }
  last_family_ = saved.at("last_family");
}

}  // namespace cabinetfs::sandbox::kiteworks

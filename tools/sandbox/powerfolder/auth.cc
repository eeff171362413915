#include "tools/sandbox/powerfolder/auth.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/http/message.h"
#include "tools/sandbox/kiteworks/jwt.h"
#include "tools/sandbox/kiteworks/oauth.h"
#include "tools/sandbox/powerfolder/errors.h"
#include "tools/sandbox/powerfolder/state.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

using kiteworks::random_hex;
using nlohmann::json;

struct Basic {
  std::string name, password;
};

std::optional<Basic> basic_of(std::string_view authorization) {
  if (authorization.rfind("Basic ", 0) != 0) return std::nullopt;
  try {
    const std::string text = kiteworks::base64_decode(authorization.substr(6));
    const auto colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    return Basic{text.substr(0, colon), text.substr(colon + 1)};
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

User* user_of(State& state, const Request& request, const Settings& settings, bool webdav) {
  const std::string_view authorization = request.header("authorization");
  if (authorization.rfind("Bearer ", 0) == 0) {
    if (!settings.bearer) return nullptr;
    return state.find_user(state.auth.user_of(authorization.substr(7), TokenKind::kAccess));
  }
  const auto basic = basic_of(authorization);
  if (!basic) return nullptr;
  User* user = state.find_user(basic->name);
  if (user == nullptr) return nullptr;
  if (settings.lockout_after > 0 && user->failures >= settings.lockout_after) return nullptr;
  if (settings.basic_password && basic->password == user->password) return user;
  const bool tokens = settings.basic_token && (!webdav || settings.webdav_tokens);
  if (tokens && state.auth.user_of(basic->password, TokenKind::kLogin) == user->id) return user;
  return nullptr;
}

[[noreturn]] void refuse() {
  throw HttpError(401, "Unauthorized", {}, {{"WWW-Authenticate", "Basic realm=\"PowerFolder\""}});
}

Response answer(int status, const json& body) { return Response::json_text(status, body.dump()); }

// What a failure looks like is not described: the standard's JSON, or a page.
Response oauth_error(const Settings& settings, int status, const char* code) {
  if (settings.oauth_errors == "json") return answer(status, {{"error", code}});
  return Response::text(status, "text/html", fmt::format("<h1>{}</h1>", code));
}

// Exactly these parameters, each once: nothing else is described, so nobody may count on more.
bool has_exactly(const std::vector<std::pair<std::string, std::string>>& parameters,
                 std::vector<std::string> names) {
  std::vector<std::string> sent;
  for (const auto& [name, value] : parameters) sent.push_back(name);
  std::sort(sent.begin(), sent.end());
  std::sort(names.begin(), names.end());
  return sent == names;
}

Response redirect(const std::string& to) {
  Response response = Response::text(302, "text/html", "");
  response.headers.emplace_back("Location", to);
  return response;
}

}  // namespace

std::optional<std::string> parameter(const Request& request, std::string_view name) {
  auto value = request.arg(name);
  return value ? value : request.field(name);
}

std::string Auth::issue_login(const std::string& user_id, std::int64_t lifetime_s) {
  const Millis expires = now_ms() + lifetime_s * 1000;
  std::string token = fmt::format("{}.{:x}", random_hex(16), expires);
  tokens_[token] = {user_id, expires, TokenKind::kLogin};
  return token;
}

TokenPair Auth::issue(const std::string& user_id, std::int64_t lifetime_s, std::int64_t refresh_s) {
  TokenPair pair{random_hex(20), random_hex(20)};
  tokens_[pair.access] = {user_id, now_ms() + lifetime_s * 1000, TokenKind::kAccess};
  refresh_[pair.refresh] = {user_id, refresh_s == 0 ? 0 : now_ms() + refresh_s * 1000};
  return pair;
}

std::string Auth::user_of(std::string_view token, TokenKind kind) const {
  const auto found = tokens_.find(token);
  if (found == tokens_.end() || found->second.kind != kind || found->second.expires <= now_ms()) {
    return {};
  }
  return found->second.user_id;
}

void Auth::expire(const std::string& user_id, bool login, bool access, bool refresh) {
  const auto hit = [&](const std::string& id) { return user_id.empty() || id == user_id; };
  for (auto& [text, token] : tokens_) {
    const bool wanted = token.kind == TokenKind::kLogin ? login : access;
    if (wanted && hit(token.user_id)) token.expires = 1;
  }
  for (auto& [text, token] : refresh_) {
    if (refresh && hit(token.user_id)) token.expires = 1;
  }
}

Response Auth::allow(State& state, const Request& request) {
  const std::string redirect_uri = request.arg_or("redirect_uri", "");
  bool known = false;
  for (const std::string& uri : client.redirect_uris) known |= redirect_uri.rfind(uri, 0) == 0;
  std::vector<std::pair<std::string, std::string>> sent = request.query;
  // A program that stands for a person and a browser says who it is, and yes or no.
  const auto of_person = [](const auto& pair) {
    return pair.first == "user" || pair.first == "approve" || pair.first == "deny";
  };
  sent.erase(std::remove_if(sent.begin(), sent.end(), of_person), sent.end());
  if (!has_exactly(sent, {"response_type", "client_id", "redirect_uri", "state"}) || !known ||
      request.arg_or("client_id", "") != client.id ||
      request.arg_or("response_type", "") != "code") {
    return Response::text(400, "text/html", "<html><body>Unknown application</body></html>");
  }
  const char mark = redirect_uri.find('?') == std::string::npos ? '?' : '&';
  const std::string back =
      fmt::format("{}{}state={}", redirect_uri, mark, percent_encode(request.arg_or("state", "")));
  if (request.flag("deny")) return redirect(back + "&error=access_denied");
  const User* user = state.find_user(request.arg_or("user", ""));
  if (user == nullptr || !request.flag("approve")) {
    return Response::text(200, "text/html; charset=utf-8",
                          fmt::format("<!doctype html><title>Sandbox</title><form action=\"/oauth/"
                                      "allow?{}\">Log in as <input name=\"user\"></form>\n",
                                      "approve=1"));
  }
  const std::string code = random_hex(16);
  codes_[code] = {user->id, redirect_uri, now_ms() + 60'000};
  return redirect(back + "&code=" + code);
}

Response Auth::granted(const TokenPair& pair, const Settings& settings) {
  Response response = answer(200, {{"access_token", pair.access},
                                   {"refresh_token", pair.refresh},
                                   {"expires_in", settings.access_lifetime}});
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Response Auth::token(State& state, const Request& request) {
  const auto settings = state.settings.get();
  if (!settings->oauth) return Response::text(404, "text/html", "<h1>Not Found</h1>");
  // In a form, since an address with a client secret in it ends up in logs.
  std::vector<std::pair<std::string, std::string>> sent;
  for (const auto& [name, spool] : request.form) sent.emplace_back(name, spool->text());
  if (!request.query.empty() ||
      !has_exactly(sent, {"grant_type", "code", "redirect_uri", "client_id", "client_secret"})) {
    return oauth_error(*settings, 400, "invalid_request");
  }
  if (request.field("client_id") != client.id || request.field("client_secret") != client.secret) {
    return oauth_error(*settings, 401, "invalid_client");
  }
  if (request.field("grant_type") != "authorization_code") {
    return oauth_error(*settings, 400, "unsupported_grant_type");
  }
  const auto found = codes_.find(request.field("code").value_or(""));
  if (found == codes_.end()) return oauth_error(*settings, 400, "invalid_grant");
  const Code code = found->second;
  codes_.erase(found);  // works once
  if (code.expires <= now_ms() || request.field("redirect_uri") != code.redirect_uri) {
    return oauth_error(*settings, 400, "invalid_grant");
  }
  return granted(issue(code.user_id, settings->access_lifetime, settings->refresh_lifetime),
                 *settings);
}

Response Auth::refresh(State& state, const Request& request) {
  const auto settings = state.settings.get();
  if (!settings->oauth) return Response::text(404, "text/html", "<h1>Not Found</h1>");
  if (!has_exactly(request.query, {"grant_type", "client_id", "refresh_token"})) {
    return oauth_error(*settings, 400, "invalid_request");
  }
  if (request.arg("client_id") != client.id) {
    return oauth_error(*settings, 401, "invalid_client");
  }
  if (request.arg("grant_type") != "refresh_token") {
    return oauth_error(*settings, 400, "unsupported_grant_type");
  }
  const auto found = refresh_.find(*request.arg("refresh_token"));
  if (found == refresh_.end() ||
      (found->second.expires != 0 && found->second.expires <= now_ms())) {
    return oauth_error(*settings, 400, "invalid_grant");
  }
  const std::string old = found->first;
  TokenPair pair =
      issue(found->second.user_id, settings->access_lifetime, settings->refresh_lifetime);
  if (settings->rotate_refresh_tokens) {
    refresh_.erase(old);
  } else {
    refresh_.erase(pair.refresh);
    pair.refresh = old;
  }
  return granted(pair, *settings);
}

json Auth::save() const {
  json tokens = json::array();
  for (const auto& [text, token] : tokens_) {
    tokens.push_back({text, token.user_id, token.expires, static_cast<int>(token.kind)});
  }
  json refresh = json::array();
  for (const auto& [text, token] : refresh_) {
    refresh.push_back({text, token.user_id, token.expires});
  }
  return {{"client", {client.id, client.secret}}, {"tokens", tokens}, {"refresh", refresh}};
}

void Auth::load(const json& saved) {
  client.id = saved.at("client").at(0);
  client.secret = saved.at("client").at(1);
  for (const json& entry : saved.at("tokens")) {
    tokens_[entry.at(0)] = {entry.at(1), entry.at(2),
                            static_cast<TokenKind>(entry.at(3).get<int>())};
  }
  for (const json& entry : saved.at("refresh")) refresh_[entry.at(0)] = {entry.at(1), entry.at(2)};
}

User& authenticate(State& state, const Request& request, bool webdav) {
  const auto settings = state.settings.get();
  User* user = user_of(state, request, *settings, webdav);
  if (user != nullptr) {
    user->failures = 0;
    return *user;
  }
  if (const auto basic = basic_of(request.header("authorization"))) {
    if (User* named = state.find_user(basic->name)) ++named->failures;
  }
  refuse();
}

std::string identify(State& state, const Request& request) {
  const User* user = user_of(state, request, *state.settings.get(), false);
  return user == nullptr ? std::string() : user->name;
}

Response login(State& state, const Request& request) {
  const auto settings = state.settings.get();
  const bool as_json = parameter(request, "json").value_or("") == "1";
  User* user = state.find_user(parameter(request, "Username").value_or(""));
  const std::string password = parameter(request, "Password").value_or("");
  const bool locked =
      user != nullptr && settings->lockout_after > 0 && user->failures >= settings->lockout_after;
  if (user == nullptr || locked || password != user->password) {
    if (user != nullptr) ++user->failures;
    return Response::text(401, "text/html", "<html><body>Login failed</body></html>");
  }
  user->failures = 0;
  if (!as_json) return Response::text(200, "text/html", "<html><body>Welcome</body></html>");
  return answer(200, {{"account",
                       {{"ID", user->id},
                        {"username", user->name},
                        {"token", state.auth.issue_login(user->id, settings->access_lifetime)}}}});
}

}  // namespace cabinetfs::sandbox::powerfolder

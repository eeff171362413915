#include "backend/auth/oauth.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "backend/base/text.h"
#include "backend/http/http_client.h"
#include "backend/http/redact.h"

namespace cabinetfs {
namespace {

using nlohmann::json;
using Form = std::vector<std::pair<std::string, std::string>>;

std::string encode_form(const Form& form) {
  std::string out;
  for (const auto& [name, value] : form) {
    if (value.empty()) continue;
    if (!out.empty()) out += '&';
    out += percent_encode(name) + "=" + percent_encode(value);
  }
  return out;
}

std::string text_field(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A number, a numeric string, or nothing usable.
std::optional<std::chrono::seconds> seconds_field(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  double value = 0;
  if (found->is_number()) {
    value = found->get<double>();
  } else if (found->is_string()) {
    const std::string text = found->get<std::string>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  } else {
    return std::nullopt;
  }
  // Ten years is as good as for ever and keeps the arithmetic with it from overflowing.
  if (!(value > 0)) return std::nullopt;
  return std::chrono::seconds(static_cast<std::int64_t>(std::min(value, 3.2e8)));
}

// Shown to users: what the server says about the error, without secrets that have a name and
// control characters, bounded.
std::string shown(std::string_view text) {
  std::string out = redact_text(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out.substr(0, 200);
}

// A server that repeats what it was sent, in whatever form, must not bring it into a log.
void hide_secret(std::string& text, const std::string& secret) {
  constexpr std::string_view kHidden = "***";
  for (const std::string& form : {secret, percent_encode(secret)}) {
    if (form.size() < 4) continue;  // no secret is, and words would suffer
    for (std::size_t at = text.find(form); at != std::string::npos; at = text.find(form, at)) {
      text.replace(at, form.size(), kHidden);
      at += kHidden.size();
    }
  }
}

bool is_secret_field(const std::string& name) {
  return name != "client_id" && is_secret_name(name);
}

ErrorCode code_of(const std::string& error, int status) {
  if (error == "invalid_grant" || error == "access_denied" || error == "login_required") {
    return ErrorCode::kUnauthenticated;
  }
  if (error == "temporarily_unavailable" || error == "server_error" || error == "slow_down" ||
      status >= 500 || status == 429) {
    return ErrorCode::kUnavailable;
  }
  if (error == "invalid_client" || error == "unauthorized_client" || error == "invalid_scope" ||
      error == "invalid_request" || error == "unsupported_grant_type") {
    return ErrorCode::kDenied;
  }
  return status == 401 ? ErrorCode::kUnauthenticated : ErrorCode::kDenied;
}

Result<OAuthTokens> ask_token_endpoint(HttpClient& http, const CallContext& call,
                                       const OAuthClient& client, HttpRequest request, Form& sent) {
  request.headers.emplace_back("Accept", "application/json");
  request.redirects = HttpRequest::Redirects::kNone;
  request.max_body = 256u << 10;
  Result<HttpResponse> response = http.perform(call, std::move(request));
  Result<OAuthTokens> tokens =
      response ? parse_token_answer(response->status, response->body, client.plain_refusals)
               : fail(std::move(response).error());
  if (response) SecretString::wipe(response->body);
  for (auto& [name, value] : sent) {
    if (!is_secret_field(name)) continue;
    if (!tokens) hide_secret(tokens.error().context, value);
    SecretString::wipe(value);
  }
  return tokens;
}

Result<OAuthTokens> post_form(HttpClient& http, const CallContext& call, const OAuthClient& client,
                              Form form, std::string label) {
  form.emplace_back("client_id", client.client_id);
  form.emplace_back("client_secret", client.client_secret.reveal());
  HttpRequest request;
  request.method = "POST";
  request.url = client.token_url;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = HttpBody::from_string(encode_form(form));
  request.label = std::move(label);
  return ask_token_endpoint(http, call, client, std::move(request), form);
}

Result<OAuthTokens> get_refresh(HttpClient& http, const CallContext& call,
                                const OAuthClient& client, const SecretString& refresh_token) {
  Form query = {{"grant_type", "refresh_token"},
                {"client_id", client.client_id},
                {"refresh_token", refresh_token.reveal()}};
  HttpRequest request;
  request.url = client.refresh_address + '?' + encode_form(query);
  request.label = "GET token (refresh)";
  // It spends a token, so neither we nor libcurl on a connection that has died send it again.
  request.changes = true;
  request.fresh_connection = true;
  return ask_token_endpoint(http, call, client, std::move(request), query);
}

}  // namespace

std::string pkce_challenge(std::string_view verifier) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(verifier.data(), verifier.size(), digest.data(), &size, EVP_sha256(), nullptr) !=
      1) {
    return {};
  }
  return to_base64url(std::as_bytes(std::span(digest.data(), size)));
}

Result<std::string> random_token() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return fail(ErrorCode::kInternal, "no random numbers");
  }
  return to_base64url(std::as_bytes(std::span(bytes)));
}

Result<Pkce> make_pkce() {
  TRY_ASSIGN(std::string verifier, random_token());
  Pkce pkce;
  pkce.challenge = pkce_challenge(verifier);
  pkce.verifier = SecretString(std::move(verifier));
  if (pkce.challenge.empty()) return fail(ErrorCode::kInternal, "SHA-256 is not available");
  return pkce;
}

std::string authorize_url(const OAuthClient& client, const std::string& state,
                          const std::string& code_challenge) {
  Form query = {{"response_type", "code"},
                {"client_id", client.client_id},
                {"redirect_uri", client.redirect_uri},
                {"scope", client.scope},
                {"state", state},
                {"login_hint", client.login_hint}};
  if (!code_challenge.empty()) {
    query.emplace_back("code_challenge", code_challenge);
    query.emplace_back("code_challenge_method", "S256");
  }
  const char separator = client.authorize_url.find('?') == std::string::npos ? '?' : '&';
  return client.authorize_url + separator + encode_form(query);
}

Result<OAuthTokens> parse_token_answer(int status, std::string_view body, bool plain_refusals) {
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object()) {
    if (plain_refusals && (status == 400 || status == 401)) {
      return fail(ErrorCode::kUnauthenticated,
                  "token endpoint: HTTP " + std::to_string(status) + ": refused");
    }
    // A proxy's or firewall's page: it says nothing about the credentials.
    return fail(ErrorCode::kUnavailable,
                "token endpoint: HTTP " + std::to_string(status) + " without JSON");
  }
  OAuthTokens tokens;
  tokens.access_token = SecretString(text_field(answer, "access_token"));
  if (status >= 200 && status < 300 && !tokens.access_token.empty()) {
    const std::string type = fold_name(text_field(answer, "token_type"));
    if (!type.empty() && type != "bearer") {
      return fail(ErrorCode::kNotSupported, "token endpoint: token type " + shown(type));
    }
    tokens.refresh_token = SecretString(text_field(answer, "refresh_token"));
    tokens.expires_in = seconds_field(answer, "expires_in");
    tokens.scope = text_field(answer, "scope");
    return tokens;
  }
  const std::string error = text_field(answer, "error");
  std::string context = "token endpoint: HTTP " + std::to_string(status);
  if (!error.empty()) context += ": " + shown(error);
  const std::string description = text_field(answer, "error_description");
  if (!description.empty()) context += ": " + shown(description);
  if (error.empty() && status < 400) {
    return fail(ErrorCode::kCorrupt, context + " without a token");
  }
  return fail(code_of(error, status), std::move(context));
}

Result<OAuthTokens> exchange_code(HttpClient& http, const CallContext& call,
                                  const OAuthClient& client, const SecretString& code,
                                  const SecretString& pkce_verifier) {
  Form form = {{"grant_type", "authorization_code"},
               {"code", code.reveal()},
               {"redirect_uri", client.redirect_uri},
               {"code_verifier", pkce_verifier.reveal()}};
  form.insert(form.end(), client.exchange_parameters.begin(), client.exchange_parameters.end());
  return post_form(http, call, client, std::move(form), "POST token (code)");
}

Result<OAuthTokens> refresh_tokens(HttpClient& http, const CallContext& call,
                                   const OAuthClient& client, const SecretString& refresh_token) {
  if (!client.refresh_address.empty()) return get_refresh(http, call, client, refresh_token);
  return post_form(http, call, client,
                   {{"grant_type", "refresh_token"}, {"refresh_token", refresh_token.reveal()}},
                   "POST token (refresh)");
}

Result<OAuthTokens> exchange_assertion(HttpClient& http, const CallContext& call,
                                       const OAuthClient& client, const SecretString& assertion) {
  return post_form(http, call, client,
                   {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                    {"assertion", assertion.reveal()},
                    {"scope", client.scope}},
                   "POST token (jwt)");
}

std::map<std::string, std::string> parse_query(std::string_view target) {
  std::map<std::string, std::string> values;
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) target.remove_prefix(question + 1);
  const auto decode = [](std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '+') {
        out += ' ';
      } else if (const auto byte = text[i] == '%' ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
                 byte && byte->size() == 1) {
        out += static_cast<char>(byte->front());
        i += 2;
      } else {
        out += text[i];
      }
    }
    return out;
  };
  for (const std::string& pair : split(target.substr(0, target.find('#')), '&')) {
    const std::size_t equals = pair.find('=');
    const std::string_view view(pair);
    values.try_emplace(decode(view.substr(0, equals)),
                       equals == std::string::npos ? "" : decode(view.substr(equals + 1)));
  }
  return values;
}

}  // namespace cabinetfs

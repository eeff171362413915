// The seven shapes of an error answer.

#include "backend/http/http_client.h"
#include "backend/http/redact.h"
#include "backend/kiteworks/wire_json.h"

namespace cabinetfs::kiteworks {
namespace {

// A page of a proxy can be long; what matters stands at its front.
constexpr std::size_t kErrorBody = 64u << 10;
constexpr std::size_t kMessage = 200;

// One printable line without secrets. The text comes from the server and goes to logs and users.
std::string printable(std::string text) {
  // Redacted before it is cut: a secret must not lose the name that gives it away.
  text = redact_text(text);
  if (text.size() > kMessage) text.resize(kMessage);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
  }
  // The cut may have split a character.
  while (!text.empty() && !is_valid_utf8(text)) text.pop_back();
  return text;
}

// Codes become part of decisions and messages: only what looks like one.
std::string code_text(const Json& json) {
  std::string code = text_of(json);
  if (code.size() > 100) return {};
  for (const char c : code) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    if (!plain) return {};
  }
  return code;
}

const Json& first_of(const Json& json) {
  return json.is_array() && !json.empty() ? json.front() : json;
}

}  // namespace

WireError error_of(const Json& json, int status) {
  WireError error;
  error.status = status;
  error.from_api = true;
  // {"errors":[{..}]}, {"errors":{..}}, {"error":[{..}]}, {"error":{..}}, {"code":..}.
  const Json* about = &json;
  for (const char* const key : {"errors", "error"}) {
    const Json& inner = member(json, key);
    if (inner.is_structured() && !inner.empty()) {
      about = &first_of(inner);
      break;
    }
  }
  // {"errors":["text"]}: seen in answers to bulk calls.
  if (about->is_string()) {
    error.code = code_text(*about);
    error.message = printable(text_of(*about));
    return error;
  }
  error.code = code_text(member(*about, "code"));
  error.message = printable(text_of(member(*about, "message")));
  error.field = printable(text_of(member(*about, "field")));
  const Json& oauth = member(json, "error");
  if (oauth.is_string()) {
    // {"error":"invalid_grant","error_description":".."}.
    error.code = code_text(oauth);
    error.message = printable(text_of(member(json, "error_description")));
  }
  return error;
}

bool names_errors(const HttpResponse& response) {
  // Listings are large, and hardly one holds the word.
  if (response.body.find("\"errors\"") == std::string::npos) return false;
  const Result<Json> json = parse_document(response.body);
  if (!json || !json->is_object()) return false;
  const Json& errors = member(*json, "errors");
  return errors.is_structured() && !errors.empty();
}

WireError parse_error(const HttpResponse& response) {
  if (response.body.size() <= kErrorBody) {
    const Result<Json> json = parse_document(response.body);
    if (json && json->is_structured()) {
      WireError error = error_of(json->is_array() ? first_of(*json) : *json, response.status);
      return error;
    }
  }
  WireError error;
  error.status = response.status;
  return error;
}

}  // namespace cabinetfs::kiteworks

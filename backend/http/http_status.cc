#include "backend/http/http_status.h"

#include <fmt/format.h>

#include "backend/base/text.h"
#include "backend/http/http_client.h"
#include "backend/http/redact.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kShownBytes = 200;

// HTML pages say nothing useful in their first line.
bool is_worth_showing(const HttpResponse& response) {
  const std::string* type = response.find("content-type");
  return type == nullptr || type->find("html") == std::string::npos;
}

std::string first_line(std::string_view body) {
  const std::size_t start = body.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return {};
  body.remove_prefix(start);
  // Redacted before it is cut: a secret must not lose the name that gives it away.
  std::string text = redact_text(body.substr(0, kShownBytes * 4));
  text.resize(std::min(text.size(), std::min(kShownBytes, text.find_first_of("\r\n"))));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  while (!is_valid_utf8(text)) text.pop_back();
  return text;
}

}  // namespace

ErrorCode error_from_status(int status) {
  switch (status) {
    case 400:
    case 422:
      return ErrorCode::kInvalid;
    case 401:
      return ErrorCode::kUnauthenticated;
    case 402:
    case 403:
    case 451:
    case 490:  // what some web application firewalls answer
      return ErrorCode::kDenied;
    case 404:
    case 410:
      return ErrorCode::kNotFound;
    case 405:
    case 415:
    case 501:
      return ErrorCode::kNotSupported;
    case 407:  // a proxy on the way: no word about the account
    case 408:
    case 425:
    case 429:
      return ErrorCode::kUnavailable;
    case 409:
    case 412:
    case 428:
      return ErrorCode::kConflict;
    case 413:
      return ErrorCode::kTooLarge;
    case 414:
      return ErrorCode::kNameTooLong;
    case 416:
      return ErrorCode::kRange;
    case 423:
      return ErrorCode::kBusy;
    case 507:
      return ErrorCode::kOverQuota;
    default:
      break;
  }
  if (status >= 500) return ErrorCode::kUnavailable;
  if (status >= 400) return ErrorCode::kInvalid;
  return ErrorCode::kInternal;
}

Error error_from_response(const HttpResponse& response, std::string_view what) {
  std::string context = fmt::format("{}: HTTP {}", what, response.status);
  if (is_worth_showing(response)) {
    const std::string said = first_line(response.body);
    if (!said.empty()) context += ": " + said;
  }
  return {error_from_status(response.status), std::move(context)};
}

}  // namespace cabinetfs

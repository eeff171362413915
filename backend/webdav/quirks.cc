#include "backend/webdav/quirks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backend/base/mutex.h"
#include "backend/base/text.h"
#include "backend/http/http_client.h"
#include "backend/http/http_status.h"
#include "backend/http/retry_policy.h"
#include "backend/webdav/wire.h"

namespace cabinetfs::webdav {
namespace {

// An ETag as long as this would make every validator in memory as long.
constexpr std::size_t kLongEtag = 96;

struct Row {
  std::string_view method;  // empty: any
  int status;
  ErrorCode meaning;
};

// The first row that fits counts; without one, what HTTP says.
constexpr std::array kRows = {
    Row{"MKCOL", 405, ErrorCode::kExists},      // RFC 4918 9.3.1
    Row{"MKCOL", 409, ErrorCode::kNotFound},    // a parent is missing
    Row{"PUT", 409, ErrorCode::kNotFound},      // the same; also onto a collection
    Row{"MOVE", 409, ErrorCode::kNotFound},     // a parent of the destination is missing
    Row{"COPY", 409, ErrorCode::kNotFound},     //
    Row{"MOVE", 412, ErrorCode::kExists},       // sent with Overwrite: F only
    Row{"COPY", 412, ErrorCode::kExists},       //
    Row{"MOVE", 502, ErrorCode::kCrossDevice},  // the destination is on another server
    Row{"COPY", 502, ErrorCode::kNotSupported},
    Row{"", 424, ErrorCode::kUnavailable},  // failed together with something else
    Row{"", 416, ErrorCode::kConflict},     // we ask within the size that we know
};

bool contains(std::string_view letters, char letter) {
  return letters.find(letter) != std::string_view::npos;
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string short_etag(std::string_view etag) {
  const std::string_view opaque = opaque_part(etag);
  if (opaque.size() <= kLongEtag) return std::string(opaque);
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : opaque) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return fmt::format("{}#{:016x}", opaque.substr(0, kLongEtag - 17), hash);
}

}  // namespace

ErrorCode error_code(std::string_view method, int status) {
  for (const Row& row : kRows) {
    if (row.status == status && (row.method.empty() || row.method == method)) return row.meaning;
  }
  return error_from_status(status);
}

bool is_html(const HttpResponse& response) {
  const std::string* const type = response.find("content-type");
  return type != nullptr && fold_name(*type).find("html") != std::string::npos;
}

Validator make_validator(const WireResource& resource) {
  if (!opaque_part(resource.etag).empty()) return Validator{"e:" + short_etag(resource.etag)};
  return Validator{fmt::format("m:{}:{}", resource.length.value_or(0),
                               resource.modified ? seconds_of(*resource.modified) : 0)};
}

std::optional<bool> fits_validator(const Validator& validator, const std::string* etag,
                                   const std::string* last_modified) {
  const std::string_view text = validator.value;
  if (text.substr(0, 2) == "e:") {
    if (etag == nullptr || opaque_part(*etag).empty()) return std::nullopt;
    return text.substr(2) == short_etag(*etag);
  }
  if (text.substr(0, 2) != "m:" || last_modified == nullptr) return std::nullopt;
  const auto time = parse_http_date(*last_modified);
  if (!time) return std::nullopt;
  return text.substr(text.rfind(':') + 1) == std::to_string(seconds_of(*time));
}

Rights rights_from_letters(std::string_view letters, NodeKind kind) {
  Rights rights;
  rights.add(Right::kRead);
  if (contains(letters, 'R')) rights.add(Right::kShare);
  if (contains(letters, 'D')) rights.add(Right::kDelete);
  // N and V come together; a rename here may be a move there.
  if (contains(letters, 'N') && contains(letters, 'V')) rights.add(Right::kRename);
  if (kind == NodeKind::kFolder) {
    rights.add(Right::kList);
    if (contains(letters, 'C') && contains(letters, 'K')) rights.add(Right::kCreate);
  } else if (contains(letters, 'W')) {
    rights.add(Right::kWrite).add(Right::kLock);
  }
  return rights;
}

Result<void> check_name(const NameRules& rules, const std::string& name) {
  const auto refuse = [&](const char* why) {
    return fail(ErrorCode::kInvalid, fmt::format("the name \"{}\": {}", name, why));
  };
  if (name.empty() || name == "." || name == "..") return refuse("means something else");
  if (name.find('/') != std::string::npos || name.find('\0') != std::string::npos) {
    return refuse("has a character that no path can hold");
  }
  if (name.find_first_of(rules.forbidden) != std::string::npos) {
    return refuse("has a character that the server does not take");
  }
  if (rules.control_forbidden && std::any_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      })) {
    return refuse("has a control character");
  }
  if (rules.leading_dot_forbidden && name.front() == '.') return refuse("begins with a dot");
  if (rules.trailing_dot_forbidden && name.back() == '.') return refuse("ends with a dot");
  if (rules.trailing_space_forbidden && name.back() == ' ') return refuse("ends with a space");
  if (utf8_length(name) > rules.max_characters) {
    return fail(ErrorCode::kNameTooLong,
                fmt::format("a name of more than {} characters", rules.max_characters));
  }
  return {};
}

Result<void> wait_for(const CallContext& call, std::chrono::nanoseconds span) {
  Mutex mutex;
  CondVar woken;
  const auto registration = call.cancel.on_cancel([&] {
    MutexLock lock(mutex);
    woken.notify_all();
  });
  const SteadyTime until = std::min(Clock::system().steady() + span, call.deadline);
  {
    MutexLock lock(mutex);
    while (!call.cancel.cancelled() && Clock::system().steady() < until) {
      woken.wait_until(mutex, until);
    }
  }
  if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "cancelled while waiting");
  if (Clock::system().steady() >= call.deadline) {
    return fail(ErrorCode::kTimeout, "no time left to ask again");
  }
  return {};
}

}  // namespace cabinetfs::webdav

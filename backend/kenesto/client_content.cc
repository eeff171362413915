// KenestoStore: downloads.

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <thread>

#include "backend/http/http_status.h"
#include "backend/http/http_url.h"
#include "backend/http/range_receiver.h"
#include "backend/kenesto/client.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

// A broken transfer goes on where it broke, so often in a row.
constexpr int kResumes = 3;
// Below it, a connection of its own costs more than it brings.
constexpr std::uint64_t kOwnConnection = 256u << 10;

}  // namespace

Result<VersionId> KenestoStore::version_to_read(const CallContext& call,
                                                const ReadRequest& request) {
  if (!request.version.empty()) return request.version;
  // The id of a document is the one of its first version, so it must not be downloaded by that.
  const auto before = known_.find(request.file);
  const bool any = request.validator.empty();
  const std::uint64_t wanted = !any ? mark_of(request.validator) : before ? before->mark : 0;
  const auto held = known_.held(request.file, wanted);
  // Versions never change: this is the content, whatever the file holds by now.
  if (held && held->size == request.size) return held->version;
  if (!any && before && before->mark != wanted) {
    return fail(ErrorCode::kConflict, "id=" + request.file.value + ": another version by now");
  }
  TRY_ASSIGN(const KnownObjects::Held current, version_of_size(call, request));
  const SteadyTime told = clock_.steady();
  if (any) return current.version;
  // What is current now may have come after what the mark is from: only a look from after it shows
  // that nothing has.
  TRY_ASSIGN(const bool same,
             still_marked(call, request.file, wanted, current.version, told, true));
  if (!same) {
    return fail(ErrorCode::kConflict, "id=" + request.file.value + ": another version by now");
  }
  known_.bind(request.file, wanted, current);
  return current.version;
}

Result<KnownObjects::Held> KenestoStore::version_of_size(const CallContext& call,
                                                         const ReadRequest& request) {
  TRY_ASSIGN(const Versions versions, fetch_versions(call, request.file));
  const auto current = std::find_if(versions.begin(), versions.end(),
                                    [](const RemoteVersion& one) { return one.current; });
  if (current == versions.end()) {
    return fail(ErrorCode::kCorrupt, "id=" + request.file.value + ": no current version");
  }
  if (current->size != request.size) {
    return fail(ErrorCode::kConflict, fmt::format("id={}: {} bytes now, not {}", request.file.value,
                                                  current->size, request.size));
  }
  return KnownObjects::Held{current->id, current->size};
}

Result<bool> KenestoStore::still_marked(const CallContext& call, const RemoteId& file,
                                        std::uint64_t mark, const VersionId& version,
                                        SteadyTime told, bool to_be_read) {
  if (mark == mark_of(validator_of(version))) return true;
  const auto known = known_.find(file);
  // Most likely the version that is going to be read: its address is asked for meanwhile, so that
  // the look takes no time of its own.
  std::jthread address;
  try {
    if (to_be_read && known && has_object_info()) {
      address = std::jthread([&] { static_cast<void>(access_url(call, file, version)); });
    }
  } catch (const std::system_error&) {
    // No thread to be had: it is asked for afterwards.
  }
  if (!known) {
    TRY_ASSIGN(const WireItem item, fetch_item(call, NodeKind::kFile, file, 0, told));
    return mark == mark_of(item.entry.validator);
  }
  const Listings::Look look(listings_, known->parent);
  // One object costs less than its folder's pages, where the server tells as much of it.
  if (has_object_info() && !undated_info_.load() && !look.shared()) {
    const auto info = fetch_object_info(call, NodeKind::kFile, file);
    if (info && info->item && mark == mark_of(make_validator(info->item->entry))) return true;
    if (!info && gives_up(info.error().code)) return fail(info.error());
    if (info && !info->item) undated_info_ = true;
  }
  // One listing shows it of all files whose versions were asked for before it began.
  TRY_ASSIGN(const ListingPtr listing, fetch_listing(call, known->parent, 0, told));
  const bool same =
      std::any_of(listing->items.begin(), listing->items.end(), [&](const WireItem& item) {
        return item.entry.id == file && mark_of(make_validator(item.entry)) == mark;
      });
  if (same) return true;
  // What the listing tells instead is remembered.
  TRY_ASSIGN(const WireItem item, item_of(finish_items(call, known->parent, *listing),
                                          known->parent, NodeKind::kFile, file));
  return mark == mark_of(item.entry.validator);
}

Result<std::string> KenestoStore::access_url(const CallContext& call, const RemoteId& file,
                                             const VersionId& version) {
  return urls_.get(call, version, [&]() -> Result<AccessUrls::Fetched> {
    ApiRequest request;
    request.call = "DownloadFile";
    request.about = fmt::format("id={} version={}", file.value, version.value);
    request.external_token = known_.external_token(file);
    request.query = {{"fid", version.value}};
    if (!request.external_token.empty()) request.query.emplace_back("ie", "true");
    const auto envelope = api_.send(call, request);
    if (!envelope) {
      const auto known = known_.find(file);
      if (envelope.error().told && known && known->external) {
        return fail(ErrorCode::kNotSupported,
                    "id=" + file.value + ": the content lies at another service");
      }
      return fail(explain(call, NodeKind::kFile, file, envelope.error()));
    }
    TRY_ASSIGN(std::string url, parse_access_url(*envelope->data));
    TRY(parse_http_url(url));
    const auto life = life_of_url(url, api_.server_time());
    return AccessUrls::Fetched{std::move(url), life};
  });
}

Result<void> KenestoStore::read_range(const CallContext& call, const ReadRequest& request,
                                      const VersionId& version, std::uint64_t& delivered,
                                      const ByteSink& sink) {
  const std::uint64_t offset = request.offset + delivered;
  const std::uint64_t length = request.length - delivered;
  const std::string where =
      fmt::format("download id={} version={} offset={}", request.file.value, version.value, offset);
  for (int number = 1;; ++number) {
    TRY_ASSIGN(const std::string url, access_url(call, request.file, version));
    // A version never changes.
    RangeReceiver receiver({.offset = offset,
                            .length = length,
                            .size = request.size,
                            .other_size = ErrorCode::kCorrupt},
                           sink);
    HttpRequest http;
    http.label = "download";
    http.url = url;
    if (length != request.size) {
      http.headers.emplace_back("Range", fmt::format("bytes={}-{}", offset, offset + length - 1));
    }
    http.idempotent = true;
    http.own_connection = length >= kOwnConnection;
    http.metered = false;
    http.redirects = HttpRequest::Redirects::kNone;
    http.max_body = 64u << 10;  // of a refusal
    http.on_headers = [&](int status, const HttpHeaders& headers) {
      return receiver.on_headers(status, headers);
    };
    http.sink = [&](Bytes bytes) { return receiver.on_bytes(bytes); };
    const Result<HttpResponse> response = api_.http().perform(call, std::move(http));
    if (response) receiver.finish();
    delivered += receiver.delivered();
    if (const auto& verdict = receiver.verdict()) {
      return fail(verdict->code, where + ": " + verdict->context);
    }
    if (receiver.complete()) return {};
    if (!response) return fail(response.error().code, where + ": " + response.error().context);
    if (response->status == 403) {
      urls_.reject(version, url);
      if (number == 1) continue;
      return fail(ErrorCode::kDenied, where + ": the store refuses a fresh address as well");
    }
    if (response->status < 200 || response->status > 299) {
      urls_.reject(version, url);
      // The store's words name the object's path there, which is nobody's business.
      ErrorCode code =
          response->status < 400 ? ErrorCode::kUnavailable : error_from_status(response->status);
      if (code == ErrorCode::kNotFound || code == ErrorCode::kUnauthenticated) {
        code = ErrorCode::kUnavailable;
      }
      return fail(code, fmt::format("{}: {}", where, response->status));
    }
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: {} bytes of {}", where, receiver.delivered(), length));
  }
}

Result<void> KenestoStore::read(const CallContext& call, const ReadRequest& request,
                                const ByteSink& sink) {
  if (request.offset > request.size || request.length > request.size - request.offset) {
    return fail(ErrorCode::kInvalid, fmt::format("read id={}: beyond the end", request.file.value));
  }
  if (request.length == 0) return {};
  const auto known = known_.find(request.file);
  VersionId version;
  if (known && known->external) {
    // There are no versions of what lies elsewhere.
    version.value = request.version.empty() ? request.file.value : request.version.value;
  } else {
    TRY_ASSIGN(version, version_to_read(call, request));
  }
  std::uint64_t delivered = 0;
  int failures = 0;
  while (delivered < request.length) {
    const std::uint64_t before = delivered;
    const Result<void> part = read_range(call, request, version, delivered, sink);
    if (part) break;
    const ErrorCode code = part.error().code;
    // A transfer that brought something and broke: the rest is asked for, of the same version.
    const bool broke = code == ErrorCode::kUnavailable || code == ErrorCode::kCorrupt;
    if (!broke || delivered == before || delivered == request.length || ++failures > kResumes) {
      return part;
    }
  }
  return {};
}

}  // namespace cabinetfs

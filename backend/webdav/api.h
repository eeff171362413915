#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/http/http_client.h"
#include "backend/remote_types.h"
#include "backend/webdav/dav_paths.h"
#include "backend/webdav/wire.h"

namespace cabinetfs::webdav {

// Below it, a connection of its own costs more than it brings.
inline constexpr std::uint64_t kOwnConnection = 256u << 10;

struct DavRequest {
  std::string method;
  RemoteId id;
  NodeKind kind = NodeKind::kFile;  // a slash at the end of the URL, or not
  HttpHeaders headers = {};
  std::string xml = {};
  bool idempotent = true;
  std::size_t max_body = 1u << 20;
  std::chrono::milliseconds stall_timeout{0};  // as in HttpRequest
  bool plain = false;                          // a "bad request" is passed on, not looked into
};

// What to ask for in PROPFIND.
enum class Depth { kSelf, kChildren };
struct Wanted {
  bool locks = false;
  bool quota = false;
  bool own_cloud = false;
};

// Requests of the protocol: URLs, redirects, and errors as WebDAV means them. Stateless, thread
// safe.
class DavApi {
 public:
  DavApi(HttpClient& http, DavPaths paths, std::size_t max_listing);

  const DavPaths& paths() const { return paths_; }

  // Any answer but a redirect. A redirect to the same place with a slash at the end is followed for
  // requests that change nothing; to a page of the same server it is kUnauthenticated (filters for
  // logins and terms of use do that), to another server kUnavailable.
  Result<HttpResponse> send(const CallContext& call, const DavRequest& request) const;
  // For transfers that set up their own request; `url` and `label` are filled in.
  Result<HttpResponse> perform(const CallContext& call, HttpRequest request, const RemoteId& id,
                               NodeKind kind) const;
  // Of an answer with status 400 or more, or 3xx.
  Error failure(const HttpResponse& response, std::string_view method, const RemoteId& id) const;

  // Somebody has put a file where a folder above the object was: Apache says 400 to whatever is
  // asked below it. Asks.
  bool is_below_file(const CallContext& call, const RemoteId& id) const;

  // Responses that lie outside of the store are left out with a log line. kUnauthenticated: a page
  // of HTML. kNotSupported: no WebDAV there. kTooLarge: more than the limit.
  struct Found {
    RemoteId id;
    WireResource resource;
  };
  Result<std::vector<Found>> propfind(const CallContext& call, const RemoteId& id, NodeKind kind,
                                      Depth depth, const Wanted& wanted) const;

 private:
  Result<std::vector<Found>> propfind(const CallContext& call, const RemoteId& id,
                                      DavRequest request, Depth depth, const Wanted& wanted) const;
  bool is_file(const CallContext& call, const RemoteId& id) const;
  // Of a request that was called a bad one: whether it was for what is there by now.
  Result<void> check_kinds(const CallContext& call, const DavRequest& request) const;

  HttpClient& http_;
  const DavPaths paths_;
  const std::size_t max_listing_;
};

// "PROPFIND id=a/b.txt", for messages.
std::string about(std::string_view method, const RemoteId& id);

}  // namespace cabinetfs::webdav

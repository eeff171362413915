#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sandbox/http/message.h"
#include "tools/sandbox/http/server.h"
#include "tools/sandbox/kiteworks/errors.h"
#include "tools/sandbox/kiteworks/settings.h"
#include "tools/sandbox/kiteworks/state.h"
#include "tools/sandbox/kiteworks/wire.h"

namespace cabinetfs::sandbox::kiteworks {

// One API request being answered, under State::mutex, by a user who is logged in. The member
// functions that look things up throw ApiError when the server would refuse.
struct Call {
  Request& request;
  State& state;
  const Settings& settings;
  User& user;

  const std::string& param(std::size_t index) const { return request.params.at(index); }
  Wire wire() const;

  // The JSON object in the body; an absent body is an empty object.
  nlohmann::json body() const;
  // A short text out of JSON or a form field; a boolean that may come as text.
  static std::optional<std::string> text(const nlohmann::json& object, const char* name);
  static bool truth(const nlohmann::json& object, const char* name);
  std::optional<Millis> time(const nlohmann::json& object, const char* name) const;
  std::optional<Millis> time_field(std::string_view name) const;

  // Nodes that the user can see; `deleted` ones only if that is asked for.
  Node& folder(std::string_view id, bool deleted_too = false) const;
  Node& file(std::string_view id, bool deleted_too = false) const;
  // Ids out of `id:in` or, in the body, `name` (a list).
  std::vector<std::string> ids(const nlohmann::json& object, const char* name) const;
  // Where things are created or moved to: a visible folder, or the root for "0" and the user's base
  // folder.
  Node& destination(std::string_view id) const;

  bool allowed(const Node& node, std::string_view permission) const;
  void need(const Node& node, std::string_view permission) const;
  // Listings may answer 401 for the same.
  void need_for_list(const Node& node, std::string_view permission) const;
  // Somebody else's lock on the file.
  void check_lock(const Node& file, int status = 403) const;
  void check_no_locked_inside(const Node& folder) const;
  void check_not_system(const Node& folder) const;
  void check_name(const std::string& name, const char* field = "name") const;
  void check_quota(const Node& into, std::int64_t bytes) const;
  void check_scan(const Node& file, const Version& version) const;

  Response reply(int status, const nlohmann::json& body) const;
  // `created` as it is answered when a client may have asked for `returnEntity`.
  Response created(int status, const Node& node) const;
  // One page of `all` with its envelope; `spec_bare` marks the lists that the specification shows
  // as arrays.
  struct Page {
    std::size_t offset = 0, limit = 0;
    bool asked = false;
  };
  Page page() const;
  Response list(const nlohmann::json& items, std::size_t total, const Page& page,
                bool spec_bare = false, const nlohmann::json* extra_metadata = nullptr) const;
  // `items`: an array, written already.
  Response list_text(std::string items, std::size_t total, const Page& page, bool spec_bare = false,
                     const nlohmann::json* extra_metadata = nullptr) const;

  [[noreturn]] void missing() const;
};

// Puts a vendor's families of endpoints together.
class Api {
 public:
  using Function = std::function<Response(Call&)>;

  Api(State& state, Application& application) : state_(state), application_(application) {}
  // A call that needs a token and the version header.
  void route(const char* method, const char* path_template, Function function);
  // Anything else; no lock is held.
  void plain(const char* method, const char* path_template, Router::Handler handler);
  State& state() { return state_; }

  Response error_response(const ApiError& error, std::string_view path) const;

 private:
  Response answer(const Function& function, Request& request);

  State& state_;
  Application& application_;
};

void add_identity_routes(Api& api);
void add_listing_routes(Api& api);
void add_search_routes(Api& api);
void add_folder_routes(Api& api);
void add_file_routes(Api& api);
void add_upload_routes(Api& api);
void add_simple_upload_routes(Api& api);
void add_content_routes(Api& api);
void add_version_routes(Api& api);
void add_lock_routes(Api& api);
void add_member_routes(Api& api);
void add_activity_routes(Api& api);
void add_comment_routes(Api& api);
void add_mail_routes(Api& api);

}  // namespace cabinetfs::sandbox::kiteworks

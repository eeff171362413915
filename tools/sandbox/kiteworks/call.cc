#include "tools/sandbox/kiteworks/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/ops.h"

namespace cabinetfs::sandbox::kiteworks {

using nlohmann::json;

Wire Call::wire() const { return Wire(state, settings, user, request.arg_or("with", "")); }

json Call::body() const {
  if (request.body.empty()) return json::object();
  json parsed = json::parse(request.body, nullptr, false);
  if (!parsed.is_object()) throw ApiError(400, "ERR_REQUEST_INVALID_JSON", "The JSON is invalid");
  return parsed;
}

std::optional<std::string> Call::text(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number() || found->is_boolean()) return found->dump();
  throw ApiError(422, "ERR_INVALID_PARAMETER", fmt::format("{} must be a string", name), name);
}

bool Call::truth(const json& object, const char* name) {
  const auto value = text(object, name);
  return value && (*value == "true" || *value == "True" || *value == "1");
}

std::optional<Millis> Call::time(const json& object, const char* name) const {
  const auto value = text(object, name);
  if (!value) return std::nullopt;
  const auto parsed = parse_time(*value);
  if (!parsed)
    throw ApiError(422, "ERR_INPUT_INVALID_DATE", fmt::format("{} is not a date", name), name);
  return *parsed / 1000 * 1000;  // one second is all that is stored
}

std::optional<Millis> Call::time_field(std::string_view name) const {
  const auto value = request.field(name);
  return time(value ? json{{std::string(name), *value}} : json::object(),
              std::string(name).c_str());
}

void Call::missing() const {
  if (settings.missing_status == 404)
    throw ApiError(404, "ERR_ENTITY_NOT_FOUND", "Entity does not exist");
  throw ApiError(403, "ERR_ACCESS_USER", "Insufficient access permissions");
}

Node& Call::folder(std::string_view id, bool deleted_too) const {
  Node* node = state.tree.find(id);
  if (node == nullptr || !node->folder || state.tree.role(user, *node) == Role::kNone) missing();
  if (!deleted_too && Tree::is_deleted(*node)) {
    throw ApiError(403, "ERR_ENTITY_DELETED", "The folder is deleted");
  }
  return *node;
}

Node& Call::file(std::string_view id, bool deleted_too) const {
  Node* node = state.tree.find(id);
  if (node == nullptr || node->folder || state.tree.role(user, *node) == Role::kNone) missing();
  if (!deleted_too && Tree::is_deleted(*node)) {
    throw ApiError(403, "ERR_ENTITY_DELETED", "The file is deleted");
  }
  return *node;
}

Node& Call::destination(std::string_view id) const {
  if (id == "0" || id == user.basedir_id) return state.tree.root();
  return folder(id);
}

std::vector<std::string> Call::ids(const json& object, const char* name) const {
  std::vector<std::string> out;
  const auto query =
      request.arg(std::string(name) == "ids" || std::string(name) == "folderIds" ? "id:in" : name);
  if (query) {
    std::string_view rest = *query;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (comma != 0) out.emplace_back(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  } else if (object.contains(name) && object.at(name).is_array()) {
    for (const json& id : object.at(name))
      out.push_back(id.is_string() ? id.get<std::string>() : id.dump());
  }
  if (out.empty())
    throw ApiError(422, "ERR_INVALID_PARAMETER", fmt::format("{} is required", name), name);
  return out;
}

bool Call::allowed(const Node& node, std::string_view permission) const {
  return role_allows(state.tree.role(user, node), permission);
}

void Call::need(const Node& node, std::string_view permission) const {
  if (!allowed(node, permission)) {
    throw ApiError(403, "ERR_ACCESS_USER", "Insufficient access permissions");
  }
}

void Call::need_for_list(const Node& node, std::string_view permission) const {
  if (!allowed(node, permission)) {
    throw ApiError(static_cast<int>(settings.list_denied_status), "ERR_ACCESS_USER",
                   "Insufficient access permissions");
  }
}

void Call::check_lock(const Node& file, int status) const {
  if (!file.lock_user_id.empty() && file.lock_user_id != user.id) {
    throw ApiError(status, "ERR_ENTITY_LOCKED", "The file is locked");
  }
}

void Call::check_no_locked_inside(const Node& folder) const {
  for (const Node* file : state.tree.locked) {
    if (file->lock_user_id != user.id && Tree::is_below(*file, folder) &&
        !Tree::is_deleted(*file)) {
      throw ApiError(403, "ERR_ENTITY_CONTAINS_LOCKED_FILES", "The folder contains locked files");
    }
  }
}

void Call::check_not_system(const Node& folder) const {
  switch (folder.special) {
    case Special::kNone:
      return;
    case Special::kRoot:
      throw ApiError(403, "ERR_ENTITY_IS_BASE_DIR", "This is the base folder");
    case Special::kSyncDir:
      throw ApiError(403, "ERR_ENTITY_IS_SYNC_DIR", "This is My Folder");
    case Special::kMyDir:
      throw ApiError(403, "ERR_ENTITY_IS_MY_DIR", "This is the tray");
  }
}

void Call::check_name(const std::string& name, const char* field) const {
  const char* code = name_error(name, settings);
  if (code != nullptr) throw ApiError(422, code, fmt::format("The {} is not valid", field), field);
}

void Call::check_quota(const Node& into, std::int64_t bytes) const {
  const User& payer = payer_of(state, into, user);
  const auto used = state.used.find(payer.id);
  const std::int64_t before = used == state.used.end() ? 0 : used->second;
  if (payer.quota > 0 && before + bytes > payer.quota) {
    throw ApiError(413, "ERR_SYSTEM_NO_STORAGE_AVAILABLE", "There is not enough storage available");
  }
}

void Call::check_scan(const Node& file, const Version& version) const {
  const std::string status = av_status(file, version, settings);
  if (status == "scanning")
    throw ApiError(403, "ERR_ENTITY_NOT_SCANNED", "The file has not been scanned yet");
  if (status == "disallowed")
    throw ApiError(403, "ERR_ENTITY_VIRUS_FOUND", "The file contains a virus");
  const bool dlp_bad = file.forced_dlp == "disallowed";
  if (dlp_bad || file.quarantine != "allowed") {
    throw ApiError(403, "ERR_ENTITY_DLP_LOCKED", "The file is in quarantine");
  }
  if (file.forced_dlp == "scanning") {
    throw ApiError(403, "ERR_ENTITY_DLP_SCANNING", "The file is being scanned");
  }
}

Response Call::reply(int status, const json& body) const {
  return Response::json_text(status, to_text(body));
}

Response Call::created(int status, const Node& node) const {
  Response response;
  if (request.flag("returnEntity")) {
    response = reply(status, wire().node(node));
  } else {
    response.status = status;
  }
  const std::string place = node.folder ? "folders" : "files";
  response.headers.emplace_back(settings.location_header,
                                fmt::format("{}/rest/{}/{}", state.base_url, place, node.id));
  return response;
}

Call::Page Call::page() const {
  const auto number = [this](const char* name, std::int64_t least) -> std::optional<std::int64_t> {
    const auto text_value = request.arg(name);
    if (!text_value) return std::nullopt;
    std::int64_t value = 0;
    const char* end = text_value->data() + text_value->size();
    const auto parsed = std::from_chars(text_value->data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value < least) {
      throw ApiError(422, "ERR_INVALID_PARAMETER", fmt::format("{} is not valid", name), name);
    }
    return value;
  };
  Page out;
  out.offset = static_cast<std::size_t>(number("offset", 0).value_or(0));
  const auto limit = number("limit", 1);
  out.asked = limit.has_value();
  const std::int64_t wanted = limit.value_or(settings.default_limit);
  out.limit = wanted == 0 ? SIZE_MAX : static_cast<std::size_t>(wanted);
  if (settings.max_page > 0)
    out.limit = std::min(out.limit, static_cast<std::size_t>(settings.max_page));
  return out;
}

Response Call::list(const json& items, std::size_t total, const Page& page, bool spec_bare,
                    const json* extra_metadata) const {
  return list_text(to_text(items), total, page, spec_bare, extra_metadata);
}

Response Call::list_text(std::string items, std::size_t total, const Page& page, bool spec_bare,
                         const json* extra_metadata) const {
  if (settings.list_shape == "bare" || (settings.list_shape == "spec" && spec_bare))
    return Response::json_text(200, std::move(items));
  std::string out = "{\"data\":" + std::move(items);
  if (settings.list_metadata) {
    json metadata = {{"total", total}, {"offset", page.offset}};
    metadata["limit"] = page.asked ? json(*request.arg("limit")) : json(nullptr);
    if (page.asked) metadata["limit"] = std::stoll(*request.arg("limit"));
    if (extra_metadata != nullptr) metadata.update(*extra_metadata);
    out += ",\"metadata\":" + to_text(metadata);
  }
  return Response::json_text(200, out + "}");
}

void Api::plain(const char* method, const char* path_template, Router::Handler handler) {
  application_.api.add(method, path_template, std::move(handler));
}

void Api::route(const char* method, const char* path_template, Function function) {
  plain(method, path_template,
        [this, run = std::move(function)](Request& request) { return answer(run, request); });
}

Response Api::answer(const Function& function, Request& request) {
  const auto settings = state_.settings.get();
  const std::lock_guard lock(state_.mutex);
  try {
    const std::string_view ours = request.header("x-accellion-version");
    const std::string_view other = request.header("x-kiteworks-version");
    const bool version_good = (settings->version_header != "kiteworks" && ours == "28") ||
                              (settings->version_header != "accellion" && other == "28");
    if (!version_good) {
      throw ApiError(400, "ERR_REQUEST_INVALID_VERSION",
                     "The API version header is missing or not supported");
    }
    const std::string_view authorization = request.header("authorization");
    const bool bearer =
        authorization.size() > 7 && fold_name(authorization.substr(0, 7)) == "bearer ";
    User* user = bearer ? state_.find_user(state_.oauth.user_of(authorization.substr(7))) : nullptr;
    if (user == nullptr) throw ApiError(401, "ERR_AUTH_UNAUTHORIZED", "Unauthorized");
    if (request.form_broken)
      throw ApiError(400, "ERR_REQUEST_INVALID_FORM", "The form data is broken");
    Call call{request, state_, *settings, *user};
    return function(call);
  } catch (const ApiError& error) {
    return error_response(error, request.path);
  } catch (const json::exception& error) {
    return error_response(ApiError(400, "ERR_REQUEST_INVALID_JSON", error.what()), request.path);
  } catch (const std::length_error& error) {
    return error_response(ApiError(422, "ERR_INVALID_PARAMETER", error.what()), request.path);
  }
}

Response Api::error_response(const ApiError& error, std::string_view path) const {
  json entry = {{"code", error.code()}, {"message", error.message()}};
  if (!error.field().empty()) entry["field"] = error.field();
  std::string shape = state_.settings.get()->error_shape;
  if (shape == "native") {
    // The older endpoints answer with a bare object.
    const auto has = [path](std::string_view part) {
      return path.find(part) != std::string_view::npos;
    };
    shape = has("/uploads") || has("/versions") || has("/mail") ? "object" : "array";
  }
  if (shape == "html") {
    return Response::text(error.status(), "text/html",
                          fmt::format("<html><body><h1>{}</h1></body></html>", error.status()));
  }
  json body;
  if (shape == "array") {
    body["errors"] = json::array({entry});
  } else if (shape == "object") {
    body["errors"] = entry;
  } else if (shape == "error") {
    body["error"] = json::array({entry});
  } else {
    body = entry;
  }
  return Response::json_text(error.status(),
                             body.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace cabinetfs::sandbox::kiteworks

#include "tools/sandbox/kenesto/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/names.h"
#include "tools/sandbox/kenesto/shared.h"

namespace cabinetfs::sandbox::kenesto {

using nlohmann::json;

namespace {

constexpr std::string_view kPrefix = "Kenesto.Web.API";

// Parameters are found whatever their spelling is, as WCF does it.
std::optional<std::string> find_arg(const Request& request, std::string_view name) {
  const std::string folded = fold_name(name);
  for (const auto& entry : request.query) {
    if (fold_name(entry.first) == folded && !entry.second.empty()) return entry.second;
  }
  return std::nullopt;
}

bool parse_bool(const std::string& text) {
  const std::string folded = fold_name(text);
  if (folded == "true" || folded == "1") return true;
  if (folded == "false" || folded == "0") return false;
  throw Fault(400, fmt::format("{} is not a boolean", text));
}

}  // namespace

std::optional<std::string> Call::arg(std::string_view name) const {
  return find_arg(request, name);
}

std::string Call::need_arg(std::string_view name) const {
  auto value = arg(name);
  if (!value) throw Failure(fmt::format("Parameter {} is required", name));
  return *std::move(value);
}

bool Call::flag(std::string_view name) const {
  const auto value = arg(name);
  return value && parse_bool(*value);
}

std::string Call::as_guid(const std::string& text) const {
  std::string guid = parse_guid(text);
  if (guid.empty()) throw Fault(400, "Guid should contain 32 digits with 4 dashes");
  return guid;
}

std::optional<std::string> Call::guid(std::string_view name) const {
  const auto value = arg(name);
  if (!value) return std::nullopt;
  std::string parsed = as_guid(*value);
  if (parsed == "00000000-0000-0000-0000-000000000000") return std::nullopt;
  return parsed;
}

std::string Call::need_guid(std::string_view name) const {
  auto value = guid(name);
  if (!value) throw Failure(fmt::format("Parameter {} is required", name));
  return *std::move(value);
}

json Call::body() const {
  json parsed = json::parse(request.body, nullptr, false);
  if (!parsed.is_object()) throw Fault(400, "The body is not the expected JSON");
  return parsed;
}

json Call::member(const json& object, const char* name) const {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_object()) {
    throw Failure(fmt::format("{} is required", name));
  }
  return *found;
}

std::string Call::text(const json& object, const char* name, bool required) const {
  const auto found = object.find(name);
  const bool there = found != object.end() && !found->is_null();
  if (there && !found->is_string() && !found->is_number() && !found->is_boolean()) {
    throw Fault(400, fmt::format("{} is not a string", name));
  }
  std::string out = !there               ? std::string()
                    : found->is_string() ? found->get<std::string>()
                                         : found->dump();
  if (required && out.empty()) throw Failure(fmt::format("{} is required", name));
  return out;
}

std::vector<std::string> Call::guids(const json& object, const char* name) const {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array() || found->empty()) {
    throw Failure(fmt::format("{} is required", name));
  }
  std::vector<std::string> out;
  for (const json& id : *found) {
    if (!id.is_string()) throw Fault(400, fmt::format("{} holds something else than ids", name));
    out.push_back(as_guid(id.get<std::string>()));
  }
  return out;
}

Node& Call::folder(const std::optional<std::string>& id) const {
  if (!id) return state.root_of(user, organization_id);
  Node* node = state.tree.find(*id);
  if (node == nullptr || !node->folder || node->deleted || !rights(*node).view) {
    throw Failure("The folder does not exist");
  }
  return *node;
}

Node& Call::document(const std::string& id) const {
  Node* node = state.tree.find(id);
  if (node == nullptr || node->folder || node->archived || !rights(*node).view) {
    throw Failure("The document does not exist");
  }
  return *node;
}

void Call::denied() const {
  throw Failure("The user does not have permission to perform this operation");
}

void Call::need_unlocked(const Node& document) const {
  if (document.frozen) throw Failure("The document is frozen");
  if (document.holder_id.empty() || document.holder_id == user.id) return;
  const User* holder = state.find_user(document.holder_id);
  throw Failure(fmt::format("The document is checked out by {}",
                            holder == nullptr ? "somebody" : holder->name));
}

void Call::need_writable(const Node& document) const {
  if (!document.link_type.empty()) throw Failure("The document is an external link");
  need(rights(document).update);
  need_unlocked(document);
  if (settings.vault_needs_checkout && document.parent->vault && document.holder_id != user.id) {
    throw Failure("The document is under a vault and has to be checked out first");
  }
}

std::string Call::checked_name(std::string_view name) const {
  const std::string error = name_error(name, settings);
  if (!error.empty()) throw Failure(error);
  return stored_name(name, settings);
}

void Call::mutates(const std::string& target) {
  const std::string name = request.segments.back();
  mutation = &state.mutations[name][target];
  ++mutation->requests;
}

Api::Api(State& state, Application& application) : state_(state), application_(application) {
  for (const std::string_view part :
       {kPrefix, std::string_view("KDocuments.svc"), std::string_view("Access.svc"),
        std::string_view("json"), std::string_view("Authenticate"), std::string_view("Login")}) {
    spellings_[fold_name(part)] = part;
  }
}

void Api::plain(const char* method, const char* path_template, Router::Handler handler) {
  application_.api.add(method, path_template, std::move(handler));
}

void Api::route(const char* method, const char* name, Words words, Function function) {
  spellings_[fold_name(name)] = name;
  plain(method, fmt::format("/{}/KDocuments.svc/{}", kPrefix, name).c_str(),
        [this, name, words, run = std::move(function)](Request& request) {
          return answer(name, words, run, request);
        });
}

void Api::undocumented(const char* method, const char* name, Function function) {
  route(method, name, kUpper, [run = std::move(function)](Call& call) {
    if (!call.settings.undocumented) throw Fault(404, "Endpoint not found.");
    return run(call);
  });
}

void Api::canonical(Request& request) const {
  // Further parts are the client's own: organizations, access keys.
  for (std::size_t i = 0; i < std::min<std::size_t>(request.segments.size(), 4); ++i) {
    const auto found = spellings_.find(fold_name(request.segments[i]));
    if (found != spellings_.end()) request.segments[i] = found->second;
  }
}

Response Api::html(int status, const std::string& message) {
  const bool known = status == 404;
  return Response::text(
      status, "text/html; charset=UTF-8",
      fmt::format("<?xml version=\"1.0\" encoding=\"utf-8\"?><html><head><title>{}</title></head>"
                  "<body><div id=\"content\"><p class=\"heading1\">{}</p><p>{}</p></div></body>"
                  "</html>",
                  known ? "Service" : "Request Error", known ? "Service" : "Request Error",
                  message));
}

Response Api::json_response(const Settings& settings, const json& body, int status) {
  std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace);
  if (settings.escape_slashes) {
    // WCF escapes them; in JSON they stand in strings only.
    std::string escaped;
    escaped.reserve(text.size() + text.size() / 8);
    for (std::size_t at = 0; at < text.size();) {
      const auto slash = std::min(text.find('/', at), text.size());
      escaped.append(text, at, slash - at);
      if (slash < text.size()) escaped += "\\/";
      at = slash + 1;
    }
    text = std::move(escaped);
  }
  if (settings.json_string) {
    text = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  }
  if (settings.bom) text.insert(0, "\xEF\xBB\xBF");
  return Response::text(status, "application/json; charset=utf-8", std::move(text));
}

Response Api::envelope(const Settings& settings, const Request& request, const char* status,
                       const json* data, const std::string* error, int http) {
  json out = {{"ResponseStatus", status}, {"UserData", nullptr}};
  if (const auto ud = find_arg(request, "ud")) {
    out["UserData"] = settings.ud_echo == "encoded" ? percent_encode(*ud) : *ud;
  }
  if (data != nullptr && !data->is_null()) out["ResponseData"] = *data;
  if (error != nullptr) out["ErrorMessage"] = *error;
  return json_response(settings, out, http);
}

Response Api::answer(const char* name, const Words& words, const Function& function,
                     Request& request) {
  const auto settings = state_.settings.get();
  const std::lock_guard lock(state_.mutex);
  const char* fail = settings->fail_spelling == "page" ? words.fail : "FAILED";
  const int http = static_cast<int>(settings->failure_http);
  std::string message;
  try {
    return run(name, words, function, request, *settings);
  } catch (const BadToken&) {
    message = settings->expired_text;
    if (settings->expired_shape == "html") return html(403, message);
    if (settings->expired_shape == "page") return html(200, "Please sign in");
    if (settings->expired_shape == "redirect") {
      Response response = html(302, "Object moved");
      response.headers.emplace_back("Location", "/Kenesto.Web.UI/Login.aspx");
      return response;
    }
    if (settings->expired_shape != "failed") {
      return envelope(*settings, request, fail, nullptr, &message,
                      std::stoi(settings->expired_shape));
    }
  } catch (const Fault& fault) {
    message = fault.what();
    if (settings->fault_shape == "html" || fault.status() == 404) {
      return html(fault.status(), message);
    }
  } catch (const Failure& failure) {
    message = failure.what();
  } catch (const json::exception&) {
    return html(400, "The body is not the expected JSON");
  }
  return envelope(*settings, request, fail, nullptr, &message, http);
}

Response Api::run(const char* name, const Words& words, const Function& function, Request& request,
                  const Settings& settings) {
  if (("," + settings.missing_calls + ",").find(fmt::format(",{},", name)) != std::string::npos) {
    throw Fault(404, "Endpoint not found.");
  }
  const std::string token = find_arg(request, "t").value_or("");
  const Session* session = state_.find_session(token);
  if (session == nullptr || session->kind == SessionKind::kLogin) throw BadToken();
  if (session->kind == SessionKind::kExternal) {
    // Good for one object, and only where the caller says that it is such a token.
    const std::string_view call(name);
    const auto external = find_arg(request, "ie");
    if ((call != "DownloadFile" && call != "RetrieveObjectInfo") || !external ||
        !parse_bool(*external)) {
      throw BadToken();
    }
  }
  User* user = state_.find_user(session->user_id);
  if (user == nullptr) throw BadToken();
  if (request.method == "POST" &&
      request.header("content-type").rfind("application/json", 0) != 0) {
    throw Fault(400, "The incoming message has an unexpected message format");
  }
  const Session copy = *session;
  Call call{request, state_, settings, *user, copy.organization_id, token, copy, nullptr};
  const json data = function(call);
  if (call.mutation != nullptr) ++call.mutation->effects;
  const char* ok = words.ok;
  if (settings.ok_spelling != "mixed") ok = settings.ok_spelling.c_str();
  return envelope(settings, request, ok, &data, nullptr, 200);
}

}  // namespace cabinetfs::sandbox::kenesto

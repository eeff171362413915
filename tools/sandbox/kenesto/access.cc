#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/names.h"

// Access.svc: who somebody is, and for which organization.

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

// Both answers stand in an object that is named for the method.
Response wrapped(const Settings& settings, const char* name, json body) {
  return Api::json_response(settings, json{{name, std::move(body)}});
}

Response refused(const Settings& settings, const char* name, const std::string& message) {
  return wrapped(settings, name,
                 {{"ResponseStatus", "FAILED"}, {"ErrorMessage", message}, {"Token", nullptr}});
}

Response authenticate(State& state, const Request& request) {
  const char* const kName = "AuthenticateJsonResult";
  const auto settings = state.settings.get();
  const std::lock_guard lock(state.mutex);
  const User* user = state.find_user(request.arg_or("u", ""));
  if (request.params.at(0) != state.access_key || user == nullptr ||
      request.arg_or("p", "") != user->password) {
    return refused(*settings, kName, "ACCESS_DENIED: the user name or password is not correct");
  }
  if (settings->licence_expired) {
    return refused(*settings, kName, "VAL10335: the license of the company has expired");
  }
  json organizations = json::array();
  // The default one is not the first where there are several.
  for (auto id = user->organizations.rbegin(); id != user->organizations.rend(); ++id) {
    organizations.push_back(
        {{"OrganizationIdentifier", *id}, {"IsDefault", *id == user->organizations.front()}});
  }
  const std::string token =
      state.add_session({SessionKind::kLogin, user->id, {}, {}, 0}, settings->login_lifetime);
  return wrapped(*settings, kName,
                 {{"ResponseStatus", "OK"},
                  {"ErrorMessage", nullptr},
                  {"Token", token},
                  {"Organizations", organizations}});
}

Response login(State& state, const Request& request) {
  const char* const kName = "LoginJsonResult";
  const auto settings = state.settings.get();
  const std::lock_guard lock(state.mutex);
  const Session* first = state.find_session(request.arg_or("t", ""));
  if (first == nullptr || first->kind != SessionKind::kLogin) {
    return refused(*settings, kName, settings->expired_text);
  }
  const User* user = state.find_user(first->user_id);
  const std::string wanted = parse_guid(request.params.at(0));
  const Organization* organization = state.find_organization(wanted);
  bool member = false;
  for (const std::string& id : user->organizations) member |= id == wanted;
  if (organization == nullptr || !member) {
    return refused(*settings, kName, "ACCESS_DENIED: the user is not in this organization");
  }
  if (settings->single_session) {
    for (auto& entry : state.sessions) {
      Session& other = entry.second;
      if (other.kind == SessionKind::kSession && other.user_id == user->id) other.expires = 0;
    }
  }
  const std::string token = state.add_session({SessionKind::kSession, user->id, wanted, {}, 0},
                                              settings->access_lifetime);
  const auto space = user->name.find(' ');
  return wrapped(*settings, kName,
                 {{"ResponseStatus", "OK"},
                  {"ErrorMessage", nullptr},
                  {"Token", token},
                  {"User",
                   {{"EmailAddress", user->email},
                    {"FirstName", user->name.substr(0, space)},
                    {"LastName", space == std::string::npos ? "" : user->name.substr(space + 1)},
                    {"ThumbnailPath", ""},
                    {"TenantID", organization->tenant}}}});
}

}  // namespace

void add_access_routes(Api& api) {
  State& state = api.state();
  api.plain("GET", "/Kenesto.Web.API/Access.svc/Authenticate/json/{accessKey}",
            [&state](Request& request) { return authenticate(state, request); });
  api.plain("GET", "/Kenesto.Web.API/Access.svc/Login/json/{organization}",
            [&state](Request& request) { return login(state, request); });
}

}  // namespace cabinetfs::sandbox::kenesto

#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/ops.h"

// Who am I, how much may I store, what does the server want: /rest/users/me, quotas, clients/me,
// settings.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

std::int64_t used_by(const State& state, const User& user) {
  const auto found = state.used.find(user.id);
  return found == state.used.end() ? 0 : found->second;
}

Response user_quota(Call& call) {
  return call.reply(200,
                    {{"folder_quota_allowed", call.user.quota},
                     {"folder_quota_used", used_by(call.state, call.user)},
                     {"send_quota_allowed", 0},
                     {"send_quota_used", 0},
                     {"sys_folders",
                      {{"current_num_sys_folders", call.state.tree.top_of(call.user, false).size()},
                       {"max_num_sys_folders", call.settings.max_top_folders},
                       {"per_folder_quota_options", json::array()},
                       {"per_folder_default_quota", -1}}}});
}

Response folder_quota(Call& call) {
  const Node& folder = call.folder(call.param(0));
  call.need(folder, "file_add");
  const User& payer = payer_of(call.state, folder, call.user);
  const std::int64_t used = used_by(call.state, payer);
  const std::int64_t left = payer.quota == 0 ? 0 : std::max<std::int64_t>(payer.quota - used, 0);
  return call.reply(200, {{"quota_allowance", payer.quota},
                          {"storage_available", left},
                          {"storage_quota", payer.quota},
                          {"storage_used", used},
                          {"folder_size", used},
                          {"owner_sys_folder_quota_options", json::array()}});
}

Response client(Call& call) {
  const OAuthClient& client = call.state.oauth.client;
  const int flow =
      1 | (call.settings.password_grant ? 2 : 0) | (call.settings.issue_refresh_token ? 8 : 0);
  // Lifetimes are in hours here, whatever the tokens say.
  return call.reply(
      200, {{"id", client.id},
            {"name", "Sandbox client"},
            {"description", ""},
            {"redirectUri", client.redirect_uris.empty() ? "" : client.redirect_uris.front()},
            {"scope", "*/*/*"},
            {"flow", flow},
            {"access_token_lifetime", (call.settings.access_lifetime + 3599) / 3600},
            {"refresh_token_lifetime", (call.settings.refresh_lifetime + 3599) / 3600},
            {"minVersion", 28}});
}

Response upload_config(Call& call) {
  return call.reply(200, {{"acfsDbname", "acfs"},
                          {"active", 1},
                          {"message", ""},
                          {"minReplication", "1"},
                          {"uploadChunkMax", call.settings.upload_chunk_max},
                          {"uploadTimeout", call.settings.upload_timeout},
                          {"uploadWipe", 0}});
}

Response logout(Call& call) {
  call.state.oauth.revoke_access(call.request.header("authorization").substr(7));
  return call.reply(200, {{"redirectUri", ""}});
}

}  // namespace

void add_identity_routes(Api& api) {
  api.route("GET", "/rest/users/me",
            [](Call& call) { return call.reply(200, call.wire().me(call.user)); });
  api.route("GET", "/rest/users/me/quota", user_quota);
  api.route("GET", "/rest/folders/{id}/quota", folder_quota);
  api.route("GET", "/rest/clients/me", client);
  api.route("GET", "/rest/uploads/config", upload_config);
  api.route("GET", "/rest/settings/system", [](Call& call) {
    return call.reply(200,
                      {{"locale", "en"}, {"timezone", "UTC"}, {"storage", {{"active", true}}}});
  });
  api.route("DELETE", "/rest/devices/me/actions/logout", logout);
  const auto oauth = [&api](auto method) {
    return [&state = api.state(), method](Request& request) {
      const std::lock_guard lock(state.mutex);
      return (state.oauth.*method)(state, request);
    };
  };
  api.plain("GET", "/oauth/authorize", oauth(&OAuth::authorize));
  api.plain("POST", "/oauth/token", oauth(&OAuth::token));
  const auto landing = [](Request&) {
    return Response::text(
        200, "text/html; charset=utf-8",
        "<!doctype html><title>Sandbox</title>Copy the code out of the address bar.\n");
  };
  api.plain("GET", "/oauth_callback.php", landing);
  api.plain("GET", "/rest/callback.html", landing);
}

}  // namespace cabinetfs::sandbox::kiteworks

#include "tools/sandbox/kenesto/wire.h"

#include <fmt/format.h>

#include <cctype>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tools/sandbox/http/message.h"
#include "tools/sandbox/kenesto/shared.h"

namespace cabinetfs::sandbox::kenesto {

using nlohmann::json;

namespace {

// The token as it stands in a ViewerUrl: percent-encoded with small letters, then base64.
std::string echoed(const std::string& token) {
  std::string encoded = percent_encode(token);
  for (std::size_t i = 0; i + 2 < encoded.size(); ++i) {
    if (encoded[i] != '%') continue;
    for (std::size_t k = i + 1; k <= i + 2; ++k) {
      encoded[k] = static_cast<char>(std::tolower(static_cast<unsigned char>(encoded[k])));
    }
  }
  return base64_encode(encoded);
}

// The .NET default, which says "not filled in".
constexpr std::int64_t kMinValue = -62135596800000;

}  // namespace

std::string iso_time(Ticks time) {
  const auto seconds = static_cast<std::time_t>(time / kTicksPerSecond);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:07}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     time % kTicksPerSecond);
}

Wire::Wire(State& state, const Settings& settings, const User& user,
           const std::string& organization_id, const std::string& token)
    : state_(state),
      settings_(settings),
      user_(user),
      organization_id_(organization_id),
      viewer_token_(settings.viewer_url ? echoed(token) : std::string()) {}

json Wire::count(std::size_t number) const {
  return settings_.numbers == "page" ? json(std::to_string(number)) : json(number);
}

std::string Wire::folder_id(const Node& folder) const {
  if (!folder.is_root() || settings_.root_id == "guid") return folder.id;
  return settings_.root_id == "zero" ? "00000000-0000-0000-0000-000000000000" : "";
}

std::string Wire::external_token(const Node& node) {
  if (!is_external(node, organization_id_)) return {};
  for (const auto& [token, session] : state_.sessions) {
    if (session.kind == SessionKind::kExternal && session.node_id == node.id &&
        session.user_id == user_.id && session.expires > state_.now()) {
      return token;
    }
  }
  return state_.add_session({SessionKind::kExternal, user_.id, organization_id_, node.id, 0},
                            settings_.access_lifetime);
}

json Wire::item(const Node& node) {
  const std::string extension = node.folder ? "" : extension_of(node.name);
  const std::string mime = mime_of(node.name);
  json out = {
      {"Id", node.id},
      {"Name", node.folder ? node.name : node.name.substr(0, node.name.size() - extension.size())},
      {"ExternalToken", external_token(node)},
      {"SharedObjectId", node.id},
      {"FamilyCode", node.folder ? "FOLDER" : "GENERAL"},
      {"ViewerUrl", ""},
      {"IsExternalLink", !node.link_type.empty()},
      {"ExternalLinkType", node.link_type.empty() ? "REGULAR" : node.link_type},
      {"IsCheckedOut", !node.holder_id.empty()},
      {"HasThumbnail", false},
      {"ThumbnailUrl", ""},
      {"IsVault", node.folder ? node.vault : settings_.documents_tell_vault && node.parent->vault},
      {"FileExtension", extension},
      {"FileName", node.folder && settings_.folder_file_name == "empty" ? "" : node.name},
      {"MimeType", node.folder ? "" : mime},
      {"IconName", node.folder ? "folder" : "file"},
  };
  const User* holder = state_.find_user(node.holder_id);
  std::string shown;
  if (holder != nullptr) {
    shown = settings_.holder_value == "name"    ? holder->name
            : settings_.holder_value == "email" ? holder->email
                                                : holder->id;
  }
  out[settings_.holder_key == "misspelt" ? "ChceckedOutBy" : "CheckedOutBy"] = shown;
  if (!node.folder || settings_.folder_dates) out["ModificationDate"] = iso_time(node.modified);
  if (!node.folder) {
    out["CurrentVersionSize"] = node.size();
    if (settings_.viewer_url) {
      out["ViewerUrl"] = fmt::format(
          "http://localhost/PLMPlus.UI.Client/UserExternal/GetViewerUrl?isExternal=False&token={}"
          "&assetId={}&AssetFamilyCode=GENERAL&isSessionToken=True&mobile=True",
          viewer_token_, node.id);
    }
  }
  return out;
}

json Wire::version(const Node& document, const Version& version) const {
  const User* author = state_.find_user(version.author_id);
  std::int64_t milliseconds = kMinValue;
  if (settings_.version_dates != "min") milliseconds = version.created / 10000;
  const char* zone = settings_.version_dates == "offset" ? "+0200" : "";
  return {{"Id", version.id},
          {"Name", stem_of(document.name)},
          {"OwnerId", version.author_id},
          {"OwnerName", author == nullptr ? "" : author->name},
          {"IsCurrentVersion", &version == &document.current()},
          {"ModificationDate", fmt::format("/Date({}{})/", milliseconds, zone)},
          {"FileSize", version.blob->size()},
          {"VersionNumber", settings_.numbers == "page" ? json(std::to_string(version.number))
                                                        : json(version.number)}};
}

json Wire::object_permissions(const Node& node) const {
  const Rights rights = rights_of(user_, node);
  const bool document = !node.folder && node.link_type.empty();
  const bool in_vault = document && (node.parent->vault || settings_.checkout_anywhere);
  const bool ours = document && node.holder_id == user_.id;
  const bool free = document && node.holder_id.empty();
  return {{"AllowShare", rights.share},
          {"IsOwnedByRequestor", rights.owner},
          {"AllowDelete", rights.owner},
          {"AllowUpdateVersions", document && rights.update && !node.frozen},
          {"AllowCheckin", ours},
          {"AllowCheckout", in_vault && free && rights.update && !node.frozen},
          {"AllowDiscardCheckout",
           document && !free && ((ours && settings_.discard_own) || (!ours && rights.owner))},
          {"AllowDownload", rights.download},
          {"AllowView", rights.view},
          {"AllowUpload", node.folder && (rights.upload)}};
}

}  // namespace cabinetfs::sandbox::kenesto

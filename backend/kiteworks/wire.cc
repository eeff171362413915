#include "backend/kiteworks/wire.h"

#include <algorithm>

#include "backend/kiteworks/wire_json.h"

namespace cabinetfs::kiteworks {

Result<std::string> parse_id(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  std::string id = text_of(member(json, "id"));
  if (id.empty()) return not_understood("an object without an id");
  return id;
}

Result<WireAccount> parse_account(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  WireAccount account;
  account.user = user_of(json);
  if (account.user.id.empty()) return not_understood("an account without an id");
  account.numeric_ids = member(json, {"id", "userId", "user_id"}).is_number();
  account.my_folder = text_of(member(json, {"syncdirId", "syncdir_id"}));
  account.tray = text_of(member(json, {"mydirId", "mydir_id"}));
  account.base = text_of(member(json, {"basedirId", "basedir_id"}));
  return account;
}

Result<WireUpload> parse_upload(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  WireUpload upload;
  upload.id = text_of(member(json, "id"));
  if (upload.id.empty()) return not_understood("an upload without an id");
  upload.uri = text_of(member(json, "uri"));
  upload.upload_url = text_of(member(json, "uploadUrl"));
  upload.total_size = number_of(member(json, "totalSize")).value_or(0);
  upload.uploaded_size = number_of(member(json, "uploadedSize"));
  upload.uploaded_chunks = number_of(member(json, "uploadedChunks"));
  upload.replaces = text_of(member(json, "replaceId"));
  if (upload.replaces == "0") upload.replaces.clear();
  upload.finished = flag_of(member(json, "finished"));
  return upload;
}

Result<std::optional<std::uint64_t>> parse_upload_config(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  const auto most = number_of(member(json, "uploadChunkMax"));
  if (most == std::optional<std::uint64_t>(0)) return std::optional<std::uint64_t>();
  return most;
}

Result<WirePage<WireRole>> parse_roles(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  TRY_ASSIGN(const Envelope envelope, envelope_of(json));
  WirePage<WireRole> page;
  page.total = envelope.total;
  page.received = envelope.items->size();
  for (const Json& item : *envelope.items) {
    WireRole role{text_of(member(item, "id")), text_of(member(item, "name")),
                  text_of(member(item, "type"))};
    if (!role.id.empty() && !role.name.empty()) page.items.push_back(std::move(role));
  }
  return page;
}

Result<WirePage<WireMember>> parse_members(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  TRY_ASSIGN(const Envelope envelope, envelope_of(json));
  WirePage<WireMember> page;
  page.total = envelope.total;
  page.received = envelope.items->size();
  for (const Json& item : *envelope.items) {
    WireMember found;
    found.user = user_of(member(item, {"user", "group"}));
    if (found.user.id.empty()) found.user.id = text_of(member(item, {"userId", "user_id"}));
    if (found.user.email.empty()) found.user.email = text_of(member(item, "email"));
    const Json& role = member(item, "role");
    found.role_id = text_of(member(item, {"roleId", "role_id"}));
    if (found.role_id.empty()) found.role_id = text_of(member(role, "id"));
    found.role_name = text_of(member(role, "name"));
    if (found.user.label().empty()) return not_understood("a member without a name");
    page.items.push_back(std::move(found));
  }
  return page;
}

Result<WireQuota> parse_quota(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  const auto used = number_of(member(json, "folder_quota_used"));
  if (!used) return not_understood("a quota");
  return WireQuota{*used, signed_of(member(json, "folder_quota_allowed")).value_or(0)};
}

Result<WirePage<WireActivity>> parse_activities(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  TRY_ASSIGN(const Envelope envelope, envelope_of(json));
  WirePage<WireActivity> page;
  page.total = envelope.total;
  page.received = envelope.items->size();
  for (const Json& item : *envelope.items) {
    WireActivity activity;
    activity.id = number_of(member(item, "id")).value_or(0);
    activity.created = time_of(member(item, "created")).value_or(WallTime());
    activity.event = text_of(member(item, "event"));
    activity.message = text_of(member(item, "message"));
    activity.user = user_of(member(item, "user"));
    activity.successful = flag_of(member(item, "successful")).value_or(true);
    const Json& data = member(item, "data");
    const auto add = [](std::vector<std::string>& ids, const Json& object) {
      std::string id = text_of(member(object, "id"));
      if (!id.empty()) ids.push_back(std::move(id));
    };
    add(activity.files, member(data, "file"));
    const Json& files = member(data, "files");
    if (files.is_array()) {
      for (const Json& file : files) add(activity.files, file);
    }
    for (const char* const key : {"folder", "source_folder", "destination_folder"}) {
      add(activity.folders, member(data, key));
    }
    activity.parent = text_of(member(member(data, "parent_folder"), "id"));
    page.items.push_back(std::move(activity));
  }
  return page;
}

Result<WireBulk> parse_bulk(std::string_view body) {
  TRY_ASSIGN(const Json json, parse_document(body));
  WireBulk bulk;
  const Json& ids = member(json, "successIds");
  if (ids.is_array()) {
    for (const Json& id : ids) bulk.succeeded.push_back(text_of(id));
  }
  const Json& errors = member(json, "errors");
  if (errors.is_array()) {
    for (const Json& item : errors) {
      bulk.failed.push_back(
          {text_of(member(item, {"id", "objectId", "fileId"})),
           error_of(item,
                    static_cast<int>(number_of(member(item, "status")).value_or(403) % 1000))});
    }
  }
  const Json& data = json.is_array() ? json : member(json, "data");
  if (data.is_array()) {
    for (const Json& item : data) {
      // What is no object of the tree says nothing about the success of the call.
      if (Result<WireNode> node = node_of(item)) bulk.nodes.push_back(*std::move(node));
    }
  }
  return bulk;
}

std::string id_of_location(std::string_view location) {
  location = location.substr(0, location.find_first_of("?#"));
  while (!location.empty() && location.back() == '/') location.remove_suffix(1);
  const std::size_t slash = location.rfind('/');
  if (slash != std::string_view::npos) location.remove_prefix(slash + 1);
  const bool plain = std::all_of(location.begin(), location.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  return plain && location.size() <= 64 ? std::string(location) : std::string();
}

}  // namespace cabinetfs::kiteworks

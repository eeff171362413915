#include "backend/kenesto/wire.h"

#include <algorithm>

#include "backend/kenesto/wire_json.h"

namespace cabinetfs::kenesto {
namespace {

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// A document that is a string holding a document, and ResponseData likewise.
Result<Json> unwrap_text(Json json) {
  for (int i = 0; i < 2 && json.is_string(); ++i) {
    TRY_ASSIGN(json, parse_document(json.get_ref<const std::string&>()));
  }
  return json;
}

// An object or array out of ResponseData; null when it is none.
Json structure(const Json& data) {
  if (!data.is_string()) return data;
  Result<Json> inner = unwrap_text(data);
  return inner ? *std::move(inner) : Json();
}

bool is_folder_family(const std::string& family) {
  return family.find("FOLDER") != std::string::npos;
}

std::optional<WallTime> time_of(const Json& json) {
  return json.is_string() ? parse_time(json.get_ref<const std::string&>()) : std::nullopt;
}

std::string guid_of(const Json& json) {
  return json.is_string() ? parse_guid(json.get_ref<const std::string&>()).value_or("")
                          : std::string();
}

std::optional<WireItem> item_of(const Json& json) {
  WireItem item;
  RemoteEntry& entry = item.entry;
  entry.id.value = guid_of(member(json, "Id"));
  item.family = text_of(member(json, "FamilyCode"));
  item.stem = text_of(member(json, "Name"));
  entry.kind = is_folder_family(item.family) ? NodeKind::kFolder : NodeKind::kFile;
  const bool file = entry.kind == NodeKind::kFile;
  const std::string full = text_of(member(json, "FileName"));
  if (file) {
    item.extension = text_of(member(json, "FileExtension"));
    entry.name = full.empty() ? item.stem + item.extension : full;
  } else {
    entry.name = item.stem.empty() ? full : item.stem;
  }
  if (entry.id.empty()) return std::nullopt;
  if (entry.name.empty()) entry.name = entry.id.value;  // better than no entry
  if (const auto modified = time_of(member(json, "ModificationDate"))) {
    entry.modified = entry.changed = *modified;
  }
  item.vault = flag_of(member(json, "IsVault"));
  item.external_token = text_of(member(json, "ExternalToken"));
  if (!file) return item;
  const auto size = number_of(member(json, "CurrentVersionSize"));
  item.sized = size.has_value();
  entry.size = size.value_or(0);
  entry.mime = text_of(member(json, "MimeType"));
  item.external_link = flag_of(member(json, "IsExternalLink"));
  item.checked_out = flag_of(member(json, "IsCheckedOut"));
  // The first spelling is the vendor's.
  entry.lock_holder = text_of(member(json, {"ChceckedOutBy", "CheckedOutBy"}));
  return item;
}

}  // namespace

std::optional<std::string> parse_guid(std::string_view text) {
  if (text.size() == 38 && text.front() == '{' && text.back() == '}') {
    text = text.substr(1, 36);
  }
  if (text.size() != 36) return std::nullopt;
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    char& c = out[i];
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
  }
  return out;
}

Result<WireEnvelope> parse_envelope(std::string_view body) {
  TRY_ASSIGN(Json document, parse_document(body));
  TRY_ASSIGN(document, unwrap_text(std::move(document)));
  if (document.is_object() && document.size() == 1 && ends_with(document.begin().key(), "Result")) {
    Json inner = document.begin().value();
    TRY_ASSIGN(document, unwrap_text(std::move(inner)));
  }
  if (!document.is_object()) return not_understood("no object");
  WireEnvelope envelope;
  envelope.status = text_of(member(document, "ResponseStatus"));
  if (envelope.status.empty()) return not_understood("no ResponseStatus");
  envelope.ok = equals_ignoring_case(envelope.status, "ok");
  envelope.message = text_of(member(document, "ErrorMessage"));
  envelope.data = std::make_shared<const Json>(member(document, "ResponseData"));
  envelope.all = std::make_shared<const Json>(std::move(document));
  return envelope;
}

Result<WirePage> parse_documents(const Json& data) {
  const Json frame = structure(data);
  const Json& list = member(frame, "DocumentsList");
  if (!frame.is_object() || !(list.is_array() || list.is_null())) return not_understood("no list");
  WirePage page;
  page.total = number_of(member(frame, "TotalDocuments"));
  const auto files = number_of(member(frame, "TotalFiles"));
  const auto folders = number_of(member(frame, "TotalFolders"));
  if (files && folders && *files <= UINT32_MAX && *folders <= UINT32_MAX) {
    page.parts = *files + *folders;
  }
  if (!page.total) page.total = page.parts;
  if (list.is_null() && page.total != std::uint64_t{0}) return not_understood("no list");
  for (const Json& each : list) {
    std::string id = text_of(member(each, "Id"));
    page.ids.push_back(parse_guid(id).value_or(std::move(id)));
    auto item = item_of(each);
    if (!item) return not_understood("an entry without a GUID");
    page.items.push_back(*std::move(item));
  }
  if (frame.contains("next_href")) {
    const Json& next = frame["next_href"];
    const std::string text = text_of(next);
    page.more = !(next.is_null() || next.is_boolean() || text.empty() ||
                  equals_ignoring_case(text, "false"));
  }
  page.folder_id = guid_of(member(frame, "FolderId"));
  return page;
}

Result<std::vector<RemoteVersion>> parse_versions(const Json& data) {
  const Json frame = structure(data);
  const Json& list = frame.is_array() ? frame : member(frame, "FileVersionsList");
  if (!list.is_array()) return not_understood("no versions");
  std::vector<RemoteVersion> versions;
  std::size_t current = 0;
  for (const Json& each : list) {
    RemoteVersion version;
    version.id.value = guid_of(member(each, "Id"));
    const auto size = number_of(member(each, "FileSize"));
    const auto number = number_of(member(each, "VersionNumber"));
    if (version.id.empty() || !size) return not_understood("a version without id or size");
    version.size = *size;
    if (number && *number <= UINT32_MAX) version.number = static_cast<std::uint32_t>(*number);
    version.current = flag_of(member(each, "IsCurrentVersion"));
    if (version.current) ++current;
    version.author = text_of(member(each, "OwnerName"));
    if (const auto modified = time_of(member(each, "ModificationDate"))) {
      version.modified = version.created = *modified;
    }
    const bool twice = std::any_of(versions.begin(), versions.end(),
                                   [&](const RemoteVersion& one) { return one.id == version.id; });
    if (twice) return not_understood("one version twice");
    versions.push_back(std::move(version));
  }
  if (current != 1) return not_understood("not one current version");
  return versions;
}

Result<std::vector<RemoteEvent>> parse_history(const Json& data) {
  const Json frame = structure(data);
  if (!frame.is_object()) return not_understood("no history");
  std::vector<RemoteEvent> events;
  for (const char* const part : {"UPDATE_HISTORY", "VIEW_HISTORY"}) {
    const Json& list = member(frame, part);
    if (!list.is_array()) continue;
    for (const Json& each : list) {
      RemoteEvent event;
      event.event = text_of(member(each, "Event"));
      if (event.event.empty()) continue;
      event.time = time_of(member(each, "Date")).value_or(WallTime{});
      event.who = text_of(member(each, "User"));
      event.detail = text_of(member(each, "Value"));
      events.push_back(std::move(event));
    }
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const RemoteEvent& a, const RemoteEvent& b) { return a.time > b.time; });
  return events;
}

Result<std::uint64_t> parse_count(const Json& data) {
  const auto count = number_of(member(structure(data), "TotalDocuments"));
  if (!count) return not_understood("no count");
  return *count;
}

Result<std::string> parse_access_url(const Json& data) {
  std::string url = text_of(member(structure(data), "AccessUrl"));
  // One page of the vendor says that the answer is the URL itself.
  if (url.empty() && data.is_string()) url = data.get<std::string>();
  if (url.rfind("http", 0) != 0) return not_understood("no AccessUrl");
  return url;
}

Result<WireFolder> parse_folder(const Json& data) {
  const Json frame = structure(data);
  WireFolder folder;
  folder.id = guid_of(member(frame, "Id"));
  folder.name = text_of(member(frame, "Name"));
  folder.description = text_of(member(frame, "Description"));
  if (folder.id.empty()) return not_understood("no folder");
  return folder;
}

Result<WireRights> parse_participant(const Json& data) {
  const Json frame = structure(data);
  if (!frame.is_object() || !frame.contains("ALLOW_VIEW")) return not_understood("no permissions");
  const auto allowed = [&](const char* name) { return flag_of(member(frame, name)); };
  WireRights rights;
  rights.owner = allowed("ALLOW_OWNER");
  rights.view = allowed("ALLOW_VIEW");
  rights.download = allowed("ALLOW_DOWNLOAD");
  rights.update = allowed("ALLOW_UPDATE_VERSIONS");
  rights.share = allowed("ALLOW_SHARE_F");
  rights.upload = allowed("ALLOW_UPLOAD_F");
  rights.until = parse_day_first(text_of(member(frame, "SHARE_EXPDATE")));
  return rights;
}

Result<WireObjectInfo> parse_object_info(const Json& data) {
  const Json frame = structure(data);
  const Json& told = member(frame, "ObjectPermissions");
  const Json& from = told.is_object() ? told : frame;
  if (!from.is_object() || !from.contains("AllowView")) return not_understood("no permissions");
  const auto allowed = [&](const char* name) { return flag_of(member(from, name)); };
  WireObjectInfo info;
  info.owned = allowed("IsOwnedByRequestor");
  info.share = allowed("AllowShare");
  info.remove = allowed("AllowDelete");
  info.update = allowed("AllowUpdateVersions");
  info.checkin = allowed("AllowCheckin");
  info.checkout = allowed("AllowCheckout");
  info.discard = allowed("AllowDiscardCheckout");
  info.download = allowed("AllowDownload");
  info.view = allowed("AllowView");
  info.upload = allowed("AllowUpload");
  const Json& vault = member(frame, "IsVault");
  if (!vault.is_null()) info.vault = flag_of(vault);
  info.item = item_of(frame);
  const bool complete = info.item && info.item->sized && info.item->entry.modified != WallTime{};
  if (!complete) info.item.reset();
  return info;
}

Result<std::uint64_t> parse_used_space(const Json& data) {
  const auto used = number_of(member(structure(data), "TotalUsageSpace"));
  if (!used) return not_understood("no used space");
  return *used;
}

Result<std::vector<NumberSequences::Sequence>> parse_sequences(const Json& data) {
  const Json frame = structure(data);
  const Json& results = member(frame, "RESULTS");
  if (!frame.is_object()) return not_understood("no sequences");
  std::vector<NumberSequences::Sequence> sequences;
  // A map with numbered keys, which are of no interest.
  for (const Json& each : results) {
    const Json& meta = member(each, "DOCUMENT_SEQ_META");
    NumberSequences::Sequence sequence;
    sequence.name = text_of(member(meta, "NAME"));
    sequence.prefix = text_of(member(meta, "PREFIX"));
    sequence.locked = flag_of(member(meta, "IS_LOCKED"));
    if (!sequence.name.empty()) sequences.push_back(std::move(sequence));
  }
  std::sort(sequences.begin(), sequences.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return sequences;
}

Result<std::string> parse_text(const Json& data) {
  std::string text = text_of(data);
  if (text.empty()) return not_understood("no text");
  return text;
}

Result<WireAuthentication> parse_authentication(const WireEnvelope& envelope) {
  const Json& all = *envelope.all;
  WireAuthentication out;
  out.token = text_of(member(all, "Token"));
  const Json& list = member(all, "Organizations");
  if (list.is_array()) {
    for (const Json& each : list) {
      WireOrganization one{text_of(member(each, "OrganizationIdentifier")),
                           flag_of(member(each, "IsDefault"))};
      if (!one.id.empty()) out.organizations.push_back(std::move(one));
    }
  }
  if (out.token.empty()) return not_understood("no token");
  return out;
}

Result<WireLogin> parse_login(const WireEnvelope& envelope) {
  const Json& all = *envelope.all;
  const Json& user = member(all, "User");
  WireLogin out;
  out.token = text_of(member(all, "Token"));
  out.email = text_of(member(user, "EmailAddress"));
  out.first_name = text_of(member(user, "FirstName"));
  out.last_name = text_of(member(user, "LastName"));
  out.tenant = text_of(member(user, "TenantID"));
  if (out.token.empty()) return not_understood("no token");
  return out;
}

}  // namespace cabinetfs::kenesto

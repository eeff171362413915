#include "tests/unit/kenesto/scripted_kenesto.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace cabinetfs {

using nlohmann::json;

namespace {

std::string line_of(const HttpRequest& request) {
  static constexpr std::string_view kBase = "https://app.kenesto.com/Kenesto.Web.API/";
  static constexpr std::string_view kService = "KDocuments.svc/";
  std::string_view url = request.url;
  if (url.substr(0, kBase.size()) == kBase) url.remove_prefix(kBase.size());
  if (url.substr(0, kService.size()) == kService) url.remove_prefix(kService.size());
  return request.method + " " + std::string(url);
}

}  // namespace

void ScriptedKenesto::answer(const std::string& request, const std::string& body, int status,
                             const HttpHeaders& headers) {
  HttpResponse response;
  response.status = status;
  response.body = body;
  response.headers = headers;
  MutexLock lock(mutex_);
  steps_.push_back({request, std::move(response)});
}

void ScriptedKenesto::ok(const std::string& request, const std::string& data) {
  answer(request, R"({"ResponseStatus":"OK","ResponseData":)" + data + R"(,"UserData":null})");
}

void ScriptedKenesto::failed(const std::string& request, const std::string& message, int status) {
  answer(request, json{{"ResponseStatus", "FAILED"}, {"ErrorMessage", message}}.dump(), status);
}

void ScriptedKenesto::lose(const std::string& request, ErrorCode code) {
  MutexLock lock(mutex_);
  steps_.push_back({request, fail(code, "scripted")});
}

std::vector<ScriptedKenesto::Seen> ScriptedKenesto::take_seen() {
  MutexLock lock(mutex_);
  return std::exchange(seen_, {});
}

std::size_t ScriptedKenesto::left() const {
  MutexLock lock(mutex_);
  return steps_.size();
}

Result<HttpResponse> ScriptedKenesto::perform(const CallContext&, HttpRequest request) {
  Seen seen;
  seen.line = line_of(request);
  if (request.body) {
    seen.body.resize(request.body->size);
    std::size_t filled = 0;
    while (filled < seen.body.size()) {
      const std::size_t got =
          request.body->read(filled, std::as_writable_bytes(std::span(seen.body)).subspan(filled));
      if (got == 0) return fail(ErrorCode::kIo, "the body ended early");
      filled += got;
    }
  }
  seen.request = request;
  const std::string line = seen.line;
  MutexLock lock(mutex_);
  seen_.push_back(std::move(seen));
  if (steps_.empty()) {
    ADD_FAILURE() << "unexpected request: " << line;
    return fail(ErrorCode::kInternal, "no answer for " + line);
  }
  Step step = std::move(steps_.front());
  steps_.pop_front();
  EXPECT_EQ(line.substr(0, step.request.size()), step.request);
  if (step.result && request.sink && step.result->status < 300) {
    if (request.on_headers && !request.on_headers(step.result->status, step.result->headers)) {
      return fail(ErrorCode::kCancelled, "refused by the caller");
    }
    const std::string body = std::exchange(step.result->body, {});
    if (!request.sink(as_bytes(body))) return fail(ErrorCode::kCancelled, "refused by the caller");
  }
  return std::move(step.result);
}

std::string ItemJson::text() const {
  json item = {{"Id", id},
               {"Name", stem},
               {"FamilyCode", family},
               {"SharedObjectId", id},
               {"ExternalToken", external_token},
               {"ViewerUrl", "http://localhost/viewer?token=c2VjcmV0"},
               {"IsExternalLink", external},
               {"IsCheckedOut", !holder.empty()},
               {"ChceckedOutBy", holder},
               {"IsVault", vault},
               {"ModificationDate", modified}};
  if (family == "GENERAL") {
    item["FileName"] = stem + extension;
    item["FileExtension"] = extension;
    item["MimeType"] = "text/plain";
    if (sized) item["CurrentVersionSize"] = size;
  }
  return item.dump();
}

std::string page_json(const std::vector<ItemJson>& items, int total, const std::string& more,
                      int parts) {
  std::string list;
  for (const ItemJson& item : items) list += (list.empty() ? "" : ",") + item.text();
  const std::string told =
      parts < 0 ? "" : fmt::format(R"("TotalFiles":"{}","TotalFolders":"0",)", parts);
  return fmt::format(
      R"({{"DocumentsList":[{}],"TotalDocuments":"{}",{}"next_href":"{}","FolderId":"{}"}})", list,
      total < 0 ? static_cast<int>(items.size()) : total, told, more, kFolder);
}

std::string versions_json(const std::vector<VersionJson>& versions) {
  json list = json::array();
  for (const VersionJson& version : versions) {
    list.push_back({{"Id", version.id},
                    {"IsCurrentVersion", version.current},
                    {"ModificationDate", "/Date(-62135596800000)/"},
                    {"FileSize", version.size},
                    {"VersionNumber", std::to_string(list.size() + 1)}});
  }
  return json{{"FileVersionsList", list}}.dump();
}

void KenestoClient::SetUp() { make({}); }

void KenestoClient::make(KenestoConfig config, const std::string& user, const std::string& name) {
  config.base_url = "https://app.kenesto.com/";
  config.settle = std::chrono::milliseconds(700);  // four looks
  store_.reset();
  session_ = make_pasted_kenesto_session("cad", SecretString("tok+1"), {user, name, ""});
  auto made = make_kenesto_store(http_, *session_, config, clock_);
  ASSERT_TRUE(made);
  store_ = *std::move(made);
  http_.ok(list_call(kRoot), page_json({}));
  if (config.undocumented_calls != KenestoConfig::Undocumented::kOff) {
    http_.answer("GET RetrieveObjectInfo?t=tok%2B1&oi=", "<html>no such method</html>", 404);
  }
  ASSERT_TRUE(store_->account(soon()));
  http_.take_seen();
}

std::string KenestoClient::list_call(const std::string& folder) {
  return "GET RetrieveDocuments?t=tok%2B1" + (folder == kRoot ? "" : "&fid=" + folder) +
         "&ps=200&pn=1&sb=ASSET_NAME&sd=asc";
}

std::string KenestoClient::versions_call(const std::string& file) {
  return "GET RetrieveFileVersions?t=tok%2B1&fid=" + file;
}

ItemJson KenestoClient::folder_json(const std::string& id, bool vault) {
  ItemJson folder;
  folder.id = id;
  folder.stem = "folder";
  folder.family = "FOLDER";
  folder.vault = vault;
  return folder;
}

void KenestoClient::expect_list(const std::string& folder, const std::vector<ItemJson>& items) {
  clock_.advance(std::chrono::seconds(2));
  http_.ok(list_call(folder), page_json(items));
}

void KenestoClient::know_folder() {
  expect_list(kRoot, {folder_json()});
  EXPECT_TRUE(store_->list(soon(), RemoteId{kRoot}));
  http_.take_seen();
}

std::vector<RemoteEntry> KenestoClient::listed(const std::vector<ItemJson>& items) {
  know_folder();
  expect_list(kFolder, items);
  const auto entries = store_->list(soon(), RemoteId{kFolder});
  EXPECT_TRUE(entries) << (entries ? "" : to_string(entries.error()));
  http_.take_seen();
  return entries ? *entries : std::vector<RemoteEntry>();
}

}  // namespace cabinetfs

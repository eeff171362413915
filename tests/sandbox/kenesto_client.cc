#include <curl/curl.h>
#include <stdlib.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/sandbox/kenesto_test.h"

namespace cabinetfs::sandbox {

using nlohmann::json;

namespace {

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* out) {
  static_cast<std::string*>(out)->append(data, size * count);
  return size * count;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* out) {
  const std::string line(data, size * count);
  const auto colon = line.find(':');
  if (colon != std::string::npos) {
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto begin = line.find_first_not_of(' ', colon + 1);
    const auto end = line.find_last_not_of("\r\n");
    auto& headers = *static_cast<std::map<std::string, std::string>*>(out);
    headers[name] = begin > end ? "" : line.substr(begin, end - begin + 1);
  }
  return size * count;
}

struct Source {
  const std::string* content = nullptr;
  std::size_t at = 0;
};

std::size_t give_body(char* buffer, std::size_t size, std::size_t count, void* from) {
  auto& source = *static_cast<Source*>(from);
  const std::size_t n = std::min(size * count, source.content->size() - source.at);
  source.content->copy(buffer, n, source.at);
  source.at += n;
  return n;
}

struct Request {
  std::string method = "GET", url;
  std::vector<std::string> headers;
  const std::string* post = nullptr;
  const std::string* put = nullptr;
  bool chunked = false;
};

Reply perform(const Request& request) {
  Reply reply;
  CURL* curl = curl_easy_init();
  if (curl == nullptr) throw std::runtime_error("curl_easy_init");
  curl_slist* list = nullptr;
  for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
  Source source{request.put, 0};
  if (request.put != nullptr) {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &give_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, &source);
    // -1: not told, and libcurl sends chunks.
    curl_easy_setopt(
        curl, CURLOPT_INFILESIZE_LARGE,
        request.chunked ? curl_off_t{-1} : static_cast<curl_off_t>(request.put->size()));
    const bool asks =
        std::any_of(request.headers.begin(), request.headers.end(),
                    [](const std::string& header) { return header.rfind("Expect", 0) == 0; });
    if (!asks) list = curl_slist_append(list, "Expect:");
  }
  if (request.post != nullptr) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.post->size()));
    curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, request.post->data());
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply.headers);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L * 1024);
  curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
  reply.curl_code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  curl_slist_free_all(list);
  curl_easy_cleanup(curl);
  return reply;
}

json envelope(const Reply& reply) {
  json parsed = json::parse(reply.body, nullptr, false);
  if (!parsed.is_object()) {
    throw std::runtime_error("not an envelope: " + std::to_string(reply.status) + " " + reply.body);
  }
  return parsed;
}

}  // namespace

std::string url_encode(const std::string& text) {
  char* escaped = curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size()));
  std::string out = escaped;
  curl_free(escaped);
  return out;
}

bool failed(const json& envelope) {
  std::string status = envelope.at("ResponseStatus");
  std::transform(status.begin(), status.end(), status.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return status != "ok";
}

std::string error_of(const json& envelope) {
  return failed(envelope) ? envelope.value("ErrorMessage", "") : "no error";
}

KenestoClient KenestoClient::of(const Sandbox& server, std::size_t user) {
  return KenestoClient(server.url(), server.credentials().users.at(user).access_token);
}

std::string KenestoClient::address(const std::string& method, const Args& args) const {
  std::string out = url_ + "/Kenesto.Web.API/KDocuments.svc/" + method + "?t=" + url_encode(token);
  for (const auto& [name, value] : args) out += "&" + name + "=" + url_encode(value);
  return out;
}

Reply KenestoClient::get(const std::string& method, const Args& args) const {
  return perform({"GET", address(method, args), {}, nullptr, nullptr, false});
}

Reply KenestoClient::post(const std::string& method, const json& body, const Args& args) const {
  const std::string text = body.dump();
  return perform(
      {"POST", address(method, args), {"Content-Type: application/json"}, &text, nullptr, false});
}

json KenestoClient::call(const std::string& method, const Args& args) const {
  return envelope(get(method, args));
}

json KenestoClient::call_post(const std::string& method, const json& body, const Args& args) const {
  return envelope(post(method, body, args));
}

json KenestoClient::data(const std::string& method, const Args& args) const {
  const json answer = call(method, args);
  if (failed(answer)) throw std::runtime_error(method + ": " + answer.dump());
  return answer.value("ResponseData", json());
}

Reply KenestoClient::path(const std::string& http_method, const std::string& path_and_query) const {
  return perform({http_method, url_ + path_and_query, {}, nullptr, nullptr, false});
}

Reply KenestoClient::fetch(const std::string& url, const Headers& headers) {
  return perform({"GET", url, headers, nullptr, nullptr, false});
}

Reply KenestoClient::put(const std::string& url, const std::string& content, const Put& how) {
  Headers headers = how.headers;
  headers.push_back("Content-Type:" + (how.type.empty() ? "" : " " + how.type));
  return perform({"PUT", url, headers, nullptr, &content, how.chunked});
}

std::vector<json> KenestoClient::list(const std::string& folder_id, const Args& more) const {
  Args args = {{"fid", folder_id}, {"ps", "200"}, {"sb", "ASSET_NAME"}, {"sd", "asc"}};
  args.insert(args.end(), more.begin(), more.end());
  return data("RetrieveDocuments", args).at("DocumentsList").get<std::vector<json>>();
}

json KenestoClient::item(const std::string& name, const std::string& folder_id) const {
  for (const json& one : list(folder_id)) {
    if (one.at(one.at("FamilyCode") == "FOLDER" ? "Name" : "FileName") == name) return one;
  }
  return nullptr;
}

std::string KenestoClient::id(const std::string& name, const std::string& folder_id) const {
  const json found = item(name, folder_id);
  if (found.is_null()) throw std::runtime_error("there is no " + name);
  return found.at("Id");
}

json KenestoClient::versions(const std::string& document_id) const {
  return data("RetrieveFileVersions", {{"fid", document_id}}).at("FileVersionsList");
}

std::string KenestoClient::access_url(const std::string& version_id) const {
  return data("DownloadFile", {{"fid", version_id}}).at("AccessUrl");
}

std::string KenestoClient::read(const std::string& version_id) const {
  return fetch(access_url(version_id)).body;
}

json KenestoClient::upload(const std::string& name, const std::string& content,
                           const Args& more) const {
  Args args = {{"p", name}};
  args.insert(args.end(), more.begin(), more.end());
  const json begun = call("UploadFile", args);
  if (failed(begun)) return begun;
  const std::string url = begun.at("ResponseData").at("AccessUrl");
  const Reply sent = put(url, content);
  if (sent.status != 200) throw std::runtime_error("PUT: " + sent.body);
  return call("UploadFileCompleted", {{"u", url}});
}

KenestoTest::KenestoTest() {
  dir_ = (std::filesystem::temp_directory_path() / "sandbox-test-XXXXXX").string();
  if (::mkdtemp(dir_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  const std::filesystem::path root = dir_ + "/root";
  std::filesystem::create_directories(root / "Work/Sub");
  const auto write = [&root](const char* path, const char* text) {
    std::ofstream(root / path, std::ios::binary) << text;
  };
  write("Work/a.txt", "alpha");
  write("Work/b.txt", "beta beta");
  write("Work/Sub/deep.txt", "deep");
  write("note.txt", "a note");
}

KenestoTest::~KenestoTest() {
  server_.reset();
  std::filesystem::remove_all(dir_);
}

Sandbox& KenestoTest::start(const json& settings, bool keep) {
  Options options;
  options.vendor = "kenesto";
  options.root = dir_ + "/root";
  if (keep) options.state_dir = dir_ + "/state";
  if (!settings.is_null()) options.settings = settings.dump();
  server_.reset();
  server_ = Sandbox::start(options);
  return *server_;
}

void KenestoTest::set(const json& settings) const { admin("POST", "settings", settings); }

json KenestoTest::admin(const char* method, const std::string& path, const json& body) const {
  return json::parse(server_->admin(method, path, body.is_null() ? "" : body.dump()));
}

json KenestoTest::as(const std::string& user, json what) const {
  what["user"] = user + (user == "carol" ? "@partner.example" : "@example.com");
  return admin("POST", "as", what);
}

std::string KenestoTest::authenticate_path(const std::string& email,
                                           const std::string& password) const {
  return "/Kenesto.Web.API/Access.svc/Authenticate/json/" + server_->credentials().client_secret +
         "?u=" + url_encode(email) + "&p=" + url_encode(password);
}

}  // namespace cabinetfs::sandbox

#include "tests/sandbox/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace cabinetfs::sandbox {
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

}  // namespace

nlohmann::json Reply::json() const { return nlohmann::json::parse(body); }

std::string Reply::error_code() const {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (!parsed.is_object()) return {};
  nlohmann::json entry = parsed;
  for (const char* key : {"errors", "error"}) {
    if (parsed.contains(key)) entry = parsed.at(key);
  }
  if (entry.is_string()) return entry.get<std::string>();
  if (entry.is_array()) entry = entry.at(0);
  return entry.value("code", "");
}

Client::Client(std::string url, std::string bearer, std::string ca_pem)
    : token(std::move(bearer)),
      url_(std::move(url)),
      ca_pem_(std::move(ca_pem)),
      curl_(curl_easy_init()) {
  if (curl_ == nullptr) throw std::runtime_error("curl_easy_init");
}

Client Client::of(const Sandbox& server, std::size_t user) {
  return Client(server.url(), server.credentials().users.at(user).access_token, server.ca_pem());
}

Client::~Client() { curl_easy_cleanup(curl_); }

Reply Client::perform(const char* method, const std::string& path, const Headers& headers) {
  Reply reply;
  curl_slist* list = nullptr;
  bool versioned = false;
  for (const std::string& header : headers) versioned |= header.rfind("X-", 0) == 0;
  if (!versioned) list = curl_slist_append(list, "X-Accellion-Version: 28");
  if (!token.empty()) list = curl_slist_append(list, ("Authorization: Bearer " + token).c_str());
  for (const std::string& header : headers) list = curl_slist_append(list, header.c_str());
  curl_easy_setopt(curl_, CURLOPT_URL, (url_ + path).c_str());
  curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &reply.headers);
  curl_easy_setopt(curl_, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl_, CURLOPT_BUFFERSIZE, 512L * 1024);
  curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
  if (!ca_pem_.empty()) {
    curl_blob blob{const_cast<char*>(ca_pem_.data()), ca_pem_.size(), CURL_BLOB_COPY};
    curl_easy_setopt(curl_, CURLOPT_CAINFO_BLOB, &blob);
  }
  reply.curl_code = curl_easy_perform(curl_);
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  curl_slist_free_all(list);
  // The connection stays, the options go.
  curl_easy_reset(curl_);
  return reply;
}

Reply Client::get(const std::string& path, const Headers& headers) {
  return perform("GET", path, headers);
}

Reply Client::send(const char* method, const std::string& path, const nlohmann::json& body,
                   const Headers& headers) {
  Headers all = headers;
  std::string text;
  if (!body.is_null()) {
    text = body.dump();
    all.emplace_back("Content-Type: application/json");
    curl_easy_setopt(curl_, CURLOPT_COPYPOSTFIELDS, text.c_str());
  } else if (std::string_view(method) == "POST") {
    curl_easy_setopt(curl_, CURLOPT_COPYPOSTFIELDS, "");
  }
  return perform(method, path, all);
}

Reply Client::form(const std::string& path,
                   const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    char* escaped = curl_easy_escape(curl_, value.c_str(), static_cast<int>(value.size()));
    text += (text.empty() ? "" : "&") + name + "=" + escaped;
    curl_free(escaped);
  }
  curl_easy_setopt(curl_, CURLOPT_COPYPOSTFIELDS, text.c_str());
  return perform("POST", path, {});
}

Reply Client::multipart(const std::string& path,
                        const std::vector<std::pair<std::string, std::string>>& fields,
                        const std::string& file_part, const std::string& filename,
                        const std::string& content) {
  curl_mime* mime = curl_mime_init(curl_);
  for (const auto& [name, value] : fields) {
    curl_mimepart* part = curl_mime_addpart(mime);
    curl_mime_name(part, name.c_str());
    curl_mime_data(part, value.data(), value.size());
  }
  curl_mimepart* part = curl_mime_addpart(mime);
  curl_mime_name(part, file_part.c_str());
  curl_mime_filename(part, filename.c_str());
  curl_mime_data(part, content.data(), content.size());
  curl_easy_setopt(curl_, CURLOPT_MIMEPOST, mime);
  Reply reply = perform("POST", path, {});
  curl_mime_free(mime);
  return reply;
}

std::string Client::top(const std::string& name) {
  const auto listing = get("/rest/folders/top?deleted=false&limit=1000").json();
  for (const auto& folder : listing.at("data")) {
    if (folder.at("name") == name) return folder.at("id");
  }
  throw std::runtime_error("no top folder " + name);
}

std::string Client::child(const std::string& folder_id, const std::string& name) {
  char* escaped = curl_easy_escape(curl_, name.c_str(), static_cast<int>(name.size()));
  const std::string path =
      "/rest/folders/" + folder_id + "/children?deleted=false&limit=2&name=" + escaped;
  curl_free(escaped);
  const auto found = get(path).json().at("data");
  if (found.empty()) throw std::runtime_error("no child " + name);
  return found.at(0).at("id");
}

Reply Client::initiate(const std::string& folder_id, const std::string& filename, std::int64_t size,
                       std::int64_t chunks, const nlohmann::json& more) {
  nlohmann::json body = {{"filename", filename}, {"totalSize", size}, {"totalChunks", chunks}};
  body.update(more);
  return send("POST", "/rest/folders/" + folder_id + "/actions/initiateUpload", body);
}

Reply Client::chunk(const std::string& uri, std::int64_t index, const std::string& content,
                    bool last) {
  const std::string size = std::to_string(content.size());
  return multipart("/" + uri + "?returnEntity=true",
                   {{"compressionMode", "NORMAL"},
                    {"compressionSize", size},
                    {"originalSize", size},
                    {"index", std::to_string(index)},
                    {"lastChunk", last ? "1" : "0"}},
                   "content", "blob", content);
}

Reply Client::upload(const std::string& folder_id, const std::string& filename,
                     const std::string& content, std::size_t chunk_size,
                     const nlohmann::json& more) {
  const std::size_t chunks =
      std::max<std::size_t>((content.size() + chunk_size - 1) / chunk_size, 1);
  Reply reply = initiate(folder_id, filename, static_cast<std::int64_t>(content.size()),
                         static_cast<std::int64_t>(chunks), more);
  if (reply.status >= 300) return reply;
  const std::string uri = reply.json().at("uri");
  for (std::size_t i = 0; i < chunks; ++i) {
    reply = chunk(uri, static_cast<std::int64_t>(i + 1), content.substr(i * chunk_size, chunk_size),
                  i + 1 == chunks);
    if (reply.curl_code != 0 || reply.status >= 300) return reply;
  }
  return reply;
}

}  // namespace cabinetfs::sandbox

#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <stdexcept>

#include "tests/sandbox/powerfolder_test.h"

namespace cabinetfs::sandbox {

using nlohmann::json;

namespace {

std::string local(const pugi::xml_node& node) {
  const std::string name = node.name();
  const auto colon = name.find(':');
  return colon == std::string::npos ? name : name.substr(colon + 1);
}

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& one : node.children()) {
    if (local(one) == name) return one;
  }
  return {};
}

void take_propstat(const pugi::xml_node& propstat, DavEntry& entry) {
  const std::string status = child(propstat, "status").text().as_string();
  for (const pugi::xml_node& property : child(propstat, "prop").children()) {
    if (status.find(" 200 ") == std::string::npos) {
      entry.missing.push_back(local(property));
      continue;
    }
    entry.status = status;
    entry.found.emplace_back(local(property), property.text().as_string());
    if (local(property) == "resourcetype") entry.dir = bool(child(property, "collection"));
  }
}

}  // namespace

std::string DavEntry::text(std::string_view name) const {
  for (const auto& [key, value] : found) {
    if (key == name) return value;
  }
  return "-";
}

bool DavEntry::has(std::string_view name) const {
  for (const auto& entry : found) {
    if (entry.first == name) return true;
  }
  return false;
}

std::vector<DavEntry> multistatus(const PlainReply& reply) {
  pugi::xml_document document;
  if (!document.load_buffer(reply.body.data(), reply.body.size()) ||
      local(document.document_element()) != "multistatus") {
    throw std::runtime_error("no multistatus: " + reply.body.substr(0, 200));
  }
  std::vector<DavEntry> out;
  for (const pugi::xml_node& response : document.document_element().children()) {
    DavEntry entry;
    entry.href = child(response, "href").text().as_string();
    entry.status = child(response, "status").text().as_string();
    for (const pugi::xml_node& one : response.children()) {
      if (local(one) == "propstat") take_propstat(one, entry);
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<std::string> hrefs(const PlainReply& reply) {
  std::vector<std::string> out;
  for (const DavEntry& entry : multistatus(reply)) out.push_back(entry.href);
  return out;
}

PowerFolderTest::PowerFolderTest() {
  std::string name = (std::filesystem::temp_directory_path() / "sandbox-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  dir_ = name;
  write("Work/a.txt", "alpha");
  write("Work/b (1).txt", "beta beta");
  write("Work/sub/deep.txt", "deep");
  write("Team/t.txt", "team");
}

PowerFolderTest::~PowerFolderTest() {
  server_.reset();
  std::filesystem::remove_all(dir_);
}

void PowerFolderTest::write(const std::string& path, const std::string& text) const {
  const auto file = dir_ / "root" / path;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

Sandbox& PowerFolderTest::start(const std::string& settings, const std::string& users) {
  Options options;
  options.vendor = "powerfolder";
  options.root = dir_ / "root";
  options.settings = settings;
  options.users = users;
  server_ = Sandbox::start(options);
  return *server_;
}

Sandbox& PowerFolderTest::start_with_state(std::uint16_t port) {
  Options options;
  options.vendor = "powerfolder";
  options.root = dir_ / "root";
  options.state_dir = dir_ / "state";
  options.port = port;
  server_ = Sandbox::start(options);
  return *server_;
}

std::unique_ptr<PlainHttp> PowerFolderTest::client(std::size_t user) const {
  const UserCredentials& credentials = server_->credentials().users.at(user);
  return std::make_unique<PlainHttp>(server_->url(), credentials.email, credentials.password);
}

json PowerFolderTest::admin(const char* method, const std::string& path) const {
  return json::parse(server_->admin(method, path));
}

json PowerFolderTest::admin(const char* method, const std::string& path, const json& body) const {
  return json::parse(server_->admin(method, path, body.dump()));
}

void PowerFolderTest::set(const json& settings) const { admin("POST", "settings", settings); }

void PowerFolderTest::as(std::size_t user, json order) const {
  order["user"] = server_->credentials().users.at(user).email;
  admin("POST", "as", order);
}

void PowerFolderTest::share(const std::string& folder, const std::string& permission) const {
  as(0,
     {{"op", "share"}, {"path", folder}, {"with", "bob@example.com"}, {"permission", permission}});
}

std::string PowerFolderTest::content(const std::string& path) const {
  const json found = node(path);
  if (found.is_null()) return "-";
  std::string escaped;
  for (const char c : path) escaped += c == ' ' ? std::string("%20") : std::string(1, c);
  return found.at("type") == "d" ? "" : server_->admin("GET", "content?path=" + escaped);
}

json PowerFolderTest::node(const std::string& path) const {
  const json tree = admin("GET", "tree");
  for (const json& one : tree.at("nodes")) {
    if (one.at("path") == path) return one;
  }
  return nullptr;
}

json PowerFolderTest::folder(const std::string& name) const {
  const json tree = admin("GET", "tree");
  for (const json& one : tree.at("folders")) {
    if (one.at("internal_name") == name) return one;
  }
  return nullptr;
}

std::string PowerFolderTest::to(const std::string& path) const {
  return "Destination: " + server_->url() + path;
}

}  // namespace cabinetfs::sandbox

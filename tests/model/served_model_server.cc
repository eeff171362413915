#include "tests/model/served_model_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

#include "backend/base/text.h"
#include "tests/model/served_vendors.h"
#include "tests/support/needs.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

constexpr const char* kTop = "Work";
constexpr const char* kOther = "bob@example.com";

std::string below_top(const std::string& path) {
  return path.empty() ? kTop : std::string(kTop) + "/" + path;
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// The server has not closed all connections at that port: it has not read what came, or has not
// answered. Where a client died the kernel keeps its last request until then.
bool has_open_connection(std::uint16_t port) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  const std::string local = fmt::format(":{:04X}", port);
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string number, here, there, state;
    fields >> number >> here >> there >> state;
    // ESTABLISHED, SYN_RECV, CLOSE_WAIT.
    if (here.ends_with(local) && (state == "01" || state == "03" || state == "08")) return true;
  }
  return false;
}

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
}

// The local server of one vendor in this process, looked at and changed through its administration
// calls.
class SandboxModelServer : public ServedModelServer {
 public:
  SandboxModelServer(const std::string& vendor, const json& settings) : vendor_(vendor) {
    sandbox::Options options;
    options.vendor = vendor;
    options.settings = settings.dump();
    server_ = sandbox::Sandbox::start(options);
  }

  ServerAddress address() const override {
    const sandbox::Credentials& known = server_->credentials();
    ServerAddress out;
    out.vendor = vendor_;
    out.url = server_->url();
    out.user = known.users.at(0).email;
    out.password = known.users.at(0).password;
    out.access_key = known.client_secret;
    return out;
  }

  std::map<std::string, Object> dump(bool contents) override {
    std::map<std::string, Object> all;
    const std::string top = std::string(kTop) + "/";
    for (const json& node : nodes()) {
      const auto path = node.at("path").get<std::string>();
      if (node.at("deleted").get<bool>() || !path.starts_with(top)) continue;
      std::string at = path.substr(top.size());
      // Two objects of one name.
      if (all.contains(at)) at += "#" + text_of(node.at("id"));
      all[at] = object_of(node, contents);
    }
    return all;
  }
  std::vector<Object> deleted_by_us() override { return deleted(false); }
  std::vector<Object> deleted_by_them() override { return deleted(true); }
  std::vector<std::string> locked_by_us() override {
    std::vector<std::string> paths;
    for (const json& node : nodes()) {
      if (!node.at("deleted").get<bool>() && node.value("lock_user", "") == address().user)
        paths.push_back(node.at("path").get<std::string>());
    }
    return paths;
  }

  void write(const std::string& path, const std::string& content) override {
    as({{"op", "put"}, {"path", below_top(path)}, {"content", content}});
  }
  void mkdir(const std::string& path) override { as({{"op", "mkdir"}, {"path", below_top(path)}}); }
  void remove(const std::string& path) override {
    const std::set<std::string> before = deleted_ids();
    as({{"op", "delete"}, {"path", below_top(path)}});
    for (const std::string& id : deleted_ids())
      if (!before.contains(id)) removed_by_them_.insert(id);
  }
  void rename(const std::string& path, const std::string& name) override {
    as({{"op", "rename"}, {"path", below_top(path)}, {"name", name}});
  }
  void move(const std::string& path, const std::string& folder) override {
    as({{"op", "move"}, {"path", below_top(path)}, {"to", below_top(folder)}});
  }

  void trouble(std::uint64_t seed) override {
    // libcurl repeats by itself what was sent on an old connection that dies: twice.
    const json skip = seed % 7;
    switch (seed / 7 % 5) {
      case 0:
        return fault({{"action", "drop_after_effect"}, {"skip", skip}, {"times", 2}});
      case 1:
        return fault({{"action", "drop"}, {"skip", skip}, {"times", 2}});
      case 2:
        return fault({{"action", "status"},
                      {"status", 503},
                      {"after_effect", seed % 2 == 0},
                      {"skip", skip}});
      case 3:
        return fault({{"action", "drop_upload"}, {"bytes", 20 + seed % 300}, {"times", 2}});
      default:
        expire();
    }
  }
  void heal() override { server_->admin("DELETE", "faults"); }

 protected:
  std::vector<std::uint16_t> ports() const override {
    std::vector<std::uint16_t> all{server_->port()};
    if (!server_->content_url().empty()) all.push_back(port_of(server_->content_url()));
    return all;
  }
  json as(json what, const std::string& user = kOther) {
    if (!user.empty()) what["user"] = user;
    return json::parse(server_->admin("POST", "as", what.dump()));
  }
  json nodes() { return json::parse(server_->admin("GET", "tree?hash=0")).at("nodes"); }
  // The query that gives one version's content; `i`: 0 is the oldest one.
  virtual std::string content_query(const json& node, std::size_t i) const {
    return "id=" + text_of(node.at("id")) +
           "&version=" + std::to_string(node.at("versions").size() - 1 - i);
  }
  Object object_of(const json& node, bool contents) {
    Object out;
    out.kind = node.at("type") == "d" ? NodeKind::kFolder : NodeKind::kFile;
    if (out.kind == NodeKind::kFolder || !contents) return out;
    for (std::size_t i = 0; i < node.at("versions").size(); ++i)
      out.versions.push_back(server_->admin("GET", "content?" + content_query(node, i)));
    return out;
  }
  // What lets the client in.
  virtual void expire() { server_->admin("POST", "expire_tokens"); }
  sandbox::Sandbox& server() { return *server_; }

 private:
  void fault(json rule) {
    rule["match"] = json::object();
    server_->admin("POST", "faults", rule.dump());
  }
  std::set<std::string> deleted_ids() {
    std::set<std::string> ids;
    for (const json& node : nodes())
      if (node.at("deleted").get<bool>()) ids.insert(text_of(node.at("id")));
    return ids;
  }
  std::vector<Object> deleted(bool by_them) {
    std::vector<Object> all;
    for (const json& node : nodes())
      if (node.at("deleted").get<bool>() &&
          removed_by_them_.contains(text_of(node.at("id"))) == by_them)
        all.push_back(object_of(node, true));
    return all;
  }

  const std::string vendor_;
  std::unique_ptr<sandbox::Sandbox> server_;
  std::set<std::string> removed_by_them_;
};

class KiteworksModelServer final : public SandboxModelServer {
 public:
  explicit KiteworksModelServer(std::uint64_t quirks)
      : SandboxModelServer("kiteworks", {{"upload_chunk_max", 32},
                                         {"list_shape", quirks % 2 == 0 ? "envelope" : "spec"},
                                         {"hash_ms", quirks % 3 == 0 ? 20 : 0},
                                         {"scan_ms", quirks % 5 == 0 ? 5 : 0},
                                         {"max_page", quirks % 7 == 0 ? 2 : 0}}) {
    as({{"op", "mkdir"}, {"path", kTop}}, "");
    as({{"op", "share"}, {"path", kTop}, {"with", kOther}, {"role", "Manager"}}, "");
  }
};

class KenestoModelServer final : public SandboxModelServer {
 public:
  KenestoModelServer(std::uint64_t quirks, const std::string& vault)
      : SandboxModelServer("kenesto", {{"undocumented", quirks % 3 != 0},
                                       {"visible_early", quirks % 4 == 0},
                                       {"completed_twice", quirks % 5 == 0 ? "ok" : "fail"},
                                       {"completed_data", quirks % 2 == 0 ? "none" : "object"},
                                       {"rename_extension", quirks % 7 == 0 ? "full" : "keep"}}) {
    as({{"op", "mkdir"}, {"path", kTop}}, "");
    as({{"op", "share"}, {"path", kTop}, {"with", kOther}, {"level", "ALLOW_UPDATE_VERSIONS"}}, "");
    if (!vault.empty()) as({{"op", "mkdir"}, {"path", below_top(vault)}, {"vault", true}}, "");
  }
  void mkdir(const std::string& path) override {
    for (const json& node : nodes())
      if (!node.at("deleted").get<bool>() && node.at("path") == below_top(path)) return;
    SandboxModelServer::mkdir(path);
  }

 private:
  std::string content_query(const json& node, std::size_t i) const override {
    return "id=" + text_of(node.at("id")) +
           "&version=" + text_of(node.at("versions").at(i).at("number"));
  }
};

// Ids are places, and what is deleted or written over is not kept for long: others move it away
// instead, to where the play does not look.
class PowerFolderModelServer final : public SandboxModelServer {
 public:
  explicit PowerFolderModelServer(std::uint64_t quirks)
      : SandboxModelServer("powerfolder",
                           {{"versions", 1000},
                            {"locks", quirks % 2 == 0},
                            {"etag", std::array{"none", "weak", "strong"}.at(quirks % 3)},
                            {"self_entry", std::array{"first", "last"}.at(quirks / 3 % 2)},
                            {"delete_status", quirks % 5 == 0 ? 200 : 204}}) {
    for (const char* folder : {kTop, kTrash}) {
      as({{"op", "mkdir"}, {"path", folder}}, "");
      as({{"op", "share"}, {"path", folder}, {"with", kOther}, {"permission", "ADMIN"}}, "");
    }
  }
  std::vector<Object> deleted_by_us() override { return {}; }
  std::vector<Object> deleted_by_them() override {
    std::vector<Object> all = written_over_;
    for (const json& node : nodes())
      if (node.at("path").get<std::string>().starts_with(std::string(kTrash) + "/"))
        all.push_back(object_of(node, true));
    return all;
  }
  std::vector<std::string> locked_by_us() override { return {}; }
  void write(const std::string& path, const std::string& content) override {
    SandboxModelServer::write(path, content);
    // The file may be removed before the play ends, and what it held before is gone then.
    for (const json& node : nodes())
      if (node.at("path") == below_top(path)) written_over_.push_back(object_of(node, true));
  }
  void remove(const std::string& path) override {
    const std::string where = std::string(kTrash) + "/" + std::to_string(++removed_);
    as({{"op", "mkdir"}, {"path", where}}, "");
    as({{"op", "move"}, {"path", below_top(path)}, {"to", where}});
  }

 private:
  static constexpr const char* kTrash = "Trash";

  std::string content_query(const json& node, std::size_t i) const override {
    return "path=" + percent_encode(node.at("path").get<std::string>()) +
           "&version=" + std::to_string(node.at("versions").size() - 1 - i);
  }
  // Password and user name do not expire.
  void expire() override {}

  std::vector<Object> written_over_;
  int removed_ = 0;
};

}  // namespace

RemoteStore& ServedModelServer::connect() {
  connection_.reset();
  connection_ = connect_client(address());
  return connection_->store();
}

bool ServedModelServer::come_to_rest() {
  connection_.reset();
  return VolumeHarness::eventually(
      [this] { return std::ranges::none_of(ports(), has_open_connection); });
}

std::vector<std::string> served_vendors() {
  std::vector<std::string> all{"kiteworks", "kenesto", "powerfolder"};
  // What needs it fails without it.
  if (has_webdav_server() || !may_skip()) all.emplace_back("webdav");
  return all;
}

std::unique_ptr<ServedModelServer> make_served_model_server(const std::string& vendor,
                                                            std::uint64_t quirks,
                                                            const std::string& vault) {
  if (vendor == "kiteworks") return std::make_unique<KiteworksModelServer>(quirks);
  if (vendor == "kenesto") return std::make_unique<KenestoModelServer>(quirks, vault);
  if (vendor == "powerfolder") return std::make_unique<PowerFolderModelServer>(quirks);
  if (vendor == "webdav") return make_webdav_model_server();
  throw std::invalid_argument("no server of " + vendor);
}

}  // namespace cabinetfs

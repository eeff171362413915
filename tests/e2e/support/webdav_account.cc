// A real WebDAV server, and the real client in front of it. The other user works on its disk.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "backend/auth/authorized_client.h"
#include "backend/auth/token_source.h"
#include "backend/http/curl_client.h"
#include "backend/webdav/webdav.h"
#include "tests/e2e/support/test_account.h"
#include "tests/support/dav_servers.h"

namespace cabinetfs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUser = "alice";
constexpr const char* kPassword = "for this test only";

template <class T>
T or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return *std::move(result);
}

DavServerOptions served() {
  DavServerOptions options;
  options.etags = DavServerOptions::Etags::kInode;
  options.user = kUser;
  options.password = kPassword;
  return options;
}

class WebDavAccount final : public TestAccount {
 public:
  WebDavAccount() : server_(DavServer::Kind::kApache, served()) {
    HttpClientOptions http;
    http.remote = "e2e";
    apply_webdav_policy(http);
    http.backoff_first = http.throttle_first = std::chrono::milliseconds(1);
    engine_ = std::make_unique<CurlHttpClient>(http);
    config_.base_url = server_.url();
    config_.user = kUser;
    config_.second_look = std::chrono::milliseconds(1);
    tokens_ = or_throw(make_basic_token_source("e2e", kUser, SecretString(kPassword)));
    AuthorizedClientOptions authorization;
    apply_webdav_policy(authorization, config_);
    authorized_ = std::make_unique<AuthorizedClient>(*engine_, *tokens_, authorization);
    mkdir("Work");
  }

  std::unique_ptr<RemoteStore> connect() override {
    return or_throw(make_webdav_store(*authorized_, config_));
  }

  std::optional<std::string> content(const std::string& path) override {
    std::ifstream file(disk(path), std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  // Ids are places.
  std::string id_of(const std::string& path) override { return fs::exists(disk(path)) ? path : ""; }
  std::string identity(const std::string& path) override {
    struct stat info {};
    return ::stat(disk(path).c_str(), &info) == 0 ? std::to_string(info.st_ino) : "";
  }
  std::size_t versions(const std::string& path) override { return fs::exists(disk(path)) ? 1 : 0; }
  std::vector<std::string> tree(const std::string& path) override {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(disk(path))) {
      // The server's own notes.
      if (entry.path().string().find("/.DAV") != std::string::npos) continue;
      out.push_back(fs::relative(entry.path(), disk(path)).string() +
                    (entry.is_directory() ? "/" : ""));
    }
    std::ranges::sort(out);
    return out;
  }
  std::uint64_t uploads() override { return puts() - puts_before_; }
  void reset_requests() override { puts_before_ = puts(); }

  void write(const std::string& path, const std::string& content) override {
    const fs::path target = disk(path);
    fs::create_directories(target.parent_path());
    // Replaced as a whole, as another client would; never seen half or under another name.
    const fs::path next = server_.directory() / "next";
    std::ofstream(next, std::ios::binary) << content;
    fs::rename(next, target);
  }
  void mkdir(const std::string& path) override { fs::create_directories(disk(path)); }
  void remove(const std::string& path) override { fs::remove_all(disk(path)); }
  void rename(const std::string& path, const std::string& name) override {
    fs::rename(disk(path), disk(path).parent_path() / name);
  }
  // The server knows one user, who may do everything.
  bool make_read_only(const std::string& /*path*/) override { return false; }
  void lock(const std::string& path) override {
    HttpRequest request;
    request.method = "LOCK";
    request.url = server_.url();
    for (const std::string& name : split(path, '/')) request.url += "/" + percent_encode(name);
    request.headers = {{"Content-Type", "application/xml"}, {"Timeout", "Second-600"}};
    request.body = HttpBody::from_string(
        "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope><D:locktype>"
        "<D:write/></D:locktype><D:owner>bob@example.com</D:owner></D:lockinfo>");
    const auto response =
        authorized_->perform(CallContext::within(std::chrono::seconds(30)), std::move(request));
    if (!response || response->status != 200) throw std::runtime_error("cannot lock " + path);
  }
  void stall(bool on) override {
    if (on)
      server_.stop();
    else
      server_.start();
  }

 private:
  fs::path disk(const std::string& path) const { return server_.directory() / path; }
  std::uint64_t puts() const {
    std::uint64_t sum = 0;
    for (const std::string& line : split(server_.access_log(), '\n')) {
      if (line.starts_with("PUT ")) ++sum;
    }
    return sum;
  }

  DavServer server_;
  std::unique_ptr<HttpClient> engine_;
  std::unique_ptr<TokenSource> tokens_;
  std::unique_ptr<HttpClient> authorized_;
  WebDavConfig config_;
  std::uint64_t puts_before_ = 0;
};

}  // namespace

std::unique_ptr<TestAccount> make_webdav_account() { return std::make_unique<WebDavAccount>(); }

}  // namespace cabinetfs

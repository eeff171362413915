// What the client trusts, where the machine's own settings would let more pass. This program has an
// OpenSSL configuration that allows everything, and a stat() that remembers what was looked for.
#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "tests/support/scripted_http_server.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/http/http_test_util.h"

namespace cabinetfs {
namespace {

Mutex looked_mutex;
std::vector<std::string>& looked_for() {
  static std::vector<std::string>& paths = *new std::vector<std::string>;
  return paths;
}

std::string write_file(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name + std::to_string(::getpid());
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) std::abort();
  std::fputs(text.c_str(), file);
  std::fclose(file);
  return path;
}

// Before OpenSSL reads its configuration, which it does once.
const bool configured = [] {
  const std::string path = write_file("openssl-", R"(openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = default
[default]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
)");
  ::setenv("OPENSSL_CONF", path.c_str(), 1);
  std::atexit([] { ::unlink(std::getenv("OPENSSL_CONF")); });
  return true;
}();

}  // namespace
}  // namespace cabinetfs

// OpenSSL looks for an authority in a directory by the hash of its name: "DIRECTORY/1a2b3c4d.0".
// The label, since with 64-bit offsets the headers call another function by this name.
extern "C" int remembering_stat(const char* path, struct stat* out) __asm__("stat");
int remembering_stat(const char* path, struct stat* out) {
  {
    cabinetfs::MutexLock lock(cabinetfs::looked_mutex);
    cabinetfs::looked_for().emplace_back(path);
  }
  return ::fstatat(AT_FDCWD, path, out, 0);
}

namespace cabinetfs {
namespace {

class HttpTrust : public testing::Test {
 protected:
  // The certificate's authority goes into `ca_file`, or another one.
  HttpClientOptions options(bool trusted) {
    HttpClientOptions out = quick_options();
    ca_file_ = write_file(
        "ca-", trusted ? authority_.ca_certificate : make_test_authority().ca_certificate);
    out.ca_file = ca_file_;
    return out;
  }
  void TearDown() override {
    if (!ca_file_.empty()) ::unlink(ca_file_.c_str());
  }

  ScriptedHttpServer::Options server_options(bool old) const {
    return {.certificate = authority_.server.certificate,
            .private_key = authority_.server.private_key,
            .keep_bodies = true,
            .old_tls = old};
  }

  const TestAuthority authority_ = make_test_authority();
  std::string ca_file_;
};

// The version of TLS that a client without bounds of its own agrees on.
std::string version_with(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  std::string version = "none";
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      SSL_connect(ssl) == 1) {
    version = SSL_get_version(ssl);
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
  ::close(fd);
  return version;
}

TEST_F(HttpTrust, NothingOlderThanTls12WhateverTheMachineAllows) {
  ScriptedHttpServer server(server_options(true));
  server.script("/a", {{.body = "secret"}});
  ASSERT_EQ(version_with(server.port()), "TLSv1.1") << "else nothing is shown below";
  CurlHttpClient client(options(true));
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(server.hits("/a"), 0u);
}

TEST_F(HttpTrust, ANewerOneIsFine) {
  ScriptedHttpServer server(server_options(false));
  server.script("/a", {{.body = "secret"}});
  CurlHttpClient client(options(true));
  const auto answer = client.perform(soon(), get_request(server.url("/a")));
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
}

TEST_F(HttpTrust, AFileOfAuthoritiesStandsInsteadOfTheMachinesDirectory) {
  // Which one that is was decided when libcurl was built.
  CURL* const easy = curl_easy_init();
  const char* built_in = nullptr;
  curl_easy_getinfo(easy, CURLINFO_CAPATH, &built_in);
  const std::string directory = built_in == nullptr ? "" : built_in;
  curl_easy_cleanup(easy);
  if (directory.empty()) GTEST_SKIP() << "this libcurl looks into no directory";
  ScriptedHttpServer server(server_options(false));
  const auto looks = [&](const HttpClientOptions& options) {
    {
      MutexLock lock(looked_mutex);
      looked_for().clear();
    }
    CurlHttpClient client(options);
    EXPECT_FALSE(client.perform(soon(), get_request(server.url("/a"))).has_value());
    MutexLock lock(looked_mutex);
    return looked_for();
  };
  const auto below = testing::Contains(testing::StartsWith(directory + "/"));
  EXPECT_THAT(looks(quick_options()), below) << "else nothing is shown by the next line";
  EXPECT_THAT(looks(options(false)), testing::Not(below));
}

}  // namespace
}  // namespace cabinetfs

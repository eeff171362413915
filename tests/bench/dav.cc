// The real WebDAV server (Apache with mod_dav) over a directory, with HTTPS and one user, for the
// bench: as the tests start it.
//
//   bench-dav --directory DIR --port-file FILE --ca-out FILE --credentials-out FILE
//
// The files are written as those of cabinetfs-sandbox are, the port last, when it answers. Its logs
// are in $TMPDIR/dav-server-*/. Ends with SIGTERM, or with its parent.
#include <openssl/rand.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "tests/support/dav_servers.h"
#include "tests/support/test_certificates.h"

namespace {

using cabinetfs::DavServer;

struct Options {
  std::string directory, port_file, ca_file, credentials_file;
};

std::string random_text() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) throw std::runtime_error("no random numbers");
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// Complete or not at all: others wait for the file to appear.
void write_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  std::ofstream out(fresh, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path);
  std::filesystem::rename(fresh, path);
}

void serve(const Options& options) {
  const cabinetfs::TestAuthority authority = cabinetfs::make_test_authority();
  cabinetfs::DavServerOptions served;
  served.directory = options.directory;
  served.user = "alice";
  served.password = random_text();
  served.certificate = authority.server.certificate;
  served.private_key = authority.server.private_key;
  const DavServer server(DavServer::Kind::kApache, served);
  // Not before: the server must not inherit it.
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigaddset(&end, SIGINT);
  pthread_sigmask(SIG_BLOCK, &end, nullptr);
  write_file(options.ca_file, authority.ca_certificate);
  write_file(options.credentials_file, R"({"users":[{"email":")" + served.user +
                                           R"(","password":")" + served.password + "\"}]}\n");
  write_file(options.port_file, std::to_string(server.port()) + "\n");
  int received = 0;
  sigwait(&end, &received);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Apache with mod_dav over a directory");
  app.add_option("--directory", options.directory, "what is served")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--port-file", options.port_file, "where the port is written")->required();
  app.add_option("--ca-out", options.ca_file, "gets the CA certificate")->required();
  app.add_option("--credentials-out", options.credentials_file, "gets user and password, mode 0600")
      ->required();
  CLI11_PARSE(app, argc, argv);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::umask(077);
  const std::string reason = DavServer::missing(DavServer::Kind::kApache);
  if (!reason.empty()) {
    std::fprintf(stderr, "bench-dav: %s\n", reason.c_str());
    return 1;
  }
  try {
    serve(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-dav: %s\n", error.what());
    return 1;
  }
  return 0;
}

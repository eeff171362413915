// cabinetfs-webdav-server: a real Apache over a directory, for the scripts here and for looking by
// hand. It runs until SIGTERM; SIGUSR1 takes it off the network, SIGUSR2 brings it back on the same
// port.
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "tests/support/dav_servers.h"

namespace {

using cabinetfs::DavServer;
using cabinetfs::DavServerOptions;

// Complete or not at all: others wait for the file to appear.
void write_whole(const std::string& path, const std::string& text) {
  std::ofstream out(path + ".new", std::ios::binary);
  out << text;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path);
  std::filesystem::rename(path + ".new", path);
}

// The password comes by file, since arguments are for everybody to see.
int serve(const std::string& directory, const std::string& user, const std::string& password_file,
          const std::string& url_file) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  DavServerOptions options;
  options.directory = directory;
  options.user = user;
  options.etags = DavServerOptions::Etags::kInode;
  std::getline(std::ifstream(password_file), options.password);
  if (options.password.empty()) throw std::runtime_error("no password in " + password_file);
  DavServer server(DavServer::Kind::kApache, options);
  for (;;) {
    write_whole(url_file, server.url() + "\n");
    int received = 0;
    sigwait(&signals, &received);
    if (received == SIGTERM || received == SIGINT) return 0;
    if (received == SIGUSR1) {
      server.stop();
      std::filesystem::remove(url_file);
      do sigwait(&signals, &received);
      while (received == SIGUSR1);
      if (received != SIGUSR2) return 0;
      server.start();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "cabinetfs-webdav-server DIRECTORY USER PASSWORD-FILE URL-FILE\n");
    return 2;
  }
  if (const std::string why = DavServer::missing(DavServer::Kind::kApache); !why.empty()) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return 77;
  }
  try {
    return serve(argv[1], argv[2], argv[3], argv[4]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

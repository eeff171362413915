#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace cabinetfs {

struct DavServerOptions {
  // The same in PROPFIND and in headers. kInode changes with every replaced file; kMtimeSize does
  // not see a second save of the same length within the clock's step. nginx has no kInode.
  enum class Etags { kNone, kInode, kMtimeSize };

  // What is served; empty: a new directory that goes at the end.
  std::filesystem::path directory = {};
  std::string prefix = "/dav";  // path of the collection in the URL; "" is the whole server
  // Basic; an empty user: open to everybody.
  std::string user = {};
  std::string password = {};
  // PEM texts; both set: HTTPS.
  std::string certificate = {};
  std::string private_key = {};
  Etags etags = Etags::kMtimeSize;
  std::int64_t rate = 0;  // bytes per second of each answer's body; 0 = unlimited
  bool locks = true;      // LOCK and UNLOCK, class 2
  bool http2 = false;     // offered besides HTTP/1.1; nginx over HTTPS only
};

// A real WebDAV server (Apache with mod_dav, or nginx with its extended module) over a directory,
// on a loopback port of its own, from construction to destruction. It writes files as they are, so
// that a test can look at the disk for what the server holds. It ends with the thread that started
// it, also when that is killed. One thread at a time.
class DavServer {
 public:
  enum class Kind { kApache, kNginx };

  // Empty, or the reason why a test has to be skipped: the server or its modules are not installed.
  static std::string missing(Kind kind);

  // Answers requests when this returns. Throws std::runtime_error with the end of the server's log,
  // std::invalid_argument for options that the server does not know.
  DavServer(Kind kind, DavServerOptions options);
  explicit DavServer(Kind kind) : DavServer(kind, DavServerOptions{}) {}
  ~DavServer();
  DavServer(const DavServer&) = delete;
  DavServer& operator=(const DavServer&) = delete;

  // "http://127.0.0.1:PORT/dav", of an HTTPS server "https://localhost:PORT/dav"; no slash at the
  // end.
  std::string url() const;
  std::uint16_t port() const;
  const std::filesystem::path& directory() const;
  pid_t pid() const;  // 0 while it is stopped

  // The network is gone for a while: the port and the files stay the same.
  void stop();
  void start();

  std::string error_log() const;
  // One line for each request: method, target, status, bytes sent. With http2 also the protocol
  // ("HTTP/2.0") and the connection's number.
  std::string access_log() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cabinetfs

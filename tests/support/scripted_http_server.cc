#include "tests/support/scripted_http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace cabinetfs {
namespace {

constexpr std::size_t kPiece = 256u << 10;

[[noreturn]] void give_up(const char* what) {
  fmt::print(stderr, "scripted server: {}: {}\n", what, std::strerror(errno));
  std::abort();
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string path_of(const std::string& target) { return target.substr(0, target.find('?')); }

int select_http11(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                  const unsigned char* in, unsigned in_length, void* user) {
  std::string names;
  for (unsigned at = 0; at < in_length; at += in[at] + 1u) {
    const std::string name(reinterpret_cast<const char*>(in) + at + 1, in[at]);
    if (!names.empty()) names += ',';
    names += name;
    if (name == "http/1.1") {
      *out = in + at + 1;
      *out_length = in[at];
    }
  }
  static_cast<std::vector<std::string>*>(SSL_get_app_data(ssl))->push_back(names);
  static_cast<void>(user);
  return *out == nullptr ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct ScriptedHttpServer::Tls {
  SSL_CTX* context = nullptr;

  Tls(const std::string& certificate, const std::string& key, bool old) {
    context = SSL_CTX_new(TLS_server_method());
    if (old) {
      // Its signatures are below every level above 0.
      SSL_CTX_set_security_level(context, 0);
      if (SSL_CTX_set_min_proto_version(context, TLS1_1_VERSION) != 1 ||
          SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION) != 1 ||
          SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") != 1) {
        give_up("TLS 1.1");
      }
    }
    BIO* cert_bio = BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size()));
    X509* cert = PEM_read_bio_X509(cert_bio, nullptr, nullptr, nullptr);
    BIO* key_bio = BIO_new_mem_buf(key.data(), static_cast<int>(key.size()));
    EVP_PKEY* pkey = PEM_read_bio_PrivateKey(key_bio, nullptr, nullptr, nullptr);
    if (SSL_CTX_use_certificate(context, cert) != 1 || SSL_CTX_use_PrivateKey(context, pkey) != 1) {
      give_up("certificate");
    }
    X509_free(cert);
    EVP_PKEY_free(pkey);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    SSL_CTX_set_alpn_select_cb(context, &select_http11, nullptr);
  }
  ~Tls() { SSL_CTX_free(context); }
};

// A connection, plain or TLS, with a read buffer.
class ScriptedHttpServer::Stream {
 public:
  explicit Stream(int fd) : fd_(fd) {}
  ~Stream() { SSL_free(ssl_); }

  bool start_tls(SSL_CTX* context, std::vector<std::string>* offered) {
    ssl_ = SSL_new(context);
    SSL_set_app_data(ssl_, offered);
    SSL_set_fd(ssl_, fd_);
    return SSL_accept(ssl_) == 1;
  }

  bool write(std::string_view data) {
    while (!data.empty()) {
      const long sent = ssl_ != nullptr
                            ? SSL_write(ssl_, data.data(), static_cast<int>(data.size()))
                            : ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Up to and including the empty line.
  bool read_head(std::string& head) {
    std::size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return false;
    }
    head = buffer_.substr(0, end + 4);
    buffer_.erase(0, end + 4);
    return true;
  }

  bool read_body(std::uint64_t size, bool keep, std::string& body) {
    while (size > 0) {
      if (buffer_.empty() && !fill()) return false;
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size()));
      if (keep) body.append(buffer_, 0, count);
      buffer_.erase(0, count);
      size -= count;
    }
    return true;
  }

  // Until one side closes.
  void pass_through(std::uint16_t port) {
    const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    bool good = ::connect(other, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                write("HTTP/1.1 200 Connection established\r\n\r\n");
    const auto pass = [](int from, int to) {
      std::array<char, 16384> piece{};
      const ssize_t got = ::recv(from, piece.data(), piece.size(), 0);
      for (ssize_t sent = 0; sent < got;) {
        const ssize_t now =
            ::send(to, piece.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
        if (now <= 0) return false;
        sent += now;
      }
      return got > 0;
    };
    while (good) {
      std::array<pollfd, 2> ends = {{{fd_, POLLIN, 0}, {other, POLLIN, 0}}};
      good = ::poll(ends.data(), ends.size(), -1) > 0;
      if (good && ends[0].revents != 0) good = pass(fd_, other);
      if (good && ends[1].revents != 0) good = pass(other, fd_);
    }
    ::close(other);
  }

  // Until the client, or the server's end, closes the connection.
  void wait_for_close() {
    char byte = 0;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
  }

 private:
  bool fill() {
    std::string piece(kPiece, '\0');
    const long got = ssl_ != nullptr ? SSL_read(ssl_, piece.data(), static_cast<int>(piece.size()))
                                     : ::recv(fd_, piece.data(), piece.size(), 0);
    if (got <= 0) return false;
    buffer_.append(piece, 0, static_cast<std::size_t>(got));
    return true;
  }

  const int fd_;
  SSL* ssl_ = nullptr;
  std::string buffer_;
};

ScriptedHttpServer::ScriptedHttpServer(Options options) : options_(std::move(options)) {
  if (!options_.certificate.empty()) {
    tls_ = std::make_unique<Tls>(options_.certificate, options_.private_key, options_.old_tls);
  }
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_, 256) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    give_up("listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

ScriptedHttpServer::~ScriptedHttpServer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  drop_connections();
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void ScriptedHttpServer::script(const std::string& path, std::vector<ScriptedAnswer> answers) {
  MutexLock lock(mutex_);
  std::reverse(answers.begin(), answers.end());  // the next one is at the back
  scripts_[path] = std::move(answers);
}

void ScriptedHttpServer::handle(const std::string& path, Handler handler) {
  MutexLock lock(mutex_);
  handlers_[path] = std::move(handler);
}

std::string ScriptedHttpServer::url(const std::string& target) const {
  return fmt::format("{}:{}{}", tls_ ? "https://localhost" : "http://127.0.0.1", port_, target);
}

std::size_t ScriptedHttpServer::hits(const std::string& path) const {
  MutexLock lock(mutex_);
  const auto found = hits_.find(path);
  return found == hits_.end() ? 0 : found->second;
}

std::vector<ScriptedRequest> ScriptedHttpServer::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

std::vector<std::string> ScriptedHttpServer::offered_protocols() const {
  MutexLock lock(mutex_);
  return offered_;
}

bool ScriptedHttpServer::wait_for_hits(const std::string& path, std::size_t count) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (hits(path) < count) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void ScriptedHttpServer::drop_connections() {
  MutexLock lock(mutex_);
  for (const auto& [number, fd] : open_) ::shutdown(fd, SHUT_RDWR);
}

void ScriptedHttpServer::accept_loop() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    MutexLock lock(mutex_);
    if (stopping_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    if (fd < 0) continue;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const int number = ++connections_;
    open_[number] = fd;
    threads_.emplace_back([this, fd, number] { serve(fd, number); });
  }
}

void ScriptedHttpServer::serve(int fd, int number) {
  // OpenSSL writes with write(2).
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  {
    Stream stream(fd);
    bool good = true;
    if (tls_) {
      std::vector<std::string> offered;
      good = stream.start_tls(tls_->context, &offered);
      MutexLock lock(mutex_);
      offered_.insert(offered_.end(), offered.begin(), offered.end());
    }
    while (good && serve_one(stream, number)) {
    }
  }
  MutexLock lock(mutex_);
  open_.erase(number);
  ::close(fd);
}

bool ScriptedHttpServer::serve_one(Stream& stream, int number) {
  std::string head;
  if (!stream.read_head(head)) return false;
  ScriptedRequest request;
  request.connection = number;
  std::size_t line_end = head.find("\r\n");
  const std::string first = head.substr(0, line_end);
  const std::size_t space = first.find(' ');
  request.method = first.substr(0, space);
  request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
  for (std::size_t at = line_end + 2; at + 2 < head.size(); at = line_end + 2) {
    line_end = head.find("\r\n", at);
    const std::string line = head.substr(at, line_end - at);
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    request.headers[lower(line.substr(0, colon))] =
        value == std::string::npos ? "" : line.substr(value);
  }
  if (const auto length = request.headers.find("content-length"); length != request.headers.end()) {
    request.body_size = std::strtoull(length->second.c_str(), nullptr, 10);
  }
  if (!stream.read_body(request.body_size, options_.keep_bodies, request.body)) return false;
  return send_answer(stream, request, answer_for(request));
}

ScriptedAnswer ScriptedHttpServer::answer_for(const ScriptedRequest& request) {
  const std::string path = path_of(request.target);
  Handler handler;
  {
    MutexLock lock(mutex_);
    ++hits_[path];
    requests_.push_back(request);
    if (const auto found = scripts_.find(path); found != scripts_.end() && !found->second.empty()) {
      ScriptedAnswer answer = found->second.back();
      if (found->second.size() > 1) found->second.pop_back();
      return answer;
    }
    if (const auto found = handlers_.find(path); found != handlers_.end()) handler = found->second;
  }
  if (handler) return handler(request);
  return {.status = 404, .body = "no such path"};
}

bool ScriptedHttpServer::send_answer(Stream& stream, const ScriptedRequest& request,
                                     const ScriptedAnswer& answer) {
  using Kind = ScriptedAnswer::Kind;
  if (answer.kind == Kind::kDrop) return false;
  if (answer.kind == Kind::kStall) {
    stream.wait_for_close();
    return false;
  }
  if (answer.kind == Kind::kTunnel) {
    stream.pass_through(answer.tunnel_to);
    return false;
  }
  if (answer.kind == Kind::kRaw) {
    stream.write(answer.body);
    return false;
  }
  const std::uint64_t size = answer.generated > 0 ? answer.generated : answer.body.size();
  std::string head = fmt::format("HTTP/1.1 {} Scripted\r\n", answer.status);
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  head += answer.kind == Kind::kChunked ? std::string("Transfer-Encoding: chunked\r\n")
                                        : fmt::format("Content-Length: {}\r\n", size);
  if (answer.close) head += "Connection: close\r\n";
  head += "\r\n";
  if (request.method == "HEAD") return stream.write(head) && !answer.close;
  if (answer.kind == Kind::kChunked) {
    for (std::size_t at = 0; at < answer.body.size(); at += 1000) {
      const std::string piece = answer.body.substr(at, 1000);
      head += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    }
    head += "0\r\n\r\n";
    return stream.write(head) && !answer.close;
  }
  if (answer.kind == Kind::kDropMidBody || answer.kind == Kind::kStallMidBody) {
    stream.write(head + answer.body.substr(0, answer.body.size() / 2));
    if (answer.kind == Kind::kStallMidBody) stream.wait_for_close();
    return false;
  }
  if (answer.generated == 0) return stream.write(head + answer.body) && !answer.close;
  if (!stream.write(head)) return false;
  const std::string piece(kPiece, 'x');
  for (std::uint64_t left = answer.generated; left > 0;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    if (!stream.write(std::string_view(piece).substr(0, count))) return false;
    left -= count;
  }
  return !answer.close;
}

}  // namespace cabinetfs

#include "tools/sandbox/sandbox.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "tools/sandbox/vendor.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

Response admin_json(const json& body, int status = 200) {
  return Response::json_text(status, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

// The CA belongs to the state: a client that trusts it goes on trusting it after a restart.
Certificates certificates_for(const std::filesystem::path& state_dir) {
  if (state_dir.empty()) return make_certificates();
  const auto file = state_dir / "certificates.json";
  if (std::ifstream in(file); in) {
    const json saved = json::parse(in);
    return {saved.at("ca"), saved.at("certificate"), saved.at("key")};
  }
  Certificates made = make_certificates();
  std::filesystem::create_directories(state_dir);
  std::ofstream out(file);
  std::filesystem::permissions(
      file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  out << json{{"ca", made.ca_pem}, {"certificate", made.certificate_pem}, {"key", made.key_pem}};
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
  return made;
}

}  // namespace

class Sandbox::Impl {
 public:
  explicit Impl(const Options& options)
      : tls_(options.tls), faults_(stop_), vendor_(make_vendor(options)) {
    if (!options.faults.empty()) {
      try {
        faults_.add(json::parse(options.faults));
      } catch (const std::exception& error) {
        throw std::runtime_error(error.what());
      }
    }
    add_admin_routes(vendor_->mutable_application().admin);
    if (tls_) certificates_ = certificates_for(options.state_dir);
    HttpServer::Options server;
    server.port = options.port;
    server.tls = tls_ ? &certificates_ : nullptr;
    server.spool_dir = vendor_->spool_dir();
    if (const Application* content = vendor_->content_application()) {
      HttpServer::Options own = server;
      own.port = options.content_port;
      content_server_ = std::make_unique<HttpServer>(own, *content, faults_, counters_, stop_);
      content_port_ = content_server_->port();
      vendor_->content_listening(content_url());
    }
    server_ =
        std::make_unique<HttpServer>(server, vendor_->application(), faults_, counters_, stop_);
    port_ = server_->port();
    vendor_->listening(url());
    credentials_ = vendor_->make_credentials();
  }

  void stop() {
    if (!server_) return;
    server_.reset();
    content_server_.reset();
    vendor_->save();
  }

  std::string content_url() const {
    if (content_port_ == 0) return {};
    return fmt::format("{}://127.0.0.1:{}", tls_ ? "https" : "http", content_port_);
  }

  std::string url() const {
    return fmt::format("{}://127.0.0.1:{}", tls_ ? "https" : "http", port_);
  }

  std::string admin(std::string_view method, std::string_view path, std::string_view body) {
    Request request;
    request.method = method;
    const auto mark = path.find('?');
    request.path = "/_admin/" + std::string(path.substr(0, mark));
    if (mark != std::string_view::npos) request.query = parse_query(path.substr(mark + 1));
    request.segments = split_path(request.path);
    request.body = body;
    const Router::Handler* handler = nullptr;
    if (vendor_->application().admin.find(request, handler) != Router::Found::kYes) {
      throw std::runtime_error(fmt::format("no {} /_admin/{}", method, path));
    }
    const Response response = (*handler)(request);
    if (response.status >= 300) throw std::runtime_error(response.body);
    if (!response.source) return response.body;
    std::string out(static_cast<std::size_t>(response.source->size()), '\0');
    for (std::size_t at = 0; at < out.size();) {
      at += response.source->read(static_cast<std::int64_t>(at), out.data() + at, out.size() - at);
    }
    return out;
  }

  std::size_t skipped() const { return vendor_->skipped(); }

  std::uint16_t port_ = 0, content_port_ = 0;
  Certificates certificates_;
  Credentials credentials_;
  const bool tls_;

 private:
  void add_admin_routes(Router& admin) {
    admin.add("GET", "/_admin/counts", [this](Request&) { return admin_json(counters_.counts()); });
    admin.add("POST", "/_admin/counts/reset", [this](Request&) {
      counters_.reset();
      return admin_json(json::object());
    });
    admin.add("GET", "/_admin/requests",
              [this](Request&) { return admin_json(counters_.requests()); });
    admin.add("GET", "/_admin/faults", [this](Request&) { return admin_json(faults_.list()); });
    admin.add("POST", "/_admin/faults", [this](Request& request) {
      try {
        return admin_json({{"ids", faults_.add(json::parse(request.body))}});
      } catch (const std::exception& error) {
        return admin_json({{"error", error.what()}}, 400);
      }
    });
    admin.add("DELETE", "/_admin/faults", [this](Request&) {
      faults_.clear();
      return admin_json(json::object());
    });
    admin.add("DELETE", "/_admin/faults/{id}", [this](Request& request) {
      if (!faults_.remove(std::atoi(request.params[0].c_str())))
        return admin_json({{"error", "no such rule"}}, 404);
      return admin_json(json::object());
    });
  }

  StopSignal stop_;
  Counters counters_;
  FaultTable faults_;
  std::unique_ptr<Vendor> vendor_;
  // Last: their threads use everything above.
  std::unique_ptr<HttpServer> content_server_, server_;
};

std::unique_ptr<Sandbox> Sandbox::start(const Options& options) {
  return std::unique_ptr<Sandbox>(new Sandbox(std::make_unique<Impl>(options)));
}

Sandbox::Sandbox(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Sandbox::~Sandbox() {
  try {
    stop();
  } catch (const std::exception& error) {
    fmt::print(stderr, "cabinetfs-sandbox: the state was not saved: {}\n", error.what());
  }
}

std::uint16_t Sandbox::port() const { return impl_->port_; }
std::string Sandbox::content_url() const { return impl_->content_url(); }
std::string Sandbox::url() const { return impl_->url(); }
const std::string& Sandbox::ca_pem() const { return impl_->certificates_.ca_pem; }
const Credentials& Sandbox::credentials() const { return impl_->credentials_; }
std::size_t Sandbox::skipped() const { return impl_->skipped(); }
void Sandbox::stop() { impl_->stop(); }

std::string Sandbox::admin(std::string_view method, std::string_view path, std::string_view body) {
  return impl_->admin(method, path, body);
}

}  // namespace cabinetfs::sandbox

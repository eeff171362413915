#include "tests/support/dav_config.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace cabinetfs {
namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, std::string_view text, fs::perms perms) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  fs::permissions(path, perms);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

// "{SHA}" is the one form of a password that both servers read without crypt().
std::string password_line(const DavServerOptions& options) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_Digest(options.password.data(), options.password.size(), digest.data(), &length, EVP_sha1(),
             nullptr);
  std::array<unsigned char, 64> text{};
  EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(length));
  return fmt::format("{}:{{SHA}}{}\n", options.user, reinterpret_cast<const char*>(text.data()));
}

void write_secrets(const DavServerOptions& options, const fs::path& run_dir) {
  const fs::perms mine = fs::perms::owner_read | fs::perms::owner_write;
  if (!options.user.empty()) write_file(run_dir / "users", password_line(options), mine);
  if (options.certificate.empty()) return;
  write_file(run_dir / "server.pem", options.certificate, mine);
  write_file(run_dir / "server.key", options.private_key, mine);
}

std::string apache_config(const DavServerOptions& options, const DavPlace& place) {
  if (options.http2) throw std::invalid_argument("HTTP/2 is for nginx here");
  const std::string run = place.run_dir.string();
  const fs::path modules = dav_modules(DavServer::Kind::kApache);
  std::string text = fmt::format("ServerRoot {0}\nDefaultRuntimeDir {0}\nPidFile {0}/pid\n", run);
  for (const char* name :
       {"mpm_event", "authz_core", "authz_user", "authn_core", "authn_file", "auth_basic", "alias",
        "mime", "dav", "dav_fs", "env", "ratelimit", "ssl"}) {
    if (std::string_view(name) == "ssl" && options.certificate.empty()) continue;
    if (std::string_view(name) == "ratelimit" && options.rate == 0) continue;
    // What a build of the server contains already has no file.
    const fs::path file = modules / fmt::format("mod_{}.so", name);
    if (fs::exists(file)) text += fmt::format("LoadModule {}_module {}\n", name, file.string());
  }
  text += fmt::format(
      "Listen 127.0.0.1:{}\nServerName localhost\nTypesConfig /dev/null\nErrorLog {}/error.log\n"
      "LogLevel warn\nLogFormat \"%m %U %>s %b\" short\nCustomLog {}/access.log short\n"
      "StartServers 1\nServerLimit 1\nThreadsPerChild 64\nThreadLimit 64\nMaxRequestWorkers 64\n"
      "MinSpareThreads 1\nMaxSpareThreads 64\nGracefulShutdownTimeout 1\nKeepAlive On\n"
      "MaxKeepAliveRequests 0\nKeepAliveTimeout 60\nTimeout 60\nAllowEncodedSlashes NoDecode\n"
      "EnableSendfile Off\nLimitXMLRequestBody 1048576\n",
      place.port, run, run);
  if (!options.certificate.empty()) {
    text += fmt::format(
        "SSLSessionCache none\nSSLEngine on\nSSLCertificateFile {0}/server.pem\n"
        "SSLCertificateKeyFile {0}/server.key\n",
        run);
  }
  text += fmt::format("DavLockDB {}/locks\n", run);
  text += fmt::format("Alias {} {}/ready\n", place.ready_path, run);
  if (options.prefix.empty()) {
    text += fmt::format("DocumentRoot {}\n", place.directory.string());
  } else {
    text += fmt::format("DocumentRoot {}/empty\nAlias {} {}\n", run, options.prefix,
                        place.directory.string());
  }
  const char* etags = options.etags == DavServerOptions::Etags::kNone    ? "None"
                      : options.etags == DavServerOptions::Etags::kInode ? "INode MTime Size"
                                                                         : "MTime Size";
  text += fmt::format("<Directory />\n  Require all granted\n  FileETag {}\n</Directory>\n", etags);
  text += fmt::format("<Location {}>\n  Dav On\n  DavMinTimeout 0\n",
                      options.prefix.empty() ? "/" : options.prefix);
  if (!options.locks) text += "  <Limit LOCK UNLOCK>\n    Require all denied\n  </Limit>\n";
  if (!options.user.empty()) {
    text += fmt::format(
        "  AuthType Basic\n  AuthName files\n  AuthUserFile {}/users\n  Require valid-user\n", run);
  }
  if (options.rate > 0) {
    text += fmt::format("  SetOutputFilter RATE_LIMIT\n  SetEnv rate-limit {}\n",
                        (options.rate + 1023) / 1024);
  }
  text += "</Location>\n";
  text +=
      fmt::format("<Location {}>\n  Dav Off\n  AuthType None\n  Require all granted\n</Location>\n",
                  place.ready_path);
  return text;
}

std::string nginx_config(const DavServerOptions& options, const DavPlace& place) {
  if (options.etags == DavServerOptions::Etags::kInode) {
    throw std::invalid_argument("nginx makes no ETag from the inode");
  }
  const std::string run = place.run_dir.string();
  const fs::path module = dav_modules(DavServer::Kind::kNginx) / "ngx_http_dav_ext_module.so";
  const bool tls = !options.certificate.empty();
  if (options.http2 && !tls) throw std::invalid_argument("HTTP/2 needs HTTPS");
  std::string text =
      fmt::format("load_module {};\ndaemon off;\nmaster_process off;\n", module.string());
  if (::geteuid() == 0) text += "user root root;\n";
  text += fmt::format(
      "pid {0}/pid;\nerror_log {0}/error.log warn;\nevents {{ worker_connections 512; }}\nhttp {{\n"
      "  log_format short '$request_method $uri $status $body_bytes_sent{2}';\n"
      "  access_log {0}/access.log short;\n  client_body_temp_path {0}/body;\n"
      "  proxy_temp_path {0}/proxy;\n  fastcgi_temp_path {0}/fastcgi;\n"
      "  uwsgi_temp_path {0}/uwsgi;\n  scgi_temp_path {0}/scgi;\n"
      "  client_max_body_size 0;\n  keepalive_timeout 60s;\n  keepalive_requests 1000000;\n"
      "  default_type application/octet-stream;\n  etag {1};\n",
      run, options.etags == DavServerOptions::Etags::kNone ? "off" : "on",
      options.http2 ? " $server_protocol $connection" : "");
  if (options.locks) text += "  dav_ext_lock_zone zone=locks:1m;\n";
  text += fmt::format("  server {{\n    listen 127.0.0.1:{}{};\n    server_name localhost;\n",
                      place.port,
                      options.http2 ? " ssl http2"
                      : tls         ? " ssl"
                                    : "");
  if (tls) {
    text += fmt::format(
        "    ssl_certificate {0}/server.pem;\n    ssl_certificate_key {0}/server.key;\n", run);
  }
  text += fmt::format("    location = {} {{ return 204; }}\n", place.ready_path);
  text += fmt::format("    location {}/ {{\n", options.prefix);
  text += options.prefix.empty() ? fmt::format("      root {};\n", place.directory.string())
                                 : fmt::format("      alias {}/;\n", place.directory.string());
  text += "      dav_methods PUT DELETE MKCOL COPY MOVE;\n";
  text += fmt::format("      dav_ext_methods PROPFIND OPTIONS{};\n",
                      options.locks ? " LOCK UNLOCK" : "");
  if (options.locks) text += "      dav_ext_lock zone=locks;\n";
  if (!options.user.empty()) {
    text += fmt::format("      auth_basic files;\n      auth_basic_user_file {}/users;\n", run);
  }
  if (options.rate > 0) text += fmt::format("      limit_rate {};\n", options.rate);
  text += "    }\n  }\n}\n";
  return text;
}

}  // namespace

fs::path dav_program(DavServer::Kind kind) {
  const char* apache[] = {"/usr/sbin/apache2", "/usr/sbin/httpd"};
  const char* nginx[] = {"/usr/sbin/nginx", "/usr/bin/nginx"};
  for (const char* path : kind == DavServer::Kind::kApache ? apache : nginx) {
    if (::access(path, X_OK) == 0) return path;
  }
  return {};
}

fs::path dav_modules(DavServer::Kind kind) {
  const bool apache = kind == DavServer::Kind::kApache;
  for (const char* lib : {"/usr/lib", "/usr/lib64"}) {
    for (const char* dir : {"apache2/modules", "httpd/modules", "nginx/modules"}) {
      const fs::path at = fs::path(lib) / dir;
      if (fs::exists(at / (apache ? "mod_dav_fs.so" : "ngx_http_dav_ext_module.so"))) return at;
    }
  }
  return {};
}

std::vector<std::string> configure_dav(DavServer::Kind kind, const DavServerOptions& options,
                                       const DavPlace& place) {
  write_secrets(options, place.run_dir);
  const fs::path config = place.run_dir / "server.conf";
  const fs::perms mine = fs::perms::owner_read | fs::perms::owner_write;
  const std::string program = dav_program(kind).string();
  if (kind == DavServer::Kind::kNginx) {
    write_file(config, nginx_config(options, place), mine);
    return {program,
            "-p",
            place.run_dir.string(),
            "-c",
            config.string(),
            "-e",
            (place.run_dir / "error.log").string()};
  }
  fs::create_directories(place.run_dir / "empty");
  write_file(place.run_dir / "ready", "ready\n", mine);
  write_file(config, apache_config(options, place), mine);
  return {program,
          "-d",
          place.run_dir.string(),
          "-f",
          config.string(),
          "-E",
          (place.run_dir / "error.log").string(),
          "-D",
          "FOREGROUND"};
}

}  // namespace cabinetfs

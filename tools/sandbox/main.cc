#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include "tools/sandbox/sandbox.h"

namespace {

using cabinetfs::sandbox::Options;
using cabinetfs::sandbox::Sandbox;
using nlohmann::json;

struct Arguments {
  Options options;
  std::string settings_file, faults_file, users_file, port_file, ca_file, credentials_file;
  std::int64_t latency_ms = -1, token_lifetime = -1;
  double rate = -1, rate_burst = -1;
};

std::string read_file(const std::string& path) {
  if (path.empty()) return {};
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw std::runtime_error("cannot read " + path);
  return text.str();
}

// Complete or not at all: others wait for the file to appear.
void write_file(const std::string& path, const std::string& text, mode_t mode) {
  if (path.empty()) return;
  const std::string fresh = path + ".new";
  const mode_t before = ::umask(static_cast<mode_t>(~mode & 0777));
  std::filesystem::remove(fresh);  // an old one could have other rights
  std::ofstream out(fresh, std::ios::binary);
  ::umask(before);
  out << text;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path);
  std::filesystem::rename(fresh, path);
}

// Options of the command line are settings under another name.
void merge_settings(Arguments& arguments) {
  json settings = json::object();
  const std::string text = read_file(arguments.settings_file);
  if (!text.empty()) settings = json::parse(text);
  if (arguments.latency_ms >= 0) settings["latency_ms"] = arguments.latency_ms;
  if (arguments.token_lifetime >= 0) settings["access_lifetime"] = arguments.token_lifetime;
  if (arguments.rate >= 0) settings["rate"] = arguments.rate;
  if (arguments.rate_burst >= 0) settings["rate_burst"] = arguments.rate_burst;
  arguments.options.settings = settings.dump();
}

void announce(const Sandbox& server, const Arguments& arguments) {
  const auto& credentials = server.credentials();
  json users = json::array();
  json emails = json::array();
  for (const auto& user : credentials.users) {
    emails.push_back(user.email);
    users.push_back({{"email", user.email},
                     {"password", user.password},
                     {"access_token", user.access_token},
                     {"refresh_token", user.refresh_token}});
    if (!user.login_token.empty()) users.back()["login_token"] = user.login_token;
  }
  const json secrets = {{"client_id", credentials.client_id},
                        {"client_secret", credentials.client_secret},
                        {"users", users}};
  write_file(arguments.credentials_file, secrets.dump(2) + "\n", 0600);
  write_file(arguments.ca_file, server.ca_pem(), 0644);
  write_file(arguments.port_file, fmt::format("{}\n", server.port()), 0644);
  const json ready = {{"url", server.url()},
                      {"admin_url", server.url() + "/_admin"},
                      {"port", server.port()},
                      {"content_url", server.content_url()},
                      {"ca_file", arguments.ca_file},
                      {"users", emails},
                      {"client_id", credentials.client_id},
                      {"skipped", server.skipped()}};
  fmt::print("{}\n", ready.dump());
  std::fflush(stdout);
}

void serve(Arguments& arguments) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // Before any thread is made, so that all of them leave the signals to sigwait().
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  merge_settings(arguments);
  arguments.options.faults = read_file(arguments.faults_file);
  arguments.options.users = read_file(arguments.users_file);
  const auto server = Sandbox::start(arguments.options);
  announce(*server, arguments);
  int received = 0;
  sigwait(&signals, &received);
  server->stop();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("A local server that speaks a vendor's API, for tests");
  app.add_option("--vendor", arguments.options.vendor, "kiteworks, kenesto, powerfolder")
      ->required();
  app.add_option("--root", arguments.options.root, "first content of the first user's account")
      ->check(CLI::ExistingDirectory);
  app.add_option("--port", arguments.options.port, "0: any free one");
  app.add_option("--content-port", arguments.options.content_port,
                 "of the vendor's content host; 0: any free one");
  app.add_flag("--tls", arguments.options.tls, "HTTPS with an own CA");
  app.add_option("--latency", arguments.latency_ms, "milliseconds before each answer");
  app.add_option("--rate", arguments.rate, "requests per second and source; 0: no limit");
  app.add_option("--rate-burst", arguments.rate_burst, "so many at once");
  app.add_option("--faults", arguments.faults_file, "JSON list of fault rules")
      ->check(CLI::ExistingFile);
  app.add_option("--users", arguments.users_file, "JSON with users and client")
      ->check(CLI::ExistingFile);
  app.add_option("--settings", arguments.settings_file, "JSON with settings")
      ->check(CLI::ExistingFile);
  app.add_option("--token-lifetime", arguments.token_lifetime, "seconds");
  app.add_option("--state-dir", arguments.options.state_dir, "keep all changes here");
  app.add_option("--port-file", arguments.port_file, "gets the port when the server is ready");
  app.add_option("--ca-out", arguments.ca_file, "gets the CA certificate");
  app.add_option("--credentials-out", arguments.credentials_file,
                 "gets client secret and tokens, mode 0600");
  CLI11_PARSE(app, argc, argv);
  try {
    serve(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "cabinetfs-sandbox: {}\n", error.what());
    return 1;
  }
  return 0;
}

#include "tools/sandbox/powerfolder/service.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/kiteworks/oauth.h"
#include "tools/sandbox/powerfolder/admin.h"
#include "tools/sandbox/powerfolder/api.h"
#include "tools/sandbox/powerfolder/dav.h"
#include "tools/sandbox/powerfolder/snapshot.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

using nlohmann::json;

constexpr const char* kLoginPage =
    "<!doctype html><html><head><title>Login</title></head><body><form action=\"/login\" "
    "method=\"post\">Please accept the terms of service.</form></body></html>\n";

constexpr std::int64_t kLongestXml = std::int64_t{1} << 20;

class Service : public Vendor {
 public:
  explicit Service(const Options& options) : state_dir_(options.state_dir) {
    make_directory();
    try {
      const bool restored = !state_dir_.empty() && load_state(state_, state_dir_);
      if (!options.settings.empty()) state_.settings.change(json::parse(options.settings));
      if (!restored) {
        set_up_users(options.users);
        if (!options.root.empty()) skipped_ = load_directory(state_, options.root);
      }
    } catch (const json::exception& error) {
      throw std::runtime_error(error.what());
    } catch (const std::invalid_argument& error) {
      throw std::runtime_error(error.what());
    }
    add_routes();
    add_line();
  }

  ~Service() override {
    if (!state_dir_.empty()) return;
    std::error_code ignored;  // a directory in /tmp that cannot be removed harms nobody
    std::filesystem::remove_all(state_.content_dir, ignored);
  }

  const Application& application() const override { return application_; }
  Application& mutable_application() override { return application_; }
  void listening(const std::string& url) override {
    const std::lock_guard lock(state_.mutex);
    state_.base_url = url;
  }
  std::size_t skipped() const override { return skipped_; }
  std::filesystem::path spool_dir() const override { return state_.content_dir; }

  Credentials make_credentials() override {
    const std::lock_guard lock(state_.mutex);
    const auto settings = state_.settings.get();
    Credentials out;
    out.client_id = state_.auth.client.id;
    out.client_secret = state_.auth.client.secret;
    for (const auto& user : state_.users) {
      const TokenPair pair =
          state_.auth.issue(user->id, settings->access_lifetime, settings->refresh_lifetime);
      out.users.push_back({user->name, user->password, pair.access, pair.refresh,
                           state_.auth.issue_login(user->id, settings->access_lifetime)});
    }
    return out;
  }

  void save() override {
    const std::lock_guard lock(state_.mutex);
    if (!state_dir_.empty()) save_state(state_, state_dir_);
  }

 private:
  using Method = Response (*)(Call&);

  void make_directory() {
    if (!state_dir_.empty()) {
      state_.content_dir = state_dir_ / "content";
      std::filesystem::create_directories(state_.content_dir);
      return;
    }
    std::string name =
        (std::filesystem::temp_directory_path() / "cabinetfs-sandbox-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error(fmt::format("cannot make {}: {}", name, std::strerror(errno)));
    }
    state_.content_dir = name;
  }

  void set_up_users(const std::string& text) {
    const json described = text.empty() ? json::object() : json::parse(text);
    const json client = described.value("client", json::object());
    state_.auth.client.id = client.value("id", state_.auth.client.id);
    state_.auth.client.secret = client.value("secret", kiteworks::random_hex(16));
    state_.auth.client.redirect_uris =
        client.value("redirect_uris", state_.auth.client.redirect_uris);
    const json users = described.value(
        "users", json::array({{{"email", "alice@example.com"}}, {{"email", "bob@example.com"}}}));
    for (const json& user : users) {
      User& added = state_.add_user(user.at("email").get<std::string>(),
                                    user.value("password", kiteworks::random_hex(8)));
      added.quota = user.value("quota", std::int64_t{0});
      added.admin = user.value("admin", false);
    }
    if (state_.users.empty()) throw std::runtime_error("there must be at least one user");
  }

  void add_routes() {
    const std::pair<const char*, Method> methods[] = {
        {"OPTIONS", dav_options}, {"PROPFIND", dav_propfind}, {"GET", dav_get},
        {"HEAD", dav_get},        {"PUT", dav_put},           {"MKCOL", dav_mkcol},
        {"DELETE", dav_delete},   {"MOVE", dav_move},         {"COPY", dav_copy},
        {"LOCK", dav_lock},       {"UNLOCK", dav_unlock}};
    for (const auto& [name, method] : methods) {
      const Method run = method;
      application_.api.add(name, "/webdav/{path...}",
                           [this, run](Request& request) { return dav(request, run); });
    }
    const std::pair<const char*, Method> services[] = {{"/api/folders", api_folders},
                                                       {"/api/folders/{id}", api_folder},
                                                       {"/api/files/{id}/{path...}", api_files},
                                                       {"/api/accounts", api_accounts}};
    for (const auto& [path, method] : services) {
      const Method run = method;
      both(path, [this, run](Request& request) {
        return guarded(request, false, [&](Call& call) { return run(call); });
      });
    }
    const auto locked = [this](auto run) {
      return [this, run](Request& request) {
        const std::lock_guard lock(state_.mutex);
        return run(request);
      };
    };
    both("/login", locked([this](Request& request) { return login(state_, request); }));
    application_.api.add("GET", "/oauth/allow", locked([this](Request& request) {
                           return state_.auth.allow(state_, request);
                         }));
    application_.api.add("POST", "/oauth/token", locked([this](Request& request) {
                           return state_.auth.token(state_, request);
                         }));
    application_.api.add("GET", "/oauth", locked([this](Request& request) {
                           return state_.auth.refresh(state_, request);
                         }));
    application_.api.add("GET", "/terms", [](Request&) {
      return Response::text(200, "text/html; charset=utf-8", kLoginPage);
    });
    add_admin_routes(state_, application_.admin);
  }

  void both(const char* path, const Router::Handler& handler) {
    application_.api.add("GET", path, handler);
    application_.api.add("POST", path, handler);
  }

  template <class Run>
  Response guarded(Request& request, bool webdav, Run run) {
    const std::lock_guard lock(state_.mutex);
    const auto settings = state_.settings.get();
    Response response;
    try {
      Call call{state_, *settings, request, authenticate(state_, request, webdav)};
      response = run(call);
    } catch (const HttpError& error) {
      response = error_response(*settings, error);
    }
    if (settings->server_headers) {
      response.headers.emplace_back("PF-Server-ID", "SandboxServer0000001");
      response.headers.emplace_back("PF-Server-Name", "Sandbox");
    }
    return response;
  }

  Response dav(Request& request, Method method) {
    const auto settings = state_.settings.get();
    if (settings->login_page == "html") {
      return Response::text(200, "text/html; charset=utf-8", kLoginPage);
    }
    if (settings->login_page == "redirect") {
      Response response;
      response.status = 302;
      response.headers.emplace_back("Location", "/terms");
      return response;
    }
    return guarded(request, true, [&](Call& call) {
      if (request.raw && !is_put(request)) {
        if (request.raw->size() > kLongestXml) throw HttpError(413, "Too long");
        request.body = request.raw->text();
      }
      if (auto elsewhere = slash_redirect(call)) return *std::move(elsewhere);
      return method(call);
    });
  }

  static std::optional<Response> slash_redirect(const Call& call) {
    const std::string& method = call.request.method;
    if (call.settings.slash_redirect == "off" ||
        (method != "PROPFIND" && method != "GET" && method != "HEAD")) {
      return std::nullopt;
    }
    const Place place = resolve(call);
    if (place.slash || !place.exists() || (place.node != nullptr && !place.node->dir)) {
      return std::nullopt;
    }
    Response response;
    response.status = std::atoi(call.settings.slash_redirect.c_str());
    response.headers.emplace_back("Location", origin_of(call) + call.request.path + "/");
    return response;
  }

  static bool is_dav(const Request& request) {
    return !request.segments.empty() && request.segments.front() == "webdav";
  }
  static bool is_put(const Request& request) { return request.method == "PUT" && is_dav(request); }

  // The refusal of a PUT whose body is still to come.
  std::optional<Response> before_body(Request& request) {
    if (!is_put(request)) return std::nullopt;
    std::int64_t size = 0;
    const std::string_view length = request.header("content-length");
    std::from_chars(length.data(), length.data() + length.size(), size);
    bool good = false;
    Response refusal = guarded(request, true, [&](Call& call) {
      check_put(call, size);
      good = true;
      return Response();
    });
    if (good) return std::nullopt;
    return refusal;
  }

  void add_line() {
    // Whatever the client calls it: XML is XML also where it is announced as a form.
    application_.takes_raw_body = [](const Request& request) { return is_dav(request); };
    application_.before_body = [this](Request& request) { return before_body(request); };
    application_.aborted = [this](Request& request) {
      if (!is_put(request)) return;
      guarded(request, true, [](Call& call) {
        aborted_put(call);
        return Response();
      });
    };
    application_.identify = [this](const Request& request) {
      const std::lock_guard lock(state_.mutex);
      return identify(state_, request);
    };
    application_.tuning = [this] { return tuning(); };
    application_.throttled = [this] { return throttled(); };
    application_.not_routed = [this](Router::Found found) {
      const bool no_path = found == Router::Found::kNoPath;
      return error_response(*state_.settings.get(),
                            no_path ? HttpError(404, "Not found") : HttpError(405, "Not here"));
    };
    application_.failed = [this](const std::string& what) {
      fmt::print(stderr, "cabinetfs-sandbox: {}\n", what);
      return error_response(*state_.settings.get(), HttpError(500, "Internal error"));
    };
  }

  LineTuning tuning() const {
    const auto settings = state_.settings.get();
    LineTuning out;
    out.latency = std::chrono::milliseconds(settings->latency_ms);
    out.bandwidth = settings->bandwidth;
    out.bandwidth_total = settings->bandwidth_total;
    out.rate = {settings->rate, settings->rate_burst, settings->rate_queue};
    return out;
  }

  Response throttled() const {
    const auto settings = state_.settings.get();
    const std::string when = settings->retry_after_date
                                 ? http_date(now_ms() + settings->retry_after * 1000)
                                 : std::to_string(settings->retry_after);
    return error_response(*settings, HttpError(static_cast<int>(settings->rate_status),
                                               "Too many requests", {}, {{"Retry-After", when}}));
  }

  const std::filesystem::path state_dir_;
  State state_;
  Application application_;
  std::size_t skipped_ = 0;
};

}  // namespace

std::unique_ptr<Vendor> make_service(const Options& options) {
  return std::make_unique<Service>(options);
}

}  // namespace cabinetfs::sandbox::powerfolder

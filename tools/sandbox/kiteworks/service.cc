#include "tools/sandbox/kiteworks/service.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/kiteworks/admin.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/snapshot.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

std::string http_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64] = {};
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

class Service : public Vendor {
 public:
  explicit Service(const Options& options)
      : state_dir_(options.state_dir), api_(state_, application_) {
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
    finish_setup();
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
    Credentials out;
    out.client_id = state_.oauth.client.id;
    out.client_secret = state_.oauth.client.secret;
    for (const auto& user : state_.users) {
      const TokenPair pair = state_.oauth.issue(user->id, *state_.settings.get());
      out.users.push_back({user->email, user->password, pair.access, pair.refresh});
    }
    return out;
  }

  void save() override {
    const std::lock_guard lock(state_.mutex);
    if (!state_dir_.empty()) save_state(state_, state_dir_);
  }

 private:
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
    state_.oauth.client.secret = random_hex(16);
    if (described.contains("client")) change_client(state_.oauth.client, described.at("client"));
    const json users = described.value(
        "users", json::array({{{"email", "alice@example.com"}, {"name", "Alice Adams"}},
                              {{"email", "bob@example.com"}, {"name", "Bob Brown"}}}));
    for (const json& user : users) {
      const std::string email = user.at("email");
      User& added =
          state_.add_user(email, user.value("name", email), user.value("password", random_hex(8)));
      added.quota = user.value("quota", std::int64_t{0});
    }
    if (state_.users.empty()) throw std::runtime_error("there must be at least one user");
  }

  void finish_setup() {
    add_identity_routes(api_);
    add_listing_routes(api_);
    add_search_routes(api_);
    add_folder_routes(api_);
    add_file_routes(api_);
    add_upload_routes(api_);
    add_simple_upload_routes(api_);
    add_content_routes(api_);
    add_version_routes(api_);
    add_lock_routes(api_);
    add_member_routes(api_);
    add_activity_routes(api_);
    add_comment_routes(api_);
    add_mail_routes(api_);
    add_admin_routes(state_, application_.admin);
    application_.identify = [this](const Request& request) { return identify(request); };
    application_.tuning = [this] { return tuning(); };
    application_.throttled = [this] { return throttled(); };
    application_.not_routed = [](Router::Found found) {
      const bool no_path = found == Router::Found::kNoPath;
      return Response::text(no_path ? 404 : 405, "text/html",
                            no_path ? "<html><body><h1>404 Not Found</h1></body></html>"
                                    : "<html><body><h1>405 Method Not Allowed</h1></body></html>");
    };
    application_.failed = [this](const std::string& what) {
      fmt::print(stderr, "cabinetfs-sandbox: {}\n", what);
      return api_.error_response(ApiError(500, "ERR_SYSTEM_ERROR", what), "");
    };
  }

  std::string identify(const Request& request) {
    const std::string_view authorization = request.header("authorization");
    if (authorization.size() <= 7) return {};
    const std::lock_guard lock(state_.mutex);
    const User* user = state_.find_user(state_.oauth.user_of(authorization.substr(7)));
    return user == nullptr ? std::string() : user->email;
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

  // What a proxy in front of the appliance says: no code that a client could look at.
  Response throttled() const {
    const auto settings = state_.settings.get();
    Response response = Response::text(static_cast<int>(settings->rate_status), "text/html",
                                       "<html><body>Too many requests</body></html>");
    if (settings->rate_status == 429) {
      response.headers.emplace_back("Retry-After",
                                    settings->retry_after_date
                                        ? http_date(std::time(nullptr) + settings->retry_after)
                                        : std::to_string(settings->retry_after));
    }
    return response;
  }

  const std::filesystem::path state_dir_;
  State state_;
  Application application_;
  Api api_;
  std::size_t skipped_ = 0;
};

}  // namespace

std::unique_ptr<Vendor> make_service(const Options& options) {
  return std::make_unique<Service>(options);
}

}  // namespace cabinetfs::sandbox::kiteworks
